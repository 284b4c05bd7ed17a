"""What a challenger may not make worse, however much better it is on average.

A better mean can hide a group of customers that is served worse, probabilities that no longer keep their word, or a
model too slow or too large to serve. A guardrail only ever stands against a promotion, so it needs no guarantee
against looking often: by chance it costs days, never a false promotion. Losses are judged as they stand, segments
from so many rows on; they may heal as more targets arrive. Time and size do not heal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from driftbook.config.policy import PromotionPolicy
from driftbook.decisions.comparison import PromotionEvidence
from driftbook.decisions.guarded_sums import SegmentSums, calibration_error

State = Literal["holds", "failed", "cannot_tell"]
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Guardrail:
    """One guardrail, as judged.

    Parameters
    ----------
    guardrail
        ``segment``, ``calibration``, ``latency`` or ``size``.
    subject
        The segment as ``column = value``; empty for the others.
    loss
        Of a segment per row in the metric's unit, of calibration as a probability (both: positive is worse); of size
        megabytes. ``None`` for latency, which is never on record, and where nothing is known.
    limit
        What is allowed, in the same unit; latency in milliseconds.
    rows
        That were compared.
    state
        ``cannot_tell``: too few rows, or never measured. It stands against nothing.
    """

    guardrail: Literal["segment", "calibration", "latency", "size"]
    subject: str
    loss: float | None
    limit: float
    rows: int
    state: State

    @property
    def may_heal(self) -> bool:
        """Whether more targets could change it."""
        return self.guardrail in ("segment", "calibration")

    def sentence(self, metric: str) -> str:
        """What was found and what is allowed, without a full stop.

        Examples
        --------
        >>> Guardrail("segment", "contract = monthly", 0.062, 0.05, 320, "failed").sentence("accuracy")
        'contract = monthly loses 6.2 points on 320 rows (a loss of 5.0 points allowed)'
        >>> Guardrail("size", "", 240.0, 200.0, 0, "failed").sentence("accuracy")
        'the model takes 240 MB (200 MB allowed)'
        """
        if self.guardrail == "segment":
            found = f"{self.subject} {_change(self.loss, metric)} on {self.rows:,} rows"
            return f"{found} (a loss of {_size(self.limit, metric)} allowed)"
        if self.guardrail == "calibration":
            loss = self.loss or 0.0
            word = "worse" if loss > 0 else "better"
            return f"the calibration error is {abs(loss):.3f} {word} ({self.limit:.3f} worse allowed)"
        if self.guardrail == "size":
            return f"the model takes {self.loss:.3g} MB ({self.limit:.3g} MB allowed)"
        within = "within" if self.state == "holds" else "not within"
        return f"a row is scored {within} {self.limit:g} ms"


def judge_guardrails(evidence: PromotionEvidence, policy: PromotionPolicy) -> tuple[Guardrail, ...]:
    """Every guardrail as of the last labelled day: calibration, latency, size, and each segment, the worst first.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> from driftbook.decisions.comparison import LabelledDay
    >>> sums = {"contract": {"monthly": SegmentSums(300, 5, 26), "yearly": SegmentSums(2100, 110, 4)}}
    >>> day = LabelledDay(date(2026, 6, 12), "2026-06-09", 2400, 1900, 1985, 115, 30, segments=sums)
    >>> found = judge_guardrails(PromotionEvidence(1, 2, datetime(2026, 6, 5), (day,)), PromotionPolicy())
    >>> [(each.guardrail, each.subject, each.state) for each in found if each.guardrail == "segment"]
    [('segment', 'contract = monthly', 'failed'), ('segment', 'contract = yearly', 'holds')]
    """
    segments = sorted(_segments(evidence, policy), key=_worst_first)
    return (_calibration(evidence, policy), _latency(evidence, policy), _size_of(evidence, policy), *segments)


def guardrail_table(evidence: PromotionEvidence, policy: PromotionPolicy) -> pl.DataFrame:
    """The guardrails as a table: ``guardrail, subject, loss, limit, rows, state``, as in :class:`Guardrail`."""
    schema = {
        "guardrail": pl.String,
        "subject": pl.String,
        "loss": pl.Float64,
        "limit": pl.Float64,
        "rows": pl.Int64,
        "state": pl.String,
    }
    return pl.DataFrame([asdict(each) for each in judge_guardrails(evidence, policy)], schema=schema)


def told_guardrails(found: Sequence[Guardrail]) -> list[dict[str, Any]]:
    """Those a record names: all but segments that hold, of which only the worst is kept."""
    worst = next((each for each in found if each.guardrail == "segment" and each.state != "cannot_tell"), None)
    told = (each for each in found if each.guardrail != "segment" or each.state == "failed" or each is worst)
    return [asdict(each) for each in told]


def describe_guardrails(found: Sequence[Guardrail], metric: str) -> str:
    """One sentence: what stands against a promotion, or what holds."""
    failed = [each.sentence(metric) for each in found if each.state == "failed"]
    if failed:
        return f"The guardrails do not hold: {'; '.join(failed)}."
    worst = next((each for each in found if each.guardrail == "segment" and each.state == "holds"), None)
    told = [each for each in found if each.guardrail != "segment" and each.state == "holds"]
    holding = [each.sentence(metric) for each in ([worst] if worst else []) + told]
    return f"The guardrails hold: {'; '.join(holding)}." if holding else "The guardrails cannot be judged yet."


def _segments(evidence: PromotionEvidence, policy: PromotionPolicy) -> Iterator[Guardrail]:
    totals: dict[tuple[str, str], SegmentSums] = {}
    for day in evidence.days:
        for column, values in day.segments.items():
            for value, sums in values.items():
                before = totals.get((column, value))
                totals[column, value] = before.plus(sums) if before else sums
    limit, least = policy.guardrails.max_segment_loss, policy.guardrails.min_segment_rows
    for (column, value), sums in totals.items():
        loss = 0.0 - sums.gain(policy.metric)
        state: State = "cannot_tell" if sums.rows < least else _state(loss, limit)
        yield Guardrail("segment", f"{column} = {value}", loss, limit, sums.rows, state)


def _calibration(evidence: PromotionEvidence, policy: PromotionPolicy) -> Guardrail:
    limit = policy.guardrails.max_calibration_loss
    days = [day for day in evidence.days if day.champion_gaps and day.challenger_gaps]
    rows = sum(day.rows for day in days)
    if not rows:
        return Guardrail("calibration", "", None, limit, 0, "cannot_tell")
    challenger = calibration_error([day.challenger_gaps for day in days], rows)
    loss = challenger - calibration_error([day.champion_gaps for day in days], rows)
    return Guardrail("calibration", "", loss, limit, rows, _state(loss, limit))


def _latency(evidence: PromotionEvidence, policy: PromotionPolicy) -> Guardrail:
    """From a comparison with the limit of then: under another limit it may be that nobody can tell."""
    limit, within, then = policy.guardrails.max_latency_ms, evidence.within_latency, evidence.latency_limit_ms
    state: State = "cannot_tell"
    if within is not None and then is not None:
        if within and limit >= then:
            state = "holds"
        elif not within and limit <= then:
            state = "failed"
    return Guardrail("latency", "", None, limit, 0, state)


def _size_of(evidence: PromotionEvidence, policy: PromotionPolicy) -> Guardrail:
    limit, size = policy.guardrails.max_size_mb, evidence.size_mb
    return Guardrail("size", "", size, limit, 0, "cannot_tell" if size is None else _state(size, limit))


def _state(loss: float, limit: float) -> State:
    return "holds" if loss <= limit + _ROUNDING else "failed"


def _worst_first(segment: Guardrail) -> tuple[bool, float, str]:
    """Those with too few rows come last: what they lose is chance."""
    return segment.state == "cannot_tell", -(segment.loss or 0.0), segment.subject


def _change(loss: float | None, metric: str) -> str:
    return f"{'loses' if (loss or 0.0) > 0 else 'gains'} {_size(abs(loss or 0.0), metric)}"


def _size(amount: float, metric: str) -> str:
    return f"{100 * amount:.1f} points" if metric == "accuracy" else f"{amount:.4f}"
