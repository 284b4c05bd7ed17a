"""The dashboard as widgets: what is selected above, the page below, and a loop that keeps it fresh.

Thin on purpose: it reads the controls, asks a page for HTML and puts that in its place at once, so that nothing
flickers. The loop lives in the kernel. It looks every second whether somebody came, whether a build goes on, whether
the page changed by itself, and every minute whether anything else did; whatever goes wrong in it is logged and tried
again, because an error that escapes would freeze the page without a word.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import ipywidgets as widgets

from driftbook.config import Settings
from driftbook.dashboard import frame
from driftbook.dashboard.acting import ActionPanel
from driftbook.dashboard.choosing import ChoiceRow
from driftbook.dashboard.known import Found, Known, find_use_cases, load_known, stamp
from driftbook.dashboard.page import Page, render_page
from driftbook.dashboard.pages import PAGES
from driftbook.dashboard.parts import FAILED, error_card, unbroken
from driftbook.dashboard.placing import Place
from driftbook.dashboard.state import FIRST_PAGE, Selection, offered, offered_day
from driftbook.dashboard.style import STYLE
from driftbook.dashboard.visitor import NOBODY, current_visitor
from driftbook.errors import DriftbookError
from driftbook.tables import STYLE as TABLE_STYLE
from driftbook.workflow.progress import Progress, load_progress

logger = logging.getLogger(__name__)

REFRESH_VARIABLE = "DRIFTBOOK_DASHBOARD_REFRESH"
REFRESH_SECONDS, RETRY_SECONDS, TICK_SECONDS = 60.0, 5.0, 1.0
REMEMBERED = 64  # pages kept as HTML until something changes
BRAND = '<h1 class="dash-brand">driftbook<small>model monitoring</small></h1>'
_NATURAL = {"description_width": "initial"}


class Monitor:
    """All widgets of one visitor's dashboard; ``box`` is what a notebook displays."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.find()
        self.seconds = _refresh_seconds()
        self.selection, self.visitor = Selection(""), NOBODY
        self.cases: tuple[Found, ...] = ()
        self._days: tuple[date, ...] = ()
        self._mark, self._due, self._live, self._quiet = "", 0.0, "", False
        self._rendered: dict[Any, str] = {}
        self._progress: Progress | None = None
        self._make_widgets()
        self.refresh()
        self._task = self._begin()

    def refresh(self) -> None:
        """Read anew what changed, and show it; what did not change stays untouched."""
        self._due = time.monotonic() + self.seconds
        with self._guarded():
            mark = stamp(self.settings)
            if mark != self._mark:
                self.cases = find_use_cases(self.settings, mark=mark)
                self._rendered.clear()
                self._mark = mark
            self._rendered = {key: html for key, html in self._rendered.items() if FAILED not in html}
            self._progress = load_progress(self.settings)
            self._show()
        _put(self.stamp, frame.refreshed(datetime.now(UTC), self.visitor, seconds=self.seconds))

    def tick(self) -> None:
        """What is looked after every second: who is there, the build, and what a page says changed by itself."""
        visitor = current_visitor()
        arrived = visitor != self.visitor
        self.visitor = visitor
        progress = load_progress(self.settings)
        ended = _is_running(self._progress) and not _is_running(progress)
        if arrived or ended or time.monotonic() >= self._due:
            self.refresh()
            return
        self._progress = progress
        known = self._known()
        self._tell_progress(known)
        if known is None:
            return
        if self.page.live(known, self.selection) != self._live:
            self._show()
        elif known.is_newest:
            self._draw_ahead(known)

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return PAGES[offered(self.selection.page, PAGES, FIRST_PAGE)]

    def _make_widgets(self) -> None:
        self.style: Any = widgets.HTML(TABLE_STYLE + STYLE, layout=widgets.Layout(display="none"))
        self.case: Any = widgets.Dropdown(description="Use case", style=_NATURAL)
        self.slider: Any = widgets.SelectionSlider(
            options=["–"], description="As known on", continuous_update=False, style=_NATURAL
        )
        self.newest: Any = widgets.Button(description="Newest day")
        self.stamp: Any = widgets.HTML()
        titles = [(page.title, name) for name, page in PAGES.items()]
        self.nav: Any = widgets.RadioButtons(options=titles, description="Page")
        self.choices = ChoiceRow(self._on_choice)
        self.banner, self.work, self.body = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.actions = ActionPanel(self._fresh, self.refresh)
        self.place = Place(self._on_place, PAGES.values())
        self.head: Any = widgets.HBox([widgets.HTML(BRAND), self.case, self.slider, self.stamp])
        self.past: Any = widgets.HBox([self.banner, self.newest])
        below = [self.past, self.work, self.choices.box, self.actions.box, self.body]
        self.box: Any = widgets.VBox([self.style, self.place.box, self.head, self.nav, *below])
        named = {"dash": self.box, "dash-head": self.head, "dash-nav": self.nav, "dash-past": self.past}
        for css, widget in named.items():
            widget.add_class(css)
        self.case.observe(self._on_case, names="value")
        self.slider.observe(self._on_day, names="value")
        self.nav.observe(self._on_page, names="value")
        self.newest.on_click(lambda _: self._select(replace(self.selection, day=None)))

    def _on_case(self, change: Any) -> None:
        names = [each.name for each in self.cases]
        self._select(Selection(offered(change["new"], names), page=self.selection.page, day=self.selection.day))

    def _on_day(self, change: Any) -> None:
        self._select(replace(self.selection, day=offered_day(change["new"], self._days)))

    def _on_page(self, change: Any) -> None:
        self._select(replace(self.selection, page=offered(change["new"], PAGES, FIRST_PAGE)))

    def _on_choice(self, name: str, value: str) -> None:
        self._select(self.selection.choosing(name, value))

    def _on_place(self, selection: Selection, day: str) -> None:
        """Where the visitor was before the page was loaded again."""
        with suppress(DriftbookError):
            known = load_known(self.settings, selection.use_case, mark=self._mark)
            self._select(replace(selection, day=offered_day(day, known.days)))

    def _select(self, selection: Selection) -> None:
        if self._quiet or selection == self.selection:
            return
        self.selection = selection
        with self._guarded():
            self._show()

    def _show(self) -> None:
        """Bring every widget to what is selected and known; the page is drawn before, so that all change as one."""
        names = [each.name for each in self.cases]
        self.selection = replace(self.selection, use_case=offered(self.selection.use_case, names))
        known = self._known()
        html = self._html(known)
        with self._hushed():
            self._set_controls(known)
        self._tell_progress(known)
        _put(self.body, html)
        _put(self.banner, frame.banner(known))
        _display(self.past, there=bool(self.banner.value))
        self.choices.show(self.page, known, self.selection)
        self.actions.show(self.page, known, self.selection, self.visitor)

    def _tell_progress(self, known: Known | None) -> None:
        """The build that goes on; what came of one that has ended only beside the newest day."""
        told = self._progress if known is None or known.is_newest or _is_running(self._progress) else None
        _put(self.work, frame.work_bar(told, now=datetime.now(UTC)))

    def _html(self, known: Known | None) -> str:
        if not any(each.built for each in self.cases):
            return frame.nothing_built(self.cases)
        if known is None:
            return f'<div class="dash-grid">{error_card("Nothing to show", self._fault(), wide=True)}</div>'
        self._live = self.page.live(known, self.selection)
        return self._drawn(self.page, known, self.selection, self._live)

    def _drawn(self, page: Page, known: Known, selection: Selection, live: str = "") -> str:
        """A page as HTML, drawn once for what is selected."""
        key = (*selection.key, live)
        if key not in self._rendered:
            while len(self._rendered) >= REMEMBERED:
                self._rendered.pop(next(iter(self._rendered)))
            self._rendered[key] = unbroken(render_page(page, known, selection))
        return self._rendered[key]

    def _draw_ahead(self, known: Known) -> None:
        """One page that nobody turned to yet, while there is nothing else to do: it will be there at once.

        One that changes by itself is drawn as it is before anything changed, which at least reads its tables.
        """
        for name, page in PAGES.items():
            selection = replace(self.selection, page=name)
            if (*selection.key, "") not in self._rendered:
                self._drawn(page, known, selection)
                return

    def _known(self) -> Known | None:
        try:
            return load_known(self.settings, self.selection.use_case, self.selection.day, mark=self._mark)
        except DriftbookError:
            return None

    def _fault(self) -> str:
        """Why the selected use case cannot be shown."""
        try:
            load_known(self.settings, self.selection.use_case, mark=self._mark)
        except DriftbookError as error:
            return str(error).replace(f"{self.settings.root}/", "")
        return "It was changed while it was read; this page tries again by itself."

    def _fresh(self) -> Known:
        """What is known now, on the newest day: what an act is checked against."""
        return load_known(self.settings, self.selection.use_case)

    def _set_controls(self, known: Known | None) -> None:
        titles = [(each.title if each.built else f"{each.title} (not built yet)", each.name) for each in self.cases]
        if list(self.case.options) != titles:
            self.case.options = titles
        if titles and self.case.value != self.selection.use_case:
            self.case.value = self.selection.use_case
        self._days = known.days if known else ()
        days = [day.isoformat() for day in self._days] or ["–"]
        if list(self.slider.options) != days:
            self.slider.options = days
        shown = known.day.isoformat() if known else days[-1]
        if self.slider.value != shown:
            self.slider.value = shown
        past = known is not None and not known.is_newest
        for widget, there in ((self.case, bool(titles)), (self.slider, len(days) > 1), (self.newest, past)):
            _display(widget, there=there)
        self.nav.value = self.page.name
        self.place.show(self.selection)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever goes wrong is said in the page's place, and the dashboard lives on."""
        try:
            yield
        except DriftbookError as error:
            self._fail(str(error).replace(f"{self.settings.root}/", ""))
        except Exception:
            logger.exception("the dashboard cannot be refreshed")
            self._fail("Something went wrong here; the log of the server says more. This page tries again by itself.")

    def _fail(self, words: str) -> None:
        """Say why nothing is shown, and look again soon."""
        self._due = min(self._due, time.monotonic() + RETRY_SECONDS)
        _put(self.body, f'<div class="dash-grid">{error_card("This cannot be shown", words, wide=True)}</div>')

    @contextmanager
    def _hushed(self) -> Iterator[None]:
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def _begin(self) -> asyncio.Task[None] | None:
        """The loop, where there is an event loop to run it: in a kernel, not in a plain program."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        return loop.create_task(self._keep_fresh())

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            with suppress(Exception), self._guarded():
                self.tick()


def _is_running(progress: Progress | None) -> bool:
    return progress is not None and progress.state == "running"


def _put(widget: Any, html: str) -> None:
    """Show it, unless it is shown already: what is put again is drawn again."""
    if widget.value != html:
        widget.value = html


def _display(widget: Any, *, there: bool) -> None:
    """Show a widget or take it away."""
    display = None if there else "none"
    if widget.layout.display != display:
        widget.layout.display = display


def _refresh_seconds() -> float:
    try:
        return max(float(os.environ[REFRESH_VARIABLE]), TICK_SECONDS)
    except (KeyError, ValueError):
        return REFRESH_SECONDS
