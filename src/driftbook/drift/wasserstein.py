"""Area between the distribution functions of sorted columns (Wasserstein-1), exact.

Seen by quantiles it is the mean distance of the two quantile functions, so that each value stands for an equal slice
of probability. Columns of similar size are walked through value by value. Of many rows against few, each of the few
is held against its slice of the many: nearly all slices lie wholly on one side of the value, where the sum of the
slice says all; the others are cut at the value. Sums of slices come from running sums that know what they lost to
rounding, and are the same for all batches of one size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftbook.drift.batches import Pairing
from driftbook.drift.profile import Booleans, ColumnProfile, Floats, Integers

FEW_TO_MANY = 8  # up to this ratio of sizes, walking through all values costs less than slices
BLOCK = 8_192  # values at a time: they stay in the processor's cache, and BLAS starts no threads of its own for so few


def wasserstein_distances(pair: Pairing) -> Floats:
    """Area between the two distribution functions for each batch; NaN without values.

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
    if not reference.finite or not batches.values.size:
        return np.full(len(batches), np.nan)
    if not _are_similar(pair):
        return np.maximum(pair.total(_areas_of_slices(pair)) / reference.finite, 0.0)
    first = _one_by_one(reference)
    parts = (_one_by_one(batches.profile(number)) for number in range(len(batches)))
    return np.array([_area_by_quantiles(first, part) if part.size else np.nan for part in parts])


def _are_similar(pair: Pairing) -> bool:
    """Whether all values may be walked through: not those of a profile that keeps each value once on both sides."""
    n, sizes = pair.reference.finite, pair.batches.finite
    whole = pair.reference.upto is None, pair.batches.upto is None
    fits = (sizes * FEW_TO_MANY > n).all()
    return bool(fits if all(whole) else any(whole) and fits and (sizes < n * FEW_TO_MANY).all())


def _one_by_one(column: ColumnProfile) -> Floats:
    """All values, also where each is kept once."""
    return column.values if column.weights is None else np.repeat(column.values, column.weights)


def _area_by_quantiles(many: Floats, few: Floats) -> float:
    """Mean distance of two quantile functions.

    The slice of probability of a value of the larger sample holds one value of the smaller, or parts of two. Their
    places follow from whole numbers at the start of each block, so that no error of rounding adds up.
    """
    if many.size < few.size:
        many, few = few, many
    n, m = many.size, few.size
    if n == m:
        return _area_of_equal_sizes(many, few)
    total, step = 0.0, m / n
    steps = np.arange(min(BLOCK, n)) * step
    for first in range(0, n, BLOCK):
        values = many[first : first + BLOCK]
        begin, rest = divmod(first * m, n)
        at = steps[: values.size] + rest / n
        place = at.astype(np.int64)
        over = np.maximum(at - place + (step - 1.0), 0.0)  # of the slice, what belongs to the next value
        part = few[begin : begin + int(place[-1]) + 2]
        here = np.abs(part.take(place, mode="clip") - values)
        beyond = np.abs(part.take(place + 1, mode="clip") - values)
        total += float(here.sum() * step + over @ (beyond - here))
    return total / m


def _area_of_equal_sizes(first: Floats, second: Floats) -> float:
    total, space = 0.0, np.empty(min(BLOCK, first.size))
    for begin in range(0, first.size, BLOCK):
        block = first[begin : begin + BLOCK]
        difference = np.subtract(block, second[begin : begin + BLOCK], out=space[: block.size])
        total += float(np.abs(difference, out=difference).sum())
    return total / first.size


@dataclass(frozen=True, eq=False)
class _Slices:
    """Parts of the reference's quantile function, of ``width`` rows from ``start`` on.

    ``low`` and ``high`` enclose their values, ``total`` is their integral, less the reference's mean.
    """

    start: _Places
    stop: _Places
    width: Floats
    low: Floats
    high: Floats
    total: Floats


@dataclass(frozen=True, eq=False)
class _Places:
    """Points on the scale of the reference's rows: whole rows and the share of the next one."""

    reference: ColumnProfile
    rows: Integers
    rest: Floats

    @property
    def held(self) -> Integers:
        """Place of the value held there."""
        upto = self.reference.upto
        places = self.rows if upto is None else upto.searchsorted(self.rows, side="right")
        return np.minimum(places, self.reference.values.size - 1)

    def up_to(self, other: _Places) -> Floats:
        """Integral of the centred quantile function from here to ``other``."""
        (before, lost_before), (after, lost_after) = self._sums(), other._sums()
        found: Floats = (after - before) + (lost_after - lost_before)
        return found

    def _sums(self) -> tuple[Floats, Floats]:
        """The running sum before the value held here, and the rest: its part up to here, what the sum lost."""
        reference, held = self.reference, self.held
        sums, lost = reference.centred_sums
        begin = held if reference.upto is None else np.concatenate([[0], reference.upto])[held]
        part = (self.rows - begin + self.rest) * (reference.values[held] - reference.mean)
        return sums[held], lost[held] + part

    def at(self, number: Integers | Booleans) -> _Places:
        """Some of the points."""
        return _Places(self.reference, self.rows[number], self.rest[number])


def _areas_of_slices(pair: Pairing) -> Floats:
    """For each value of the batches, the area between it and its slice of the reference, in rows."""
    slices, number = _slices(pair)
    values = pair.batches.values
    centred = values - pair.reference.mean
    areas = np.abs(centred * slices.width[number] - slices.total[number])
    cut = np.flatnonzero((slices.low[number] < values) & (values < slices.high[number]))
    if cut.size:
        areas[cut] = _cut_areas(pair.reference, slices, number[cut], values[cut])
    return areas


def _cut_areas(reference: ColumnProfile, slices: _Slices, number: Integers, values: Floats) -> Floats:
    """The same for values inside their slice, which is cut in two."""
    rows = reference.rank(values)
    start, stop = slices.start.at(number), slices.stop.at(number)
    ends_before = stop.rows < rows
    meet = _Places(reference, np.where(ends_before, stop.rows, rows), np.where(ends_before, stop.rest, 0.0))
    below = (meet.rows - start.rows) - start.rest + meet.rest
    above = slices.width[number] - below
    centred = values - reference.mean
    found: Floats = (centred * below - start.up_to(meet)) + (meet.up_to(stop) - centred * above)
    return found


def _slices(pair: Pairing) -> tuple[_Slices, Integers]:
    """Slices of the reference, and which of them each value of the batches stands for."""
    reference, batches = pair.reference, pair.batches
    if batches.upto is not None:
        sizes = batches.finite[batches.owner]
        return _cut_into(reference, batches.start, batches.stop, sizes), np.arange(batches.values.size)
    sizes, which = np.unique(batches.finite, return_inverse=True)
    begins = np.cumsum(sizes) - sizes
    first = np.concatenate([np.arange(each) for each in sizes])
    number = np.arange(batches.values.size) + (begins[which] - batches.offsets[:-1])[batches.owner]
    return _cut_into(reference, first, first + 1, np.repeat(sizes, sizes)), number


def _cut_into(reference: ColumnProfile, first: Integers, last: Integers, sizes: Integers) -> _Slices:
    """Slices for rows ``first`` to ``last`` of batches of such sizes."""
    n = reference.finite
    start, stop = (_Places(reference, each * n // sizes, each * n % sizes / sizes) for each in (first, last))
    low, high = (reference.values[each.held] for each in (start, stop))
    return _Slices(start, stop, (last - first) * (n / sizes), low, high, start.up_to(stop))
