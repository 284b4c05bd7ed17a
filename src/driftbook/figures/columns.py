"""Figures of columns: one of them over time, and all of one day by what they mean to the model."""

from __future__ import annotations

import math

import polars as pl

from driftbook.figures.canvas import BLUE, CHARACTER, GREY, ROSE, Canvas, Figure, notice
from driftbook.figures.excess_scale import (
    LEAST,
    MOST,
    TICKS,
    described,
    logarithm,
    shown_name,
    strongest,
    tick,
    times,
)
from driftbook.figures.panel import MAX_BATCHES, Panel, over_batches
from driftbook.tables import format_value

NAMED = 8  # columns that are named where they would not meet anyway


def column_over_time(rows: pl.DataFrame, *, column: str, units: str = "batches") -> Figure:
    """The strongest signal of one column, batch by batch, as a multiple of its threshold.

    Parameters
    ----------
    rows
        The long drift table, or its rows of that column.
    column
        Which one.
    units
        What a ``batch_id`` stands for.

    Examples
    --------
    >>> day = {"batch_id": "2026-06-01", "column": "age", "role": "feature", "method": "psi", "on": "statistic"}
    >>> day |= {"statistic": 0.2, "p_value": None, "drift_score": 0.2, "threshold": 0.1, "drifted": True, "note": None}
    >>> column_over_time(pl.DataFrame([day]), column="age")
    Figure: age over time. Drifted in 1 of 1 batches, at most 2× its threshold.
    """
    own = strongest(rows.filter(pl.col("column") == column)) if rows.height else rows
    if own.is_empty():
        return notice(f"{column} over time", "This column has not been compared with the reference.")
    own = own.sort("batch_id").tail(MAX_BATCHES)
    title, ids = f"{shown_name(own.row(-1, named=True))} over time", own["batch_id"].to_list()
    known = [value for value in own["excess"].to_list() if value is not None]
    highest = max([2.0, *(value for value in known if math.isfinite(value))])
    canvas = Canvas(height=274)
    canvas.heading(title, "Circles: below the threshold. Diamonds: drifted. Question marks: cannot tell.")
    limits = (math.log2(LEAST), math.log2(min(highest, MOST) * 1.3))
    panel = over_batches(canvas, ids, y=limits, top=72, height=174, right=84)
    ticks = [math.log2(each) for each in TICKS if each <= 2 ** limits[1]]
    panel.y_axis("times the threshold", ticks=ticks, show=lambda each: tick(2**each, highest))
    panel.level(0.0, "threshold", color=ROSE)
    drawn = [(place, row) for place, row in enumerate(own.iter_rows(named=True))]
    path = [(panel.px(place), panel.py(logarithm(row["excess"]))) for place, row in drawn if row["excess"] is not None]
    canvas.path(path, color=GREY, width=1.5)
    for place, row in drawn:
        if row["excess"] is None:
            canvas.text(panel.px(place), panel.bottom - 6, "?", anchor="middle", css="d", tip=described(row))
            continue
        shape, color, size = ("diamond", ROSE, 5.0) if row["drifted"] else ("circle", BLUE, 3.6)
        center = (panel.px(place), panel.py(logarithm(row["excess"])))
        canvas.marker(shape, center, color=color, size=size, hollow=not row["drifted"], tip=described(row))
    panel.batches(ids)
    most = f", at most {times(max(known))} its threshold" if known else ", and cannot be told"
    return canvas.figure(title, f"Drifted in {own['drifted'].sum()} of {len(ids)} {units}{most}.")


def drift_by_importance(rows: pl.DataFrame) -> Figure:
    """The features of one batch by what they mean to the model and how far they moved; to the upper right it hurts.

    Parameters
    ----------
    rows
        Rows of the long drift table of one batch, with ``importance``, a column's share in the model's score.

    Examples
    --------
    >>> row = {"batch_id": "2026-06-01", "column": "age", "role": "feature", "method": "psi", "on": "statistic"}
    >>> row |= {"statistic": 0.2, "p_value": None, "drift_score": 0.2, "threshold": 0.1, "drifted": True, "note": None}
    >>> drift_by_importance(pl.DataFrame([row | {"importance": 0.4}]))
    Figure: Drift and importance. 1 of 1 features drifted; they carry 40 % of the model's score.
    """
    title = "Drift and importance"
    features = rows.filter(pl.col("role") == "feature").drop_nulls("importance")
    shown = strongest(features).drop_nulls("excess") if features.height else features
    if shown.is_empty():
        return notice(title, "No column has been compared in what it means to the model.")
    ranked = shown.sort(pl.col("drifted"), pl.col("importance") * pl.col("excess").clip(0, MOST), "column")
    canvas = Canvas(height=382)
    canvas.heading(
        title, "Upwards: further from the reference. To the right: weighs more. Tinted: beyond the threshold."
    )
    most = max(float(ranked["importance"].max()), 0.05) * 1.12  # type: ignore[arg-type]
    highest = max(2.0, float(ranked["excess"].max()))  # type: ignore[arg-type]
    limits = (math.log2(LEAST), math.log2(min(highest, MOST) * 1.5))
    left = canvas.sheet.room(64, 52)
    panel = Panel(canvas, left, 72, canvas.width - left - 24, 260, (-most * 0.03, most), limits)
    corner, size = (panel.left, panel.top), (panel.width, panel.py(0) - panel.top)
    canvas.rect(corner, size, fill=ROSE, opacity=0.07, tip="beyond the threshold")
    ticks = [math.log2(each) for each in TICKS if each <= 2 ** limits[1]]
    panel.y_axis("times the threshold", ticks=ticks, show=lambda each: tick(2**each, highest))
    panel.level(0.0, "threshold", color=ROSE)
    panel.x_axis("share of the model's score", format="percent", within=(0, most))
    for row in ranked.iter_rows(named=True):
        shape, color = ("diamond", ROSE) if row["drifted"] else ("circle", BLUE)
        tip = f"{described(row)}. {format_value(row['importance'], format='percent')} of the score"
        center = (panel.px(row["importance"]), panel.py(logarithm(row["excess"])))
        canvas.marker(shape, center, color=color, size=4.4, hollow=not row["drifted"], tip=tip)
    _names(panel, ranked.reverse())
    drifted = ranked.filter("drifted")
    part = format_value(float(drifted["importance"].sum()), format="percent").replace("\u00a0", " ")
    words = f"; they carry {part} of the model's score" if drifted.height else ""
    return canvas.figure(title, f"{drifted.height} of {ranked.height} features drifted{words}.")


def _names(panel: Panel, rows: pl.DataFrame) -> None:
    """Names of the columns that matter most, each where it meets no other and no mark of another column."""
    points = [(panel.px(row["importance"]), panel.py(logarithm(row["excess"]))) for row in rows.iter_rows(named=True)]
    taken: list[tuple[float, float, float]] = [(x - 5, x + 5, y) for x, y in points]
    named = 0
    for row, (x, y) in zip(rows.iter_rows(named=True), points, strict=True):
        name = shown_name(row)
        room = CHARACTER * len(name)
        leftward = x + 9 + room > panel.right
        begin, end = (x - 9 - room, x - 9) if leftward else (x + 9, x + 9 + room)
        meets = any(low < end and high > begin and abs(height - y) < 13 for low, high, height in taken)
        if meets or begin < panel.left or named == NAMED:
            continue
        taken.append((begin, end, y))
        named += 1
        anchor, css = "end" if leftward else "start", "b h" if row["drifted"] else "h"
        panel.canvas.text(x - 9 if leftward else x + 9, y + 4, name, anchor=anchor, css=css)
