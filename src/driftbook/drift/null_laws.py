"""How large a statistic gets by chance alone, when nothing drifted.

Every method's statistic, suitably scaled by the two sample sizes, has a law that no longer depends on them: the
Kolmogorov law (KS), the Cramér–von Mises law, or a chi-square law (binned methods and shares). We call the scaled
value an *amount* and minus the logarithm of its tail probability a *surprise*: 3 is one in 20, 11.5 one in 100,000.
Surprises of different methods and columns are on one scale and have an exponential tail, which is what the
calibration builds on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from scipy import special

from driftbook.drift.profile import Floats

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
        return _inverse(self, surprise, high=4.0 * (surprise + self.degrees))


@dataclass(frozen=True)
class CramerVonMises:
    """Law of the Cramér–von Mises statistic ``n m / (n + m)`` times the mean squared difference.

    Below :attr:`split` the series of Anderson & Darling (1952), above Smirnov's integral, both of the limiting law.

    Examples
    --------
    >>> law = CramerVonMises()
    >>> np.exp(-law.surprise(np.array([0.46136, 0.74346, 1.16786]))).round(4)
    array([0.05 , 0.01 , 0.001])
    """

    mean: float = 1 / 6
    variance: float = 1 / 45
    split: float = 0.5

    def surprise(self, amount: Floats) -> Floats:
        """See :class:`NullLaw`."""
        amount = np.asarray(amount, dtype=np.float64)
        near = np.clip(amount, 1e-3, self.split)[..., None]
        order = np.arange(12)
        weight = special.gamma(order + 0.5) / (special.gamma(0.5) * special.factorial(order))
        inner = (4 * order + 1) ** 2 / (16 * near)
        terms = weight * np.sqrt(4 * order + 1) * np.exp(-2 * inner) * special.kve(0.25, inner)
        below = -np.log1p(-terms.sum(axis=-1) / (np.pi * np.sqrt(near[..., 0])))
        return np.where(amount <= 1e-3, 0.0, np.where(amount <= self.split, below, self._far(amount)))

    def _far(self, amount: Floats) -> Floats:
        amount = np.maximum(amount, self.split)[..., None]
        nodes, weights = _gauss()
        reach = np.minimum(5.0, 9.0 / np.sqrt(amount))
        place = (nodes + 1) / 2 * reach
        root = np.sqrt(np.pi**2 + place**2)
        height = np.sqrt(-root / np.sin(root)) / root**2 * np.exp(-amount * place**2 / 2) * 2 * place
        area = (height * weights).sum(axis=-1) * reach[..., 0] / 2
        far: Floats = np.pi**2 * amount[..., 0] / 2 - np.log(area / np.pi)
        return far

    def amount_at(self, surprise: float) -> float:
        """See :class:`NullLaw`."""
        return _inverse(self, surprise, high=(surprise + 5.0) / 4)


@lru_cache(maxsize=1)
def _gauss() -> tuple[Floats, Floats]:
    """Places and weights of Gauss and Legendre's integral from -1 to 1; they take three milliseconds to find."""
    return np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class LargestShare:
    """Law of the largest difference of shares, squared: of each bin a normal one, no bin counted on another.

    Examples
    --------
    >>> law = LargestShare(shares=(0.5, 0.5))
    >>> round(float(np.exp(-law.surprise(np.array([0.98**2]))[0])), 2)
    0.1
    """

    shares: tuple[float, ...]

    @cached_property
    def _variances(self) -> Floats:
        shares = np.array([share for share in self.shares if 0 < share < 1] or [0.5])
        variances: Floats = shares * (1 - shares)
        return variances

    @cached_property
    def mean(self) -> float:
        """See :class:`NullLaw`."""
        places, tail = self._tail
        return float(np.trapezoid(tail, places))

    @cached_property
    def variance(self) -> float:
        """See :class:`NullLaw`."""
        places, tail = self._tail
        return float(np.trapezoid(2 * places * tail, places)) - self.mean**2

    @cached_property
    def _tail(self) -> tuple[Floats, Floats]:
        places = np.linspace(0.0, 60 * float(self._variances.max()), 4_000)
        return places, np.exp(-self.surprise(places))

    def surprise(self, amount: Floats) -> Floats:
        """See :class:`NullLaw`."""
        scaled = np.sqrt(np.asarray(amount, dtype=np.float64)[..., None] / self._variances)
        found: Floats = np.maximum(-special.logsumexp(special.log_ndtr(-scaled) + math.log(2), axis=-1), 0.0)
        return found

    def amount_at(self, surprise: float) -> float:
        """See :class:`NullLaw`."""
        return _inverse(self, surprise, high=(surprise + 30.0))


def _inverse(law: NullLaw, surprise: float, *, high: float) -> float:
    """The amount of a surprise, which lies below ``high``."""
    from scipy import optimize

    def beyond(amount: float) -> float:
        return float(law.surprise(np.array([amount]))[0]) - surprise

    return float(optimize.brentq(beyond, 0.0, high, xtol=1e-13, rtol=1e-13)) if beyond(0.0) < 0 else 0.0
