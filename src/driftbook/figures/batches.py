"""Figures about the batches themselves: how many rows came, and what the quality checks found in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, HATCH, ORANGE, ROSE, Canvas, Figure, batch_label, counted, notice
from driftbook.figures.letters import shorten
from driftbook.figures.panel import MAX_BATCHES, Mark, mark_rows, over_batches
from driftbook.tables import format_value

SEVERITY_MARKS = {"info": ("circle", GREY), "warning": ("triangle", ORANGE), "critical": ("square", ROSE)}


def batch_volume(index: pl.DataFrame, *, as_of: date | None = None, marks: Sequence[Mark] = ()) -> Figure:
    """Rows of each batch: history, stream, quarantined rows, and which targets are still to come.

    Parameters
    ----------
    index
        The batch index: ``batch_id, part, rows, quarantined, targets_known_on``.
    as_of
        Batches whose targets are known only later are drawn hollow.
    marks
        Moments to name, such as the day drift sets in.
    """
    title = "Rows per batch"
    if index.is_empty():
        return notice(title, "No batch has been ingested yet.")
    index = index.tail(MAX_BATCHES)
    ids = index["batch_id"].to_list()
    stream = index.filter(pl.col("part") == "stream")["batch_id"].to_list()
    named = [*([(stream[0], "stream begins")] if stream and len(stream) < len(ids) else []), *marks]
    canvas = Canvas(height=264 + mark_rows(named, ids))
    canvas.heading(
        title,
        "Grey: history, the model learns from it. Blue: stream. Hollow: target not known yet. Hatched: quarantined.",
    )
    highest = float((index["rows"] + index["quarantined"]).max() or 1)  # type: ignore[arg-type]
    panel = over_batches(canvas, ids, y=(0, highest * 1.05), top=66 + mark_rows(named, ids), height=152)
    panel.y_axis("rows")
    width = min(panel.width / len(ids), 40) * 0.78
    for place, row in enumerate(index.iter_rows(named=True)):
        color = GREY if row["part"] == "history" else BLUE
        waiting = as_of is not None and row["targets_known_on"] is not None and row["targets_known_on"] > as_of
        tip = f"{row['batch_id']}: {row['rows']:,} rows, {row['quarantined']:,} quarantined, {row['part']}"
        tip += ", target not known yet" if waiting else ""
        left, top = panel.px(place) - width / 2, panel.py(row["rows"])
        size = (width, panel.bottom - top)
        canvas.rect((left, top), size, fill="transparent" if waiting else color, stroke=color, tip=tip)
        if row["quarantined"]:
            upper = panel.py(row["rows"] + row["quarantined"])
            canvas.rect((left, upper), (width, max(top - upper, 2)), fill=HATCH, stroke=ROSE, tip=tip)
    panel.batches(ids)
    panel.marks(named, ids)
    rows, quarantined = index["rows"].sum(), index["quarantined"].sum()
    return canvas.figure(
        title, f"{len(ids)} batches, {len(stream)} of them stream; {rows:,} rows, {quarantined:,} quarantined."
    )


def targets_known(days: pl.DataFrame) -> Figure:
    """Of how many rows of each batch the target is known, and of how many it is still out.

    Parameters
    ----------
    days
        ``batch_id, scored, known, expected_on``, in order: rows with a prediction, those of them with a target, and by
        when the rest is expected.

    Examples
    --------
    >>> day = {"batch_id": ["2026-06-29"], "scored": [600], "known": [200], "expected_on": [date(2026, 7, 2)]}
    >>> targets_known(pl.DataFrame(day))
    Figure: Targets by batch. 400 of 600 targets are still out; the newest are expected by 2026-07-02.
    """
    title = "Targets by batch"
    if days.is_empty():
        return notice(title, "No batch has been scored yet.")
    days = days.tail(MAX_BATCHES)
    ids = days["batch_id"].to_list()
    canvas = Canvas(height=254)
    canvas.heading(title, "Blue: the target is known. Hollow: it is still out.")
    highest = float(days["scored"].max() or 1)  # type: ignore[arg-type]
    panel = over_batches(canvas, ids, y=(0, highest * 1.05), top=72, height=152)
    panel.y_axis("rows")
    width = min(panel.width / len(ids), 40) * 0.78
    for place, row in enumerate(days.iter_rows(named=True)):
        left, top, middle = panel.px(place) - width / 2, panel.py(row["scored"]), panel.py(row["known"])
        tip = f"{row['batch_id']}: {row['known']:,} of {row['scored']:,} targets known"
        tip += "" if row["known"] >= row["scored"] else f", the rest expected by {row['expected_on']}"
        canvas.rect((left, top), (width, panel.bottom - top), fill="transparent", stroke=BLUE, tip=tip)
        canvas.rect((left, middle), (width, panel.bottom - middle), fill=BLUE, tip=tip)
    panel.batches(ids)
    scored, known = int(days["scored"].sum()), int(days["known"].sum())
    waiting = days.filter(pl.col("known") < pl.col("scored"))
    until = f"; the newest are expected by {format_value(waiting['expected_on'].max())}" if waiting.height else ""
    return canvas.figure(title, f"{scored - known:,} of {scored:,} targets are still out{until}.")


def quality_findings(findings: pl.DataFrame, index: pl.DataFrame, *, unit: str = "batch") -> Figure:
    """Which check found what in which batch: one row per check, the worst severity as a shape.

    Parameters
    ----------
    findings
        ``batch_id, column, check, severity, message``; one row per finding.
    index
        The batch index; its ``batch_id`` give the order.
    unit
        What a row of the index stands for, where it is more than a batch.
    """
    title = "Quality findings"
    if findings.is_empty():
        return notice(title, f"No check found anything in {format_value(index.height)} batches.")
    ids = index["batch_id"].to_list()
    checks = findings.group_by("check").len().sort("len", "check", descending=[True, False])["check"].to_list()
    canvas = Canvas(height=118 + 28 * len(checks))
    canvas.heading(
        title,
        f"One mark per {unit} with a finding: ○ info, ▲ warning, ■ critical. A quiet chart is a healthy one.",
    )
    panel = over_batches(canvas, ids, y=(0, 1), top=58, height=28 * len(checks), left=150, right=40)
    order = {"info": 0, "warning": 1, "critical": 2}
    for line, check in enumerate(checks):
        middle = panel.top + 28 * line + 14
        canvas.line((panel.left, middle), (panel.right, middle), opacity=0.12)
        canvas.text(panel.left - 12, middle + 4, shorten(check.replace("_", " "), width=130), anchor="end")
        rows = findings.filter(pl.col("check") == check)
        canvas.text(
            panel.right + 10, middle + 4, f"{rows['batch_id'].n_unique()}", css="d", tip="so many have this finding"
        )
        for (batch_id,), group in rows.group_by("batch_id", maintain_order=True):
            if batch_id not in ids:
                continue
            worst = max(group["severity"].to_list(), key=lambda each: order.get(each, 0))
            shape, color = SEVERITY_MARKS.get(worst, SEVERITY_MARKS["info"])
            tip = "\n".join([f"{batch_label(str(batch_id))}, {worst}", *group["message"].head(6).to_list()])
            canvas.marker(shape, (panel.px(ids.index(batch_id)), middle), color=color, hollow=worst == "info", tip=tip)
    panel.batches(ids)
    counts = findings["severity"].value_counts(sort=True)
    words = ", ".join(f"{row['count']} {row['severity']}" for row in counts.iter_rows(named=True))
    return canvas.figure(title, f"{findings.height} findings ({words}) by {counted(len(checks), 'check')}.")
