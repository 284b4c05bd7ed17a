"""Methods on counts per bin of the reference: PSI, chi-squared, Jensen–Shannon.

They serve both kinds of columns: a numeric one is cut at the reference's quantiles, a categorical one has a bin per
category. Missing, infinite and unseen values are bins of their own, so that their drift is drift too.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from scipy import special

from driftbook.drift.contract import Measure
from driftbook.drift.null_laws import ChiSquare, NullLaw
from driftbook.drift.profile import ColumnProfile, Floats, Integers, Kind
from driftbook.errors import DriftError


class _Binned(ABC):
    """Methods on counts per bin of the reference: both kinds of columns, missing and unseen being bins too."""

    kinds: tuple[Kind, ...] = ("numeric", "categorical")
    has_p_value = False

    def sizes(self, reference: ColumnProfile, current: ColumnProfile) -> tuple[int, int]:
        return reference.rows, current.rows

    def measure(self, reference: ColumnProfile, current: ColumnProfile) -> Measure:
        return self.compare(reference.own_counts, reference.counts(current))

    def left_out(self, reference: ColumnProfile, part: ColumnProfile) -> float:
        counts = reference.counts(part)
        return self.compare(reference.own_counts - counts, counts).statistic

    def law(self, reference: ColumnProfile) -> NullLaw:
        return ChiSquare(degrees=max(int((reference.own_counts > 0).sum()) - 1, 1))

    @abstractmethod
    def compare(self, reference: Integers, current: Integers) -> Measure:
        """Compare counts per bin."""


class PopulationStability(_Binned):
    """Population stability index: ``Σ (current - reference) ln(current / reference)`` over bins, 0 to infinity.

    A bin empty on one side counts as half a row there, so that the index stays finite and small samples are not
    drowned by it; bins empty on both sides do not count. By
    custom 0.1 is worth a look and 0.25 an alert (Siddiqi 2006), yet under no drift it is about ``bins (1/n + 1/m)``
    (Yurdakul 2018): 0.1 and more by chance alone in small batches. Drift score ``1 - exp(-psi)``.
    """

    def largest(self, n: int, m: int) -> float:
        """Nothing in common: each side holds all where the other counts as half a row."""
        return math.log(2 * n) + math.log(2 * m)

    def compare(self, reference: Integers, current: Integers) -> Measure:
        """Compare counts per bin."""
        held = (reference > 0) | (current > 0)
        before, after = _shares(reference, least=0.5)[held], _shares(current, least=0.5)[held]
        index = float(((after - before) * np.log(after / before)).sum())
        return Measure(index, None, -math.expm1(-index))

    def amount(self, statistic: float, *, weight: float) -> float:
        """On the scale of the law."""
        return statistic * weight

    def statistic_at(self, amount: float, *, weight: float) -> float:
        """Back from the scale of the law."""
        return amount / weight


class ChiSquared(_Binned):
    """Pearson's test of homogeneity over bins, without continuity correction; drift score is Cramér's V.

    As ``scipy.stats.chi2_contingency(correction=False)`` of the bins that either side holds.
    """

    has_p_value = True

    def largest(self, n: int, m: int) -> float:
        """Nothing in common."""
        return float(n + m)

    def compare(self, reference: Integers, current: Integers) -> Measure:
        """Compare counts per bin."""
        table = np.array([reference, current], dtype=np.float64)
        table = table[:, table.sum(axis=0) > 0]
        total, degrees = table.sum(), table.shape[1] - 1
        if not table.sum(axis=1).all():
            raise DriftError("one side has no rows")
        expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
        statistic = float(((table - expected) ** 2 / expected).sum())
        p_value = _chi_square_tail(statistic, degrees) if degrees else 1.0
        return Measure(statistic, p_value, min(math.sqrt(statistic / total), 1.0))

    def amount(self, statistic: float, *, weight: float) -> float:
        """On the scale of the law."""
        return statistic

    def statistic_at(self, amount: float, *, weight: float) -> float:
        """Back from the scale of the law."""
        return amount


class JensenShannon(_Binned):
    """Jensen–Shannon distance over bins, base 2: 0 for the same shares, 1 for nothing in common.

    Symmetric, bounded, a metric; statistic and drift score are the distance (not its square, the divergence).
    """

    def largest(self, n: int, m: int) -> float:
        """Nothing in common."""
        return 1.0

    def compare(self, reference: Integers, current: Integers) -> Measure:
        """Compare counts per bin."""
        before, after = _shares(reference, least=0.0), _shares(current, least=0.0)
        middle = (before + after) / 2
        divergence = (_information(before, middle) + _information(after, middle)) / 2
        distance = math.sqrt(min(max(divergence, 0.0), 1.0))
        return Measure(distance, None, distance)

    def amount(self, statistic: float, *, weight: float) -> float:
        """On the scale of the law."""
        return 8 * math.log(2) * statistic * statistic * weight

    def statistic_at(self, amount: float, *, weight: float) -> float:
        """Back from the scale of the law."""
        return math.sqrt(amount / (8 * math.log(2) * weight))


def _shares(counts: Integers, *, least: float) -> Floats:
    total = counts.sum()
    if total == 0:
        raise DriftError("one side has no rows")
    shares: Floats = np.maximum(counts, least) / total
    return shares


def _information(shares: Floats, against: Floats) -> float:
    held = shares > 0
    return float((shares[held] * np.log2(shares[held] / against[held])).sum())


def _chi_square_tail(statistic: float, degrees: int) -> float:
    return float(special.chdtrc(degrees, statistic))
