"""One metric over time: what was realised, what was estimated until targets contradicted it, and what it is held to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, ORANGE, ROSE, Canvas, Figure, notice
from driftbook.figures.panel import MAX_BATCHES, Mark, Panel, mark_rows, over_batches
from driftbook.tables import SPACE, Format, format_value
from driftbook.words import SHARES, plain

Level = tuple[float, str, bool]  # where, its name, whether it is the limit
Reign = tuple[str, str, Sequence[Level]]  # first and last batch between which levels held


def metric_over_time(
    performance: pl.DataFrame,
    metric: str,
    *,
    limit: float | None = None,
    limit_name: str = "tested at",
    levels: Sequence[tuple[float, str]] = (),
    onset: date | str | None = None,
    marks: Sequence[Mark] = (),
    estimated: pl.DataFrame | None = None,
    since: str | None = None,
    earlier: Sequence[Reign] = (),
) -> Figure:
    """One metric batch by batch with its interval; realised as a line, estimated dashed beside it.

    Parameters
    ----------
    performance
        ``batch_id, metric, value, low, high, rows``: realised, where targets are known.
    metric
        Which metric to draw.
    limit
        Level to compare with, such as the accuracy the champion was tested at.
    limit_name
        What to call it.
    levels
        Further levels to draw, each with its name.
    onset
        Known day on which the scenario sets in.
    marks
        Moments to name.
    estimated
        The same columns, estimated without targets; where it says ``withdrawn`` the stretch is shaded instead.
    since
        First batch to which limit and levels apply.
    earlier
        What other versions were held to before, each in its time; those of before the first shown batch are left out.
    """
    name = plain(metric)
    title = f"{name[0].upper()}{name[1:]} over time"
    gone = _withdrawn(estimated, metric)
    sides = [
        side.filter((pl.col("metric") == metric) & pl.col("value").is_finite()).sort("batch_id").tail(MAX_BATCHES)
        for side in _given(performance, estimated)
    ]
    drawn = {batch_id for side in sides for batch_id in side["batch_id"].to_list()}
    ids = sorted(drawn | {*gone})
    if not drawn:
        return notice(title, f"No batch has a {name} yet: its targets are not known.")
    earlier = [each for each in earlier if each[1] >= ids[0]]  # one that ended before has no place to be drawn
    format: Format = "percent" if metric in SHARES else "auto"
    named = [*([(onset, "scenario sets in")] if onset is not None else []), *marks]
    canvas = Canvas(height=274 + mark_rows(named, ids))
    how = "Squares: realised, band: 95 % interval." + (
        " Hollow circles, dashed: estimated without targets." if estimated is not None else ""
    )
    how += " Log loss and Brier: lower is better." if metric in ("log_loss", "brier") else ""
    values = [v for side in sides for name in ("low", "value", "high") for v in side[name].drop_nulls().to_list()]
    drawn_levels: list[Level] = [(level, name, False) for level, name in levels]
    drawn_levels += [(limit, limit_name, True)] if limit is not None else []
    values += [level for _, _, held in [("", "", drawn_levels), *earlier] for level, _, _ in held]
    withdrawn = "Shaded: estimates withdrawn, because targets contradict them." if gone else ""
    further = [] if canvas.sheet.headed else [_told(drawn_levels, format=format, earlier=bool(earlier)), withdrawn]
    canvas.heading(title, " ".join(filter(None, [how, *further])))
    margin = max((max(values) - min(values)) * 0.08, 0.005)
    span, top = (min(values) - margin, max(values) + margin), 72 + mark_rows(named, ids)
    panel = over_batches(canvas, ids, y=span, top=top, height=174, right=132)
    panel.y_axis(name, format=format)
    if gone:
        _shade(panel, ids.index(gone[0]), ids.index(gone[-1]))
    for first, last, held in earlier:
        for level in held:
            _level(panel, level, (panel.px(_place(ids, first) - 0.5), panel.px(_place(ids, last) + 0.5)), format=format)
    begins = panel.left if since is None else panel.px(_place(ids, since) - 0.5)
    _levels(panel, drawn_levels, begins=begins, format=format)
    for number, side in enumerate(sides):
        _series(panel, side, ids, gone=gone if number else [], realised=number == 0, format=format)
    panel.batches(ids)
    panel.marks(named, ids)
    taken = f" Estimates withdrawn from {gone[0]} on." if gone else ""
    if sides[0].is_empty():
        return canvas.figure(title, f"{len(ids)} batches estimated, none realised yet.")
    first, last = (format_value(sides[0]["value"][place], format=format) for place in (0, -1))
    return canvas.figure(title, f"{sides[0].height} batches with targets; from {first} to {last}.{taken}")


def _withdrawn(estimated: pl.DataFrame | None, metric: str) -> list[str]:
    """Batches whose estimate was withdrawn, in order."""
    if estimated is None or "withdrawn" not in estimated.columns:
        return []
    return (
        estimated.filter((pl.col("metric") == metric) & pl.col("withdrawn"))["batch_id"]
        .sort()
        .tail(MAX_BATCHES)
        .to_list()
    )


def _shade(panel: Panel, first: int, last: int) -> None:
    """The stretch of batches over which estimates are withdrawn."""
    left, right = panel.px(first - 0.5), panel.px(last + 0.5)
    tip = "estimates withdrawn: the targets contradict the probabilities they rest on"
    panel.canvas.rect((left, panel.top), (right - left, panel.height), fill=GREY, opacity=0.14, tip=tip)
    if panel.canvas.sheet.room(1, 0):
        panel.canvas.text(
            max(right, panel.left + 126) - 6, panel.top + 14, "estimates withdrawn", anchor="end", css="d h"
        )


def _told(levels: Sequence[Level], *, format: Format, earlier: bool = False) -> str:
    """The levels in words, as a page tells them."""
    lines = ["dashed in rose" if is_limit else "dotted" for _, _, is_limit in levels]
    names = [f"{name} {format_value(level, format=format)}".replace(SPACE, " ") for level, name, _ in levels]
    said = "; ".join(f"{line}: {name}" for line, name in zip(lines, names, strict=True))
    before = "; before, what held for the champion then" if earlier else ""
    return f"{said[0].upper()}{said[1:]}{before}." if said else ""


def _place(ids: Sequence[str], batch_id: str) -> int:
    """Where a batch stands, or the one that holds it where batches are weeks."""
    return max(bisect_right(ids, batch_id) - 1, 0)


def _level(panel: Panel, level: Level, span: tuple[float, float], *, format: Format) -> str:
    """One level over a stretch of batches; its label."""
    value, name, is_limit = level
    height, label = panel.py(value), f"{name} {format_value(value, format=format)}"
    color, dash = (ROSE, "6 4") if is_limit else (GREY, "2 4")
    ends = (max(span[0], panel.left), height), (min(span[1], panel.right), height)
    panel.canvas.line(*ends, color=color, width=1.5, dash=dash, tip=label)
    return label


def _levels(panel: Panel, levels: Sequence[Level], *, begins: float, format: Format) -> None:
    """Levels to compare with; names that would meet move apart."""
    lowest = panel.bottom + 4
    for level in sorted(levels):
        height, label = panel.py(level[0]), _level(panel, level, (begins, panel.right), format=format)
        place = min(height + 4, lowest)
        if panel.canvas.sheet.room(1, 0):  # on a narrow sheet names would cover what they name
            panel.beside(height, label, lower=place - height - 4)
        lowest = place - 14


def _series(
    panel: Panel, side: pl.DataFrame, ids: list[str], *, gone: list[str], realised: bool, format: Format
) -> None:
    """A line with its band, broken where figures were withdrawn."""
    place = {batch_id: panel.px(index) for index, batch_id in enumerate(ids)}
    rows = [(place[row["batch_id"]], row) for row in side.iter_rows(named=True)]
    color = BLUE if realised else ORANGE
    for piece in _pieces(rows, [place[batch_id] for batch_id in gone]):
        band = [(x, row) for x, row in piece if row["low"] is not None and row["high"] is not None]
        lower, upper = ([(x, panel.py(row[name])) for x, row in band] for name in ("low", "high"))
        panel.canvas.area([*lower, *reversed(upper)], fill=color, opacity=0.18 if realised else 0.1)
        points = [(x, panel.py(row["value"])) for x, row in piece]
        panel.canvas.path(points, color=color, dash="" if realised else "5 4")
    for x, row in rows:
        low, value, high = (format_value(row[name], format=format) for name in ("low", "value", "high"))
        interval = f" ({low} to {high})" if row["low"] is not None else ""
        kind = "realised" if realised else "estimated"
        tip = f"{row['batch_id']}, {kind}: {value}{interval}, {format_value(row['rows'])} rows"
        shape = "square" if realised else "circle"
        panel.canvas.marker(shape, (x, panel.py(row["value"])), color=color, size=3.4, hollow=not realised, tip=tip)


def _pieces(rows: list[tuple[float, dict[str, Any]]], gone: list[float]) -> list[list[tuple[float, dict[str, Any]]]]:
    """Neighbouring rows together; where figures are gone a new piece begins."""
    pieces: dict[int, list[tuple[float, dict[str, Any]]]] = {}
    for x, row in rows:
        pieces.setdefault(sum(place < x for place in gone), []).append((x, row))
    return list(pieces.values())


def _given(*frames: pl.DataFrame | None) -> list[pl.DataFrame]:
    return [frame for frame in frames if frame is not None]
