"""The A/B view: what a split of the traffic between champion and challenger shows, and what shadow scoring saves.

Where a service answered some rows by the challenger, the two arms are compared as an A/B test compares them: each
model on its own rows. Where answered split the traffic, the view says what a split would have shown of the same
difference. Either way it tells how many times as many rows such a test needs as both models on every row do: two arms
differ by the luck of their rows too, and the smaller arm has few of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftbook.decisions.paired_tests import Codes, Paired, two_arms
from driftbook.model.metrics import Z

Truths = np.ndarray[Any, np.dtype[np.bool_]]
# the customary share of the traffic that a challenger gets
CHALLENGER_SHARE = 0.1
CHAMPION, CHALLENGER, NOBODY = 0, 1, -1


@dataclass(frozen=True)
class Split:
    """Two arms. ``routed``: traffic was split; otherwise the numbers are what a split would have given on average.

    ``rows`` and ``accuracy`` hold champion and challenger; ``times`` is how many times as many rows two arms need for
    an interval as narrow as that of both models on every row, None where these never disagree.
    """

    routed: bool
    rows: tuple[int, int]
    accuracy: tuple[float, float]
    result: Paired
    times: float | None


def split_view(champion: Truths, challenger: Truths, *, role: Codes | None = None) -> Split | None:
    """The A/B view of rows that both models decided.

    Parameters
    ----------
    champion, challenger
        Whether each decided rightly, shape (rows,).
    role
        Who answered: :data:`CHAMPION`, :data:`CHALLENGER`, or :data:`NOBODY` for a row that neither answered; ``None``
        where traffic was not split. An arm without rows is no split either.

    Returns
    -------
    Nothing at all where there are no rows.

    Examples
    --------
    >>> champion = np.tile([True, True, False, True], 100)
    >>> challenger = np.tile([True, True, True, True], 100)
    >>> found = split_view(champion, challenger)
    >>> found.rows, round(found.result.difference, 2), round(found.times, 1)
    ((360, 40), 0.25, 1.1)
    >>> split_view(champion, challenger, role=np.arange(400) % 4 // 3).rows
    (300, 100)
    """
    if not champion.size:
        return None
    hits, differing = (int(champion.sum()), int(challenger.sum())), int((champion != challenger).sum())
    answered = np.full(champion.size, NOBODY) if role is None else role
    arms = champion[answered == CHAMPION], challenger[answered == CHALLENGER]
    if not all(arm.size for arm in arms):
        return expected_split(champion.size, hits=hits, differing=differing)
    won, rows = (int(arms[0].sum()), int(arms[1].sum())), (arms[0].size, arms[1].size)
    both = (hits[0] / champion.size, hits[1] / champion.size)
    times = _times(both, differing / champion.size, rows[1] / sum(rows))
    return Split(True, rows, (won[0] / rows[0], won[1] / rows[1]), two_arms(won, rows), times)


def expected_split(rows: int, *, hits: tuple[int, int], differing: int) -> Split:
    """What a split by :data:`CHALLENGER_SHARE` would have shown on average of rows that both models decided.

    Parameters
    ----------
    hits
        Right decisions of champion and challenger.
    differing
        Rows that one of them decided rightly and the other did not.

    Examples
    --------
    >>> found = expected_split(400, hits=(300, 400), differing=100)
    >>> found.rows, found.result.difference, round(found.times, 1)
    ((360, 40), 0.25, 1.1)
    """
    small = round(rows * CHALLENGER_SHARE)
    accuracy = (hits[0] / rows, hits[1] / rows)
    difference = accuracy[1] - accuracy[0]
    error = math.sqrt(_arms_variance(accuracy, CHALLENGER_SHARE) / rows)
    result = Paired(difference, max(-1.0, difference - Z * error), min(1.0, difference + Z * error))
    times = _times(accuracy, differing / rows, CHALLENGER_SHARE)
    return Split(False, (rows - small, small), accuracy, result, times)


def _times(accuracy: tuple[float, float], differing: float, share: float) -> float | None:
    """Variance of the difference from two arms over that from every row twice, at the same number of rows."""
    paired = differing - (accuracy[1] - accuracy[0]) ** 2
    return _arms_variance(accuracy, share) / paired if paired > 0 else None


def _arms_variance(accuracy: tuple[float, float], share: float) -> float:
    first, second = (value * (1 - value) for value in accuracy)
    return first / (1 - share) + second / share
