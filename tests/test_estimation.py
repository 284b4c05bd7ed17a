from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from driftbook.errors import ModelError
from driftbook.model.estimation import (
    ESTIMATED,
    estimate_performance,
    expected_auc,
    fit_estimation,
    predictions_of,
)
from driftbook.model.isotonic import Recalibration
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
    """Area under the expected ROC curve: right pairs over all, a row and itself being a tie."""
    pairs = chance[:, None] * (1 - chance)[None, :]
    right = (chance[:, None] > chance[None, :]) + 0.5 * (chance[:, None] == chance[None, :])
    return float((pairs * right).sum() / pairs.sum())


def estimated(rows: pl.DataFrame, **options) -> dict[str, tuple[float, float, float]]:
    frame = estimate_performance(rows, **{"classes": CLASSES, "positive": "yes", **options})
    return {name: (value, low, high) for name, value, low, high in frame.drop("batch_id", "rows").iter_rows()}


def test_expected_auc_is_that_over_all_pairs_with_ties() -> None:
    chance = np.round(np.random.default_rng(1).beta(1, 2, 200), 1)
    assert expected_auc(chance, chance)[0] == pytest.approx(pairwise_auc(chance), abs=1e-12)


def test_expected_auc_ranks_by_the_score_and_counts_by_the_chance() -> None:
    value, influence = expected_auc(np.array([0.25, 1.0, 0.75]), np.array([0.1, 0.2, 0.3]))
    # positives 2, negatives 1; below each: 0.375, 0.75, 0.875 of the negatives
    assert value == pytest.approx((0.25 * 0.375 + 1.0 * 0.75 + 0.75 * 0.875) / 2)
    step, moved = 1e-6, []
    for place in range(3):
        chance = np.array([0.25, 1.0, 0.75])
        chance[place] += step
        moved.append((expected_auc(chance, np.array([0.1, 0.2, 0.3]))[0] - value) / step)
    assert influence == pytest.approx(moved, abs=1e-5)


def test_expected_figures_of_known_probabilities_by_hand() -> None:
    rows = pl.DataFrame(
        {
            "batch_id": ["a"] * 4,
            "prediction": ["yes", "yes", "no", "no"],
            "probabilities": [[0.1, 0.9], [0.6, 0.4], [0.7, 0.3], [1.0, 0.0]],
        }
    )
    found = {name: value for name, (value, _, _) in estimated(rows).items()}
    assert list(found) == list(ESTIMATED)
    assert found["accuracy"] == pytest.approx((0.9 + 0.4 + 0.7 + 1.0) / 4)
    assert found["precision"] == pytest.approx(1.3 / 2)
    assert found["recall"] == pytest.approx(1.3 / 1.6)
    assert found["f1"] == pytest.approx(2 * 1.3 / (2 + 1.6))
    entropy = -sum(p * math.log(p) for row in rows["probabilities"] for p in row if p > 0) / 4
    assert found["log_loss"] == pytest.approx(entropy)


def test_certain_rows_of_one_class_have_no_expected_auc_or_recall_but_an_accuracy() -> None:
    rows = pl.DataFrame({"batch_id": ["a"] * 5, "probabilities": [[1.0, 0.0]] * 5})
    found = estimated(rows)
    assert found["accuracy"][0] == 1.0
    assert [found[name] for name in ("precision", "recall", "roc_auc")] == [(None, None, None)] * 3


def test_a_decision_at_another_threshold_is_taken_as_it_is() -> None:
    rows = pl.DataFrame({"batch_id": ["a"], "prediction": ["yes"], "probabilities": [[0.8, 0.2]]})
    assert estimated(rows)["accuracy"][0] == pytest.approx(0.2)
    with pytest.raises(ModelError, match="predictions among the classes no, yes"):
        estimated(rows.with_columns(prediction=pl.lit("perhaps")))


def test_true_probabilities_estimate_what_targets_then_show() -> None:
    rows = predictions(200 * 400, batches=200)
    promised = estimate_performance(rows, classes=CLASSES, positive="yes")
    realised = performance_by_batch(rows, classes=CLASSES, positive="yes")
    both = promised.join(realised, on=["batch_id", "metric"], suffix="_realised")
    held = both.group_by("metric").agg(pl.col("value_realised").is_between("low", "high").mean()).rows()
    assert {metric for metric, _ in held} == set(ESTIMATED)
    assert all(0.9 <= share <= 0.99 for _, share in held), held


def test_a_model_that_is_too_sure_is_not_believed() -> None:
    sure = pl.DataFrame({"batch_id": ["a"] * 1000, "probabilities": [[0.05, 0.95], [0.95, 0.05]] * 500})
    target = pl.Series("target", ["yes"] * 350 + ["no"] * 150 + ["no"] * 350 + ["yes"] * 150)
    reference = sure.sort(pl.col("probabilities").list.get(0)).with_columns(target)
    fitted = fit_estimation(reference, classes=CLASSES, positive="yes")
    assert estimated(sure)["accuracy"][0] == pytest.approx(0.95)
    assert estimated(sure, recalibration=fitted)["accuracy"][0] == pytest.approx(0.7)


def test_an_interval_reaches_further_where_days_differ() -> None:
    rows = predictions(400)
    calm, restless = (estimated(rows, recalibration=Recalibration(day_correlation=each)) for each in (0.0, 3 / 399))
    half = {name: calm[name][0] - calm[name][1] for name in calm}
    assert {name: restless[name][0] - restless[name][1] for name in calm} == pytest.approx(
        {name: 2 * each for name, each in half.items()}
    )


def test_several_classes_are_averaged_as_the_realised_figures_are() -> None:
    table = np.random.default_rng(2).dirichlet([1, 1, 1], 20_000)
    names = np.array(["x", "y", "z"])
    rows = pl.DataFrame({"batch_id": ["a"] * 20_000, "probabilities": table.tolist()})
    found = {name: value for name, (value, _, _) in estimated(rows, classes=names.tolist(), positive=None).items()}
    truth = (np.random.default_rng(3).random(20_000)[:, None] > table.cumsum(axis=1)).sum(axis=1)
    realised = measure(names[truth].tolist(), names[table.argmax(1)].tolist(), table, classes=names, positive=None)
    assert found == pytest.approx({name: realised[name].value for name in ESTIMATED}, abs=0.015)


def test_somebody_elses_scores_become_predictions() -> None:
    given = pl.DataFrame(
        {"batch_id": ["a", "a"], "p": [0.9, 0.2], "decided": [1, 1], "hired": [1, None], "other": ["x", "y"]}
    )
    found = predictions_of(given, score="p", decision="decided", target="hired", positive="1")
    assert found.columns == ["batch_id", "prediction", "target", "prediction_score", "probabilities"]
    assert found["prediction"].to_list() == ["1", "1"]
    assert found["target"].to_list() == ["1", None]
    assert predictions_of(given, score="p", positive="1")["prediction"].to_list() == ["1", "rest"]
    assert estimated(found, classes=["rest", "1"], positive="1")["accuracy"][0] == pytest.approx(0.55)
    with pytest.raises(ModelError, match="scores from 0 to 1 in 'p', found 1 others"):
        predictions_of(given.with_columns(p=pl.Series([1.5, 0.2])), score="p", positive="1")


def test_several_versions_at_once_are_refused() -> None:
    both = predictions(4).with_columns(version=pl.Series([1, 1, 2, 2]))
    with pytest.raises(ModelError, match="one model version"):
        estimate_performance(both, classes=CLASSES, positive="yes")
