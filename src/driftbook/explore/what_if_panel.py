"""The thin view of ``what_if``: sliders, and what the engine says beneath them.

Only what can be done to the chosen column is offered. Batches as they came are judged once and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
import polars as pl

from driftbook.errors import DriftbookError
from driftbook.explore.injection import Injection
from driftbook.explore.what_if import WhatIf, Workshop, what_if
from driftbook.figures.canvas import batch_label
from driftbook.tables import Format, table, verdict_card

FIRST_SHIFT = 0.3  # something to see at once
MOST_SHIFT, MOST_SHARE = 2.0, 0.5
_STYLE = {"description_width": "108px"}
_WIDTH = "372px"
_FORMATS: dict[str, Format] = {"chance": "p_value"}
_LABELS = {"band": "verdict"}
NO_PARTNER = "(no column)"


class WhatIfPanel:
    """Controls and answers for one workshop; ``view`` is the widget to show."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.batch: Any = _dropdown("Batch", [(batch_label(each), each) for each in workshop.batches])
        kinds = workshop.kinds
        self.column: Any = _dropdown("Column", [(f"{name} ({kind})", name) for name, kind in kinds.items()])
        self.shift: Any = _slider("Shift (sd)", -MOST_SHIFT, MOST_SHIFT, step=0.05)
        self.wrong_unit: Any = _slider("Wrong unit", 0.0, MOST_SHARE, step=0.005, share=True)
        self.new_value: Any = _slider("New value", 0.0, MOST_SHARE, step=0.005, share=True)
        self.missing: Any = _slider("Missing", 0.0, MOST_SHARE, step=0.005, share=True)
        self.partner: Any = _dropdown("Goes along with", [NO_PARTNER, *kinds])
        self.together: Any = _slider("On rows", -1.0, 1.0, step=0.05, share=True)
        self.reset: Any = widgets.Button(description="As it came", layout=widgets.Layout(width="120px"))
        self.shown: Any = widgets.HTML()
        self._before: dict[str, pl.DataFrame] = {}
        self._quiet = False
        self._offer()
        self.shift.value = FIRST_SHIFT if kinds[self.column.value] == "numeric" else 0.0
        self.reset.on_click(self._on_reset)
        self.column.observe(self._on_column, names="value")
        for control in (self.batch, self.partner, *self._sliders):
            control.observe(self._on_change, names="value")
        self._show()

    @property
    def view(self) -> Any:
        """The controls above the answer."""
        lines = [
            (self.batch, self.column),
            (self.shift, self.wrong_unit, self.new_value, self.missing),
            (self.partner, self.together),
            (self.reset,),
        ]
        wrap = widgets.Layout(flex_flow="row wrap", width="780px")
        return widgets.VBox([*(widgets.Box(line, layout=wrap) for line in lines), self.shown])

    @property
    def injection(self) -> Injection:
        """What the controls say."""
        numeric = self._is_numeric
        partner = self.partner.value if self.partner.value not in (NO_PARTNER, self.column.value) else None
        return Injection(
            column=self.column.value,
            partner=partner,
            together=self.together.value if partner else 0.0,
            shift=self.shift.value if numeric else 0.0,
            wrong_unit=self.wrong_unit.value if numeric else 0.0,
            new_value=0.0 if numeric else self.new_value.value,
            missing=self.missing.value,
        )

    @property
    def _sliders(self) -> tuple[Any, ...]:
        return self.shift, self.wrong_unit, self.new_value, self.missing, self.together

    @property
    def _is_numeric(self) -> bool:
        return self.workshop.kinds[self.column.value] == "numeric"

    def _offer(self) -> None:
        """Only what can be done to a column of this kind."""
        for control, offered in (
            (self.shift, self._is_numeric),
            (self.wrong_unit, self._is_numeric),
            (self.new_value, not self._is_numeric),
        ):
            control.layout.display = None if offered else "none"

    def _on_column(self, change: Any) -> None:
        self._offer()
        self._show()

    def _on_change(self, change: Any) -> None:
        if not self._quiet:
            self._show()

    def _on_reset(self, button: Any) -> None:
        with self._hushed():
            for slider in self._sliders:
                slider.value = 0.0
            self.partner.value = NO_PARTNER
        self._show()

    def _show(self) -> None:
        try:
            self.shown.value = _markup(self._answer(), self.column.value)
        except DriftbookError as error:
            self.shown.value = verdict_card("watch out", [str(error)], title="This cannot be shown").markup

    def _answer(self) -> WhatIf:
        batch_id = self.batch.value
        if batch_id not in self._before:
            self._before[batch_id] = self.workshop.judged(self.workshop.rows(batch_id))
        return what_if(self.workshop, batch_id, self.injection, before=self._before[batch_id])

    @contextmanager
    def _hushed(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False


def _markup(found: WhatIf, column: str) -> str:
    card = verdict_card("drifted" if found.alarmed else "stable", found.sentences, title=found.title)
    signals = table(found.signals, caption=f"{column}, and the batch as a whole", formats=_FORMATS, labels=_LABELS)
    figures = "".join(figure._repr_html_() for figure in (found.distribution, found.columns))
    return card.markup + signals.markup + figures


def _dropdown(name: str, options: list[Any]) -> Any:
    return widgets.Dropdown(options=options, description=name, style=_STYLE, layout=widgets.Layout(width=_WIDTH))


def _slider(name: str, low: float, high: float, *, step: float, share: bool = False) -> Any:
    return widgets.FloatSlider(
        value=0.0,
        min=low,
        max=high,
        step=step,
        description=name,
        readout_format=(".0%" if step >= 0.01 else ".1%") if share else "+.2f",
        continuous_update=False,
        style=_STYLE,
        layout=widgets.Layout(width=_WIDTH),
    )
