"""The whole story on one strip: alarms, who was champion and challenger, and what was decided when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftbook.figures.canvas import BLUE, GREY, ORANGE, PAPER, ROSE, TEAL, Canvas, Figure, batch_label, notice
from driftbook.figures.letters import text_width
from driftbook.figures.panel import Panel, over_batches
from driftbook.figures.sheet import current_sheet
from driftbook.words import CHANGES

STORY_LEFT, STORY_RIGHT = 88, 24
_Span = tuple[tuple[float, float], float]  # from where to where a name runs, and where its mark is
EVENTS = {
    "appoint": ("circle", BLUE),
    "challenge": ("triangle", ORANGE),
    "promote": ("diamond", TEAL),
    "retire": ("cross", GREY),
    "rollback": ("square", ROSE),
}


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
    """A line for each name, so that neighbours do not meet, none leaves the sheet and few are crossed."""
    spans: list[_Span] = []
    names: list[tuple[str, bool]] = []
    for index, change in changes:
        word = CHANGES.get(str(change["action"]), str(change["action"]))
        who = f"v{change['version']} " if change["version"] is not None else ""
        text = f"{who}{word}, {batch_label(ids[index])}"
        place = STORY_LEFT + (index + 0.5) / len(ids) * (width - STORY_LEFT - STORY_RIGHT)
        room = text_width(text) + 18
        leftward = place + room > width - 4
        spans.append(((place - room, place + 6) if leftward else (place - 6, place + room), place))
        names.append((text, leftward))
    rows = min((_rows(spans, order) for order in (-1, 1)), key=lambda rows: _crossings(spans, rows))
    return [_Name(text, row, leftward) for (text, leftward), row in zip(names, rows, strict=True)]


def _rows(spans: Sequence[_Span], order: int) -> list[int]:
    """The lowest line on which each meets no other; ``order`` -1 begins at the newest."""
    taken: list[list[tuple[float, float]]] = []
    rows = [0] * len(spans)
    for number, (span, _) in list(enumerate(spans))[::order]:
        free = [all(span[1] <= low or span[0] >= high for low, high in line) for line in taken]
        rows[number] = free.index(True) if True in free else len(taken)
        taken += [[]] if rows[number] == len(taken) else []
        taken[rows[number]].append(span)
    return rows


def _crossings(spans: Sequence[_Span], rows: Sequence[int]) -> int:
    """How often the line that falls from a name runs through another name below it."""
    lines = [(place, row) for (_, place), row in zip(spans, rows, strict=True)]
    return sum(
        low + 6 < place < high - 6 and above > row
        for ((low, high), _), row in zip(spans, rows, strict=True)
        for place, above in lines
    )


def _changes(panel: Panel, changes: Sequence[tuple[int, Mapping[str, Any]]], names: Sequence[_Name]) -> None:
    """A mark and its name per change; all lines first, and none through a name."""
    canvas = panel.canvas
    styles = [EVENTS.get(str(change["action"]), ("circle", GREY)) for _, change in changes]
    places = [
        (panel.px(index), panel.top - 10 - 17 * name.row) for (index, _), name in zip(changes, names, strict=True)
    ]
    for (place, height), (_, color) in zip(places, styles, strict=True):
        canvas.line((place, height), (place, panel.bottom), color=color, width=1.3, dash="2 3")
    for (place, height), name in zip(places, names, strict=True):
        room = text_width(name.text) + 4
        left = place - 7 - room if name.leftward else place + 7
        if any(left < other < left + room and above < height for other, above in places):
            canvas.rect((left, height - 10), (room, 14), fill=PAPER)  # a line that passes is behind the name
    for (place, height), (shape, color), name, (_, change) in zip(places, styles, names, changes, strict=True):
        canvas.marker(shape, (place, height - 3), color=color, size=4.5, tip=str(change.get("reason") or name.text))
        anchor = "end" if name.leftward else "start"
        canvas.text(place + (-9 if name.leftward else 9), height + 1, name.text, anchor=anchor, css="h")


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
