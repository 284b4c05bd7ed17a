"""The promise of the calibrated policy, where the truth is known: alarms at the budgeted rate, and finds drift."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from driftbook.config import Policy, UseCase, load_policy
from driftbook.drift.engine import analyse_drift, batch_verdicts, build_reference

pytestmark = pytest.mark.simulation

BUDGET_DAYS = 30
REFERENCE_DAYS, STREAM_DAYS, WORLDS = 40, 60, 6


def use_case(columns: int) -> UseCase:
    content = {
        "name": "world", "title": "World", "task": "binary", "batch": {"rows": 400},
        "columns": {"target": "y", "positive_class": "1", "numeric": tuple(f"x{place}" for place in range(columns))},
        "source": {"kind": "files", "path": "world.csv"},
    }  # fmt: skip
    return UseCase.model_validate(content)


def budget(days: float) -> Policy:
    policy = load_policy("calibrated")
    threshold = policy.drift.threshold.model_copy(update={"days_per_false_alarm": days})
    return policy.model_copy(update={"drift": policy.drift.model_copy(update={"threshold": threshold})})


def world(name: str, *, seed: int, days: int, rows: int, columns: int, shift: np.ndarray | None = None) -> pl.DataFrame:
    """Normal columns; days may differ by chance, or by season; from the stream's first day on ``shift`` is added."""
    random = np.random.default_rng(seed)
    daily = np.zeros((days, columns))
    if name == "days differ":
        daily = random.normal(0.0, 0.05, size=(days, columns))
    elif name == "days differ together":
        daily = np.repeat(random.normal(0.0, 0.05, size=(days, 1)), columns, axis=1)
    elif name == "weekly season":
        daily[np.arange(days) % 7 >= 5, : columns // 4] = 0.2
    if shift is not None:
        daily[REFERENCE_DAYS:] += shift
    values = random.normal(size=(days, rows, columns)) + daily[:, None, :]
    frame = pl.DataFrame(values.reshape(-1, columns), schema=[f"x{place}" for place in range(columns)])
    return frame.with_columns(pl.Series("batch_id", [f"{day:03d}" for day in np.repeat(np.arange(days), rows)]))


def alarms(rows: pl.DataFrame, policy: Policy, *, columns: int) -> list[bool]:
    first = f"{REFERENCE_DAYS:03d}"
    reference = build_reference(rows.filter(pl.col("batch_id") < first), case=use_case(columns), seed=1)
    table = analyse_drift(reference, rows.filter(pl.col("batch_id") >= first), policy=policy)
    return batch_verdicts(table, policy)["alarmed"].to_list()


@pytest.mark.parametrize("name", ["independent", "days differ", "days differ together", "weekly season"])
def test_undrifted_days_alarm_no_more_often_than_budgeted(name: str) -> None:
    policy, found = budget(BUDGET_DAYS), []
    for seed in range(WORLDS):
        rows = world(name, seed=seed, days=REFERENCE_DAYS + STREAM_DAYS, rows=400, columns=12)
        found += alarms(rows, policy, columns=12)
    assert len(found) == WORLDS * STREAM_DAYS
    assert np.mean(found) <= 1 / BUDGET_DAYS


def test_a_shift_of_three_tenths_of_a_deviation_on_three_of_twenty_columns_is_found_on_its_first_day() -> None:
    shift = np.zeros(20)
    shift[:3] = 0.3
    for seed in range(3):
        rows = world("independent", seed=seed, days=REFERENCE_DAYS + 2, rows=2_400, columns=20, shift=shift)
        assert alarms(rows, budget(365), columns=20) == [True, True]
