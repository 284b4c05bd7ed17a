from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sklearn.isotonic import IsotonicRegression

from driftbook.errors import ModelError
from driftbook.model.isotonic import IsotonicMap, Recalibration, fit_isotonic, fit_recalibration

EXACT = 1e-12


def scores_and_hits(rows: int, *, decimals: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random(rows), decimals)
    return scores, (rng.random(rows) < scores**2).astype(float)


@pytest.mark.parametrize(("rows", "decimals"), [(1, 3), (2, 3), (50, 1), (400, 2), (3000, 8)])
def test_the_map_is_that_of_scikit_learn_between_its_points_and_beyond_them(rows: int, decimals: int) -> None:
    scores, hits = scores_and_hits(rows, decimals=decimals, seed=rows)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, hits)
    asked = np.linspace(-0.2, 1.2, 2001)
    assert fit_isotonic(scores, hits).apply(asked) == pytest.approx(theirs.predict(asked), abs=EXACT)


def test_adjacent_violators_are_pooled_to_their_mean() -> None:
    fitted = fit_isotonic(np.array([0.1, 0.2, 0.2, 0.4, 0.5]), np.array([0.0, 1.0, 1.0, 0.0, 1.0]))
    assert fitted.score == (0.1, 0.2, 0.4, 0.5)
    assert fitted.share == pytest.approx((0.0, 2 / 3, 2 / 3, 1.0))
    assert fitted.rows == (1.0, 3.0, 3.0, 1.0)


def test_a_step_without_a_miss_is_not_certain() -> None:
    step = IsotonicMap(score=(0.5,), share=(1.0,), rows=(9.0,))
    assert step.apply(np.array([0.7])).tolist() == [1.0]
    assert step.cautious(np.array([0.7])).tolist() == [0.95]


def test_the_variance_of_a_sum_is_that_of_its_steps() -> None:
    two = IsotonicMap(score=(0.2, 0.3, 0.8), share=(0.25, 0.25, 0.5), rows=(99.0, 99.0, 9.0))
    low, high = (0.25 * 99 + 0.5) / 100, 0.5
    found = two.variance(np.array([0.1, 0.25, 0.9]))(np.array([1.0, 2.0, 3.0]))
    assert found == pytest.approx(9 * low * (1 - low) / 99 + 9 * high * (1 - high) / 9)


def test_chance_in_the_reference_moves_a_sum_about_as_much_as_said() -> None:
    asked, sums, said = np.random.default_rng(1).random(500), [], []
    for seed in range(300):
        fitted = fit_isotonic(*scores_and_hits(800, decimals=8, seed=seed))
        sums.append(fitted.apply(asked).mean())
        said.append(fitted.variance(asked)(np.full(500, 1 / 500)))
    assert np.mean(said) == pytest.approx(np.var(sums), rel=0.25)


def test_probabilities_of_several_classes_are_put_right_one_by_one_and_add_up_to_one() -> None:
    rng, names = np.random.default_rng(2), ["a", "b", "c"]
    stated = rng.dirichlet([1, 1, 1], 2000)
    target = pl.Series([names[rng.choice(3, p=row)] for row in stated])
    fitted = fit_recalibration(stated, target, classes=names)
    each = [
        IsotonicRegression(out_of_bounds="clip").fit(stated[:, at], (target == name).to_numpy()).predict(stated[:, at])
        for at, name in enumerate(names)
    ]
    expected = np.column_stack(each) / np.column_stack(each).sum(axis=1, keepdims=True)
    assert fitted.probabilities(stated) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "rare", "note"),
    [(200, 100, "the reference has 200 rows with targets"), (1000, 5, "the reference has 5 rows of class 'yes'")],
)
def test_too_few_rows_leave_the_probabilities_as_they_are_and_say_so(rows: int, rare: int, note: str) -> None:
    stated = np.column_stack([np.full(rows, 0.3), np.full(rows, 0.7)])
    fitted = fit_recalibration(stated, ["yes"] * rare + ["no"] * (rows - rare), classes=["no", "yes"])
    assert fitted.probabilities(stated) is stated
    assert fitted.note.startswith(note)
    assert fitted.note.endswith("they are taken as they are")


def test_it_is_read_back_as_it_was_written() -> None:
    scores, hits = scores_and_hits(900, decimals=3, seed=1)
    target = np.where(hits > 0, "yes", "no").tolist()
    days = pl.Series(np.arange(900) % 9)
    fitted = fit_recalibration(np.column_stack([1 - scores, scores]), target, classes=["no", "yes"], days=days)
    assert Recalibration.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted
    with pytest.raises(ModelError, match="train the model again"):
        Recalibration.from_json({"maps": [{"score": [0.5]}]})


def test_days_that_differ_beyond_chance_are_noticed_and_days_that_do_not_are_not() -> None:
    rng = np.random.default_rng(3)
    day = np.repeat(np.arange(60), 500)
    scores = rng.uniform(0.2, 0.8, day.size)
    found = []
    for spread in (0.0, 0.1):
        chance = np.clip(scores + rng.normal(0, spread, 60)[day], 0, 1)
        target = np.where(rng.random(day.size) < chance, "yes", "no").tolist()
        stated = np.column_stack([1 - scores, scores])
        found.append(fit_recalibration(stated, target, classes=["no", "yes"], days=pl.Series(day)))
    assert [each.days for each in found] == [60, 60]
    assert found[0].day_correlation < 1e-3
    # the variance of the days, 0.01, over that of a row, about 0.22
    assert 0.03 < found[1].day_correlation < 0.07
