"""Figures of decisions: champion against challenger, and the whole story on one strip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from driftbook.figures.canvas import (
    BLUE,
    CHARACTER,
    GREY,
    ORANGE,
    ROSE,
    TEAL,
    Canvas,
    Figure,
    batch_label,
    notice,
    round_ticks,
)
from driftbook.figures.panel import Panel, over_batches, tick_labels
from driftbook.figures.sheet import current_sheet
from driftbook.tables import Format, format_value
from driftbook.words import CHANGES, plain

STORY_LEFT, STORY_RIGHT = 88, 24
EVENTS = {
    "appoint": ("circle", BLUE),
    "challenge": ("triangle", ORANGE),
    "promote": ("diamond", TEAL),
    "retire": ("cross", GREY),
    "rollback": ("square", ROSE),
}


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


def story(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """The whole stream on one strip: alarms, who was champion and challenger, and what was decided when.

    Parameters
    ----------
    entries
        One per batch, in order: ``batch_id``, ``drift`` (with ``alarmed``), ``office`` after that batch
        (``champion``, ``challenger``) and ``changes`` (``action``, ``version``, ``reason``).

    Examples
    --------
    >>> day = {"batch_id": "2026-05-17", "drift": {"alarmed": False}, "office": {"champion": 1}, "changes": []}
    >>> story([day])
    Figure: The story so far. 1 batch, 0 alarmed; champion is version 1.
    """
    title = "The story so far"
    if not entries:
        return notice(title, "No batch of the stream has been judged yet.")
    ids = [str(entry["batch_id"]) for entry in entries]
    changes = [(index, change) for index, entry in enumerate(entries) for change in entry.get("changes") or []]
    names = _names(changes, ids, width=current_sheet().width)
    top = 66 + 17 * (max(name.row for name in names) + 1 if names else 0)
    canvas = Canvas(height=top + 142)
    canvas.heading(
        title,
        "Rose diamonds: alarmed; question marks: cannot tell. Bars: version in office. Marks above: what was decided.",
    )
    panel = over_batches(canvas, ids, y=(0, 1), top=top, height=104, left=STORY_LEFT, right=STORY_RIGHT)
    alarmed = _alarms(panel, entries)
    _lane(panel, entries, who="champion", top=top + 38, color=TEAL)
    _lane(panel, entries, who="challenger", top=top + 72, color=ORANGE)
    _changes(panel, changes, names)
    panel.batches(ids)
    champion = (entries[-1].get("office") or {}).get("champion")
    count = f"{len(ids)} batch{'' if len(ids) == 1 else 'es'}"
    return canvas.figure(title, f"{count}, {alarmed} alarmed; champion is version {champion}.")


@dataclass(frozen=True)
class _Name:
    """What a change is called in the story, the line its name goes on, and whether that runs to the left."""

    text: str
    row: int
    leftward: bool


def _names(changes: Sequence[tuple[int, Mapping[str, Any]]], ids: Sequence[str], *, width: float) -> list[_Name]:
    """A line for each name, so that neighbours do not meet and none leaves the sheet."""
    taken: list[list[tuple[float, float]]] = []
    names = []
    for index, change in changes:
        word = CHANGES.get(str(change["action"]), str(change["action"]))
        who = f"v{change['version']} " if change["version"] is not None else ""
        text = f"{who}{word}, {batch_label(ids[index])}"
        place = STORY_LEFT + (index + 0.5) / len(ids) * (width - STORY_LEFT - STORY_RIGHT)
        room = CHARACTER * len(text) + 14
        leftward = place + room > width - 4
        span = (place - room, place + 6) if leftward else (place - 6, place + room)
        free = [all(span[1] <= low or span[0] >= high for low, high in line) for line in taken]
        row = free.index(True) if True in free else len(taken)
        taken += [[]] if row == len(taken) else []
        taken[row].append(span)
        names.append(_Name(text, row, leftward))
    return names


def _changes(panel: Panel, changes: Sequence[tuple[int, Mapping[str, Any]]], names: Sequence[_Name]) -> None:
    """A mark and its name per change; all lines first, so that none crosses a name."""
    canvas = panel.canvas
    styles = [EVENTS.get(str(change["action"]), ("circle", GREY)) for _, change in changes]
    places = [
        (panel.px(index), panel.top - 10 - 17 * name.row) for (index, _), name in zip(changes, names, strict=True)
    ]
    for (place, height), (_, color) in zip(places, styles, strict=True):
        canvas.line((place, height), (place, panel.bottom), color=color, width=1.3, dash="2 3")
    for (place, height), (shape, color), name, (_, change) in zip(places, styles, names, changes, strict=True):
        canvas.marker(shape, (place, height - 3), color=color, size=4.5, tip=str(change.get("reason") or name.text))
        anchor = "end" if name.leftward else "start"
        canvas.text(place + (-9 if name.leftward else 9), height + 1, name.text, anchor=anchor, css="h")


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


def _alarms(panel: Panel, entries: Sequence[Mapping[str, Any]]) -> int:
    middle, alarmed = panel.top + 16, 0
    panel.canvas.text(panel.left - 10, middle + 4, "drift", anchor="end", css="d")
    for index, entry in enumerate(entries):
        drift = entry.get("drift") or {}
        rang = bool(drift.get("alarmed"))
        alarmed += rang
        blind = not rang and "top_excess" in drift and drift["top_excess"] is None
        tip = f"{entry['batch_id']}: {'alarmed' if rang else 'cannot tell' if blind else 'quiet'}"
        tip += f", strongest {drift['top_column']}" if drift.get("top_column") else ""
        if blind:
            panel.canvas.text(panel.px(index), middle + 4, "?", anchor="middle", css="d", tip=tip)
            continue
        shape, color, size = ("diamond", ROSE, 4.6) if rang else ("circle", GREY, 2.2)
        panel.canvas.marker(shape, (panel.px(index), middle), color=color, size=size, tip=tip)
    return alarmed


def _lane(panel: Panel, entries: Sequence[Mapping[str, Any]], *, who: str, top: float, color: str) -> None:
    """Bars of the versions in an office, from the batch after they took it."""
    panel.canvas.text(panel.left - 10, top + 15, who, anchor="end", css="d")
    versions = [(entry.get("office") or {}).get(who) for entry in entries]
    start = 0
    for index in range(1, len(versions) + 1):
        if index < len(versions) and versions[index] == versions[start]:
            continue
        version = versions[start]
        if version is not None:
            left, right = panel.px(start - 0.5), panel.px(index - 0.5)
            tip = f"version {version}: {entries[start]['batch_id']} to {entries[index - 1]['batch_id']}"
            size = (right - left - 2, 22.0)
            panel.canvas.rect((left + 1, top), size, fill=color, opacity=0.28, round_by=4, tip=tip)
            panel.canvas.rect((left + 1, top), size, stroke=color, round_by=4)
            panel.canvas.text((left + right) / 2, top + 15, f"v{version}", anchor="middle", css="b", tip=tip)
        start = index


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
