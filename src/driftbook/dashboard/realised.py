"""How good decisions were, from sums of rows: the figures of ``model.metrics`` without the rows themselves.

A day table holds how many rows of a day were decided so and turned out so. All figures of a decision follow from such
counts, with the same intervals; so a year of hours costs no more than its days. Figures of a score come from a hundred
bins of it: the area under a curve is then off by less than what rows of one bin could be ranked among themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from driftbook.figures.curves import Curve
from driftbook.model.metrics import PERFORMANCE_SCHEMA, Z, wilson

METRICS = ("accuracy", "precision", "recall", "f1", "brier")
SCORE_BINS = 100
GROUPS = 10  # of rows with about the same score
SHARES_SCHEMA = {"rows": pl.Int64(), "share": pl.Float64(), "low": pl.Float64(), "high": pl.Float64()}
Array = npt.NDArray[np.float64]
Line = tuple[str, str, float, float | None, float | None, int]


def realised(outcomes: pl.DataFrame, *, classes: Sequence[str], positive: str | None) -> pl.DataFrame:
    """:data:`METRICS` of each batch.

    Parameters
    ----------
    outcomes
        ``batch_id, prediction, target, rows, brier_sum``; several rows may speak of the same.
    classes, positive
        As in :func:`driftbook.model.metrics.measure`.

    Returns
    -------
    ``batch_id, metric, value, low, high, rows``; a figure that cannot be measured is left out, the Brier score has no
    interval, for that its sums are not enough.

    Examples
    --------
    >>> day = {"batch_id": ["a"] * 2, "prediction": ["yes"] * 2, "target": ["yes", "no"], "rows": [8, 2]}
    >>> found = realised(pl.DataFrame(day | {"brier_sum": [0.5, 0.5]}), classes=["no", "yes"], positive="yes")
    >>> found.filter(metric="precision").select("value", "rows").row(0)
    (0.8, 10)
    """
    lines: list[Line] = []
    for batch in outcomes.sort("batch_id").partition_by("batch_id", maintain_order=True):
        counts, batch_id = confusion(batch, classes), str(batch["batch_id"][0])
        rows = int(counts.sum())
        accuracy = wilson(float(counts.diagonal().sum()), rows)
        figures = {"accuracy": (accuracy.value, accuracy.low, accuracy.high), **_rates(counts, classes, positive)}
        lines += [(batch_id, name, *figure, rows) for name, figure in figures.items()]
        if rows:
            lines.append((batch_id, "brier", float(batch["brier_sum"].sum()) / rows, None, None, rows))
    frame = pl.DataFrame(lines, schema=PERFORMANCE_SCHEMA, orient="row")
    return frame.filter(pl.col("value").is_finite())


def confusion(outcomes: pl.DataFrame, classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Rows per target (down) and decided class (across); the last line holds targets outside the classes.

    Examples
    --------
    >>> rows = pl.DataFrame({"prediction": ["a", "b"], "target": ["a", "?"], "rows": [3, 1]})
    >>> confusion(rows, ["a", "b"]).tolist()
    [[3, 0], [0, 0], [0, 1]]
    """
    places = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(places) + 1, len(places)), dtype=np.int64)
    for target, prediction, rows in outcomes.select("target", "prediction", "rows").iter_rows():
        counts[places.get(target, len(places)), places[prediction]] += rows
    return counts


def ranking(scores: pl.DataFrame) -> tuple[Curve | None, Curve | None]:
    """ROC and precision–recall curve; the interval of the area is DeLong's.

    Parameters
    ----------
    scores
        ``score_bin, positive, rows``.

    Examples
    --------
    >>> rows = {"score_bin": [90, 90, 10, 10], "positive": [True, False, True, False], "rows": [8, 2, 2, 8]}
    >>> roc, precision_recall = ranking(pl.DataFrame(rows))
    >>> round(roc.area, 3), round(precision_recall.area, 3), precision_recall.without
    (0.8, 0.74, 0.5)
    """
    hits, misses = _by_bin(scores)
    positives, negatives = hits.sum(), misses.sum()
    if not positives or not negatives:
        return None, None
    occupied = np.flatnonzero(hits + misses)[::-1]  # the highest score first
    return _roc(hits[occupied], misses[occupied]), _precision_recall(hits[occupied], misses[occupied])


def calibration(scores: pl.DataFrame) -> pl.DataFrame:
    """Rows in :data:`GROUPS` by their score: mean score, and the share that came true with its interval.

    Examples
    --------
    >>> rows = {"score_bin": [12, 17, 17], "positive": [False, True, False], "rows": [5, 1, 4]}
    >>> calibration(pl.DataFrame(rows)).select("predicted", "observed", "rows").row(0)
    (0.15, 0.1, 10)
    """
    hits, misses = _by_bin(scores)
    middle = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
    lines = []
    for begin, end in pairwise(range(0, SCORE_BINS + 1, SCORE_BINS // GROUPS)):
        rows = (hits + misses)[begin:end]
        if total := int(rows.sum()):
            share = wilson(float(hits[begin:end].sum()), total)
            mean = round(float((rows * middle[begin:end]).sum() / total), 12)
            lines.append((mean, share.value, share.low, share.high, total))
    schema = {**dict.fromkeys(("predicted", "observed", "low", "high"), pl.Float64()), "rows": pl.Int64()}
    return pl.DataFrame(lines, schema=schema, orient="row")


def right_by_value(segments: pl.DataFrame) -> pl.DataFrame:
    """How often decisions were right for each value of a column, the most frequent first.

    Parameters
    ----------
    segments
        ``value, rows, correct``.

    Examples
    --------
    >>> rows = pl.DataFrame({"value": ["a", "b", "a"], "rows": [4, 2, 4], "correct": [3, 2, 3]})
    >>> right_by_value(rows).select("value", "rows", "share").rows()
    [('a', 8, 0.75), ('b', 2, 1.0)]
    """
    summed = segments.group_by("value").agg(pl.col("rows", "correct").sum()).filter(pl.col("rows") > 0)
    lines = []
    for value, rows, correct in summed.sort("rows", "value", descending=[True, False]).iter_rows():
        share = wilson(correct, rows)
        lines.append((value, rows, share.value, share.low, share.high))
    return pl.DataFrame(lines, schema={"value": pl.String(), **SHARES_SCHEMA}, orient="row")


def _by_bin(scores: pl.DataFrame) -> tuple[Array, Array]:
    """Rows that came true and rows that did not, bin by bin; a score of one belongs to the last bin."""
    counts = np.zeros((2, SCORE_BINS))
    for place, positive, rows in scores.group_by("score_bin", "positive").agg(pl.col("rows").sum()).iter_rows():
        counts[int(positive), min(place, SCORE_BINS - 1)] += rows
    return counts[1], counts[0]


def _roc(hits: Array, misses: Array) -> Curve:
    """From the bins with the highest score on; an area of one has no spread to take an interval from."""
    found, wrong = np.cumsum(hits), np.cumsum(misses)
    positives, negatives = found[-1], wrong[-1]
    ranked = (found - hits / 2) / positives  # of the negatives of a bin: the share of positives above
    passed = 1 - (wrong - misses / 2) / negatives  # of its positives: the share of negatives below
    area = float((misses * ranked).sum() / negatives)
    points = [(0.0, 0.0), *zip((wrong / negatives).tolist(), (found / positives).tolist(), strict=True)]
    if min(positives, negatives) < 2 or area == 1:
        return Curve(points, area)
    spread = (misses * (ranked - area) ** 2).sum() / (negatives * (negatives - 1))
    spread += (hits * (passed - area) ** 2).sum() / (positives * (positives - 1))
    return Curve(points, area, interval=_interval(area, float(np.sqrt(spread)))[1:])


def _precision_recall(hits: Array, misses: Array) -> Curve:
    """In steps: between two bins there is no threshold; the area is the average precision."""
    found, decided = np.cumsum(hits), np.cumsum(hits + misses)
    precision, recall = found / decided, found / found[-1]
    before = np.concatenate([[0.0], recall[:-1]])
    ends = zip(before.tolist(), recall.tolist(), precision.tolist(), strict=True)
    steps = [point for begin, end, height in ends for point in ((begin, height), (end, height))]
    return Curve(steps, float(((recall - before) * precision).sum()), without=float(found[-1] / decided[-1]))


def _rates(
    counts: npt.NDArray[np.int64], classes: Sequence[str], positive: str | None
) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F1 with intervals: of the positive class, else the mean over the classes that occur.

    The interval of a mean and of F1 is that of a smooth function of counts: influences of rows, squared and summed.
    """
    number = len(classes)
    true, found, right = (
        each.astype(np.float64) for each in (counts[:number].sum(1), counts.sum(0), counts.diagonal())
    )
    occurring = np.flatnonzero(true + found) if positive is None else np.array([list(classes).index(positive)])
    if not occurring.size:
        return {}
    figures = {}
    for name, sizes in (("precision", found), ("recall", true)):
        if positive is not None:
            share = wilson(right[occurring[0]], sizes[occurring[0]])
            figures[name] = (share.value, share.low, share.high)
            continue
        measured = occurring[sizes[occurring] > 0]
        shares = right[measured] / sizes[measured]
        error = np.sqrt((shares * (1 - shares) / sizes[measured]).sum()) / occurring.size
        figures[name] = _interval(float(shares.sum() / occurring.size), float(error))
    if (true + found)[occurring].all():
        figures["f1"] = _f1(counts.astype(np.float64), true + found, right, occurring)
    return figures


def _f1(counts: Array, sizes: Array, right: Array, occurring: npt.NDArray[np.intp]) -> tuple[float, float, float]:
    number = sizes.size
    shares, slope = np.zeros(number), np.zeros(number)
    shares[occurring] = 2 * right[occurring] / sizes[occurring]
    slope[occurring] = shares[occurring] / sizes[occurring]
    gain = np.zeros(number)
    gain[occurring] = 2 / sizes[occurring]
    influence = -np.concatenate([slope, [0.0]])[:, None] - slope[None, :] + np.eye(number + 1, number) * gain
    error = float(np.sqrt((counts * influence**2).sum())) / occurring.size
    return _interval(float(shares[occurring].mean()), error)


def _interval(value: float, error: float) -> tuple[float, float, float]:
    return value, max(0.0, value - Z * error), min(1.0, value + Z * error)
