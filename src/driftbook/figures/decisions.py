"""Figures of decisions: champion against challenger."""

from __future__ import annotations

import polars as pl

from driftbook.figures.canvas import (
    BLUE,
    ORANGE,
    ROSE,
    TEAL,
    Canvas,
    Figure,
    notice,
    round_ticks,
)
from driftbook.figures.panel import over_batches, tick_labels
from driftbook.tables import Format, format_value
from driftbook.words import plain


def comparison(
    days: pl.DataFrame,
    sequence: pl.DataFrame,
    *,
    metric: str = "accuracy",
    margin: float = 0.0,
    names: tuple[str, str] = ("champion", "challenger"),
) -> Figure:
    """Both models day by day, and below it the mean difference with its confidence sequence.

    Parameters
    ----------
    days
        One row per labelled day: ``batch_id, rows`` and either ``champion_correct, challenger_correct`` (counts) or
        ``champion, challenger`` (the metric of that day).
    sequence
        As of the same days: ``mean, low, high`` of the difference (positive: the challenger is better).
    metric
        Which metric these are; accuracy is shown in percent.
    margin
        What the policy asks of the challenger.
    names
        How to call the two.
    """
    title = f"{names[0].capitalize()} against {names[1]}"
    if days.is_empty():
        return notice(title, "No labelled day yet that both models have scored.")
    daily = _shares(days).hstack(sequence.select("mean", "low", "high"))
    ids = daily["batch_id"].to_list()
    canvas = Canvas(height=520)
    canvas.heading(
        title, "Above: each labelled day. Below: mean difference so far; its band holds however often one looks."
    )
    as_share = metric == "accuracy"
    _days(canvas, daily, ids, label=plain(metric), names=names, format="percent" if as_share else "auto")
    _difference(canvas, daily, ids, margin=margin, as_share=as_share)
    last = daily.row(-1, named=True)
    ends = (_amount(last[name], as_share) for name in ("mean", "low", "high"))
    words = "{} better so far, between {} and {}".format(*ends)
    who = f"the {names[1]}" if names[1] == "challenger" else names[1]
    return canvas.figure(title, f"{len(ids)} labelled day{'' if len(ids) == 1 else 's'}; {who} is {words}.")


def _days(
    canvas: Canvas, daily: pl.DataFrame, ids: list[str], *, label: str, names: tuple[str, str], format: Format
) -> None:
    sides = [daily[who].to_list() for who in ("champion", "challenger")]
    every = [value for side in sides for value in side]
    room = max((max(every) - min(every)) * 0.12, 0.004)
    panel = over_batches(canvas, ids, y=(min(every) - room, max(every) + room), top=76, height=180, right=128)
    panel.y_axis(label, format=format)
    styles = (("square", TEAL, "6 4"), ("circle", ORANGE, ""))
    ends = [panel.py(side[-1]) for side in sides]
    beside = panel.px(len(ids) - 1) + 14
    apart = max(8 - abs(ends[0] - ends[1]) / 2, 0)
    for number, (side, name) in enumerate(zip(sides, names, strict=True)):
        shape, color, dash = styles[number]
        places = [(panel.px(index), panel.py(value)) for index, value in enumerate(side)]
        canvas.path(places, color=color, dash=dash)
        for place, value, batch_id in zip(places, side, ids, strict=True):
            tip = f"{batch_id}, {name}: {format_value(value, format=format)}"
            canvas.marker(shape, place, color=color, size=4, tip=tip)
        upper = ends[number] < ends[1 - number] or (ends[0] == ends[1] and number == 1)
        panel.beside(ends[number], name, css="b", gap=beside - panel.right, lower=-apart if upper else apart)
    panel.batches(ids)


def _difference(canvas: Canvas, daily: pl.DataFrame, ids: list[str], *, margin: float, as_share: bool) -> None:
    means = daily["mean"].to_list()
    least = max(4 * max(abs(value) for value in (*means, margin)), 0.005)
    low = max(min(*daily["low"].to_list(), *means, 0.0), -least) * 1.06
    high = min(max(*daily["high"].to_list(), *means, margin), least) * 1.06
    panel = over_batches(canvas, ids, y=(low, high), top=328, height=156, right=128)
    scale = 100 if as_share else 1
    ticks = round_ticks(low * scale, high * scale, count=5)
    labels = dict(zip(ticks, tick_labels(ticks), strict=True))
    panel.y_axis(
        "difference, points" if as_share else "difference",
        ticks=[tick / scale for tick in ticks],
        show=lambda value: labels[min(ticks, key=lambda tick: abs(tick - value * scale))],
    )
    edges = {name: [(panel.px(index), panel.py(v)) for index, v in enumerate(daily[name])] for name in ("low", "high")}
    canvas.area([*edges["low"], *reversed(edges["high"])], fill=BLUE, opacity=0.2)
    for edge in edges.values():
        canvas.path(edge, color=BLUE, width=1, dash="2 2")
    places = [(panel.px(index), panel.py(value)) for index, value in enumerate(means)]
    canvas.path(places, color=BLUE, width=2.2)
    canvas.line((panel.left, panel.py(0)), (panel.right, panel.py(0)), width=1.4, opacity=0.75)
    apart = max(8 - abs(panel.py(0) - panel.py(margin)) / 2, 0) if margin else 0
    if canvas.sheet.room(1, 0):  # where there is no margin for both names, the axis says which line is zero
        panel.beside(panel.py(0), "no difference", css="d", gap=14, lower=apart)
    if margin:
        canvas.line((panel.left, panel.py(margin)), (panel.right, panel.py(margin)), color=ROSE, width=1.5, dash="6 4")
        panel.beside(panel.py(margin), f"asked: {_amount(margin, as_share)}", gap=14, lower=-apart)
    for place, row in zip(places, daily.iter_rows(named=True), strict=True):
        canvas.line((place[0], panel.py(row["low"])), (place[0], panel.py(row["high"])), color=BLUE, opacity=0.45)
        ends = (_amount(row[name], as_share) for name in ("mean", "low", "high"))
        canvas.marker(
            "circle", place, color=BLUE, size=3.4, tip="{}: {}, between {} and {}".format(row["batch_id"], *ends)
        )
    panel.batches(ids)


def _shares(days: pl.DataFrame) -> pl.DataFrame:
    """The metric of both, from counts of right decisions where only these are given."""
    sides = ("champion", "challenger")
    given = [
        pl.col(who) if who in days.columns else (pl.col(f"{who}_correct") / pl.col("rows").clip(1)).alias(who)
        for who in sides
    ]
    return days.select("batch_id", *given)


def _amount(value: float, as_share: bool) -> str:
    if not as_share:
        return format_value(value)
    points = round(100 * value, 2)
    return f"{format_value(points)} point{'' if points == 1 else 's'}"
