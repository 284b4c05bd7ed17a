"""Known answers: scipy to 1e-12, ties, extreme values and unequal sizes included."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import spatial, stats

from driftbook.drift import sorted_columns
from driftbook.drift.methods import method
from driftbook.drift.null_laws import ChiSquare, Kolmogorov, _smirnov_tail, ks_p_value
from driftbook.drift.profile import ColumnProfile, column_profile
from driftbook.drift.sorted_columns import ks_distance
from driftbook.errors import DriftError, UnknownNameError

EXACT = 1e-12
TAIL = 5e-12  # relative, of probabilities down to 1e-52
samples = st.lists(st.integers(-4, 4).map(float) | st.floats(-1e6, 1e6), min_size=1, max_size=40)


def numeric(values: object) -> ColumnProfile:
    return column_profile(pl.Series(values, dtype=pl.Float64), kind="numeric")


def counted(**counts: int) -> ColumnProfile:
    return column_profile(pl.Series([name for name, rows in counts.items() for _ in range(rows)]), kind="categorical")


@pytest.mark.filterwarnings("ignore:ks_2samp")
@settings(max_examples=150, deadline=None)
@given(samples, samples)
def test_kolmogorov_smirnov_is_scipys(before: list[float], after: list[float]) -> None:
    expected = stats.ks_2samp(before, after)
    found = method("kolmogorov_smirnov").measure(numeric(before), numeric(after))
    assert found.statistic == pytest.approx(expected.statistic, abs=EXACT)
    assert found.p_value == pytest.approx(expected.pvalue, abs=EXACT)


@settings(max_examples=150, deadline=None)
@given(samples, samples)
def test_wasserstein_is_scipys_in_standard_deviations(before: list[float], after: list[float]) -> None:
    expected = stats.wasserstein_distance(before, after) / max(np.std(before), 0.001)
    found = method("wasserstein").measure(numeric(before), numeric(after)).statistic
    scale = max(np.abs([*before, *after])) / max(np.std(before), 0.001)
    assert found == pytest.approx(expected, rel=EXACT, abs=EXACT * max(scale, 1))


@pytest.mark.parametrize(("n", "m"), [(12_000, 300), (12_000, 9_000), (400_000, 2_400)])
@pytest.mark.parametrize("shift", [0.0, 0.05, 0.3])
def test_large_samples_have_scipys_p_value(n: int, m: int, shift: float) -> None:
    random = np.random.default_rng(n + m)
    before, after = np.sort(random.normal(size=n)), np.sort(random.normal(shift, size=m))
    distance = ks_distance(before, after)
    expected = stats.kstwo.sf(distance, np.round(n * m / (n + m)))
    assert ks_p_value(distance, before, after) == pytest.approx(expected, rel=1e-11, abs=1e-300)


def test_the_fast_tail_sum_agrees_with_scipys() -> None:
    for rows in (1_000.0, 5_000.0, 90_000.0):
        for scaled in (2.3, 9.0, 60.0):
            distance = math.sqrt(scaled / rows)
            assert _smirnov_tail(rows, distance) == pytest.approx(stats.kstwo.sf(distance, rows), rel=TAIL)


@pytest.mark.parametrize("seed", range(4))
def test_branch_and_bound_gives_the_same_distance_to_the_last_bit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    before, after = np.sort(random.normal(size=4_000)), np.sort(random.normal(0.05 * seed, size=3_001))
    if seed == 3:
        before, after = np.round(before, 1), np.round(after, 1)
    plain = ks_distance(before, after)
    monkeypatch.setattr(sorted_columns, "BOTH_LARGE", 10)
    assert ks_distance(before, after) == plain == stats.ks_2samp(before, after, method="asymp").statistic


def test_chi_squared_is_scipys_without_correction() -> None:
    table = [[40, 30, 10], [10, 25, 15]]
    expected = stats.chi2_contingency(table, correction=False)
    found = method("chi_squared").measure(counted(a=40, b=30, c=10), counted(a=10, b=25, c=15))
    assert found.statistic == pytest.approx(expected.statistic, abs=EXACT)
    assert found.p_value == pytest.approx(expected.pvalue, abs=EXACT)
    assert found.drift_score == pytest.approx(stats.contingency.association(table), abs=EXACT)


def test_jensen_shannon_is_scipys_distance_in_base_2() -> None:
    expected = spatial.distance.jensenshannon([0.5, 0.375, 0.125], [0.2, 0.5, 0.3], base=2)
    found = method("jensen_shannon").measure(counted(a=40, b=30, c=10), counted(a=10, b=25, c=15))
    assert found.statistic == pytest.approx(expected, abs=EXACT)


def test_psi_is_the_sum_over_bins() -> None:
    found = method("psi").measure(counted(a=50, b=50), counted(a=80, b=20)).statistic
    assert found == pytest.approx(0.3 * math.log(1.6) + 0.3 * math.log(2.5), abs=EXACT)


def test_psi_sees_missing_and_unseen_values_and_ignores_bins_that_nobody_holds() -> None:
    psi, before = method("psi"), counted(a=50, b=50)
    assert psi.measure(before, counted(a=5, b=5)).statistic == 0.0
    assert psi.measure(before, counted(a=45, b=45, new=10)).statistic > 0.2
    assert psi.measure(before, column_profile(pl.Series(["a", "b", None] * 10), kind="categorical")).statistic > 0.5


def test_one_standard_deviation_scores_the_same_on_any_scale() -> None:
    values = np.arange(100.0)
    small = method("wasserstein").measure(numeric(values), numeric(values + values.std())).drift_score
    large = method("wasserstein").measure(numeric(values * 1e6), numeric((values + values.std()) * 1e6)).drift_score
    assert small == pytest.approx(1 - math.exp(-1)) == pytest.approx(large)


def test_a_batch_without_a_finite_value_cannot_be_compared() -> None:
    with pytest.raises(DriftError, match="the batch has no finite value"):
        method("kolmogorov_smirnov").measure(numeric([1.0]), numeric([None, math.inf]))


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'wasserstein'"):
        method("waserstein")


@pytest.mark.parametrize("law", [Kolmogorov(), ChiSquare(1), ChiSquare(9), ChiSquare(40)])
@pytest.mark.parametrize("surprise", [0.1, 3.0, 20.0, 500.0, 5_000.0])
def test_a_law_and_its_inverse_agree_even_where_probabilities_underflow(
    law: Kolmogorov | ChiSquare, surprise: float
) -> None:
    assert float(law.surprise(np.array([law.amount_at(surprise)]))[0]) == pytest.approx(surprise, rel=1e-6)


@pytest.mark.parametrize("law", [Kolmogorov(), ChiSquare(1), ChiSquare(9)])
def test_the_moments_of_a_law_are_those_of_its_density(law: Kolmogorov | ChiSquare) -> None:
    places = np.linspace(1e-9, 80.0, 400_001)
    tail = np.exp(-law.surprise(places))
    step = places[1] - places[0]
    assert law.mean == pytest.approx(tail.sum() * step, rel=1e-3)
    assert law.variance == pytest.approx((2 * places * tail).sum() * step - law.mean**2, rel=1e-3)
