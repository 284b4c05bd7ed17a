"""Simulated days are the same whoever asks, look like customers, and carry a truth that can be trusted."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from driftbook.config import Settings, UseCase, load_use_case
from driftbook.config.use_case import FilesSource
from driftbook.data.customers import EFFECTS, churn_probability, draw_customers
from driftbook.data.scenarios import SCENARIOS, scenario
from driftbook.data.simulate import best_accuracy, first_day, last_day, simulate_day, true_probability
from driftbook.errors import ConfigError, DataError, SchemaError
from driftbook.schema import batch_schema, conform

ROOT = Path(__file__).parents[1]
BEFORE, ONSET, LATER = date(2026, 5, 31), date(2026, 6, 1), date(2026, 6, 29)
SECONDS_PER_STORY = 3.0


def churn(scenario_name: str = "declared", **changes: Any) -> UseCase:
    return load_use_case("churn", scenario=scenario_name, settings=Settings(root=ROOT)).model_copy(update=changes)


def small(case: UseCase, rows_per_day: int = 60) -> UseCase:
    return case.model_copy(update={"source": case.source.model_copy(update={"rows_per_day": rows_per_day})})


def test_the_declared_use_case_tells_a_story_of_history_stream_and_onset() -> None:
    case = churn()
    assert scenario(case.scenario.name).name == "sudden"
    assert (first_day(case), last_day(case)) == (date(2026, 4, 7), date(2026, 6, 30))
    assert first_day(case) + timedelta(days=40 + case.scenario.onset_day - 1) == ONSET


def test_a_day_depends_on_seed_and_date_alone() -> None:
    case = small(churn())
    alone = simulate_day(case, LATER)
    for day in (BEFORE, ONSET):
        simulate_day(case, day)
    assert_frame_equal(simulate_day(case, LATER), alone)
    assert not simulate_day(case.model_copy(update={"seed": 1}), LATER).equals(alone)


def test_a_scenario_leaves_every_day_before_its_onset_as_it_was() -> None:
    stable = simulate_day(small(churn("stable")), BEFORE)
    for name in SCENARIOS:
        assert_frame_equal(simulate_day(small(churn(name)), BEFORE), stable)


def test_a_day_conforms_to_the_schema_without_a_fault() -> None:
    for name in ("stable", "missing_values", "new_category"):
        case = small(churn(name))
        table = simulate_day(case, LATER)
        conformed = conform(table.rename({"scored_at": "event_time"}).with_columns(scored_at="event_time"), case)
        assert conformed.quarantined.is_empty()
        assert conformed.rows.columns == [*batch_schema(case), "target"]
        assert set(conformed.rows["target"]) == {"yes", "no"}


def test_times_ascend_within_the_day_and_identifiers_never_repeat() -> None:
    case = small(churn())
    days = [simulate_day(case, day) for day in (BEFORE, ONSET)]
    assert pl.concat(days)["customer_id"].is_unique().all()
    for table, day in zip(days, (BEFORE, ONSET), strict=True):
        assert table["scored_at"].is_sorted()
        assert set(table["scored_at"].dt.date()) == {day}


def test_rows_vary_a_little_from_day_to_day_and_average_what_was_asked() -> None:
    case = small(churn("class_balance"), 400)
    counts = [simulate_day(case, first_day(case) + timedelta(days=i)).height for i in range(85)]
    assert len(set(counts)) > 20
    assert np.mean(counts) == pytest.approx(400, rel=0.02)
    assert max(counts) < 500


def test_a_few_percent_of_values_are_missing_and_the_rest_is_plausible() -> None:
    customers = draw_customers(20_000, weekday=2, rng=np.random.default_rng(0))
    missing = {name: customers[name].null_count() / 20_000 for name in customers.columns}
    assert {name for name, share in missing.items() if share} == {"age", "data_usage_gb"}
    assert missing["age"] == pytest.approx(0.03, abs=0.005)
    assert customers.filter(pl.col("internet_service") == "none")["data_usage_gb"].null_count() > 2000
    assert customers["tenure_months"].min() == 1
    assert customers.select(pl.corr("tenure_months", "total_charges")).item() > 0.7
    assert all(set(effect) <= set(customers[name]) for name, effect in EFFECTS.items())


def test_about_a_quarter_of_the_customers_leave_and_the_best_accuracy_is_below_ninety() -> None:
    probability = churn_probability(draw_customers(20_000, weekday=2, rng=np.random.default_rng(0)))
    assert 0.2 < probability.mean() < 0.3
    assert 0.86 < best_accuracy(churn("stable"), BEFORE) < 0.9


@pytest.mark.parametrize("name", ["stable", "sudden", "concept", "class_balance"])
def test_targets_follow_the_true_probability(name: str) -> None:
    case = small(churn(name), 20_000)
    left = (simulate_day(case, LATER)["churned"] == "yes").to_numpy()
    truth = true_probability(case, LATER)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = (truth >= low) & (truth < low + 0.2)
        allowed = 4 * np.sqrt(0.25 / inside.sum())
        assert left[inside].mean() == pytest.approx(truth[inside].mean(), abs=allowed)


@pytest.mark.parametrize("name", ["stable", "sudden", "class_balance"])
def test_the_best_accuracy_is_what_the_truth_achieves(name: str) -> None:
    case = small(churn(name), 20_000)
    left = (simulate_day(case, LATER)["churned"] == "yes").to_numpy()
    achieved = ((true_probability(case, LATER) > 0.5) == left).mean()
    assert achieved == pytest.approx(best_accuracy(case, LATER), abs=0.01)


def test_the_declared_shock_costs_whoever_knows_only_the_old_law_more_than_four_points() -> None:
    case = small(churn(), 20_000)
    table = simulate_day(case, LATER)
    left = (table["churned"] == "yes").to_numpy()
    old = ((churn_probability(table) > 0.5) == left).mean()
    assert best_accuracy(churn("stable"), LATER) - old > 0.04
    assert best_accuracy(case, LATER) - old > 0.05


def test_a_changed_concept_moves_no_feature() -> None:
    concept, stable = (simulate_day(small(churn(name)), LATER) for name in ("concept", "stable"))
    assert_frame_equal(concept.drop("churned"), stable.drop("churned"))
    assert not concept["churned"].equals(stable["churned"])


def test_when_features_move_the_relation_to_the_target_stays() -> None:
    case = small(churn("gradual"))
    assert true_probability(case, LATER) == pytest.approx(churn_probability(simulate_day(case, LATER)))


def test_a_broken_feed_does_not_change_the_customers() -> None:
    broken, stable = (simulate_day(small(churn(name)), LATER) for name in ("missing_values", "stable"))
    assert broken["monthly_charges"].null_count() > 0
    assert true_probability(small(churn("missing_values")), LATER) == pytest.approx(churn_probability(stable))


def test_a_day_outside_history_and_stream_is_refused_with_the_days_there_are() -> None:
    for day in (date(2026, 4, 6), date(2026, 7, 1)):
        with pytest.raises(DataError, match="knows 2026-04-07 to 2026-06-30"):
            simulate_day(churn(), day)


def test_columns_and_classes_that_the_simulator_does_not_make_are_refused() -> None:
    case = churn()
    strange = case.model_copy(update={"columns": case.columns.model_copy(update={"numeric": ("age", "shoe_size")})})
    with pytest.raises(SchemaError, match="shoe_size"):
        simulate_day(strange, BEFORE)
    inverted = case.model_copy(update={"columns": case.columns.model_copy(update={"positive_class": "1"})})
    with pytest.raises(ConfigError, match="positive_class 'yes', found binary and '1'"):
        simulate_day(inverted, BEFORE)
    from_files = case.model_copy(update={"source": FilesSource(kind="files", path="churn.csv")})
    with pytest.raises(ConfigError, match=r"source\.kind simulate, found 'files'"):
        first_day(from_files)


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(ConfigError, match="no scenario 'sundden'; did you mean 'sudden'"):
        simulate_day(churn("sundden"), BEFORE)


def test_the_whole_story_is_made_in_a_few_seconds() -> None:
    case = churn()
    start = time.process_time()
    rows = sum(simulate_day(case, first_day(case) + timedelta(days=i)).height for i in range(85))
    assert rows > 200_000
    assert time.process_time() - start < SECONDS_PER_STORY
