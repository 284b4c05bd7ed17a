"""The tests people know for two models on the same rows: McNemar, DeLong, the bootstrap by day, two separate arms.

They are shown beside the decision and never decide, for two reasons. Each holds for *one* look, planned beforehand;
looked at daily, an equal challenger would sooner or later seem better (``tests/simulations``). And all but the
bootstrap count rows as independent, while rows of a day move together. The confidence sequence of
``decisions.sequential`` has neither fault; these are for those who want to see their own yardstick beside it.

A difference is challenger minus champion, positive where the challenger is better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from driftbook.errors import DataError
from driftbook.model.metrics import Z, wilson
from driftbook.model.ranking import placements

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
LEVEL = 0.95
REPLICATIONS = 2_000
# fewer days than these say too little about how much days differ: rows are resampled instead
LEAST_DAYS = 8
# where rows are resampled they are dealt at random to so many groups: as good as single rows, and much faster
ROW_GROUPS = 200


@dataclass(frozen=True)
class Paired:
    """A difference with its 95 % interval and p-value; None where there is none or it cannot be told."""

    difference: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


NOTHING = Paired(None)


@dataclass(frozen=True)
class Clusters:
    """What a bootstrap draws together: ``code`` per row, ``count`` of them, ``by`` day or, with few days, by row."""

    code: Codes
    count: int
    by: str


def mcnemar(wins: int, losses: int, *, rows: int) -> Paired:
    """Whether two models are right on equally many rows; exact (McNemar 1947, as a binomial test).

    Only rows on which one is right and the other wrong tell. The interval of the difference of the two accuracies is
    Agresti and Min's (2005), which adds half a row to each cell.

    Parameters
    ----------
    wins, losses
        Rows that only the challenger, and that only the champion got right.
    rows
        All rows that both decided.

    Raises
    ------
    DataError
        If there are fewer rows than wins and losses.

    Examples
    --------
    >>> found = mcnemar(9, 1, rows=100)
    >>> found.difference, round(found.p_value, 6)
    (0.08, 0.021484)
    """
    if min(wins, losses) < 0 or wins + losses > rows:
        raise DataError(
            f"expected wins and losses among {rows:,} rows, found {wins:,} and {losses:,}; count each row once"
        )
    if not rows:
        return NOTHING
    from scipy.stats import binomtest

    p_value = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    more = rows + 2
    middle = (wins - losses) / more
    error = math.sqrt(wins + losses + 1 - (wins - losses) ** 2 / more) / more
    difference = (wins - losses) / rows
    return Paired(difference, max(-1.0, middle - Z * error), min(1.0, middle + Z * error), p_value)


def delong(truth: Codes, champion: Array, challenger: Array, *, chosen: int | None) -> Paired:
    """Whether two models rank equally well: difference of their ROC AUC (DeLong, DeLong and Clarke-Pearson 1988).

    By sorting, as Sun and Xu (2014). With more than two classes each is set against the rest and the mean over the
    classes that occur is taken; a row's part in that mean is the mean of its parts, so the variance stays exact.

    Parameters
    ----------
    truth
        Place of the true class per row, shape (rows,); -1 for a class that neither model knows.
    champion, challenger
        Probabilities, shape (rows, classes).
    chosen
        The class to rank by; ``None`` takes the mean over all.

    Returns
    -------
    No difference where no class has two rows within and two without; no interval where one ranks without a single
    fault and the other without a single merit, for then nothing is left to estimate an error from.

    Examples
    --------
    >>> truth = np.array([0, 0, 1, 1, 0, 1])
    >>> first = np.array([0.1, 0.6, 0.4, 0.8, 0.7, 0.9])
    >>> second = np.array([0.1, 0.3, 0.5, 0.8, 0.6, 0.9])
    >>> found = delong(truth, np.c_[1 - first, first], np.c_[1 - second, second], chosen=1)
    >>> round(found.difference, 4), round(found.p_value, 3)
    (0.1111, 0.48)
    """
    _check_shapes(truth, champion, challenger)
    classes = _ranked_classes(truth, champion.shape[1], chosen)
    if not classes:
        return NOTHING
    difference, parts = 0.0, np.zeros(truth.size)
    for each in classes:
        hit = truth == each
        before, before_parts = placements(champion[:, each], hit)
        after, after_parts = placements(challenger[:, each], hit)
        difference += (after - before) / len(classes)
        parts += (after_parts - before_parts) / len(classes)
    error = math.sqrt(float((parts**2).sum()))
    if error == 0.0:
        return Paired(difference, *((0.0, 0.0, 1.0) if difference == 0.0 else (None, None, None)))
    p_value = math.erfc(abs(difference) / error / math.sqrt(2))
    return Paired(difference, difference - Z * error, difference + Z * error, p_value)


def two_arms(hits: tuple[int, int], rows: tuple[int, int]) -> Paired:
    """Two models that answered different rows, champion first: difference of their shares of right answers.

    Newcombe's interval (1998, method 10), made of the Wilson intervals of the two; p-value of the pooled z test.

    Examples
    --------
    >>> found = two_arms((48, 56), (80, 70))
    >>> round(found.difference, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    if any(not 0 <= hit <= count for hit, count in zip(hits, rows, strict=True)):
        raise DataError(f"expected right answers among the rows of each arm, found {hits} among {rows}")
    if not all(rows):
        return NOTHING
    first, second = (wilson(hit, count) for hit, count in zip(hits, rows, strict=True))
    difference = second.value - first.value
    low = difference - math.hypot(second.value - second.low, first.high - first.value)
    high = difference + math.hypot(second.high - second.value, first.value - first.low)
    pooled = sum(hits) / sum(rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows[0] + 1 / rows[1]))
    return Paired(difference, low, high, math.erfc(abs(difference) / error / math.sqrt(2)) if error else 1.0)


def clusters_of(days: Codes, *, seed: int) -> Clusters:
    """What to resample: days, for their rows move together; rows where there are fewer than :data:`LEAST_DAYS`.

    Parameters
    ----------
    days
        Number of the day per row, shape (rows,), from 0 without gaps.

    Examples
    --------
    >>> clusters_of(np.arange(20) // 2, seed=1).by, clusters_of(np.arange(20) // 10, seed=1).by
    ('day', 'row')
    """
    count = int(days.max(initial=-1)) + 1
    if count >= LEAST_DAYS:
        return Clusters(days, count, "day")
    groups = min(days.size, ROW_GROUPS)
    dealt = np.random.default_rng(seed).permutation(days.size) % max(groups, 1)
    return Clusters(dealt.astype(np.int64), groups, "row")


def bootstrap_mean(differences: Array, clusters: Clusters, *, seed: int) -> Paired:
    """Mean of a row's differences, with an interval from resampling clusters (Efron and Tibshirani 1993).

    Percentiles, widened for the number of days as Hesterberg (2015) proposes, since few days look too much alike.

    Parameters
    ----------
    differences
        Shape (rows,); positive where the challenger is better.

    Examples
    --------
    >>> days = np.repeat(np.arange(10), 50)
    >>> found = bootstrap_mean(np.where(np.arange(500) % 5 == 0, 1.0, 0.0), clusters_of(days, seed=1), seed=1)
    >>> found
    Paired(difference=0.2, low=0.2, high=0.2, p_value=None)
    """
    if clusters.count < 2:
        return NOTHING if not differences.size else Paired(float(differences.mean()))
    weights = _draws(clusters, seed)
    sizes = np.bincount(clusters.code, minlength=clusters.count)
    sums = np.bincount(clusters.code, weights=differences, minlength=clusters.count)
    low, high = _percentiles((weights @ sums) / (weights @ sizes), clusters)
    return Paired(float(differences.mean()), low, high)


def bootstrap_auc(
    truth: Codes, champion: Array, challenger: Array, clusters: Clusters, *, chosen: int | None, seed: int
) -> Paired:
    """Difference of the ROC AUC with an interval from resampling clusters; parameters as in :func:`delong`.

    Pairs of rows are counted once per pair of clusters, so that a replication is a product of small matrices.

    Examples
    --------
    >>> truth = np.tile([0, 1], 100)
    >>> score = np.tile([0.4, 0.6], 100)[:, None]
    >>> table = np.hstack([1 - score, score])
    >>> bootstrap_auc(truth, 1 - table, table, clusters_of(np.arange(200) // 20, seed=1), chosen=1, seed=1)
    Paired(difference=1.0, low=1.0, high=1.0, p_value=None)
    """
    _check_shapes(truth, champion, challenger)
    classes = _ranked_classes(truth, champion.shape[1], chosen)
    if not classes or clusters.count < 2:
        return NOTHING
    weights = _draws(clusters, seed)
    total, counted = np.zeros(1 + REPLICATIONS), np.zeros(1 + REPLICATIONS)
    for each in classes:
        hit = truth == each
        before, after = (_auc(table[:, each], hit, clusters, weights) for table in (champion, challenger))
        told = np.isfinite(before)
        total += np.where(told, after - before, 0.0)
        counted += told
    means = total[counted > 0] / counted[counted > 0]
    low, high = _percentiles(means[1:], clusters)
    return Paired(float(means[0]), low, high)


def _auc(score: Array, hit: npt.NDArray[np.bool_], clusters: Clusters, weights: Array) -> Array:
    """AUC of all rows, then of each replication; NaN where a replication has one class only."""
    concordant = np.zeros((clusters.count, clusters.count))
    above, above_code = score[hit], clusters.code[hit]
    order = np.argsort(above, kind="stable")
    above, above_code = above[order], above_code[order]
    for other in range(clusters.count):
        below = np.sort(score[~hit & (clusters.code == other)])
        passed = (np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")) / 2
        concordant[:, other] = np.bincount(above_code, weights=passed, minlength=clusters.count)
    sizes = [np.bincount(clusters.code[side], minlength=clusters.count) for side in (hit, ~hit)]
    every = np.vstack([np.ones(clusters.count), weights])
    pairs = (every @ sizes[0]) * (every @ sizes[1])
    counted = ((every @ concordant) * every).sum(axis=1)
    found: Array = np.divide(counted, pairs, out=np.full(pairs.size, np.nan), where=pairs > 0)
    return found


def _draws(clusters: Clusters, seed: int) -> Array:
    """How often each cluster is drawn, shape (replications, clusters)."""
    even = np.full(clusters.count, 1 / clusters.count)
    return np.random.default_rng(seed).multinomial(clusters.count, even, size=REPLICATIONS).astype(np.float64)


def _percentiles(values: Array, clusters: Clusters) -> tuple[float, float]:
    """The interval's ends; for days at the level that Student's t and their number ask for."""
    from scipy.special import ndtr, stdtrit

    tail = (1 - LEVEL) / 2
    if clusters.by == "day":
        freedom = clusters.count - 1
        tail = float(ndtr(math.sqrt(clusters.count / freedom) * stdtrit(freedom, tail)))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _ranked_classes(truth: Codes, count: int, chosen: int | None) -> list[int]:
    """The classes to rank by that have two rows within and two without: of one row nobody knows the spread."""
    wanted = range(count) if chosen is None else [chosen]
    return [each for each in wanted if 1 < int((truth == each).sum()) < truth.size - 1]


def _check_shapes(truth: Codes, champion: Array, challenger: Array) -> None:
    if champion.shape != challenger.shape or champion.shape[0] != truth.size:
        raise DataError(
            f"expected probabilities of both models for {truth.size:,} rows and the same classes, "
            f"found shapes {champion.shape} and {challenger.shape}"
        )
