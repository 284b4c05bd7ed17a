from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as peer

from driftbook.errors import ModelError
from driftbook.model.metrics import METRICS, log_loss, measure, performance_by_batch, wilson

EXACT = 1e-12
NAMES = np.array(["no", "yes"])
COLORS = np.array(["blue", "green", "red", "violet"])


def two_classes(rows: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    chance = np.round(rng.beta(1, 2, rows), 2)  # rounded: ties
    return np.column_stack([1 - chance, chance]), (rng.random(rows) < chance).astype(int)


def four_classes(rows: int = 300, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    table = rng.dirichlet([1, 1, 0.5, 0.3], rows)
    return table, np.array([rng.choice(4, p=each) for each in table])


def test_two_classes_agree_with_scikit_learn() -> None:
    table, truth = two_classes()
    decided = table.argmax(axis=1)
    found = measure(NAMES[truth].tolist(), NAMES[decided].tolist(), table, classes=NAMES.tolist(), positive="yes")
    expected = {
        "accuracy": peer.accuracy_score(truth, decided),
        "precision": peer.precision_score(truth, decided),
        "recall": peer.recall_score(truth, decided),
        "f1": peer.f1_score(truth, decided),
        "roc_auc": peer.roc_auc_score(truth, table[:, 1]),
        "log_loss": peer.log_loss(truth, table),
        "brier": peer.brier_score_loss(truth, table[:, 1]),
    }
    assert tuple(found) == METRICS
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=EXACT), name
        assert found[name].low < found[name].value < found[name].high, name


def test_more_classes_agree_with_scikit_learn_macro() -> None:
    table, truth = four_classes()
    decided = table.argmax(axis=1)
    found = measure(COLORS[truth].tolist(), COLORS[decided].tolist(), table, classes=COLORS.tolist(), positive=None)
    macro = {"average": "macro", "zero_division": 0}
    expected = {
        "accuracy": peer.accuracy_score(truth, decided),
        "precision": peer.precision_score(truth, decided, **macro),
        "recall": peer.recall_score(truth, decided, **macro),
        "f1": peer.f1_score(truth, decided, **macro),
        "roc_auc": peer.roc_auc_score(truth, table, multi_class="ovr", average="macro"),
        "log_loss": peer.log_loss(truth, table, labels=range(4)),
        "brier": float(((table - np.eye(4)[truth]) ** 2).sum(axis=1).mean()),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=EXACT), name


def test_intervals_hold_the_truth_in_about_95_of_100_samples() -> None:
    big, truth = two_classes(200_000, seed=9)
    names = NAMES[truth].tolist(), NAMES[big.argmax(axis=1)].tolist()
    true = measure(*names, big, classes=NAMES.tolist(), positive="yes")
    held = dict.fromkeys(METRICS, 0)
    for at in range(300):
        part = slice(at * 300, at * 300 + 300)
        found = measure(names[0][part], names[1][part], big[part], classes=NAMES.tolist(), positive="yes")
        for name in METRICS:
            held[name] += found[name].low <= true[name].value <= found[name].high
    assert all(0.92 * 300 <= count <= 0.985 * 300 for count in held.values()), held


def test_macro_intervals_hold_the_truth_in_about_95_of_100_samples() -> None:
    big, truth = four_classes(60_000, seed=9)
    names = COLORS[truth].tolist(), COLORS[big.argmax(axis=1)].tolist()
    true = measure(*names, big, classes=COLORS.tolist(), positive=None)
    held = dict.fromkeys(METRICS, 0)
    for at in range(200):
        part = slice(at * 300, at * 300 + 300)
        found = measure(names[0][part], names[1][part], big[part], classes=COLORS.tolist(), positive=None)
        for name in METRICS:
            held[name] += found[name].low <= true[name].value <= found[name].high
    assert all(0.9 * 200 <= count <= 0.99 * 200 for count in held.values()), held


def test_one_class_alone_has_an_accuracy_and_no_roc_auc() -> None:
    found = measure(["no"] * 3, ["no"] * 3, [[0.9, 0.1]] * 3, classes=["no", "yes"], positive="yes")
    assert found["accuracy"].value == 1.0
    assert math.isnan(found["roc_auc"].value)
    assert math.isnan(found["precision"].value)


def test_a_perfect_ranking_of_few_rows_is_not_certain() -> None:
    few = measure(["no", "yes"] * 3, ["no", "yes"] * 3, [[0.9, 0.1], [0.1, 0.9]] * 3, classes=NAMES, positive="yes")
    assert few["roc_auc"].value == 1.0
    assert few["roc_auc"].low == pytest.approx(0.05 ** (1 / 3))


def test_a_target_outside_the_classes_counts_as_wrong() -> None:
    table = [[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]]
    found = measure(["a", "new"], ["a", "b"], table, classes=["a", "b", "c"], positive=None)
    assert found["accuracy"].value == 0.5
    assert found["brier"].value == pytest.approx(((0.01 + 0.01) + (0.01 + 0.81 + 1)) / 2)
    assert found["log_loss"].value > 10


def test_no_rows_give_no_figures() -> None:
    assert math.isnan(measure([], [], np.empty((0, 2)), classes=NAMES, positive="yes")["accuracy"].value)
    assert math.isnan(wilson(0, 0).value)


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="expected 2 targets"):
        measure(["no", "yes"], ["no"], [[0.5, 0.5]], classes=NAMES, positive="yes")
    with pytest.raises(ModelError, match="positive class 'maybe'"):
        measure(["no"], ["no"], [[0.5, 0.5]], classes=NAMES, positive="maybe")
    with pytest.raises(ModelError, match="predictions among the classes"):
        measure(["no"], ["perhaps"], [[0.5, 0.5]], classes=NAMES, positive="yes")


def predictions() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "batch_id": ["b", "a", "a", "b", "b"],
            "version": [1] * 5,
            "target": ["yes", "no", "yes", None, "yes"],
            "prediction": ["yes", "no", "no", "no", "no"],
            "probabilities": [[0.2, 0.8], [0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.6, 0.4]],
        }
    )


def test_performance_by_batch_leaves_out_rows_without_a_target() -> None:
    frame = performance_by_batch(predictions(), classes=NAMES.tolist(), positive="yes")
    accuracy = frame.filter(pl.col("metric") == "accuracy")
    assert accuracy.select("batch_id", "value", "rows").rows() == [("a", 0.5, 2), ("b", 0.5, 2)]
    assert frame.filter(metric="roc_auc")["value"].to_list() == [1.0, None]


def test_performance_of_several_versions_at_once_is_refused() -> None:
    both = predictions().with_columns(version=pl.Series([1, 1, 1, 1, 2]))
    with pytest.raises(ModelError, match="one model version"):
        performance_by_batch(both, classes=NAMES.tolist(), positive="yes")


def test_performance_of_no_rows_is_an_empty_frame() -> None:
    assert performance_by_batch(predictions().head(0), classes=NAMES.tolist(), positive="yes").height == 0


def test_log_loss_of_a_column_agrees_with_measure() -> None:
    rows = predictions().drop_nulls("target")
    whole = measure(
        rows["target"], rows["prediction"], np.array(rows["probabilities"].to_list()), classes=NAMES, positive="yes"
    )
    assert log_loss(rows["target"], rows["probabilities"], classes=NAMES.tolist()) == whole["log_loss"].value
