"""One column in many batches at once, and its pairing with the reference.

Numpy costs a microsecond a call; a year of hourly batches on 80 columns is 700,000 comparisons. So the batches of a
column lie one after another in one array, each sorted, and what the methods share (ranks in the reference, rows per
bin) is computed once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from driftbook.drift.column_values import as_numbers, as_text
from driftbook.drift.profile import ColumnProfile, Floats, Integers, Kind, column_profile, finite_values

FEWEST_TO_ORDER = 8  # batches; the values of fewer are nearly in order as they lie
MOST_TO_COUNT = 2_000  # rows of a batch up to which counting all values costs less than a search per batch


def _none() -> Integers:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Batches:
    """A column in ``k`` batches; batch ``i`` holds ``values[offsets[i]:offsets[i + 1]]``, ascending.

    ``upto``, where given, are the rows of the batch up to and including each value (each value then stands once).
    Of categories only what occurs is kept: ``held[j]`` rows of label ``labels[place[j]]`` in batch ``part[j]``.
    """

    kind: Kind
    rows: Integers
    missing: Integers
    infinite: Integers
    values: Floats
    offsets: Integers
    upto: Integers | None = None
    labels: tuple[str, ...] = ()
    part: Integers = field(default_factory=_none)
    place: Integers = field(default_factory=_none)
    held: Integers = field(default_factory=_none)

    def __len__(self) -> int:
        return self.rows.size

    @cached_property
    def finite(self) -> Integers:
        """Rows with a finite value, per batch."""
        return self.rows - self.missing - self.infinite

    @cached_property
    def owner(self) -> Integers:
        """The batch of each value."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def stop(self) -> Integers:
        """Rows of the batch up to and including each value, ties in order of place."""
        if self.upto is not None:
            return self.upto
        return np.arange(1, self.values.size + 1) - self.offsets[:-1][self.owner]

    @cached_property
    def start(self) -> Integers:
        """Rows of the batch before each value, ties in order of place."""
        if self.upto is None:
            return self.stop - 1
        before = np.concatenate([[0], self.upto[:-1]])
        before[self.offsets[:-1][np.diff(self.offsets) > 0]] = 0
        return before

    def batch(self, number: int) -> Floats:
        """Values of one batch."""
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    def profile(self, number: int) -> ColumnProfile:
        """One batch as a profile of its own."""
        upto = None if self.upto is None else self.upto[self.offsets[number] : self.offsets[number + 1]]
        rows, missing, infinite = (int(each[number]) for each in (self.rows, self.missing, self.infinite))
        cells = np.flatnonzero(self.part == number)
        pairs = zip(self.place[cells].tolist(), self.held[cells].tolist(), strict=True)
        categories = dict(sorted((self.labels[place], rows) for place, rows in pairs))
        return ColumnProfile(self.kind, rows, missing, infinite, self.batch(number), upto, categories)

    def known(self) -> Batches:
        """Without missing rows: a target or prediction that is not there yet is no value of its own."""
        return replace(self, rows=self.rows - self.missing, missing=np.zeros_like(self.missing))

    @classmethod
    def of(cls, profiles: Sequence[ColumnProfile]) -> Batches:
        """Profiles of one column, one batch each."""
        kind = profiles[0].kind if profiles else "numeric"
        rows, missing, infinite = (
            np.array([getattr(each, name) for each in profiles], dtype=np.int64)
            for name in ("rows", "missing", "infinite")
        )
        sizes = np.array([each.values.size for each in profiles], dtype=np.int64)
        parts = [each.values for each in profiles] or [np.empty(0)]
        values = np.concatenate(parts) if len(parts) > 1 else parts[0]
        upto = None
        if any(each.upto is not None for each in profiles):
            counts = (np.arange(1, each.values.size + 1) if each.upto is None else each.upto for each in profiles)
            upto = np.concatenate(list(counts)).astype(np.int64)
        labels = tuple(sorted({label for each in profiles for label in each.categories}))
        places = {label: place for place, label in enumerate(labels)}
        cells = [
            (number, places[label], rows_held)
            for number, each in enumerate(profiles)
            for label, rows_held in each.categories.items()
        ]
        part, place, held = np.array(cells, dtype=np.int64).reshape(-1, 3).T
        return cls(kind, rows, missing, infinite, values, _offsets(sizes), upto, labels, part, place, held)


def stack_batches(series: pl.Series, offsets: Integers, *, kind: Kind) -> Batches:
    """The slices ``offsets[i]:offsets[i + 1]`` of a column, each profiled: the batches of a stream, or chunks.

    Raises
    ------
    DriftError
        If the column holds neither numbers nor categories.

    Examples
    --------
    >>> stack = stack_batches(pl.Series([2, 1, 3]), np.array([0, 2, 3]), kind="numeric")
    >>> stack.values.tolist(), stack.rows.tolist()
    ([1.0, 2.0, 3.0], [2, 1])
    """
    if kind == "categorical":
        return _categorical(as_text(series), offsets)
    if offsets.size == 2:
        return Batches.of([column_profile(series.slice(int(offsets[0]), int(offsets[1] - offsets[0])), kind=kind)])
    return _numeric(as_numbers(series), offsets)


def _numeric(numbers: Floats, offsets: Integers) -> Batches:
    rows = np.diff(offsets)
    values = finite_values(numbers)
    missing, infinite, starts = np.zeros_like(rows), np.zeros_like(rows), offsets
    if values.size < numbers.size:
        running = np.concatenate([[0], np.cumsum(np.isfinite(numbers))])
        absent = np.concatenate([[0], np.cumsum(np.isnan(numbers))])
        starts, missing = running[offsets], np.diff(absent[offsets])
        infinite = rows - missing - np.diff(starts)
    same = rows.size > 1 and bool((np.diff(starts) == starts[1] - starts[0]).all()) and starts[-1] > 0
    if same:
        values = np.sort(values[starts[0] : starts[-1]].reshape(rows.size, -1), axis=1).ravel()
    else:
        values = values[starts[0] : starts[-1]].copy()
        for first, last in zip((starts - starts[0])[:-1], (starts - starts[0])[1:], strict=True):
            values[first:last].sort()
    return Batches("numeric", rows, missing, infinite, values, (starts - starts[0]).astype(np.int64))


def _categorical(text: pl.Series, offsets: Integers) -> Batches:
    rows = np.diff(offsets)
    missing, nothing = np.zeros_like(rows), np.zeros_like(rows)
    first, last = (int(offsets[0]), int(offsets[-1])) if rows.size else (0, 0)
    label = text.slice(first, last - first).alias("label")
    if rows.size <= 1:
        counts = label.value_counts(name="held").select(pl.lit(0).alias("part"), "label", "held")
    else:
        part = pl.Series("part", np.repeat(np.arange(rows.size), rows))
        counts = pl.DataFrame([part, label]).group_by("part", "label").agg(held=pl.len())
    absent = counts.filter(pl.col("label").is_null())
    missing[absent["part"].to_numpy()] = absent["held"].to_numpy()
    counts = counts.filter(pl.col("label").is_not_null()).sort("part", "label")
    labels = counts["label"].unique().sort()
    place = labels.search_sorted(counts["label"]) if len(labels) else np.empty(0)
    cells = [np.asarray(each, dtype=np.int64) for each in (counts["part"], place, counts["held"])]
    empty = np.zeros(rows.size + 1, dtype=np.int64)
    return Batches(
        "categorical", rows, missing, nothing, np.empty(0), empty, None, tuple(labels.to_list()), *cells
    )  # fmt: skip


def _offsets(sizes: Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Pairing:
    """A reference column and the same column in many batches, with what the methods share."""

    reference: ColumnProfile
    batches: Batches

    @cached_property
    def right(self) -> Integers:
        """Rows of the reference up to each value of the batches."""
        return self.rows_before(self._places)

    @cached_property
    def left(self) -> Integers:
        """Rows of the reference below each value of the batches: as many as up to it, but for tied values."""
        known, values = self.reference.values, self.batches.values
        places = self._places.copy()
        tied = np.flatnonzero(places)
        tied = tied[known[places[tied] - 1] == values[tied]]
        places[tied] = known.searchsorted(values[tied], side="left")
        return self.rows_before(places)

    @cached_property
    def _places(self) -> Integers:
        """Where each value of the batches belongs in the reference; searches in ascending order are faster."""
        known, values = self.reference.values, self.batches.values
        if len(self.batches) < FEWEST_TO_ORDER:
            return known.searchsorted(values, side="right")
        order, places = np.argsort(values), np.empty(values.size, dtype=np.int64)
        places[order] = known.searchsorted(values[order], side="right")
        return places

    def rows_before(self, places: Integers) -> Integers:
        """Rows of the reference that lie before its value at each place."""
        upto = self.reference.upto
        if upto is None:
            return places
        rows: Integers = np.concatenate([[0], upto])[places]
        return rows

    @cached_property
    def counts(self) -> Integers:
        """Rows of each batch per bin of the reference, shape (k, bins); see :meth:`ColumnProfile.counts`."""
        reference, batches = self.reference, self.batches
        if reference.kind == "numeric":
            return self._numeric_counts()
        bins = {label: place for place, label in enumerate(reference.categories)}
        bin_of = np.array([bins.get(label, len(bins)) for label in batches.labels], dtype=np.int64)
        counts = np.zeros((len(batches), len(bins) + 2), dtype=np.int64)
        np.add.at(counts, (batches.part, bin_of[batches.place]), batches.held)
        counts[:, -1] = batches.missing
        return counts

    def _numeric_counts(self) -> Integers:
        """One by one where batches are large, for they are sorted; all values at once where batches are many."""
        reference, batches = self.reference, self.batches
        if batches.values.size > MOST_TO_COUNT * len(batches):
            return np.array([reference.counts(batches.profile(place)) for place in range(len(batches))], dtype=np.int64)
        bins = reference.edges.size + 1
        place = batches.owner * bins + reference.edges.searchsorted(batches.values, side="left")
        weights = None if batches.upto is None else batches.stop - batches.start
        inside = np.bincount(place, weights=weights, minlength=bins * len(batches)).astype(np.int64)
        return np.column_stack([inside.reshape(-1, bins), batches.infinite, batches.missing])

    def largest(self, values: Floats) -> Floats:
        """The largest of ``values`` (one per value of the batches) within each batch; NaN where there is none."""
        found = np.full(len(self.batches), np.nan)
        held = np.flatnonzero(np.diff(self.batches.offsets))
        if held.size:
            found[held] = np.maximum.reduceat(values, self.batches.offsets[held])
        return found

    def total(self, values: Floats) -> Floats:
        """The sum of ``values`` within each batch; NaN where there is none."""
        found = np.full(len(self.batches), np.nan)
        held = np.flatnonzero(np.diff(self.batches.offsets))
        if held.size:
            found[held] = np.add.reduceat(values, self.batches.offsets[held])
        return found
