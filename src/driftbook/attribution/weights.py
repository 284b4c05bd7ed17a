"""How much each row speaks for "current": what the search for segments splits among rows.

Bins see every kind of change, but not evenly: the same step shows more among rows that lie close together. Where a
column's mean moved, its values themselves are the better weights: then a segment's share is its share of the change
of the mean, as a sentence like "18 % higher" says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from driftbook.attribution.coding import CodedColumn, Floats

BEYOND = 2.0  # times the chance shift: less cannot be located
REACH = 5.0  # standard deviations of the reference, to which values are clipped


@dataclass(frozen=True, eq=False)
class Weights:
    """One weight per row of both sides; the shift is the difference of their means.

    ``chance`` is the shift that two samples of the same rows would show.
    """

    reference: Floats
    current: Floats
    chance: float = 0.0

    @property
    def spread(self) -> float:
        """Standard deviation of the reference's weights."""
        return float(self.reference.std()) if self.reference.size else 0.0

    @property
    def shift(self) -> float:
        """The mean over current rows less the mean over reference rows."""
        if not self.reference.size or not self.current.size:
            return 0.0
        return float(self.current.mean() - self.reference.mean())

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the shift is well above chance."""
        return self.shift > BEYOND * self.chance


def column_weights(columns: Sequence[CodedColumn]) -> Weights:
    """Weights of each row by its bins in one column, or summed over several."""
    used = sum(int(((each.before + each.after) > 0).sum()) - 1 for each in columns)
    rows = [max(side.size, 1) for side in (columns[0].reference, columns[0].current)]
    return Weights(
        np.sum([each.weights[each.reference] for each in columns], axis=0),
        np.sum([each.weights[each.current] for each in columns], axis=0),
        chance=used * (1 / rows[0] + 1 / rows[1]) / 2,
    )


def value_weights(reference: Floats, current: Floats) -> Weights | None:
    """Weights by the values of a numeric column; None where the reference is constant or the mean did not move.

    Outliers are clipped, missing values weigh what the reference's mean does, and the sign is that of the change.

    Examples
    --------
    >>> found = value_weights(np.array([1.0, 3.0] * 50), np.array([1.0, 2.0] * 50))
    >>> found.current[:2].tolist(), found.shift, found.is_beyond_chance
    ([1.0, -0.0], 0.5, True)
    """
    known = reference[np.isfinite(reference)]
    if not known.size or not current.size:
        return None
    with np.errstate(all="ignore"):
        centre, spread = float(known.mean()), float(known.std())
        if not np.isfinite(spread) or spread <= 0:
            return None
        low, high = centre - REACH * spread, centre + REACH * spread
        sides = [np.clip(np.where(np.isnan(side), centre, side), low, high) - centre for side in (reference, current)]
    step = float(sides[1].mean() - sides[0].mean())
    if step == 0:
        return None
    sign = np.sign(step)
    chance = spread * float(np.sqrt(1 / reference.size + 1 / current.size))
    return Weights(sign * sides[0], sign * sides[1], chance=chance)
