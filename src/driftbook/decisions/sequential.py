"""Evidence that may be looked at every day: an e-process and a confidence sequence on paired differences.

An ordinary test that is repeated daily errs in the end; here the chance of *ever* erring is bounded (Ville 1939;
Waudby-Smith & Ramdas 2024). The statistic is the wealth of a gambler who bets on "the difference is above ``mean``",
averaged over a fixed grid of stakes. It needs three sums a day, so that a record stays small and can be replayed.

Sums are taken as worth fewer rows than there are, because rows of one day move together
(``decisions.design_effect``).

A model that is good first and turns bad later would have to lose all the wealth that its good days took from a single
gambler. Therefore a *watch* has one gambler for each day on which the turn may have come, who bets from that day on,
with weight ``1 / (s (s + 1))`` for day ``s``; the weights sum to one, so that the wealth of all together is an
e-process again, and finding the turn costs its logarithm only (:func:`log_turning_evidence`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftbook.decisions.design_effect import (
    EventDays,
    Floats,
    PairedSums,
    day_squares,
    design_effects,
    effective_sums,
    upper_correlation,
)

__all__ = [
    "EventDays",
    "PairedSums",
    "confidence_sequence",
    "design_effects",
    "effective_sums",
    "log_evidence",
    "log_start_weights",
    "log_turning_evidence",
    "sums_by_start",
]

# further up where the start is chosen among many days: some would make the days look calm by luck
START_CAUTION = 1.0
# stakes of the gamblers, as a share of the largest stake that cannot ruin them
STAKES: Floats = np.geomspace(0.01, 0.8, 12)
_BISECTIONS = 40


def log_evidence(sums: PairedSums, *, mean: ArrayLike = 0.0) -> Floats:
    """Natural logarithm of the e-value against "the mean difference is at most ``mean``".

    An e-value of ``1 / a`` or more ever occurs with probability ``a`` at most if the hypothesis is true,
    so that ``log_evidence >= log(1 / a)`` rejects it at any time.

    Parameters
    ----------
    sums
        Cumulative sums (:func:`effective_sums`), any shape.
    mean
        The hypothesis, in (-1, 1); broadcast against the sums.

    Examples
    --------
    >>> sums = PairedSums.of([1000, 1000], [0, 40], [60, 60], is_sign=True)
    >>> log_evidence(sums).round(1)
    array([-0.5, 11.8])
    """
    limit = np.asarray(mean, dtype=np.float64)[..., None]
    rows, total, squares = (each[..., None] for each in (sums.rows, sums.total, sums.squares))
    stake = STAKES / (1.0 + limit)
    if sums.is_sign:
        wins, losses, ties = (squares + total) / 2, (squares - total) / 2, rows - squares
        growth = wins * np.log1p(stake * (1 - limit)) + losses * np.log1p(-STAKES) + ties * np.log1p(-stake * limit)
    else:
        curvature = (-np.log1p(-STAKES) - STAKES) / STAKES**2
        spread = squares - 2 * limit * total + rows * limit**2
        growth = stake * (total - rows * limit) - curvature * stake**2 * spread
    best = growth.max(axis=-1, keepdims=True)
    mixture: Floats = best[..., 0] + np.log(np.exp(growth - best).mean(axis=-1))
    return mixture


def confidence_sequence(sums: PairedSums, *, error_rate: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper bound of the mean difference, each ever wrong with probability ``error_rate`` at most.

    The means that the e-process cannot reject; the lower bound passes zero exactly when
    :func:`log_evidence` passes ``log(1 / error_rate)``.

    Examples
    --------
    >>> sums = PairedSums.of([2400, 24000], [48, 480], [240, 2400], is_sign=True)
    >>> low, high = confidence_sequence(sums, error_rate=0.01)
    >>> low.round(3), high.round(3)
    (array([-0.003,  0.013]), array([0.044, 0.027]))
    """
    return _lower_bound(sums, error_rate), -_lower_bound(sums.turned(), error_rate)


def sums_by_start(days: PairedSums) -> PairedSums:
    """Sums after the last day over the days from each start on, every day divided by its design effect.

    How much days differ is learned from all of them, those before the start around their own mean and those from it
    on around theirs, so that a turn on that day does not pass for restless days.

    Returns
    -------
    The shape of the input: entry ``s`` of the last axis sums days ``s, s + 1, …`` up to the last one.

    Examples
    --------
    >>> days = PairedSums.of([2401] * 3, [0, 48, 48], [240] * 3, is_sign=True)
    >>> sums_by_start(days).total.round(1)
    array([10. , 20.6,  2.6])
    """
    count = days.rows.shape[-1]
    effects = 1.0 + (days.rows[..., None, :] - 1.0) * _correlations_by_start(days)[..., None]
    counted = np.triu(np.ones((count, count))) / effects
    rows, total, squares = (
        (counted * each[..., None, :]).sum(axis=-1) for each in (days.rows, days.total, days.squares)
    )
    return PairedSums(rows, total, squares, days.is_sign)


def log_start_weights(count: int) -> Floats:
    """Logarithms of the weights ``1 / (s (s + 1))`` of the start days ``s = 1 … count``.

    Examples
    --------
    >>> np.exp(log_start_weights(3)).round(3)
    array([0.5  , 0.167, 0.083])
    """
    start = np.arange(1, count + 1, dtype=np.float64)
    weights: Floats = -np.log(start * (start + 1.0))
    return weights


def log_turning_evidence(by_start: PairedSums) -> Floats:
    """Natural logarithm of the e-value against "the mean difference was never above zero, from no day on".

    The mixture of :func:`log_evidence` over all start days; those still to come have bet nothing and keep their
    weight, ``1 / (days + 1)`` together. Averages of e-processes with weights fixed beforehand are e-processes.

    Parameters
    ----------
    by_start
        As :func:`sums_by_start` gives them after one day; the last axis is reduced.

    Examples
    --------
    >>> days = PairedSums.of([2400] * 26, [-24] * 20 + [72] * 6, [240] * 26, is_sign=True)
    >>> print(log_turning_evidence(sums_by_start(days)).round(1), log_evidence(effective_sums(days))[-1].round(1))
    31.5 -1.2
    """
    count = by_start.rows.shape[-1]
    growth = log_evidence(by_start) + log_start_weights(count)
    best = growth.max(axis=-1, initial=-np.log(count + 1.0))
    wealth = np.exp(growth - best[..., None]).sum(axis=-1) + np.exp(-np.log(count + 1.0) - best)
    mixture: Floats = best + np.log(wealth)
    return mixture


def _lower_bound(sums: PairedSums, error_rate: ArrayLike) -> Floats:
    needed = np.log(1 / np.asarray(error_rate, dtype=np.float64))
    observed = np.divide(sums.total, sums.rows, out=np.zeros_like(sums.total), where=sums.rows > 0)
    low, high = np.full_like(observed, -1.0), observed.clip(-0.999, 0.999)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        rejected = log_evidence(sums, mean=middle) >= needed
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return low


def _correlations_by_start(days: PairedSums) -> Floats:
    """The same after the last day, for each start: days before it and days from it on have means of their own."""
    number = days.rows.shape[-1]
    rows, total, squares = (each.cumsum(axis=-1) for each in (days.rows, days.total, day_squares(days)))
    all_rows, all_total, all_squares = (each[..., -1:] for each in (rows, total, squares))
    rows_before, total_before = rows - days.rows, total - days.total
    explained = total_before**2 / rows_before.clip(1.0) + (all_total - total_before) ** 2 / (
        all_rows - rows_before
    ).clip(1.0)
    within = (days.squares.sum(axis=-1, keepdims=True) - all_squares) / (all_rows - number).clip(1.0)
    means = np.where(np.arange(number) == 0, 1.0, 2.0)
    between = (all_squares - explained).clip(0.0)
    freedom = (number - means).clip(0.0)
    return upper_correlation(between, within, typical=all_rows / number, freedom=freedom, caution=START_CAUTION)
