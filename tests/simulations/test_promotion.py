"""Claims about error rates of the promotion rule, with a known truth and a seed.

Each run is 90 labelled days, looked at every day. ``correlated`` lets the true difference of the two models wander by
one point from day to day, so that rows of one day move together.
"""

import numpy as np
import pytest

from driftbook.config.policy import PromotionPolicy
from driftbook.decisions.sequential import PairedSums, effective_sums, log_evidence

pytestmark = pytest.mark.simulation

POLICY = PromotionPolicy()
DISAGREEMENT = 0.12
RUNS = 1500


def simulate(*, rows, advantage, day_spread=0.0, days=90, seed=5):
    """Wins and losses of the challenger, shape (runs, days)."""
    rng = np.random.default_rng(seed)
    difference = advantage + day_spread * rng.standard_normal((RUNS, days))
    win = ((DISAGREEMENT + difference) / 2).clip(0, 1)
    lose = ((DISAGREEMENT - difference) / 2).clip(0, 1)
    wins = rng.binomial(rows, win)
    losses = rng.binomial(rows - wins, (lose / (1 - win)).clip(0, 1))
    return wins, losses


def conditions(wins, losses, rows):
    """Per run and day: whether the statistical condition holds, and whether the business condition does."""
    days = PairedSums.of(np.full(wins.shape, rows), wins - losses, wins + losses, is_sign=True)
    statistical = log_evidence(effective_sums(days)) >= -np.log(POLICY.false_promotion_rate)
    return statistical, stable((wins - losses) / rows)


def stable(difference):
    """Where the margin is reached on three days in a row."""
    reached = difference >= POLICY.margin - 1e-9
    held = np.zeros_like(reached)
    held[:, 2:] = reached[:, 2:] & reached[:, 1:-1] & reached[:, :-2]
    return held


def ever(condition):
    return condition.any(axis=1).mean()


@pytest.mark.parametrize("rows", [480, 2400, 24000])
def test_an_equal_challenger_is_hardly_ever_promoted_however_often_one_looks(rows):
    statistical, business = conditions(*simulate(rows=rows, advantage=0.0), rows)
    assert ever(statistical) <= POLICY.false_promotion_rate
    assert ever(statistical & business) <= POLICY.false_promotion_rate


@pytest.mark.parametrize("rows", [480, 2400, 24000])
def test_nor_when_the_rows_of_a_day_move_together(rows):
    wins, losses = simulate(rows=rows, advantage=0.0, day_spread=0.01)
    statistical, business = conditions(wins, losses, rows)
    assert ever(statistical & business) <= POLICY.false_promotion_rate


def test_counting_rows_as_independent_would_promote_by_chance_when_they_move_together():
    wins, losses = simulate(rows=24000, advantage=0.0, day_spread=0.01)
    naive = PairedSums.of(
        np.full(wins.shape, 24000).cumsum(axis=1),
        (wins - losses).cumsum(axis=1),
        (wins + losses).cumsum(axis=1),
        is_sign=True,
    )
    assert ever(log_evidence(naive) >= np.log(100)) > 0.3


@pytest.mark.parametrize(("rows", "share"), [(480, 0.9), (2400, 0.3)])
def test_the_bare_rule_on_split_traffic_promotes_an_equal_challenger_sooner_or_later(rows, share):
    rng = np.random.default_rng(5)
    challenger = rng.binomial(rows // 10, 0.87, (RUNS, 90)) / (rows // 10)
    champion = rng.binomial(rows - rows // 10, 0.87, (RUNS, 90)) / (rows - rows // 10)
    assert ever(stable(challenger - champion)) > share


def test_shadow_scoring_alone_does_not_cure_the_bare_rule():
    statistical, business = conditions(*simulate(rows=480, advantage=0.0), 480)
    assert ever(business) > 0.05
    assert ever(statistical & business) <= POLICY.false_promotion_rate


@pytest.mark.parametrize(("advantage", "day_spread", "median_days"), [(0.03, 0.0, 4), (0.03, 0.005, 5), (0.04, 0.0, 3)])
def test_a_better_challenger_is_promoted_within_days(advantage, day_spread, median_days):
    statistical, business = conditions(*simulate(rows=2400, advantage=advantage, day_spread=day_spread, days=30), 2400)
    promoted = statistical & business
    assert ever(promoted) > 0.99
    assert np.median(promoted.argmax(axis=1) + 1) <= median_days


def test_two_points_are_seen_within_four_labelled_days_by_the_statistical_condition():
    statistical, _ = conditions(*simulate(rows=2400, advantage=0.02, days=30), 2400)
    assert np.median(statistical.argmax(axis=1) + 1) <= 4
