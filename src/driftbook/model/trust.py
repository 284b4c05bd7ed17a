"""Whether estimates may still be believed: a running test of the probabilities they rest on.

Estimated performance assumes that the probabilities, put right on the reference, still hold. Targets tell, late but
surely. Gamblers bet, day by day in the order in which targets arrive, that some event (a class; the decision
being right; a sure decision being right) has become more, or less, likely than promised. A gambler who bets
``step`` multiplies the odds of the event by ``exp(step)`` and gains the likelihood of what happened under these
odds over the likelihood under the promised ones. While the promise holds, nobody's wealth grows on average, so the
wealth averaged over events, directions and steps *ever* reaches ``1 / error_rate`` with probability
``error_rate`` at most (Ville 1939; Ramdas et al. 2023), however often one looks. A change may set in on any day:
part ``1 / (s (s + 1))`` of the money waits until the s-th day.

Three things that are no change must not count as one. Odds off by :data:`TOLERANCE` (as a logarithm; two points
of accuracy and less), and twice what the reference itself can have missed, are granted to the promise. Rows of one day
move together, so a day's gain counts only for ``rows / design effect`` rows (Kish 1965), the effect being learned from
the reference's own days (with independent rows the bound is exact, otherwise as good as that estimate:
``tests/simulations/test_concept_drift.py``). And a step of the map that saw no miss promises no certainty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl

from driftbook.model.estimation import decisions
from driftbook.model.isotonic import LEAST_DAYS, Array, Recalibration
from driftbook.model.metrics import matrix_of

ERROR_RATE = 0.01  # probability of ever withdrawing estimates that hold
TOLERANCE = 0.1
STEPS = (0.1, 0.2, 0.4, 0.8, 1.6)
SURE = 0.9  # decisions promised to be right so often are watched by themselves
MOST_CLASSES = 8  # the most frequent ones have gamblers of their own
# the least correlation of two rows of a day, and the one assumed where the reference has too few days to tell
LEAST_CORRELATION, UNKNOWN_CORRELATION = 2.5e-4, 1e-3
TRUST_SCHEMA = pl.Schema(
    {
        "known_on": pl.Date(),
        "batch_id": pl.String(),
        "rows": pl.Int64(),
        "promised": pl.Float64(),
        "found": pl.Float64(),
        "log_evidence": pl.Float64(),
        "broken": pl.Boolean(),
        "since": pl.String(),
    }
)


@dataclass(frozen=True)
class _Event:
    """What gamblers bet on: the rows concerned, the chance promised to each, and whether it happened."""

    chance: Array
    happened: Array
    place: np.ndarray  # the day of each row


def calibration_trust(
    labelled: pl.DataFrame,
    *,
    classes: Sequence[str],
    recalibration: Recalibration,
    error_rate: float = ERROR_RATE,
) -> pl.DataFrame:
    """Whether the probabilities held, day by day in the order in which targets became known.

    Parameters
    ----------
    labelled
        batch_id, probabilities, target, known_time of rows that the model had not learned from; ``prediction`` as for
        :func:`driftbook.model.estimation.estimate_performance`. Only what is known may be given: the answer as of a
        day is that of the rows known by then, and days to come do not change it.
    recalibration
        What the estimates rest on.
    error_rate
        Probability of ever calling a promise broken that holds.

    Returns
    -------
    One row per day: known_on, batch_id (the first of that day's), rows, promised and found share of
    right decisions, log_evidence (natural logarithm), broken (from the first day on which the evidence sufficed),
    since (the batch with which the change most likely set in, as known on that first day; null before it).

    Examples
    --------
    >>> from datetime import datetime
    >>> rows = pl.DataFrame({"batch_id": ["a"] * 400, "probabilities": [[0.2, 0.8]] * 400})
    >>> rows = rows.with_columns(target=pl.lit("no"), known_time=datetime(2026, 6, 1))
    >>> calibration_trust(rows, classes=["no", "yes"], recalibration=Recalibration())["broken"].to_list()
    [True]
    """
    rows = labelled.filter(pl.col("target").is_in(list(classes)))
    if rows.is_empty():
        return pl.DataFrame(schema=TRUST_SCHEMA)
    rows = rows.with_columns(known_on=pl.col("known_time").dt.date()).sort("known_on", maintain_order=True)
    place = rows["known_on"].rank("dense").cast(pl.Int64).to_numpy() - 1
    stated = matrix_of(rows["probabilities"], classes=len(classes))
    decided = decisions(rows, stated, classes=classes)
    codes = rows["target"].replace_strict(list(classes), range(len(classes)), return_dtype=pl.Int64).to_numpy()
    promised = recalibration.probabilities(stated, cautious=True)
    wealth = _wealth(_gains(_events(promised, decided, codes, place), place, recalibration))
    evidence = np.logaddexp.reduce(wealth, axis=0)
    days = rows.group_by("known_on", maintain_order=True).agg(pl.col("batch_id").min(), pl.len().alias("rows"))
    hits = {"promised": (promised * decided).sum(axis=1), "found": decided[np.arange(codes.size), codes]}
    shares = {name: np.bincount(place, each) / np.bincount(place) for name, each in hits.items()}
    broken = np.maximum.accumulate(evidence >= -math.log(error_rate))
    since: list[str | None] = [None] * len(broken)
    if broken.any():
        first = int(broken.argmax())
        start = int(wealth[: first + 1, first].argmax())
        since[first:] = [days["batch_id"][start]] * (len(broken) - first)
    return days.with_columns(
        pl.Series("rows", days["rows"], dtype=pl.Int64), **{name: pl.Series(each) for name, each in shares.items()}
    ).with_columns(log_evidence=evidence, broken=broken, since=pl.Series(since, dtype=pl.String))


def withdraw(estimated: pl.DataFrame, trust: pl.DataFrame) -> pl.DataFrame:
    """The estimates with those taken back that rest on probabilities shown to be wrong.

    Parameters
    ----------
    estimated
        From :func:`driftbook.model.estimation.estimate_performance`.
    trust
        From :func:`calibration_trust`, as of the day of the report: a batch whose estimate stood when it was new is
        withdrawn in a later report, if the targets known by then show that it was wrong already.

    Returns
    -------
    The same rows with ``withdrawn`` and ``note``; values and intervals of withdrawn ones are null.
    """
    broken = trust.filter("broken")
    since = broken["since"][0] if broken.height else None
    gone = pl.lit(False) if since is None else pl.col("batch_id") >= since
    note = pl.when(gone).then(pl.lit(reason(trust))).otherwise(pl.lit(None, dtype=pl.String))
    values = [pl.when(~gone).then(pl.col(name)).alias(name) for name in ("value", "low", "high")]
    return estimated.with_columns(*values, withdrawn=gone, note=note)


def reason(trust: pl.DataFrame) -> str:
    r"""Why estimates are withdrawn, in a sentence; empty where they are not.

    Examples
    --------
    >>> from datetime import date
    >>> day = [date(2026, 6, 4), "2026-06-01", 2400, 0.86, 0.78, 41.0, True, "2026-06-01"]
    >>> reason(pl.DataFrame([day], schema=TRUST_SCHEMA, orient="row")).replace("\xa0", " ")[:84]
    'Withdrawn from batch 2026-06-01 on: its targets, known on 2026-06-04, contradict the'
    """
    broken = trust.filter("broken")
    if broken.is_empty():
        return ""
    first = broken.row(0, named=True)
    concerned = trust.filter(pl.col("batch_id") >= first["since"])
    promised, found = (100 * mean_share(concerned, name) for name in ("promised", "found"))
    return (
        f"Withdrawn from batch {first['since']} on: its targets, known on {first['known_on']}, contradict the "
        f"probabilities that the estimates rest on ({promised:.1f}\u00a0% of the decisions were promised to be right, "
        f"{found:.1f}\u00a0% were). The scores no longer mean what they meant in training, as when the relation to the "
        "target changes: only targets tell now how well the model does."
    )


def mean_share(trust: pl.DataFrame, name: str) -> float:
    """Share of decisions ``promised`` or ``found`` to be right, over all rows of some days."""
    return float(np.average(trust[name].to_numpy(), weights=trust["rows"].to_numpy()))


def _events(promised: Array, decided: Array, codes: np.ndarray, place: np.ndarray) -> list[_Event]:
    rows = np.arange(codes.size)
    confidence, right = (promised * decided).sum(axis=1), decided[rows, codes]
    sure = confidence >= SURE
    events = [_Event(confidence, right, place), _Event(confidence[sure], right[sure], place[sure])]
    first = promised[place == 0].mean(axis=0)  # of the first day: which classes are watched must not depend on others
    classes = [1] if promised.shape[1] == 2 else np.argsort(-first, kind="stable")[:MOST_CLASSES]
    return events + [_Event(promised[:, each], (codes == each).astype(np.float64), place) for each in classes]


def _gains(events: Sequence[_Event], place: np.ndarray, recalibration: Recalibration) -> Array:
    """Logarithm of each gambler's gain on each day, shape (gamblers, days), a day counting for its effective rows."""
    sizes = np.bincount(place)
    effect = 1.0 + (sizes - 1) * _correlation(recalibration)
    gains = []
    for event, direction in product(events, (-1.0, 1.0)):
        chance = np.clip(event.chance, 1e-9, 1 - 1e-9)
        granted = _granted(chance, event.place, recalibration)
        odds = chance / (1 - chance) * np.exp(direction * granted)
        likely = odds / (1 + odds)
        for step in STEPS:
            bet = direction * step
            gain = bet * event.happened - np.log1p(likely * math.expm1(bet))
            gains.append(np.bincount(event.place, gain, minlength=sizes.size) / effect)
    return np.array(gains)


def _granted(chance: Array, place: np.ndarray, recalibration: Recalibration) -> Array:
    """What each row's odds may be off by: the tolerance, and twice the error that the reference leaves in their level.

    That error follows from the chances promised up to the row's day, so that days to come change nothing.
    """
    if not recalibration.maps:
        return np.full(chance.size, TOLERANCE)
    spread, rows = np.cumsum(np.bincount(place, chance * (1 - chance))), np.cumsum(np.bincount(place))
    granted: Array = TOLERANCE + 2.0 / np.sqrt(recalibration.rows * (spread[place] / rows[place]))
    return granted


def _correlation(recalibration: Recalibration) -> float:
    """Correlation of two rows of one day: an upper estimate from the reference's days, never below the least."""
    if recalibration.days < LEAST_DAYS:
        return max(UNKNOWN_CORRELATION, recalibration.day_correlation)
    freedom = recalibration.days - 1.0
    quantile = (1.0 - 2.0 / (9.0 * freedom) - math.sqrt(2.0 / (9.0 * freedom))) ** 3  # Wilson & Hilferty 1931
    return max(LEAST_CORRELATION, recalibration.day_correlation / quantile)


def _wealth(gains: Array) -> Array:
    """Logarithm of the money on each day of those who began on each day, shape (begun, days).

    The average over the gamblers; the last line holds the money that still waits.
    """
    number, days = gains.shape
    begun = np.full((days + 1, days), -np.inf)
    each = np.full((days, number), -np.inf)
    for day in range(days):
        each[day] = -math.log((day + 1.0) * (day + 2.0)) - math.log(number)
        each[: day + 1] += gains[:, day]
        begun[: day + 1, day] = np.logaddexp.reduce(each[: day + 1], axis=1)
        begun[days, day] = -math.log(day + 2.0)
    return begun
