"""The promise of the calibrated policy on dashboards checked every hour: the full run's code on a few months."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from simulations.quiet_months import BUDGET_DAYS, false_alarms, stream, table
from simulations.rules import BATCH, BOTH, EVIDENCE, OTHERS, Rules, ks_limit, policy
from simulations.worlds import HOURS, WORLDS, Change, World

from driftbook.config import load_policy
from driftbook.drift.batches import stack_batches
from driftbook.drift.engine import analyse_drift, batch_verdicts

pytestmark = pytest.mark.simulation


def small(name: str, *, days: int = 60) -> World:
    return World(name, 7, columns=20, reference_days=15, stream_days=days)


@pytest.mark.parametrize("name", WORLDS)
def test_quiet_months_alarm_no_more_often_than_budgeted_and_customary_rules_far_more(name: str) -> None:
    found = false_alarms(small(name))
    assert all(len(months) == 2 for months in found.values())
    assert np.mean(found[BOTH]) <= 1
    assert np.mean(found[EVIDENCE]) <= 0.25
    assert np.mean(found["NannyML: any column"]) > 10
    assert np.mean(found["KS p < .05: any column"]) > 300
    assert np.mean(found["Evidently: half of the columns"]) > 300
    assert f"| {BOTH} |" in table({name: [found]})


def test_the_simulation_alarms_where_the_engine_does() -> None:
    world = small("independent", days=6)
    rules = Rules(world.reference(), BUDGET_DAYS, HOURS, world.columns)
    change = Change(jump=0.7)
    columns = {name: world.column(place, first_day=15, days=6) for place, name in enumerate(world.names)}
    columns["c2"] = world.column(2, first_day=15, days=6, change=change)
    hours = pl.Series("batch_id", np.arange(6 * HOURS)).cast(pl.String).str.zfill(6)
    frame = pl.DataFrame(columns).with_columns(hours.gather(np.repeat(np.arange(6 * HOURS), world.rows)))
    drift = policy(BUDGET_DAYS).model_copy(update={"table": ("e_cusum",)})
    chosen = load_policy("calibrated").model_copy(update={"drift": drift})
    verdicts = batch_verdicts(analyse_drift(rules.reference, frame, policy=chosen), chosen)
    offsets = np.arange(6 * HOURS + 1) * world.rows
    batches = ((name, stack_batches(columns[name], offsets, kind=world.kind(int(name[1:])))) for name in columns)
    alarms = rules.alarms(batches)
    assert verdicts["alarmed"].to_list() == alarms[BOTH].tolist()
    assert 0 < alarms[BATCH].sum() < 6 * HOURS


def test_the_distance_at_a_level_has_that_p_value() -> None:
    from scipy import stats

    limit = ks_limit(36_000, 100, 0.05)
    assert stats.kstwo.sf(limit, round(36_000 * 100 / 36_100)) == pytest.approx(0.05, rel=1e-3)


def test_the_months_are_the_same_for_the_same_seed() -> None:
    first, second = (next(stream(small("seasonal", days=1)))[1].values for _ in range(2))
    assert first.tolist() == second.tolist()
    assert set(OTHERS).isdisjoint({BOTH, BATCH, EVIDENCE})
