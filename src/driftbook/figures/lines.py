"""Several shares of each batch's rows as lines on one panel: the predicted classes, or what is odd about the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, INK, ORANGE, ROSE, TEAL, Canvas, Figure, counted, notice
from driftbook.figures.letters import shorten
from driftbook.figures.panel import MAX_BATCHES, Mark, Panel, mark_rows, over_batches
from driftbook.figures.sheet import current_sheet
from driftbook.tables import format_value

# colour, marker and dash of each line: told apart without colour
LINES = (
    (BLUE, "circle", ""),
    (ORANGE, "triangle", "7 3"),
    (TEAL, "square", "3 3"),
    (ROSE, "diamond", "9 3 2 3"),
    (GREY, "cross", "1 3"),
    (INK, "circle", "12 4"),
)
NAME_ROOM = 150.0
LEAST_SPAN = 0.01
TOP, HEIGHT, ROW = 72.0, 176.0, 15.0


def share_lines(
    shares: pl.DataFrame,
    *,
    title: str,
    how: str = "",
    levels: Mapping[str, float] | None = None,
    marks: Sequence[Mark] = (),
    unit: str = "batch",
) -> Figure:
    """Shares of each batch's rows, a line for each name.

    Parameters
    ----------
    shares
        ``batch_id, name, share, rows``: one row a batch and name, batches in order; ``rows`` is what the share is of.
        A name that a batch lacks leaves a gap there.
    how
        What is seen, in a sentence below the title.
    levels
        For some names, the share in training: drawn dashed across.
    marks
        Moments to name.
    unit
        What a point stands for, where it is more than a batch.

    Examples
    --------
    >>> day = {"batch_id": "2026-05-17", "name": "churn", "share": 0.25, "rows": 2400}
    >>> share_lines(pl.DataFrame([day]), title="Predicted classes")
    Figure: Predicted classes. 1 batch; churn 25 %.
    """
    shares = shares.filter(pl.col("share").is_not_null())
    if shares.is_empty():
        return notice(title, "No batch has a figure yet.")
    ids = shares["batch_id"].unique(maintain_order=True).to_list()[-MAX_BATCHES:]
    names = shares["name"].unique(maintain_order=True).to_list()[: len(LINES)]
    levels = {name: level for name, level in (levels or {}).items() if name in names}
    drawn = shares.filter(pl.col("name").is_in(names) & pl.col("batch_id").is_in(ids))
    above = mark_rows(marks, ids, right=NAME_ROOM)
    legend = current_sheet().room(0, ROW * len(names))
    canvas = Canvas(height=TOP + legend + above + HEIGHT + 44)
    canvas.heading(title, " ".join(filter(None, [how, "Grey dashes: in training." if levels else ""])))
    span = _span([*drawn["share"], *levels.values()])
    panel = over_batches(canvas, ids, y=span, top=TOP + legend + above, height=HEIGHT, right=NAME_ROOM)
    panel.y_axis("share of rows", format="percent")
    for name, level in levels.items():
        tip = f"{name} in training: {format_value(level, format='percent')}"
        ends = ((panel.left, panel.py(level)), (panel.right, panel.py(level)))
        canvas.line(*ends, color=GREY, width=1.5, dash="6 4", tip=tip)
    lasts = [_line(panel, drawn.filter(pl.col("name") == name), ids, line) for line, name in enumerate(names)]
    if legend:
        lasts = [TOP - 24 + ROW * line for line in range(len(names))]
    _names(canvas, names, lasts, left=16.0 if legend else panel.right + 12, lowest=panel.bottom)
    panel.batches(ids)
    panel.marks(marks, ids)
    newest = drawn.filter(pl.col("batch_id") == ids[-1])
    words = ", ".join(
        f"{row['name']} {format_value(row['share'], format='percent')}" for row in newest.iter_rows(named=True)
    ).replace("\u00a0", " ")
    return canvas.figure(title, f"{counted(len(ids), unit)}; {words}.")


def _line(panel: Panel, rows: pl.DataFrame, ids: Sequence[str], number: int) -> float:
    """Draws a line with a mark a batch; gives its height at the end."""
    color, shape, dash = LINES[number]
    places = {batch_id: index for index, batch_id in enumerate(ids)}
    points = [(places[batch_id], share) for batch_id, share in rows.select("batch_id", "share").iter_rows()]
    for run in _runs(points):
        panel.canvas.path([(panel.px(place), panel.py(share)) for place, share in run], color=color, dash=dash)
    for row, (place, share) in zip(rows.iter_rows(named=True), points, strict=True):
        told = f"{format_value(share, format='percent')} of {format_value(row['rows'])}"
        tip = f"{row['batch_id']}, {row['name']}: {told}"
        panel.canvas.marker(shape, (panel.px(place), panel.py(share)), color=color, size=3.2, tip=tip)
    return panel.py(points[-1][1])


def _runs(points: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Points that follow each other without a gap."""
    runs: list[list[tuple[int, float]]] = []
    for point in points:
        if not runs or point[0] > runs[-1][-1][0] + 1:
            runs.append([])
        runs[-1].append(point)
    return runs


def _names(canvas: Canvas, names: Sequence[str], heights: Sequence[float], *, left: float, lowest: float) -> None:
    """Each line's name beside its end, or above all where there is no margin; moved apart where names would meet."""
    place, floor = -math.inf, lowest + 4 - ROW * (len(names) - 1)
    for height, name, number in sorted(zip(heights, names, range(len(names)), strict=True)):
        place, floor = max(place + ROW, min(height + 4, floor)), floor + ROW
        color, shape, _ = LINES[number]
        canvas.marker(shape, (left, place - 4), color=color, size=3.6)
        shown = shorten(name, width=NAME_ROOM - 24, bold=True)
        canvas.text(left + 10, place, shown, css="b", tip=name)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """From a little below the lowest to a little above the highest, from zero where that is near."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.08, LEAST_SPAN / 2)
    return (0.0 if low < 0.25 * high or low < room else low - room), min(high + room, 1.0)
