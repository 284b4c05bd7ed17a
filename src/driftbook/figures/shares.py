"""Figures of shares with their uncertainty: batch by batch, and value by value.

What is missing and how often the target occurs are shares of a limited number of rows: without their interval a
reader takes chance for change. So every point carries one.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, Canvas, Figure, batch_label, notice
from driftbook.figures.letters import shorten, text_width
from driftbook.figures.panel import MAX_BATCHES, Mark, Panel, mark_rows, moment, over_batches
from driftbook.tables import format_value

ROW = 30
MAX_VALUES = 15
EDGES = ("low", "high")


def share_over_time(
    shares: pl.DataFrame,
    *,
    title: str,
    period: tuple[str, str] | None = None,
    level: float | None = None,
    marks: Sequence[Mark] = (),
) -> Figure:
    """A share of each batch's rows, with its interval.

    Parameters
    ----------
    shares
        ``batch_id, rows, share, low, high``: one row a batch, in order.
    period
        First and last batch of a period to put on a tint.
    level
        A share to compare with, such as that of the history; drawn dashed.
    marks
        Moments to name.

    Examples
    --------
    >>> day = {"batch_id": ["2026-05-17"], "rows": [10], "share": [0.2], "low": [0.06], "high": [0.51]}
    >>> share_over_time(pl.DataFrame(day), title="Missing age")
    Figure: Missing age. 1 batch, between 20 % and 20 %.
    """
    shares = shares.filter(pl.col("share").is_not_null()).tail(MAX_BATCHES)
    if shares.is_empty():
        return notice(title, "No batch has a figure yet.")
    ids = shares["batch_id"].to_list()
    canvas = Canvas(height=262 + mark_rows(marks, ids))
    how = "Line: share of a batch. Band: what chance alone allows (95 %)."
    canvas.heading(title, how + (" Dashed: the rows compared with. Tint: the period." if period else ""))
    panel = over_batches(canvas, ids, y=_span(shares, level), top=72 + mark_rows(marks, ids), height=144, right=40)
    if period is not None:
        _tint(panel, period, ids)
    panel.y_axis(format="percent")
    points = [(panel.px(place), panel.py(value)) for place, value in enumerate(shares["share"])]
    low, high = ([(panel.px(place), panel.py(value)) for place, value in enumerate(shares[side])] for side in EDGES)
    canvas.area([*low, *reversed(high)], fill=BLUE, opacity=0.18)
    if level is not None:
        place = panel.py(level)
        tip = f"compared with: {format_value(level, format='percent')}"
        canvas.line((panel.left, place), (panel.right, place), color=GREY, width=1.5, dash="6 4", tip=tip)
    canvas.path(points, color=BLUE)
    for row, point in zip(shares.iter_rows(named=True), points, strict=True):
        canvas.marker("circle", point, color=BLUE, size=3, tip=f"{row['batch_id']}: {_words(row)}")
    panel.batches(ids)
    panel.marks(marks, ids)
    least, most = (format_value(value, format="percent") for value in (shares["share"].min(), shares["share"].max()))
    count = f"{len(ids)} batch{'' if len(ids) == 1 else 'es'}"
    return canvas.figure(title, f"{count}, between {least} and {most}.".replace("\u00a0", " "))


def share_by_value(shares: pl.DataFrame, *, title: str, names: tuple[str, str]) -> Figure:
    """A share per value of a column, two sides compared: whether the relation between the two has changed.

    Parameters
    ----------
    shares
        ``value, side, rows, share, low, high``: values in their order, ``side`` one of ``names``.
    names
        What the two sides are called: the one compared with, and the one looked at.

    Examples
    --------
    >>> both = {"value": ["a", "a"], "side": ["then", "now"], "rows": [10, 10], "share": [0.2, 0.6]}
    >>> share_by_value(
    ...     pl.DataFrame({**both, "low": [0.06, 0.31], "high": [0.51, 0.83]}), title="Left", names=("then", "now")
    ... )
    Figure: Left. 1 value; a: 20 % then, 60 % now.
    """
    shares = shares.filter(pl.col("share").is_not_null())
    if shares.is_empty():
        return notice(title, "No target is known yet.")
    values = shares["value"].unique(maintain_order=True).to_list()
    canvas = Canvas(height=104 + ROW * len(values))
    canvas.heading(
        title,
        f"Circle: {names[0]}. Square: {names[1]}. Lines: what chance allows (95 %). Far apart: the relation changed.",
    )
    left = canvas.sheet.room(210, 110)
    size = (canvas.width - left - 130, float(ROW * len(values)))
    panel = Panel(canvas, left, 56, size[0], size[1], _span(shares, None), (0, 1))
    panel.x_axis(format="percent")
    for line, value in enumerate(values):
        middle = panel.top + ROW * (line + 0.5)
        canvas.line((panel.left, middle), (panel.right, middle), opacity=0.12)
        canvas.text(panel.left - 12, middle + 4, shorten(value, width=left - 20), anchor="end", tip=value)
        rows = {row["side"]: row for row in shares.filter(pl.col("value") == value).iter_rows(named=True)}
        for side, (name, color, shape) in enumerate(zip(names, (GREY, BLUE), ("circle", "square"), strict=True)):
            if name in rows:
                _interval(panel, rows[name], middle + (-5, 5)[side], color=color, shape=shape, words=f"{value}, {name}")
        texts = [format_value(rows[name]["share"], format="percent") if name in rows else "–" for name in names]
        canvas.text(panel.right + 14, middle + 4, " → ".join(texts), css="d")
    return canvas.figure(title, f"{len(values)} value{'' if len(values) == 1 else 's'}; {_widest(shares, names)}")


def share_per_value(shares: pl.DataFrame, *, title: str, level: float | None = None) -> Figure:
    """A share per value of a column, such as how often the model is right in each segment.

    Parameters
    ----------
    shares
        ``value, rows, share, low, high``, in the order to draw.
    level
        The share of all rows together; drawn dashed.

    Examples
    --------
    >>> one = {"value": ["a"], "rows": [10], "share": [0.6], "low": [0.31], "high": [0.83]}
    >>> share_per_value(pl.DataFrame(one), title="Right decisions", level=0.8)
    Figure: Right decisions. 1 value; all together 80 %.
    """
    shares = shares.filter(pl.col("share").is_not_null())
    if shares.is_empty():
        return notice(title, "No target is known yet.")
    shown, hidden = shares.head(MAX_VALUES), max(shares.height - MAX_VALUES, 0)
    canvas = Canvas(height=104 + ROW * shown.height)
    how = "Square: share of the rows with that value. Line: what chance allows (95 %)."
    canvas.heading(title, f"{how} Dashed: all rows." if level is not None else how)
    longest = max(text_width(str(value)) for value in shown["value"])
    left = min(canvas.sheet.room(210, 110), longest + 32)
    panel = Panel(canvas, left, 56, canvas.width - left - 84, float(ROW * shown.height), _span(shown, level), (0, 1))
    panel.x_axis(format="percent")
    for line, row in enumerate(shown.iter_rows(named=True)):
        middle, value = panel.top + ROW * (line + 0.5), str(row["value"])
        canvas.line((panel.left, middle), (panel.right, middle), opacity=0.12)
        canvas.text(panel.left - 12, middle + 4, shorten(value, width=left - 20), anchor="end", tip=value)
        _interval(panel, row, middle, color=BLUE, shape="square", words=value)
        canvas.text(panel.right + 14, middle + 4, format_value(row["share"], format="percent"), css="d")
    together = ""
    if level is not None:
        place, together = panel.px(level), f"; all together {format_value(level, format='percent')}"
        canvas.line((place, panel.top - 4), (place, panel.bottom), color=GREY, width=1.5, dash="6 4", tip=together[2:])
    more = f" {hidden} rarer values are not drawn." if hidden else ""
    count = f"{shares.height} value{'' if shares.height == 1 else 's'}"
    return canvas.figure(title, f"{count}{together}.{more}".replace("\u00a0", " "))


def _interval(panel: Panel, row: dict[str, float], height: float, *, color: str, shape: str, words: str) -> None:
    tip = f"{words}: {_words(row)}"
    ends = ((panel.px(row["low"]), height), (panel.px(row["high"]), height))
    panel.canvas.line(*ends, color=color, width=2, tip=tip)
    panel.canvas.marker(shape, (panel.px(row["share"]), height), color=color, size=4, hollow=shape == "circle", tip=tip)


def _tint(panel: Panel, period: tuple[str, str], ids: Sequence[str]) -> None:
    first, last = moment(period[0], ids), moment(f"{period[1]}~", ids) - 1  # "~" sorts behind every hour of a day
    if first > last:
        return
    left, right = panel.px(first - 0.5), panel.px(last + 0.5)
    tip = f"the period: {batch_label(ids[first])} to {batch_label(ids[last])}"
    panel.canvas.rect((left, panel.top), (right - left, panel.height), fill=BLUE, opacity=0.1, tip=tip)
    for place in (left, right):
        panel.canvas.line((place, panel.top), (place, panel.bottom), color=BLUE, opacity=0.45)


def _span(shares: pl.DataFrame, level: float | None) -> tuple[float, float]:
    """From a little below the lowest to a little above the highest, never beyond 0 and 1."""
    values = [value for name in ("low", "high") for value in shares[name].drop_nulls()] + [level or 0.0] * bool(level)
    margin = max((max(values) - min(values)) * 0.08, 0.004)
    low = min(values) - margin
    return (0.0 if low < 0.02 else low), min(max(values) + margin, 1.0)


def _widest(shares: pl.DataFrame, names: tuple[str, str]) -> str:
    """In words: the value at which the two sides lie furthest apart."""
    wide = shares.pivot(on="side", index="value", values="share", maintain_order=True)
    if not set(names) <= set(wide.columns):
        return f"only {shares['side'][0]} has targets."
    gap = (pl.col(names[1]) - pl.col(names[0])).abs()
    row = wide.sort(gap, descending=True, nulls_last=True, maintain_order=True).row(0, named=True)
    texts = [f"{format_value(row[name], format='percent')} {name}" for name in names]
    return f"{row['value']}: {', '.join(texts)}.".replace("\u00a0", " ")


def _words(row: dict[str, float]) -> str:
    share, low, high = (format_value(row[name], format="percent") for name in ("share", "low", "high"))
    return f"{share} ({low} to {high}) of {format_value(row['rows'])} rows"
