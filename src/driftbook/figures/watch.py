"""The watch over a promoted champion: what it gains or loses against the one before, and the odds for going back."""

from __future__ import annotations

import math

import polars as pl

from driftbook.figures.canvas import BLUE, GREY, ROSE, TEAL, Canvas, Figure, notice, round_ticks
from driftbook.figures.panel import MAX_BATCHES, Panel, over_batches
from driftbook.tables import format_value
from driftbook.words import plain

# odds beyond these are drawn at the edge: below, nothing speaks for going back; above, it is long decided
LEAST_ODDS, MOST_ODDS = -2.0, 6.0
MARGIN_RIGHT = 128.0


def champion_watch(days: pl.DataFrame, *, metric: str = "accuracy", margin: float = 0.0) -> Figure:
    """Above, what the champion lost against the one before on each labelled day; below, the evidence for going back.

    Parameters
    ----------
    days
        One row a labelled day (``decisions.rollback.daily_watch``): ``batch_id``, ``difference`` (positive: the one
        before is better), and as of that day ``log_evidence``, ``log_evidence_needed``.
    metric
        Which metric the difference is of; accuracy is shown in points.
    margin
        What must be lost on average since the turn before the champion is taken back.

    Examples
    --------
    >>> day = {"batch_id": "2026-06-10", "difference": -0.01, "log_evidence": -0.5, "log_evidence_needed": 4.6}
    >>> champion_watch(pl.DataFrame([day]), margin=0.01)
    Figure: The promoted champion under watch. 1 labelled day; evidence for going back 0.607 to 1, 99.5 to 1 needed.
    """
    title = "The promoted champion under watch"
    if days.is_empty():
        return notice(title, "There is no labelled day of a champion that is watched.")
    days = days.tail(MAX_BATCHES)
    ids = days["batch_id"].to_list()
    canvas = Canvas(height=500)
    canvas.heading(
        title,
        "Above: teal triangles, it does better than the one before; rose diamonds, worse. Below: odds for going back.",
    )
    _daily(canvas, days, ids, metric=metric, margin=margin)
    _evidence(canvas, days, ids)
    last, count = days.row(-1, named=True), f"{len(ids)} labelled day{'' if len(ids) == 1 else 's'}"
    seen, needed = (odds(last[name]) for name in ("log_evidence", "log_evidence_needed"))
    return canvas.figure(title, f"{count}; evidence for going back {seen} to 1, {needed} to 1 needed.")


def _daily(canvas: Canvas, days: pl.DataFrame, ids: list[str], *, metric: str, margin: float) -> None:
    """What the champion gained on each day: upwards it is better."""
    scale = 100.0 if metric == "accuracy" else 1.0
    gains = [-scale * lost for lost in days["difference"].to_list()]
    low, high = min(*gains, -scale * margin, 0.0), max(*gains, 0.0)
    room = max((high - low) * 0.12, 0.002 * scale)
    panel = over_batches(canvas, ids, y=(low - room, high + room), top=78, height=160, right=MARGIN_RIGHT)
    unit = "points" if metric == "accuracy" else "better is up"
    panel.y_axis(f"{plain(metric)} against the one before, {unit}")
    canvas.line((panel.left, panel.py(0)), (panel.right, panel.py(0)), width=1.4, opacity=0.75)
    if canvas.sheet.room(1, 0):  # where there is no margin for both names, the axis says which line is zero
        panel.beside(panel.py(0), "no difference", css="d", gap=8)
    if margin:
        height = panel.py(-scale * margin)
        canvas.line((panel.left, height), (panel.right, height), color=ROSE, width=1.5, dash="6 4")
        apart = 12 if abs(height - panel.py(0)) < 14 else 0
        panel.beside(height, f"margin: {format_value(-margin * scale)}", gap=8, lower=apart)
    for index, (batch_id, gain) in enumerate(zip(ids, gains, strict=True)):
        shape, color = ("triangle", TEAL) if gain >= 0 else ("diamond", ROSE)
        place = (panel.px(index), panel.py(gain))
        canvas.line((place[0], panel.py(0)), place, color=color, width=1.4, opacity=0.6)
        tip = f"{batch_id}: {'gained' if gain >= 0 else 'lost'} {format_value(abs(round(gain, 4)))}"
        canvas.marker(shape, place, color=color, size=3.8, tip=tip)
    panel.batches(ids)


def _evidence(canvas: Canvas, days: pl.DataFrame, ids: list[str]) -> None:
    """Odds for going back, each step up ten times more."""
    powers = [min(max(value / math.log(10), LEAST_ODDS), MOST_ODDS) for value in days["log_evidence"].to_list()]
    needed = float(days["log_evidence_needed"][-1]) / math.log(10)
    span = (min(*powers, -1.0), max(*powers, needed) + 0.35)
    panel = over_batches(canvas, ids, y=span, top=306, height=150, right=MARGIN_RIGHT)
    ticks = [tick for tick in round_ticks(*span, count=5) if tick == round(tick)]
    panel.y_axis("evidence for going back, to 1", ticks=ticks, show=lambda power: f"{10**power:,g}")
    limit = panel.py(needed)
    canvas.line((panel.left, limit), (panel.right, limit), color=ROSE, width=1.5, dash="6 4")
    panel.beside(limit, f"needed: {odds(needed * math.log(10))}", gap=8)
    places = [(panel.px(index), panel.py(power)) for index, power in enumerate(powers)]
    canvas.path(places, color=BLUE, width=2.2)
    for place, batch_id, value in zip(places, ids, days["log_evidence"].to_list(), strict=True):
        reached = value >= needed * math.log(10)
        shape, color = ("square", ROSE) if reached else ("circle", BLUE)
        canvas.marker(shape, place, color=color, size=3.6, tip=f"{batch_id}: {odds(value)} to 1")
    panel.batches(ids)
    _shade(panel, limit)


def _shade(panel: Panel, limit: float) -> None:
    panel.canvas.rect((panel.left, panel.top), (panel.width, limit - panel.top), fill=GREY, opacity=0.1)


def odds(logarithm: float) -> str:
    """Odds as people say them: three digits, no more than a million."""
    odds = math.exp(min(logarithm, math.log(1e6)))
    return f"{odds:,.0f}" if odds >= 999.5 else format_value(odds)
