"""The row of a page's choices as widgets: a few options side by side, many in a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Choice, Options, Page
from driftbook.dashboard.state import Selection
from driftbook.errors import DriftbookError

SIDE_BY_SIDE = 4
_NATURAL = {"description_width": "initial"}


class ChoiceRow:
    """Widgets for the choices of whatever page is shown; ``box`` is the row.

    Parameters
    ----------
    on_choice
        Called with the choice's name and the chosen value.
    """

    def __init__(self, on_choice: Callable[[str, str], None]) -> None:
        self.box: Any = widgets.HBox([], layout=widgets.Layout(display="none"))
        self.box.add_class("dash-choices")
        self._on_choice = on_choice
        self._made: dict[tuple[str, str, bool], Any] = {}
        self._offered: dict[tuple[str, str, bool], Options] = {}
        self._quiet = False

    def show(self, page: Page, known: Known | None, selection: Selection) -> None:
        """Offer what the page lets a visitor vary, with what is chosen."""
        self._quiet = True
        try:
            row = [each for choice in page.choices if (each := self._widget(page, choice, known, selection))]
        finally:
            self._quiet = False
        if list(self.box.children) != row:
            self.box.children = row
        display = None if row else "none"
        if self.box.layout.display != display:
            self.box.layout.display = display

    def _widget(self, page: Page, choice: Choice, known: Known | None, selection: Selection) -> Any:
        try:
            options = list(choice.options(known, selection)) if known else []
        except DriftbookError:
            options = []  # its cards say why
        if len(options) < 2:
            return None  # no choice
        few = len(options) <= SIDE_BY_SIDE
        key = (page.name, choice.name, few)
        if key not in self._made:
            kind = widgets.RadioButtons if few else widgets.Dropdown
            self._made[key] = kind(options=options, description=choice.label, style=_NATURAL)
            self._offered[key] = options
            self._made[key].observe(lambda change, name=choice.name: self._chosen(name, change["new"]), names="value")
        widget = self._made[key]
        if self._offered[key] != options:
            widget.options = options
            self._offered[key] = options
        value = choice.value(known, selection) if known else None
        if widget.value != value:
            widget.value = value
        return widget

    def _chosen(self, name: str, value: Any) -> None:
        if not self._quiet and isinstance(value, str):
            self._on_choice(name, value)
