"""One difference seen in several ways: the interval that decides, and the familiar ones beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from driftbook.figures.canvas import BLUE, GREY, ORANGE, ROSE, Canvas, Figure, notice, round_ticks
from driftbook.figures.letters import shorten
from driftbook.figures.panel import Panel, tick_labels
from driftbook.tables import format_value
from driftbook.words import plain

LEFT, RIGHT, LINE, GAP = 218.0, 184.0, 26.0, 62.0


def difference_views(views: Sequence[Mapping[str, Any]], *, metric: str = "accuracy", margin: float = 0.0) -> Figure:
    """Each view's difference with its interval, one line a view and one scale a metric.

    Parameters
    ----------
    views
        ``view, metric, difference, low, high`` (positive: the challenger is better; None: cannot be told), and
        ``decides`` and ``expected`` where a view is what the decision rests on, or what would have been seen.
    metric
        The policy's metric: its scale comes first and carries the margin.
    margin
        What the policy asks of the challenger.

    Examples
    --------
    >>> difference_views([{"view": "mcnemar", "metric": "accuracy", "difference": 0.03, "low": 0.01, "high": 0.05}])
    Figure: The same difference in several ways. accuracy: McNemar 3.00 points better, between 1.00 and 5.00.
    """
    title = "The same difference in several ways"
    told = [each for each in views if each["difference"] is not None]
    if not told:
        return notice(title, "No labelled row yet that both models have scored.")
    metrics = sorted({each["metric"] for each in told}, key=lambda name: (name != metric, name))
    groups = [(name, [each for each in told if each["metric"] == name]) for name in metrics]
    canvas = Canvas(height=62 + sum(GAP + LINE * len(lines) for _, lines in groups))
    canvas.heading(
        title,
        "Challenger minus champion. Square: what decides, on any day. Circles: 95 % intervals, for one look only.",
    )
    top = 76.0
    for name, lines in groups:
        _group(canvas, name, lines, top=top, margin=margin if name == metric else 0.0)
        top += GAP + LINE * len(lines)
    words = "; ".join(f"{plain(name)}: {_said(name, lines[0])}" for name, lines in groups)
    return canvas.figure(title, f"{words}.")


def _group(canvas: Canvas, metric: str, lines: list[Mapping[str, Any]], *, top: float, margin: float) -> None:
    scale = 100.0 if metric == "accuracy" else 1.0
    ends = [each[name] for each in lines for name in ("low", "difference", "high") if each[name] is not None]
    low, high = min(*ends, 0.0, margin), max(*ends, 0.0, margin)
    room = max((high - low) * 0.06, 0.0005)
    left, right = canvas.sheet.room(LEFT, 124), canvas.sheet.room(RIGHT, 62)
    panel = Panel(canvas, left, top, canvas.width - left - right, LINE * len(lines), (low - room, high + room), (0, 1))
    unit = "points" if metric == "accuracy" else "better is positive"
    canvas.text(8, top - 9, f"{plain(metric)[0].upper()}{plain(metric)[1:]}, {unit}", css="b")
    ticks = round_ticks((low - room) * scale, (high + room) * scale, count=6 if metric == "accuracy" else 4)
    for tick, text in zip(ticks, tick_labels(ticks), strict=True):
        place = panel.px(tick / scale)
        canvas.line((place, panel.top), (place, panel.bottom), opacity=0.13)
        canvas.text(place, panel.bottom + 15, text, anchor="middle", css="d")
    canvas.line((panel.px(0), panel.top - 4), (panel.px(0), panel.bottom), width=1.4, opacity=0.75)
    if margin:
        place = panel.px(margin)
        canvas.line((place, panel.top - 4), (place, panel.bottom), color=ROSE, width=1.5, dash="6 4")
        canvas.text(place, panel.top - 9, f"asked: {format_value(margin * scale)}", anchor="middle")
    for number, each in enumerate(lines):
        _line(panel, each, metric, middle=panel.top + LINE * (number + 0.5))


def _line(panel: Panel, each: Mapping[str, Any], metric: str, *, middle: float) -> None:
    canvas, decides, expected = panel.canvas, bool(each.get("decides")), bool(each.get("expected"))
    color = BLUE if decides else GREY if expected else ORANGE
    said = _said(metric, each)
    canvas.text(
        8, middle + 4, shorten(_name(each), width=panel.left - 12, bold=decides), css="b" if decides else "", tip=said
    )
    if each["low"] is not None:
        ends = [(panel.px(each[name]), middle) for name in ("low", "high")]
        canvas.line(*ends, color=color, width=3.2 if decides else 2.0, dash="5 4" if expected else "", tip=said)
        for end, _ in ends:
            canvas.line((end, middle - 5), (end, middle + 5), color=color, width=2)
    shape = "square" if decides else "circle"
    place = (panel.px(each["difference"]), middle)
    numbers = _numbers(metric, each, ends=bool(canvas.sheet.room(1, 0)))
    canvas.marker(shape, place, color=color, size=4.6, hollow=not decides, tip=said)
    canvas.text(canvas.width - 8, middle + 4, numbers, anchor="end", css="b" if decides else "d")


def _name(each: Mapping[str, Any]) -> str:
    name = plain(each["view"])
    return f"{name}, not run" if each.get("expected") else f"{name}, decides" if each.get("decides") else name


def _numbers(metric: str, each: Mapping[str, Any], *, ends: bool) -> str:
    value, low, high = (_shown(metric, each[name]) for name in ("difference", "low", "high"))
    return f"{value} ({low} to {high})" if ends and each["low"] is not None else value


def _said(metric: str, each: Mapping[str, Any]) -> str:
    value, low, high = (_shown(metric, each[name]) for name in ("difference", "low", "high"))
    unit = " points" if metric == "accuracy" else ""
    between = f", between {low} and {high}" if each["low"] is not None else ""
    return f"{plain(each['view'])} {value}{unit} better{between}"


def _shown(metric: str, value: float | None) -> str:
    """Points of accuracy to a hundredth, other metrics to a ten-thousandth: aligned, and no more than can be meant."""
    if value is None:
        return format_value(None)
    text = f"{100 * value:.2f}" if metric == "accuracy" else f"{value:.4f}"
    return text.replace("-", "−")
