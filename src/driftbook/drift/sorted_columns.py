"""Exact two-sample distances of sorted columns, by binary search instead of a merge.

The Kolmogorov–Smirnov distance is attained at a point of either sample, so the points of the smaller one suffice:
a batch of 2,400 against a reference of a million costs 2,400 searches, and many batches are searched in one call.
Where both are large, bounds on the cells of a coarse grid rule out nearly all points (branch and bound). All give the
digits of scipy.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from driftbook.drift.batches import Pairing
from driftbook.drift.profile import ColumnProfile, Floats, Integers, running_sums

BOTH_LARGE = 30_000
EXACT_ROWS = 10_000  # up to here scipy's ks_2samp counts paths exactly
CELLS_AT_ONCE = 256
ROUNDING = 1e-13  # an average below is what differences of running sums leave of nothing
MOST_SQUARED = 2_000_000  # rows whose squared ranks add up within int64
FEW_TO_MANY = 8  # up to this ratio of sizes, merging quantile grids costs less than searching


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
    reference, batches = pair.reference, pair.batches
    n, sizes = reference.finite, batches.finite
    if not n:
        return np.full(len(batches), np.nan)
    if len(batches) and _is_large(pair):
        each = (ks_distance(reference, batches.profile(number)) for number in range(len(batches)))
        found = np.array([distance if size else np.nan for distance, size in zip(each, sizes, strict=True)])
        return _on_steps(found, n, sizes)
    m = sizes[batches.owner]
    # of tied points the last one gives the largest difference above, the first one below
    above, below = pair.largest(batches.stop / m - pair.right / n), pair.largest(pair.left / n - batches.start / m)
    largest = np.maximum(np.maximum(above, below), np.where(sizes > 0, 0.0, np.nan))
    return _on_steps(largest, n, sizes)


def ks_distance(first: ColumnProfile, second: ColumnProfile) -> float:
    """The same of two columns, both of them large or not; 0 if one has no values."""
    if not (first.finite and second.finite):
        return 0.0
    few, many = (first, second) if first.values.size <= second.values.size else (second, first)
    if few.values.size > BOTH_LARGE and few.upto is None and many.upto is None:
        return _ks_by_bounds(many.values, few.values)
    n, m = few.finite, many.finite
    difference = few.rank(few.values) / n - many.rank(few.values) / m
    below = many.rank(few.values, side="left") / m - few.rank(few.values, side="left") / n
    return float(max(difference.max(), below.max(), 0.0))


def _on_steps(distances: Floats, n: int, sizes: Integers) -> Floats:
    """Differences of small samples as the nearest of the values they can take, as scipy has them."""
    steps = np.lcm(n, np.maximum(sizes, 1))
    return np.where(np.maximum(sizes, n) <= EXACT_ROWS, np.round(distances * steps) / steps, distances)


def wasserstein_distances(pair: Pairing) -> Floats:
    """Area between the two distribution functions (Wasserstein-1) for each batch, exact; NaN without values.

    Each of the current values stands for an equal slice of probability; the integral of its distance to the
    reference's quantiles over that slice follows from the reference's running sums. Columns of similar size are
    compared quantile by quantile.

    Examples
    --------
    >>> from driftbook.drift.batches import Batches
    >>> import polars as pl
    >>> from driftbook.drift.profile import column_profile
    >>> before, after = (column_profile(pl.Series(each), kind="numeric") for each in ([0.0, 1.0, 3.0], [5.0, 6.0, 8.0]))
    >>> wasserstein_distances(Pairing(before, Batches.of([after]))).tolist()
    [5.0]
    """
    reference, batches = pair.reference, pair.batches
    n, sizes = reference.finite, batches.finite
    if not n:
        return np.full(len(batches), np.nan)
    if reference.upto is None and batches.upto is None and bool((sizes * FEW_TO_MANY > n).all()):
        parts = (batches.batch(number) for number in range(len(batches)))
        return np.array([_by_quantiles(reference.values, part) if part.size else np.nan for part in parts])
    scale = n / sizes[batches.owner]
    start, stop = batches.start * scale, batches.stop * scale
    meet = np.clip(pair.right.astype(np.float64), start, stop)
    centred = batches.values - reference.mean
    at_start, at_meet, at_stop = (_integral(reference, at) for at in (start, meet, stop))
    area = centred * (meet - start) - (at_meet - at_start) + (at_stop - at_meet) - centred * (stop - meet)
    return np.maximum(pair.total(area) / n, 0.0)


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
    return rows, first, running_sums(weights * ranks.astype(np.float64) ** 2)


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


def _integral(reference: ColumnProfile, at: Floats) -> Floats:
    """Integral of the centred quantile function, in units of rows, from 0 to ``at``."""
    most = reference.values.size - 1
    if reference.upto is None:
        place = np.minimum(at.astype(np.int64), most + 1)
        rest = at - place
    else:
        place = reference.upto.searchsorted(at, side="right")
        rest = at - np.concatenate([[0], reference.upto])[place]
    result: Floats = reference.centred_sums[place] + rest * (reference.values[np.minimum(place, most)] - reference.mean)
    return result


def _by_quantiles(first: Floats, second: Floats) -> float:
    if first.size == second.size:
        difference = first - second
        return float(np.abs(difference, out=difference).mean())
    places, others, shares = _merged_quantiles(first.size, second.size)
    difference = first[places]
    difference -= second[others]
    return float(np.abs(difference, out=difference) @ shares)


@lru_cache(maxsize=2)
def _merged_quantiles(n: int, m: int) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
    """Steps of two quantile functions merged: the place in either sample and the width, the same for every column."""
    divisor = math.gcd(n, m)
    steps = np.concatenate([np.arange(1, n + 1) * (m // divisor), np.arange(1, m + 1) * (n // divisor)])
    steps.sort(kind="stable")
    steps = steps[np.append(True, steps[1:] != steps[:-1])]
    widths = np.diff(steps, prepend=0) / (n // divisor * m)
    inside = steps - 1
    return (inside // (m // divisor)).astype(np.int32), (inside // (n // divisor)).astype(np.int32), widths


def _is_large(pair: Pairing) -> bool:
    few = pair.batches.values.size / len(pair.batches)
    return min(pair.reference.values.size, few) > BOTH_LARGE or pair.reference.values.size < few


def _ks_by_bounds(first: Floats, second: Floats) -> float:
    """Branch and bound: only cells of the grid whose bound beats the best difference so far are looked into."""
    n, m = first.size, second.size
    grid = np.unique(np.concatenate([_spread(first), _spread(second)]))
    at_first, at_second = first.searchsorted(grid, side="right"), second.searchsorted(grid, side="right")
    best = _largest(at_first, at_second, n, m)
    low_first, low_second = at_first[:-1], at_second[:-1]
    top_first = first.searchsorted(grid[1:], side="left")
    top_second = second.searchsorted(grid[1:], side="left")
    bound = np.maximum(top_first / n - low_second / m, top_second / m - low_first / n)
    live = np.flatnonzero((bound > best) & ((top_first > low_first) | (top_second > low_second)))
    live = live[np.argsort(-bound[live], kind="stable")]
    for begin in range(0, live.size, CELLS_AT_ONCE):
        cells = live[begin : begin + CELLS_AT_ONCE]
        if bound[cells[0]] <= best:
            break
        inside = [first[low_first[cell] : top_first[cell]] for cell in cells]
        inside += [second[low_second[cell] : top_second[cell]] for cell in cells]
        points = np.sort(np.concatenate(inside))
        counts = first.searchsorted(points, side="right"), second.searchsorted(points, side="right")
        best = max(best, _largest(*counts, n, m))
    return best


def _spread(values: Floats) -> Floats:
    places = np.linspace(0, values.size - 1, min(int(6 * np.sqrt(values.size)), values.size)).astype(np.int64)
    spread: Floats = values[places]
    return spread


def _largest(at_first: Integers | NDArray[np.intp], at_second: Integers | NDArray[np.intp], n: int, m: int) -> float:
    difference = at_first / n - at_second / m
    return float(max(difference.max(), -difference.min(), 0.0))
