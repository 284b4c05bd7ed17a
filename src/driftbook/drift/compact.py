"""Mergeable compact profiles: of a stream, or of data spread over machines, in a state of fixed size.

A column is counted on a :class:`Grid`; counts on one grid add up, so that machines, hours and chunks merge in any
order to the same integers. As a :class:`ColumnProfile` it answers every drift method. What is exact, and how far the
rest may be off, with the reference's grid on both sides or the reference exact:

* rows, missing, infinite, smallest, largest, and with them PSI and all other binned methods and shares: exact;
* mean and standard deviation: exact to rounding;
* Kolmogorov–Smirnov: off by at most :meth:`CompactColumn.ks_error`, at most 1 / 4,096 where the grid is made of one
  side, however far the other has drifted. Between two points the distribution functions are known at both ends only:
  where F rises by f and G by g, their difference differs from that at an end by at most the smaller one;
* Wasserstein: rows between two points count as if at their mean, so a shift of all is exact;
* Cramér–von Mises and the variants that bin as Evidently does look between the points: approximate.

Where that is not enough, :mod:`driftbook.drift.merging` asks once more for a few of the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from driftbook.drift.column_values import as_numbers, as_text
from driftbook.drift.grid import Grid, GridColumn
from driftbook.drift.profile import ColumnProfile, Floats, Integers, Profile, finite_values
from driftbook.drift.summaries import FrequentItems, Moments
from driftbook.errors import DriftError

OTHERS = "(other values)"
GRAIN = 2.0**24  # parts of a cell; sums in another order differ by less, so that their mean stays the same place


@dataclass(frozen=True, eq=False)
class CompactColumn:
    """One column on a grid: rows per cell and, per cell between points, the sum of the values less the centre."""

    grid: Grid
    rows: int
    missing: int
    infinite: int
    counts: Integers
    sums: Floats = field(default_factory=lambda: np.empty(0))
    moments: Moments = field(default_factory=Moments)
    others: FrequentItems = field(default_factory=FrequentItems)

    @classmethod
    def of(cls, series: pl.Series, grid: Grid) -> CompactColumn:
        """Count a chunk.

        Raises
        ------
        DriftError
            If the column holds neither numbers nor categories.
        """
        return _numbers(series, grid) if grid.kind == "numeric" else _texts(series, grid)

    def merge(self, other: CompactColumn) -> CompactColumn:
        """Both together: integers to the last digit whatever the order, sums and moments to rounding.

        Raises
        ------
        DriftError
            If the two were counted on different grids.
        """
        self.grid.check(other.grid)
        return CompactColumn(
            self.grid,
            self.rows + other.rows,
            self.missing + other.missing,
            self.infinite + other.infinite,
            self.counts + other.counts,
            self.sums + other.sums,
            self.moments.merge(other.moments),
            self.others.merge(other.others),
        )

    @property
    def finite(self) -> int:
        """Rows with a finite value."""
        return self.moments.count

    @property
    def between(self) -> Integers:
        """Rows strictly between neighbouring points, below the first and above the last included."""
        return self.counts[::2]

    @property
    def grid_error(self) -> float:
        """Largest share of rows between two points: its distribution function is off by no more."""
        return float(self.between.max() / self.finite) if self.finite and self.grid.kind == "numeric" else 0.0

    @property
    def state_bytes(self) -> int:
        """Memory of the counts and of its part of the grid, whatever the number of rows."""
        labels = sum(len(label.encode()) + 8 for label in (*self.grid.labels, *self.others.counts))
        return self.counts.nbytes + self.sums.nbytes + self.grid.points.nbytes + labels

    def ks_error(self, reference: ColumnProfile) -> float:
        """The most by which the Kolmogorov–Smirnov distance to a reference is off.

        In no cell by more than the smaller of the two shares of rows in it; a reference on another grid adds its own.
        """
        if not (self.finite and reference.finite):
            return 0.0
        points = self.grid.points
        below = np.append(reference.rank(points, side="left"), reference.finite)
        inside = below - np.concatenate([[0], reference.rank(points)])
        here = isinstance(reference, GridColumn) and np.array_equal(reference.points, points)
        apart = np.minimum(inside / reference.finite, self.between / self.finite).max()
        return float(apart) + (0.0 if here else reference.grid_error)

    def column(self, *, others_by_name: bool = False) -> ColumnProfile:
        """As a profile that every drift method takes.

        Parameters
        ----------
        others_by_name
            Whether categories that the grid does not name stand by themselves where all are known. Only against an
            exact reference: of two streams one may know them all and the other not.
        """
        if self.grid.kind == "categorical":
            categories = dict(sorted(self._categories(others_by_name).items()))
            return ColumnProfile("categorical", self.rows, self.missing, categories=categories)
        values, counts = self.places()
        return self.profile_at(values, counts, grid_error=self.grid_error)

    def _categories(self, others_by_name: bool) -> Mapping[str, int]:
        held = {label: int(rows) for label, rows in zip(self.grid.labels, self.counts, strict=True) if rows}
        if others_by_name and not self.others.slack:
            return held | dict(self.others.counts)
        rest = self.rows - self.missing - sum(held.values())
        return held | ({OTHERS: held.get(OTHERS, 0) + rest} if rest else {})

    def profile_at(self, values: Floats, counts: Integers, *, grid_error: float) -> GridColumn:
        """A profile of its rows at these places."""
        upto = np.cumsum(counts, dtype=np.int64)
        held = (self.rows, self.missing, self.infinite)
        return GridColumn(
            "numeric", *held, values, upto, grid_error=grid_error, points=self.grid.points, moments=self.moments
        )

    def places(self, *, grain: float = GRAIN) -> tuple[Floats, Integers]:
        """Where its rows are held to be, ascending, and how many: at a point, or at the mean of those between two."""
        if self.finite and self.moments.low == self.moments.high:
            return np.array([self.moments.low]), np.array([self.finite])
        points, counts, sums = self._with_extremes()
        lower, upper = points[:-1], points[1:]
        with np.errstate(all="ignore"):  # the largest numbers there are may not add up
            width = upper - lower
            share = (sums / np.maximum(counts[1::2], 1) + (self.grid.centre - lower)) / width
            share = np.where(np.isfinite(share), np.round(share * grain) / grain, 0.5)
            own = np.isin(points, self.grid.points)  # nobody knows how many share an extreme that is not a point
            first = np.where(own[:-1], np.nextafter(lower, np.inf), lower)
            last = np.where(own[1:], np.nextafter(upper, -np.inf), upper)
            middle = np.clip(lower + share * width, first, last)
        at = np.empty(counts.size)
        at[::2], at[1::2] = points, middle
        at, counts = at[counts > 0], counts[counts > 0]
        begin = np.flatnonzero(np.append(True, at[1:] != at[:-1])[: at.size])
        return at[begin], np.add.reduceat(counts, begin) if begin.size else counts

    def _with_extremes(self) -> tuple[Floats, Integers, Floats]:
        """Points with the smallest and largest value among them; then nothing lies outside."""
        points, counts, sums = self.grid.points, self.counts, self.sums
        for value, is_low in ((self.moments.low, True), (self.moments.high, False)) if self.finite else ():
            place = int(points.searchsorted(value))
            if place < points.size and points[place] == value:
                continue
            rows, total = int(counts[2 * place]) - 1, float(sums[place]) - (value - self.grid.centre)
            counts = np.insert(counts, 2 * place if is_low else 2 * place + 1, (0, 1) if is_low else (1, 0))
            counts[2 * place + 2 if is_low else 2 * place] = rows
            sums = np.insert(sums, place, 0.0) if is_low else np.insert(sums, place + 1, 0.0)
            sums[place + 1 if is_low else place] = total
            points = np.insert(points, place, value)
        return points, counts[1:-1], sums[1:-1]


@dataclass(frozen=True, eq=False)
class CompactProfile(Mapping[str, CompactColumn]):
    """Compact columns by name: a table's state, to be merged with that of another machine or hour."""

    columns: Mapping[str, CompactColumn]

    def __getitem__(self, name: str) -> CompactColumn:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def merge(self, other: CompactProfile) -> CompactProfile:
        """Both together; see :meth:`CompactColumn.merge`."""
        if set(self) != set(other):
            found = ", ".join(sorted(set(self) ^ set(other)))
            raise DriftError(f"expected two profiles of the same columns, found only one with {found}")
        return CompactProfile({name: column.merge(other[name]) for name, column in self.items()})

    def updated(self, chunk: pl.DataFrame) -> CompactProfile:
        """With the rows of one more chunk."""
        missing = [name for name in self if name not in chunk.columns]
        if missing:
            raise DriftError(f"expected columns {', '.join(missing)}, found only {', '.join(chunk.columns) or 'none'}")
        return self.merge(
            CompactProfile({name: CompactColumn.of(chunk[name], each.grid) for name, each in self.items()})
        )

    def profile(self) -> Profile:
        """As profiles that every drift method takes."""
        return Profile({name: column.column() for name, column in self.items()})

    @cached_property
    def state_bytes(self) -> int:
        """Memory of all columns."""
        return sum(each.state_bytes for each in self.values())


def compact_profile(chunks: Iterable[pl.DataFrame], grids: Mapping[str, Grid]) -> CompactProfile:
    """Count a table that comes in chunks.

    Parameters
    ----------
    chunks
        Rows as they come, any number; chunks of 10,000 rows and more are fastest.
    grids
        The grid of each column, the same on all machines; see :func:`driftbook.drift.grid.grid_of`.

    Examples
    --------
    Two machines count their own rows; whoever merges them compares with the reference:

    >>> from driftbook.drift.grid import grid_of
    >>> from driftbook.drift.methods import method
    >>> from driftbook.drift.profile import column_profile
    >>> reference = column_profile(pl.Series(range(100)), kind="numeric")
    >>> grids = {"age": grid_of(reference)}
    >>> here = compact_profile([pl.DataFrame({"age": [20, 30]}), pl.DataFrame({"age": [40]})], grids)
    >>> there = compact_profile([pl.DataFrame({"age": [10, None]})], grids)
    >>> both = here.merge(there)["age"].column()
    >>> both.rows, both.missing, both.mean
    (5, 1, 25.0)
    >>> round(method("kolmogorov_smirnov").measure(reference, both).statistic, 2)
    0.59
    """
    empty = {name: CompactColumn.of(pl.Series(name, []), grid) for name, grid in grids.items()}
    found = CompactProfile(empty)
    for chunk in chunks:
        found = found.updated(chunk)
    return found


def _numbers(series: pl.Series, grid: Grid) -> CompactColumn:
    numbers = as_numbers(series)
    finite = finite_values(numbers)
    missing = int(np.isnan(numbers).sum()) if finite.size < numbers.size else 0
    counts, sums = grid.counted(finite)
    infinite = numbers.size - finite.size - missing
    return CompactColumn(grid, numbers.size, missing, infinite, counts, sums, Moments.of(finite))


def _texts(series: pl.Series, grid: Grid) -> CompactColumn:
    found = as_text(series).alias("label").value_counts(name="rows").drop_nulls("label")
    own = pl.DataFrame({"label": pl.Series(grid.labels, dtype=pl.String)})
    counts = own.join(found, on="label", how="left", maintain_order="left")["rows"].fill_null(0)
    others = found.join(own, on="label", how="anti").sort("rows", "label", descending=[True, False])
    top = others.head(FrequentItems().size + 1)
    items = FrequentItems.of(dict(zip(top["label"], top["rows"], strict=True)))
    missing = series.len() - int(found["rows"].sum())
    return CompactColumn(grid, series.len(), missing, 0, counts.to_numpy().astype(np.int64), others=items)
