"""Methods on one share of the rows: missing, zero, out of range, below the smallest so far, unseen.

A half of the values gone, or an outlier far beyond the range, hardly moves a distribution function; so what is
counted here is tested with equal rank. Statistic and drift score are the difference of the shares; the p-value is
Fisher's exact one, doubled. Cohen's arcsine difference, squared, follows a chi-square law of one degree.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np

from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.contract import Method, Scale
from driftbook.drift.null_laws import ChiSquare, NullLaw
from driftbook.drift.profile import Booleans, ColumnProfile, Floats, Integers


class ShareChange(Method):
    """Change of the share of rows that have some property."""

    has_p_value = True

    @abstractmethod
    def held(self, column: ColumnProfile) -> int:
        """Rows of the reference that have it."""

    @abstractmethod
    def held_by(self, pair: Pairing) -> Integers:
        """Rows of each batch that have it."""

    def scale(self, pair: Pairing) -> Scale:
        """See :class:`Method`."""
        share = self.held(pair.reference) / max(pair.reference.rows, 1)
        falls = self.held_by(pair) / np.maximum(pair.batches.rows, 1) < share
        return Scale(pair.reference.rows, pair.batches.rows, share, falls)

    def statistics(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        share = self.held(pair.reference) / max(pair.reference.rows, 1)
        found = np.abs(self.held_by(pair) / np.maximum(pair.batches.rows, 1) - share)
        return np.where((pair.batches.rows > 0) & (pair.reference.rows > 0), found, np.nan)

    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        return statistics

    def p_values(self, statistics: Floats, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        from scipy import stats

        n, own, found = pair.reference.rows, self.held(pair.reference), self.held_by(pair)
        law = (n + pair.batches.rows, own + found, pair.batches.rows)
        upper, lower = stats.hypergeom.sf(found - 1, *law), stats.hypergeom.cdf(found, *law)
        return np.where(np.isnan(statistics), np.nan, np.minimum(1.0, 2 * np.minimum(upper, lower)))

    def null_amounts(self, pair: Pairing) -> Floats:
        """See :class:`Method`."""
        n, m = pair.reference.rows, pair.batches.rows
        part, others = self.part_and_rest(pair)
        rest = np.maximum(n - m, 1)
        angles = 2 * (np.arcsin(np.sqrt(part / np.maximum(m, 1))) - np.arcsin(np.sqrt(others / rest)))
        return np.where((m > 0) & (m < n), angles**2 * (n - m) * m / max(n, 1), np.nan)

    def part_and_rest(self, pair: Pairing) -> tuple[Integers, Integers]:
        """Rows that have it, of each part of the reference and of the rest of it, both judged by the rest."""
        part = self.held_by(pair)
        return part, self.held(pair.reference) - part

    def law(self, reference: ColumnProfile) -> NullLaw:
        """See :class:`Method`."""
        return ChiSquare(degrees=1)

    def amounts(self, statistics: Floats, scale: Scale) -> Floats:
        """See :class:`Method`."""
        share = np.clip(scale.share + np.where(falling(scale), -statistics, statistics), 0.0, 1.0)
        angles = 2 * (np.arcsin(np.sqrt(share)) - np.arcsin(np.sqrt(scale.share)))
        found: Floats = angles**2 * scale.weight()
        return found

    def statistics_at(self, amounts: Floats, scale: Scale) -> Floats:
        """See :class:`Method`."""
        turn = np.sqrt(amounts / scale.weight()) / 2
        angle = np.arcsin(np.sqrt(scale.share)) + np.where(falling(scale), -turn, turn)
        found: Floats = np.abs(np.sin(np.clip(angle, 0.0, np.pi / 2)) ** 2 - scale.share)
        return found

    def largest(self, scale: Scale) -> Floats:
        """A threshold that no share reaches is simply never passed."""
        return np.full(scale.m.size, np.inf)


class MissingShare(ShareChange):
    """Share of rows without a value (null or NaN)."""

    def held(self, column: ColumnProfile) -> int:
        """See :class:`ShareChange`."""
        return column.missing

    def held_by(self, pair: Pairing) -> Integers:
        """See :class:`ShareChange`."""
        return pair.batches.missing


class ZeroShare(ShareChange):
    """Share of rows that are exactly zero: the sensor that went dead, the default that somebody put in."""

    kinds = ("numeric",)

    def held(self, column: ColumnProfile) -> int:
        """See :class:`ShareChange`."""
        zero = np.zeros(1)
        return int((column.rank(zero) - column.rank(zero, side="left"))[0])

    def held_by(self, pair: Pairing) -> Integers:
        """See :class:`ShareChange`."""
        return _counted(pair.batches, pair.batches.values == 0)


class NewMinimumShare(ShareChange):
    """Share of rows below the smallest value of the reference."""

    kinds = ("numeric",)

    def held(self, column: ColumnProfile) -> int:
        """See :class:`ShareChange`."""
        return 0

    def held_by(self, pair: Pairing) -> Integers:
        """See :class:`ShareChange`."""
        if not pair.reference.finite:
            return np.zeros(len(pair.batches), dtype=np.int64)
        return _counted(pair.batches, self._outside(pair.batches.values, pair.reference.values))

    def part_and_rest(self, pair: Pairing) -> tuple[Integers, Integers]:
        """See :class:`ShareChange`; no row of the rest lies beyond its own range."""
        beyond = np.array([self._beyond_rest(pair, number) for number in range(len(pair.batches))], dtype=np.int64)
        return beyond, np.zeros_like(beyond)

    def _beyond_rest(self, pair: Pairing, number: int) -> int:
        return _below_rest(pair.batches.batch(number), pair.reference)

    def _outside(self, values: Floats, reference: Floats) -> Booleans:
        outside: Booleans = values < reference[0]
        return outside


class OutOfRangeShare(NewMinimumShare):
    """Share of rows below the smallest or above the largest value of the reference, or infinite."""

    def held(self, column: ColumnProfile) -> int:
        """See :class:`ShareChange`."""
        return column.infinite

    def held_by(self, pair: Pairing) -> Integers:
        """See :class:`ShareChange`."""
        return super().held_by(pair) + pair.batches.infinite

    def part_and_rest(self, pair: Pairing) -> tuple[Integers, Integers]:
        """See :class:`ShareChange`."""
        beyond, _ = super().part_and_rest(pair)
        return beyond + pair.batches.infinite, pair.reference.infinite - pair.batches.infinite

    def _beyond_rest(self, pair: Pairing, number: int) -> int:
        part, whole = pair.batches.batch(number), pair.reference
        turned = replace(whole, values=-whole.values[::-1], upto=None) if whole.upto is None else whole
        return _below_rest(part, whole) + _below_rest(-part[::-1], turned)

    def _outside(self, values: Floats, reference: Floats) -> Booleans:
        outside: Booleans = (values < reference[0]) | (values > reference[-1])
        return outside


class UnseenShare(ShareChange):
    """Share of rows with a category that the reference does not have."""

    kinds = ("categorical",)

    def held(self, column: ColumnProfile) -> int:
        """See :class:`ShareChange`."""
        return 0

    def held_by(self, pair: Pairing) -> Integers:
        """See :class:`ShareChange`."""
        return pair.counts[:, -2]

    def part_and_rest(self, pair: Pairing) -> tuple[Integers, Integers]:
        """See :class:`ShareChange`; the rest has not seen what only the part holds."""
        counts, own = pair.counts[:, :-2], pair.reference.own_counts[:-2]
        alone = np.where(counts == own, counts, 0).sum(axis=1)
        return alone, np.zeros_like(alone)


def falling(scale: Scale) -> Booleans:
    """Where the share is less than in the reference."""
    return np.zeros(scale.m.size, dtype=np.bool_) if scale.falls is None else scale.falls


def _below_rest(part: Floats, whole: ColumnProfile) -> int:
    """Values of a part that lie below all the rest of the whole; 0 where each value is held by many rows."""
    if whole.upto is not None or not part.size:
        return 0
    same = part == whole.values[: part.size]
    first = int(part.size if same.all() else same.argmin())
    return int(part.searchsorted(whole.values[first])) if first < whole.values.size else part.size


def _counted(batches: Batches, flags: Booleans) -> Integers:
    """Rows of each batch whose value is flagged."""
    weights = None if not flags.size else np.where(flags, batches.stop - batches.start, 0)
    return np.bincount(batches.owner, weights=weights, minlength=len(batches)).astype(np.int64)
