"""Figures of distributions: one column in reference and current rows, and the score as it moves over batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from driftbook.figures.canvas import BLUE, GREY, Canvas, Figure, notice, shorten
from driftbook.figures.panel import MAX_BATCHES, Mark, Panel, mark_rows, over_batches
from driftbook.tables import format_value

BINS = 36
MOST_WHOLE = 48  # whole numbers up to so many get a bar each
MAX_CATEGORIES = 12


@dataclass(frozen=True)
class _Words:
    """What a figure of two sides says: its title, their names, how large the change is, and the description."""

    title: str
    names: tuple[str, str]
    effect: str
    description: str

    def heading(self, canvas: Canvas) -> float:
        """Draws it; gives where the figure may begin."""
        canvas.heading(self.title)
        how = f"Filled grey: {self.names[0]}. Blue outline: {self.names[1]}."
        if not self.effect:
            canvas.text(8, 38, f"{how} Where the outline leaves the grey, the column has moved.", css="d")
            return 56.0
        canvas.text(8, 38, self.effect, css="b")
        canvas.text(8, 56, how, css="d")
        return 74.0


def reference_vs_current(
    reference: pl.Series,
    current: pl.Series,
    *,
    column: str,
    names: tuple[str, str] = ("reference", "current"),
    effect: str = "",
) -> Figure:
    """The distribution of one column, reference behind and current in front; ``effect`` says how large the change is.

    Numbers give a histogram over the range that holds 99.8 % of both samples, the rest counted in the outer
    bins (a bin a value where they are few whole numbers); texts give bars for the most frequent values. Missing
    values are always a bar of their own.

    Examples
    --------
    >>> reference_vs_current(pl.Series([1.0, 2.0, None]), pl.Series([2.0, 2.0]), column="age")
    Figure: age: reference and current. reference: 3 rows, 33.3 % missing; current: 2 rows, 0 % missing.
    """
    title = f"{column}: {names[0]} and {names[1]}"
    missing = [_missing_share(each) for each in (reference, current)]
    told = "; ".join(
        f"{name}: {format_value(each.len())} rows, {format_value(share, format='percent')} missing"
        for name, each, share in zip(names, (reference, current), missing, strict=True)
    ).replace("\u00a0", " ")
    words = _Words(title, names, effect, f"{told}. {effect}".rstrip())
    if reference.dtype.is_numeric() or reference.dtype.is_temporal() or reference.dtype == pl.Null:
        samples = [_finite(each) for each in (reference, current)]
        if sum(sample.size for sample in samples) == 0:
            return notice(title, "Neither side has a value: the column is empty.")
        return _histogram(samples, missing, column=column, words=words)
    return _bars([reference, current], words=words)


def score_over_time(
    predictions: pl.DataFrame,
    *,
    reference: pl.Series | None = None,
    marks: Sequence[Mark] = (),
    name: str = "predicted score",
) -> Figure:
    """Quantiles of the prediction score, batch by batch.

    Parameters
    ----------
    predictions
        ``batch_id`` and ``prediction_score``, a row per prediction.
    reference
        Scores of the reference; their median and quartiles are drawn as level lines.
    marks
        Moments to name.
    """
    title = f"{name.capitalize()} over time"
    frame = predictions.drop_nulls("prediction_score")
    if frame.is_empty():
        return notice(title, "No batch has been scored yet.")
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    columns = [pl.col("prediction_score").quantile(level, "linear").alias(f"{level}") for level in levels]
    daily = frame.group_by("batch_id").agg(pl.len(), *columns).sort("batch_id").tail(MAX_BATCHES)
    ids = daily["batch_id"].to_list()
    canvas = Canvas(height=292 + mark_rows(marks, ids))
    how = "Line: median of a batch. Dark band: the middle half. Light band: 90 % of the rows."
    known = reference is not None and reference.len() > 0
    canvas.heading(title, f"{how} Dashed: in training." if known else how)
    panel = over_batches(canvas, ids, y=(0, 1), top=72 + mark_rows(marks, ids), height=176, right=96)
    panel.y_axis("score")
    edges = {level: [(panel.px(i), panel.py(v)) for i, v in enumerate(daily[f"{level}"])] for level in levels}
    canvas.area([*edges[0.05], *reversed(edges[0.95])], fill=BLUE, opacity=0.16)
    canvas.area([*edges[0.25], *reversed(edges[0.75])], fill=BLUE, opacity=0.28)
    canvas.path(edges[0.5], color=BLUE)
    for row, place in zip(daily.iter_rows(named=True), edges[0.5], strict=True):
        quantiles = ", ".join(f"{level:.0%} {format_value(row[f'{level}'])}" for level in levels)
        canvas.marker("circle", place, color=BLUE, size=3, tip=f"{row['batch_id']}: {row['len']:,} rows; {quantiles}")
    if reference is not None and known:
        _reference_levels(panel, reference)
    panel.batches(ids)
    panel.marks(marks, ids)
    first, last = (format_value(daily["0.5"][place]) for place in (0, -1))
    return canvas.figure(title, f"{len(ids)} batches; the median score moves from {first} to {last}.")


def _reference_levels(panel: Panel, reference: pl.Series) -> None:
    """Median and quartiles of the reference as level lines; names that would meet move up."""
    lowest = panel.bottom + 4
    for level, text in ((0.25, "lower quartile"), (0.5, "median"), (0.75, "upper quartile")):
        height = panel.py(float(reference.quantile(level, "linear") or 0.0))
        panel.canvas.line((panel.left, height), (panel.right, height), color=GREY, width=1.5, dash="6 4")
        place = min(height + 4, lowest)
        panel.canvas.text(panel.right + 6, place, text, css="d", tip=f"{text} in training")
        lowest = place - 14


def _histogram(samples: list[np.ndarray], missing: list[float], *, column: str, words: _Words) -> Figure:
    edges = _edges([sample for sample in samples if sample.size])
    low, high = float(edges[0]), float(edges[-1])
    shares = [np.histogram(np.clip(s, low, high), edges)[0] / max(s.size, 1) for s in samples]
    most = max(float(max(share.max() for share in shares)), *missing, 1e-9) * 1.08
    canvas = Canvas(height=320 if words.effect else 302)
    top = words.heading(canvas) + 20
    panel = Panel(canvas, left=64, top=top, width=canvas.width - 64 - 120, height=172, x=(low, high), y=(0, most))
    panel.y_axis("share of rows", format="percent")
    step = panel.width / (edges.size - 1)
    for index in range(edges.size - 1):
        place = panel.left + index * step
        span = f"{format_value(float(edges[index]))} to {format_value(float(edges[index + 1]))}"
        parts = [
            f"{name} {format_value(float(each[index]), format='percent')}"
            for name, each in zip(words.names, shares, strict=True)
        ]
        height = panel.py(float(shares[0][index]))
        canvas.rect((place, height), (step, panel.bottom - height), fill=GREY, opacity=0.5)
        canvas.rect((place, panel.top), (step, panel.height), fill="transparent", tip=f"{span}: {', '.join(parts)}")
    corners = [(panel.left + (i + side) * step, panel.py(float(v))) for i, v in enumerate(shares[1]) for side in (0, 1)]
    canvas.path([(panel.left, panel.bottom), *corners, (panel.right, panel.bottom)], color=BLUE, width=2.2)
    panel.x_axis(column)
    _missing_bars(panel, missing, names=words.names)
    return canvas.figure(words.title, words.description)


def _edges(samples: list[np.ndarray]) -> np.ndarray:
    """Bins of equal width over what holds nearly all of both sides; around each value where they are few whole ones."""
    low = min(float(np.quantile(sample, 0.001)) for sample in samples)
    high = max(float(np.quantile(sample, 0.999)) for sample in samples)
    whole = all(bool((sample == np.floor(sample)).all()) for sample in samples)
    if whole and high - low < MOST_WHOLE:
        return np.arange(low, high + 2) - 0.5
    low, high = (low, high) if high > low else (low - 0.5, low + 0.5)
    return np.linspace(low, high, BINS + 1)


def _missing_bars(panel: Panel, missing: list[float], *, names: tuple[str, str]) -> None:
    canvas, left = panel.canvas, panel.right + 40
    canvas.line((left - 8, panel.bottom), (left + 58, panel.bottom), opacity=0.45)
    canvas.text(left + 25, panel.bottom + 17, "missing", anchor="middle", css="d")
    if not any(missing):
        canvas.text(left + 25, panel.bottom - 6, "none", anchor="middle", css="d")
        return
    for place, (share, name) in enumerate(zip(missing, names, strict=True)):
        top, tip = panel.py(share), f"missing, {name}: {format_value(share, format='percent')}"
        corner, size = (left + 27 * place, top), (23, panel.bottom - top)
        canvas.rect(corner, size, fill=GREY if place == 0 else "transparent", stroke=(GREY, BLUE)[place], tip=tip)
        edge, anchor = ((left + 23, "end"), (left + 27, "start"))[place]  # so that the two do not meet
        canvas.text(edge, top - 5, format_value(share, format="percent"), anchor=anchor, css="d")


def _bars(sides: list[pl.Series], *, words: _Words) -> Figure:
    counts = [dict(each.cast(pl.String).fill_null("(missing)").value_counts().iter_rows()) for each in sides]
    totals = [max(each.len(), 1) for each in sides]
    weights = {
        value: sum(c.get(value, 0) / t for c, t in zip(counts, totals, strict=True)) for c in counts for value in c
    }
    values = sorted(weights, key=lambda value: (-weights[value], value))
    shown, rest = values[:MAX_CATEGORIES], values[MAX_CATEGORIES:]
    lines = [(value, [c.get(value, 0) / t for c, t in zip(counts, totals, strict=True)]) for value in shown]
    if rest:
        others = [sum(c.get(value, 0) for value in rest) / t for c, t in zip(counts, totals, strict=True)]
        lines.append((f"{len(rest)} other values", others))
    canvas = Canvas(height=(88 if words.effect else 70) + 36 * max(len(lines), 1))
    upper, names = words.heading(canvas), words.names
    longest = max((max(shares) for _, shares in lines), default=1.0) or 1.0
    left, width = 200.0, canvas.width - 200 - 130
    for place, (value, shares) in enumerate(lines):
        top = upper + 36 * place
        unseen = " (new)" if shares[0] == 0 else ""
        canvas.text(
            left - 12, top + 17, shorten(value + unseen, width=175), anchor="end", css="b" if unseen else "", tip=value
        )
        text = [format_value(share, format="percent") for share in shares]
        tip = f"{value}: {names[0]} {text[0]}, {names[1]} {text[1]}"
        canvas.rect((left, top), (width * shares[0] / longest, 12), fill=GREY, opacity=0.7, tip=tip)
        canvas.rect((left, top + 13), (width * shares[1] / longest, 11), fill="transparent", stroke=BLUE, tip=tip)
        end = left + width * max(shares) / longest
        canvas.text(end + 8, top + 17, f"{text[0]} → {text[1]}", css="d")
    return canvas.figure(words.title, words.description)


def _finite(column: pl.Series) -> np.ndarray:
    numbers = column.to_physical().cast(pl.Float64, strict=False).drop_nulls().to_numpy()
    finite: np.ndarray = numbers[np.isfinite(numbers)]
    return finite


def _missing_share(column: pl.Series) -> float:
    missing = column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
    return missing / max(column.len(), 1)
