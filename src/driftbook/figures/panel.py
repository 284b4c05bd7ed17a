"""A panel: a part of a canvas with two scales, its axes, and the marks a chart over batches shares.

Batches stand at 0, 1, 2 … in their order, whatever a batch is (a day, an hour, so many rows); a moment such as
"drift sets in" is drawn before the first batch at or after it. Labels that would meet are put on other lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from driftbook.figures.canvas import CHARACTER, GREY, INK, Canvas, batch_label, round_ticks
from driftbook.figures.sheet import current_sheet
from driftbook.tables import Format

Mark = tuple[date | str, str]
MAX_BATCH_LABELS = 9
LABEL = 54  # room for the name of a batch
# of longer streams the newest are drawn: a page must stay light, and more would not be seen anyway
MAX_BATCHES = 1500


@dataclass(frozen=True)
class Panel:
    """Scales from data to a rectangle of the canvas."""

    canvas: Canvas
    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def px(self, value: float) -> float:
        """Horizontal place of a value."""
        span = self.x[1] - self.x[0] or 1.0
        return self.left + (value - self.x[0]) / span * self.width

    def py(self, value: float) -> float:
        """Vertical place of a value, kept inside the panel."""
        span = self.y[1] - self.y[0] or 1.0
        share = min(max((value - self.y[0]) / span, 0.0), 1.0)
        return self.top + (1 - share) * self.height

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.top + self.height

    def y_axis(
        self,
        label: str = "",
        *,
        format: Format = "auto",
        ticks: Sequence[float] | None = None,
        show: Callable[[float], str] | None = None,
    ) -> None:
        """Horizontal grid lines with their values, and the axis' name above."""
        places = ticks if ticks is not None else round_ticks(*self.y, count=4)
        texts = [show(tick) for tick in places] if show else tick_labels(places, format=format)
        for tick, text in zip(places, texts, strict=True):
            place = self.py(tick)
            self.canvas.line((self.left, place), (self.right, place), opacity=0.13)
            self.canvas.text(self.left - 7, place + 4, text, anchor="end", css="d")
        if label:
            self.canvas.text(self.left - 7, self.top - 9, label, css="d")

    def x_axis(
        self,
        label: str = "",
        *,
        format: Format = "auto",
        ticks: Sequence[float] | None = None,
        within: tuple[float, float] | None = None,
    ) -> None:
        """Values along the lower edge, round ones ``within`` a part of it where none are given, and its name below."""
        self.base_line()
        if ticks is None:
            ticks = round_ticks(*(within or self.x), count=max(min(6, int(self.width / (1.4 * LABEL))), 2))
        for tick, text in zip(ticks, tick_labels(ticks, format=format), strict=True):
            self.canvas.text(self.px(tick), self.bottom + 17, text, anchor="middle", css="d")
        if label:
            self.canvas.text(self.left + self.width / 2, self.bottom + 34, label, anchor="middle", css="d")

    def base_line(self) -> None:
        """The lower edge."""
        self.canvas.line((self.left, self.bottom), (self.right, self.bottom), opacity=0.45)

    def batches(self, batch_ids: Sequence[str]) -> None:
        """Names of some batches along the lower edge, evenly chosen."""
        self.base_line()
        most = min(MAX_BATCH_LABELS, max(int(self.width / LABEL), 2))
        step = max(-(-len(batch_ids) // most), 1)
        for index in range(0, len(batch_ids), step):
            place = self.px(index)
            self.canvas.line((place, self.bottom), (place, self.bottom + 4), opacity=0.45)
            self.canvas.text(place, self.bottom + 17, batch_label(batch_ids[index]), anchor="middle", css="d")

    def level(self, value: float, label: str, *, color: str = INK, dash: str = "6 4") -> None:
        """A horizontal line with its name beside its right end, or above it where the margin is too narrow."""
        place = self.py(value)
        self.canvas.line((self.left, place), (self.right, place), color=color, width=1.5, dash=dash, tip=label)
        self.beside(place, label)

    def beside(self, height: float, label: str, *, css: str = "", gap: float = 6, lower: float = 0) -> None:
        """A name to the right of a line at that height, ``lower`` by so much; where no margin is, above the line."""
        if self.right + gap + CHARACTER * len(label) <= self.canvas.width:
            self.canvas.text(self.right + gap, height + 4 + lower, label, css=css)
        else:
            self.canvas.text(self.right, height - 5, label, anchor="end", css=f"{css} h".lstrip())

    def marks(self, marks: Sequence[Mark], batch_ids: Sequence[str]) -> None:
        """Vertical lines at moments, named above the axis' name; names that would meet go on further lines."""
        placed = _placed(marks, batch_ids, left=self.left, right=self.right)
        tops = [self.top - 20 - 15 * row for _, (_, row, _) in placed]
        for ((when, name), (place, _, _)), height in zip(placed, tops, strict=True):
            line = ((place, height + 3), (place, self.bottom))
            self.canvas.line(*line, color=GREY, width=1.4, dash="2 3", tip=f"{when}: {name}")
        for ((_, name), (place, _, leftward)), height in zip(placed, tops, strict=True):  # a line may run by a name
            self.canvas.text(place, height, name, anchor="end" if leftward else "start", css="h")


def mark_rows(
    marks: Sequence[Mark], batch_ids: Sequence[str], *, left: float | None = None, right: float | None = None
) -> int:
    """Height in pixels to leave above a panel for the names of its marks, beyond one line.

    ``left`` and ``right`` are the panel's margins.
    """
    begin, margin = _margins(left, right)
    placed = _placed(marks, batch_ids, left=begin, right=current_sheet().width - margin)
    rows = [row for _, (_, row, _) in placed]
    return 15 * (max(rows, default=0) + bool(rows))


def tick_labels(ticks: Sequence[float], *, format: Format = "auto") -> list[str]:
    """Values of an axis, all with the decimals their step needs.

    Examples
    --------
    >>> tick_labels([0.8, 0.85, 0.9]), tick_labels([0.0, 1000.0, 2000.0])
    (['0.80', '0.85', '0.90'], ['0', '1,000', '2,000'])
    """
    scale, unit = (100, "\u00a0%") if format == "percent" else (1, "")
    values = [tick * scale for tick in ticks]
    decimals = next((d for d in range(7) if all(abs(v - round(v, d)) < 1e-9 * max(abs(v), 1) for v in values)), 6)
    return [f"{value:,.{decimals}f}{unit}".replace("-", "−") for value in values]


def _placed(
    marks: Sequence[Mark], batch_ids: Sequence[str], *, left: float, right: float
) -> list[tuple[Mark, tuple[float, int, bool]]]:
    """Each mark with its horizontal place, the line its name goes on, and whether the name runs to the left."""
    taken: list[list[tuple[float, float]]] = []
    placed, width = [], current_sheet().width
    for when, name in sorted(marks, key=lambda each: str(each[0])):
        place = left + moment(when, batch_ids) / max(len(batch_ids), 1) * (right - left)
        room = CHARACTER * len(name) + 10
        leftward = place + room > width - 4
        span = (place - room, place) if leftward else (place, place + room)
        free = [all(span[1] <= low or span[0] >= high for low, high in line) for line in taken]
        row = free.index(True) if True in free else len(taken)
        taken += [[]] if row == len(taken) else []
        taken[row].append(span)
        placed.append(((when, name), (place, row, leftward)))
    return placed


def moment(when: date | str, batch_ids: Sequence[str]) -> int:
    """Index of the first batch at or after a moment.

    Examples
    --------
    >>> moment(date(2026, 5, 18), ["2026-05-17", "2026-05-18", "2026-05-19"])
    1
    """
    text = when if isinstance(when, str) else when.isoformat()
    return next((index for index, batch_id in enumerate(batch_ids) if batch_id >= text), len(batch_ids))


def over_batches(
    canvas: Canvas,
    batch_ids: Sequence[str],
    *,
    y: tuple[float, float],
    top: float,
    height: float,
    left: float | None = None,
    right: float | None = None,
) -> Panel:
    """A panel whose x-axis are batches; its margins are the usual ones, and on a narrow sheet never wide."""
    edges = (-0.5, max(len(batch_ids), 1) - 0.5)
    begin, margin = _margins(left, right)
    return Panel(canvas, left=begin, top=top, width=canvas.width - begin - margin, height=height, x=edges, y=y)


def _margins(left: float | None, right: float | None) -> tuple[float, float]:
    """At the left for the values of an axis, at the right for names; a narrow sheet has no room for these."""
    sheet = current_sheet()
    most = sheet.room(math.inf, 24)
    return sheet.room(64, 52) if left is None else left, min(24 if right is None else right, most)
