"""Which rows to ask the truth about, when asking is dear and the estimate is in doubt.

A row whose decision is promised to be right with probability c tells, once its target is known, ``right - c``: what
the estimate of the accuracy was wrong by there. If the promise is about right its spread is ``sqrt(c (1 - c))``, and so
many labels say most when rows are drawn in proportion to it (Neyman 1934): the unsure ones. Yet where the promise is
wrong the sure rows are the ones that fool us, so a share is drawn evenly. Each row's probability of being drawn
is known and handed over, so that each label counts for the rows it stands for and the corrected figure is unbiased
whatever the probabilities are worth (the difference estimator, Särndal, Swensson & Wretman 1992; later
known as prediction-powered inference). Rows are drawn at even steps along the confidence, so that no region is
left out by luck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from driftbook.errors import ModelError
from driftbook.model.estimation import AS_STATED, decisions
from driftbook.model.isotonic import Array, Recalibration
from driftbook.model.metrics import NOTHING, Estimate, Z, matrix_of

EVEN_SHARE = 0.25


def rows_to_label(
    predictions: pl.DataFrame,
    count: int,
    *,
    seed: int,
    classes: Sequence[str],
    recalibration: Recalibration = AS_STATED,
) -> pl.DataFrame:
    """Draw the rows whose targets would tell most about the estimated accuracy.

    Parameters
    ----------
    predictions
        row_id, batch_id, prediction, probabilities of the rows without a target that one could ask about.
    count
        How many rows; all of them where there are no more.

    Returns
    -------
    row_id, batch_id, prediction, confidence (promised probability that it is right), inclusion (probability with
    which the row was drawn), weight (how many rows it stands for: one over it); the least sure first.

    Examples
    --------
    >>> rows = pl.DataFrame({"row_id": ["a", "b", "c"], "batch_id": ["1"] * 3, "prediction": ["yes", "yes", "no"]})
    >>> rows = rows.with_columns(probabilities=pl.Series([[0.45, 0.55], [0.0, 1.0], [1.0, 0.0]]))
    >>> drawn = rows_to_label(rows, 2, seed=1, classes=["no", "yes"])
    >>> drawn["row_id"][0], drawn["inclusion"].to_list()
    ('a', [1.0, 0.5])
    """
    if count < 0:
        raise ModelError(f"expected a number of rows to label, found {count}; ask for one or more")
    confidence = _confidence(predictions, classes=classes, recalibration=recalibration)
    inclusion = _inclusion(np.sqrt(confidence * (1 - confidence)), count)
    places = _draw(confidence, inclusion, np.random.default_rng(seed))
    found = predictions.select("row_id", "batch_id", "prediction").with_columns(
        confidence=confidence, inclusion=inclusion, weight=1 / np.where(inclusion > 0, inclusion, np.nan)
    )
    return found[places].sort("confidence", "row_id")


def corrected_accuracy(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    classes: Sequence[str],
    recalibration: Recalibration = AS_STATED,
) -> Estimate:
    """The estimated accuracy of all rows, put right by the labels of the drawn ones.

    Parameters
    ----------
    predictions
        The rows that :func:`rows_to_label` drew from, all of them.
    labels
        What it drew, with ``target``; a row that nobody answered may not be left out (it would bias the figure).
    """
    if predictions.is_empty():
        return NOTHING
    confidence = _confidence(predictions, classes=classes, recalibration=recalibration)
    known = predictions.select("row_id", confidence=confidence).join(
        labels.select("row_id", "prediction", "target", "inclusion"), on="row_id"
    )
    if known["target"].null_count():
        raise ModelError(
            f"expected a target for each of the {known.height} rows drawn, found {known['target'].null_count()} "
            "without one; wait for them, or draw again among the rows that can be known"
        )
    inclusion = known["inclusion"].to_numpy()
    surprise = (known["prediction"] == known["target"]).cast(pl.Float64).to_numpy() - known["confidence"].to_numpy()
    value = float(confidence.mean() + (surprise / inclusion).sum() / predictions.height)
    error = math.sqrt(float(((1 - inclusion) * (surprise / inclusion) ** 2).sum())) / predictions.height
    return Estimate(min(max(value, 0.0), 1.0), max(0.0, value - Z * error), min(1.0, value + Z * error))


def _confidence(predictions: pl.DataFrame, *, classes: Sequence[str], recalibration: Recalibration) -> Array:
    stated = matrix_of(predictions["probabilities"], classes=len(classes))
    promised = recalibration.probabilities(stated)
    return np.asarray((promised * decisions(predictions, stated, classes=classes)).sum(axis=1))


def _inclusion(spread: Array, count: int) -> Array:
    """Probabilities of being drawn that add up to ``count``: in proportion to the spread, a share of them evenly."""
    if count >= spread.size:
        return np.ones(spread.size)
    total = float(spread.sum())
    by_spread = spread / total if total > 0 else np.full(spread.size, 1 / spread.size)
    size = EVEN_SHARE / spread.size + (1 - EVEN_SHARE) * by_spread
    certain = np.zeros(spread.size, dtype=bool)
    while True:
        left = count - int(certain.sum())
        share = np.where(certain, 1.0, left * size / size[~certain].sum())
        if not (over := (share > 1.0) & ~certain).any():
            return np.minimum(share, 1.0)
        certain |= over


def _draw(confidence: Array, inclusion: Array, random: np.random.Generator) -> np.ndarray:
    """One row for each whole number that the running sum of probabilities passes, from a random start."""
    order = np.lexsort((random.random(confidence.size), confidence))
    passed = np.floor(np.cumsum(inclusion[order]) + random.random() + 1e-9)
    return order[np.diff(passed, prepend=0.0) > 0] if order.size else order
