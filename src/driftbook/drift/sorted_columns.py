"""Exact two-sample distances of sorted columns, by binary search instead of a merge.

The Kolmogorov–Smirnov distance is attained at a value of the batch or just below one, so only these are looked up in
the reference. Of many rows few need be: between two values that were looked up the difference can exceed neither by
more than the rows between them, so the search goes on only where that could still beat the largest difference found.
All batches of a column are searched in the same calls, and all give the digits of scipy.
"""

from __future__ import annotations

import numpy as np

from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.profile import ColumnProfile, Floats, Integers, running_sums

EXACT_ROWS = 10_000  # up to here scipy's ks_2samp counts paths exactly
ROWS_TO_REFINE = 2_000  # values of a batch up to which looking all of them up costs less
CELLS, SPLIT = 256, 16  # a batch is first cut into so many cells, then each cell in play
CELLS_AT_ONCE = 4_096
ROUNDING = 1e-13  # an average below is what differences of running sums leave of nothing
MOST_SQUARED = 2_000_000  # rows whose squared ranks add up within int64


def ks_distances(pair: Pairing) -> Floats:
    """Largest difference of the distribution functions of the reference and of each batch; NaN without values.

    Examples
    --------
    >>> from driftbook.drift.batches import Batches
    >>> import polars as pl
    >>> from driftbook.drift.profile import column_profile
    >>> before, after = (column_profile(pl.Series(each), kind="numeric") for each in ([1, 2, 3, 4], [3, 4]))
    >>> ks_distances(Pairing(before, Batches.of([after]))).tolist()
    [0.5]
    """
    n, sizes = pair.reference.finite, pair.batches.finite
    if not n or not pair.batches.values.size:
        return np.full(sizes.size, np.nan)
    if sizes.size == 1 and pair.reference.values.size < pair.batches.values.size:
        pair = Pairing(pair.batches.profile(0), Batches.of([pair.reference]))  # the fewer are looked up in the many
    if pair.batches.values.size > ROWS_TO_REFINE * len(pair.batches):
        largest = _Refinement(pair).largest()
    else:
        n, m = pair.reference.finite, pair.batches.finite[pair.batches.owner]
        # of tied values the last one gives the largest difference above, the first one below
        above = pair.largest(pair.batches.stop / m - pair.right / n)
        largest = np.maximum(above, pair.largest(pair.left / n - pair.batches.start / m))
    largest = np.maximum(largest, np.where(pair.batches.finite > 0, 0.0, np.nan))
    return _on_steps(largest, pair.reference.finite, pair.batches.finite)


def ks_distance(first: ColumnProfile, second: ColumnProfile) -> float:
    """The same of two columns; 0 if one has no values."""
    found = ks_distances(Pairing(first, Batches.of([second])))
    return float(np.nan_to_num(found[0]))


def _on_steps(distances: Floats, n: int, sizes: Integers) -> Floats:
    """Differences of small samples as the nearest of the values they can take, as scipy has them."""
    steps = np.lcm(n, np.maximum(sizes, 1))
    return np.where(np.maximum(sizes, n) <= EXACT_ROWS, np.round(distances * steps) / steps, distances)


class _Refinement:
    """Cells of the batches, cut finer and finer where the largest difference could still lie.

    A cell lies between two values that were looked up, at places ``first`` and ``last``. Inside it the batch's
    function is at most ``start[last] / m`` and the reference's at least ``right[first] / n``, and the other way round.
    """

    def __init__(self, pair: Pairing) -> None:
        self.pair = pair
        self.best = np.zeros(len(pair.batches))

    def largest(self) -> Floats:
        """The largest difference of each batch."""
        batches, steps = self.pair.batches, np.arange(CELLS + 1)
        owner = np.flatnonzero(np.diff(batches.offsets))
        first, most = batches.offsets[owner], np.diff(batches.offsets)[owner] - 1
        grid = first[:, None] + most[:, None] * steps // CELLS
        right, left = self._look_up(owner, grid)
        if not self.best.any() and self._are_the_same():
            return self.best
        cells = [_cells(owner, grid, right, left)]
        while cells:
            block = cells.pop()
            block = block[:, self._in_play(block)]
            if block.shape[1] > CELLS_AT_ONCE:  # the most promising first: they raise what the others must beat
                block = block[:, np.argsort(self._bounds(block), kind="stable")]
                cells += np.array_split(block, -(-block.shape[1] // CELLS_AT_ONCE), axis=1)
            elif block.size:
                cells.append(self._cut(block))
        return self.best

    def _cut(self, block: Integers) -> Integers:
        """Look up values inside the cells: smaller cells between them."""
        owner, first, last, right, left = block
        parts = min(SPLIT, int((last - first).max()))
        grid = first[:, None] + (last - first)[:, None] * np.arange(parts + 1) // parts
        inner_right, inner_left = self._look_up(owner, grid[:, 1:-1])
        nothing = np.zeros((owner.size, 1), dtype=np.int64)  # ranks that no cell asks for
        rights = np.concatenate([right[:, None], inner_right, nothing], axis=1)
        lefts = np.concatenate([nothing, inner_left, left[:, None]], axis=1)
        return _cells(owner, grid, rights, lefts)

    def _look_up(self, owner: Integers, places: Integers) -> tuple[Integers, Integers]:
        """Rows of the reference up to and below the values at ``places``, shape (owners, values)."""
        reference, batches = self.pair.reference, self.pair.batches
        points, known = batches.values[places.ravel()], reference.values
        found = known.searchsorted(points, side="right")
        tied = known[np.maximum(found - 1, 0)] == points
        below = found - tied
        often = np.flatnonzero(tied & (known[np.maximum(found - 2, 0)] == points))
        below[often] = known.searchsorted(points[often], side="left")
        right, left = (self.pair.rows_before(each).reshape(places.shape) for each in (found, below))
        n, m = reference.finite, batches.finite[owner][:, None]
        difference = np.maximum(self._stop(owner, places) / m - right / n, left / n - self._start(owner, places) / m)
        np.maximum.at(self.best, owner, difference.max(axis=1))
        return right, left

    def _in_play(self, block: Integers) -> Integers:
        return np.flatnonzero((block[2] - block[1] > 1) & (self._bounds(block) > self.best[block[0]]))

    def _bounds(self, block: Integers) -> Floats:
        owner, first, last, right, left = block
        n, m = self.pair.reference.finite, self.pair.batches.finite[owner]
        above = self._start(owner, last) / m - right / n
        below = left / n - self._stop(owner, first) / m
        found: Floats = np.maximum(above, below)
        return found

    def _start(self, owner: Integers, places: Integers) -> Integers:
        """Rows of the batch before the values at ``places``."""
        batches = self.pair.batches
        if batches.upto is not None:
            return batches.start[places]
        begin = batches.offsets[owner]
        return places - (begin if places.ndim == 1 else begin[:, None])

    def _stop(self, owner: Integers, places: Integers) -> Integers:
        """Rows of the batch up to and including them."""
        batches = self.pair.batches
        return self._start(owner, places) + 1 if batches.upto is None else batches.upto[places]

    def _are_the_same(self) -> bool:
        """Whether a batch repeats the reference, of which no cell could be ruled out."""
        first, batches = self.pair.reference, self.pair.batches
        plain = len(batches) == 1 and first.upto is None and batches.upto is None
        return plain and np.array_equal(first.values, batches.values)


def _cells(owner: Integers, grid: Integers, right: Integers, left: Integers) -> Integers:
    """Cells between neighbours of a grid, shape (5, cells): batch, first and last place, their ranks."""
    owners = np.repeat(owner, grid.shape[1] - 1)
    edges = (grid[:, :-1], grid[:, 1:], right[:, :-1], left[:, 1:])
    return np.stack([owners, *(each.ravel() for each in edges)])


def cramer_von_mises_distances(pair: Pairing) -> Floats:
    """Mean squared difference of the two distribution functions over the pooled values, for each batch, 0 to 1/3.

    Between two neighbouring current values the batch's function is flat, so that the sum over the reference's values
    there follows from running sums of its own function (Anderson 1962).
    """
    reference, batches = pair.reference, pair.batches
    n, sizes = reference.finite, batches.finite
    if not n:
        return np.full(len(batches), np.nan)
    sums = rows, first, second = _rank_sums(reference)
    m = sizes[batches.owner].astype(np.float64)
    level, mass = batches.stop / m, (batches.stop - batches.start).astype(np.float64)
    last = _last_of_ties(pair, level)
    at_points = pair.total(mass * (pair.right / n - last) ** 2)
    place = reference.values.searchsorted(batches.values, side="left")
    before = _shifted(place.astype(np.float64), pair).astype(np.int64)
    flat = _shifted(last, pair)
    between = (second[place] - second[before]) / n**2 - 2 * flat * (first[place] - first[before]) / n
    between += flat * flat * (rows[place] - rows[before])
    inside = pair.total(between) + _beyond(pair, sums, place)
    averages = (at_points + inside) / (n + sizes)
    return np.where(averages < ROUNDING, 0.0 * averages, averages)


def _rank_sums(reference: ColumnProfile) -> tuple[Integers, Integers, Integers | Floats]:
    """Running sums from 0 of rows, of their ranks and of the ranks squared, over a column's values.

    As whole numbers, which do not round; the squares of more rows leave the range of int64.
    """
    n = reference.finite
    ranks = reference.rank(reference.values).astype(np.int64)
    weights = np.ones_like(ranks) if reference.weights is None else reference.weights
    rows, first = (np.concatenate([[0], np.cumsum(each)]) for each in (weights, weights * ranks))
    if n <= MOST_SQUARED:
        return rows, first, np.concatenate([[0], np.cumsum(weights * ranks * ranks)])
    return rows, first, np.add(*running_sums(weights * ranks.astype(np.float64) ** 2))


def _last_of_ties(pair: Pairing, level: Floats) -> Floats:
    """The batch's own distribution function at each value: of ties the last one's."""
    values, owner = pair.batches.values, pair.batches.owner
    if not values.size:
        return level
    ends = np.flatnonzero(np.append((values[1:] != values[:-1]) | (owner[1:] != owner[:-1]), True))
    sizes = np.diff(ends, prepend=-1)
    found: Floats = np.repeat(level[ends], sizes)
    return found


def _shifted(values: Floats, pair: Pairing) -> Floats:
    """Each value's predecessor within its batch, 0 before the first."""
    moved = np.concatenate([[0.0], values[:-1]])[: values.size]
    moved[pair.batches.offsets[:-1][np.diff(pair.batches.offsets) > 0]] = 0.0
    return moved


def _beyond(pair: Pairing, sums: tuple[Integers, Integers, Integers | Floats], place: Integers) -> Floats:
    """The part of the sum above the last value of each batch, where its distribution function is 1."""
    found, n = np.zeros(len(pair.batches)), pair.reference.finite
    held = np.flatnonzero(np.diff(pair.batches.offsets))
    rows, first, second = (each[-1] - each[place[pair.batches.offsets[held + 1] - 1]] for each in sums)
    found[held] = second / n**2 - 2 * first / n + rows
    return found
