"""Champion and challenger: who is in office, how the comparison goes, what speaks for going back, and who changed what.

All of it is rendered from the journal as it was known on the day, under the policy that decided then, by the same
functions as the report: a page never contradicts a decision.
"""

from __future__ import annotations

import math
from datetime import date
from functools import lru_cache
from typing import Any

import polars as pl

from driftbook.dashboard.known import Known
from driftbook.dashboard.ordering import ACTIONS
from driftbook.dashboard.page import Card, Page
from driftbook.dashboard.parts import Tile, fitted, note, sentences, show, tiles
from driftbook.dashboard.pictures import picture
from driftbook.dashboard.state import Selection
from driftbook.decisions.split import Split, expected_split
from driftbook.errors import StateError
from driftbook.figures import champion_watch, comparison
from driftbook.figures.watch import odds
from driftbook.tables import SPACE, badge, format_value, prose, table
from driftbook.timeline.duel import Duel, Watched, last_comparison, last_watch
from driftbook.timeline.verdict import describe_order
from driftbook.words import CHANGES

SHOWN_VERSIONS, SHOWN_CHANGES = 12, 40
WAITS = "Version {} waits for outcomes on which it can be compared with the champion."
OFFICES = ("champion", "challenger", "previous")


def _standing(known: Known, selection: Selection) -> str:
    """Who is in office, and how the newest comparison stands or ended."""
    duel, office = _duel(known), known.office
    people = [
        Tile("champion", _version(office["champion"])),
        Tile("challenger", _version(office["challenger"])),
        Tile("champion before", _version(office["previous"])),
    ]
    ordered = [f"Ordered since: {describe_order(order)}." for order in known.orders()]
    waits = [WAITS.format(office["challenger"])] if _waits(duel, office) else []
    if duel.evidence is None:
        return tiles(people) + sentences([*ordered, *(waits or duel.reasons)])
    lead = f"<p>{badge(_state(duel, office))} {prose(duel.title)}</p>"
    told = sentences([*_ended(known, duel), *duel.reasons])
    return tiles(people) + sentences([*ordered, *waits]) + lead + tiles(_numbers(duel)) + told


def _comparison(known: Known, selection: Selection) -> str:
    duel = _duel(known)
    if duel.evidence is None and _waits(duel, known.office):
        return note(WAITS.format(known.office["challenger"]))
    if duel.evidence is None:
        return note("No challenger was compared yet. One is trained when drift that matters, or accuracy, asks for it.")
    names = (f"version {duel.evidence.champion}", f"version {duel.evidence.challenger}")
    return picture(
        lambda: comparison(duel.days, duel.days, metric=duel.metric, margin=duel.margin, names=names), wide=True
    )


def _guardrails(known: Known, selection: Selection) -> str:
    duel = _duel(known)
    if duel.evidence is None:
        return ""
    shown = table(duel.guardrails, caption="Segments with the worst first", empty="no guardrail is on record.")
    return note("What a challenger may not break, however good it is on the whole.") + fitted(show(shown), spare=[4])


def _split(known: Known, selection: Selection) -> str:
    """The same difference as an A/B test sees it: the real one where traffic was split, else what one would show."""
    duel = _duel(known)
    if duel.evidence is None:
        return ""
    found, routed = _arms(known, duel)
    if found is None:
        return note("There is no row yet that both have scored and whose target is known.")
    who = ("champion", "challenger")
    rows = [
        {"arm": f"version {number}, {name}", "rows": count, "accuracy": share}
        for number, name, count, share in zip(
            (duel.evidence.champion, duel.evidence.challenger), who, found["rows"], found["accuracy"], strict=True
        )
    ]
    result = found["result"]
    ends = " to ".join(_points(result[end]) for end in ("low", "high"))
    said = f"Difference: {_points(result['difference'])} ({ends}; an interval of 95 %)."
    times = found["times"]
    cost = f"Two arms need {format_value(times)} times as many rows for the same certainty." if times else ""
    how = (
        "Each model on the rows it answered, as the prediction service routed them."
        if routed
        else "Traffic was not split here. This is what a split would have shown on average of the same rows."
    )
    shown = table(pl.DataFrame(rows), caption="The two arms", formats={"accuracy": "percent"})
    return note(how) + show(shown) + sentences([said, *filter(None, [cost])])


def _watch(known: Known, selection: Selection) -> str:
    watched = _watched(known)
    lead = f"<p>{badge(watched.state)} {prose(watched.title)}</p>{sentences(watched.reasons)}"
    if watched.days.is_empty():
        return lead
    return lead + picture(lambda: champion_watch(watched.days, metric=watched.metric, margin=watched.margin), wide=True)


def _versions(known: Known, selection: Selection) -> str:
    """Every version there was by that day, the newest first: on what it was trained, how good it was in its test."""
    rows, lost = [], []
    for number in sorted(known.versions, reverse=True)[:SHOWN_VERSIONS]:
        try:
            rows.append(_described(number, known.training(number), known))
        except StateError as error:
            lost.append(f"Version {number}: {error}")
    hidden = len(known.versions) - SHOWN_VERSIONS
    more = [f"{hidden} older version{'' if hidden == 1 else 's'} not shown."] if hidden > 0 else []
    frame = pl.DataFrame(rows, schema_overrides={"state": pl.String}, infer_schema_length=None)
    shown = table(
        frame,
        caption="Versions, newest first",
        formats={"accuracy": "percent", "gate": "badge"},
        empty="none is on record.",
    )
    return fitted(show(shown), spare=[3, 5, 7, 8], unbroken=[3, 4, 7]) + sentences([*lost, *more])


def _history(known: Known, selection: Selection) -> str:
    changes = known.history().sort("revision", descending=True)
    shown = changes.select(
        pl.col("day"),
        pl.concat_str(
            pl.format("version {}", "version"), pl.col("action").replace(CHANGES), separator=" ", ignore_nulls=True
        ).alias("change"),
        pl.format("{}: {}", "actor", "reason").alias("by whom, and why"),
        pl.col("at").alias("when"),
    )
    shown = shown if known.is_newest else shown.drop("when")  # a build that caught up recorded it later
    labels = {"when": "recorded (UTC)", "day": "for day"}
    found = table(shown, caption="Changes, newest first", labels=labels, max_rows=SHOWN_CHANGES)
    return fitted(show(found), spare=[4], unbroken=[1, 4])


@lru_cache(maxsize=2)
def _duel(known: Known) -> Duel:
    return last_comparison(known.entries, known.policy)


@lru_cache(maxsize=2)
def _watched(known: Known) -> Watched:
    return last_watch(known.entries, known.policy)


def _state(duel: Duel, office: Any) -> str:
    """The comparison's decision; one that goes on without its challenger has ended."""
    assert duel.evidence is not None
    there = office["challenger"] == duel.evidence.challenger and office["champion"] == duel.evidence.champion
    return duel.action if duel.action != "continue" or there else "ended"


def _waits(duel: Duel, office: Any) -> bool:
    """Whether there is a challenger that was not compared on any day yet."""
    number = office["challenger"]
    return number is not None and (duel.evidence is None or duel.evidence.challenger != number)


def _ended(known: Known, duel: Duel) -> list[str]:
    """What happened to the challenger after the day that is shown: a person's order, or another change."""
    assert duel.evidence is not None
    own = pl.col("version") == duel.evidence.challenger
    later = own & pl.col("action").is_in(["promote", "retire", "rollback"])
    changes = known.history().filter(later & (pl.col("day") >= date.fromisoformat(duel.as_of)))
    return [
        f"Version {change['version']} was {CHANGES[change['action']]} by {change['actor']}: {change['reason']}"
        for change in changes.tail(1).iter_rows(named=True)
        if change["reason"] != duel.reasons[0]
    ]


def _numbers(duel: Duel) -> list[Tile]:
    """How far the comparison is: the difference, how sure, on how much."""
    assert duel.evidence is not None
    told = duel.record["decision"]["evidence"]
    if duel.days.is_empty():
        return [Tile("rows compared", 0, note="no target is known yet")]
    last, days = duel.days.row(-1, named=True), duel.days.height
    between = f"between {_amount(last['low'], duel.metric)} and {_amount(last['high'], duel.metric)}"
    stable = f"the last {told['days_above_margin']} reach the margin, {told['policy']['stable_days']} must"
    needed = f"{odds(last['log_evidence_needed'])} to 1 is asked"
    return [
        Tile(
            "better by",
            _amount(last["mean"], duel.metric),
            note=f"{between}; {_amount(duel.margin, duel.metric)} is asked",
        ),
        Tile("evidence", f"{_odds(last['log_evidence'])} to 1", note=needed),
        Tile("labelled days", days, note=stable),
        Tile("rows compared", duel.rows, note="scored by both, target known"),
    ]


def _arms(known: Known, duel: Duel) -> tuple[dict[str, Any] | None, bool]:
    """The two arms as the report of that comparison recorded them, or from the sums that decided."""
    assert duel.evidence is not None
    recorded = _recorded(known)
    own = (duel.as_of, duel.evidence.champion, duel.evidence.challenger)
    if recorded and tuple(recorded.get(name) for name in ("as_of", "champion", "challenger")) == own:
        split = recorded.get("split")
        return split, bool(split and split["routed"])
    rows, days = duel.rows, duel.evidence.days
    if not rows:
        return None, False
    hits = (sum(day.champion_correct for day in days), sum(day.challenger_correct for day in days))
    return _plain(expected_split(rows, hits=hits, differing=sum(day.wins + day.losses for day in days))), False


def _recorded(known: Known) -> dict[str, Any] | None:
    """The familiar views of the last report by that day; None where there is none."""
    try:
        found: dict[str, Any] = known.record("familiar_views")
    except StateError:
        return None
    return found


def _plain(split: Split) -> dict[str, Any]:
    result = {name: getattr(split.result, name) for name in ("difference", "low", "high")}
    return {"rows": split.rows, "accuracy": split.accuracy, "result": result, "times": split.times}


def _described(number: int, training: dict[str, Any], known: Known) -> dict[str, Any]:
    accuracy = training["metrics"]["accuracy"]
    ends = " to ".join(format_value(accuracy[end], format="percent") for end in ("low", "high"))
    return {
        "version": number,
        "state": next((name for name in OFFICES if known.office[name] == number), None),
        "trained from": training["trained_from"][:10],
        "until": training["trained_until"][:10],
        "rows": training["rows"],
        "accuracy": accuracy["value"],
        "give or take": ends,
        "gate": "passed" if training["gate"]["passed"] else "failed",
    }


def _version(number: int | None) -> str:
    return "none" if number is None else f"version {number}"


def _odds(logarithm: float) -> str:
    """Odds as the reasons say them."""
    return "over a million" if logarithm > math.log(1e6) else odds(logarithm)


def _amount(value: float, metric: str) -> str:
    """A difference as people say it: points of accuracy, else four digits."""
    return _points(value) if metric == "accuracy" else f"{value:+.4f}".replace("-", "−")


def _points(value: float) -> str:
    return f"{100 * value:+.2f}{SPACE}points".replace("-", "−")


PAGE = Page(
    "champion",
    "Champion and challenger",
    cards=(
        Card("Who is in office", _standing, wide=True),
        Card("The comparison, day by day", _comparison, wide=True),
        Card("Guardrails", _guardrails),
        Card("A/B split", _split),
        Card("Watch over the promoted champion", _watch, wide=True),
        Card("Versions", _versions, wide=True),
        Card("History of deployments", _history, wide=True),
    ),
    actions=ACTIONS,
)
