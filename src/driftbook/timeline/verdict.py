"""The verdict in a few plain lines: status, what drifted and since when, what was decided, where it is written.

Read first by everybody: at the end of a build, on the index page, in the last notebook. It is rendered from
the journal's entries alone, so it cannot contradict them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from driftbook.tables import SPACE
from driftbook.timeline.journal import Entry, office_in_force

WORDS = {
    "green": "the model is well",
    "amber": "have a look",
    "red": "act now",
}
ACTIONS = {
    "challenge": "challenger version {version} trained on {day}",
    "promote": "version {version} promoted on {day}",
    "retire": "challenger version {version} retired on {day}",
    "rollback": "version {version} put back in office on {day}",
    "fail": "a challenger failed its gate on {day}",
}
ORDERS = {
    "promote": "version {version} promoted by {actor}: {reason}",
    "rollback": "version {version} put back by {actor}: {reason}",
    "retire": "version {version} retired as challenger by {actor}: {reason}",
    "retrain": "a challenger asked for by {actor}: {reason}",
}
PREDICTIONS = frozenset({"prediction", "prediction_score"})
OUTLIER = "outlier"
WHOLE = "all columns"  # what methods on whole batches speak of; no column of the customer either
SHOWN_COLUMNS, SHOWN_SPELLS, SHOWN_CHANGES = 4, 2, 4


def describe_drift(entries: Sequence[Entry]) -> str:
    """What drifted, from when to when.

    Examples
    --------
    >>> calm = {"day": "2026-06-01", "drift": {"alarmed": False, "drifted_columns": []}}
    >>> describe_drift([calm])
    'Drift: none in 1 day.'
    >>> describe_drift([{"day": "2026-05-31", "drift": {"alarmed": True, "drifted_columns": ["age"]}}, calm])
    'Drift: on 2026-05-31 in age; none since.'
    >>> describe_drift([{"day": "2026-06-01", "drift": {"alarmed": False, "drifted_columns": [], "top_excess": None}}])
    'Drift: cannot tell on any of 1 day; the batches, or the reference, are too small.'
    """
    spells = drift_spells(entries)
    blind = sum(1 for entry in entries if entry["drift"].get("top_excess", 0.0) is None)
    if blind == len(entries):
        return f"Drift: cannot tell on any of {_days(blind)}; the batches, or the reference, are too small."
    unjudged = f"; cannot tell on {_days(blind)}" if blind else ""
    if not spells:
        return f"Drift: none in {_days(len(entries) - blind)}{unjudged}."
    told = [f"{_period(spell, entries)} in {_columns(spell)}" for spell in spells[-SHOWN_SPELLS:]]
    earlier = len(spells) - len(told)
    more = f" ({earlier} earlier spell{'' if earlier == 1 else 's'})" if earlier else ""
    calm = "" if spells[-1][-1] is entries[-1] else "; none since"
    return f"Drift: {'; '.join(told)}{calm}{more}{unjudged}."


def describe_changes(entries: Sequence[Entry]) -> str:
    """What was done about it: the latest trainings, promotions and retirements; empty if there was none."""
    told = [
        describe_change(change, day=entry["day"])
        for entry in entries
        for change in [*entry["changes"], *_failed(entry)]
        if change["action"] in {*ACTIONS, *ORDERS}
    ]
    earlier = len(told) - SHOWN_CHANGES
    return "; ".join([*([f"{earlier} earlier changes"] if earlier > 0 else []), *told[-SHOWN_CHANGES:]])


def describe_change(change: Mapping[str, Any], *, day: str) -> str:
    """One change in words; of a person's order also who gave it, and why.

    Examples
    --------
    >>> describe_change({"action": "promote", "version": 2}, day="2026-06-09")
    'version 2 promoted on 2026-06-09'
    >>> order = {"action": "rollback", "version": 1, "actor": "ann", "reason": "complaints"}
    >>> describe_change(order, day="2026-06-12")
    'version 1 put back by ann: complaints (from 2026-06-12)'
    """
    if change.get("actor"):
        told = ORDERS[change["action"]].format(**{**change, "reason": str(change["reason"]).rstrip(".")})
        return f"{told} (from {day})"
    return ACTIONS[change["action"]].format(day=day, **change)


def short_answer(title: str, status: str, *, as_of: date) -> str:
    """The answer where a badge beside it already says the status."""
    return f"{title}, {as_of}: {WORDS[status]}"


def headline(title: str, status: str, *, as_of: date) -> str:
    """The answer in one line."""
    return f"{title}, {as_of}: {status.upper()}, {WORDS[status]}."


def verdict_sentences(entries: Sequence[Entry], *, orders: Sequence[Entry] = ()) -> list[str]:
    """What drifted, whether accuracy fell, what was done and decided and why, who is in office: a sentence each.

    Parameters
    ----------
    orders
        What persons ordered since the last day.
    """
    last = entries[-1]
    changes, decision, office = describe_changes(entries), last["decision"], office_in_force(last, orders)
    model = f"Model in use: version {office['champion']}"
    if office["challenger"]:
        model += f"; version {office['challenger']} is its challenger"
    return [
        describe_drift(entries),
        *_lapse(last),
        *_doubt(last),
        *([f"Done: {changes}."] if changes else []),
        f"Decided for {last['day']}: {decision['action']}. {decision['reasons'][0]}",
        *describe_watch(last),
        *(f"Ordered since: {describe_order(order)}." for order in orders),
        f"{model}.",
    ]


def describe_watch(entry: Entry) -> list[str]:
    """What was seen of a promoted champion that is watched; nothing where nobody is.

    Examples
    --------
    >>> describe_watch({"watch": {"reasons": ["Version 2 is watched against version 1 before it."]}})
    ['Version 2 is watched against version 1 before it.']
    >>> describe_watch({"watch": None})
    []
    """
    watch = entry.get("watch")
    return [watch["reasons"][0]] if watch else []


def printed(summary: Mapping[str, Any]) -> str:
    """A summary as a build ends with it: headline, sentences, and where to read on."""
    return "\n".join([summary["headline"], *summary["verdict"], f"Report: {summary['report']}"])


def describe_order(order: Entry) -> str:
    """An order that no day took over yet, in words."""
    return describe_change(order["changes"][0], day="the day after " + order["day"])


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _lapse(last: Entry) -> list[str]:
    """That the accuracy known by now lies below its limit; nothing to say otherwise."""
    seen = last.get("accuracy")
    if not seen or not seen["fell"]:
        return []
    value, limit = (f"{100 * seen[name]:.1f}{SPACE}%" for name in ("value", "limit"))
    return [f"Accuracy: {value} on the latest {seen['rows']:,} rows with known targets, below its limit of {limit}."]


def _doubt(last: Entry) -> list[str]:
    """That accuracy is estimated below its limit, or can no longer be estimated; nothing to say otherwise."""
    seen = last.get("estimate")
    if not seen:
        return []
    if seen["withdrawn"]:
        since, known = seen["withdrawn"]["since"], seen["withdrawn"]["known_on"]
        return [f"Estimates: withdrawn since {since}, because targets known on {known} contradict them."]
    if not seen["fell"]:
        return []
    value, limit = (f"{100 * seen[name]:.1f}{SPACE}%" for name in ("value", "limit"))
    return [f"Estimated accuracy: {value} since {seen['first_batch']}, no targets yet, below its limit of {limit}."]


def _failed(entry: Entry) -> list[dict[str, Any]]:
    trained = entry["trained"]
    return [{"action": "fail"}] if trained and not trained["passed"] else []


def _period(spell: Sequence[Entry], entries: Sequence[Entry]) -> str:
    first, last = spell[0]["day"], spell[-1]["day"]
    if spell[-1] is entries[-1]:
        return f"since {first} (still there)"
    return f"on {first}" if first == last else f"from {first} to {last}"


def _columns(spell: Sequence[Entry]) -> str:
    """The columns that drifted most often, and whether the predictions did."""
    columns = _by_frequency(spell)
    features = [name for name in columns if name not in {*PREDICTIONS, OUTLIER, WHOLE}]
    hidden = len(features) - SHOWN_COLUMNS
    parts = features[:SHOWN_COLUMNS] + ([f"{hidden} more column{'' if hidden == 1 else 's'}"] if hidden > 0 else [])
    parts += ["the predictions"] if PREDICTIONS & set(columns) else []
    parts += ["the share of suspicious rows"] if OUTLIER in columns else []
    parts += ["the batch as a whole"] if not parts else []
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def drift_spells(entries: Sequence[Entry]) -> list[list[Entry]]:
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
