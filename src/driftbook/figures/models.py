"""Figures of a model: how well it ranks, how far its probabilities can be trusted, what it uses, how it fares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, ORANGE, ROSE, Canvas, Figure, notice, shorten
from driftbook.figures.confusion import draw_confusion
from driftbook.figures.panel import MAX_BATCHES, Mark, Panel, mark_rows, over_batches
from driftbook.figures.sheet import current_sheet
from driftbook.tables import SPACE, Format, format_value
from driftbook.words import plain

MAX_FEATURES = 20
SHARES = frozenset({"accuracy", "precision", "recall", "f1"})
ROW = 22
SLOT = (250, 250)  # width and height of one of the squares, with its names
HEALTHY = {
    "roc": "Ranking: the higher above the diagonal, the better.",
    "calibration": "Calibration: on the diagonal.",
    "confusion": "Confusion: blue right, rose wrong.",
}


def model_quality(report: Mapping[str, Any] | None) -> Figure | None:
    """ROC curve (two classes), confusion matrix, and calibration of the honest test part.

    Parameters
    ----------
    report
        The training report: ``classes``, ``confusion`` (rows: target, columns: prediction), ``roc`` (points of
        ``false_positive_rate, true_positive_rate``), ``calibration`` (``predicted, observed, rows``), ``metrics``;
        ``None`` where no model was trained.

    Returns
    -------
    The figure; nothing at all where there is no model.

    Examples
    --------
    >>> model_quality({"classes": ["no", "yes"], "confusion": [[8, 1], [2, 4]]})
    Figure: Model quality on held-out rows. 12 of 15 decided rightly.
    """
    if report is None:
        return None
    title = "Model quality on held-out rows"
    roc = _points(report.get("roc"), "false_positive_rate", "true_positive_rate")
    calibration = _points(report.get("calibration"), "predicted", "observed")
    classes, confusion = list(report.get("classes", [])), list(report.get("confusion", []))
    if not confusion and not roc:
        return notice(title, "The report holds no held-out figures.")
    slots = [
        name for name, present in (("roc", roc), ("calibration", calibration), ("confusion", confusion)) if present
    ]
    across = max(min(int((current_sheet().width + 20) / SLOT[0]), len(slots)), 1)
    canvas = Canvas(height=306 + SLOT[1] * (-(-len(slots) // across) - 1))
    canvas.heading(title, " ".join(HEALTHY[name] for name in slots))
    for place, name in enumerate(slots):
        left, top = 62 + place % across * SLOT[0], 66 + place // across * SLOT[1]
        if name == "confusion":
            room = 52 if roc else 160  # for the names of the classes
            names, heading = [str(each) for each in classes], "Confusion (rows: target)"
            draw_confusion(canvas, names, confusion, left=left + room - 30, room=room, heading=heading, top=top)
        else:
            points = roc if name == "roc" else calibration
            _square(canvas, points, corner=(left, top), name=name, estimate=report.get("metrics", {}).get("roc_auc"))
    right = sum(row[index] for index, row in enumerate(confusion) if index < len(row))
    total = sum(sum(row) for row in confusion)
    return canvas.figure(title, f"{right:,} of {total:,} decided rightly." if total else "Ranking and calibration.")


def feature_importance(
    importance: pl.DataFrame | Sequence[Mapping[str, Any]] | None, *, max_features: int = MAX_FEATURES
) -> Figure | None:
    """What the model uses: mean absolute contribution as a bar, share of the gain as a diamond.

    Parameters
    ----------
    importance
        ``feature``, ``contribution`` (mean absolute TreeSHAP value) and, if there, ``gain``; one row per feature.
        ``None`` where no model was trained.

    Returns
    -------
    The figure; nothing at all where there is no model.
    """
    if importance is None:
        return None
    title = "What the model uses"
    frame = importance if isinstance(importance, pl.DataFrame) else pl.DataFrame([dict(each) for each in importance])
    if frame.is_empty():
        return notice(title, "No importance was recorded.")
    measures = [name for name in ("contribution", "gain") if name in frame.columns]
    shares = [(pl.col(name) / pl.max_horizontal(pl.col(name).sum(), pl.lit(1e-12))).alias(name) for name in measures]
    ranked = frame.with_columns(shares).sort(-pl.col(measures[0]), "feature")
    shown = ranked.head(max_features)
    canvas = Canvas(height=78 + ROW * shown.height)
    canvas.heading(
        title, "Bar and number: share of all contributions to the score. Diamond: share of the gain in training."
    )
    top = max(float(shown[name].max()) for name in measures) or 1.0  # type: ignore[arg-type]
    left = canvas.sheet.room(200, 130)
    panel = Panel(canvas, left, 52, canvas.width - left - 90, ROW * shown.height, (0, top), (0, 1))
    for line, row in enumerate(shown.iter_rows(named=True)):
        height, share = panel.top + ROW * line, row[measures[0]]
        text = format_value(share, format="percent")
        name = shorten(row["feature"], width=left - 15)
        canvas.text(left - 10, height + 15, name, anchor="end", tip=row["feature"])
        size = (panel.px(share) - panel.left, ROW - 8.0)
        canvas.rect((panel.left, height + 4), size, fill=BLUE, opacity=0.8, tip=f"{row['feature']}: {text}")
        if "gain" in measures:
            tip = f"{row['feature']}: {format_value(row['gain'], format='percent')} of the gain"
            canvas.marker("diamond", (panel.px(row["gain"]), height + ROW / 2), color=ORANGE, size=3.6, tip=tip)
        canvas.text(panel.right + 72, height + 15, text, anchor="end", css="d")
    canvas.line((panel.left, panel.top), (panel.left, panel.bottom), opacity=0.45)
    hidden = ranked.height - shown.height
    return canvas.figure(
        title, f"Most used: {', '.join(shown['feature'].head(3))}." + (f" {hidden} more not drawn." if hidden else "")
    )


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
    format: Format = "percent" if metric in SHARES else "auto"
    named = [*([(onset, "scenario sets in")] if onset is not None else []), *marks]
    canvas = Canvas(height=274 + mark_rows(named, ids))
    how = "Squares: realised, band: 95 % interval." + (
        " Hollow circles, dashed: estimated without targets." if estimated is not None else ""
    )
    how += " Log loss and Brier: lower is better." if metric in ("log_loss", "brier") else ""
    values = [v for side in sides for name in ("low", "value", "high") for v in side[name].drop_nulls().to_list()]
    named_levels = [*levels, *([(limit, limit_name)] if limit is not None else [])]
    values += [level for level, _ in named_levels]
    canvas.heading(title, how, "" if canvas.sheet.headed else _told(named_levels, format=format))
    margin = max((max(values) - min(values)) * 0.08, 0.005)
    span, top = (min(values) - margin, max(values) + margin), 72 + mark_rows(named, ids)
    panel = over_batches(canvas, ids, y=span, top=top, height=174, right=132)
    panel.y_axis(name, format=format)
    if gone:
        _shade(panel, ids.index(gone[0]), ids.index(gone[-1]))
    _levels(panel, named_levels, format=format)
    for number, side in enumerate(sides):
        _series(panel, side, ids, realised=number == 0, format=format)
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
    panel.canvas.text(max(right, panel.left + 126) - 6, panel.top + 14, "estimates withdrawn", anchor="end", css="d h")


def _told(levels: Sequence[tuple[float, str]], *, format: Format) -> str:
    """The levels in words, as a page tells them."""
    lines = ["dotted"] * (len(levels) - 1) + ["dashed in rose"]
    said = [
        f"{line}: {name} {format_value(level, format=format)}"
        for line, (level, name) in zip(lines, levels, strict=False)
    ]
    return f"{'; '.join(said)}.".capitalize().replace(SPACE, " ") if said else ""


def _levels(panel: Panel, levels: Sequence[tuple[float, str]], *, format: Format) -> None:
    """Levels to compare with; the last one is the limit. Names that would meet move apart."""
    lowest = panel.bottom + 4
    for level, name in sorted(levels):
        height, limit = panel.py(level), (level, name) == levels[-1]
        label = f"{name} {format_value(level, format=format)}"
        color, dash = (ROSE, "6 4") if limit else (GREY, "2 4")
        panel.canvas.line((panel.left, height), (panel.right, height), color=color, width=1.5, dash=dash, tip=label)
        place = min(height + 4, lowest)
        if panel.canvas.sheet.room(1, 0):  # on a narrow sheet names would cover what they name
            panel.beside(height, label, lower=place - height - 4)
        lowest = place - 14


def _series(panel: Panel, side: pl.DataFrame, ids: list[str], *, realised: bool, format: Format) -> None:
    rows = [(panel.px(ids.index(row["batch_id"])), row) for row in side.iter_rows(named=True)]
    color = BLUE if realised else ORANGE
    band = [(x, row) for x, row in rows if row["low"] is not None and row["high"] is not None]
    edge = [(x, panel.py(row["low"])) for x, row in band] + [(x, panel.py(row["high"])) for x, row in reversed(band)]
    panel.canvas.area(edge, fill=color, opacity=0.18 if realised else 0.1)
    panel.canvas.path([(x, panel.py(row["value"])) for x, row in rows], color=color, dash="" if realised else "5 4")
    for x, row in rows:
        low, value, high = (format_value(row[name], format=format) for name in ("low", "value", "high"))
        interval = f" ({low} to {high})" if row["low"] is not None else ""
        kind = "realised" if realised else "estimated"
        tip = f"{row['batch_id']}, {kind}: {value}{interval}, {format_value(row['rows'])} rows"
        shape = "square" if realised else "circle"
        panel.canvas.marker(shape, (x, panel.py(row["value"])), color=color, size=3.4, hollow=not realised, tip=tip)


def _given(*frames: pl.DataFrame | None) -> list[pl.DataFrame]:
    return [frame for frame in frames if frame is not None]


def _points(curve: Any, x: str, y: str) -> list[tuple[float, float, float]]:
    """Points (x, y, weight) of a curve given as a list of mappings."""
    return [(float(row[x]), float(row[y]), float(row.get("rows", 1.0))) for row in curve or []]


def _square(
    canvas: Canvas, points: list[tuple[float, float, float]], *, corner: tuple[float, float], name: str, estimate: Any
) -> None:
    left, top = corner
    panel = Panel(canvas, left, top + 10, 176, 176, (0, 1), (0, 1))
    panel.y_axis(ticks=(0, 0.5, 1))
    panel.x_axis("false positive rate" if name == "roc" else "predicted probability")
    heading = "Ranking (true positive rate)" if name == "roc" else "Calibration (observed rate)"
    canvas.text(left, top, heading, css="b")
    canvas.line((panel.px(0), panel.py(0)), (panel.px(1), panel.py(1)), color=GREY, width=1.4, dash="4 4")
    places = [(panel.px(x), panel.py(y)) for x, y, _ in points]
    canvas.path(places, color=BLUE, width=2.2 if name == "roc" else 1.4)
    if name == "calibration":
        heaviest = max(weight for _, _, weight in points) or 1.0
        for (x, y, weight), place in zip(points, places, strict=True):
            tip = f"predicted {format_value(x)}, observed {format_value(y)}"
            canvas.marker("circle", place, color=BLUE, size=2 + 2 * (weight / heaviest) ** 0.5, tip=tip)
    value = estimate.get("value") if isinstance(estimate, Mapping) else estimate
    if name == "roc" and isinstance(value, int | float):
        canvas.text(panel.right - 6, panel.bottom - 10, f"AUC {format_value(float(value))}", anchor="end", css="b h")
