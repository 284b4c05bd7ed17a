"""How well a score ranks: the ROC AUC and how sure it is.

The AUC is a mean of placements: of a positive row, the share of negatives ranked below it, and the other way round.
The spread of the placements gives DeLong's variance without comparing pairs (DeLong, DeLong and Clarke-Pearson 1988;
by sorting, as Sun and Xu 2014).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def placements(score: Array, hit: npt.NDArray[np.bool_]) -> tuple[float, Array]:
    """The AUC of one score, and each row's deviation, whose squares add up to DeLong's variance.

    Examples
    --------
    >>> auc, deviations = placements(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    >>> auc, round(float((deviations**2).sum()), 4)
    (0.75, 0.125)
    """
    high, low = np.sort(score[hit]), np.sort(score[~hit])
    deviations = np.empty(score.size)
    below = (np.searchsorted(low, score[hit], "left") + np.searchsorted(low, score[hit], "right")) / (2 * low.size)
    above = 1 - (np.searchsorted(high, score[~hit], "left") + np.searchsorted(high, score[~hit], "right")) / (
        2 * high.size
    )
    auc = float(below.mean())
    # the spread of a single row is unknown: take the largest it can be
    deviations[hit] = (below - auc) / math.sqrt(high.size * (high.size - 1)) if high.size > 1 else 0.5
    deviations[~hit] = (above - auc) / math.sqrt(low.size * (low.size - 1)) if low.size > 1 else 0.5
    return auc, deviations
