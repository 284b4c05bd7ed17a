from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from driftbook.model.estimation import estimate_performance, fit_estimation
from driftbook.model.isotonic import Recalibration
from driftbook.model.metrics import performance_by_batch
from driftbook.model.trust import TRUST_SCHEMA, calibration_trust, reason, withdraw

CLASSES = ["no", "yes"]
CHANGE = 6
AS_STATED = Recalibration()


def labelled(*, days: int = 12, rows: int = 1000, change: int | None = CHANGE, seed: int = 1) -> pl.DataFrame:
    """Predictions whose probabilities are true until the change; from then on a fifth of the rows turn to yes."""
    rng = np.random.default_rng(seed)
    chance, day = rng.beta(1, 2, days * rows), np.repeat(np.arange(days), rows)
    truth = chance if change is None else np.where(day >= change, chance + 0.2 * (1 - chance), chance)
    first = datetime(2026, 6, 1)
    return pl.DataFrame(
        {
            "batch_id": [f"{(first + timedelta(days=int(each))).date()}" for each in day],
            "known_time": [first + timedelta(days=int(each) + 3, hours=2) for each in day],
            "prediction": np.where(chance > 0.5, "yes", "no"),
            "probabilities": np.column_stack([1 - chance, chance]).tolist(),
            "target": np.where(rng.random(chance.size) < truth, "yes", "no"),
        }
    )


def trust(rows: pl.DataFrame, **options) -> pl.DataFrame:
    return calibration_trust(rows, **{"classes": CLASSES, "recalibration": AS_STATED, **options})


def test_a_change_is_found_on_the_first_day_its_targets_are_known_and_dated_to_its_batch() -> None:
    found = trust(labelled())
    assert found.schema == TRUST_SCHEMA
    assert found["broken"].to_list() == [False] * CHANGE + [True] * 6
    assert found["since"].to_list() == [None] * CHANGE + ["2026-06-07"] * 6
    assert found["known_on"][CHANGE] == date(2026, 6, 10)


def test_probabilities_that_hold_are_not_called_broken() -> None:
    found = trust(labelled(days=60, change=None))
    assert not found["broken"].any()
    assert found["promised"].to_numpy() == pytest.approx(found["found"].to_numpy(), abs=0.06)


def test_a_change_for_the_better_is_a_change_too() -> None:
    rows = pl.DataFrame({"batch_id": ["a"] * 2000, "probabilities": [[0.4, 0.6]] * 2000, "target": ["yes"] * 2000})
    assert trust(rows.with_columns(known_time=datetime(2026, 6, 1)))["broken"].to_list() == [True]


def test_the_answer_of_a_day_rests_on_what_was_known_by_then() -> None:
    rows = labelled()
    for day in (3, CHANGE, 9):
        known = rows.filter(pl.col("known_time").dt.date() <= date(2026, 6, 4) + timedelta(days=day))
        assert_frame_equal(trust(known), trust(rows).head(day + 1))


def test_what_is_granted_for_the_reference_follows_from_the_days_up_to_then_only() -> None:
    """Days to come promise other chances: as many near one half as there were sure ones before."""
    rows = labelled(days=8, change=None)
    unsure = labelled(days=16, change=None, seed=2).filter(pl.col("batch_id") > rows["batch_id"].max())
    unsure = unsure.filter(pl.col("probabilities").list.get(1).is_between(0.4, 0.6))
    learned = fit_estimation(labelled(days=3, change=None, seed=3), classes=CLASSES, positive="yes")
    assert learned.maps
    options = {"recalibration": learned}
    assert_frame_equal(trust(rows, **options), trust(pl.concat([rows, unsure]), **options).head(8), check_exact=True)


def test_the_order_of_rows_does_not_matter() -> None:
    rows = labelled(days=8)
    assert_frame_equal(trust(rows.sample(fraction=1.0, shuffle=True, seed=1)), trust(rows))


def test_targets_that_come_late_count_on_the_day_they_come() -> None:
    rows = labelled(days=4, change=0)
    late = rows.with_columns(known_time=datetime(2026, 7, 1))
    found = trust(late)
    assert found.select("known_on", "batch_id", "rows").rows() == [(date(2026, 7, 1), "2026-06-01", 4000)]


def test_without_targets_there_is_no_answer() -> None:
    none = labelled(days=1).with_columns(target=pl.lit(None, dtype=pl.String))
    assert trust(none).is_empty()
    assert trust(none).schema == TRUST_SCHEMA
    estimated = estimate_performance(none, classes=CLASSES, positive="yes")
    assert_frame_equal(withdraw(estimated, trust(none)).drop("withdrawn", "note"), estimated)


def test_the_evidence_is_the_wealth_of_gamblers_on_one_day_by_hand() -> None:
    row = pl.DataFrame({"batch_id": ["a"], "probabilities": [[0.5, 0.5]], "prediction": ["yes"], "target": ["yes"]})
    found = trust(row.with_columns(known_time=datetime(2026, 6, 1)))
    wealth = []
    for direction in (-1, 1):
        granted = 1 / (1 + np.exp(-direction * 0.1))
        for step in (0.1, 0.2, 0.4, 0.8, 1.6):
            bet = direction * step
            wealth.append(np.exp(bet) / (1 - granted + granted * np.exp(bet)))
    # the decision and the class are the same event here; nobody is sure, so the third gambler keeps the money
    average = (2 * np.sum(wealth) + 10) / 30
    assert found["log_evidence"][0] == pytest.approx(np.log(0.5 * average + 0.5))


def test_days_that_differ_in_the_reference_are_granted_to_the_stream() -> None:
    rows = labelled(days=8, rows=400, change=None)
    shifted = rows.with_columns(
        target=pl.when(pl.int_range(pl.len()) % 12 == 0).then(pl.lit("yes")).otherwise("target")
    )
    calm = trust(shifted)["log_evidence"][-1]
    restless = trust(shifted, recalibration=Recalibration(days=40, day_correlation=0.05))["log_evidence"][-1]
    assert restless < calm


def test_several_classes_are_watched_one_by_one() -> None:
    rng, names = np.random.default_rng(4), ["a", "b", "c"]
    table = rng.dirichlet([2, 2, 2], 6000)
    code = (rng.random(6000)[:, None] > table.cumsum(axis=1)).sum(axis=1)
    code[3000:][code[3000:] == 1] = np.where(rng.random(int((code[3000:] == 1).sum())) < 0.5, 2, 1)
    rows = pl.DataFrame({"batch_id": np.repeat(["x", "y"], 3000), "probabilities": table.tolist()}).with_columns(
        target=pl.Series(np.take(names, code)),
        known_time=pl.Series([datetime(2026, 6, 1)] * 3000 + [datetime(2026, 6, 2)] * 3000),
    )
    assert trust(rows, classes=names)["since"].to_list() == [None, "y"]


def test_estimates_are_withdrawn_from_that_batch_on_and_say_why() -> None:
    rows = labelled(seed=2)
    estimated = estimate_performance(rows, classes=CLASSES, positive="yes")
    realised = performance_by_batch(rows, classes=CLASSES, positive="yes")
    found = withdraw(estimated, trust(rows))
    assert_frame_equal(found.filter(~pl.col("withdrawn")).drop("withdrawn", "note"), estimated.head(CHANGE * 6))
    gone = found.filter("withdrawn")
    assert gone["batch_id"].unique().sort().to_list() == [f"2026-06-{day:02d}" for day in range(7, 13)]
    assert gone.select("value", "low", "high").null_count().row(0) == (gone.height,) * 3
    assert found["note"].null_count() == CHANGE * 6
    assert gone["note"].unique().to_list() == [reason(trust(rows))]
    assert "from batch 2026-06-07 on: its targets, known on 2026-06-10, contradict" in reason(trust(rows))
    accuracy = realised.filter(pl.col("metric") == "accuracy").tail(6)["value"].mean()
    assert f"{100 * accuracy:.1f}\u00a0% were" in reason(trust(rows))
