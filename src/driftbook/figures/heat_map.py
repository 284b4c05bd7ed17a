"""The heat map of drift: columns by batches, and apart from them what speaks of whole batches or cannot matter.

Four groups from top to bottom: a batch as a whole, the predictions, the features that matter to the model, and what is
shown without waking anybody. Within a group the strongest come first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, HATCH, ROSE, Canvas, Figure, notice, shorten
from driftbook.figures.excess_scale import LEAST, WHOLE, described, logarithm, shown_name, strongest
from driftbook.figures.panel import Mark, mark_rows, over_batches

ROW, GAP = 21, 19
MAX_SLOTS = 120
LEFT, RIGHT = 180, 24
GROUPS = ("the batch as a whole", "predictions", "features", "shown only: the target, and what hardly matters")
_HOW = "Blue: below the threshold, the paler the calmer. Rose with a diamond: drifted. Hatched: cannot tell."


def drift_heatmap(
    table: pl.DataFrame, *, max_columns: int = 28, marks: Sequence[Mark] = (), title: str = "Drift by column and batch"
) -> Figure:
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
    if table.is_empty():
        return notice(title, "No batch has been compared yet.")
    cells, ids, together = _slots(strongest(table))
    ranked = _ranked(cells)
    shown, hidden = ranked.head(max_columns), max(ranked.height - max_columns, 0)
    groups = shown.group_by("group", maintain_order=True).agg("column")
    titled = groups.height > 1
    silent = not shown["matters"].all()
    top = 64 + (16 if silent else 0) + mark_rows(marks, ids, left=LEFT)
    height = ROW * shown.height + (GAP * groups.height if titled else 0)
    canvas = Canvas(height=top + height + 30 + (20 if hidden else 0))
    canvas.heading(title, _HOW if together == 1 else f"{_HOW} Each cell: worst of {together}.")
    if silent:
        canvas.text(8, 54, "Grey, with a hollow diamond where it drifted: shown, but wakes nobody.", css="d")
    panel = over_batches(canvas, ids, y=(0, 1), top=top, height=height, left=LEFT, right=RIGHT)
    width, line = panel.width / len(ids), float(top)
    place = {batch_id: panel.left + width * number for number, batch_id in enumerate(ids)}
    for group, columns in groups.iter_rows():
        if titled:
            canvas.text(panel.left, line + 13, GROUPS[group], css="d h")
            line += GAP
        for column in columns:
            _line(canvas, cells.filter(pl.col("column") == column), place, top=line, width=width)
            line += ROW
    panel.batches(ids)
    panel.marks(marks, ids)
    words = f"{hidden} calmer columns are not drawn." if hidden else ""
    if words:
        canvas.text(panel.right, panel.bottom + 36, words, anchor="end", css="d")
    columns = ranked.filter(pl.col("group") > 0)
    found = f"{columns['drifted'].sum()} of {columns.height} columns drifted in at least one of"
    return canvas.figure(title, f"{found} {table['batch_id'].n_unique()} batches. {words}".strip())


def _ranked(cells: pl.DataFrame) -> pl.DataFrame:
    """A row per line of the map, in its order: ``column``, ``group``, ``matters``, ``drifted``."""
    role = pl.col("role")
    group = (
        pl.when(role == WHOLE)
        .then(0)
        .when(~pl.col("matters"))
        .then(3)
        .when(role.is_in(["prediction", "outlier"]))
        .then(1)
    )
    ranked = (
        cells.with_columns(group=group.otherwise(2))
        .group_by("column", maintain_order=True)
        .agg(pl.col("group", "matters").first(), pl.col("excess").max(), pl.col("drifted").any())
    )
    return ranked.sort("group", -pl.col("excess").fill_null(0.0), "column")


def _slots(cells: pl.DataFrame) -> tuple[pl.DataFrame, list[str], int]:
    """At most :data:`MAX_SLOTS` cells a column: of neighbouring batches the worst stands for all."""
    ids = cells["batch_id"].unique().sort().to_list()
    together = -(-len(ids) // MAX_SLOTS)
    slot = {batch_id: ids[number - number % together] for number, batch_id in enumerate(ids)}
    placed = cells.with_columns(pl.col("batch_id").replace_strict(slot, return_dtype=pl.String).alias("slot"))
    worst = placed.sort("slot", "column", "drifted", "excess", nulls_last=False)
    return worst.group_by("slot", "column", maintain_order=True).last(), ids[::together], together


def _line(canvas: Canvas, rows: pl.DataFrame, place: dict[str, float], *, top: float, width: float) -> None:
    """One column: its name and its cells."""
    first = rows.row(0, named=True)
    name = shown_name(first)
    strong = "b" if rows["drifted"].any() and first["matters"] else ""
    canvas.text(LEFT - 10, top + 15, shorten(name, width=165), anchor="end", css=strong, tip=name)
    for row in rows.iter_rows(named=True):
        _cell(canvas, row, left=place[row["slot"]], top=top, width=width)


def _cell(canvas: Canvas, row: dict[str, object], *, left: float, top: float, width: float) -> None:
    value, size, tip = row["excess"], (width - 1.2, ROW - 2.0), described(row)
    if not isinstance(value, float):
        canvas.rect((left, top), size, fill=HATCH, opacity=0.7, tip=tip)
        return
    heat = min(max(logarithm(value) - math.log2(LEAST), 0.0) / -math.log2(LEAST), 1.0)
    calm, loud = (BLUE, ROSE) if row["matters"] else (GREY, GREY)
    strength = round(0.06 + 0.5 * heat**1.5, 3)
    if not row["drifted"]:
        canvas.rect((left, top), size, fill=calm, opacity=strength, tip=tip)
        return
    canvas.rect((left, top), size, fill=loud, opacity=min(0.55 + 0.09 * max(logarithm(value), 0.0), 1.0), tip=tip)
    center, reach = (left + size[0] / 2, top + size[1] / 2), min(3.2, width / 4)
    if row["matters"]:
        canvas.marker("diamond", center, color="#fff", size=reach, tip=tip)
    else:
        canvas.marker("diamond", center, color=GREY, size=reach, hollow=True, tip=tip)
