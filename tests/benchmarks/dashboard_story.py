"""A made-up year of hourly batches on 80 columns, as a journal tells it: decided by the real rules, from made-up sums.

The world changes three times, at last a few days before the year ends. A champion that was trained before a change
drifts and loses accuracy until the challenger that learned the new world is promoted; in between there are odd days.
Everything follows from the day and one seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property

import numpy as np

from driftbook.config import Policy
from driftbook.decisions import Decision
from driftbook.decisions.comparison import LabelledDay, PromotionEvidence
from driftbook.decisions.guarded_sums import SegmentSums
from driftbook.decisions.promotion import decide_promotion
from driftbook.decisions.retraining import Accuracy, RetrainingEvidence, decide_retraining
from driftbook.decisions.rollback import decide_rollback
from driftbook.model.metrics import wilson
from driftbook.timeline.evidence import accuracy_seen
from driftbook.timeline.journal import Entry, Office

FIRST, DAYS, HOURS, ROWS = date(2025, 7, 1), 365, 24, 320  # rows of an hour
DELAY = 3  # days until a target is known
CHANGES = {
    110: range(12),
    248: range(20, 36),
    360: range(52, 70),
}  # days on which the world changes, and the columns that move
ODD_DAYS = {60: range(40, 42), 61: range(40, 42), 200: range(50, 53), 331: range(60, 61)}
KINDS = ("temperature", "pressure", "vibration", "current", "flow", "noise")
NUMERIC = tuple(f"{kind}_{number:02}" for kind in KINDS for number in range(1, 11))
CATEGORICAL = ("site", "line", "shift", "supplier", *(f"mode_{number:02}" for number in range(1, 17)))
COLUMNS = (*NUMERIC, *CATEGORICAL)
SITES, LINES = ("Bern", "Graz", "Lyon", "Oslo"), ("A", "B", "C")
GOOD, STALE = 0.872, 0.795  # accuracy in the world a version knows, and in another one
POSITIVE_SHARE = 0.2
MANY = 8  # columns that drift in an hour, beyond which the predictions do so, too
DISAGREEMENT = 0.1  # of champion and challenger


@dataclass
class Year:
    """The year's facts, day by day, and the story that the rules make of them."""

    policy: Policy
    seed: int = 7
    days: int = DAYS
    learned: dict[int, int] = field(default_factory=lambda: {1: 0})  # how many changes each version knows
    cutoffs: dict[int, int] = field(default_factory=lambda: {1: -1})  # the day each was trained on

    def day(self, number: int) -> date:
        """The date of a day of the year."""
        return FIRST + timedelta(days=number)

    def world(self, number: int) -> int:
        """How many changes there have been by a day."""
        return sum(change <= number for change in CHANGES)

    def random(self, number: int, what: int) -> np.random.Generator:
        """Luck of one day in one respect."""
        return np.random.default_rng([self.seed, number + 10, what])

    def excess(self, number: int, version: int) -> np.ndarray:
        """Each hour's distance of each column from a version's reference, shape (hours, columns); 1 is the limit."""
        found = np.minimum(self.random(number, 1).gamma(6.0, 0.06, size=(HOURS, len(COLUMNS))), 0.97)
        worlds = list(CHANGES.values())[self.learned[version] : self.world(number)]
        for place, moved in enumerate([*worlds, *([ODD_DAYS[number]] if number in ODD_DAYS else [])]):
            found[:, list(moved)] += self.random(number, 20 + place).gamma(9.0, 0.25, size=(HOURS, len(moved)))
        return found

    def correct(self, number: int, version: int) -> int:
        """How many of a day's decisions of a version are right."""
        share = GOOD if self.learned[version] == self.world(number) else STALE
        share += self.random(number, 2).normal(0.0, 0.003) + 0.001 * version
        return int(self.random(number, 30 + version).binomial(HOURS * ROWS, share))

    def trained_until(self, version: int) -> date:
        """The day of the newest row that a version has learned from."""
        return self.day(self.cutoffs[version] - DELAY)

    @cached_property
    def importance(self) -> dict[str, float]:
        """Each column's share in the score."""
        weights = 1.0 / np.arange(2.0, len(COLUMNS) + 2)
        shares = self.random(0, 3).permutation(weights / weights.sum())
        return {name: float(share) for name, share in zip(COLUMNS, shares, strict=True)}

    @cached_property
    def entries(self) -> list[Entry]:
        """The journal."""
        return _Teller(self).tell()


class _Teller:
    """The day loop of ``timeline.walk`` on made-up sums."""

    def __init__(self, year: Year) -> None:
        self.year = year
        self.office = Office(1)
        self.run: list[str] = []  # alarmed batches without a break
        self.last_training: int | None = None
        self.watched_since: int | None = None

    def tell(self) -> list[Entry]:
        entries = [self._entry(number) for number in range(self.year.days)]
        entries[0]["changes"].insert(0, _change("appoint", 1, "The first champion, trained on the history."))
        return entries

    def _entry(self, number: int) -> Entry:
        during, day = self.office, self.year.day(number).isoformat()
        drift, evidence = self._drift(number), self._evidence(number)
        watch, trained, changes = self._watch(number), None, []
        if during.challenger is None:
            kind, decision = "retraining", decide_retraining(evidence, self.year.policy.retraining)
            if decision.action == "retrain":
                trained, changes = self._train(number)
        else:
            kind, decision = "promotion", decide_promotion(self._compared(number), self.year.policy.promotion)
            changes = self._promote(decision, number)
        return {
            **{"batch_id": day, "day": day, "during": during.as_dict(), "drift": drift},
            "accuracy": accuracy_seen(evidence, self.year.policy.retraining),
            "estimate": None,
            "decision": _record(kind, decision),
            "watch": _record("rollback", watch) if watch else None,
            **{"trained": trained, "office": self.office.as_dict(), "changes": changes},
        }

    def _drift(self, number: int) -> Entry:
        """The day's verdict rows, as ``Reign.verdict`` gives them."""
        excess, day = self.year.excess(number, self.office.champion), self.year.day(number).isoformat()
        batches = []
        for hour, found in enumerate(excess):
            count, top = int((found > 1).sum()), int(found.argmax())
            row = {"batch_id": f"{day}T{hour:02}", "columns": len(COLUMNS), "drifted_columns": count}
            row |= {"share": count / len(COLUMNS), "prediction_drifted": count > MANY, "outliers_drifted": False}
            row |= {"table_drifted": count > MANY, "alarmed": count > 0, "only_outliers": False}
            batches.append(row | {"top_column": COLUMNS[top], "top_excess": float(found[top])})
            self.run = [*self.run, row["batch_id"]] if count else []
        drifted = [COLUMNS[place] for place in np.flatnonzero((excess > 1).any(axis=0))]
        drifted += ["prediction", "prediction_score"] if any(row["prediction_drifted"] for row in batches) else []
        worst = max(batches, key=lambda row: row["top_excess"])
        alarmed = any(row["alarmed"] for row in batches)
        top = {"top_column": worst["top_column"], "top_excess": worst["top_excess"]}
        return {"alarmed": alarmed, "drifted_columns": sorted(drifted), **top, "batches": batches}

    def _evidence(self, number: int) -> RetrainingEvidence:
        year, champion = self.year, self.office.champion
        known = range(max(number - DELAY - 4, 0), number - DELAY + 1)
        rows = len(known) * HOURS * ROWS
        realised = _accuracy(sum(year.correct(each, champion) for each in known), rows) if rows > 0 else None
        change = max((each for each in CHANGES if each <= number), default=None)
        since = change if self.run and change is not None else year.cutoffs[champion]
        fresh = max(number - DELAY - since + 1, 0)
        moved = year.excess(number, champion).max(axis=0) > 1
        return RetrainingEvidence(
            as_of=year.day(number),
            champion=champion,
            trained_until=year.trained_until(champion),
            alarmed_batches=len(self.run),
            first_alarmed_batch=self.run[0] if self.run else None,
            drifted_importance={
                COLUMNS[place]: year.importance[COLUMNS[place]] for place in np.flatnonzero(moved) if self.run
            },
            realised=realised,
            tested=_accuracy(round(GOOD * 40_000), 40_000),
            new_labelled_rows=fresh * HOURS * ROWS,
            new_labelled_batches=fresh * HOURS,
            days_since_challenger=None if self.last_training is None else number - self.last_training,
            prediction_batches=0,
            drift_since=self.run[0] if self.run else None,
        )

    def _train(self, number: int) -> tuple[Entry, list[Entry]]:
        """A challenger that knows the world of the newest targets."""
        version = max(self.year.learned) + 1
        self.year.learned[version], self.year.cutoffs[version] = self.year.world(number - DELAY), number
        self.last_training = number
        self.office = Office(self.office.champion, version, self.office.previous)
        trained = {"version": version, "passed": True, "reasons": ["The area under the curve is 0.91, 0.8 is needed."]}
        return trained, [_change("challenge", version, "It passed its gate.")]

    def _promote(self, decision: Decision, number: int) -> list[Entry]:
        champion, challenger = self.office.champion, self.office.challenger
        if decision.action == "promote":
            self.office, self.watched_since = Office(challenger, None, champion), number + 1
            return [_change("promote", challenger, decision.reasons[0])]
        if decision.action == "keep":
            self.office = Office(champion, None, self.office.previous)
            return [_change("retire", challenger, decision.reasons[0])]
        return []

    def _compared(self, number: int) -> PromotionEvidence:
        challenger = self.office.challenger
        first = self.year.cutoffs[challenger] + 1
        return self._pair(self.office.champion, challenger, range(first, number + 1))

    def _watch(self, number: int) -> Decision | None:
        if self.watched_since is None or self.office.previous is None:
            return None
        days = range(self.watched_since + DELAY, number + 1)
        policy = self.year.policy
        known = self._pair(self.office.champion, self.office.previous, days)
        decision = decide_rollback(known, policy.rollback, metric=policy.promotion.metric)
        self.watched_since = None if decision.action == "keep" else self.watched_since
        return decision

    def _pair(self, champion: int, challenger: int, known_on: range) -> PromotionEvidence:
        """Both versions on the targets of some days, by the day on which they became known."""
        until = datetime.combine(self.year.trained_until(challenger), time(23))
        days = tuple(self._labelled(champion, challenger, number) for number in known_on)
        return PromotionEvidence(champion, challenger, until, days, None, 1.4, within_latency=True, latency_limit_ms=50)

    def _labelled(self, champion: int, challenger: int, number: int) -> LabelledDay:
        year, rows, event = self.year, HOURS * ROWS, number - DELAY
        first, second = year.correct(event, champion), year.correct(event, challenger)
        apart = int(DISAGREEMENT * rows) + (second - first) % 2
        wins = (apart + second - first) // 2
        shares = np.diff(np.linspace(0, 1, len(SITES) + 1))
        parts = [[int(share * each) for share in shares] for each in (rows, wins, apart - wins)]
        segments = {"site": {name: SegmentSums(*sums) for name, *sums in zip(SITES, *parts, strict=True)}}
        gaps = {str(place): float(year.random(number, 5).normal(0.0, 9.0)) for place in range(5, 10)}
        day, batch = year.day(number), f"{year.day(event)}T00"
        sums = {"champion_gaps": gaps, "challenger_gaps": gaps, "segments": segments}
        return LabelledDay(day, batch, rows, first, second, wins, apart - wins, **sums)


def _accuracy(right: int, rows: int) -> Accuracy:
    found = wilson(right, rows)
    return Accuracy(found.value, found.low, found.high, rows)


def _record(kind: str, decision: Decision) -> Entry:
    return {
        "kind": kind,
        "action": decision.action,
        "reasons": list(decision.reasons),
        "evidence": decision.evidence,
    }


def _change(action: str, version: int | None, reason: str) -> Entry:
    return {"action": action, "version": version, "reason": reason}
