"""The verdict in a few plain lines: status, what drifted and since when, what was decided, where it is written.

Read first by everybody: at the end of a build, on the index page, in the last notebook. It is rendered from
the journal's entries alone, so it cannot contradict them.
"""

from __future__ import annotations

from collections.abc import Sequence

from driftbook.timeline.journal import Entry

WORDS = {
    "green": "the model is well",
    "amber": "have a look",
    "red": "act now",
}
ACTIONS = {
    "challenge": "challenger version {version} trained",
    "promote": "version {version} promoted to champion",
    "retire": "challenger version {version} retired, the champion is kept",
}
SHOWN_COLUMNS = 4


def describe_drift(entries: Sequence[Entry]) -> str:
    """What drifted and since when.

    Examples
    --------
    >>> describe_drift([{"day": "2026-06-01", "drift": {"alarmed": False, "drifted_columns": []}}])
    'No drift: none of 1 days alarmed.'
    """
    spells = _spells(entries)
    if not spells:
        return f"No drift: none of {len(entries)} days alarmed."
    sentences = []
    for spell in spells[-2:]:
        columns = _by_frequency(spell)
        shown = ", ".join(columns[:SHOWN_COLUMNS])
        more = f" and {len(columns) - SHOWN_COLUMNS} more" if len(columns) > SHOWN_COLUMNS else ""
        until = "still standing" if spell[-1] is entries[-1] else f"until {spell[-1]['day']}"
        sentences.append(f"drift in {shown}{more} since {spell[0]['day']} ({until})")
    earlier = f"{len(spells) - 2} earlier spells, then " if len(spells) > len(sentences) else ""
    text = earlier + "; ".join(sentences) + "."
    return text[0].upper() + text[1:]


def describe_decisions(entries: Sequence[Entry]) -> str:
    """What was decided when, and what the last day decided."""
    told = [
        f"{entry['day']} {ACTIONS[change['action']].format(**change)}"
        for entry in entries
        for change in entry["changes"]
        if change["action"] in ACTIONS
    ]
    told += [
        f"{entry['day']} a challenger failed its gate"
        for entry in entries
        if entry["trained"] and not entry["trained"]["passed"]
    ]
    last = entries[-1]["decision"]
    today = f"{entries[-1]['day']} {last['action']}: {last['reasons'][0]}"
    if entries[-1]["changes"]:
        today = ""
    return "; ".join(filter(None, [*sorted(told), today])).rstrip(".") + "."


def verdict_lines(title: str, status: str, entries: Sequence[Entry], *, report: str) -> list[str]:
    """The verdict, one sentence a line."""
    office = entries[-1]["office"]
    champion = f"Champion: version {office['champion']}"
    if office["challenger"]:
        champion += f", challenger: version {office['challenger']}"
    return [
        f"{title}, {entries[-1]['day']}: {status.upper()}, {WORDS[status]}.",
        describe_drift(entries),
        f"{champion}.",
        f"Decided: {describe_decisions(entries)}",
        f"Report: {report}/ (all reports: reports/index.html)",
    ]


def _spells(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Runs of alarmed days; a single quiet day does not end one."""
    spells: list[list[Entry]] = []
    quiet = 2
    for entry in entries:
        if entry["drift"]["alarmed"]:
            if quiet > 1:
                spells.append([])
            spells[-1].append(entry)
            quiet = 0
        else:
            quiet += 1
    return spells


def _by_frequency(spell: Sequence[Entry]) -> list[str]:
    counts: dict[str, int] = {}
    for entry in spell:
        for column in entry["drift"]["drifted_columns"]:
            counts[column] = counts.get(column, 0) + 1
    return sorted(counts, key=lambda column: (-counts[column], column))
