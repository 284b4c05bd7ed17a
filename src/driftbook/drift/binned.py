"""Methods on counts per bin of the reference: PSI, chi-squared and the distances between two distributions.

They serve both kinds of columns: a numeric one is cut at the reference's quantiles, a categorical one has a bin per
category. Missing, infinite and unseen values are bins of their own, so that their drift is drift too. The variants
named ``…_evidently`` bin and fill as Evidently 0.7 does, for those who must reproduce its figures.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Literal

import numpy as np

from driftbook.drift.batches import Pairing
from driftbook.drift.contract import Method, Scale
from driftbook.drift.equal_width import evidently_shares
from driftbook.drift.null_laws import ChiSquare, LargestShare, NullLaw
from driftbook.drift.profile import ColumnProfile, Floats, Integers

Binning = Literal["reference", "evidently"]


class Binned(Method):
    """Methods on counts per bin."""

    def statistics(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return self.compared(pair.reference.own_counts[None, :], pair.counts)

    def null_amounts(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        own, counts = pair.reference.own_counts, pair.counts
        scale = Scale(pair.reference.rows, pair.batches.rows)
        rest = (scale.n - scale.m) * scale.m / scale.n
        statistics = self.compared(own - counts, counts)
        return self.scaled(np.where(scale.m < scale.n, statistics, np.nan), rest)

    def law(self, reference: ColumnProfile) -> NullLaw:
        """See :class:`Method`."""
        return ChiSquare(degrees=max(int((reference.own_counts > 0).sum()) - 1, 1))

    def amounts(self, statistics: Floats, scale: Scale) -> Floats:
        """See :class:`Method`."""
        return self.scaled(statistics, scale.weight())

    def statistics_at(self, amounts: Floats, scale: Scale) -> Floats:
        """See :class:`Method`."""
        return self.unscaled(amounts, scale.weight())

    def largest(self, scale: Scale) -> Floats:
        """See :class:`Method`."""
        return np.ones(scale.m.size)

    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """A distance from 0 to 1 is its own score."""
        return np.clip(statistics, 0.0, 1.0)

    @abstractmethod
    def compared(self, before: Integers, after: Integers) -> Floats:
        """Statistics of counts per bin, shape (k or 1, bins) each; NaN where a side has no rows."""

    @abstractmethod
    def scaled(self, statistics: Floats, weight: Floats) -> Floats:
        """Amounts of statistics."""

    @abstractmethod
    def unscaled(self, amounts: Floats, weight: Floats) -> Floats:
        """Statistics of amounts."""


class DistanceOfShares(Binned):
    """Methods that compare the shares of bins.

    Parameters
    ----------
    binning
        ``reference``: at its quantiles; ``evidently``: equal widths over both samples (Sturges 1926), finite values
        only.
    """

    least = 0.0  # rows that an empty bin counts as, where a logarithm needs it
    by_distinct = False  # whether Evidently's bins follow from the number of distinct values

    def __init__(self, *, binning: Binning = "reference") -> None:
        self.binning = binning
        self.calibrates = binning == "reference"

    def statistics(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        if self.binning == "reference":
            return super().statistics(pair)
        how = {"fill": self.least > 0, "by_distinct": self.by_distinct}
        shares = (evidently_shares(pair, number, **how) for number in range(len(pair.batches)))
        return np.array([np.nan if each is None else self.distance(*each)[0] for each in shares])

    def compared(self, before: Integers, after: Integers) -> Floats:
        """See :class:`Binned`."""
        rows_before, rows_after = before.sum(axis=1), after.sum(axis=1)
        held = (before > 0) | (after > 0)
        least = np.where(held, self.least, 0.0)
        found = self.distance(
            np.maximum(before, least) / np.maximum(rows_before, 1)[:, None],
            np.maximum(after, least) / np.maximum(rows_after, 1)[:, None],
        )
        return np.where((rows_before > 0) & (rows_after > 0), found, np.nan)

    @abstractmethod
    def distance(self, before: Floats, after: Floats) -> Floats:
        """Distance of shares per bin, shape (k, bins); bins that nobody holds are 0 on both sides."""


class PopulationStability(DistanceOfShares):
    """Population stability index: ``Σ (current - reference) ln(current / reference)`` over bins, 0 to infinity.

    A bin empty on one side counts as half a row there, so that the index stays finite and small samples are not
    drowned by it; bins empty on both sides do not count. By
    custom 0.1 is worth a look and 0.25 an alert (Siddiqi 2006), yet under no drift it is about ``bins (1/n + 1/m)``
    (Yurdakul 2018): 0.1 and more by chance alone in small batches. Drift score ``1 - exp(-psi)``.
    """

    least = 0.5

    def largest(self, scale: Scale) -> Floats:
        """Nothing in common: each side holds all where the other counts as half a row."""
        if self.binning == "evidently":
            return np.full(scale.m.size, np.inf)
        found: Floats = math.log(2 * max(scale.n, 1)) + np.log(2 * np.maximum(scale.m, 1))
        return found

    def distance(self, before: Floats, after: Floats) -> Floats:
        """See :class:`DistanceOfShares`."""
        return _products(after - before, _log_ratio(after, before))

    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return -np.expm1(-statistics)

    def scaled(self, statistics: Floats, weight: Floats) -> Floats:
        """See :class:`Binned`."""
        return statistics * weight

    def unscaled(self, amounts: Floats, weight: Floats) -> Floats:
        """See :class:`Binned`."""
        return amounts / weight


class KullbackLeibler(PopulationStability):
    """Kullback–Leibler divergence of the current from the reference: ``Σ reference ln(reference / current)``, in nats.

    What the reference's code loses in coding the batch; not symmetric. Empty bins as of PSI, drift score
    ``1 - exp(-kl)``.
    """

    def largest(self, scale: Scale) -> Floats:
        """All of the reference lies where the batch counts as half a row."""
        if self.binning == "evidently":
            return super().largest(scale)
        found: Floats = np.log(2 * np.maximum(scale.m, 1)).astype(np.float64)
        return found

    def distance(self, before: Floats, after: Floats) -> Floats:
        """See :class:`DistanceOfShares`; Evidently scales the filled shares to one again."""
        if self.binning == "evidently":
            before, after = (each / each.sum(axis=1, keepdims=True) for each in (before, after))
        return np.maximum(_products(before, _log_ratio(before, after)), 0.0)

    def scaled(self, statistics: Floats, weight: Floats) -> Floats:
        """See :class:`Binned`."""
        return 2 * statistics * weight

    def unscaled(self, amounts: Floats, weight: Floats) -> Floats:
        """See :class:`Binned`."""
        return amounts / (2 * weight)


class JensenShannon(DistanceOfShares):
    """Jensen–Shannon distance over bins, base 2: 0 for the same shares, 1 for nothing in common.

    Symmetric, bounded, a metric; statistic and drift score are the distance (not its square, the divergence). The
    variant for Evidently has the natural logarithm as its base.
    """

    factor = 8 * math.log(2)

    def distance(self, before: Floats, after: Floats) -> Floats:
        """See :class:`DistanceOfShares`."""
        middle = (before + after) / 2
        divergence = (_products(before, _log_ratio(before, middle)) + _products(after, _log_ratio(after, middle))) / 2
        base = math.log(2) if self.binning == "reference" else 1.0
        return np.sqrt(np.clip(divergence / base, 0.0, 1.0))

    def scaled(self, statistics: Floats, weight: Floats) -> Floats:
        """See :class:`Binned`."""
        return self.factor * statistics * statistics * weight

    def unscaled(self, amounts: Floats, weight: Floats) -> Floats:
        """See :class:`Binned`."""
        return np.sqrt(amounts / (self.factor * weight))


class Hellinger(JensenShannon):
    """Hellinger distance over bins: the square root of ``1 - Σ sqrt(reference · current)``, from 0 to 1; a metric."""

    factor = 8.0
    by_distinct = True

    def distance(self, before: Floats, after: Floats) -> Floats:
        """See :class:`DistanceOfShares`; as half the squared differences of the roots, which does not cancel."""
        found: Floats = np.sqrt(((np.sqrt(before) - np.sqrt(after)) ** 2).sum(axis=1) / 2)
        return found


class LInfinity(DistanceOfShares):
    """Largest difference of the shares of any bin, from 0 to 1: "which category changed most, and by how much"."""

    def distance(self, before: Floats, after: Floats) -> Floats:
        """See :class:`DistanceOfShares`."""
        found: Floats = np.abs(before - after).max(axis=1, initial=0.0)
        return found

    def law(self, reference: ColumnProfile) -> NullLaw:
        """See :class:`Method`."""
        return LargestShare(tuple((reference.own_counts / max(reference.rows, 1)).tolist()))

    def scaled(self, statistics: Floats, weight: Floats) -> Floats:
        """See :class:`Binned`."""
        return statistics * statistics * weight

    def unscaled(self, amounts: Floats, weight: Floats) -> Floats:
        """See :class:`Binned`."""
        return np.sqrt(amounts / weight)


class ChiSquared(Binned):
    """Pearson's test of homogeneity over bins, without continuity correction; drift score is Cramér's V.

    As ``scipy.stats.chi2_contingency(correction=False)`` of the bins that either side holds.
    """

    has_p_value = True

    def compared(self, before: Integers, after: Integers) -> Floats:
        """See :class:`Binned`."""
        rows_before, rows_after = (each.sum(axis=1, keepdims=True).astype(np.float64) for each in (before, after))
        pooled = (before + after) / np.maximum(rows_before + rows_after, 1)
        expected = np.where(pooled > 0, pooled, 1.0)
        found = ((before - rows_before * pooled) ** 2 / expected).sum(axis=1) / np.maximum(rows_before[:, 0], 1)
        found += ((after - rows_after * pooled) ** 2 / expected).sum(axis=1) / np.maximum(rows_after[:, 0], 1)
        return np.where((rows_before[:, 0] > 0) & (rows_after[:, 0] > 0), found, np.nan)

    def p_values(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        from scipy import special

        degrees = ((pair.reference.own_counts[None, :] + pair.counts) > 0).sum(axis=1) - 1
        tail = special.chdtrc(np.maximum(degrees, 1), statistics)
        return np.where(degrees > 0, tail, np.where(np.isnan(statistics), np.nan, 1.0))

    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return np.sqrt(np.clip(statistics / np.maximum(pair.reference.rows + pair.batches.rows, 1), 0.0, 1.0))

    def largest(self, scale: Scale) -> Floats:
        """Nothing in common."""
        return (scale.n + scale.m).astype(np.float64)

    def scaled(self, statistics: Floats, weight: Floats) -> Floats:
        """It is an amount already."""
        return statistics

    def unscaled(self, amounts: Floats, weight: Floats) -> Floats:
        """It is an amount already."""
        return amounts * np.ones_like(weight)


def _log_ratio(first: Floats, second: Floats) -> Floats:
    """Logarithm of the ratio where both hold something, else 0."""
    both = (first > 0) & (second > 0)
    return np.log(np.where(both, first, 1.0)) - np.log(np.where(both, second, 1.0))


def _products(first: Floats, second: Floats) -> Floats:
    found: Floats = (first * second).sum(axis=1)
    return found
