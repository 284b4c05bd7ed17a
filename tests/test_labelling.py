from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from driftbook.errors import ModelError
from driftbook.model.labelling import corrected_accuracy, rows_to_label

CLASSES = ["no", "yes"]
ROWS = 4000


def predictions(*, rows: int = ROWS, wrong_by: float = 0.0) -> pl.DataFrame:
    """Predictions with targets; of the sure ones so many more are wrong than promised."""
    rng = np.random.default_rng(1)
    chance = rng.beta(0.7, 1.4, rows)
    truth = np.clip(chance + wrong_by * (chance < 0.2), 0, 1)
    return pl.DataFrame(
        {
            "row_id": [f"r{number:05d}" for number in range(rows)],
            "batch_id": ["a"] * rows,
            "prediction": np.where(chance > 0.5, "yes", "no"),
            "probabilities": np.column_stack([1 - chance, chance]).tolist(),
            "target": np.where(rng.random(rows) < truth, "yes", "no"),
        }
    )


def draw(rows: pl.DataFrame, count: int, *, seed: int) -> pl.DataFrame:
    return rows_to_label(rows, count, seed=seed, classes=CLASSES)


def test_so_many_rows_are_drawn_once_each_the_least_sure_most_often() -> None:
    drawn = draw(predictions(), 200, seed=1)
    assert drawn.columns == ["row_id", "batch_id", "prediction", "confidence", "inclusion", "weight"]
    assert drawn.height == drawn["row_id"].n_unique() == 200
    assert drawn["confidence"].is_sorted()
    assert drawn["confidence"].mean() < 0.75
    assert drawn["confidence"].max() > 0.95
    assert drawn.filter(confidence=drawn["confidence"].min())["inclusion"][0] == drawn["inclusion"].max()
    assert drawn["weight"].to_numpy() * drawn["inclusion"].to_numpy() == pytest.approx(np.ones(200))


def test_the_same_seed_draws_the_same_rows_and_another_one_others() -> None:
    rows = predictions()
    assert_frame_equal(draw(rows, 50, seed=1), draw(rows, 50, seed=1))
    assert set(draw(rows, 50, seed=1)["row_id"]) != set(draw(rows, 50, seed=2)["row_id"])


def test_a_row_is_drawn_as_often_as_it_is_said_to_be() -> None:
    rows, draws = predictions(rows=60), 3000
    drawn = pl.concat([draw(rows, 12, seed=seed) for seed in range(draws)])
    found = drawn.group_by("row_id").agg(pl.len() / draws, pl.col("inclusion").first())
    assert found.height == 60
    assert found["len"].to_numpy() == pytest.approx(found["inclusion"].to_numpy(), abs=0.035)
    assert found["inclusion"].sum() == pytest.approx(12)


@pytest.mark.parametrize("wrong_by", [0.0, 0.3])
def test_labels_correct_the_estimate_without_bias_whatever_the_probabilities_are_worth(wrong_by: float) -> None:
    rows = predictions(wrong_by=wrong_by)
    truth = (rows["prediction"] == rows["target"]).mean()
    found, held = [], []
    for seed in range(300):
        labels = draw(rows, 200, seed=seed).join(rows.select("row_id", "target"), on="row_id")
        estimate = corrected_accuracy(rows, labels, classes=CLASSES)
        found.append(estimate.value)
        held.append(estimate.low <= truth <= estimate.high)
    assert np.mean(found) == pytest.approx(truth, abs=3 * np.std(found) / np.sqrt(300))
    assert np.mean(held) >= 0.92


def test_the_rows_drawn_tell_more_than_as_many_drawn_evenly() -> None:
    rows = predictions()
    drawn, even = [], []
    for seed in range(300):
        labels = draw(rows, 200, seed=seed).join(rows.select("row_id", "target"), on="row_id")
        drawn.append(corrected_accuracy(rows, labels, classes=CLASSES).value)
        sample = rows.sample(200, seed=seed)
        even.append((sample["prediction"] == sample["target"]).mean())
    assert np.std(drawn) < 0.9 * np.std(even)


def test_all_rows_are_drawn_where_no_more_are_there_and_the_estimate_is_then_exact() -> None:
    rows = predictions(rows=30)
    labels = draw(rows, 100, seed=1)
    assert labels["inclusion"].to_list() == [1.0] * 30
    truth = (rows["prediction"] == rows["target"]).mean()
    found = corrected_accuracy(rows, labels.join(rows.select("row_id", "target"), on="row_id"), classes=CLASSES)
    assert (found.low, found.value, found.high) == pytest.approx((truth,) * 3)


def test_nothing_to_draw_from_gives_nothing() -> None:
    empty = predictions().clear()
    assert draw(empty, 10, seed=1).is_empty()
    assert draw(predictions(), 0, seed=1).is_empty()
    assert np.isnan(corrected_accuracy(empty, draw(empty, 10, seed=1), classes=CLASSES).value)


def test_rows_nobody_answered_and_negative_counts_are_refused() -> None:
    rows = predictions()
    labels = draw(rows, 5, seed=1).with_columns(target=pl.lit(None, dtype=pl.String))
    with pytest.raises(ModelError, match="each of the 5 rows drawn, found 5 without"):
        corrected_accuracy(rows, labels, classes=CLASSES)
    with pytest.raises(ModelError, match="found -1"):
        draw(rows, -1, seed=1)
