"""Moments, and the frequent ones among many texts: sums that merge, of a size that the rows do not change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from driftbook.drift.profile import BLOCK, Floats

FREQUENT = 256


@dataclass(frozen=True)
class Moments:
    """Count, mean, sum of squares about it, smallest and largest of finite numbers.

    Merged by the formula of Chan, Golub and LeVeque (1983): to rounding the same in any order, without the
    cancellation of a sum of squares.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, values: Floats) -> Moments:
        """Moments of finite numbers.

        Examples
        --------
        >>> Moments.of(np.array([1.0, 3.0])).merge(Moments.of(np.array([5.0])))
        Moments(count=3, mean=3.0, squares=8.0, low=1.0, high=5.0)
        """
        if not values.size:
            return cls()
        with np.errstate(all="ignore"):
            mean, squares = float(values.mean()), 0.0
            if not math.isfinite(mean):  # the sum leaves the range of float64, the mean does not
                mean = float((values / values.size).sum())
            for first in range(0, values.size, BLOCK):
                centred = values[first : first + BLOCK] - mean
                squares += float(centred @ centred)
        return cls(values.size, mean, squares, float(values.min()) + 0.0, float(values.max()) + 0.0)

    def merge(self, other: Moments) -> Moments:
        """Moments of both together."""
        count = self.count + other.count
        if not (self.count and other.count):
            return self if self.count else other
        apart = other.mean - self.mean
        mean = (self.mean * self.count + other.mean * other.count) / count
        if not math.isfinite(mean):
            mean = self.mean * (self.count / count) + other.mean * (other.count / count)
        squares = self.squares + other.squares + apart * apart * (self.count * other.count / count)
        return Moments(count, mean, squares, min(self.low, other.low), max(self.high, other.high))

    @property
    def std(self) -> float:
        """Standard deviation (ddof 0); NaN of nothing."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan


@dataclass(frozen=True)
class FrequentItems:
    """The most frequent of any number of texts in ``size`` counters (Misra and Gries 1982).

    A text occurred at least ``counts[text]`` times (0 if it is not there) and at most ``slack`` times more, where
    ``slack`` never exceeds ``rows / (size + 1)``: in whatever order parts are merged (Agarwal et al. 2012). Up to
    ``size`` different texts are counted exactly.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    slack: int = 0
    size: int = FREQUENT

    @classmethod
    def of(cls, counts: Mapping[str, int], *, size: int = FREQUENT) -> FrequentItems:
        """The frequent ones of exact counts.

        Examples
        --------
        >>> FrequentItems.of({"a": 5, "b": 2, "c": 1}, size=2)
        FrequentItems(counts={'a': 4, 'b': 1}, slack=1, size=2)
        """
        return cls({}, 0, size).merge(cls(counts, 0, size))

    def merge(self, other: FrequentItems) -> FrequentItems:
        """Both together; where there are more than ``size``, all give up the count of the first one too many."""
        joined = dict(self.counts)
        for label, count in other.counts.items():
            joined[label] = joined.get(label, 0) + count
        ranked = sorted(joined.values(), reverse=True)
        given_up = ranked[self.size] if len(ranked) > self.size else 0
        kept = {label: count - given_up for label, count in sorted(joined.items()) if count > given_up}
        return FrequentItems(kept, self.slack + other.slack + given_up, self.size)
