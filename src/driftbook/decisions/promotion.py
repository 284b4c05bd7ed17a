"""Whether the challenger becomes champion: ``promote``, ``keep`` or ``continue``.

Two conditions must hold: the *statistical* one says that the advantage is no chance, however often one looked
(``decisions.sequential``), the *business* one that it is worth a change: the margin, on so many labelled days in a
row. The business rule alone would promote an equal challenger sooner or later; the statistical one alone would change
models for a tenth of a point. And no guardrail may stand against it (``decisions.guardrails``). The champion is kept
when the advantage cannot reach the margin any more, when a guardrail failed that cannot heal, or when the time to
show it is over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from driftbook.config.policy import PromotionPolicy
from driftbook.decisions import Decision
from driftbook.decisions.comparison import Contender, LabelledDay, PromotionEvidence, compare_models
from driftbook.decisions.design_effect import EventDays, PairedSums, design_effects, effective_sums
from driftbook.decisions.guardrails import (
    Guardrail,
    describe_guardrails,
    guardrail_table,
    judge_guardrails,
    told_guardrails,
)
from driftbook.decisions.sequential import confidence_sequence, log_evidence

__all__ = [
    "Contender",
    "LabelledDay",
    "PromotionEvidence",
    "compare_models",
    "daily_comparison",
    "decide_promotion",
    "guardrail_table",
]
_ROUNDING = 1e-9


def daily_comparison(evidence: PromotionEvidence, policy: PromotionPolicy) -> pl.DataFrame:
    """The comparison as it stood at the end of each labelled day.

    Returns
    -------
    One row a labelled day: ``known_on, batch_id, rows``; ``champion, challenger`` (mean metric of that day) and their
    ``difference`` (positive: the challenger is better); then as of that day ``mean_difference``, its confidence
    sequence ``low, high`` (each bound ever wrong with the policy's false promotion rate at most), ``design_effect``,
    ``log_evidence`` and the ``log_evidence_needed``.
    """
    metric, days, scale = policy.metric, evidence.days, evidence.scale(policy.metric)
    name = "correct" if metric == "accuracy" else metric
    sums = evidence.sums(metric)
    total = evidence.effective(metric)
    low, high = confidence_sequence(total, error_rate=policy.false_promotion_rate)
    rows = sums.rows.clip(1.0)
    return pl.DataFrame(
        {
            "known_on": pl.Series([day.known_on for day in days], dtype=pl.Date),
            "batch_id": pl.Series([day.batch_id for day in days], dtype=pl.String),
            "rows": pl.Series([day.rows for day in days], dtype=pl.Int64),
            "champion": np.array([getattr(day, f"champion_{name}") for day in days], dtype=np.float64) / rows,
            "challenger": np.array([getattr(day, f"challenger_{name}") for day in days], dtype=np.float64) / rows,
            "difference": sums.total / rows * scale,
            "mean_difference": total.total / total.rows * scale,
            "low": low * scale,
            "high": high * scale,
            "design_effect": design_effects(sums, evidence.event_days(metric)),
            "log_evidence": log_evidence(total),
        }
    ).with_columns(pl.lit(_log_needed(policy)).alias("log_evidence_needed"))


def decide_promotion(evidence: PromotionEvidence, policy: PromotionPolicy) -> Decision:
    """Promote the challenger, keep the champion, or continue to compare.

    Parameters
    ----------
    evidence
        The labelled days so far; nothing else enters.
    policy
        Metric, margin, stable days, how often a false promotion may ever happen, guardrails, when to give up.

    Returns
    -------
    ``promote`` when both conditions hold and every guardrail; ``keep`` when the advantage cannot reach the margin any
    more, the model is too slow or too large, or the time to show it is over; else ``continue``, with an estimate of
    the labelled days still needed.

    Raises
    ------
    StateError
        If the policy decides by cost and the evidence holds none.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> days = [LabelledDay(date(2026, 6, 12 + k), f"2026-06-{9 + k:02}", 2400, 1900, 1996, 146, 50) for k in range(3)]
    >>> evidence = PromotionEvidence(champion=1, challenger=2, trained_until=datetime(2026, 6, 5), days=tuple(days))
    >>> decide_promotion(evidence, PromotionPolicy()).action
    'promote'
    >>> decide_promotion(evidence.until(date(2026, 6, 13)), PromotionPolicy()).action
    'continue'
    """
    known = PromotionEvidence.from_json(evidence.to_json())
    rules = policy.model_dump(mode="json", exclude=None if known.is_guarded else {"guardrails"})
    given = {"given": known.to_json(), "policy": rules}
    found = judge_guardrails(known, policy)
    figures, reasons = _told(known, policy, found)
    failed = [each for each in found if each.state == "failed"]
    lasting = next((each for each in failed if not each.may_heal), None)
    if lasting is not None:
        reason = f"The champion is kept: {lasting.sentence(policy.metric)}, and that does not heal."
        return Decision("keep", (reason, *reasons), {**given, **figures})
    if not known.days:
        return Decision("continue", ("No targets are known yet for rows that both models scored.",), given)
    convinced = bool(figures["statistical_condition"] and figures["business_condition"])
    if convinced and not failed:
        return Decision("promote", reasons, {**given, **figures})
    hopeless = _hopeless(figures, known, policy, blocked=convinced)
    if hopeless:
        return Decision("keep", (hopeless, *reasons), {**given, **figures})
    if convinced:
        return Decision("continue", (_blocked(failed, policy), *reasons), {**given, **figures})
    needed = _days_needed(known, policy, run=figures["days_above_margin"])
    outlook = _outlook(needed, policy, failed=len(failed))
    return Decision("continue", (outlook, *reasons), {**given, **figures, "days_needed": needed})


def _told(
    evidence: PromotionEvidence, policy: PromotionPolicy, found: Sequence[Guardrail]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Figures and sentences of both conditions and of the guardrails, as far as anything is known of them."""
    figures = _figures(evidence, policy) if evidence.days else {}
    reasons = _conditions(figures, evidence, policy) if evidence.days else ()
    if not evidence.is_guarded:
        return figures, reasons
    told = describe_guardrails(found, policy.metric)
    return {**figures, "guardrails": told_guardrails(found)}, (*reasons, told)


def _hopeless(figures: dict[str, Any], evidence: PromotionEvidence, policy: PromotionPolicy, *, blocked: bool) -> str:
    """Why the champion is kept although the comparison could go on; empty: it goes on."""
    days, bound = len(evidence.days), _amount(figures["high"], policy)
    if figures["high"] < 0:
        return f"Even the upper bound {bound} is below zero: the challenger is worse, and the champion is kept."
    if figures["high"] < policy.margin:
        return f"Even the upper bound {bound} is below the margin: the champion is kept."
    if days >= policy.give_up_days:
        why = ", because a guardrail did not heal" if blocked else ""
        return f"After {days} labelled days ({policy.give_up_days} allowed) the champion is kept{why}."
    return ""


def _blocked(failed: Sequence[Guardrail], policy: PromotionPolicy) -> str:
    against = "; ".join(each.sentence(policy.metric) for each in failed)
    return (
        f"Both conditions hold, but a guardrail does not: {against}. It may heal; if it does not, the champion is kept "
        f"after {policy.give_up_days} labelled days."
    )


def _figures(evidence: PromotionEvidence, policy: PromotionPolicy) -> dict[str, Any]:
    """The two conditions, and the numbers behind them, as of the last labelled day."""
    last = daily_comparison(evidence, policy).row(-1, named=True)
    names = ("mean_difference", "low", "high", "design_effect", "log_evidence", "log_evidence_needed")
    run = _days_above_margin(evidence, policy)
    return {
        **{name: last[name] for name in names},
        "labelled_days": len(evidence.days),
        "rows": sum(day.rows for day in evidence.days),
        "statistical_condition": last["log_evidence"] >= last["log_evidence_needed"],
        "days_above_margin": run,
        "business_condition": run >= policy.stable_days,
        "days_needed": None,
    }


def _log_needed(policy: PromotionPolicy) -> float:
    return -math.log(policy.false_promotion_rate)


def _days_above_margin(evidence: PromotionEvidence, policy: PromotionPolicy) -> int:
    """Length of the run of labelled days, up to the last, that each reach the margin."""
    sums = evidence.sums(policy.metric)
    reached = sums.total / sums.rows * evidence.scale(policy.metric) >= policy.margin - _ROUNDING
    return next((run for run, day in enumerate(reached[::-1]) if not day), len(reached))


def _days_needed(evidence: PromotionEvidence, policy: PromotionPolicy, *, run: int) -> int | None:
    """Labelled days until both conditions hold if it goes on as on average so far; None: not before giving up."""
    days = len(evidence.days)
    ahead = _going_on(evidence, policy, days=max(policy.give_up_days - days, 0))
    enough = log_evidence(ahead)[days - 1 :] >= _log_needed(policy)
    mean = ahead.total[days - 1] / ahead.rows[days - 1] * evidence.scale(policy.metric)
    if mean < policy.margin - _ROUNDING or not enough.any():
        return None
    needed = max(int(enough.argmax()), policy.stable_days - run)
    return needed if days + needed <= policy.give_up_days else None


def _going_on(evidence: PromotionEvidence, policy: PromotionPolicy, *, days: int) -> PairedSums:
    """Effective sums of the days so far and of as many more, each as the average day so far."""
    sums, known, more = evidence.sums(policy.metric), evidence.event_days(policy.metric), np.arange(1.0, days + 1.0)
    rows, total, squares = sums.rows.mean(), sums.total.mean(), sums.squares.mean()
    longer = PairedSums(
        np.append(sums.rows, np.full(days, rows)),
        np.append(sums.total, np.full(days, total)),
        np.append(sums.squares, np.full(days, squares)),
        sums.is_sign,
    )
    lying = EventDays(
        np.append(known.number, known.number[-1] + more),
        np.append(known.squared_rows, known.squared_rows[-1] + more * rows**2),
        np.append(known.squared_totals, known.squared_totals[-1] + more * total**2 / max(rows, 1.0)),
    )
    return effective_sums(longer, lying)


def _conditions(figures: dict[str, Any], evidence: PromotionEvidence, policy: PromotionPolicy) -> tuple[str, ...]:
    holds = {True: "holds", False: "does not hold"}
    days = f"{figures['labelled_days']} labelled day{'' if figures['labelled_days'] == 1 else 's'}"
    return (
        f"Challenger (version {evidence.challenger}) against champion (version {evidence.champion}): "
        f"{_amount(figures['mean_difference'], policy)} in {policy.metric} (between {_amount(figures['low'], policy)} "
        f"and {_amount(figures['high'], policy)}), {figures['rows']:,} rows on {days}.",
        f"The statistical condition {holds[figures['statistical_condition']]}: evidence of "
        f"{_odds(figures['log_evidence'])} to 1, {_odds(figures['log_evidence_needed'])} to 1 needed.",
        f"The business condition {holds[figures['business_condition']]}: {_amount(policy.margin, policy)} or more on "
        f"each of {policy.stable_days} labelled days in a row needed, {figures['days_above_margin']} so far.",
    )


def _odds(logarithm: float) -> str:
    odds = math.exp(min(logarithm, 20.0))
    return "over a million" if odds > 1e6 else f"{odds:,.0f}" if odds >= 10 else f"{odds:.2g}"


def _outlook(needed: int | None, policy: PromotionPolicy, *, failed: int) -> str:
    if needed is None:
        return f"At this rate nothing is decided before the champion is kept after {policy.give_up_days} labelled days."
    heal = f", and {'a guardrail has' if failed == 1 else f'{failed} guardrails have'} to heal" if failed else ""
    return f"About {needed} more labelled day{'' if needed == 1 else 's'} needed if it goes on like this{heal}."


def _amount(value: float, policy: PromotionPolicy) -> str:
    """A difference as people say it; better is positive for every metric."""
    return f"{value * 100:+.1f} points" if policy.metric == "accuracy" else f"{value:+.4f}"
