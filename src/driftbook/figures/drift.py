"""Figures of drift: columns by batches, batches in time, columns of one batch.

All three show the *excess*: a statistic as a multiple of its own threshold, so that methods and columns can be
compared and 1 always is the line at which somebody is told. For p-values, where small is bad, it is the ratio of
the logarithms. Scales are logarithmic, because drift spans three orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from driftbook.drift.excess import excess
from driftbook.figures.canvas import BLUE, GREY, HATCH, INK, ROSE, Canvas, Figure, batch_label, notice, shorten
from driftbook.figures.panel import MAX_BATCHES, Mark, Panel, mark_rows, over_batches
from driftbook.tables import format_value
from driftbook.words import plain

LEAST, MOST = 0.125, 64.0
TICKS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
ROW = 21
MAX_SLOTS = 120
SHORT_NAMES = {
    "kolmogorov_smirnov": "KS",
    "psi": "PSI",
    "jensen_shannon": "JS",
    "wasserstein": "W1",
    "chi_squared": "χ²",
}
_ROLES = {"prediction": 0, "target": 1, "feature": 2}


def drift_heatmap(table: pl.DataFrame, *, max_columns: int = 28, marks: Sequence[Mark] = ()) -> Figure:
    """Columns by batches: the darker, the nearer to the threshold; a diamond where it drifted.

    Parameters
    ----------
    table
        The long drift table.
    max_columns
        Columns with the least excess beyond these are counted, not drawn.
    marks
        Moments to name.
    """
    title = "Drift by column and batch"
    if table.is_empty():
        return notice(title, "No batch has been compared with the reference yet.")
    cells, ids, together = _slots(_worst(table))
    ranked = cells.group_by("column", "role").agg(pl.col("excess").max(), pl.col("drifted").any())
    roles = pl.col("role").replace_strict(_ROLES, default=3)
    columns = ranked.sort(roles, -pl.col("excess").fill_null(0.0), "column")["column"].to_list()
    shown, hidden = columns[:max_columns], len(columns[max_columns:])
    top = 64 + mark_rows(marks, ids, left=180)
    canvas = Canvas(height=top + 30 + ROW * len(shown) + (20 if hidden else 0))
    how = "Blue: below the threshold, the paler the calmer. Rose with a diamond: drifted. Hatched: cannot tell."
    canvas.heading(title, how if together == 1 else f"{how} Each cell: worst of {together}.")
    panel = over_batches(canvas, ids, y=(0, 1), top=top, height=ROW * len(shown), left=180, right=24)
    place = {batch_id: number for number, batch_id in enumerate(ids)}
    width = panel.width / len(ids)
    for line, column in enumerate(shown):
        rows = cells.filter(pl.col("column") == column)
        strong = "b" if rows["drifted"].any() else ""
        name = _name(rows.row(0, named=True))
        canvas.text(170, top + ROW * line + 15, shorten(name, width=165), anchor="end", css=strong, tip=name)
        for row in rows.iter_rows(named=True):
            _cell(canvas, row, left=panel.left + width * place[row["slot"]], top=top + ROW * line, width=width)
    panel.batches(ids)
    panel.marks(marks, ids)
    words = f"{hidden} calmer columns are not drawn." if hidden else ""
    if words:
        canvas.text(panel.right, panel.bottom + 36, words, anchor="end", css="d")
    found = f"{ranked['drifted'].sum()} of {len(columns)} columns drifted in at least one of"
    return canvas.figure(title, f"{found} {table['batch_id'].n_unique()} batches. {words}".strip())


def drift_timeline(verdicts: pl.DataFrame, *, marks: Sequence[Mark] = ()) -> Figure:
    """The largest excess of each batch over time; the line at 1 is the threshold.

    Parameters
    ----------
    verdicts
        ``batch_id, top_excess, top_column, drifted_columns, alarmed``; one row per batch.
    marks
        Moments to name, such as the known onset.
    """
    title = "Drift over time"
    if verdicts.is_empty():
        return notice(title, "No batch has been compared with the reference yet.")
    frame = verdicts.sort("batch_id").tail(MAX_BATCHES)
    ids = frame["batch_id"].to_list()
    values = [None if value is None else float(value) for value in frame["top_excess"]]
    highest = max([2.0, *(value for value in values if value is not None and math.isfinite(value))])
    canvas = Canvas(height=292 + mark_rows(marks, ids))
    canvas.heading(
        title,
        "Strongest signal as a multiple of its threshold. Diamond: alarmed. Healthy: circles below the line.",
    )
    limits = (math.log2(LEAST), math.log2(min(highest, MOST) * 1.3))
    panel = over_batches(canvas, ids, y=limits, top=72 + mark_rows(marks, ids), height=174, right=84)
    ticks = [math.log2(tick) for tick in TICKS if tick <= 2 ** limits[1]]
    panel.y_axis("times the threshold", ticks=ticks, show=lambda tick: _tick(2**tick, highest))
    panel.level(0.0, "threshold", color=ROSE)
    points = [(panel.px(i), panel.py(_log(value))) for i, value in enumerate(values) if value is not None]
    canvas.path(points, color=GREY, width=1.5)
    for index, row in enumerate(frame.iter_rows(named=True)):
        _batch_mark(panel, index, row, value=values[index])
    panel.batches(ids)
    panel.marks(marks, ids)
    alarmed = frame.filter(pl.col("alarmed").fill_null(False))["batch_id"].to_list()
    since = f", the first on {alarmed[0]}" if alarmed else ""
    return canvas.figure(title, f"{len(alarmed)} of {len(ids)} batches alarmed{since}.")


def drift_bars(table: pl.DataFrame, batch_id: str, *, max_columns: int = 20) -> Figure:
    """The columns of one batch, strongest signal first, against their thresholds.

    Parameters
    ----------
    table
        The long drift table.
    batch_id
        The batch to show.
    """
    title = f"Columns of {batch_label(batch_id)}"
    rows = _worst(table.filter(pl.col("batch_id") == batch_id))
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
    panel = Panel(canvas, 180, 72, canvas.width - 180 - 220, ROW * shown.height, limits, (0, 1))
    for tick in TICKS:
        if limits[0] <= math.log2(tick) <= limits[1]:
            place = panel.px(math.log2(tick))
            canvas.line((place, panel.top), (place, panel.bottom), opacity=0.13)
            label = _tick(tick, float(shown["excess"].max() or 0.0))  # type: ignore[arg-type]
            canvas.text(place, panel.bottom + 17, label, anchor="middle", css="d")
    for line, row in enumerate(shown.iter_rows(named=True)):
        top = panel.top + ROW * line
        css = "b" if row["drifted"] else ""
        canvas.text(170, top + 15, shorten(_name(row), width=165), anchor="end", css=css, tip=_name(row))
        value = row["excess"]
        end = panel.px(_log(value)) if value is not None else panel.left
        color = ROSE if row["drifted"] else BLUE
        canvas.rect((panel.left, top + 4), (end - panel.left, ROW - 8), fill=color, opacity=0.8, tip=_tip(row))
        name = SHORT_NAMES.get(row["method"], plain(row["method"]))
        note = row["note"] or f"{name} {_shown_value(row)}"
        text = ("◆ " if row["drifted"] else "? " if value is None else "") + note
        room = canvas.width - panel.right - 14
        canvas.text(panel.right + 10, top + 15, shorten(text, width=room), css=css or "d", tip=_tip(row))
    zero = panel.px(0.0)
    canvas.line((zero, panel.top - 4), (zero, panel.bottom), color=INK, width=1.5, dash="6 4", tip="threshold")
    canvas.text(zero, panel.top - 9, "threshold", anchor="middle")
    canvas.text(panel.left + panel.width / 2, panel.bottom + 36, "times the threshold", anchor="middle", css="d")
    drifted = ranked["drifted"].sum()
    return canvas.figure(
        title, f"{drifted} of {ranked.height} columns drifted; strongest: {_name(ranked.row(0, named=True))}."
    )


def _worst(table: pl.DataFrame) -> pl.DataFrame:
    """One row per batch and column: the method with the largest excess."""
    scored = table.with_columns(excess(), pl.col("drifted").fill_null(False))
    ranked = scored.sort("batch_id", "column", pl.col("drifted"), pl.col("excess"), nulls_last=False)
    return ranked.group_by("batch_id", "column", maintain_order=True).last()


def _slots(cells: pl.DataFrame) -> tuple[pl.DataFrame, list[str], int]:
    """At most :data:`MAX_SLOTS` cells a column: of neighbouring batches the worst stands for all."""
    ids = cells["batch_id"].unique().sort().to_list()
    together = -(-len(ids) // MAX_SLOTS)
    slot = {batch_id: ids[number - number % together] for number, batch_id in enumerate(ids)}
    placed = cells.with_columns(pl.col("batch_id").replace_strict(slot, return_dtype=pl.String).alias("slot"))
    worst = placed.sort("slot", "column", "drifted", "excess", nulls_last=False)
    return worst.group_by("slot", "column", maintain_order=True).last(), ids[::together], together


def _cell(canvas: Canvas, row: dict[str, object], *, left: float, top: float, width: float) -> None:
    value, size = row["excess"], (width - 1.2, ROW - 2.0)
    if not isinstance(value, float):
        canvas.rect((left, top), size, fill=HATCH, opacity=0.7, tip=_tip(row))
        return
    heat = min(max(_log(value) - math.log2(LEAST), 0.0) / -math.log2(LEAST), 1.0)
    if row["drifted"]:
        strength = min(0.55 + 0.09 * max(_log(value), 0.0), 1.0)
        canvas.rect((left, top), size, fill=ROSE, opacity=strength, tip=_tip(row))
        center = (left + size[0] / 2, top + size[1] / 2)
        canvas.marker("diamond", center, color="#fff", size=min(3.2, width / 4), tip=_tip(row))
        return
    canvas.rect((left, top), size, fill=BLUE, opacity=round(0.06 + 0.5 * heat**1.5, 3), tip=_tip(row))


def _batch_mark(panel: Panel, index: int, row: dict[str, object], *, value: float | None) -> None:
    detail = f"{row['drifted_columns']} drifted columns, strongest {row['top_column']}"
    if value is None:
        panel.canvas.text(
            panel.px(index), panel.bottom - 6, "?", anchor="middle", css="d", tip=f"{row['batch_id']}: cannot tell"
        )
        return
    tip = f"{row['batch_id']}: {_times(value)} the threshold; {detail}"
    center = (panel.px(index), panel.py(_log(value)))
    if row["alarmed"]:
        panel.canvas.marker("diamond", center, color=ROSE, size=5, tip=tip)
    else:
        panel.canvas.marker("circle", center, color=BLUE, size=4, hollow=True, tip=tip)


def _tip(row: dict[str, object]) -> str:
    value = row["excess"]
    words = f"{row['batch_id']}, {_name(row)}: {plain(str(row['method']))} {_shown_value(row)}"
    words += f", {_times(value)} the threshold" if isinstance(value, float) else ", cannot tell"
    return f"{words}. {row['note']}" if row["note"] else words


def _shown_value(row: dict[str, object]) -> str:
    on = str(row["on"])
    name = "p " if on == "p_value" else ""
    value = row[on if on in ("p_value", "drift_score") else "statistic"]
    limit = format_value(row["threshold"])
    return f"{name}{format_value(value)} (limit {limit})" if row["threshold"] is not None else format_value(value)


def _name(row: Mapping[str, Any]) -> str:
    """A feature's own name; the columns that driftbook adds in plain words."""
    return str(row["column"]) if row["role"] == "feature" else plain(str(row["column"]))


def _log(value: float) -> float:
    return math.log2(min(max(value, LEAST), MOST))


def _tick(tick: float, highest: float) -> str:
    """Name of a tick; the last one stands for all that lies beyond it."""
    return f"≥ {_times(tick)}" if tick == MOST < highest else _times(tick)


def _times(value: float) -> str:
    fractions = {0.125: "⅛", 0.25: "¼", 0.5: "½"}
    return f"{fractions.get(value) or format_value(value)}×"
