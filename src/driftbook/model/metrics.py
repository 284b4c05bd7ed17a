"""How good predictions are, each figure with its interval.

Every figure is a mean or a smooth function of means, so one way of finding its error serves all: the influence of
each row (for the ROC AUC this is DeLong's estimate). Accuracy, and precision and recall of two classes, are
proportions and get Wilson's interval, which stays honest near 0 and 1. More than two classes are averaged without
weights (macro) over the classes that occur. A figure that cannot be measured, such as the AUC of one class, is NaN:
a number that looks like a result would be worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from driftbook.errors import ModelError
from driftbook.model.ranking import placements

Z = 1.959963984540054  # two-sided 95 %
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier")
PERFORMANCE_SCHEMA = pl.Schema(
    {
        "batch_id": pl.String(),
        "metric": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "rows": pl.Int64(),
    }
)
Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where it cannot be measured."""

    value: float
    low: float
    high: float


NOTHING = Estimate(math.nan, math.nan, math.nan)


def measure(
    target: Sequence[str] | pl.Series,
    prediction: Sequence[str] | pl.Series,
    probabilities: npt.ArrayLike,
    *,
    classes: Sequence[str],
    positive: str | None,
) -> dict[str, Estimate]:
    """All :data:`METRICS` of some predictions.

    Parameters
    ----------
    target, prediction
        True and decided class per row. A target outside ``classes`` counts as predicted wrongly.
    probabilities
        Shape (rows, classes), in the order of ``classes``.
    positive
        The class that precision, recall, F1 and ROC AUC are about; ``None`` averages over the classes.

    Examples
    --------
    >>> figures = measure(
    ...     ["no", "yes", "yes", "no"], ["no", "yes", "no", "no"],
    ...     [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], classes=["no", "yes"], positive="yes",
    ... )
    >>> figures["accuracy"].value, figures["recall"].value, figures["roc_auc"].value
    (0.75, 0.5, 1.0)
    """
    table = np.asarray(probabilities, dtype=np.float64)
    truth, decided = _codes(target, classes), _codes(prediction, classes)
    if table.shape != (truth.size, len(classes)) or decided.size != truth.size:
        raise ModelError(
            f"expected {truth.size} targets with as many predictions and probabilities of {len(classes)} classes, "
            f"found {decided.size} predictions and probabilities of shape {table.shape}"
        )
    if not truth.size:
        return dict.fromkeys(METRICS, NOTHING)
    if positive is not None and positive not in classes:
        raise ModelError(f"the positive class {positive!r} is not among the classes {', '.join(classes)}")
    if (decided < 0).any():
        raise ModelError(f"expected predictions among the classes {', '.join(classes)}, found another one")
    chosen = None if positive is None else list(classes).index(positive)
    counts = confusion_counts(truth, decided, classes=len(classes))
    hits = int((truth == decided).sum())
    return {
        "accuracy": wilson(hits, truth.size),
        **_rates(counts, chosen),
        "roc_auc": macro_auc(truth, table, chosen=chosen),
        "log_loss": _mean(_surprise(truth, table)),
        "brier": _mean(_squares(truth, table, chosen)),
    }


def log_loss(target: Sequence[str] | pl.Series, probabilities: pl.Series, *, classes: Sequence[str]) -> float:
    """Mean log loss in nats of a column of probabilities.

    Examples
    --------
    >>> round(log_loss(["yes"], pl.Series([[0.2, 0.8]]), classes=["no", "yes"]), 4)
    0.2231
    """
    truth, table = _codes(target, classes), matrix_of(probabilities, classes=len(classes))
    return float(_surprise(truth, table).mean())


def performance_by_batch(rows: pl.DataFrame, *, classes: Sequence[str], positive: str | None) -> pl.DataFrame:
    """:func:`measure` for every batch of predictions with targets.

    Parameters
    ----------
    rows
        batch_id, target, prediction, probabilities, of one model version; rows without a target are left out.

    Returns
    -------
    One row per batch and metric: batch_id, metric, value, low, high (null if it cannot be measured), rows.
    """
    if "version" in rows.columns and rows["version"].n_unique() > 1:
        found = sorted(rows["version"].unique().to_list())
        raise ModelError(f"expected predictions of one model version, found versions {found}; filter them first")
    lines = []
    known = rows.filter(pl.col("target").is_not_null())
    for batch in known.sort("batch_id", maintain_order=True).partition_by("batch_id", maintain_order=True):
        figures = measure(
            batch["target"],
            batch["prediction"],
            matrix_of(batch["probabilities"], classes=len(classes)),
            classes=classes,
            positive=positive,
        )
        lines.extend(performance_lines(batch["batch_id"][0], figures, rows=batch.height))
    return performance_frame(lines)


def performance_lines(batch_id: str, figures: dict[str, Estimate], *, rows: int) -> list[tuple[object, ...]]:
    """Figures of one batch as lines of :func:`performance_frame`."""
    return [(batch_id, name, each.value, each.low, each.high, rows) for name, each in figures.items()]


def performance_frame(lines: list[tuple[object, ...]]) -> pl.DataFrame:
    """The long frame of performance; what cannot be measured is null."""
    frame = pl.DataFrame(lines, schema=PERFORMANCE_SCHEMA, orient="row")
    return frame.with_columns(pl.col("value", "low", "high").fill_nan(None))


def matrix_of(probabilities: pl.Series, *, classes: int) -> Array:
    """A column of lists as an array of shape (rows, classes)."""
    lengths = probabilities.list.len()
    if probabilities.len() and not bool((lengths == classes).all()):
        raise ModelError(f"expected {classes} probabilities in every row, found other lengths; score the rows again")
    return probabilities.explode().to_numpy().reshape(-1, classes) if probabilities.len() else np.empty((0, classes))


def wilson(hits: float, rows: float) -> Estimate:
    """A proportion with Wilson's interval.

    Examples
    --------
    >>> estimate = wilson(8, 10)
    >>> round(estimate.low, 3), estimate.value, round(estimate.high, 3)
    (0.49, 0.8, 0.943)
    """
    if not rows:
        return NOTHING
    share = float(hits / rows)
    middle = (share + Z * Z / (2 * rows)) / (1 + Z * Z / rows)
    half = Z / (1 + Z * Z / rows) * math.sqrt(share * (1 - share) / rows + Z * Z / (4 * rows * rows))
    return Estimate(share, float(min(max(0.0, middle - half), share)), float(max(min(1.0, middle + half), share)))


def confusion_counts(truth: Codes, decided: Codes, *, classes: int) -> npt.NDArray[np.int64]:
    """Rows per true class (down) and decided class (across); the last line holds targets outside the classes."""
    line = np.where(truth < 0, classes, truth)
    return np.bincount(line * classes + decided, minlength=(classes + 1) * classes).reshape(classes + 1, classes)


def macro_auc(truth: Codes, table: Array, *, chosen: int | None) -> Estimate:
    """ROC AUC of the chosen class, or the mean over the classes that occur, each against the rest."""
    classes = range(table.shape[1]) if chosen is None else [chosen]
    classes = [each for each in classes if 0 < (truth == each).sum() < truth.size]
    if not classes:
        return NOTHING
    value, influence, smallest = 0.0, np.zeros(truth.size), truth.size
    for each in classes:
        hit = truth == each
        auc, deviations = placements(table[:, each], hit)
        value += auc / len(classes)
        influence += deviations / len(classes)
        smallest = min(smallest, int(hit.sum()), int(truth.size - hit.sum()))
    if value < 1.0:
        return _normal(value, math.sqrt(float((influence**2).sum())))
    # without one misranked row DeLong's error is zero; so many rows can rank well by luck (rule of three)
    return Estimate(value, 0.05 ** (1 / smallest), 1.0)


def _codes(values: Sequence[str] | pl.Series, classes: Sequence[str]) -> Codes:
    texts = values if isinstance(values, pl.Series) else pl.Series(list(values), dtype=pl.String)
    codes = texts.cast(pl.String).replace_strict(list(classes), range(len(classes)), default=-1, return_dtype=pl.Int64)
    return codes.to_numpy()


def _rates(counts: npt.NDArray[np.int64], chosen: int | None) -> dict[str, Estimate]:
    """Precision, recall and F1 from the confusion counts, with the influence of each of its cells."""
    number = counts.shape[1]
    true, found, right = counts[:number].sum(1), counts.sum(0), counts.diagonal()
    if chosen is not None:
        hits = float(right[chosen])
        f1 = _f1(counts, [chosen])
        return {"precision": wilson(hits, found[chosen]), "recall": wilson(hits, true[chosen]), "f1": f1}
    occurring = [each for each in range(number) if true[each] or found[each]]
    influence = {"precision": np.zeros(counts.shape), "recall": np.zeros(counts.shape)}
    values = {"precision": 0.0, "recall": 0.0}
    for each in occurring:
        for name, size, axis in (("precision", found[each], 0), ("recall", true[each], 1)):
            if size:
                share = right[each] / size
                values[name] += share / len(occurring)
                cells = influence[name][:, each] if axis == 0 else influence[name][each, :]
                cells -= share / size / len(occurring)
                influence[name][each, each] += 1 / size / len(occurring)
    rates = {name: _normal(values[name], _error(counts, influence[name])) for name in values}
    return {**rates, "f1": _f1(counts, occurring)}


def _f1(counts: npt.NDArray[np.int64], chosen: list[int]) -> Estimate:
    number = counts.shape[1]
    value, influence = 0.0, np.zeros(counts.shape)
    for each in chosen:
        size = counts[:number].sum(1)[each] + counts.sum(0)[each]
        if not size:
            return NOTHING
        f1 = 2 * counts[each, each] / size
        value += f1 / len(chosen)
        influence[each, :] -= f1 / size / len(chosen)
        influence[:, each] -= f1 / size / len(chosen)
        influence[each, each] += 2 / size / len(chosen)
    return _normal(value, _error(counts, influence))


def _error(counts: npt.NDArray[np.int64], influence: Array) -> float:
    return math.sqrt(float((counts * influence**2).sum()))


def _normal(value: float, error: float, *, highest: float = 1.0) -> Estimate:
    return Estimate(float(value), max(0.0, float(value) - Z * error), min(highest, float(value) + Z * error))


def _mean(losses: Array) -> Estimate:
    error = float(losses.std(ddof=1)) / math.sqrt(losses.size) if losses.size > 1 else math.inf
    return _normal(float(losses.mean()), error, highest=math.inf)


def _surprise(truth: Codes, table: Array) -> Array:
    """Minus the log of the true class's probability, kept off zero by one float's precision."""
    own = np.where(truth < 0, 0.0, table[np.arange(truth.size), np.maximum(truth, 0)])
    edge = float(np.finfo(np.float64).eps)
    return np.asarray(-np.log(np.clip(own, edge, 1 - edge)))


def _squares(truth: Codes, table: Array, chosen: int | None) -> Array:
    """Brier's squared error: of the positive class's probability, else summed over the classes."""
    if chosen is not None:
        return np.asarray((table[:, chosen] - (truth == chosen)) ** 2)
    hits = truth[:, None] == np.arange(table.shape[1])
    return np.asarray(((table - hits) ** 2).sum(1) + (truth < 0))
