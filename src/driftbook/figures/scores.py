"""Figures of the prediction score as it moves over batches: from the predictions, or from quantiles that were kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, Canvas, Figure, counted, notice
from driftbook.figures.panel import MAX_BATCHES, Mark, Panel, mark_rows, over_batches
from driftbook.tables import format_value

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
QUARTILES = {0.25: "lower quartile", 0.5: "median", 0.75: "upper quartile"}
HOW = "Line: median of a {unit}. Dark band: the middle half. Light band: 90 % of the rows."


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
    columns = [pl.col("prediction_score").quantile(level, "linear").alias(f"{level}") for level in LEVELS]
    frame = predictions.drop_nulls("prediction_score")
    daily = frame.group_by("batch_id").agg(pl.len().alias("rows"), *columns).sort("batch_id")
    known = reference is not None and reference.len() > 0
    levels = {level: float(reference.quantile(level, "linear") or 0.0) for level in QUARTILES} if known else {}  # type: ignore[union-attr]
    return score_levels_over_time(daily, reference=levels, marks=marks, name=name)


def score_levels_over_time(
    daily: pl.DataFrame,
    *,
    reference: Mapping[float, float] | None = None,
    marks: Sequence[Mark] = (),
    name: str = "predicted score",
    unit: str = "batch",
) -> Figure:
    """The same from quantiles that were kept: nobody has to read the predictions again.

    Parameters
    ----------
    daily
        One row a batch, in order: ``batch_id, rows`` and a column for each of ``0.05, 0.25, 0.5, 0.75, 0.95``.
    reference
        Quantile → score of the reference, drawn as level lines.
    unit
        What a row stands for, where it is more than a batch.

    Examples
    --------
    >>> day = {"batch_id": "2026-05-17", "rows": 9, "0.05": 0.1, "0.25": 0.2, "0.5": 0.3, "0.75": 0.4, "0.95": 0.8}
    >>> score_levels_over_time(pl.DataFrame([day]))
    Figure: Predicted score over time. 1 batch; the median score moves from 0.3 to 0.3.
    """
    title = f"{name.capitalize()} over time"
    if daily.is_empty():
        return notice(title, "No batch has been scored yet.")
    daily = daily.tail(MAX_BATCHES)
    ids = daily["batch_id"].to_list()
    canvas = Canvas(height=292 + mark_rows(marks, ids))
    how = HOW.format(unit=unit)
    canvas.heading(title, f"{how} Dashed: in training." if reference else how)
    panel = over_batches(canvas, ids, y=(0, 1), top=72 + mark_rows(marks, ids), height=176, right=96)
    panel.y_axis("score")
    edges = {level: [(panel.px(i), panel.py(v)) for i, v in enumerate(daily[f"{level}"])] for level in LEVELS}
    canvas.area([*edges[0.05], *reversed(edges[0.95])], fill=BLUE, opacity=0.16)
    canvas.area([*edges[0.25], *reversed(edges[0.75])], fill=BLUE, opacity=0.28)
    canvas.path(edges[0.5], color=BLUE)
    for row, place in zip(daily.iter_rows(named=True), edges[0.5], strict=True):
        quantiles = ", ".join(f"{level:.0%} {format_value(row[f'{level}'])}" for level in LEVELS)
        canvas.marker("circle", place, color=BLUE, size=3, tip=f"{row['batch_id']}: {row['rows']:,} rows; {quantiles}")
    _reference_levels(panel, reference or {})
    panel.batches(ids)
    panel.marks(marks, ids)
    first, last = (format_value(daily["0.5"][place]) for place in (0, -1))
    return canvas.figure(title, f"{counted(len(ids), unit)}; the median score moves from {first} to {last}.")


def _reference_levels(panel: Panel, reference: Mapping[float, float]) -> None:
    """Median and quartiles of the reference as level lines; names that would meet move up."""
    lowest = panel.bottom + 4
    for level, score in sorted(reference.items()):
        height, text = panel.py(score), QUARTILES[level]
        panel.canvas.line((panel.left, height), (panel.right, height), color=GREY, width=1.5, dash="6 4")
        place = min(height + 4, lowest)
        panel.beside(height, text, css="d", lower=place - height - 4)
        lowest = place - 14
