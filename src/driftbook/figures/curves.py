"""Figures of a score against known targets: how well it ranks, and whether it can be taken at its word.

They are drawn from counts, not rows, so that a year of predictions costs no more than a day. A curve is drawn in a
square, because its shape is what is read; squares stand side by side where the sheet is wide enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, ORANGE, Canvas, Figure, notice
from driftbook.figures.panel import Panel
from driftbook.figures.sheet import current_sheet
from driftbook.tables import format_value

SIDE = 190.0
LEFT, TOP = 62.0, 74.0
BELOW = 56.0  # room for the values of an axis and its name
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A curve through points of two rates.

    Parameters
    ----------
    area
        Its summary, with the ends of its 95 % interval where they are known.
    without
        Its height for a score by chance.
    """

    points: Sequence[Point]
    area: float
    interval: tuple[float, float] | None = None
    without: float = 0.0

    @property
    def told(self) -> str:
        """The area with its interval."""
        if self.interval is None:
            return format_value(self.area)
        low, high = map(format_value, self.interval)
        return f"{format_value(self.area)} ({low} to {high})"


def ranking_curves(roc: Curve | None, precision_recall: Curve | None) -> Figure:
    """ROC and precision–recall curve of two classes, each with what a score by chance would give.

    Parameters
    ----------
    roc
        Points of false and true positive rate; None where one of the classes never occurred.
    precision_recall
        Points of recall and precision; ``area`` is the average precision, ``without`` the share of positives.

    Examples
    --------
    >>> ranking_curves(Curve([(0, 0), (0.2, 0.8), (1, 1)], 0.8), Curve([(0, 1), (1, 0.5)], 0.75, without=0.5))
    Figure: Ranking. ROC AUC 0.8, average precision 0.75 where chance gives 0.5.
    """
    title = "Ranking"
    if roc is None or precision_recall is None:
        return notice(title, "Targets of both classes are needed to see how well the score ranks.")
    beside = current_sheet().width >= 2 * (LEFT + SIDE) + 30
    height = TOP + SIDE + BELOW
    canvas = Canvas(height=height if beside else 2 * height - 30)
    canvas.heading(title, "The further above the dashed line of a score by chance, the better.")
    first = Panel(canvas, LEFT, TOP, SIDE, SIDE, (0, 1), (0, 1))
    left, top = (canvas.width / 2 + LEFT, TOP) if beside else (LEFT, height + TOP - 30)
    second = Panel(canvas, left, top, SIDE, SIDE, (0, 1), (0, 1))
    _rates(first, "ROC: true positive rate", "false positive rate")
    canvas.line((first.px(0), first.py(0)), (first.px(1), first.py(1)), color=GREY, width=1.4, dash="4 4")
    _rates(second, "Precision", "recall")
    chance = second.py(precision_recall.without)
    tip = f"by chance: {format_value(precision_recall.without, format='percent')}"
    canvas.line((second.left, chance), (second.right, chance), color=GREY, width=1.4, dash="4 4", tip=tip)
    area, precision = format_value(roc.area), format_value(precision_recall.area)
    _curve(first, roc, f"AUC {area}", at_top=False)
    _curve(second, precision_recall, f"average {precision}", at_top=precision_recall.without < 0.3)
    by_chance = format_value(precision_recall.without)
    return canvas.figure(title, f"ROC AUC {roc.told}, average precision {precision} where chance gives {by_chance}.")


def calibration_curve(bins: pl.DataFrame) -> Figure:
    """What share of the rows with about the same predicted probability came true, and how many rows these are.

    Parameters
    ----------
    bins
        ``predicted, observed, low, high, rows``: mean probability, share that came true with its interval.

    Examples
    --------
    >>> one = {"predicted": [0.2], "observed": [0.3], "low": [0.1], "high": [0.5], "rows": [40]}
    >>> calibration_curve(pl.DataFrame(one))
    Figure: Calibration. Predictions are off by 10 points on average; 1 of 1 group of rows within chance.
    """
    title = "Calibration"
    bins = bins.filter(pl.col("rows") > 0)
    if bins.is_empty():
        return notice(title, "No target is known yet.")
    canvas = Canvas(height=TOP + SIDE + 46 + BELOW)
    canvas.heading(
        title, "On the dashed line predictions come true as often as they say. Lines: what chance allows (95 %)."
    )
    width = min(canvas.width - LEFT - 24, 2 * SIDE)
    panel = Panel(canvas, LEFT, TOP, width, SIDE, (0, 1), (0, 1))
    panel.y_axis("share that came true", format="percent", ticks=(0, 0.25, 0.5, 0.75, 1))
    canvas.line((panel.px(0), panel.py(0)), (panel.px(1), panel.py(1)), color=GREY, width=1.4, dash="4 4")
    rows = list(bins.sort("predicted").iter_rows(named=True))
    canvas.path([(panel.px(row["predicted"]), panel.py(row["observed"])) for row in rows], color=BLUE, width=1.4)
    below = Panel(canvas, LEFT, panel.bottom + 14, width, 46, (0, 1), (0, float(max(row["rows"] for row in rows))))
    agreeing, apart = 0, 0.0
    for row in rows:
        agrees = row["low"] <= row["predicted"] <= row["high"]
        agreeing += agrees
        apart += row["rows"] * abs(row["predicted"] - row["observed"])
        place = panel.px(row["predicted"])
        predicted, observed, low, high = (
            format_value(row[name], format="percent") for name in ("predicted", "observed", "low", "high")
        )
        tip = f"predicted {predicted}, came true {observed} ({low} to {high}) of {format_value(row['rows'])} rows"
        canvas.line((place, panel.py(row["low"])), (place, panel.py(row["high"])), color=BLUE, width=1.6, tip=tip)
        shape, color = ("circle", BLUE) if agrees else ("diamond", ORANGE)
        canvas.marker(shape, (place, panel.py(row["observed"])), color=color, size=4, tip=tip)
        size = (14, below.bottom - below.py(row["rows"]))
        canvas.rect((place - 7, below.py(row["rows"])), size, fill=GREY, opacity=0.6, tip=tip)
    canvas.text(LEFT - 7, below.bottom - 4, "rows", anchor="end", css="d")
    below.x_axis("predicted probability", format="percent")
    points = format_value(round(100 * apart / sum(row["rows"] for row in rows), 2))
    groups = f"{agreeing} of {len(rows)} group{'' if len(rows) == 1 else 's'} of rows within chance"
    return canvas.figure(title, f"Predictions are off by {points} points on average; {groups}.")


def _rates(panel: Panel, name: str, across: str) -> None:
    panel.y_axis(name, ticks=(0, 0.5, 1))
    panel.x_axis(across, ticks=(0, 0.5, 1))


def _curve(panel: Panel, curve: Curve, words: str, *, at_top: bool) -> None:
    panel.canvas.path([(panel.px(x), panel.py(y)) for x, y in curve.points], color=BLUE, width=2.2)
    height = panel.top + 18 if at_top else panel.bottom - 10
    panel.canvas.text(panel.right - 6, height, words, anchor="end", css="b h")
