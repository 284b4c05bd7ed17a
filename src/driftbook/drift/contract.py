"""The contract of a drift method: a reference column and the same column in many batches in, one measure each out.

``statistic`` is the method's customary number, ``drift_score`` the same on a scale from 0 (alike) to 1 (as different
as can be), ``p_value`` where the method has one. An *amount* scales the statistic by the sample sizes so that, when
nothing drifted, it follows the method's ``law`` whatever the sizes; thresholds are set there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.null_laws import NullLaw
from driftbook.drift.profile import Booleans, ColumnProfile, Floats, Integers, Kind
from driftbook.errors import DriftError


@dataclass(frozen=True)
class Measure:
    """What a method says about one column of one batch."""

    statistic: float
    p_value: float | None
    drift_score: float


def _nothing() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Scale:
    """What turns statistics into amounts: rows of the reference and of each batch, shape (k,).

    ``share`` and ``falls``, of methods on one share: what it is in the reference, and where a batch has less.
    ``expected`` and ``unit``, of methods on whole batches: what their statistic usually is, what chance does to it.
    """

    n: int
    m: Integers
    share: float = 0.0
    falls: Booleans | None = None
    expected: Floats = field(default_factory=_nothing)
    unit: Floats = field(default_factory=_nothing)

    def weight(self, *, most_rows: int | None = None) -> Floats:
        """``n m / (n + m)``, with batches of at most so many rows."""
        m = self.m.astype(np.float64) if most_rows is None else np.minimum(self.m, most_rows).astype(np.float64)
        found: Floats = self.n * m / np.maximum(self.n + m, 1)
        return found


class Limited(ABC):
    """What limits are set on: statistics and the amounts that go with them, one entry per batch."""

    has_p_value = False

    @abstractmethod
    def amounts(self, statistics: Floats, scale: Scale) -> Floats:
        """Statistics on the scale of the law."""

    @abstractmethod
    def statistics_at(self, amounts: Floats, scale: Scale) -> Floats:
        """The statistics that have these amounts."""

    @abstractmethod
    def largest(self, scale: Scale) -> Floats:
        """No statistic is larger, whatever happened."""


class Method(Limited):
    """The contract of a drift method; arrays have one entry per batch, NaN where it cannot tell."""

    kinds: tuple[Kind, ...] = ("numeric", "categorical")
    calibrates = True  # whether limits can be learned from the reference

    def scale(self, pair: Pairing) -> Scale:
        """Rows of both that the method looks at."""
        return Scale(pair.reference.rows, pair.batches.rows)

    @abstractmethod
    def statistics(self, pair: Pairing) -> Floats:
        """The customary numbers."""

    @abstractmethod
    def scores(self, statistics: Floats, pair: Pairing) -> Floats:
        """The same from 0 to 1."""

    def p_values(self, statistics: Floats, pair: Pairing) -> Floats:
        """P-values, if the method has them."""
        return np.full(statistics.size, np.nan)

    @abstractmethod
    def null_amounts(self, pair: Pairing) -> Floats:
        """Amounts of parts of the reference, as batches, each against the rest of it."""

    @abstractmethod
    def law(self, reference: ColumnProfile) -> NullLaw:
        """Law of the amount when nothing drifted and rows are independent."""

    def why(self, pair: Pairing, number: int) -> str:
        """Why a statistic is NaN."""
        for name, rows in (("reference", pair.reference.rows), ("batch", pair.batches.rows[number])):
            if not rows:
                return f"the {name} has no rows"
        return "the values cannot be compared"

    def measure(self, reference: ColumnProfile, current: ColumnProfile) -> Measure:
        """Compare two profiles.

        Raises
        ------
        DriftError
            If there is nothing to compare.
        """
        pair = Pairing(reference, Batches.of([current]))
        statistics = self.statistics(pair)
        if np.isnan(statistics[0]):
            raise DriftError(self.why(pair, 0))
        p_value = float(self.p_values(statistics, pair)[0]) if self.has_p_value else None
        return Measure(float(statistics[0]), p_value, float(self.scores(statistics, pair)[0]))
