"""The latest comparison of two versions and the latest watch over a champion, ready to be shown.

Both are rendered from the journal's entries alone, under the policy that decided then, so that a picture never
contradicts its decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from driftbook.config import Policy
from driftbook.config.policy import PromotionPolicy, RollbackPolicy
from driftbook.decisions.guardrails import Guardrail, judge_guardrails
from driftbook.decisions.promotion import PromotionEvidence, daily_comparison
from driftbook.decisions.rollback import daily_watch
from driftbook.tables import format_value
from driftbook.timeline.journal import Entry

RECORD_SCHEMA = 1


@dataclass(frozen=True)
class Duel:
    """A comparison: its decision, its days with the confidence sequence, the metric and margin it was judged by.

    ``days`` has ``batch_id, rows, champion, challenger`` and, as of each day, ``mean, low, high`` of the difference;
    ``guardrails`` is their table in plain words. ``evidence`` is None where nobody was compared.
    """

    title: str
    action: str
    reasons: tuple[str, ...]
    metric: str
    margin: float
    days: pl.DataFrame
    guardrails: pl.DataFrame
    record: dict[str, Any]
    evidence: PromotionEvidence | None = None
    as_of: str = ""

    @property
    def rows(self) -> int:
        """Rows that were compared."""
        return sum(day.rows for day in self.evidence.days) if self.evidence else 0


@dataclass(frozen=True)
class Watched:
    """A watch over a promoted champion: its latest decision and its days (``decisions.rollback.daily_watch``)."""

    title: str
    action: str
    reasons: tuple[str, ...]
    metric: str
    margin: float
    days: pl.DataFrame

    @property
    def state(self) -> str:
        """The action in a word that says how the champion stands: to go on watching is no warning."""
        return {"continue": "watched", "keep": "stays", "rollback": "taken back"}.get(self.action, self.action)


def last_comparison(entries: Sequence[Entry], policy_now: Policy) -> Duel:
    """The newest comparison of a story, and where there was none, a duel that says so under the policy of now."""
    compared = [entry for entry in entries if entry["decision"]["kind"] == "promotion"]
    if not compared:
        policy, reasons, none = policy_now.promotion, ("There is no challenger to compare.",), pl.DataFrame()
        record = _record(entries[-1])
        return Duel("No comparison", "not_needed", reasons, policy.metric, policy.margin, none, none, record)
    entry = compared[-1]
    decision = entry["decision"]
    policy = PromotionPolicy.model_validate(decision["evidence"]["policy"])
    evidence = PromotionEvidence.from_json(decision["evidence"]["given"])
    days = daily_comparison(evidence, policy).rename({"mean_difference": "mean"})
    return Duel(
        title=f"Version {evidence.challenger} against version {evidence.champion}, decided for {entry['day']}",
        action=decision["action"],
        reasons=tuple(decision["reasons"]),
        metric=policy.metric,
        margin=policy.margin,
        days=days,
        guardrails=guardrails_shown(evidence, policy),
        record=_record(entry),
        evidence=evidence,
        as_of=entry["day"],
    )


def last_watch(entries: Sequence[Entry], policy_now: Policy) -> Watched:
    """The newest watch of a story, and where no champion was promoted, one that says so."""
    watches = [(entry, watch) for entry in entries if (watch := _watch_of(entry))]
    if not watches:
        policy, metric = policy_now.rollback, policy_now.promotion.metric
        reasons = ("No champion that was promoted is watched.",)
        return Watched("Nobody is watched", "not_needed", reasons, metric, policy.margin, pl.DataFrame())
    entry, watch = watches[-1]
    rules = {name: value for name, value in watch["evidence"]["policy"].items() if name != "metric"}
    metric, policy = watch["evidence"]["policy"]["metric"], RollbackPolicy.model_validate(rules)
    evidence = PromotionEvidence.from_json(watch["evidence"]["given"])
    return Watched(
        title=f"Version {evidence.champion} watched against version {evidence.challenger}, as of {entry['day']}",
        action=watch["action"],
        reasons=tuple(watch["reasons"]),
        metric=metric,
        margin=policy.margin,
        days=daily_watch(evidence, policy, metric=metric),
    )


def guardrails_shown(evidence: PromotionEvidence, policy: PromotionPolicy) -> pl.DataFrame:
    """The guardrails in plain words: what was found, what is allowed, on how many rows, and whether it holds.

    Empty where the record comes from before there were any.

    Examples
    --------
    >>> from datetime import datetime
    >>> found = guardrails_shown(PromotionEvidence(1, 2, datetime(2026, 6, 5), size_mb=1.25), PromotionPolicy())
    >>> found.filter(state="holds").row(0)
    ('size of the model', 'takes 1.25 MB', '200 MB', None, 'holds')
    """
    judged = judge_guardrails(evidence, policy) if evidence.is_guarded else ()
    rows = [_guardrail(each, policy.metric) for each in judged]
    schema = {"guardrail": pl.String, "found": pl.String, "allowed": pl.String, "rows": pl.Int64, "state": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _watch_of(entry: Entry) -> dict[str, Any] | None:
    """What was decided of a watched champion on a day: beside the day's decision, or as the day's decision."""
    decision: dict[str, Any] = entry["decision"]
    return decision if decision["kind"] == "rollback" else entry.get("watch")


def _guardrail(each: Guardrail, metric: str) -> tuple[str, str | None, str, int | None, str]:
    """What it is about, what was found, what is allowed, on how many rows, and whether it holds."""
    rows, loss = each.rows or None, each.loss
    if each.guardrail == "segment":
        found = None if loss is None else f"{'loses' if loss > 0 else 'gains'} {_amount(abs(loss), metric)}"
        return each.subject, found, f"loses {_amount(each.limit, metric)}", rows, each.state
    if each.guardrail == "calibration":
        found = None if loss is None else f"{abs(loss):.3f} {'worse' if loss > 0 else 'better'}"
        return "calibration error", found, f"{each.limit:.3f} worse", rows, each.state
    if each.guardrail == "size":
        found = None if loss is None else f"takes {_megabytes(loss)}"
        return "size of the model", found, _megabytes(each.limit), rows, each.state
    within = {"holds": "within the limit", "failed": "over the limit"}.get(each.state)
    return "time to score a row", within, f"{format_value(each.limit)} ms", rows, each.state


def _amount(value: float, metric: str) -> str:
    return f"{100 * value:.1f} points" if metric == "accuracy" else f"{value:.4f}"


def _megabytes(size: float) -> str:
    return f"{format_value(size)} MB" if size >= 1 else f"{format_value(1_000 * size)} kB"


def _record(entry: Entry) -> dict[str, Any]:
    return {"schema": RECORD_SCHEMA, **entry}
