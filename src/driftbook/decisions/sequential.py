"""Evidence that may be looked at every day: an e-process and a confidence sequence on paired differences.

An ordinary test that is repeated daily errs in the end; here the chance of *ever* erring is bounded (Ville 1939;
Waudby-Smith & Ramdas 2024). The statistic is the wealth of a gambler who bets on "the difference is above ``mean``",
averaged over a fixed grid of stakes. It needs three sums a day, so that a record stays small and can be replayed.

Rows of one day are not independent: a campaign or an outage moves them together, and a test that counts rows
would then promote by chance. Therefore each day counts for ``rows / design effect`` rows (Kish 1965): the design
effect ``1 + (rows - 1) * correlation`` takes the correlation from the spread between the days seen so far, never less
than :data:`INTRADAY_CORRELATION`. With independent rows this only costs speed. It is an estimate, so the bound is
approximate for the first days where days differ much (``tests/simulations/test_promotion.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# the least correlation of two rows of a day: at 2,400 rows a day 1.6 times the variance of independent rows
INTRADAY_CORRELATION = 2.5e-4
# the variance between days as learned is drawn towards the least one with the weight of so many days
PRIOR_DAYS = 1.0
# the learned variance is an upper estimate, so many standard errors up: few days may agree by luck
CAUTION = 0.4
# stakes of the gamblers, as a share of the largest stake that cannot ruin them
STAKES: Floats = np.geomspace(0.01, 0.8, 12)
_BISECTIONS = 40


@dataclass(frozen=True)
class PairedSums:
    """Sums over rows of differences in [-1, 1] (challenger minus champion, positive is better), one entry a day.

    Any leading axes are independent repetitions; the last axis is the days in order of label arrival.

    Parameters
    ----------
    rows, total, squares
        Number of rows, sum of the differences, sum of their squares.
    is_sign
        Whether every difference is -1, 0 or 1 (accuracy): the sums then determine the wealth exactly.
        Otherwise a lower bound of it is used (Fan, Grama & Liu 2015), which keeps the guarantee.
    """

    rows: Floats
    total: Floats
    squares: Floats
    is_sign: bool

    @classmethod
    def of(cls, rows: ArrayLike, total: ArrayLike, squares: ArrayLike, *, is_sign: bool) -> PairedSums:
        """Sums from anything array-like.

        Examples
        --------
        >>> PairedSums.of([100, 100], [4, 2], [10, 8], is_sign=True).total
        array([4., 2.])
        """
        first, second, third = (np.asarray(each, dtype=np.float64) for each in (rows, total, squares))
        return cls(first, second, third, is_sign)

    def turned(self) -> PairedSums:
        """The same differences with champion and challenger exchanged."""
        return PairedSums(self.rows, -self.total, self.squares, self.is_sign)


def design_effects(days: PairedSums) -> Floats:
    """How many rows of a day are worth one independent row, as estimated after each day for that day.

    An upper estimate of the variance between days over the variance within days, drawn towards the least design
    effect while few days are known, and never below it. One day alone cannot tell how much days differ.

    Examples
    --------
    >>> calm = PairedSums.of([2400] * 4, [48, 45, 50, 49], [240] * 4, is_sign=True)
    >>> design_effects(calm).round(2)
    array([7.82, 1.88, 1.6 , 1.6 ])
    >>> restless = PairedSums.of([2400] * 4, [200, -150, 190, -160], [240] * 4, is_sign=True)
    >>> design_effects(restless)[-1:].round()
    array([220.])
    """
    return 1.0 + (days.rows - 1.0) * _correlations(days)


def effective_sums(days: PairedSums) -> PairedSums:
    """Cumulative sums after each day, every day divided by its design effect as known then.

    Examples
    --------
    >>> days = PairedSums.of([2401, 2401], [48, 48], [240, 240], is_sign=True)
    >>> effective_sums(days).total.round(1)
    array([ 6.1, 51.8])
    """
    correlations = _correlations(days)[..., None]
    effects = 1.0 + (days.rows[..., None, :] - 1.0) * correlations
    known = np.tril(np.ones((days.rows.shape[-1],) * 2)) / effects
    rows, total, squares = ((known * each[..., None, :]).sum(axis=-1) for each in (days.rows, days.total, days.squares))
    return PairedSums(rows, total, squares, days.is_sign)


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


def confidence_sequence(sums: PairedSums, *, error_rate: float) -> tuple[Floats, Floats]:
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


def _lower_bound(sums: PairedSums, error_rate: float) -> Floats:
    observed = np.divide(sums.total, sums.rows, out=np.zeros_like(sums.total), where=sums.rows > 0)
    low, high = np.full_like(observed, -1.0), observed.clip(-0.999, 0.999)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        rejected = log_evidence(sums, mean=middle) >= np.log(1 / error_rate)
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return low


def _correlations(days: PairedSums) -> Floats:
    """Correlation of two rows of a day, as estimated after each day (analysis of variance, one way)."""
    number = np.arange(1, days.rows.shape[-1] + 1, dtype=np.float64)
    rows, total = days.rows.cumsum(axis=-1), days.total.cumsum(axis=-1)
    day_squares = (days.total**2 / days.rows.clip(1.0)).cumsum(axis=-1)
    within = (days.squares.cumsum(axis=-1) - day_squares) / (rows - number).clip(1.0)
    between = (day_squares - total**2 / rows.clip(1.0)).clip(0.0)
    ratio = np.divide(between, within, out=np.zeros_like(between), where=within > 0)
    typical = (rows / number).clip(2.0)
    least = 1.0 + (typical - 1.0) * INTRADAY_CORRELATION
    freedom = PRIOR_DAYS + number - 1.0
    # chi-squared quantile (Wilson & Hilferty 1931)
    quantile = freedom * (1.0 - 2.0 / (9.0 * freedom) - CAUTION * np.sqrt(2.0 / (9.0 * freedom))) ** 3
    learned = (PRIOR_DAYS * least + ratio) / quantile
    correlation: Floats = (np.maximum(learned, least) - 1.0) / (typical - 1.0)
    return correlation
