"""Correlation-only drift, where the truth is known: no single column shows it, the classifier test does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from driftbook.config import Policy, UseCase, load_policy
from driftbook.drift.calibration import calibrate
from driftbook.drift.domain import MOST_ROWS
from driftbook.drift.engine import analyse_drift, batch_verdicts, build_reference
from driftbook.drift.table_methods import DomainClassifier, Usual, table_amounts, table_deviations, usual

pytestmark = pytest.mark.simulation

COLUMNS = [f"x{place}" for place in range(10)]
KINDS = dict.fromkeys(COLUMNS, "numeric")
REFERENCE_DAYS = 40
CORRELATION = 0.6  # of the first two columns; every column stays standard normal
STRICT_DAYS = 365  # drift is to be found although only one undrifted day in so many may alarm
NULL_DAYS = 30  # a looser budget, so that a few hundred undrifted days can show that it is kept
PAIR = ("all columns", "domain_classifier")


def days(count: int, rows: int, *, seed: int, correlation: float = 0.0) -> list[pl.DataFrame]:
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, rows, len(COLUMNS)))
    values[..., 1] = correlation * values[..., 0] + np.sqrt(1 - correlation**2) * values[..., 1]
    return [pl.DataFrame(each, schema=COLUMNS) for each in values]


@dataclass(frozen=True)
class Watch:
    """The classifier test, calibrated on the days of a reference."""

    sample: pl.DataFrame
    usual: Usual
    limits: dict[int, float]

    def alarms(self, batches: list[pl.DataFrame], *, budget_days: int) -> list[bool]:
        found = table_deviations(self.sample, batches, method=self.usual.method, kinds=KINDS, seed=1)
        return [self.usual.amount(float(z)) > self.limits[budget_days] for z in found]


def watch(reference: list[pl.DataFrame], *, seed: int) -> Watch:
    rows = pl.concat(reference)
    places = np.sort(np.random.default_rng(seed).choice(rows.height, size=MOST_ROWS, replace=False))
    day = places // reference[0].height
    own = [np.flatnonzero(day == each) for each in range(len(reference))]
    method = DomainClassifier(explain=False)
    sample = rows[places]
    deviations = table_deviations(sample, reference, method=method, kinds=KINDS, seed=seed, own=own)
    learned = calibrate({PAIR: table_amounts(deviations, method=method)}, {PAIR: method.law()})
    limits = {budget: learned.amounts(1 / budget)[PAIR] for budget in (STRICT_DAYS, NULL_DAYS)}
    return Watch(sample, usual(deviations, method=method), limits)


def policy(budget_days: float) -> Policy:
    calibrated = load_policy("calibrated")
    threshold = calibrated.drift.threshold.model_copy(update={"days_per_false_alarm": budget_days})
    return calibrated.model_copy(update={"drift": calibrated.drift.model_copy(update={"threshold": threshold})})


def column_alarms(reference: list[pl.DataFrame], batches: list[pl.DataFrame], *, budget_days: float) -> list[bool]:
    """What the methods on single columns find under the calibrated policy."""
    case = UseCase.model_validate(
        {
            "name": "world", "title": "World", "task": "binary", "batch": {"rows": reference[0].height},
            "columns": {"target": "y", "positive_class": "1", "numeric": tuple(COLUMNS)},
            "source": {"kind": "files", "path": "world.csv"},
        }
    )  # fmt: skip
    before, after = (_joined(each) for each in (reference, batches))
    table = analyse_drift(build_reference(before, case=case, seed=1), after, policy=policy(budget_days))
    # only features that single-column methods measured: the table's own methods are what they are compared with
    return batch_verdicts(table.filter(pl.col("role") == "feature"), policy(budget_days))["alarmed"].to_list()


def _joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(part.with_columns(batch_id=pl.lit(f"{place:03d}")) for place, part in enumerate(parts))


@pytest.mark.parametrize("rows", [1_000, 2_400])
def test_no_single_column_shows_it_and_the_classifier_test_finds_at_least_nine_in_ten(rows: int) -> None:
    in_columns, in_tables = [], []
    for seed in (1, 2):
        reference = days(REFERENCE_DAYS, rows, seed=seed)
        drifted = days(15, rows, seed=100 + seed, correlation=CORRELATION)
        in_columns += column_alarms(reference, drifted, budget_days=STRICT_DAYS)
        in_tables += watch(reference, seed=seed).alarms(drifted, budget_days=STRICT_DAYS)
    assert np.mean(in_columns) == 0.0
    assert np.mean(in_tables) >= 0.9


def test_undrifted_days_alarm_no_more_often_than_budgeted() -> None:
    found = []
    for seed in range(5):
        reference = days(REFERENCE_DAYS, 1_000, seed=10 + seed)
        found += watch(reference, seed=seed).alarms(days(60, 1_000, seed=200 + seed), budget_days=NULL_DAYS)
    assert len(found) == 300
    assert np.mean(found) <= 1 / NULL_DAYS
