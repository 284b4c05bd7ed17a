"""Methods that look at a batch as a whole, behind one contract, ready to be calibrated beside those of columns.

Each gives a deviation ``z``: the statistic's distance from what it is when nothing changed, in standard errors. What
``z`` usually is depends on the reference: where days differ harmlessly the classifier tells *every* day from the rest.
So the deviations of the reference's own chunks say what is usual, by centre and spread, and a batch's *amount* is the
square of how far it lies beyond. Without drift it follows the method's ``law``: chi-square of one degree, or that of
the positive half only, for only an AUC above the usual is drift. A plain scaling, as suits methods on columns, would
need a limit far too wide there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import polars as pl

from driftbook.drift.domain import MOST_ROWS, domain_classifier
from driftbook.drift.null_laws import ChiSquare, NullLaw
from driftbook.drift.profile import Floats, Integers, Kind
from driftbook.drift.reconstruction import reconstruction_drift
from driftbook.errors import DriftError, UnknownNameError

FEWEST_CHUNKS = 20  # to say what is usual; below, what chance does to independent rows
LOG_2 = math.log(2)


@dataclass(frozen=True, eq=False)
class TableMeasure:
    """What a method says about a whole batch.

    ``z``: how many ``standard_error`` the statistic lies from what it is without drift. ``shares``: what each column
    contributes, summing to one (all zero where none does).
    """

    statistic: float
    p_value: float
    drift_score: float
    z: float
    standard_error: float
    shares: Mapping[str, float]


@dataclass(frozen=True)
class PositiveHalf:
    """Law of ``max(z, 0)²`` of a standard normal ``z``.

    Examples
    --------
    >>> law = PositiveHalf()
    >>> round(math.sqrt(law.amount_at(-math.log(0.05))), 3)
    1.645
    >>> law.surprise(np.array([0.0, 1.645**2])).round(2).tolist()
    [0.0, 3.0]
    """

    mean: float = 0.5
    variance: float = 1.25

    def surprise(self, amount: Floats) -> Floats:
        """Minus log of the probability of so large an amount; NaN stays NaN."""
        amount = np.asarray(amount, dtype=np.float64)
        return np.where(amount <= 0, 0.0, ChiSquare(degrees=1).surprise(amount) + LOG_2)

    def amount_at(self, surprise: float) -> float:
        """The amount that has this surprise."""
        return ChiSquare(degrees=1).amount_at(surprise - LOG_2) if surprise > LOG_2 else 0.0


class TableMethod(Protocol):
    """The contract of a method on whole tables.

    ``unchanged`` is the statistic without drift; of a ``one_sided`` method only more than usual is drift;
    ``least_spread`` is how much ``z`` spreads by chance at least.
    """

    @property
    def unchanged(self) -> float: ...  # noqa: D102

    @property
    def one_sided(self) -> bool: ...  # noqa: D102

    @property
    def least_spread(self) -> float: ...  # noqa: D102

    def measure(
        self, reference_sample: pl.DataFrame, batch: pl.DataFrame, *, kinds: Mapping[str, Kind], seed: int
    ) -> TableMeasure:
        """Compare a batch with rows of the reference; ``DriftError`` where there is nothing to compare."""
        ...

    def law(self) -> NullLaw:
        """Law of the amount without drift."""
        ...


@dataclass(frozen=True)
class DomainClassifier:
    """The ROC AUC of a classifier that tells the batch from the reference; see ``drift.domain``."""

    most_rows: int = MOST_ROWS
    explain: bool = True
    unchanged: float = field(default=0.5, init=False)
    one_sided: bool = field(default=True, init=False)
    least_spread: float = field(default=0.75, init=False)  # its standard error is an upper bound; 0.76 to 1.0 was seen

    def measure(
        self, reference_sample: pl.DataFrame, batch: pl.DataFrame, *, kinds: Mapping[str, Kind], seed: int
    ) -> TableMeasure:
        """See :class:`TableMethod`."""
        found = domain_classifier(
            reference_sample,
            batch,
            numeric=_of_kind(kinds, "numeric"),
            categorical=_of_kind(kinds, "categorical"),
            seed=seed,
            most_rows=self.most_rows,
            explain=self.explain,
        )
        return TableMeasure(found.auc, found.p_value, found.drift_score, found.z, found.standard_error, found.shares)

    def law(self) -> NullLaw:
        """See :class:`TableMethod`."""
        return PositiveHalf()


@dataclass(frozen=True)
class ReconstructionError:
    """The change of the mean error of principal components; see ``drift.reconstruction``."""

    unchanged: float = field(default=0.0, init=False)
    one_sided: bool = field(default=False, init=False)
    least_spread: float = field(default=1.0, init=False)

    def measure(
        self, reference_sample: pl.DataFrame, batch: pl.DataFrame, *, kinds: Mapping[str, Kind], seed: int
    ) -> TableMeasure:
        """See :class:`TableMethod`."""
        found = reconstruction_drift(
            reference_sample,
            batch,
            numeric=_of_kind(kinds, "numeric"),
            categorical=_of_kind(kinds, "categorical"),
            seed=seed,
        )
        return TableMeasure(
            found.statistic, found.p_value, found.drift_score, found.z, found.standard_error, found.shares
        )

    def law(self) -> NullLaw:
        """See :class:`TableMethod`."""
        return ChiSquare(degrees=1)


TABLE_METHODS: Mapping[str, TableMethod] = {
    "domain_classifier": DomainClassifier(),
    "reconstruction_error": ReconstructionError(),
}


@dataclass(frozen=True)
class Usual:
    """Where a method's ``z`` lies without drift: from chunks of the reference, or 0 and 1 if there are too few."""

    method: TableMethod
    centre: float = 0.0
    spread: float = 1.0

    def amount(self, z: float) -> float:
        """How far beyond the usual, squared: on the scale of the method's law."""
        beyond = (z - self.centre) / self.spread
        return max(beyond, 0.0) ** 2 if self.method.one_sided else beyond**2

    def statistic_at(self, amount: float, measure: TableMeasure) -> float:
        """The statistic that has this amount, on the side on which ``measure`` lies: its threshold."""
        side = 1.0 if self.method.one_sided or measure.z >= self.centre else -1.0
        return self.method.unchanged + (self.centre + side * math.sqrt(amount) * self.spread) * measure.standard_error


def table_method(name: str) -> TableMethod:
    """The method of that name.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    if name not in TABLE_METHODS:
        raise UnknownNameError("drift method on tables", name, TABLE_METHODS)
    return TABLE_METHODS[name]


def table_deviations(
    reference_sample: pl.DataFrame,
    chunks: Sequence[pl.DataFrame],
    *,
    method: TableMethod,
    kinds: Mapping[str, Kind],
    seed: int,
    own: Sequence[Integers] | None = None,
) -> Floats:
    """``z`` of chunks of the reference, each against a sample of the rest; NaN where the method cannot tell.

    Parameters
    ----------
    own
        Of each chunk, the positions of its own rows in the sample, which are left out; None if it shares none.
    """
    result = np.full(len(chunks), np.nan)
    for place, chunk in enumerate(chunks):
        sample = reference_sample
        if own is not None and len(own[place]):
            sample = sample[np.setdiff1d(np.arange(sample.height), own[place])]
        try:
            result[place] = method.measure(sample, chunk, kinds=kinds, seed=seed + place).z
        except DriftError:
            continue
    return result


def usual(deviations: Floats, *, method: TableMethod) -> Usual:
    """What is usual, from the deviations of the reference's chunks.

    Examples
    --------
    >>> found = usual(np.arange(2.0, 8.0, 0.25), method=DomainClassifier())
    >>> round(found.centre, 3), round(found.spread, 3), round(found.amount(found.centre + 2 * found.spread), 3)
    (4.875, 1.768, 4.0)
    """
    held = deviations[np.isfinite(deviations)]
    if held.size < FEWEST_CHUNKS:
        return Usual(method)
    return Usual(method, _centre(float(held.mean()), method), max(float(held.std(ddof=1)), method.least_spread))


def table_amounts(deviations: Floats, *, method: TableMethod) -> Floats:
    """Amounts of the chunks, each by what is usual for all others: what the calibration learns from."""
    kept = np.isfinite(deviations)
    if kept.sum() <= FEWEST_CHUNKS:
        return np.array([Usual(method).amount(float(z)) if math.isfinite(z) else math.nan for z in deviations])
    result = np.full(deviations.size, np.nan)
    for place in np.flatnonzero(kept):
        others = deviations.copy()
        others[place] = np.nan
        result[place] = usual(others, method=method).amount(float(deviations[place]))
    return result


def _centre(mean: float, method: TableMethod) -> float:
    return max(mean, 0.0) if method.one_sided else mean


def _of_kind(kinds: Mapping[str, Kind], kind: Kind) -> list[str]:
    return [name for name, found in kinds.items() if found == kind]
