"""The familiar tests hold what they promise for one look at independent rows, and only then: known truth, seeded."""

import numpy as np
import pytest
from simulations.familiar_looks import (
    DEMONSTRATED_DAYS,
    LEVEL,
    TOGETHER,
    bootstrap_misses,
    called_better,
    equal_models,
    proven_better,
)

pytestmark = pytest.mark.simulation
RUNS = 1500


def error(share, runs):
    """Three standard errors of a share."""
    return 3 * np.sqrt(share * (1 - share) / runs)


@pytest.mark.parametrize("rows", [480, 2400, 24000])
def test_one_look_at_independent_rows_keeps_mcnemars_promise(rows):
    called = called_better(*equal_models(runs=RUNS, rows=rows, day_spread=0.0))[:, -1].mean()
    assert abs(called - LEVEL / 2) < error(LEVEL / 2, RUNS)


@pytest.mark.parametrize("rows", [480, 2400])
def test_looked_at_daily_an_equal_challenger_is_called_better_far_too_often_but_not_by_the_sequence(rows):
    wins, losses = equal_models(runs=RUNS, rows=rows, day_spread=0.0)
    assert called_better(wins, losses).any(axis=1).mean() > 4 * LEVEL / 2
    assert proven_better(wins, losses, rows).any(axis=1).mean() <= 0.01


def test_even_one_look_is_too_many_where_rows_of_a_day_move_together():
    called = called_better(*equal_models(runs=RUNS, rows=24000, day_spread=TOGETHER))[:, -1].mean()
    assert called > 4 * LEVEL / 2


@pytest.mark.parametrize("days", DEMONSTRATED_DAYS)
def test_the_bootstrap_by_day_keeps_its_promise_for_one_look(days):
    missed = bootstrap_misses(runs=300, days=days) / 300
    assert missed < 0.05 + error(0.05, 300)
