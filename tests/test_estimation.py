from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from driftbook.errors import ModelError
from driftbook.model.estimation import estimate_performance, expected_accuracy, expected_auc, expected_log_loss
from driftbook.model.metrics import measure, performance_by_batch

CLASSES = ["no", "yes"]


def predictions(rows: int, *, batches: int = 1, seed: int = 0) -> pl.DataFrame:
    """Predictions whose probabilities are true, and targets drawn by them."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1, 2, rows)
    return pl.DataFrame(
        {
            "batch_id": [f"b{at % batches:03d}" for at in range(rows)],
            "version": [1] * rows,
            "prediction": np.where(chance > 0.5, "yes", "no").tolist(),
            "probabilities": np.column_stack([1 - chance, chance]).tolist(),
            "target": np.where(rng.random(rows) < chance, "yes", "no").tolist(),
        }
    )


def pairwise_auc(chance: np.ndarray) -> float:
    """Expected concordant pairs over expected pairs, by definition."""
    pairs = chance[:, None] * (1 - chance)[None, :]
    np.fill_diagonal(pairs, 0)
    right = (chance[:, None] > chance[None, :]) + 0.5 * (chance[:, None] == chance[None, :])
    return float((pairs * right).sum() / pairs.sum())


def test_expected_auc_is_that_over_all_pairs_with_ties() -> None:
    chance = np.round(np.random.default_rng(1).beta(1, 2, 200), 1)
    assert expected_auc(chance).value == pytest.approx(pairwise_auc(chance), abs=1e-12)


def test_expected_figures_of_known_probabilities() -> None:
    table = np.array([[0.5, 0.5], [0.9, 0.1]])
    assert expected_accuracy(table).value == pytest.approx(0.7)
    entropy = (math.log(2) - 0.9 * math.log(0.9) - 0.1 * math.log(0.1)) / 2
    assert expected_log_loss(table).value == pytest.approx(entropy)
    assert expected_log_loss(np.array([[1.0, 0.0]])).value == 0.0


def test_certain_rows_of_one_class_have_no_expected_auc() -> None:
    assert math.isnan(expected_auc(np.zeros(5)).value)


def test_true_probabilities_estimate_what_targets_then_show() -> None:
    rows = predictions(200 * 400, batches=200)
    estimated = estimate_performance(rows, classes=CLASSES, positive="yes")
    realised = performance_by_batch(rows, classes=CLASSES, positive="yes")
    both = estimated.join(realised, on=["batch_id", "metric"], suffix="_realised")
    held = both.group_by("metric").agg(pl.col("value_realised").is_between("low", "high").mean()).rows()
    assert {metric for metric, _ in held} == {"accuracy", "roc_auc", "log_loss"}
    assert all(0.9 <= share <= 0.99 for _, share in held), held


def test_more_classes_are_estimated_without_an_auc() -> None:
    table = np.random.default_rng(2).dirichlet([1, 1, 1], 5000)
    rows = pl.DataFrame({"batch_id": ["a"] * 5000, "probabilities": table.tolist()})
    found = estimate_performance(rows, classes=["x", "y", "z"], positive=None)
    truth = np.array([np.random.default_rng(at).choice(3, p=each) for at, each in enumerate(table)])
    names = np.array(["x", "y", "z"])
    realised = measure(names[truth].tolist(), names[table.argmax(1)].tolist(), table, classes=names, positive=None)
    assert found["metric"].to_list() == ["accuracy", "log_loss"]
    assert found["value"].to_list() == pytest.approx([realised["accuracy"].value, realised["log_loss"].value], abs=0.03)


def test_several_versions_at_once_are_refused() -> None:
    both = predictions(4).with_columns(version=pl.Series([1, 1, 2, 2]))
    with pytest.raises(ModelError, match="one model version"):
        estimate_performance(both, classes=CLASSES, positive="yes")
