"""Drift methods on sorted values, and the registry of all methods.

To add a method: write the class to the contract of ``drift.contract``, here or beside the binned ones, and put it in
``METHODS``; ``tests/test_drift_laws.py`` then holds it to the laws that every method obeys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from driftbook.drift.binned import ChiSquared, JensenShannon, PopulationStability
from driftbook.drift.contract import Measure, Method
from driftbook.drift.null_laws import ChiSquare, Kolmogorov, NullLaw, ks_p_value
from driftbook.drift.profile import ColumnProfile, Kind
from driftbook.drift.sorted_columns import ks_distance, wasserstein_distance
from driftbook.errors import DriftError, UnknownNameError

SMALLEST_SPREAD = 0.001  # Wasserstein divides by no less than this standard deviation


class _FiniteValues:
    """Methods on sorted finite values: numeric columns only, and at least one value on each side."""

    kinds: tuple[Kind, ...] = ("numeric",)
    has_p_value = False

    def sizes(self, reference: ColumnProfile, current: ColumnProfile) -> tuple[int, int]:
        return reference.values.size, current.values.size

    def check(self, reference: ColumnProfile, current: ColumnProfile) -> None:
        for name, column in (("reference", reference), ("batch", current)):
            if not column.values.size:
                raise DriftError(f"the {name} has no finite value")

    def enlarged(self, reference: ColumnProfile, part: ColumnProfile, distance: float) -> float:
        """From part against whole to part against rest: the whole is a mixture that holds the part."""
        n, m = self.sizes(reference, part)
        if m >= n:
            raise DriftError("the part is all of the reference, nothing is left to compare it with")
        return distance * n / (n - m)


class KolmogorovSmirnov(_FiniteValues):
    """Largest difference of the two distribution functions; statistic and drift score are this D in 0–1.

    Exact, with scipy's p-value. Blind to missing values; strong on shifts of the centre, weaker on the tails.
    """

    has_p_value = True

    def largest(self, n: int, m: int) -> float:
        """One distribution lies wholly above the other."""
        return 1.0

    def measure(self, reference: ColumnProfile, current: ColumnProfile) -> Measure:
        """Compare two profiles."""
        self.check(reference, current)
        distance = ks_distance(reference.values, current.values)
        return Measure(distance, ks_p_value(distance, reference.values, current.values), distance)

    def left_out(self, reference: ColumnProfile, part: ColumnProfile) -> float:
        """Part against rest."""
        self.check(reference, part)
        return self.enlarged(reference, part, ks_distance(reference.values, part.values))

    def law(self, reference: ColumnProfile) -> NullLaw:
        """Law without drift."""
        return Kolmogorov()

    def amount(self, statistic: float, *, weight: float) -> float:
        """On the scale of the law."""
        return statistic * statistic * weight

    def statistic_at(self, amount: float, *, weight: float) -> float:
        """Back from the scale of the law."""
        return math.sqrt(amount / weight)


class Wasserstein(_FiniteValues):
    """Area between the distribution functions in standard deviations of the reference: "by how much" on its scale.

    Drift score ``1 - exp(-w)``: a shift by one standard deviation scores 0.63. No p-value. Of a constant reference
    the spread counts as 0.001.
    """

    def largest(self, n: int, m: int) -> float:
        """Values may lie as far off as they like."""
        return math.inf

    def measure(self, reference: ColumnProfile, current: ColumnProfile) -> Measure:
        """Compare two profiles."""
        self.check(reference, current)
        shift = wasserstein_distance(reference, current) / max(reference.std, SMALLEST_SPREAD)
        if not math.isfinite(shift):
            raise DriftError("the values are too large to add up")
        return Measure(shift, None, -math.expm1(-shift))

    def left_out(self, reference: ColumnProfile, part: ColumnProfile) -> float:
        """Part against rest."""
        return self.enlarged(reference, part, self.measure(reference, part).statistic)

    def law(self, reference: ColumnProfile) -> NullLaw:
        """Law without drift."""
        return ChiSquare(degrees=1)  # a shift of the mean has this law; other columns exceed it, calibration sees it

    def amount(self, statistic: float, *, weight: float) -> float:
        """On the scale of the law."""
        return statistic * statistic * weight

    def statistic_at(self, amount: float, *, weight: float) -> float:
        """Back from the scale of the law."""
        return math.sqrt(amount / weight)


METHODS: Mapping[str, Method] = {
    "chi_squared": ChiSquared(),
    "jensen_shannon": JensenShannon(),
    "kolmogorov_smirnov": KolmogorovSmirnov(),
    "psi": PopulationStability(),
    "wasserstein": Wasserstein(),
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
    driftbook.errors.UnknownNameError: no drift method 'psy'; did you mean 'psi'? Available: chi_squared, \
jensen_shannon, kolmogorov_smirnov, psi, wasserstein
    """
    if name not in METHODS:
        raise UnknownNameError("drift method", name, METHODS)
    return METHODS[name]
