"""The contract of a drift method: two profiles of a column in, one measure out.

``statistic`` is the method's customary number, ``drift_score`` the same on a scale from 0 (alike) to 1 (as different
as can be), ``p_value`` where the method has one. ``amount`` scales the statistic by the sample sizes so that, when
nothing drifted, it follows the method's ``law`` whatever the sizes; thresholds are set there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from driftbook.drift.null_laws import NullLaw
from driftbook.drift.profile import ColumnProfile, Kind


@dataclass(frozen=True)
class Measure:
    """What a method says about one column of one batch."""

    statistic: float
    p_value: float | None
    drift_score: float


class Method(Protocol):
    """The contract of a drift method."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of columns it can measure."""
        ...

    @property
    def has_p_value(self) -> bool:
        """Whether its measures have a p-value."""
        ...

    def sizes(self, reference: ColumnProfile, current: ColumnProfile) -> tuple[int, int]:
        """Rows of both that the method looks at."""
        ...

    def largest(self, n: int, m: int) -> float:
        """No statistic of ``n`` and ``m`` rows is larger, whatever happened."""
        ...

    def measure(self, reference: ColumnProfile, current: ColumnProfile) -> Measure:
        """Compare two profiles; ``DriftError`` where there is nothing to compare."""
        ...

    def left_out(self, reference: ColumnProfile, part: ColumnProfile) -> float:
        """The statistic of a part of the reference against the rest of it."""
        ...

    def law(self, reference: ColumnProfile) -> NullLaw:
        """Law of the amount when nothing drifted and rows are independent."""
        ...

    def amount(self, statistic: float, *, weight: float) -> float:
        """The statistic on the scale of the law; ``weight`` is ``n m / (n + m)``."""
        ...

    def statistic_at(self, amount: float, *, weight: float) -> float:
        """The statistic that has this amount."""
        ...
