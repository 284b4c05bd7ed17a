"""The day loop: what would have been seen and decided on each day, had the build run that day.

A day's entry holds who was in office, what drifted, the decision of the day (to retrain when there is no
challenger, to promote when there is one), and who is in office after it. A champion that was promoted is watched
first (``timeline.watching``): on the day it is taken back, that is the decision. Entries of earlier builds are
taken as given, the others are made here, from nothing but what was known by the end of their day. What a person
ordered after a day was judged is in force from the next day on, whichever build judges it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from driftbook.data.batches import batch_index, first_stream_day, load_targets
from driftbook.decisions import Decision
from driftbook.decisions.comparison import LabelledDay
from driftbook.decisions.promotion import Contender, PromotionEvidence, decide_promotion
from driftbook.decisions.retraining import decide_retraining
from driftbook.decisions.retraining_evidence import Request, RetrainingEvidence
from driftbook.decisions.rollback import decide_rollback
from driftbook.timeline.comparing import Comparing
from driftbook.timeline.estimates import Estimates
from driftbook.timeline.evidence import Reign, accuracy_seen, estimate_seen, retraining_evidence
from driftbook.timeline.journal import Entry, Journal, Office, Story, change_ordered
from driftbook.timeline.models import Version, champion_version, load_versions, train_challenger
from driftbook.timeline.requests import pending_request, request_of
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import ensure_predictions
from driftbook.timeline.watching import Watch, watch_after


def walk(run: Run, journal: Journal, *, until_retrain: bool = False) -> Story:
    """Judge every stream day up to the run's day, in order.

    Parameters
    ----------
    journal
        What earlier builds left (``office.open_journal``).
    until_retrain
        Stop on the first day whose decision is to retrain, before anything is trained.
    """
    entries = list(journal.entries)
    appointed = not entries
    judged = {entry["day"] for entry in entries}
    orders = list(journal.orders)
    office = _office_after(run, entries)
    since = reign_start(run, entries, office.champion)
    walker = _Walker(run, office, since=since, last_training=_last_training(entries))
    walker.watch, walker.request = watch_after(entries), pending_request(entries)
    for day in stream_days(run):
        if day.isoformat() in judged:
            continue
        taken = [order for order in orders if order["day"] < day.isoformat()]
        orders = orders[len(taken) :]
        for order in taken:
            walker.take_over(order, day)
        entry = walker.judge(day, train=not until_retrain)
        entry["changes"] = [*map(change_ordered, taken), *entry["changes"]]
        if appointed:
            entry["changes"].insert(
                0, _change("appoint", office.champion, "The first champion, trained on the history.")
            )
            appointed = False
        entries.append(entry)
        if until_retrain and entry["decision"]["action"] == "retrain":
            break
    return Story(tuple(entries), given=len(journal.entries), revision=journal.revision, orders=tuple(orders))


def stream_days(run: Run) -> list[date]:
    """Days of the stream that have batches, in order."""
    index = batch_index(run.case, run.settings, as_of=run.as_of).filter(pl.col("part") == "stream")
    return sorted(set(index["day"].to_list()))


def reign_start(run: Run, entries: list[Entry], champion: int) -> date:
    """The first day the champion in office after ``entries`` serves without a break."""
    start: date | None = None
    for entry in reversed(entries):
        if entry["during"]["champion"] != champion:
            break
        start = date.fromisoformat(entry["day"])
    if start is None:
        start = date.fromisoformat(entries[-1]["day"]) + timedelta(days=1) if entries else None
    return start or first_stream_day(run.case, run.settings)


def _office_after(run: Run, entries: list[Entry]) -> Office:
    """After the last given day; orders given since come into force with the next."""
    if entries:
        return Office(**entries[-1]["office"])
    return Office(champion=champion_version(run).number)


def _last_training(entries: list[Entry]) -> date | None:
    days = [entry["day"] for entry in entries if entry["trained"] is not None]
    return date.fromisoformat(days[-1]) if days else None


class _Walker:
    """Holds what changes from day to day: who is in office, and their reigns (computed once each)."""

    def __init__(self, run: Run, office: Office, *, since: date, last_training: date | None) -> None:
        self.run = run
        self.comparing = Comparing(run)
        self.office = office
        self.last_training = last_training
        self.starts = {office.champion: since}
        self.watch: Watch | None = None
        self.request: Request | None = None
        self.watched: dict[Watch, tuple[LabelledDay, ...]] = {}
        self.targets = load_targets(run.case, run.settings, as_of=run.as_of)
        self.versions: dict[int, Version] = {}
        self.reigns: dict[int, Reign] = {}
        self.estimates: dict[int, Estimates] = {}
        self.predictions: dict[int, pl.DataFrame] = {}

    def judge(self, day: date, *, train: bool) -> Entry:
        before, reign = self.office, self.reign(self.office.champion, day)
        trained: dict[str, Any] | None = None
        changes: list[dict[str, Any]] = []
        evidence, watched = self._retraining_evidence(day), self._watch(day)
        if watched is not None and watched.action == "rollback":
            kind, decision, watched = "rollback", watched, None
            changes = self._roll_back(decision)
        elif before.challenger is None:
            kind, decision = "retraining", decide_retraining(evidence, self.run.policy.retraining)
            if decision.action == "retrain" and train:
                trained, changes = self._train(day, evidence)
        else:
            kind = "promotion"
            decision = decide_promotion(self._promotion_evidence(day), self.run.policy.promotion)
            changes = self._promote(decision, day)
        return {
            "batch_id": day.isoformat(),
            "day": day.isoformat(),
            "during": before.as_dict(),
            "drift": reign.verdict(day),
            "accuracy": accuracy_seen(evidence, self.run.policy.retraining),
            "estimate": estimate_seen(evidence, self.run.policy.retraining),
            "decision": _record(kind, decision),
            "watch": _record("rollback", watched) if watched is not None else None,
            "trained": trained,
            "office": self.office.as_dict(),
            "changes": changes,
        }

    def reign(self, number: int, day: date) -> Reign:
        """The reign of a champion; one that began in this walk begins on ``day``."""
        if number not in self.reigns:
            since = self.starts.get(number, day)
            self.reigns[number] = Reign.of(self.run, self._version(number), since=since)
        return self.reigns[number]

    def take_over(self, order: Entry, day: date) -> None:
        """A person's order, in force from ``day`` on: another office, or a request for a challenger."""
        action = order["changes"][0]["action"]
        if action == "retrain":
            self.request = request_of(order)
        else:
            self.install(Office(**order["office"]), watched_from=day if action == "promote" else None)

    def install(self, office: Office, *, watched_from: date | None) -> None:
        """Put others in office from the next day on; a champion who comes back begins a new reign.

        A champion that was promoted is watched from its first day on; one that was put back is not.
        """
        if office.champion != self.office.champion:
            self.starts.pop(office.champion, None)
            self.reigns.pop(office.champion, None)
            former = office.previous
            self.watch = Watch(office.champion, former, watched_from) if watched_from and former is not None else None
        self.office = office

    def _version(self, number: int) -> Version:
        if number not in self.versions:
            self.versions[number] = load_versions(self.run)[number]
        return self.versions[number]

    def _retraining_evidence(self, day: date) -> RetrainingEvidence:
        number = self.office.champion
        if number not in self.estimates:
            predictions = self._contender(number).predictions
            self.estimates[number] = Estimates(self._version(number), predictions, self.targets)
        return retraining_evidence(
            self.reign(number, day),
            self.estimates[number],
            day=day,
            policy=self.run.policy.retraining,
            last_training=self.last_training,
            request=self.request,
        )

    def _promotion_evidence(self, day: date) -> PromotionEvidence:
        assert self.office.challenger is not None
        challenger = self._version(self.office.challenger)
        return self.comparing.evidence(
            self._contender(self.office.champion),
            self._contender(challenger.number),
            version=challenger,
            targets=self.targets.filter(pl.col("known_time").dt.date() <= day),
        )

    def _watch(self, day: date) -> Decision | None:
        """The decision on a champion that is watched; None where nobody is, or no longer."""
        policy = self.run.policy
        if self.watch is None or not policy.rollback.watch_days:
            return None
        if self.watch not in self.watched:
            contenders = self._contender(self.watch.champion), self._contender(self.watch.previous)
            self.watched[self.watch] = self.watch.compared(*contenders, self.targets, costs=self.run.case.costs)
        known = self.watch.evidence(self.watched[self.watch], until=day, costs=self.run.case.costs)
        decision = decide_rollback(known, policy.rollback, metric=policy.promotion.metric)
        if decision.action == "keep":
            self.watch = None
        return decision

    def _contender(self, number: int) -> Contender:
        version = self._version(number)
        if number not in self.predictions:
            self.predictions[number] = ensure_predictions(self.run, version)
        return Contender(number, version.bundle.classes, self.predictions[number])

    def _train(self, day: date, evidence: RetrainingEvidence) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        version, reasons = train_challenger(self.run, cutoff=day, drift_since=evidence.drift_day)
        self.last_training = day
        self.request = None if version is not None else self.request
        passed = version is not None and version.passed
        trained = {"version": version.number if version else None, "passed": passed, "reasons": reasons}
        if version is None or not passed:
            return trained, []
        self.office = replace(self.office, challenger=version.number)
        return trained, [_change("challenge", version.number, "It passed its gate.")]

    def _roll_back(self, decision: Decision) -> list[dict[str, Any]]:
        """The champion before takes over; a challenger stays, and nobody is watched."""
        back, out = self.office.previous, self.office.champion
        assert back is not None
        self.install(replace(self.office, champion=back, previous=out), watched_from=None)
        return [_change("rollback", back, decision.reasons[0])]

    def _promote(self, decision: Decision, day: date) -> list[dict[str, Any]]:
        champion, challenger = self.office.champion, self.office.challenger
        assert challenger is not None
        reason = decision.reasons[0]
        if decision.action == "promote":
            self.install(Office(champion=challenger, previous=champion), watched_from=day + timedelta(days=1))
            return [_change("promote", challenger, reason)]
        if decision.action == "keep":
            self.office = replace(self.office, challenger=None)
            return [_change("retire", challenger, reason)]
        return []


def _record(kind: str, decision: Decision) -> dict[str, Any]:
    return {
        "kind": kind,
        "action": decision.action,
        "reasons": list(decision.reasons),
        "evidence": decision.evidence,
    }


def _change(action: str, version: int, reason: str) -> dict[str, Any]:
    return {"action": action, "version": version, "reason": reason}
