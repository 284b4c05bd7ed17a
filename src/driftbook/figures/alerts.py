"""Alerts as spells of days: what went wrong, for how long, how bad it is, and whether somebody cares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from driftbook.figures.batches import SEVERITY_MARKS
from driftbook.figures.canvas import HATCH, PAPER, Canvas, Figure, batch_label, notice
from driftbook.figures.letters import shorten, text_width
from driftbook.figures.panel import MAX_BATCHES, Panel, moment, over_batches

MOST_SPELLS = 16
ROW = 26.0
LABELS = (172.0, 156.0)  # at most, on a wide sheet and on a narrow one
BAR = 12.0
MARKER, GAP = 10.0, 20.0  # of a bar from its marker, and of the axis from its labels
SEVERITIES = ("critical", "warning", "info")
STATES = ("open", "acknowledged", "resolved")


def alert_spells(alerts: pl.DataFrame, days: Sequence[str]) -> Figure:
    """One bar an alert, from its first batch to its last one so far, the newest on top.

    Parameters
    ----------
    alerts
        ``subject, severity, state, first_batch, last_batch``; one row an alert, in any order.
    days
        Every judged day, oldest first: the axis.

    Examples
    --------
    >>> alert = {"subject": "churn: drift since 2026-06-02", "severity": "critical", "state": "open"}
    >>> alert |= {"first_batch": "2026-06-02", "last_batch": "2026-06-03"}
    >>> alert_spells(pl.DataFrame([alert]), ["2026-06-01", "2026-06-02", "2026-06-03"])
    Figure: Alerts over time. 1 alert: 1 critical; 1 open.
    """
    title = "Alerts over time"
    if alerts.is_empty() or not days:
        return notice(title, "No alert was raised.")
    ids = list(days)[-MAX_BATCHES:]
    shown = alerts.sort("last_batch", "first_batch", descending=True, maintain_order=True).head(MOST_SPELLS)
    canvas = Canvas(height=88 + ROW * shown.height)
    more = f" The newest {shown.height} of {alerts.height:,}." if alerts.height > shown.height else ""
    canvas.heading(
        title, f"○ info, ▲ warning, ■ critical. Filled: open. Hatched: acknowledged. Hollow: resolved.{more}"
    )
    longest = max(text_width(_what(alert)) for alert in shown.iter_rows(named=True))
    left = canvas.sheet.room(LABELS[0], min(longest + GAP + 4, LABELS[1]))
    panel = over_batches(canvas, ids, y=(0, 1), top=54, height=ROW * shown.height, left=left)
    for line, alert in enumerate(shown.iter_rows(named=True)):
        _spell(panel, alert, ids, middle=panel.top + ROW * (line + 0.5))
    panel.batches(ids)
    told = [_counted(alerts[name], order) for name, order in (("severity", SEVERITIES), ("state", STATES))]
    return canvas.figure(title, f"{alerts.height:,} alert{'' if alerts.height == 1 else 's'}: {'; '.join(told)}.")


def _spell(panel: Panel, alert: Mapping[str, Any], ids: Sequence[str], *, middle: float) -> None:
    canvas = panel.canvas
    shape, color = SEVERITY_MARKS.get(alert["severity"], SEVERITY_MARKS["info"])
    what = alert["subject"].partition(": ")[2] or alert["subject"]
    label = shorten(_what(alert), width=panel.left - GAP - 2)
    canvas.text(panel.left - GAP, middle + 4, label, anchor="end", tip="" if label == _what(alert) else what)
    first, last = (moment(alert[name][:10], [each[:10] for each in ids]) for name in ("first_batch", "last_batch"))
    left, right = panel.px(first - 0.4), panel.px(min(last, len(ids) - 1) + 0.4)
    period = f"{batch_label(alert['first_batch'])} to {batch_label(alert['last_batch'])}"
    tip = f"{what}\n{alert['severity']}, {alert['state']}\n{period}"
    fill = {"open": color, "acknowledged": HATCH}.get(alert["state"], PAPER)
    size = (max(right - left, 4.0), BAR)
    canvas.line((panel.left, middle), (panel.right, middle), opacity=0.12)
    canvas.rect((left, middle - BAR / 2), size, fill=fill, stroke=color, round_by=3, tip=tip)
    canvas.marker(shape, (left - MARKER, middle), color=color, size=5.5, hollow=alert["state"] == "resolved", tip=tip)


def _what(alert: Mapping[str, Any]) -> str:
    """What an alert is about, in a word or two."""
    subject = str(alert["subject"])
    return (subject.partition(": ")[2] or subject).partition(" since ")[0]


def _counted(column: pl.Series, order: Sequence[str]) -> str:
    counts = {word: column.eq(word).sum() for word in order}
    return ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
