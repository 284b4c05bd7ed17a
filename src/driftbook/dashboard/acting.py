"""What an operator may do on a page, as widgets: a button opens a form, a second click in it acts.

Whoever clicks in a browser may be anybody, so who it is, is asked anew at each act, and what was chosen is checked
against what is offered now. A viewer is shown no button.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Action, Page
from driftbook.dashboard.state import Selection, offered
from driftbook.dashboard.visitor import Visitor, current_visitor, require_operator
from driftbook.errors import DriftbookError
from driftbook.tables import prose

logger = logging.getLogger(__name__)

_NATURAL = {"description_width": "initial"}


class ActionPanel:
    """Buttons and the form of whatever page is shown; ``box`` is the panel.

    Parameters
    ----------
    fresh
        Gives what is known now, on the newest day.
    after
        Called after something was done, so that the page shows it.
    """

    def __init__(self, fresh: Callable[[], Known], after: Callable[[], None]) -> None:
        self._fresh, self._after = fresh, after
        self._page: Page | None = None
        self._selection: Selection | None = None
        self._open: Action | None = None
        self.buttons: dict[str, Any] = {}
        self.row: Any = _line("dash-acts")
        self.object: Any = widgets.Dropdown(description="Which", style=_NATURAL)
        self.text: Any = widgets.Text(style=_NATURAL, continuous_update=False)  # sent whole, before the click
        self.confirm: Any = widgets.Button(button_style="primary")
        self.cancel: Any = widgets.Button(description="Cancel")
        self.form: Any = _line("dash-form")
        self.said: Any = widgets.HTML()
        self.box: Any = widgets.VBox([self.row, self.form, self.said], layout=widgets.Layout(display="none"))
        self.box.add_class("dash-panel")
        self.confirm.on_click(lambda _: self.act())
        self.cancel.on_click(lambda _: self.close())
        self.close()

    def show(self, page: Page, known: Known | None, selection: Selection, visitor: Visitor) -> None:
        """Offer the page's actions to an operator on the newest day; nothing to anybody else."""
        may = known is not None and known.is_newest and visitor.is_operator and bool(page.actions)
        if page is not self._page or selection.use_case != (self._selection or selection).use_case:
            self.close()
            self._say("")
        self._page, self._selection = page, selection
        display = None if may else "none"
        if self.box.layout.display != display:
            self.box.layout.display = display
        if may and known is not None:
            self._offer(page, known, selection)

    def open(self, name: str) -> None:
        """Show the form of an action."""
        page, selection = self._page, self._selection
        action = next((each for each in page.actions if each.name == name), None) if page else None
        if action is None or selection is None:
            return
        try:
            objects = list(action.objects(self._fresh(), selection)) if action.objects else []
        except DriftbookError as error:
            self._say(f"■ {error}", tone="bad")
            return
        self._open = action
        self._say("")
        self.object.options = objects
        self.object.index = 0 if objects else None  # a list that was once empty would stay without a choice
        self.text.description, self.text.value = action.asks, ""
        self.confirm.description = f"Yes: {action.label[:1].lower()}{action.label[1:]}"
        self.form.children = [*([self.object] if objects else []), self.text, self.confirm, self.cancel]
        self.form.layout.display = None
        self.box.add_class("dash-open")
        self.text.focus()

    def close(self) -> None:
        """Put the form away."""
        self._open = None
        self.form.layout.display = "none"
        self.box.remove_class("dash-open")

    def act(self) -> None:
        """Do what the open form says, and show what came of it."""
        action, selection = self._open, self._selection
        if action is None or selection is None:
            return
        try:
            said = self._run(action, selection)
        except DriftbookError as error:
            self._say(f"■ {error}", tone="bad")
            return
        except Exception:
            logger.exception("the action %s of %s failed", action.name, selection.use_case)
            self._say("■ This did not work, and nothing tells why; the log of the server says more.", tone="bad")
            return
        self.close()
        self._after()
        self._say(f"✓ {said}", tone="good")

    def _run(self, action: Action, selection: Selection) -> str:
        visitor = current_visitor()
        require_operator(visitor)
        text = _readable(str(self.text.value))
        if not text:
            raise DriftbookError(f"Fill in: {action.asks.lower()}. It stands in the records for everybody to read.")
        known = self._fresh()
        obstacle = action.available(known, selection)
        if obstacle:
            raise DriftbookError(obstacle)
        chosen = ""
        if action.objects:
            values = [value for _, value in action.objects(known, selection)]
            chosen = offered(self.object.value, values)
            if chosen != self.object.value:
                raise DriftbookError("What was chosen is no longer there; choose again.")
        return action.run(known, selection, visitor, text, chosen)

    def _offer(self, page: Page, known: Known, selection: Selection) -> None:
        row = []
        for action in page.actions:
            button, why = self._button(page, action)
            obstacle = _obstacle(action, known, selection)
            if button.disabled != bool(obstacle):
                button.disabled = bool(obstacle)
            words = f'<span class="dash-why">{prose(obstacle)}</span>' if obstacle else ""
            if why.value != words:
                why.value = words
            row += [button, *([why] if obstacle else [])]
        if list(self.row.children) != row:
            self.row.children = row

    def _button(self, page: Page, action: Action) -> tuple[Any, Any]:
        key = f"{page.name}.{action.name}"
        if key not in self.buttons:
            button = widgets.Button(description=action.label)
            button.on_click(lambda _, name=action.name: self.open(name))
            self.buttons[key] = (button, widgets.HTML())
        found: tuple[Any, Any] = self.buttons[key]
        return found

    def _say(self, words: str, *, tone: str = "calm") -> None:
        shown = f'<p class="dash-note dash-is-{tone}" role="status">{prose(words)}</p>' if words else ""
        if self.said.value != shown:
            self.said.value = shown


def _obstacle(action: Action, known: Known, selection: Selection) -> str:
    try:
        return action.available(known, selection)
    except DriftbookError as error:
        return escape(str(error))


def _readable(text: str) -> str:
    """What was written, on one line and without signs that show nothing or turn the rest of a line round."""
    return " ".join("".join(each for each in text if each.isprintable() or each.isspace()).split())


def _line(css: str) -> Any:
    box = widgets.HBox([])
    box.add_class(css)
    return box
