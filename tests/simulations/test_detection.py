"""What is found and how soon: the full run's code on a few trials."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from simulations.detection import DAILY, HOURLY, PSI_QUARTER, daily, delays, hourly, learned, table
from simulations.rules import BATCH, BOTH, EVIDENCE, Rules
from simulations.worlds import World

from driftbook.drift.methods import method
from driftbook.drift.profile import column_profile

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def days() -> tuple[World, Rules]:
    world = daily(1)
    return world, learned(world)


def test_a_shift_of_half_a_deviation_has_a_psi_of_a_quarter() -> None:
    random = np.random.default_rng(1)
    before, after = (
        column_profile(pl.Series(random.normal(each, size=200_000)), kind="numeric") for each in (0, PSI_QUARTER)
    )
    assert method("psi").measure(before, after).statistic == pytest.approx(0.25, abs=0.01)


def test_a_psi_of_a_quarter_on_one_of_80_columns_is_found_in_the_first_hour() -> None:
    world = hourly(3, reference_days=5)
    found = delays(world, learned(world), HOURLY[0], trials=10)
    assert np.mean(np.array(found[BOTH]) == 1) >= 0.95
    assert not np.isfinite(found["Evidently: half of the columns"]).any()


@pytest.mark.parametrize("place", [0, 4, 5])
def test_a_clear_change_of_some_columns_is_found_on_its_first_day(days: tuple[World, Rules], place: int) -> None:
    found = delays(*days, DAILY[place], trials=5)
    assert found[BOTH] == [1.0] * 5
    assert not np.isfinite(found["PSI > .25: any column"]).any()


def test_evidence_finds_what_no_single_day_shows(days: tuple[World, Rules]) -> None:
    slow = next(drift for drift in DAILY if "0.03" in drift.title)
    found = delays(*days, slow, trials=6)
    alone, both = (np.isfinite(found[rule]).mean() for rule in (BATCH, BOTH))
    assert both > alone
    assert np.isfinite(found[EVIDENCE]).mean() >= 0.8
    assert slow.title in table({slow.title: found}, unit="d")
