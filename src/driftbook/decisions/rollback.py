"""Whether a promoted champion is taken back: ``rollback``, ``keep`` or ``continue``.

A promotion is decided on few days, and the world goes on. So the champion before scores every row in shadow, and the
test that promoted is turned round: does the one before do better? It must also see a champion that is good first and
turns bad later, so evidence is gathered from every day on which the turn may have come
(``decisions.sequential.log_turning_evidence``); a champion no worse than the one before is *ever* taken back with at
most the probability that the policy allows, however often one looks. Beside it stands the business condition: worse
by the margin on average since the turn, and that on so many days. When the watch is over, the champion stays.

A day of the evidence is a day of events with what is known of it: rows of one day move together whenever their targets
arrive, and a turn shows in the days after it only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from driftbook.config.policy import RollbackPolicy
from driftbook.decisions import Decision
from driftbook.decisions.comparison import Metric, PromotionEvidence
from driftbook.decisions.sequential import (
    PairedSums,
    confidence_sequence,
    log_evidence,
    log_start_weights,
    log_turning_evidence,
    sums_by_start,
)

_ROUNDING = 1e-9
_SHOWN: dict[Metric, str] = {
    "accuracy": "points of accuracy",
    "brier": "in Brier score",
    "log_loss": "in log loss",
    "cost": "in cost a prediction",
}


def decide_rollback(evidence: PromotionEvidence, policy: RollbackPolicy, *, metric: Metric) -> Decision:
    """Put the champion before back in office, go on watching, or end the watch.

    Parameters
    ----------
    evidence
        The days of events since the promotion of which targets are known, in order: ``champion`` is in office,
        ``challenger`` the champion before it.
    policy
        How often a false rollback may ever happen, margin, stable days, labelled days watched.
    metric
        Of the promotion policy: a champion is taken back by what it was promoted for.

    Returns
    -------
    ``rollback`` when both conditions hold; ``keep`` when the watch is over: the champion stays; else ``continue``.

    Examples
    --------
    >>> from datetime import datetime
    >>> from driftbook.decisions.comparison import LabelledDay
    >>> days = [LabelledDay(date(2026, 6, 12 + k), f"2026-06-{9 + k:02}", 2400, 1900, 1996, 146, 50) for k in range(4)]
    >>> evidence = PromotionEvidence(champion=2, challenger=1, trained_until=datetime(2026, 6, 8), days=tuple(days))
    >>> decision = decide_rollback(evidence, RollbackPolicy(), metric="accuracy")
    >>> decision.action, decision.reasons[0]
    ('rollback', 'Version 2 is taken back: on 9,600 rows since 2026-06-09 it lost 4.0 points of \
accuracy against version 1 (between a loss of 2.6 and a loss of 5.4).')
    >>> decide_rollback(evidence.until(date(2026, 6, 12)), RollbackPolicy(), metric="accuracy").action
    'continue'
    """
    known = PromotionEvidence.from_json(evidence.to_json())
    given = {"given": known.to_json(), "policy": {**policy.model_dump(mode="json"), "metric": metric}}
    if not known.days:
        return Decision("continue", (f"{_watched(known)}; no targets are known yet since then.",), given)
    [loss] = _losses(known, [len(known.days)], policy, metric)
    figures = {
        **loss.figures(),
        "labelled_days": len(known.days),
        "statistical_condition": loss.log_evidence >= _log_needed(policy),
        "log_evidence_needed": _log_needed(policy),
        "business_condition": loss.mean_difference >= policy.margin - _ROUNDING
        and loss.days_since >= policy.stable_days,
    }
    action = _action(figures, policy)
    reasons = (_first_reason(action, known, loss, policy, metric), *_conditions(figures, policy, metric))
    return Decision(action, reasons, {**given, **figures})


def daily_watch(evidence: PromotionEvidence, policy: RollbackPolicy, *, metric: Metric) -> pl.DataFrame:
    """The watch day by day of events, with what is known of them.

    Returns
    -------
    One row a labelled day: ``known_on, batch_id, rows``; ``champion, previous`` (mean metric of that day) and their
    ``difference`` (positive: the champion before is better); then over the days up to that one ``since`` (the start
    that speaks most for going back; the first day while nothing does), ``mean_difference`` from then on with its
    confidence sequence ``low, high`` (valid for all days and all starts at once), ``log_evidence`` and the
    ``log_evidence_needed``.

    Examples
    --------
    >>> from datetime import datetime
    >>> from driftbook.decisions.comparison import LabelledDay
    >>> wins = [20, 20, 20, 90, 90, 90, 90]
    >>> days = tuple(
    ...     LabelledDay(date(2026, 6, 9 + k), f"2026-06-{8 + k:02}", 2400, 1900, 1810 + 2 * won, won, 90 - won)
    ...     for k, won in enumerate(wins)
    ... )
    >>> evidence = PromotionEvidence(champion=2, challenger=1, trained_until=datetime(2026, 6, 8), days=days)
    >>> daily_watch(evidence, RollbackPolicy(), metric="accuracy").row(-1, named=True)["since"]
    datetime.date(2026, 6, 11)
    """
    days, sums, scale = evidence.days, evidence.sums(metric), evidence.scale(metric)
    name = "correct" if metric == "accuracy" else metric
    rows = sums.rows.clip(1.0)
    known = _losses(evidence, range(1, len(days) + 1), policy, metric)
    return pl.DataFrame(
        {
            "known_on": pl.Series([day.known_on for day in days], dtype=pl.Date),
            "batch_id": pl.Series([day.batch_id for day in days], dtype=pl.String),
            "rows": pl.Series([day.rows for day in days], dtype=pl.Int64),
            "champion": np.array([getattr(day, f"champion_{name}") for day in days], dtype=np.float64) / rows,
            "previous": np.array([getattr(day, f"challenger_{name}") for day in days], dtype=np.float64) / rows,
            "difference": sums.total / rows * scale,
            "since": pl.Series([loss.since for loss in known], dtype=pl.Date),
            **{
                column: pl.Series([getattr(loss, column) for loss in known], dtype=pl.Float64)
                for column in ("mean_difference", "low", "high", "log_evidence")
            },
        }
    ).with_columns(pl.lit(_log_needed(policy)).alias("log_evidence_needed"))


@dataclass(frozen=True)
class _Loss:
    """What speaks for going back after the last day: since when, how much was lost from then on, and how surely."""

    since: date
    days_since: int
    rows_since: int
    mean_difference: float
    low: float
    high: float
    log_evidence: float

    def figures(self) -> dict[str, Any]:
        return {**vars(self), "since": self.since.isoformat()}


def _losses(evidence: PromotionEvidence, counts: Sequence[int], policy: RollbackPolicy, metric: Metric) -> list[_Loss]:
    """As the first ``count`` days show it, for each count; the bounds of all of them are looked for at once."""
    days, scale, sums = evidence.days, evidence.scale(metric), evidence.sums(metric)
    turns = [_turn(sums.part(slice(0, count))) for count in counts]
    chosen = PairedSums(
        rows=np.array([turn.sums.rows[0] for turn in turns]),
        total=np.array([turn.sums.total[0] for turn in turns]),
        squares=np.array([turn.sums.squares[0] for turn in turns]),
        is_sign=sums.is_sign,
    )
    # the error rate is shared out among the starts as the wealth is, so that the bounds hold for all of them at once
    shares = np.array([policy.false_rollback_rate * math.exp(turn.log_weight) for turn in turns])
    low, high = confidence_sequence(chosen, error_rate=shares)
    return [
        _Loss(
            since=date.fromisoformat(days[turn.start].batch_id[:10]),
            days_since=count - turn.start,
            rows_since=sum(day.rows for day in days[turn.start : count]),
            mean_difference=float(chosen.total[place] / chosen.rows[place] * scale),
            low=float(low[place] * scale),
            high=float(high[place] * scale),
            log_evidence=turn.wealth,
        )
        for place, (count, turn) in enumerate(zip(counts, turns, strict=True))
    ]


@dataclass(frozen=True)
class _Turn:
    """The start that speaks most for going back: its number, weight and sums, and the wealth of all starts."""

    start: int
    log_weight: float
    sums: PairedSums
    wealth: float


def _turn(sums: PairedSums) -> _Turn:
    by_start = sums_by_start(sums)
    weights = log_start_weights(sums.rows.size)
    wealth = float(log_turning_evidence(by_start))
    # as long as nothing speaks for going back, all days are told
    start = int((log_evidence(by_start) + weights).argmax()) if wealth > 0 else 0
    return _Turn(start, float(weights[start]), by_start.part(slice(start, start + 1)), wealth)


def _log_needed(policy: RollbackPolicy) -> float:
    return -math.log(policy.false_rollback_rate)


def _action(figures: dict[str, Any], policy: RollbackPolicy) -> str:
    if figures["statistical_condition"] and figures["business_condition"]:
        return "rollback"
    return "keep" if figures["labelled_days"] >= policy.watch_days else "continue"


def _watched(evidence: PromotionEvidence) -> str:
    return f"Version {evidence.champion} is watched against version {evidence.challenger} before it"


def _first_reason(action: str, evidence: PromotionEvidence, loss: _Loss, policy: RollbackPolicy, metric: Metric) -> str:
    told = (
        f"on {loss.rows_since:,} rows since {loss.since} it {_moved(loss.mean_difference, metric)} {_SHOWN[metric]} "
        f"against version {evidence.challenger} (between {_sides(loss, metric)})"
    )
    if action == "rollback":
        return f"Version {evidence.champion} is taken back: {told}."
    if action == "keep":
        days = _counted(len(evidence.days))
        return f"The watch over version {evidence.champion} is over after {days}: it stays; {told}."
    return f"{_watched(evidence)}: {told}; {len(evidence.days)} of {_counted(policy.watch_days)} seen."


def _conditions(figures: dict[str, Any], policy: RollbackPolicy, metric: Metric) -> tuple[str, str]:
    holds = {True: "holds", False: "does not hold"}
    return (
        f"The statistical condition {holds[figures['statistical_condition']]}: evidence of "
        f"{_odds(figures['log_evidence'])} to 1 for going back, {_odds(figures['log_evidence_needed'])} to 1 needed.",
        f"The business condition {holds[figures['business_condition']]}: {_amount(policy.margin, metric)} "
        f"{_SHOWN[metric]} lost on average over {_counted(policy.stable_days)} or more needed, "
        f"{_side(figures['mean_difference'], metric)} over {_counted(figures['days_since'])} found.",
    )


def _counted(days: int) -> str:
    return f"{days} labelled day{'' if days == 1 else 's'}"


def _odds(logarithm: float) -> str:
    odds = math.exp(min(logarithm, 20.0))
    return "over a million" if odds > 1e6 else f"{odds:,.0f}" if odds >= 10 else f"{odds:.2g}"


def _moved(loss: float, metric: Metric) -> str:
    return f"{'lost' if loss >= 0 else 'gained'} {_amount(abs(loss), metric)}"


def _side(loss: float, metric: Metric) -> str:
    """A loss of the champion, or a gain."""
    return f"a {'loss' if loss >= 0 else 'gain'} of {_amount(abs(loss), metric)}"


def _sides(loss: _Loss, metric: Metric) -> str:
    """Both ends of the confidence sequence, the smaller of two gains first."""
    ends = (loss.high, loss.low) if loss.high < 0 else (loss.low, loss.high)
    return " and ".join(_side(end, metric) for end in ends)


def _amount(value: float, metric: Metric) -> str:
    return f"{value * 100:.1f}" if metric == "accuracy" else f"{value:.4f}"
