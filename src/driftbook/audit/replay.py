"""Derives past decisions again from their records, and asks what another policy would have decided.

A record holds the evidence as it was judged and the policy it was judged by; the functions that decide are pure. So a
replay needs no data, no model and no database, takes milliseconds, and must give the same decision, word by word. A
record that differs was changed, or the rule was: both must be known.

With another policy each day is decided on what was known then. What would have followed from another decision (another
challenger, another champion) nobody knows: days are not chained.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from driftbook.audit.what_if import Alarms, alarms_under
from driftbook.config import Policy, Settings
from driftbook.config.policy import PromotionPolicy, RetrainingPolicy, RollbackPolicy
from driftbook.decisions import Decision
from driftbook.decisions.promotion import PromotionEvidence, decide_promotion
from driftbook.decisions.retraining import RetrainingEvidence, decide_retraining
from driftbook.decisions.rollback import decide_rollback
from driftbook.errors import StateError, UnknownNameError
from driftbook.storage import canonical_json, load_json

STORY = "story.json"
SINGLE_RECORDS = ("retraining.json", "promotion.json")
MOST_LINES = 40
Record = Mapping[str, Any]


def _retraining(given: Any, policy: Any) -> Decision:
    return decide_retraining(RetrainingEvidence.from_json(given), RetrainingPolicy.model_validate(policy))


def _promotion(given: Any, policy: Any) -> Decision:
    return decide_promotion(PromotionEvidence.from_json(given), PromotionPolicy.model_validate(policy))


def _rollback(given: Any, policy: Any) -> Decision:
    rules = {name: value for name, value in policy.items() if name != "metric"}
    evidence = PromotionEvidence.from_json(given)
    return decide_rollback(evidence, RollbackPolicy.model_validate(rules), metric=policy["metric"])


# kind of decision -> how it is derived from ``given`` and the policy; the policy's section has the kind's name
RULES: dict[str, Callable[[Any, Any], Decision]] = {
    "retraining": _retraining,
    "promotion": _promotion,
    "rollback": _rollback,
}


@dataclass(frozen=True)
class Replayed:
    """One decision derived again: what it was, what it is now, and the first thing that differs (empty: identical)."""

    record: str
    day: str
    kind: str
    then: str
    now: str
    differs: str = ""
    alarm_then: bool | None = None
    alarm_now: bool | None = None


@dataclass(frozen=True)
class Replay:
    """All decisions of a report derived again, and what could not be asked."""

    use_case: str
    as_of: str
    policy: str | None
    decisions: tuple[Replayed, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def identical(self) -> bool:
        """Whether every decision is what it was, word by word."""
        return not any(each.differs for each in self.decisions)

    def summary(self) -> str:
        """One line when nothing differs, else a table of what does."""
        shown = [each for each in self.decisions if each.differs or each.alarm_then != each.alarm_now]
        count = f"{len(self.decisions):,} decisions replayed in {1000 * self.seconds:,.0f} ms"
        under = f" under {self.policy}" if self.policy else ""
        head = f"{self.use_case}, report of {self.as_of}{under}: {count}, "
        head += f"{len(shown):,} would differ" if self.policy else f"{len(shown):,} differ" if shown else "identical"
        rows = [("day", "decision", "then", "now", *(("alarm",) if self.policy else ()), "why")]
        rows += [self._row(each) for each in shown[:MOST_LINES]]
        hidden = [f"  … and {len(shown) - MOST_LINES:,} more"] if len(shown) > MOST_LINES else []
        return "\n".join(
            [head, *(_aligned(rows) if shown else []), *hidden, *(f"  note: {each}" for each in self.notes)]
        )

    def _row(self, each: Replayed) -> tuple[str, ...]:
        words = {True: "yes", False: "no", None: "?"}
        alarm = f"{words[each.alarm_then]} → {words[each.alarm_now]}" if each.alarm_then != each.alarm_now else "same"
        return each.day, each.kind, each.then, each.now, *((alarm,) if self.policy else ()), each.differs


def reported_days(settings: Settings, use_case: str) -> list[date]:
    """Days whose report holds a story, in order."""
    found = (path.parent.name for path in (settings.reports_folder / use_case).glob(f"????-??-??/{STORY}"))
    return sorted(date.fromisoformat(name) for name in found)


def replay(settings: Settings, use_case: str, *, as_of: date | None = None, policy: Policy | None = None) -> Replay:
    """Derive every decision of a report again.

    Parameters
    ----------
    as_of
        Day of the report; the latest unless given. It holds the decisions of all days up to then.
    policy
        Another policy to decide by, instead of the one on record.

    Raises
    ------
    StateError
        If there is no report at all.
    UnknownNameError
        If there is none of that day.
    """
    days = reported_days(settings, use_case)
    if not days:
        raise StateError(f"there is no report of {use_case} yet; build it: driftbook build --use-case {use_case}")
    if as_of is not None and as_of not in days:
        raise UnknownNameError(f"report of {use_case} as of", str(as_of), (str(day) for day in days))
    folder = settings.report_folder(use_case, as_of or days[-1])
    began = time.perf_counter()
    alarms = alarms_under(folder, policy) if policy else None
    decisions = tuple(_replay_record(name, record, policy, alarms) for name, record in _records(folder, policy))
    notes = alarms.notes if alarms else ()
    name = policy.name if policy else None
    return Replay(use_case, folder.name, name, decisions, notes, time.perf_counter() - began)


def replay_decision(record: Record, *, policy: Policy | None = None, alarms: Alarms | None = None) -> Decision:
    """The decision that a record's evidence leads to: by its own policy, or by another.

    Parameters
    ----------
    record
        A day's entry: ``day`` and ``decision`` (``kind``, ``evidence`` with ``given`` and ``policy``).
    alarms
        What would have alarmed under the other policy, where that can be told.

    Raises
    ------
    StateError
        If the record is of a kind or form that this version does not decide on.
    """
    decision = record["decision"]
    kind, evidence = decision["kind"], decision["evidence"]
    if kind not in RULES:
        raise StateError(f"decisions of kind {kind!r} cannot be replayed; expected {' or '.join(sorted(RULES))}")
    try:
        given, rules = evidence["given"], evidence["policy"]
        if policy is not None:
            rules = rules_of(policy, kind)
            given = alarms.evidence(given, record["during"]) if alarms and kind == "retraining" else given
        return RULES[kind](given, rules)
    except (TypeError, KeyError, ValueError) as error:
        raise StateError(f"the record cannot be read by this version of driftbook ({error})") from error


def rules_of(policy: Policy, kind: str) -> dict[str, Any]:
    """The section of a policy that a kind of decision follows; a rollback judges by the metric of the promotion.

    Examples
    --------
    >>> from driftbook.config import load_policy
    >>> rules_of(load_policy("calibrated"), "rollback")["metric"]
    'accuracy'
    """
    rules: dict[str, Any] = getattr(policy, kind).model_dump(mode="json")
    return {**rules, "metric": policy.promotion.metric} if kind == "rollback" else rules


def decisions_of(entry: Record) -> Iterator[Record]:
    """A day's entry once for each decision it holds, as its ``decision``: the watch over the champion is one too."""
    yield entry
    if entry.get("watch") is not None:
        yield {**entry, "decision": entry["watch"]}


def _records(folder: Path, policy: Policy | None) -> Iterator[tuple[str, Record]]:
    """Decisions of the story, and of the records that hold a day of it (not asked under another policy)."""
    for entry in load_json(folder / STORY):
        yield from ((STORY, each) for each in decisions_of(entry))
    for name in SINGLE_RECORDS if policy is None else ():
        record = load_json(folder / name) if (folder / name).exists() else {}
        if "given" in (record.get("decision") or {}).get("evidence", {}):
            yield from ((name, each) for each in decisions_of(record))


def _replay_record(name: str, record: Record, policy: Policy | None, alarms: Alarms | None) -> Replayed:
    told = record["decision"]
    alarm = bool(record["drift"]["alarmed"])
    seen = alarms.alarmed(record["day"], record["during"], alarm) if alarms else alarm
    same: Any = {"record": name, "day": record["day"], "kind": told["kind"], "then": told["action"]}
    same |= {"alarm_then": alarm, "alarm_now": seen}
    try:
        derived = replay_decision(record, policy=policy, alarms=alarms)
    except StateError as error:
        return Replayed(**same, now="cannot tell", differs=str(error))
    if policy is not None:
        return Replayed(**same, now=derived.action, differs="" if derived.action == told["action"] else _why(derived))
    before = {key: told[key] for key in ("action", "reasons", "evidence")}
    now = json.loads(canonical_json(derived.to_json()))
    place = next(differences(before, now), "")
    return Replayed(**same, now=derived.action, differs=f"{name}: {place}" if place else "")


def _why(decision: Decision) -> str:
    return decision.reasons[0]


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Where two records differ, as ``key.key: then → now``.

    Examples
    --------
    >>> list(differences({"a": [1, 2]}, {"a": [1, 3]}))
    ['a 2: 2 → 3']
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            inner = f"{place}.{key}" if place else key
            if key not in before or key not in now:
                yield f"{inner}: {'not on record' if key not in before else 'not derived any more'}"
            else:
                yield from differences(before[key], now[key], inner)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, pair in enumerate(zip(before, now, strict=True), start=1):
            yield from differences(*pair, f"{place} {number}")
    elif before != now:
        yield f"{place}: {_short(before)} → {_short(now)}"


def _short(value: Any, longest: int = 60) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    return ["  " + "  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]
