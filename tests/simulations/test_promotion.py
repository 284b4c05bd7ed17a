"""Claims about error rates of the promotion rule, with a known truth and a seed: the full run's code on fewer runs."""

import numpy as np
import pytest
from simulations.promotions import (
    LATE_DAYS,
    POLICY,
    ROWS,
    TOGETHER,
    World,
    decided_after,
    false_promotions,
    held_up,
    promoted,
    proven,
)

pytestmark = pytest.mark.simulation

RUNS = 1000
# of 1,000 runs at one percent each; more are found in one of a thousand tests
MOST = 20


@pytest.mark.parametrize("late_days", [0, LATE_DAYS])
@pytest.mark.parametrize("rows", ROWS)
def test_an_equal_challenger_is_hardly_ever_promoted_however_often_one_looks(rows, late_days):
    counts = false_promotions(World(rows, late_days=late_days), runs=RUNS)
    assert counts["statistical"] <= RUNS * POLICY.false_promotion_rate
    assert counts["both"] <= counts["statistical"]


@pytest.mark.parametrize("late_days", [0, LATE_DAYS])
@pytest.mark.parametrize("rows", ROWS)
def test_nor_when_the_rows_of_a_day_move_together(rows, late_days):
    counts = false_promotions(World(rows, day_spread=TOGETHER, late_days=late_days), runs=RUNS)
    assert counts["statistical"] <= MOST
    assert counts["both"] <= RUNS * POLICY.false_promotion_rate


def test_counting_rows_as_independent_would_promote_by_chance_when_they_move_together():
    counts = false_promotions(World(24_000, day_spread=TOGETHER), runs=RUNS)
    assert counts["by rows"] > 0.3 * RUNS


def test_taking_days_of_arrival_for_days_of_events_would_promote_by_chance_when_targets_come_late():
    counts = false_promotions(World(24_000, day_spread=TOGETHER, late_days=LATE_DAYS), runs=RUNS)
    assert counts["by arrival"] > 0.03 * RUNS
    assert counts["by arrival"] > 3 * counts["statistical"]


@pytest.mark.parametrize(("rows", "share"), [(480, 0.9), (2_400, 0.3)])
def test_the_bare_rule_on_split_traffic_promotes_an_equal_challenger_sooner_or_later(rows, share):
    assert false_promotions(World(rows), runs=RUNS)["bare, split"] > share * RUNS


def test_shadow_scoring_alone_does_not_cure_the_bare_rule():
    assert false_promotions(World(480), runs=RUNS)["bare"] > 0.05 * RUNS


@pytest.mark.parametrize("late_days", [0, LATE_DAYS])
def test_two_points_are_seen_within_three_days_of_labels_by_the_statistical_condition(late_days):
    assert np.median(decided_after(World(2_400, 0.02, 0.0, late_days, 30), runs=4 * RUNS, rule=proven)) <= 3


@pytest.mark.parametrize(("advantage", "day_spread", "median_days"), [(0.03, 0.0, 4), (0.03, 0.005, 5), (0.04, 0.0, 3)])
def test_a_better_challenger_is_promoted_within_days(advantage, day_spread, median_days):
    days = decided_after(World(2_400, advantage, day_spread, days=30), runs=RUNS, rule=promoted)
    assert np.isfinite(days).mean() > 0.99
    assert np.median(days) <= median_days


def test_the_segment_guardrail_seldom_stands_against_a_better_challenger_by_chance():
    assert held_up(480, after_days=10, runs=RUNS) <= MOST
    assert held_up(2_400, after_days=3, runs=RUNS) <= MOST
