"""Figures of a model: how well it ranks, how far its probabilities can be trusted, what it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, ORANGE, Canvas, Figure, notice
from driftbook.figures.confusion import draw_confusion
from driftbook.figures.letters import shorten
from driftbook.figures.panel import Panel
from driftbook.figures.sheet import current_sheet
from driftbook.tables import format_value

MAX_FEATURES = 20
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
