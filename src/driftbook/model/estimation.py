"""Performance without targets: what calibrated probabilities promise about themselves.

Confidence-based performance estimation (CBPE, as NannyML defines it): where a row is the positive class with
probability p, it counts p times as a positive and 1 - p times as a negative, and every figure is that of the counts so
expected. This sees covariate drift into regions where the model is unsure. It cannot see a change of the relation
to the target, because then the probabilities themselves are wrong: only targets show that, and
:mod:`driftbook.model.trust` withdraws the figures when they do.

The interval is of the figure that the batch's own targets will show: it covers their luck, the luck of the reference
that the probabilities were put right by, and how much days differed there. Every figure is smooth in the targets, so
one rule serves all: the variance of a row's class times the squared influence of that class on the figure. The map
flatters a little (the sum of its steps above any threshold is never below the hits there); the figure itself stays as
CBPE defines it, and the interval reaches further by what the map flatters on its own reference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from driftbook.errors import ModelError
from driftbook.model.isotonic import Recalibration, fit_recalibration
from driftbook.model.metrics import (
    NOTHING,
    Array,
    Estimate,
    Z,
    matrix_of,
    performance_frame,
    performance_lines,
)

ESTIMATED = ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss")
LEAST_EXPECTED = 0.5  # a class of which fewer rows are expected does not occur
AS_STATED = Recalibration(note="no reference was given: the probabilities are taken as they are")


@dataclass(frozen=True)
class Figure:
    """A figure with the influence of each row's classes on it, shape (rows, classes)."""

    value: float
    influence: Array


def predictions_of(
    rows: pl.DataFrame, *, score: str, decision: str | None = None, target: str | None = None, positive: str
) -> pl.DataFrame:
    """Somebody else's scores of two classes as predictions that can be estimated and measured here.

    Parameters
    ----------
    rows
        Any frame; ``batch_id`` and ``row_id`` are kept where it has them.
    score
        Column with the score of the positive class, 0 to 1.
    decision
        Column with the decided class, at any threshold; one half of the score where not given.
    target
        Column with the true class, as far as known.
    positive
        The positive class as written in those columns; every other value is ``rest``.

    Returns
    -------
    ``prediction`` and ``target`` (``rest`` or ``positive``), ``prediction_score``, ``probabilities``.

    Examples
    --------
    >>> given = pl.DataFrame({"batch_id": ["a"], "p": [0.8], "hired": [0]})
    >>> predictions_of(given, score="p", decision="hired", positive="1").row(0)
    ('a', 'rest', 0.8, [0.19999999999999996, 0.8])
    """
    bad = rows.filter(~pl.col(score).cast(pl.Float64).is_between(0, 1).fill_null(False)).height
    if bad:
        raise ModelError(
            f"expected scores from 0 to 1 in {score!r}, found {bad} others; "
            "leave those rows out, and map other scores to 0 to 1 first"
        )
    number = pl.col(score).cast(pl.Float64)
    decided = number > 0.5 if decision is None else pl.col(decision).cast(pl.String) == positive
    found = [pl.when(decided).then(pl.lit(positive)).otherwise(pl.lit("rest")).alias("prediction")]
    if target is not None:
        hit = pl.col(target).cast(pl.String) == positive
        found.append(pl.when(hit).then(pl.lit(positive)).when(hit.is_not_null()).then(pl.lit("rest")).alias("target"))
    kept = [name for name in ("row_id", "batch_id") if name in rows.columns]
    return rows.select(
        *kept, *found, number.alias("prediction_score"), pl.concat_list(1 - number, number).alias("probabilities")
    )


def fit_estimation(
    reference: pl.DataFrame, *, classes: Sequence[str], positive: str | None, days: pl.Series | None = None
) -> Recalibration:
    """Learn from a reference what estimates of performance rest on.

    Parameters
    ----------
    reference
        probabilities given out of sample, target, and ``prediction`` as for :func:`estimate_performance`; rows
        without a target among the classes are left out.
    days
        The day (or batch) of each row, to learn how much days differ.

    Examples
    --------
    >>> rows = pl.DataFrame({"probabilities": [[0.3, 0.7]] * 40, "target": ["yes"] * 40})
    >>> fit_estimation(rows, classes=["no", "yes"], positive="yes").note[:80]
    'the reference has 40 rows with targets, at least 300 are needed to put probabili'
    """
    held = pl.Series(reference["target"].is_in(list(classes)).fill_null(False))
    days, reference = None if days is None else days.filter(held), reference.filter(held)
    stated = matrix_of(reference["probabilities"], classes=len(classes))
    fitted = fit_recalibration(stated, reference["target"], classes=classes, days=days)
    if not fitted.maps:
        return fitted
    chosen = None if positive is None else list(classes).index(positive)
    decided, truth = (decisions(reference, stated, classes=classes, column=name) for name in ("prediction", "target"))
    promised = expected_figures(fitted.probabilities(stated), stated, decided, chosen=chosen)
    realised = expected_figures(truth, stated, decided, chosen=chosen)
    pairs = {name: (promised[name], realised[name]) for name in ESTIMATED}
    optimism = {name: one.value - other.value for name, (one, other) in pairs.items() if one and other}
    return replace(fitted, optimism=optimism)


def estimate_performance(
    predictions: pl.DataFrame,
    *,
    classes: Sequence[str],
    positive: str | None,
    recalibration: Recalibration = AS_STATED,
) -> pl.DataFrame:
    """Expected :data:`ESTIMATED` figures of every batch.

    Parameters
    ----------
    predictions
        batch_id and probabilities, of one model version; ``prediction`` (at any threshold) where the decision is not
        the most probable class.
    classes, positive
        As in :func:`driftbook.model.metrics.performance_by_batch`.
    recalibration
        What puts the probabilities right (:func:`driftbook.model.isotonic.fit_recalibration`).

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
    chosen = None if positive is None else list(classes).index(positive)
    lines = []
    batches = predictions.sort("batch_id", maintain_order=True).partition_by("batch_id", maintain_order=True)
    for batch in batches:
        stated = matrix_of(batch["probabilities"], classes=len(classes))
        decided = decisions(batch, stated, classes=classes)
        figures = expected_figures(recalibration.probabilities(stated), stated, decided, chosen=chosen)
        estimates = _with_intervals(figures, stated, recalibration)
        lines.extend(performance_lines(batch["batch_id"][0], estimates, rows=batch.height))
    return performance_frame(lines)


def decisions(batch: pl.DataFrame, stated: Array, *, classes: Sequence[str], column: str = "prediction") -> Array:
    """The decided class of each row as ones and zeros, shape (rows, classes); without such a column the likeliest."""
    if column in batch.columns:
        names = batch[column].cast(pl.String)
        codes = names.replace_strict(list(classes), range(len(classes)), default=-1, return_dtype=pl.Int64).to_numpy()
        if (codes < 0).any():
            raise ModelError(f"expected {column}s among the classes {', '.join(classes)}, found another one")
    else:
        codes = stated.argmax(axis=1)
    return np.asarray(codes[:, None] == np.arange(len(classes)), dtype=np.float64)


def expected_figures(table: Array, stated: Array, decided: Array, *, chosen: int | None) -> Mapping[str, Figure | None]:
    """Each figure as expected, with its influences; ``None`` where it cannot be measured.

    Parameters
    ----------
    table
        Probabilities taken at their word, shape (rows, classes).
    stated
        Probabilities as the model states them, which realised figures rank and charge by.
    decided
        Ones and zeros, shape (rows, classes).
    chosen
        Place of the positive class; ``None`` averages over the classes that are expected to occur.
    """
    rows = table.shape[0]
    edge = float(np.finfo(np.float64).eps)
    surprise = -np.log(np.clip(stated, edge, 1 - edge))
    expected, found = table.sum(axis=0), decided.sum(axis=0)
    if chosen is not None:
        occurring = [chosen]
    else:
        occurring = [each for each in range(table.shape[1]) if max(expected[each], found[each]) >= LEAST_EXPECTED]
    ranked = [each for each in occurring if min(expected[each], rows - expected[each]) >= LEAST_EXPECTED]
    rates = [_rates(table[:, each], decided[:, each]) for each in occurring]
    return {
        "accuracy": Figure(float((table * decided).sum() / rows), decided / rows),
        **{
            name: _average([rate[name] for rate in rates], occurring, table.shape, missing_is_zero=chosen is None)
            for name in ("precision", "recall", "f1")
        },
        "roc_auc": _average([expected_auc(table[:, at], stated[:, at]) for at in ranked], ranked, table.shape),
        "log_loss": Figure(float((table * surprise).sum() / rows), surprise / rows),
    }


def expected_auc(chance: Array, score: Array) -> tuple[float, Array] | None:
    """Area under the expected ROC curve of ``score`` where each row is positive with its ``chance``.

    Like NannyML's, the curve's counts pair each row with itself as well (as a tie): of n rows that moves
    the area towards one half by less than 1/n.

    Examples
    --------
    >>> [expected_auc(np.array(each), np.array(each))[0] for each in ([0.0, 1.0], [0.5, 0.5])]
    [1.0, 0.5]
    """
    positives, negatives = float(chance.sum()), float((1 - chance).sum())
    if min(positives, negatives) <= 1e-12 * chance.size:
        return None
    _, place = np.unique(score, return_inverse=True)
    hits, misses = np.bincount(place, chance), np.bincount(place, 1 - chance)
    below = ((np.cumsum(misses) - 0.5 * misses) / negatives)[place]
    above = ((hits.sum() - np.cumsum(hits) + 0.5 * hits) / positives)[place]
    value = min(float((chance * below).sum() / positives), 1.0)
    return value, (below - value) / positives - (above - value) / negatives


def _rates(chance: Array, decided: Array) -> dict[str, tuple[float, Array] | None]:
    """Precision, recall and F1 of one class, each with the influence of a row being of that class."""
    hits, found, true = float((chance * decided).sum()), float(decided.sum()), float(chance.sum())
    f1 = 2 * hits / (found + true) if found + true > 0 else math.nan
    return {
        "precision": (hits / found, decided / found) if found else None,
        "recall": (hits / true, (decided - hits / true) / true) if true > 0 else None,
        "f1": (f1, (2 * decided - f1) / (found + true)) if found + true > 0 else None,
    }


def _average(
    parts: Sequence[tuple[float, Array] | None],
    places: Sequence[int],
    shape: tuple[int, ...],
    *,
    missing_is_zero: bool = False,
) -> Figure | None:
    """The mean of one figure over classes; one that cannot be measured counts as zero, or spoils the whole."""
    if not parts or (not missing_is_zero and any(part is None for part in parts)):
        return None
    value, influence = 0.0, np.zeros(shape)
    for part, place in zip(parts, places, strict=True):
        if part is not None:
            value += part[0] / len(parts)
            influence[:, place] += part[1] / len(parts)
    return Figure(value, influence)


def _with_intervals(
    figures: Mapping[str, Figure | None], stated: Array, recalibration: Recalibration
) -> dict[str, Estimate]:
    table, variance = recalibration.probabilities(stated, cautious=True), recalibration.variance(stated)
    days = 1.0 + (len(stated) - 1) * recalibration.day_correlation
    estimates = {}
    for name, figure in figures.items():
        if figure is None:
            estimates[name] = NOTHING
            continue
        weighted = table * figure.influence
        luck = float((weighted * figure.influence).sum() - (weighted.sum(axis=1) ** 2).sum())
        error = Z * math.sqrt(max(0.0, luck) * days + variance(figure.influence))
        flattered = recalibration.optimism.get(name, 0.0)
        low, high = figure.value - max(0.0, flattered) - error, figure.value - min(0.0, flattered) + error
        estimates[name] = Estimate(figure.value, max(0.0, low), high if name == "log_loss" else min(1.0, high))
    return estimates
