"""What is kept of a column: its sorted finite values, or its category counts, and what is missing.

Sorting a float64 column costs less than binning or sketching it, and from two sorted columns every method gets its
exact answer by binary search. So the profile is exact: the reference is sorted once and stored with the model, a
batch is sorted once per column. Missing and infinite values are counted apart, as bins of their own.

A column of few distinct values, and a compact profile of a stream, keep each value once with the rows up to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from driftbook.drift.column_values import as_numbers, as_text
from driftbook.errors import DriftError

Kind = Literal["numeric", "categorical"]
Side = Literal["left", "right"]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

QUANTILE_BINS = 10
FEW_VALUES = 20  # a numeric column with no more distinct values gets a bin for each
ROWS_PER_VALUE = 500  # so many rows to a distinct value pay for keeping each value once
MOST_VALUES = 512
BLOCK = 8_192  # values summed at a time: they stay in the cache, and BLAS starts no threads of its own for so few


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """One column: ``rows`` in all, of which ``missing`` (null or NaN) and ``infinite``.

    ``values`` are the finite numbers in ascending order (numeric), ``categories`` the count of each text in
    ascending order (categorical); the other one is empty. With ``upto``, ``values`` holds each number once and
    ``upto`` the rows up to and including it. ``grid_error`` is the most by which its distribution function may be
    off between two values: 0 of an exact profile.
    """

    kind: Kind
    rows: int
    missing: int
    infinite: int = 0
    values: Floats = field(default_factory=lambda: np.empty(0))
    upto: Integers | None = None
    categories: Mapping[str, int] = field(default_factory=dict)
    grid_error: float = 0.0

    @property
    def finite(self) -> int:
        """Rows with a finite value."""
        if self.upto is None:
            return self.values.size
        return int(self.upto[-1]) if self.upto.size else 0

    @cached_property
    def weights(self) -> Integers | None:
        """Rows of each of ``values``; None where each stands for one."""
        return None if self.upto is None else np.diff(self.upto, prepend=0)

    def rank(self, points: Floats, *, side: Side = "right") -> Integers:
        """Rows with a value up to each point (``right``), or below it (``left``).

        Examples
        --------
        >>> column = column_profile(pl.Series([1.0, 2.0, 2.0]), kind="numeric")
        >>> column.rank(np.array([2.0])).tolist(), column.rank(np.array([2.0]), side="left").tolist()
        ([3], [1])
        """
        places = self.values.searchsorted(points, side=side)
        if self.upto is None:
            return places
        ranks: Integers = np.concatenate([[0], self.upto])[places]
        return ranks

    @cached_property
    def mean(self) -> float:
        """Mean of the finite values; NaN if there is none."""
        if not self.finite:
            return float("nan")
        weights = 1 if self.weights is None else self.weights
        with np.errstate(over="ignore"):
            mean = float(self.values.mean() if self.weights is None else self.values @ self.weights / self.finite)
            if not np.isfinite(mean):  # the sum leaves the range of float64, the mean does not
                mean = float((self.values / self.finite * weights).sum())
        return min(max(mean, float(self.values[0])), float(self.values[-1]))  # rounding leaves a constant its value

    @cached_property
    def std(self) -> float:
        """Standard deviation of the finite values (ddof 0); NaN if there is none, infinite beyond float64."""
        if not self.finite:
            return float("nan")
        with np.errstate(all="ignore"):
            farthest = max(self.values[-1] - self.mean, self.mean - self.values[0])
            unit = farthest if 1e100 < farthest < np.inf else 1.0  # beyond, squares leave the range of float64
            return float(unit * np.sqrt(self._squares(unit) / self.finite))

    def _squares(self, unit: float) -> float:
        """Sum of squared distances from the mean, in such units."""
        total = 0.0
        for first in range(0, self.values.size, BLOCK):
            centred = self.values[first : first + BLOCK] - self.mean
            if unit != 1.0:
                centred /= unit
            weights = None if self.weights is None else self.weights[first : first + BLOCK]
            total += float(centred @ centred if weights is None else (centred * centred) @ weights)
        return total

    @cached_property
    def centred_sums(self) -> tuple[Floats, Floats]:
        """Running sums of the values less their mean, from 0, and what each lost to rounding."""
        with np.errstate(over="ignore"):
            centred = self.values - self.mean
        return running_sums(centred if self.weights is None else centred * self.weights)

    @cached_property
    def edges(self) -> Floats:
        """Upper edges of the bins: every distinct value if few, else the inner quantiles."""
        if not self.finite:
            return self.values
        distinct = self.values if self.upto is not None else few_distinct(self.values, most=FEW_VALUES)
        if distinct is not None and distinct.size <= FEW_VALUES:
            return distinct
        places = (np.arange(1, QUANTILE_BINS) * self.finite) // QUANTILE_BINS
        if self.upto is not None:
            places = self.upto.searchsorted(places, side="right")
        return np.unique(self.values[places])

    @cached_property
    def own_counts(self) -> Integers:
        """Rows per bin of its own binning."""
        return self.counts(self)

    def counts(self, other: ColumnProfile) -> Integers:
        """Rows of ``other`` per bin of this column.

        Numeric: up to each edge, above the last one, infinite, missing. Categorical: each category of this
        column, unseen ones together, missing.

        Examples
        --------
        >>> reference = column_profile(pl.Series(["a", "a", "b", None]), kind="categorical")
        >>> reference.counts(column_profile(pl.Series(["a", "c"]), kind="categorical")).tolist()
        [1, 0, 1, 0]
        """
        if self.kind == "numeric":
            inside = np.diff(other.rank(self.edges), prepend=0, append=other.finite)
            return np.append(inside, [other.infinite, other.missing]).astype(np.int64)
        seen = [other.categories.get(label, 0) for label in self.categories]
        unseen = other.rows - other.missing - sum(seen)
        return np.array([*seen, unseen, other.missing], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Profile(Mapping[str, ColumnProfile]):
    """Column profiles by name, in order."""

    columns: Mapping[str, ColumnProfile]

    def __getitem__(self, name: str) -> ColumnProfile:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def profile(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> Profile:
    """Profile the named columns of a frame.

    Parameters
    ----------
    frame
        Any frame that holds the columns.
    kinds
        Which columns, and how each is to be read: ``numeric`` or ``categorical``.

    Raises
    ------
    DriftError
        If a column is not there, or holds what is neither a number nor a text.

    Examples
    --------
    >>> frame = pl.DataFrame({"age": [41.0, None, 33.0], "plan": ["b", "a", "b"]})
    >>> profiles = profile(frame, {"age": "numeric", "plan": "categorical"})
    >>> profiles["age"].values.tolist(), profiles["age"].missing, dict(profiles["plan"].categories)
    ([33.0, 41.0], 1, {'a': 1, 'b': 2})
    """
    missing = [name for name in kinds if name not in frame.columns]
    if missing:
        raise DriftError(f"expected columns {', '.join(missing)}, found only {', '.join(frame.columns) or 'none'}")
    return Profile({name: column_profile(frame[name], kind=kind) for name, kind in kinds.items()})


def readable(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> pl.DataFrame:
    """The frame with columns that hold neither numbers nor categories, as their kind asks, as missing throughout.

    A column that cannot be profiled must not keep the others from it.

    Examples
    --------
    >>> readable(pl.DataFrame({"tags": [["a"], ["b"]]}), {"tags": "categorical"})["tags"].to_list()
    [None, None]
    """
    lost = []
    for name, kind in kinds.items():
        try:
            _ = as_numbers(frame[name].clear()) if kind == "numeric" else as_text(frame[name])
        except DriftError:
            lost.append(pl.lit(None, dtype=pl.Float64 if kind == "numeric" else pl.String).alias(name))
    return frame.with_columns(lost) if lost else frame


def column_profile(series: pl.Series, *, kind: Kind) -> ColumnProfile:
    """Profile one column; see :func:`profile`."""
    if kind == "categorical":
        counts = as_text(series).value_counts()
        labels, rows = counts.to_series(0), counts.to_series(1)
        found = {label: number for label, number in zip(labels, rows, strict=True) if label is not None}
        missing = series.len() - sum(found.values())
        return ColumnProfile(kind, series.len(), missing, categories=dict(sorted(found.items())))
    numbers = as_numbers(series)
    finite = finite_values(numbers)
    missing = int(np.isnan(numbers).sum()) if finite.size < numbers.size else 0
    infinite = numbers.size - finite.size - missing
    values = _in_order(finite)
    distinct = few_distinct(values, most=min(values.size // ROWS_PER_VALUE, MOST_VALUES))
    if distinct is None:
        return ColumnProfile(kind, numbers.size, missing, infinite, values)
    upto = values.searchsorted(distinct, side="right")
    return ColumnProfile(kind, numbers.size, missing, infinite, distinct, upto)


def _in_order(values: Floats) -> Floats:
    """Sorted: in place where the array is a copy already; what polars only lends cannot be written to."""
    if not values.flags.writeable:
        return np.sort(values)
    values.sort()
    return values


def finite_values(numbers: Floats) -> Floats:
    """Those that are finite; the array itself where all are."""
    with np.errstate(all="ignore"):
        total = numbers.sum()  # one pass of half a nanosecond a row tells whether any is not
    return numbers if np.isfinite(total) else numbers[np.isfinite(numbers)]


def few_distinct(values: Floats, *, most: int) -> Floats | None:
    """Distinct values of a sorted array, found by jumping from one to the next; None if more than ``most``."""
    sample = values[:: max(values.size // (4 * most + 4), 1)]
    if np.count_nonzero(sample[1:] != sample[:-1]) >= most:
        return None  # many are seen at a glance
    distinct: list[float] = []
    place = 0
    while place < values.size:
        if len(distinct) >= most:
            return None
        distinct.append(float(values[place]) + 0.0)  # -0.0 and 0.0 are one number
        place = int(values.searchsorted(values[place], side="right"))
    return np.array(distinct)


def running_sums(values: Floats) -> tuple[Floats, Floats]:
    """Running sums from 0, and what each has lost to rounding.

    A difference of two sums, with the difference of what they lost, is as accurate as adding up what lies between.

    Examples
    --------
    >>> sums, lost = running_sums(np.array([1.0, 1e-20, 2.0]))
    >>> sums.tolist(), lost.tolist()
    ([0.0, 1.0, 1.0, 3.0], [0.0, 0.0, 1e-20, 1e-20])
    """
    sums, lost = np.zeros(values.size + 1), np.zeros(values.size + 1)
    with np.errstate(all="ignore"):
        for first in range(0, values.size, BLOCK):
            block, inside = values[first : first + BLOCK].copy(), slice(first + 1, first + 1 + BLOCK)
            added = block.copy()
            added[0] += sums[first]
            np.cumsum(added, out=sums[inside])
            before, after = sums[first : first + block.size], sums[inside]
            part = after - before  # what was really added (Knuth's exact sum of two)
            lost[inside] = (before - (after - part)) + (block - part)
        np.cumsum(lost, out=lost)
    return sums, lost
