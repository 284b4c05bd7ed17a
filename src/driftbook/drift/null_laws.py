"""How large a statistic gets by chance alone, when nothing drifted.

Every method's statistic, suitably scaled by the two sample sizes, has a law that no longer depends on them: the
Kolmogorov law (KS) or a chi-square law (all binned methods). We call the scaled value an *amount* and minus the
logarithm of its tail probability a *surprise*: 3 is one in 20, 11.5 one in 100,000. Surprises of different methods
and columns are on one scale and have an exponential tail, which is what the calibration builds on.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

from driftbook.drift.profile import Floats

EXACT_ROWS = 10_000  # up to here scipy's ks_2samp counts paths exactly
FAST_TAIL_ROWS = 1_000  # from here on the fast sum below agrees with scipy to 5e-13
LARGEST_SURPRISE = 600.0  # beyond, a tail probability leaves the range of float64


class NullLaw(Protocol):
    """The law of an amount under no drift and independent rows."""

    @property
    def mean(self) -> float:
        """Expected amount."""
        ...

    @property
    def variance(self) -> float:
        """Variance of the amount."""
        ...

    def surprise(self, amount: Floats) -> Floats:
        """Minus log of the probability of so large an amount."""
        ...

    def amount_at(self, surprise: float) -> float:
        """The amount that has this surprise."""
        ...


@dataclass(frozen=True)
class Kolmogorov:
    """Law of ``D² n m / (n + m)``.

    Examples
    --------
    >>> law = Kolmogorov()
    >>> round(float(np.exp(-law.surprise(np.array([1.358**2]))[0])), 3)
    0.05
    >>> round(math.sqrt(law.amount_at(-math.log(0.05))), 3)
    1.358
    """

    mean: float = math.pi**2 / 12
    variance: float = 7 * math.pi**4 / 720 - (math.pi**2 / 12) ** 2

    def surprise(self, amount: Floats) -> Floats:
        """See :class:`NullLaw`."""
        amount = np.asarray(amount, dtype=np.float64)
        far = 2 * amount - math.log(2)
        with np.errstate(divide="ignore"):
            near: Floats = -np.log(special.kolmogorov(np.sqrt(amount)))
        return np.where(far > LARGEST_SURPRISE, far, near)

    def amount_at(self, surprise: float) -> float:
        """See :class:`NullLaw`."""
        if surprise > LARGEST_SURPRISE:
            return (surprise + math.log(2)) / 2
        return float(special.kolmogi(math.exp(-surprise)) ** 2)


@dataclass(frozen=True)
class ChiSquare:
    """Chi-square law.

    Examples
    --------
    >>> law = ChiSquare(degrees=1)
    >>> round(law.amount_at(-math.log(0.05)), 3)
    3.841
    >>> round(float(law.surprise(np.array([5000.0]))[0]))
    2504
    """

    degrees: int

    @property
    def mean(self) -> float:
        """See :class:`NullLaw`."""
        return float(self.degrees)

    @property
    def variance(self) -> float:
        """See :class:`NullLaw`."""
        return 2.0 * self.degrees

    def surprise(self, amount: Floats) -> Floats:
        """See :class:`NullLaw`."""
        half, shape = np.asarray(amount, dtype=np.float64) / 2, self.degrees / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            near: Floats = -np.log(special.gammaincc(shape, half))
            # first terms of the tail's continued fraction, good where the tail is beyond float64
            far: Floats = half - (shape - 1) * np.log(half) + special.gammaln(shape) + np.log1p(-(shape - 1) / half)
        return np.where(near > LARGEST_SURPRISE, far, near)

    def amount_at(self, surprise: float) -> float:
        """See :class:`NullLaw`."""
        if surprise <= LARGEST_SURPRISE:
            return float(2 * special.gammainccinv(self.degrees / 2, math.exp(-surprise)))
        low, high = 0.0, 4.0 * (surprise + self.degrees)
        for _ in range(100):
            middle = (low + high) / 2
            if float(self.surprise(np.array([middle]))[0]) < surprise:
                low = middle
            else:
                high = middle
        return high


def ks_p_value(distance: float, first: Floats, second: Floats) -> float:
    """P-value of the two-sample Kolmogorov–Smirnov test, as ``scipy.stats.ks_2samp`` gives it.

    scipy sums as many terms as there are rows, up to a second for a large drifted column; the same sum by the
    trapezoid rule takes a tenth of a millisecond.

    Parameters
    ----------
    distance
        The two-sided statistic of the two samples.
    first, second
        The samples in ascending order.
    """
    from scipy import stats

    n, m = first.size, second.size
    if max(n, m) <= EXACT_ROWS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # where paths are too many to count it falls back by itself
            return float(stats.ks_2samp(first, second).pvalue)
    rows = float(np.round(n * m / (n + m)))
    scaled = rows * distance * distance
    if rows >= FAST_TAIL_ROWS and 2.2 <= scaled < 369:
        return min(_smirnov_tail(rows, distance), 1.0)
    return float(np.clip(stats.kstwo.sf(distance, rows), 0.0, 1.0))


def _smirnov_tail(rows: float, distance: float, *, points: int = 400) -> float:
    """Twice Smirnov's one-sided tail: ``d Σ_j C(n, j) (d + j/n)^(j-1) (1 - d - j/n)^(n-j)``.

    The terms are a smooth bell in ``j`` that vanishes at both ends, where the trapezoid rule converges
    exponentially. Logarithms with Stirling's series avoid overflow and cancellation.
    """
    coarse = np.linspace(1.0, rows * (1 - distance) - 1.0, points)
    heights = _smirnov_terms(coarse, rows, distance)
    inside = np.flatnonzero(heights > heights.max() - 45)
    places = np.linspace(coarse[max(inside[0] - 1, 0)], coarse[min(inside[-1] + 1, points - 1)], points)
    heights = _smirnov_terms(places, rows, distance)
    terms = np.exp(heights - heights.max())
    area = (terms.sum() - 0.5 * (terms[0] + terms[-1])) * (places[1] - places[0])
    return float(2 * distance * area * np.exp(heights.max()))


def _smirnov_terms(j: Floats, rows: float, distance: float) -> Floats:
    rest, share = rows - j, j / rows
    stirling = _stirling(np.asarray(rows, dtype=np.float64)) - _stirling(j) - _stirling(rest)
    shift = j * np.log1p(distance / share) - np.log(distance + share) + rest * np.log1p(-distance / (1 - share))
    terms: Floats = 0.5 * np.log(rows / (2 * np.pi * j * rest)) + stirling + shift
    return terms


def _stirling(x: Floats) -> Floats:
    series: Floats = 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5)
    return series
