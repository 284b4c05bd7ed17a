"""Drift methods on sorted values, and the registry of all methods.

To add a method: write the class to the contract of ``drift.contract``, here or beside the binned ones, and put it in
``METHODS``; ``tests/test_drift_laws.py`` then holds it to the laws that every method obeys.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from driftbook.drift.batches import Pairing
from driftbook.drift.binned import (
    ChiSquared,
    Hellinger,
    JensenShannon,
    KullbackLeibler,
    LInfinity,
    PopulationStability,
)
from driftbook.drift.contract import Method, Scale
from driftbook.drift.null_laws import ChiSquare, CramerVonMises, Kolmogorov, NullLaw
from driftbook.drift.p_values import ks_p_values
from driftbook.drift.profile import ColumnProfile, Floats
from driftbook.drift.shares import MissingShare, NewMinimumShare, OutOfRangeShare, UnseenShare, ZeroShare
from driftbook.drift.sorted_columns import cramer_von_mises_distances, ks_distances
from driftbook.drift.wasserstein import wasserstein_distances
from driftbook.errors import UnknownNameError

SMALLEST_SPREAD = 0.001  # Wasserstein divides by no less than this standard deviation


class _FiniteValues(Method):
    """Methods on sorted finite values: numeric columns only, and at least one value on each side."""

    kinds = ("numeric",)

    def scale(self, pair: Pairing) -> Scale:
        """See :class:`Method`."""
        return Scale(pair.reference.finite, pair.batches.finite)

    def why(self, pair: Pairing, number: int) -> str:
        """See :class:`Method`."""
        for name, rows in (("reference", pair.reference.finite), ("batch", pair.batches.finite[number])):
            if not rows:
                return f"the {name} has no finite value"
        return "the values are too large to add up"

    def null_amounts(self, pair: Pairing) -> Floats:
        """From part against whole to part against rest: the whole is a mixture that holds the part."""
        scale = self.scale(pair)
        rest = np.maximum(scale.n - scale.m, 1)
        statistics = np.where(scale.m < scale.n, self.statistics(pair), np.nan) * scale.n / rest
        return statistics * statistics * (rest * scale.m / max(scale.n, 1))

    def amounts(self, statistics: Floats, scale: Scale) -> Floats:
        """See :class:`Method`."""
        return statistics * statistics * scale.weight()

    def statistics_at(self, amounts: Floats, scale: Scale) -> Floats:
        """See :class:`Method`."""
        return np.sqrt(amounts / scale.weight())


class KolmogorovSmirnov(_FiniteValues):
    """Largest difference of the two distribution functions; statistic and drift score are this D in 0–1.

    Exact, with scipy's p-value. Blind to missing values; strong on shifts of the centre, weaker on the tails.
    """

    has_p_value = True

    def statistics(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return ks_distances(pair)

    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return statistics

    def p_values(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return ks_p_values(statistics, pair)

    def law(self, reference: ColumnProfile) -> NullLaw:
        """See :class:`Method`."""
        return Kolmogorov()

    def largest(self, scale: Scale) -> Floats:
        """One distribution lies wholly above the other."""
        return np.ones(scale.m.size)


class Wasserstein(_FiniteValues):
    """Area between the distribution functions in standard deviations of the reference: "by how much" on its scale.

    Drift score ``1 - exp(-w)``: a shift by one standard deviation scores 0.63. No p-value. Of a constant reference
    the spread counts as 0.001.
    """

    def statistics(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return _known(wasserstein_distances(pair) / _spread(pair))

    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return -np.expm1(-statistics)

    def law(self, reference: ColumnProfile) -> NullLaw:
        """See :class:`Method`."""
        return ChiSquare(degrees=1)  # a shift of the mean has this law; other columns exceed it, calibration sees it

    def largest(self, scale: Scale) -> Floats:
        """Values may lie as far off as they like."""
        return np.full(scale.m.size, np.inf)


class RawWasserstein(Wasserstein):
    """The same area in the column's own unit; the drift score is that of :class:`Wasserstein`."""

    def statistics(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        found = _known(wasserstein_distances(pair))
        return found if np.isfinite(pair.reference.std) else np.full(found.size, np.nan)

    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return super().scores(statistics / _spread(pair), pair)

    def scale(self, pair: Pairing) -> Scale:
        """See :class:`Method`."""
        scale = super().scale(pair)
        return Scale(scale.n, scale.m, share=_spread(pair))

    def null_amounts(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return Wasserstein().null_amounts(pair)

    def amounts(self, statistics: Floats, scale: Scale) -> Floats:
        """See :class:`Method`."""
        return super().amounts(statistics / scale.share, scale)

    def statistics_at(self, amounts: Floats, scale: Scale) -> Floats:
        """See :class:`Method`."""
        return super().statistics_at(amounts, scale) * scale.share


class CramerVonMisesTest(_FiniteValues):
    """Cramér–von Mises: the squared difference of the distribution functions, averaged over all values.

    Statistic ``T = n m / (n + m)`` times that average (Anderson 1962), p-value of its limiting law. It weighs the whole
    distribution where Kolmogorov–Smirnov takes the worst point. Drift score: the root of the average, scaled to 1.
    """

    has_p_value = True

    def statistics(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return cramer_von_mises_distances(pair) * self.scale(pair).weight()

    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return np.sqrt(np.clip(3 * statistics / np.maximum(self.scale(pair).weight(), 1e-300), 0.0, 1.0))

    def p_values(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return np.exp(-CramerVonMises().surprise(statistics))

    def null_amounts(self, pair: Pairing) -> Floats:
        """Differences grow by ``n / (n - m)`` from the whole to the rest, their square twice so."""
        scale = self.scale(pair)
        rest = np.maximum(scale.n - scale.m, 1)
        averages = np.where(scale.m < scale.n, cramer_von_mises_distances(pair), np.nan)
        # pooled values of part and whole, instead of part and rest, hold the part twice; small for small parts
        return averages * (scale.n / rest) ** 2 * rest * scale.m / max(scale.n, 1)

    def law(self, reference: ColumnProfile) -> NullLaw:
        """See :class:`Method`."""
        return CramerVonMises()

    def amounts(self, statistics: Floats, scale: Scale) -> Floats:
        """It is an amount already."""
        return statistics

    def statistics_at(self, amounts: Floats, scale: Scale) -> Floats:
        """It is an amount already."""
        return amounts * np.ones(scale.m.size)

    def largest(self, scale: Scale) -> Floats:
        """One distribution lies wholly above the other."""
        return scale.weight() / 3 + 1


def _spread(pair: Pairing) -> float:
    """The reference's standard deviation, or the smallest that counts; NaN if it has no values, or too large ones."""
    spread = pair.reference.std
    return max(spread, SMALLEST_SPREAD) if np.isfinite(spread) else float("nan")


def _known(distances: Floats) -> Floats:
    """Infinite ones, of values too large to add up, as not known."""
    return np.where(np.isfinite(distances), distances, np.nan)


METHODS: Mapping[str, Method] = {
    "chi_squared": ChiSquared(),
    "cramer_von_mises": CramerVonMisesTest(),
    "hellinger": Hellinger(),
    "hellinger_evidently": Hellinger(binning="evidently"),
    "jensen_shannon": JensenShannon(),
    "jensen_shannon_evidently": JensenShannon(binning="evidently"),
    "kolmogorov_smirnov": KolmogorovSmirnov(),
    "kullback_leibler": KullbackLeibler(),
    "kullback_leibler_evidently": KullbackLeibler(binning="evidently"),
    "l_infinity": LInfinity(),
    "missing_share": MissingShare(),
    "new_minimum_share": NewMinimumShare(),
    "out_of_range_share": OutOfRangeShare(),
    "psi": PopulationStability(),
    "psi_evidently": PopulationStability(binning="evidently"),
    "unseen_share": UnseenShare(),
    "wasserstein": Wasserstein(),
    "wasserstein_raw": RawWasserstein(),
    "zero_share": ZeroShare(),
}


def method(name: str) -> Method:
    """The drift method of that name.

    Raises
    ------
    UnknownNameError
        If there is none.

    Examples
    --------
    >>> import polars as pl
    >>> from driftbook.drift.profile import column_profile
    >>> before = column_profile(pl.Series(["a"] * 5 + ["b"] * 5), kind="categorical")
    >>> after = column_profile(pl.Series(["a"] * 8 + ["b"] * 2), kind="categorical")
    >>> round(method("psi").measure(before, after).statistic, 3)
    0.416
    >>> method("psy")
    Traceback (most recent call last):
    ...
    driftbook.errors.UnknownNameError: no drift method 'psy'; did you mean 'psi'?
    """
    if name not in METHODS:
        raise UnknownNameError("drift method", name, METHODS)
    return METHODS[name]
