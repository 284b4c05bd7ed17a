"""What the test part says about a model: figures, baselines, curves, and whether it may be registered.

The gate asks two questions. Does the model beat the shares of the classes, in log loss, the one figure that cannot be
won by ignoring a rare class, or, where drift within the history spoiled its probabilities, in accuracy beyond
doubt? And does its chosen metric reach the minimum that the use case declares? A metric that
cannot be measured fails the gate: no evidence is no pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from driftbook.config.use_case import ModelConfig
from driftbook.model.baselines import MAJORITY
from driftbook.model.calibration import Array
from driftbook.model.metrics import Estimate, confusion_counts, measure, wilson
from driftbook.model.splits import Codes, Mask
from driftbook.words import plain

CURVE_POINTS = 50
CALIBRATION_BINS = 12
Figures = Mapping[str, Estimate]


def judge(codes: Codes, table: Array, *, classes: tuple[str, ...], positive: str | None) -> dict[str, Estimate]:
    """:func:`driftbook.model.metrics.measure` of class codes and the classes decided by ``table``."""
    names = np.asarray(classes, dtype=object)
    decided = names[table.argmax(axis=1)].tolist()
    return measure(names[codes].tolist(), decided, table, classes=classes, positive=positive)


def decide_gate(figures: Figures, majority: Figures, *, config: ModelConfig) -> dict[str, Any]:
    """Whether a model may be registered, and why.

    Examples
    --------
    >>> good, bad = Estimate(0.9, 0.8, 1.0), Estimate(0.5, 0.4, 0.6)
    >>> model = {"roc_auc": good, "log_loss": bad, "accuracy": good}
    >>> gate = decide_gate(model, {"log_loss": good, "accuracy": bad}, config=ModelConfig(minimum=0.8))
    >>> gate["passed"], gate["reasons"][1]
    (True, 'ROC AUC 0.900 (0.800 to 1.000) reaches the minimum of 0.8.')
    """
    loss, least_loss = figures["log_loss"].value, majority["log_loss"].value
    accuracy, least = figures["accuracy"], majority["accuracy"].value
    beats = loss < least_loss
    verb = "beats" if beats else "does not beat"
    reasons = [f"Log loss {loss:.3f} {verb} that of the class shares alone, {least_loss:.3f}."]
    if not beats and accuracy.low > least:
        beats = True
        reasons[0] += (
            f" Yet it decides better: accuracy {accuracy.value:.3f} (at least {accuracy.low:.3f}) beats "
            f"{least:.3f}. Do not take its probabilities at their word."
        )
    name, found = config.minimum_metric, figures[config.minimum_metric]
    words = plain(name)[0].upper() + plain(name)[1:]
    if math.isnan(found.value):
        reaches = False
        reasons.append(f"{words} cannot be measured: the test part lacks rows of a second class; give more history.")
    else:
        reaches = found.value >= config.minimum
        verb = "reaches" if reaches else "is below"
        shown = f"{words} {found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
        reasons.append(f"{shown} {verb} the minimum of {config.minimum:g}.")
    return {
        "passed": beats and reaches,
        "reasons": reasons,
        "metric": name,
        "value": found.value,
        "minimum": config.minimum,
        "baseline": MAJORITY,
    }


def confusion(codes: Codes, table: Array) -> list[list[int]]:
    """Rows per true class (down) and predicted class (across)."""
    number = table.shape[1]
    counts = confusion_counts(codes, table.argmax(axis=1).astype(np.int64), classes=number)
    return [[int(each) for each in line] for line in counts[:number]]


def roc_curve(scores: Array, hit: Mask) -> list[dict[str, float]]:
    """At most 50 points of the ROC curve, at even steps along it; none if one class is missing."""
    if not 0 < hit.sum() < hit.size:
        return []
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # a threshold takes all rows of equal score
    true = np.concatenate([[0.0], np.cumsum(hit[order])[last] / hit.sum()])
    false = np.concatenate([[0.0], np.cumsum(~hit[order])[last] / (~hit).sum()])
    length = true + false
    steps = np.searchsorted(length, np.linspace(0, 2, CURVE_POINTS))
    chosen = np.unique(np.clip(steps, 0, length.size - 1))
    return [{"false_positive_rate": float(false[at]), "true_positive_rate": float(true[at])} for at in chosen]


def calibration_curve(probability: Array, hit: Mask) -> list[dict[str, float]]:
    """Predicted and observed share in bins of equally many rows, the observed with its interval.

    Examples
    --------
    >>> calibration_curve(np.array([0.2, 0.2]), np.array([True, False]))[0]["observed"]
    0.5
    """
    bins = max(1, min(CALIBRATION_BINS, hit.size // 20))
    order = np.argsort(probability, kind="stable")
    points = []
    for rows in np.array_split(order, bins):
        observed = wilson(int(hit[rows].sum()), rows.size)
        points.append(
            {
                "predicted": float(probability[rows].mean()),
                "observed": observed.value,
                "rows": int(rows.size),
                "low": observed.low,
                "high": observed.high,
            }
        )
    return points
