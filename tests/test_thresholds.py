from __future__ import annotations

import math

import numpy as np
import pytest

from driftbook.config.policy import Band, DriftPolicy
from driftbook.drift.calibration import Basis, calibrate, prediction_factor
from driftbook.drift.contract import Scale
from driftbook.drift.null_laws import ChiSquare, Kolmogorov
from driftbook.drift.profile import ColumnProfile, Profile
from driftbook.drift.thresholds import BANDS, Limit, limits_of
from driftbook.errors import ConfigError

RATE = 1 / 365
COLUMN = ColumnProfile(kind="numeric", rows=4_000, missing=0, values=np.linspace(0, 1, 4_000))
SIZES = Scale(4_000, np.array([100]))
PAIR = ("age", "psi")


def policy(threshold: dict[str, object]) -> DriftPolicy:
    return DriftPolicy.model_validate({"numeric": ["psi"], "categorical": ["psi"], "threshold": threshold})


def chunks(amounts: np.ndarray, *, rows: int = 100) -> Basis:
    return Basis("batches", rows, {PAIR: amounts})


def test_values_above_the_limits_are_moderate_then_drifted() -> None:
    limit = Limit(on="statistic", warning=np.full(4, 0.1), critical=np.full(4, 0.25))
    bands = limit.bands(np.array([0.1, 0.11, 0.25, 0.26]))
    assert [BANDS[place] for place in bands] == ["stable", "moderate", "moderate", "drifted"]


def test_on_a_p_value_small_is_drifted() -> None:
    limit = Limit(on="p_value", warning=np.full(4, 0.05), critical=np.full(4, 0.01))
    bands = limit.bands(np.array([0.2, 0.02, 0.001, np.nan]))
    assert [BANDS[place] for place in bands] == ["stable", "moderate", "drifted", "cannot_tell"]


def test_constant_bands_are_those_of_the_method_or_the_default() -> None:
    band = {"on": "statistic", "warning": 0.1, "critical": 0.2}
    limits = limits_of(
        policy({"kind": "constant", "bands": {"default": band, "psi": band | {"critical": 0.3}}}),
        profile=Profile({}), basis=chunks(np.ones(30)), batches_per_day=1,
    )  # fmt: skip
    assert limits.limit(PAIR, SIZES).critical[0] == 0.3
    assert limits.limit(("age", "wasserstein"), SIZES).critical[0] == 0.2


def test_a_method_without_band_or_without_p_value_is_a_fault_of_the_policy() -> None:
    def limits(**bands: Band) -> object:
        return limits_of(
            policy({"kind": "constant", "bands": bands}),
            profile=Profile({}),
            basis=chunks(np.ones(30)),
            batches_per_day=1,
        ).limit(PAIR, SIZES)

    with pytest.raises(ConfigError, match="no band for method 'psi'"):
        limits(wasserstein=Band(warning=1, critical=2))
    with pytest.raises(ConfigError, match="'psi' has no p-value"):
        limits(default=Band(on="p_value", warning=0.05, critical=0.05))


def test_the_reference_spread_is_mean_plus_standard_deviations_of_its_chunks() -> None:
    weight = 4_000 * 100 / 4_100
    statistics = np.array([0.01, 0.02, 0.03])
    limits = limits_of(
        policy({"kind": "reference_spread", "standard_deviations": 3.0}),
        profile=Profile({}), basis=chunks(statistics * weight), batches_per_day=1,
    )  # fmt: skip
    assert limits.limit(PAIR, SIZES).critical[0] == pytest.approx(0.02 + 3 * np.std(statistics))


def calibrated(amounts: np.ndarray, *, days: float = 365, per_day: int = 1, rows: int = 100) -> float:
    limits = limits_of(
        policy({"kind": "calibrated", "days_per_false_alarm": days}),
        profile=Profile({"age": COLUMN}), basis=chunks(amounts, rows=rows), batches_per_day=per_day,
    )  # fmt: skip
    return float(limits.limit(PAIR, SIZES).critical[0])


def test_a_smaller_budget_of_false_alarms_gives_higher_limits() -> None:
    amounts = np.random.default_rng(1).chisquare(9, size=40)
    yearly, monthly, hourly = (
        calibrated(amounts), calibrated(amounts, days=30), calibrated(amounts, per_day=24)
    )  # fmt: skip
    assert monthly < yearly < hourly


def test_days_that_differ_raise_the_limit() -> None:
    amounts = np.random.default_rng(1).chisquare(9, size=40)
    assert calibrated(3 * amounts) > 2 * calibrated(amounts)


def test_a_batch_larger_than_the_chunks_is_judged_at_their_size() -> None:
    amounts = np.random.default_rng(1).chisquare(9, size=40)
    at_own_size, at_half = calibrated(amounts), calibrated(amounts, rows=50)
    assert at_half == pytest.approx(at_own_size * (1 / 4_000 + 1 / 50) / (1 / 4_000 + 1 / 100))


def test_without_enough_chunks_it_cannot_tell_and_says_why() -> None:
    limit = limits_of(
        policy({"kind": "calibrated"}), profile=Profile({"age": COLUMN}), basis=chunks(np.ones(5)), batches_per_day=1
    ).limit(PAIR, SIZES)
    assert [BANDS[place] for place in limit.bands(np.array([9.0]))] == ["cannot_tell"]
    assert limit.note == "too few parts of the reference hold values of this column to learn what chance does"


def test_the_chance_of_a_value_at_its_limit_is_the_budgeted_rate() -> None:
    amounts = np.random.default_rng(1).chisquare(9, size=40)
    limits = limits_of(
        policy({"kind": "calibrated", "days_per_false_alarm": 365}),
        profile=Profile({"age": COLUMN}), basis=chunks(amounts), batches_per_day=1,
    )  # fmt: skip
    critical = limits.limit(PAIR, SIZES).critical
    assert limits.chance(PAIR, critical, SIZES)[0] == pytest.approx(RATE, rel=0.02)
    assert limits.chance(PAIR, 0.5 * critical, SIZES)[0] > 0.1


def test_the_prediction_factor_approaches_the_gumbel_quantile() -> None:
    exact = -math.log(-math.log(1 - RATE))
    factors = [prediction_factor(number, RATE, 1) for number in (20, 40, 400)]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(exact, rel=0.02)
    assert factors[0] > exact + 0.5


def test_a_silent_column_gets_a_limit_but_does_not_count_for_the_largest() -> None:
    random = np.random.default_rng(2)
    loud, quiet = ("target", "psi"), ("age", "psi")
    amounts = {quiet: random.chisquare(9, size=40), loud: 5 * random.chisquare(9, size=40)}
    laws = {quiet: ChiSquare(9), loud: ChiSquare(9)}
    alone = calibrate({quiet: amounts[quiet]}, laws)
    both = calibrate(amounts, laws, silent=frozenset({"target"}))
    assert (both.location, both.scale) == (alone.location, alone.scale)
    assert set(both.amounts(RATE)) == {quiet, loud}


def test_chunks_where_a_column_is_empty_are_left_out() -> None:
    amounts = np.random.default_rng(2).exponential(0.8, size=40)
    amounts[:4] = np.nan
    pair = ("age", "kolmogorov_smirnov")
    calibration = calibrate({pair: amounts}, {pair: Kolmogorov()})
    assert calibration.chunks == 36
    assert math.isfinite(calibration.amounts(RATE)[pair])


def test_where_the_references_own_days_have_nothing_in_common_it_cannot_tell_and_says_why() -> None:
    wild = limits_of(
        policy({"kind": "calibrated", "days_per_false_alarm": 365}),
        profile=Profile({"age": COLUMN}),
        basis=chunks(np.linspace(100, 1_500, 40)),
        batches_per_day=1,
    )
    limit = wild.limit(PAIR, SIZES)
    assert [BANDS[place] for place in limit.bands(np.array([13.0]))] == ["cannot_tell"]
    assert limit.note is not None
    assert "differ so much" in limit.note
