"""The heat map of drift: columns by batches, and apart from them what speaks of whole batches or cannot matter.

Four groups from top to bottom: a batch as a whole, the predictions, the features that matter to the model, and what is
shown without waking anybody. Within a group the strongest come first.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, HATCH, LINE, ROSE, Canvas, Figure, notice
from driftbook.figures.excess_scale import LEAST, WHOLE, described, logarithm, shown_name, strongest
from driftbook.figures.letters import shorten
from driftbook.figures.panel import Mark, mark_rows, over_batches
from driftbook.figures.sheet import current_sheet

ROW, GAP = 21, 19
SLOT = 4.6  # pixels a cell needs
RIGHT = 24
MOST_TIPS = 1000  # of more cells only those that drifted say more when pointed at
GROUPS = ("the batch as a whole", "predictions", "features", "shown only: the target, and what hardly matters")
_SILENT = "Grey, with a hollow diamond where it drifted: shown, but wakes nobody."
_HOW = "Blue: below the threshold, the paler the calmer. Rose with a diamond: drifted. Hatched: cannot tell."


def drift_heatmap(
    table: pl.DataFrame,
    *,
    max_columns: int = 28,
    marks: Sequence[Mark] = (),
    title: str = "Drift by column and batch",
    units: str = "batches",
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
    units
        What a ``batch_id`` stands for.
    """
    if table.is_empty():
        return notice(title, "No batch has been compared yet.")
    left = current_sheet().room(180, 132)
    cells, ids, together = _slots(strongest(table), most=int((current_sheet().width - left - RIGHT) / SLOT))
    ranked = _ranked(cells)
    shown, hidden = ranked.head(max_columns), max(ranked.height - max_columns, 0)
    groups = shown.group_by("group", maintain_order=True).agg("column")
    titled = groups.height > 1
    silent = not shown["matters"].all()
    blank = cells.join(shown, on="column", how="semi").height < shown.height * len(ids)
    besides = f"Blank: not judged that {_one(units)}." if blank else ""
    second = " ".join(filter(None, (_SILENT if silent else "", besides)))
    top = 64 + (LINE if second else 0) + mark_rows(marks, ids, left=left, right=RIGHT)
    height = ROW * shown.height + (GAP * groups.height if titled else 0)
    canvas = Canvas(height=top + height + 30 + (20 if hidden else 0))
    canvas.heading(title, _HOW if together == 1 else f"{_HOW} Each cell: worst of {together}.", second)
    panel = over_batches(canvas, ids, y=(0, 1), top=top, height=height, left=left, right=RIGHT)
    place = {batch_id: panel.left + panel.width / len(ids) * number for number, batch_id in enumerate(ids)}
    merged = not canvas.sheet.tips or shown.height * len(ids) > MOST_TIPS
    painter = _Painter(canvas, place, width=panel.width / len(ids), merged=merged)
    by_column: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in cells.filter(pl.col("column").is_in(shown["column"].to_list())).iter_rows(named=True):
        by_column[row["column"]].append(row)
    line = float(top)
    for group, columns in groups.iter_rows():
        if titled:
            canvas.text(canvas.sheet.room(panel.left, 8), line + 13, GROUPS[group], css="d h")
            line += GAP
        for column in columns:
            painter.line(by_column[column], top=line)
            line += ROW
    painter.finish()
    panel.batches(ids)
    panel.marks(marks, ids)
    words = f"{hidden} calmer columns are not drawn." if hidden else ""
    if words:
        canvas.text(panel.right, panel.bottom + 36, words, anchor="end", css="d")
    columns = ranked.filter(pl.col("group") > 0)
    found = f"{columns['drifted'].sum()} of {columns.height} columns drifted in at least one of"
    return canvas.figure(title, f"{found} {table['batch_id'].n_unique()} {units}. {words}".strip())


def _one(units: str) -> str:
    """The name of one of them."""
    return units.removesuffix("es") if units.endswith("tches") else units.removesuffix("s")


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


def _slots(cells: pl.DataFrame, *, most: int) -> tuple[pl.DataFrame, list[str], int]:
    """At most so many cells a column: of neighbouring batches the worst stands for all."""
    ids = cells["batch_id"].unique().sort().to_list()
    together = -(-len(ids) // most)
    slot = {batch_id: ids[number - number % together] for number, batch_id in enumerate(ids)}
    placed = cells.with_columns(pl.col("batch_id").replace_strict(slot, return_dtype=pl.String).alias("slot"))
    worst = placed.sort("slot", "column", "drifted", "excess", nulls_last=False)
    return worst.group_by("slot", "column", maintain_order=True).last(), ids[::together], together


class _Painter:
    """Draws the lines of the map; ``merged``: calm cells that look alike become one mark, which says no more."""

    def __init__(self, canvas: Canvas, place: dict[str, float], *, width: float, merged: bool) -> None:
        self.canvas = canvas
        self.place = place
        self.size = (width - 1.2, ROW - 2.0)
        self.left = min(place.values())
        self._alike: dict[tuple[str, float], list[tuple[float, float]]] | None = {} if merged else None

    def line(self, rows: Sequence[dict[str, Any]], *, top: float) -> None:
        """One column: its name and its cells."""
        name = shown_name(rows[0])
        bold = rows[0]["matters"] and any(row["drifted"] for row in rows)
        shown, css = shorten(name, width=self.left - 12, bold=bold), "b" if bold else ""
        self.canvas.text(self.left - 10, top + 15, shown, anchor="end", css=css, tip=name)
        for row in rows:
            self._cell(row, (self.place[row["slot"]], top))

    def finish(self) -> None:
        """Draws what was put together."""
        for (fill, opacity), corners in (self._alike or {}).items():
            self.canvas.rects(corners, self.size, fill=fill, opacity=opacity)

    def _cell(self, row: dict[str, Any], corner: tuple[float, float]) -> None:
        canvas, size, value = self.canvas, self.size, row["excess"]
        calm, loud = (BLUE, ROSE) if row["matters"] else (GREY, GREY)
        if value is not None and not row["drifted"]:
            heat = min(max(logarithm(value) - math.log2(LEAST), 0.0) / -math.log2(LEAST), 1.0)
            strength = 0.06 + 0.5 * heat**1.5
            if self._alike is not None:
                self._alike.setdefault((calm, round(strength, 1)), []).append(corner)
                return
            canvas.rect(corner, size, fill=calm, opacity=round(strength, 3), tip=described(row))
            return
        tip = described(row) if canvas.sheet.tips else ""
        if value is None:
            canvas.rect(corner, size, fill=HATCH, opacity=0.7, tip=tip)
            return
        canvas.rect(corner, size, fill=loud, opacity=min(0.55 + 0.09 * max(logarithm(value), 0.0), 1.0), tip=tip)
        center, reach = (corner[0] + size[0] / 2, corner[1] + size[1] / 2), min(3.2, (size[0] + 1.2) / 4)
        fill = "#fff" if row["matters"] else GREY
        canvas.marker("diamond", center, color=fill, size=reach, hollow=not row["matters"], tip=tip)
