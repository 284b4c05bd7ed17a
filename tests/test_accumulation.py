from __future__ import annotations

import numpy as np
import pytest

from driftbook.config.policy import DriftPolicy
from driftbook.drift.accumulation import accumulate, conformal_p_values, measure_evidence, step_bets
from driftbook.drift.calibration import Basis
from driftbook.drift.contract import Scale
from driftbook.drift.measuring import Measured
from driftbook.drift.null_laws import ChiSquare
from driftbook.drift.thresholds import CalibratedLimits, limits_from_laws

PAIR = ("age", "psi")
RATE = 1 / 30


def amounts(size: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).chisquare(9, size=size)


def test_a_rank_counts_the_known_and_the_batches_of_earlier_steps() -> None:
    ranks = conformal_p_values(np.array([5.0, 4.0, 4.5, 4.2]), np.array([1.0, 2.0, 3.0]), batches_per_step=2)
    assert ranks.tolist() == [1 / 4, 1 / 4, 2 / 6, 2 / 6]


def test_ties_count_as_larger_and_a_missing_amount_has_no_rank_and_no_place_in_history() -> None:
    ranks = conformal_p_values(np.array([3.0, np.nan, 3.0]), np.array([3.0, 1.0]))
    assert ranks[[0, 2]].tolist() == [2 / 3, 3 / 4]
    assert np.isnan(ranks[1])


def test_ranks_are_the_same_whether_or_not_batches_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    some, known = amounts(50, seed=1), amounts(20, seed=2)
    whole = conformal_p_values(some, known, batches_per_step=3)
    monkeypatch.setattr("driftbook.drift.accumulation.TILE", 7)
    assert conformal_p_values(some, known, batches_per_step=3).tolist() == whole.tolist()


def test_bets_of_a_fair_game_win_nothing_on_average() -> None:
    bets = np.concatenate([step_bets(amounts(50, seed=seed), amounts(20, seed=1_000 + seed), 1) for seed in range(400)])
    assert (bets.mean(axis=0) <= 1 + 3 * bets.std(axis=0) / np.sqrt(len(bets))).all()


def test_hours_of_a_day_make_one_step_with_the_last_of_them() -> None:
    found = accumulate({PAIR: amounts(10, seed=1)}, {PAIR: amounts(20, seed=2)}, rate=RATE, batches_per_step=4)
    assert found.evidence[:3].tolist() == [0.0, 0.0, 0.0]
    assert len(set(found.evidence[3:7])) == len(set(found.evidence[7:])) == 1
    assert found.limit == 30 / 4


def test_a_drift_too_small_for_any_batch_adds_up_and_starts_again_from_zero_after_an_alarm() -> None:
    drifting = np.append(amounts(20, seed=1), 1.8 * amounts(40, seed=2))
    found = accumulate({PAIR: drifting, ("fee", "psi"): amounts(60, seed=3)}, {
        PAIR: amounts(40, seed=4), ("fee", "psi"): amounts(40, seed=5)
    }, rate=RATE)  # fmt: skip
    first = int(np.flatnonzero(found.alarmed)[0])
    assert 20 < first < 35
    assert found.evidence[first] > found.limit > found.evidence[first + 1]
    assert found.leading[first] == "age"
    assert found.shares.sum(axis=1) == pytest.approx(found.evidence)


def test_a_column_with_too_few_known_amounts_does_not_count() -> None:
    known = {PAIR: amounts(19, seed=1), ("fee", "psi"): amounts(20, seed=2)}
    found = accumulate(dict.fromkeys(known, amounts(5, seed=3)), known, rate=RATE)
    assert found.columns == ("fee",)
    nothing = accumulate({PAIR: amounts(5, seed=3)}, {PAIR: known[PAIR]}, rate=RATE)
    assert np.isnan(nothing.evidence).all()
    assert nothing.leading == [None] * 5
    assert not nothing.alarmed.any()


def limits(basis: Basis) -> CalibratedLimits:
    threshold = {"kind": "calibrated", "days_per_false_alarm": 30}
    policy = DriftPolicy.model_validate({"numeric": ["psi"], "categorical": ["psi"], "threshold": threshold})
    found = limits_from_laws(policy, laws={PAIR: ChiSquare(9)}, basis=basis, batches_per_day=1)
    assert isinstance(found, CalibratedLimits)
    return found


def measured(some: np.ndarray) -> Measured:
    scale = Scale(4_000, np.full(some.size, 100))
    nothing = np.full(some.size, np.nan)
    return Measured(*PAIR[:1], "numeric", "feature", "psi", scale.m, some / scale.weight(), *[nothing] * 3, scale)


def test_evidence_is_a_row_of_the_table_with_a_quarter_of_the_budget() -> None:
    basis = Basis("batches", 100, {PAIR: amounts(40, seed=1)})
    batches = np.append(amounts(20, seed=2), 1.8 * amounts(30, seed=3))
    row, limit = measure_evidence([measured(batches)], limits(basis), batches_per_day=1)
    assert (row.column, row.role, row.method) == ("all columns", "table", "e_cusum")
    assert limit.critical[0] == 4 * 30
    alone = accumulate({PAIR: batches}, basis.amounts, rate=1 / 120)
    assert (limit.bands(row.statistic) == 2).tolist() == alone.alarmed.tolist()
    assert alone.alarmed.any()
    silent, _ = measure_evidence([measured(batches)], limits(basis), batches_per_day=1, silent=frozenset({"age"}))
    assert np.isnan(silent.statistic).all()


def test_random_rows_cannot_tell_how_much_days_differ_and_it_says_how_many_are_missing() -> None:
    basis = Basis("random_rows", 100, {PAIR: amounts(40, seed=1)}, "the reference has 12 days; 20 are needed, 8 more")
    row, limit = measure_evidence([measured(amounts(5, seed=1))], limits(basis), batches_per_day=1)
    assert np.isnan(row.statistic).all()
    assert row.notes[0] == limit.note == basis.note
