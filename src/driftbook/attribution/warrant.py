"""Which conditions of a segment the data call for, and which only cut off a corner by luck.

A search among thousands of candidates likes to add a condition that leaves out a tenth of the rows which happened to
move less. So each condition is put to the test: the rows it leaves out, which meet all others, must differ from those
it keeps, in how much they changed (``within``) or in how much more frequent they became (``frequency``), and by more
than the luckiest of so many candidates would. The least warranted condition is dropped, and the rest asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from driftbook.attribution.coding import CodedColumn, Floats
from driftbook.attribution.conditions import Condition, Mask
from driftbook.attribution.weights import Weights

Change = Literal["within", "frequency"]
LUCK = 4.5  # standard errors: the luckiest of some ten thousand candidates stays below


def keep_warranted(
    conditions: Sequence[Condition], columns: Mapping[str, CodedColumn], weights: Weights, *, change: Change
) -> tuple[Condition, ...]:
    """The conditions that are called for; none if not even one is.

    Parameters
    ----------
    columns
        In bins, all that the conditions speak of.
    weights
        Of each row, as in the search.
    """
    kept = list(conditions)
    sides = [
        {each: each.holds(getattr(columns[each.column], side)) for each in conditions}
        for side in ("reference", "current")
    ]
    while kept:
        surprises = [_surprise(each, kept, sides, weights, change=change) for each in kept]
        least = int(np.argmin(surprises))
        if surprises[least] >= LUCK:
            break
        del kept[least]
    return tuple(kept)


def _surprise(
    condition: Condition,
    conditions: Sequence[Condition],
    sides: Sequence[Mapping[Condition, Mask]],
    weights: Weights,
    *,
    change: Change,
) -> float:
    """By how many standard errors the rows a condition keeps differ from those it leaves out."""
    others = [each for each in conditions if each != condition]
    inside, outside = [], []
    for masks in sides:
        rest = np.logical_and.reduce([masks[each] for each in others]) if others else np.ones_like(masks[condition])
        inside.append(rest & masks[condition])
        outside.append(rest & ~masks[condition])
    if change == "frequency":
        counts = [float(mask.sum()) + 0.5 for mask in (*inside, *outside)]
        growth = np.log(counts[1] / counts[0]) - np.log(counts[3] / counts[2])
        return float(abs(growth) / np.sqrt(sum(1 / count for count in counts)))
    kept, left = _step(weights, inside), _step(weights, outside)
    if left is None or kept is None:
        return 0.0
    return float((kept[0] - left[0]) / np.sqrt(max(kept[1] + left[1], 1e-300)))


def _step(weights: Weights, masks: Sequence[Mask]) -> tuple[float, float] | None:
    """Change of the mean weight on some rows, and its variance; None where a side has none of them."""
    sides: list[Floats] = [weights.reference[masks[0]], weights.current[masks[1]]]
    if min(side.size for side in sides) < 2:
        return None
    return float(sides[1].mean() - sides[0].mean()), float(sum(side.var() / side.size for side in sides))
