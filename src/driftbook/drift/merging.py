"""The exact answer for data spread over machines, in two passes over it.

First every machine counts its rows on the grid of the reference (:mod:`driftbook.drift.compact`) and the counts are
added up. That settles all binned methods and shares to the last digit, and bounds the Kolmogorov–Smirnov distance
within each cell. Then only cells whose bound still beats the best difference are asked for their values: a few
hundredths of the rows. Quotients and differences round monotonously, so a cell that is left out could not have given
a larger number, and the answers are those of one machine, bit by bit.

For Wasserstein the area over a cell follows from its count and sum, unless the two distribution functions may cross
in it; those cells are asked for, too, and the answer is the same to rounding: half of the rows travel where nothing
drifted, a tenth or less where something did. Not merged exactly are Cramér–von Mises, which needs the rank of every
row, and the numeric variants that bin as Evidently does, whose edges depend on both samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Protocol, TypeVar

import numpy as np
import polars as pl

from driftbook.drift.column_values import as_numbers
from driftbook.drift.compact import CompactColumn, CompactProfile, compact_profile
from driftbook.drift.grid import Grid, grid_of
from driftbook.drift.profile import ColumnProfile, Floats, Profile, finite_values
from driftbook.errors import DriftError

FINEST = 2.0**53  # places of means are not rounded: sums must come out right
Shard = TypeVar("Shard")


class Run(Protocol):
    """How a function is called on every shard: ``map``, ``pool.map`` of an executor, a cluster's own."""

    def __call__(self, function: Callable[[Any], Any], shards: Iterable[Any], /) -> Iterable[Any]:
        """Results in the order of the shards."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Open intervals ``lower < value < upper`` in ascending order: those that are asked for their values."""

    lower: Floats
    upper: Floats


def merged_profile(
    reference: Profile,
    shards: Sequence[Shard],
    *,
    read: Callable[[Shard], pl.DataFrame],
    run: Run = map,
    wasserstein: bool = True,
) -> Profile:
    """Profile a table in parts so that it compares with the reference as if it were in one.

    Parameters
    ----------
    shards
        Names of the parts, such as paths; each is read twice, where it lies.
    read
        The rows of a part.
    run
        Calls a function on every part; ``map`` one after another, ``ProcessPoolExecutor().map`` at once.
    wasserstein
        Whether Wasserstein shall be exact as well; without it fewer values travel.

    Examples
    --------
    >>> from driftbook.drift.methods import method
    >>> from driftbook.drift.profile import column_profile
    >>> reference = Profile({"age": column_profile(pl.Series(range(1000)), kind="numeric")})
    >>> parts = {"north": [1.5, 2.5, 700.25], "south": [3.5, None], "west": []}
    >>> merged = merged_profile(reference, list(parts), read=lambda name: pl.DataFrame({"age": parts[name]}))
    >>> whole = column_profile(pl.Series([1.5, 2.5, 700.25, 3.5, None]), kind="numeric")
    >>> distance = method("kolmogorov_smirnov")
    >>> distance.measure(reference["age"], merged["age"]) == distance.measure(reference["age"], whole)
    True
    """
    grids = {name: grid_of(each, most_labels=len(each.categories)) for name, each in reference.items()}
    counted: list[CompactProfile] = list(run(partial(_count, read=read, grids=grids), shards))
    total = reduce(CompactProfile.merge, counted, compact_profile([], grids))
    cells = {
        name: cells_in_play(reference[name], column, wasserstein=wasserstein)
        for name, column in total.items()
        if column.grid.kind == "numeric"
    }
    inside: list[Mapping[str, Floats]] = list(run(partial(_values, read=read, cells=cells), shards))
    columns: dict[str, ColumnProfile] = {}
    for name, column in total.items():
        if name in cells:
            columns[name] = refined(column, cells[name], [part[name] for part in inside])
        else:
            columns[name] = column.column(others_by_name=True)
    return Profile(columns)


def cells_in_play(reference: ColumnProfile, counted: CompactColumn, *, wasserstein: bool = True) -> Cells:
    """The cells in which the answer still hides.

    Examples
    --------
    >>> from driftbook.drift.profile import column_profile
    >>> reference = column_profile(pl.Series([1.0, 2.0, 3.0, 9.0]), kind="numeric")
    >>> counted = CompactColumn.of(pl.Series([4.0, 7.0]), Grid("numeric", np.array([1.5, 5.0])))
    >>> cells = cells_in_play(reference, counted)
    >>> cells.lower.tolist(), cells.upper.tolist()
    ([1.5, 5.0], [5.0, inf])
    """
    points, n, m = counted.grid.points, reference.finite, counted.finite
    if not (n and m):
        return Cells(np.empty(0), np.empty(0))
    ranks = np.cumsum(counted.counts)
    at, below = reference.rank(points), reference.rank(points, side="left")
    low, top = np.concatenate([[0], at]) / n, np.append(below, n) / n
    other_low, other_top = np.concatenate([[0], ranks[1::2]]) / m, ranks[::2] / m
    best = max(np.abs(low - other_low).max(), np.abs(top - other_top).max())
    bound = np.maximum(top - other_low, other_top - low)
    live = (bound > best) & (top > low)
    if wasserstein:
        live |= (top > other_low) & (other_top > low)  # one may be above here, the other there
    live &= counted.between > 0
    lower, upper = np.concatenate([[-np.inf], points]), np.append(points, np.inf)
    return Cells(lower[live], upper[live])


def values_inside(series: pl.Series, cells: Cells) -> Floats:
    """The values of one part that lie in the cells, ascending.

    Examples
    --------
    >>> values_inside(pl.Series([3.0, 1.0, 2.0, 2.5]), Cells(np.array([1.0]), np.array([3.0]))).tolist()
    [2.0, 2.5]
    """
    if not cells.lower.size:
        return np.empty(0)
    values = np.sort(finite_values(as_numbers(series)))
    first = values.searchsorted(cells.lower, side="right")
    last = values.searchsorted(cells.upper, side="left")
    return np.concatenate([values[begin:end] for begin, end in zip(first, last, strict=True)])


def refined(counted: CompactColumn, cells: Cells, parts: Iterable[Floats]) -> ColumnProfile:
    """A profile with the values themselves in the cells, and elsewhere what was counted.

    Raises
    ------
    DriftError
        If the parts hold more or fewer values in the cells than were counted there.
    """
    inside = np.concatenate([np.empty(0), *parts])
    values, counts = counted.places(grain=FINEST)
    place = cells.lower.searchsorted(values) - 1
    replaced = (place >= 0) & (values < np.append(cells.upper, -np.inf)[place])
    if int(counts[replaced].sum()) != inside.size:
        raise DriftError(
            f"expected {int(counts[replaced].sum()):,} values in the cells asked for, found {inside.size:,}; "
            "the parts were changed between the two passes: count them again"
        )
    own, held = np.unique(inside + 0.0, return_counts=True)
    values, counts = np.concatenate([values[~replaced], own]), np.concatenate([counts[~replaced], held])
    order = np.argsort(values)
    asked = np.isin(np.concatenate([[-np.inf], counted.grid.points]), cells.lower)
    left = counted.between[~asked].max(initial=0) / max(counted.finite, 1)
    return counted.profile_at(values[order], counts[order], grid_error=float(left))


def _count(shard: Shard, *, read: Callable[[Shard], pl.DataFrame], grids: Mapping[str, Grid]) -> CompactProfile:
    return compact_profile([read(shard)], grids)


def _values(
    shard: Shard, *, read: Callable[[Shard], pl.DataFrame], cells: Mapping[str, Cells]
) -> Mapping[str, Floats]:  # fmt: skip
    frame = read(shard)
    return {name: values_inside(frame[name], each) for name, each in cells.items()}
