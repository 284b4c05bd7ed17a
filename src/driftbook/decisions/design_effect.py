"""How much less a day's rows say than as many independent ones.

Rows of one day are not independent: a campaign or an outage moves them together, and a test that counts rows
would then promote by chance. Therefore rows count for ``rows / design effect`` (Kish 1965): the design effect
``1 + (rows of a day - 1) * correlation`` takes the correlation from the spread between the days seen so far, never less
than :data:`INTRADAY_CORRELATION`. A day is one of *events*: where targets come late, one of arrivals mixes the
events of many, and days of arrivals would agree however much days differ (:class:`EventDays`). With independent rows
this only costs speed. It is an estimate, so how often it errs is simulated (``tests/simulations/promotions.py``).
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
# one or two days hardly tell how much days differ
LEAST_DAYS = 3
TOO_FEW_CAUTION = 0.8
# the learned variance is an upper estimate, so many standard errors up: few days may agree by luck. That matters as far
# as a day's rows share their luck, and the more the more often one looks; simulated to err seldom where days differ by
# a point, and to see two points at 2,400 rows a day on the third day (``tests/simulations/results/promotion.md``)
SHARED_CAUTION = 1.2
SHARED_POWER = 3
LOOKING_CAUTION = 0.4
LEAST_ROOT = 0.05  # of the quantile's cube root: where the approximation would go below zero


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

    def part(self, chosen: slice) -> PairedSums:
        """Some of the days."""
        return PairedSums(self.rows[..., chosen], self.total[..., chosen], self.squares[..., chosen], self.is_sign)


@dataclass(frozen=True)
class EventDays:
    """How the rows known so far lie on the days on which they happened, after each day of label arrival.

    Parameters
    ----------
    number
        Days of events of which anything is known.
    squared_rows
        Sum over them of the squared number of their rows.
    squared_totals
        Sum over them of the squared sum of their differences, divided by their rows.
    """

    number: Floats
    squared_rows: Floats
    squared_totals: Floats

    @classmethod
    def of(cls, days: PairedSums) -> EventDays:
        """Where all targets of a day arrive together: each day is a day of events.

        Examples
        --------
        >>> EventDays.of(PairedSums.of([100, 200], [4, 2], [10, 8], is_sign=True)).squared_rows
        array([10000., 50000.])
        """
        number = np.broadcast_to(np.arange(1.0, days.rows.shape[-1] + 1.0), days.rows.shape)
        return cls(number, (days.rows**2).cumsum(axis=-1), day_squares(days).cumsum(axis=-1))


def design_effects(days: PairedSums, event_days: EventDays | None = None) -> Floats:
    """How many rows are worth one independent row, as estimated after each day for all rows known by then.

    An upper estimate of the variance between days over the variance within days, drawn towards the least design
    effect while few days are known, and never below it. One or two days hardly tell how much days differ.

    Parameters
    ----------
    days
        In order of label arrival.
    event_days
        How their rows lie on the days on which they happened; as ``days`` unless given.

    Examples
    --------
    >>> calm = PairedSums.of([2400] * 4, [48, 45, 50, 49], [240] * 4, is_sign=True)
    >>> design_effects(calm)[2:].round(2)
    array([1.6, 1.6])
    >>> restless = PairedSums.of([2400] * 4, [200, -150, 190, -160], [240] * 4, is_sign=True)
    >>> design_effects(restless)[-1:].round()
    array([184.])
    """
    known = event_days or EventDays.of(days)
    size = known.squared_rows / days.rows.cumsum(axis=-1).clip(1.0)
    effects: Floats = 1.0 + (size - 1.0).clip(0.0) * _correlations(days, known)
    return effects


def effective_sums(days: PairedSums, event_days: EventDays | None = None) -> PairedSums:
    """Cumulative sums after each day, divided by the design effect as known then.

    Parameters
    ----------
    days
        In order of label arrival.
    event_days
        How their rows lie on the days on which they happened; as ``days`` unless given.

    Examples
    --------
    >>> days = PairedSums.of([2401] * 3, [48, 48, 48], [240] * 3, is_sign=True)
    >>> effective_sums(days).total.round(1)
    array([ 1.9, 28.9, 90. ])
    """
    effects = design_effects(days, event_days)
    rows, total, squares = (each.cumsum(axis=-1) / effects for each in (days.rows, days.total, days.squares))
    return PairedSums(rows, total, squares, days.is_sign)


def day_squares(days: PairedSums) -> Floats:
    """Of each day: the squared sum of its differences, divided by its rows.

    Examples
    --------
    >>> day_squares(PairedSums.of([100], [4], [10], is_sign=True))
    array([0.16])
    """
    squares: Floats = days.total**2 / days.rows.clip(1.0)
    return squares


def upper_correlation(
    between: Floats, within: Floats, *, typical: Floats, freedom: Floats, caution: Floats | float
) -> Floats:
    """An upper estimate of the correlation from sums of squares, for days of ``typical`` rows; never below the least.

    The chi-squared quantile is that of Wilson & Hilferty (1931).
    """
    between, within = np.broadcast_arrays(between, within)
    ratio = np.divide(between, within, out=np.zeros_like(between), where=within > 0)
    rows = typical.clip(2.0)
    least = 1.0 + (rows - 1.0) * INTRADAY_CORRELATION
    known = PRIOR_DAYS + freedom
    root = 1.0 - 2.0 / (9.0 * known) - caution * np.sqrt(2.0 / (9.0 * known))
    quantile = known * root.clip(LEAST_ROOT) ** 3
    learned = (PRIOR_DAYS * least + ratio) / quantile
    correlation: Floats = (np.maximum(learned, least) - 1.0) / (rows - 1.0)
    return correlation


def _correlations(days: PairedSums, known: EventDays) -> Floats:
    """Correlation of two rows of a day, as estimated after each day (analysis of variance, one way, unequal days)."""
    rows, total = days.rows.cumsum(axis=-1), days.total.cumsum(axis=-1)
    within = (days.squares.cumsum(axis=-1) - known.squared_totals) / (rows - known.number).clip(1.0)
    between = (known.squared_totals - total**2 / rows.clip(1.0)).clip(0.0)
    several = (rows - known.squared_rows / rows.clip(1.0)) / (known.number - 1.0).clip(1.0)
    typical = np.where(known.number > 1.0, several, rows)
    return upper_correlation(
        between, within, typical=typical, freedom=(known.number - 1.0).clip(0.0), caution=_caution(typical, known)
    )


def _caution(typical: Floats, known: EventDays) -> Floats:
    shared = 1.0 - 1.0 / (1.0 + (typical.clip(2.0) - 1.0) * INTRADAY_CORRELATION)
    looks = np.log(known.number.clip(LEAST_DAYS) / LEAST_DAYS)
    caution = SHARED_CAUTION * shared**SHARED_POWER + LOOKING_CAUTION * looks
    return np.where(known.number < LEAST_DAYS, TOO_FEW_CAUTION, caution)
