"""Figures of drift: batches in time, columns of one batch, and what it weighs for the model.

Multiples of a threshold are drawn on the scale of ``excess_scale``; for p-values, where small is bad, the excess is the
ratio of the logarithms. The heat map of columns by batches is in ``heat_map``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, INK, ROSE, Canvas, Figure, batch_label, notice
from driftbook.figures.excess_scale import (
    LEAST,
    MOST,
    TICKS,
    described,
    logarithm,
    shown_name,
    shown_value,
    strongest,
    tick,
    times,
)
from driftbook.figures.letters import shorten
from driftbook.figures.panel import MAX_BATCHES, Mark, Panel, mark_rows, over_batches
from driftbook.tables import format_value
from driftbook.words import plain

ROW = 21
SHORT_NAMES = {
    "kolmogorov_smirnov": "KS",
    "psi": "PSI",
    "jensen_shannon": "JS",
    "wasserstein": "W1",
    "chi_squared": "χ²",
    "domain_classifier": "AUC",
    "e_cusum": "evidence",
    "row_count": "log ratio",
}


def drift_timeline(verdicts: pl.DataFrame, *, marks: Sequence[Mark] = (), promise: str = "") -> Figure:
    """The largest excess of each batch over time; the line at 1 is the threshold.

    Parameters
    ----------
    verdicts
        ``batch_id, top_excess, top_column, drifted_columns, alarmed``; one row per batch.
    marks
        Moments to name, such as the known onset.
    promise
        What the threshold stands for, in a few words: the budget of false alarms.
    """
    title = "Drift over time"
    if verdicts.is_empty():
        return notice(title, "No batch has been compared with the reference yet.")
    frame = verdicts.sort("batch_id").tail(MAX_BATCHES)
    ids = frame["batch_id"].to_list()
    values = [None if value is None else float(value) for value in frame["top_excess"]]
    highest = max([2.0, *(value for value in values if value is not None and math.isfinite(value))])
    top = 72 + mark_rows(marks, ids) + (16 if promise else 0)
    canvas = Canvas(height=top + 220)
    canvas.heading(
        title,
        "Strongest signal as a multiple of its threshold. Diamond: alarmed. Healthy: circles below the line.",
        promise,
    )
    limits = (math.log2(LEAST), math.log2(min(highest, MOST) * 1.3))
    panel = over_batches(canvas, ids, y=limits, top=top, height=174, right=84)
    ticks = [math.log2(each) for each in TICKS if each <= 2 ** limits[1]]
    panel.y_axis("times the threshold", ticks=ticks, show=lambda each: tick(2**each, highest))
    panel.level(0.0, "threshold", color=ROSE)
    points = [(panel.px(i), panel.py(logarithm(value))) for i, value in enumerate(values) if value is not None]
    canvas.path(points, color=GREY, width=1.5)
    for index, row in enumerate(frame.iter_rows(named=True)):
        _batch_mark(panel, index, row, value=values[index])
    panel.batches(ids)
    panel.marks(marks, ids)
    alarmed = frame.filter(pl.col("alarmed").fill_null(False))["batch_id"].to_list()
    since = f", the first on {alarmed[0]}" if alarmed else ""
    return canvas.figure(title, f"{len(alarmed)} of {len(ids)} batches alarmed{since}.")


def weighted_drift(scores: pl.DataFrame, *, marks: Sequence[Mark] = ()) -> Figure:
    """Drift score of each batch, every feature counted by what it means to the model.

    Parameters
    ----------
    scores
        ``batch_id, weighted_score, judged_share``, from ``drift.importance_weights.importance_weighted_drift``.
    marks
        Moments to name.
    """
    title = "Drift weighed by importance"
    frame = scores.sort("batch_id").tail(MAX_BATCHES)
    known = frame["weighted_score"].drop_nulls()
    if known.is_empty():
        return notice(title, "No batch has been compared with the reference in what matters to the model.")
    ids, top = frame["batch_id"].to_list(), 72 + mark_rows(marks, frame["batch_id"].to_list())
    canvas = Canvas(height=top + 140)
    canvas.heading(
        title, "Mean drift score of the features, each by its part in the model: 0 none, 1 nothing in common."
    )
    highest = max(float(known.max()), 0.05)  # type: ignore[arg-type]
    panel = over_batches(canvas, ids, y=(0, highest * 1.1), top=top, height=96, right=84)
    panel.y_axis("score")
    rows = list(enumerate(frame.iter_rows(named=True)))
    judged = [(place, row) for place, row in rows if row["weighted_score"] is not None]
    canvas.path([(panel.px(place), panel.py(row["weighted_score"])) for place, row in judged], color=GREY, width=1.5)
    for place, row in judged:
        part = format_value(row["judged_share"], format="percent")
        tip = f"{row['batch_id']}: {format_value(row['weighted_score'])}, on {part} of the importance"
        center, whole = (panel.px(place), panel.py(row["weighted_score"])), row["judged_share"] > 0.999
        canvas.marker("circle", center, color=BLUE, size=3.5, hollow=not whole, tip=tip)
    panel.batches(ids)
    panel.marks(marks, ids)
    first, last = (format_value(known[place]) for place in (0, -1))
    return canvas.figure(title, f"{len(ids)} batches; the weighted score moves from {first} to {last}.")


def drift_bars(table: pl.DataFrame, batch_id: str, *, max_columns: int = 20, title: str = "") -> Figure:
    """The columns of one batch, strongest signal first, against their thresholds.

    Parameters
    ----------
    table
        The long drift table.
    batch_id
        The batch to show.
    max_columns
        So many, those with the strongest signals.
    """
    title = title or f"Columns of {batch_label(batch_id)}"
    rows = strongest(table.filter(pl.col("batch_id") == batch_id))
    if rows.is_empty():
        return notice(title, f"Batch {batch_id} has not been compared with the reference.")
    ranked = rows.sort(-pl.col("excess").fill_null(0.0), "column")
    shown = ranked.head(max_columns)
    highest = min(max(2.0, float(shown["excess"].max() or 0.0)), MOST)  # type: ignore[arg-type]
    canvas = Canvas(height=126 + ROW * shown.height)
    canvas.heading(
        title, "Bars: strongest signal as a multiple of its threshold. Beyond the line a column has drifted."
    )
    limits = (math.log2(LEAST), math.log2(highest * 1.1))
    left, margin = canvas.sheet.room(180, 132), canvas.sheet.room(220, 84)
    panel = Panel(canvas, left, 72, canvas.width - left - margin, ROW * shown.height, limits, (0, 1))
    every = 1 + int(panel.width / (limits[1] - limits[0]) < 26)
    for number, each in enumerate(TICKS):
        if limits[0] <= math.log2(each) <= limits[1]:
            place = panel.px(math.log2(each))
            canvas.line((place, panel.top), (place, panel.bottom), opacity=0.13)
            if (number - TICKS.index(1.0)) % every == 0:
                label = tick(each, float(shown["excess"].max() or 0.0))  # type: ignore[arg-type]
                canvas.text(place, panel.bottom + 17, label, anchor="middle", css="d")
    for line, row in enumerate(shown.iter_rows(named=True)):
        top = panel.top + ROW * line
        bold = bool(row["drifted"])
        css, name = "b" if bold else "", shown_name(row)
        label = shorten(name, width=left - 12, bold=bold)
        canvas.text(left - 10, top + 15, label, anchor="end", css=css, tip=name)
        value = row["excess"]
        end = panel.px(logarithm(value)) if value is not None else panel.left
        color = ROSE if row["drifted"] else BLUE
        canvas.rect((panel.left, top + 4), (end - panel.left, ROW - 8), fill=color, opacity=0.8, tip=described(row))
        short = SHORT_NAMES.get(row["method"], plain(row["method"]))
        text = row["note"] or f"{short} {shown_value(row)}"
        if not canvas.sheet.room(1, 0):
            text = times(value) if value is not None else ""
        text = ("◆ " if row["drifted"] else "? " if value is None else "") + text
        room = canvas.width - panel.right - 12
        told = shorten(text, width=room, bold=bold)
        canvas.text(panel.right + 10, top + 15, told, css=css or "d", tip=described(row))
    zero = panel.px(0.0)
    canvas.line((zero, panel.top - 4), (zero, panel.bottom), color=INK, width=1.5, dash="6 4", tip="threshold")
    canvas.text(zero, panel.top - 9, "threshold", anchor="middle")
    canvas.text(panel.left + panel.width / 2, panel.bottom + 36, "times the threshold", anchor="middle", css="d")
    drifted = ranked["drifted"].sum()
    return canvas.figure(
        title, f"{drifted} of {ranked.height} columns drifted; strongest: {shown_name(ranked.row(0, named=True))}."
    )


def _batch_mark(panel: Panel, index: int, row: dict[str, object], *, value: float | None) -> None:
    detail = f"{row['drifted_columns']} drifted columns, strongest {row['top_column']}"
    if value is None:
        panel.canvas.text(
            panel.px(index), panel.bottom - 6, "?", anchor="middle", css="d", tip=f"{row['batch_id']}: cannot tell"
        )
        return
    tip = f"{row['batch_id']}: {times(value)} the threshold; {detail}"
    center = (panel.px(index), panel.py(logarithm(value)))
    if row["alarmed"]:
        panel.canvas.marker("diamond", center, color=ROSE, size=5, tip=tip)
    else:
        panel.canvas.marker("circle", center, color=BLUE, size=4, hollow=True, tip=tip)
