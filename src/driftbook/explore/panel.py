"""The thin view: a few controls, and what the selection yields beneath them.

Figures are SVG in an HTML widget, so a change of the selection replaces the picture without a flicker and without a
script. An error of ours (a file that is not there, say) is shown as a card that says what to do, never as a traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from driftbook.errors import DriftbookError
from driftbook.explore.data import Exploration, default_period, names_to_explore, open_exploration
from driftbook.explore.look import AGAINST, Selection, look
from driftbook.figures.canvas import batch_label
from driftbook.tables import Format, table, verdict_card

SHARES = ("missing", "its share")
_STYLE = {"description_width": "92px"}


class Panel:
    """Controls and figures for one exploration at a time; ``view`` is the widget to show.

    Parameters
    ----------
    exploration
        What is open at first; another use case can be picked.
    """

    def __init__(self, exploration: Exploration) -> None:
        self.exploration = exploration
        names = names_to_explore(exploration.run.settings)
        name = exploration.case.name
        self.use_case: Any = widgets.Dropdown(
            options=sorted({*names, name}), value=name, description="Use case", style=_STYLE, layout=_width(372)
        )
        self.column: Any = widgets.Dropdown(description="Column", style=_STYLE, layout=_width(372))
        self.target_class: Any = widgets.Dropdown(description="Target class", style=_STYLE, layout=_width(372))
        self.against: Any = widgets.Dropdown(
            options=AGAINST, description="Compare with", style=_STYLE, layout=_width(372)
        )
        self.period: Any = widgets.SelectionRangeSlider(
            options=["–"], description="Period", continuous_update=False, style=_STYLE, layout=_width(748)
        )
        self.shown: Any = widgets.HTML()
        self._quiet = False
        self._fill()
        self.use_case.observe(self._on_use_case, names="value")
        for control in (self.column, self.target_class, self.against, self.period):
            control.observe(self._on_selection, names="value")
        self._show()

    @property
    def view(self) -> Any:
        """The controls above the figures."""
        lines = ((self.use_case, self.column), (self.against, self.target_class), (self.period,))
        return widgets.VBox([*(widgets.HBox(line) for line in lines), self.shown])

    @property
    def selection(self) -> Selection:
        """What the controls say."""
        since, until = self.period.value
        against, target_class = self.against.value, self.target_class.value
        return Selection(self.column.value, since=since, until=until, against=against, target_class=target_class)

    def _fill(self) -> None:
        """Give the controls the choices of the exploration that is open."""
        with self._hushed():
            columns, classes = self.exploration.columns, self.exploration.classes
            self.column.options = [(f"{name} ({kind})", name) for name, kind in columns.items()]
            self.column.value = next(iter(columns))
            self.target_class.options = classes
            self.target_class.value = next(iter(classes), None)
            self.target_class.layout.visibility = "visible" if len(classes) > 1 else "hidden"
            self.period.options = [(batch_label(day.isoformat()), day) for day in self.exploration.days]
            self.period.value = default_period(self.exploration)

    def _on_use_case(self, change: Any) -> None:
        self.shown.value = f"<p>Reading {change['new']} …</p>"
        try:
            self.exploration = open_exploration(change["new"], settings=self.exploration.run.settings)
        except DriftbookError as error:
            self.shown.value = _sorry(error)
            return
        self._fill()
        self._show()

    def _on_selection(self, change: Any) -> None:
        if not self._quiet:
            self._show()

    def _show(self) -> None:
        try:
            seen = look(self.exploration, self.selection)
        except DriftbookError as error:
            self.shown.value = _sorry(error)
            return
        formats: dict[str, Format] = dict.fromkeys((*SHARES, seen.summary.columns[-1]), "percent")
        summary = table(seen.summary, caption=f"{self.column.value} in numbers", formats=formats)
        self.shown.value = summary.markup + "".join(figure._repr_html_() for figure in seen.figures)

    @contextmanager
    def _hushed(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False


def _width(pixels: int) -> Any:
    return widgets.Layout(width=f"{pixels}px")


def _sorry(error: DriftbookError) -> str:
    return verdict_card("watch out", [str(error)], title="This cannot be shown").markup
