"""A fixed grid of a column, and what falls into its cells: counts that any two machines can add up.

The points are fine quantiles of a reference, with its bin edges, smallest and largest value and zero among them. Rows
*at* a point and rows strictly *between* two points are counted apart, so that both sides of every step at a point are
known exactly. Sorting a block and searching the points in it costs a quarter of searching each row in the points.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from driftbook.drift.profile import (
    FEW_VALUES,
    QUANTILE_BINS,
    ColumnProfile,
    Floats,
    Integers,
    Kind,
    few_distinct,
)
from driftbook.drift.summaries import Moments
from driftbook.errors import DriftError

POINTS = 4_096
MOST_LABELS = 10_000
BLOCK_ROWS = 262_144


@dataclass(frozen=True, eq=False)
class Grid:
    """Where a column is counted: ascending ``points`` (numeric) or the ``labels`` counted one by one (categorical).

    The ``2 k + 1`` cells of ``k`` points are: below the first, at the first, between the first and the second, …,
    at the last, above the last. The labels have a cell each; others are counted together.
    """

    kind: Kind
    points: Floats = field(default_factory=lambda: np.empty(0))
    labels: tuple[str, ...] = ()

    @cached_property
    def centre(self) -> float:
        """What is taken off values before they are added up, so that large numbers close together keep their digits."""
        return float(self.points[self.points.size // 2]) if self.points.size else 0.0

    def same_as(self, other: Grid) -> bool:
        """Whether counts on both can be added up."""
        alike = self.kind == other.kind and self.labels == other.labels
        return self is other or (alike and np.array_equal(self.points, other.points))

    def check(self, other: Grid) -> None:
        """Raise :class:`DriftError` if counts on the two grids cannot be added up."""
        if not self.same_as(other):
            raise DriftError(
                f"expected two profiles on one grid, found {self} and {other}, which differ; "
                "make the grid once with grid_of and send it to every machine"
            )

    def __str__(self) -> str:
        size = f"{self.points.size} points" if self.kind == "numeric" else f"{len(self.labels)} labels"
        return f"a {self.kind} grid of {size}"

    def counted(self, values: Floats) -> tuple[Integers, Floats]:
        """Rows per cell, and sums of the values less the centre per cell between points.

        Parameters
        ----------
        values
            Finite numbers in any order.

        Examples
        --------
        >>> counts, sums = Grid("numeric", np.array([1.0, 2.0])).counted(np.array([0.5, 1.0, 1.0, 1.25, 1.5, 7.0]))
        >>> counts.tolist(), sums.tolist()
        ([1, 2, 2, 0, 1], [-1.5, -1.25, 5.0])
        """
        counts = np.zeros(2 * self.points.size + 1, dtype=np.int64)
        sums = np.zeros(self.points.size + 1)
        for first in range(0, values.size, BLOCK_ROWS):
            found, totals = self._counted_at_once(np.sort(values[first : first + BLOCK_ROWS]))
            counts += found
            sums += totals
        return counts, sums

    def _counted_at_once(self, ascending: Floats) -> tuple[Integers, Floats]:
        bounds = np.zeros(2 * self.points.size + 2, dtype=np.int64)
        bounds[-1] = ascending.size
        below = ascending.searchsorted(self.points)
        bounds[1:-1:2] = bounds[2:-1:2] = below
        hit = np.flatnonzero(ascending[np.minimum(below, ascending.size - 1)] == self.points)
        bounds[2 * hit + 2] = ascending.searchsorted(self.points[hit], side="right")
        counts = np.diff(bounds)
        held = np.flatnonzero(counts)
        totals = np.zeros(counts.size)
        with np.errstate(all="ignore"):  # the largest numbers there are may not add up
            totals[held] = np.add.reduceat(ascending - self.centre, bounds[held])
        return counts, totals[::2]


@dataclass(frozen=True, eq=False)
class GridColumn(ColumnProfile):
    """A column known on the ``points`` of a grid.

    Its moments are exact, and its edges are points, where ranks are exact; its values are only places for the rows.
    """

    points: Floats = field(default_factory=lambda: np.empty(0))
    moments: Moments = field(default_factory=Moments)

    @cached_property
    def mean(self) -> float:
        """Mean of the finite values; NaN if there is none."""
        if not self.finite:
            return float("nan")
        return self.moments.mean if np.isfinite(self.moments.mean) else super().mean

    @cached_property
    def std(self) -> float:
        """Standard deviation of the finite values (ddof 0); NaN if there is none."""
        found = self.moments.std  # the squares of numbers beyond 1e150 leave the range of float64
        return super().std if np.isinf(found) else found

    @cached_property
    def edges(self) -> Floats:
        """Upper edges of the bins, all of them points of the grid; of the same rows the same as the exact profile's."""
        if self.values.size <= FEW_VALUES and not self.grid_error:
            return self.values
        ranks = (np.arange(1, QUANTILE_BINS) * self.finite) // QUANTILE_BINS
        places = np.minimum(self.rank(self.points).searchsorted(ranks, side="right"), self.points.size - 1)
        return np.unique(self.points[places])


def grid_of(column: ColumnProfile, *, points: int = POINTS, most_labels: int = MOST_LABELS) -> Grid:
    """The grid of a reference, or of the first rows of a stream.

    At most ``1 / points`` of the column's own rows lie strictly between two neighbouring points. Of categories the
    most frequent are counted one by one, others together: a reference that has more must be compared on the grid, too.

    Examples
    --------
    >>> import polars as pl
    >>> from driftbook.drift.profile import column_profile
    >>> grid_of(column_profile(pl.Series([4.0, 2.0, 2.0]), kind="numeric")).points.tolist()
    [0.0, 2.0, 4.0]
    >>> grid_of(column_profile(pl.Series(["b", "a"]), kind="categorical")).labels
    ('a', 'b')
    """
    if column.kind == "categorical":
        frequent = sorted(column.categories, key=lambda label: (-column.categories[label], label))
        return Grid("categorical", labels=tuple(sorted(frequent[:most_labels])))
    if not column.finite:
        return Grid("numeric", np.zeros(1))
    few = few_distinct(column.values, most=points) if column.upto is None else None
    if few is None:
        ranks = np.linspace(0, column.finite - 1, points + 1).astype(np.int64)
        places = ranks if column.upto is None else column.upto.searchsorted(ranks, side="right")
        few = column.values[places]
    ends = column.values[[0, -1]]
    return Grid("numeric", np.unique(np.concatenate([few, column.edges, ends, np.zeros(1)]) + 0.0))
