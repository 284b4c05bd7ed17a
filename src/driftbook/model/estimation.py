"""Performance without targets: what calibrated probabilities promise about themselves.

If a model says 0.8 and its probabilities may be taken at their word, it is right in 80 of 100 such rows: the mean
of the decided class's probability is the expected accuracy. This sees covariate drift into regions where the model
is unsure. It cannot see a change of the relation to the target, because then the probabilities themselves are
wrong: only targets show that. The interval covers the luck of the batch's rows, not an error of calibration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from driftbook.errors import ModelError
from driftbook.model.metrics import (
    NOTHING,
    Array,
    Estimate,
    Z,
    matrix_of,
    performance_frame,
    performance_lines,
)

ESTIMATED = ("accuracy", "roc_auc", "log_loss")


def estimate_performance(predictions: pl.DataFrame, *, classes: Sequence[str], positive: str | None) -> pl.DataFrame:
    """Expected accuracy, ROC AUC (binary) and log loss of every batch.

    Parameters
    ----------
    predictions
        batch_id and probabilities, of one model version.
    classes, positive
        As in :func:`driftbook.model.metrics.performance_by_batch`.

    Returns
    -------
    The same long frame as of realised performance: batch_id, metric, value, low, high, rows.

    Examples
    --------
    >>> rows = pl.DataFrame({"batch_id": ["a", "a"], "probabilities": [[0.1, 0.9], [0.7, 0.3]]})
    >>> estimate_performance(rows, classes=["no", "yes"], positive="yes").filter(metric="accuracy")["value"][0]
    0.8
    """
    if "version" in predictions.columns and predictions["version"].n_unique() > 1:
        raise ModelError("expected predictions of one model version, found several; filter them first")
    lines = []
    batches = predictions.sort("batch_id", maintain_order=True).partition_by("batch_id", maintain_order=True)
    for batch in batches:
        table = matrix_of(batch["probabilities"], classes=len(classes))
        figures = {"accuracy": expected_accuracy(table)}
        if positive is not None:
            figures["roc_auc"] = expected_auc(table[:, list(classes).index(positive)])
        figures["log_loss"] = expected_log_loss(table)
        lines.extend(performance_lines(batch["batch_id"][0], figures, rows=batch.height))
    return performance_frame(lines)


def expected_accuracy(probabilities: Array) -> Estimate:
    """Mean probability of the decided class."""
    best = probabilities.max(axis=1)
    error = math.sqrt(float((best * (1 - best)).sum())) / best.size
    value = float(best.mean())
    return Estimate(value, max(0.0, value - Z * error), min(1.0, value + Z * error))


def expected_log_loss(probabilities: Array) -> Estimate:
    """Mean entropy of the probabilities, in nats."""
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = np.where(probabilities > 0, -np.log(probabilities), 0.0)
    entropy = (probabilities * surprise).sum(axis=1)
    spread = (probabilities * surprise**2).sum(axis=1) - entropy**2
    value = float(entropy.mean())
    error = math.sqrt(max(0.0, float(spread.sum()))) / entropy.size
    return Estimate(value, max(0.0, value - Z * error), value + Z * error)


def expected_auc(scores: Array) -> Estimate:
    """Expected share of (positive, negative) pairs in the right order, ties half; no row is paired with itself.

    Examples
    --------
    >>> expected_auc(np.array([0.0, 1.0])).value
    1.0
    >>> round(expected_auc(np.array([0.4, 0.4, 0.4])).value, 12)
    0.5
    """
    values, place = np.unique(scores, return_inverse=True)
    positives = np.bincount(place, weights=scores)
    negatives = np.bincount(place, weights=1 - scores)
    total = scores.sum() * (1 - scores).sum() - float((scores * (1 - scores)).sum())
    if values.size == 0 or total <= 1e-12 * scores.size:
        return NOTHING
    own = scores * (1 - scores)
    below = (np.cumsum(negatives) - 0.5 * negatives)[place]
    above = (positives.sum() - np.cumsum(positives) + 0.5 * positives)[place]
    value = float((scores * below - 0.5 * own).sum() / total)
    # DeLong's error with each row counted as positive and negative by its probability
    spread = (scores * (below / negatives.sum() - value) ** 2).sum() / positives.sum() ** 2
    spread += ((1 - scores) * (above / positives.sum() - value) ** 2).sum() / negatives.sum() ** 2
    error = math.sqrt(float(spread))
    return Estimate(value, max(0.0, value - Z * error), min(1.0, value + Z * error))
