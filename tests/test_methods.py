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
from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.methods import METHODS, method
from driftbook.drift.null_laws import ChiSquare, CramerVonMises, Kolmogorov, LargestShare, NullLaw
from driftbook.drift.p_values import asymptotic_ks_p_values, smirnov_tail
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
    found = method("kolmogorov_smirnov").measure(numeric(random.normal(size=n)), numeric(random.normal(shift, size=m)))
    expected = stats.kstwo.sf(found.statistic, np.round(n * m / (n + m)))
    assert found.p_value == pytest.approx(expected, rel=1e-11, abs=1e-300)
    again = asymptotic_ks_p_values(np.array([found.statistic]), n, np.array([m]))
    assert again[0] == found.p_value


def test_the_fast_tail_sum_agrees_with_scipys() -> None:
    for rows in (1_000.0, 5_000.0, 90_000.0):
        for scaled in (2.3, 9.0, 60.0):
            distance = math.sqrt(scaled / rows)
            found = smirnov_tail(np.array([rows]), np.array([distance]))[0]
            assert found == pytest.approx(stats.kstwo.sf(distance, rows), rel=TAIL)


@pytest.mark.parametrize("seed", range(4))
def test_refining_gives_the_same_distance_to_the_last_bit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    before, after = random.normal(size=14_000), random.normal(0.05 * seed, size=13_001)
    if seed == 3:
        before, after = np.round(before, 1), np.round(after, 1)
    refined = ks_distance(numeric(before), numeric(after))
    monkeypatch.setattr(sorted_columns, "ROWS_TO_REFINE", 100_000)
    plain = ks_distance(numeric(before), numeric(after))
    assert refined == plain
    assert plain == stats.ks_2samp(before, after, method="asymp").statistic


@settings(max_examples=60, deadline=None)
@given(st.lists(samples, min_size=1, max_size=4), samples)
def test_many_batches_at_once_are_measured_like_each_alone(batches: list[list[float]], before: list[float]) -> None:
    reference, stack = numeric(before), Batches.of([numeric(each) for each in batches])
    for each in METHODS.values():
        if "numeric" in each.kinds:
            alone = [each.measure(reference, numeric(batch)).statistic for batch in batches]
            assert each.statistics(Pairing(reference, stack)).tolist() == pytest.approx(alone, rel=1e-9, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40, unique=True), st.integers(1, 39))
def test_cramer_von_mises_is_scipys_where_no_values_are_tied(values: list[float], cut: int) -> None:
    before, after = values[: min(cut, len(values) - 1)], values[min(cut, len(values) - 1) :]
    if min(len(before), len(after)) > 1:
        expected = stats.cramervonmises_2samp(before, after, method="asymptotic").statistic
        assert method("cramer_von_mises").measure(numeric(before), numeric(after)).statistic == pytest.approx(
            expected, abs=1e-9
        )


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2])
def test_a_change_of_a_share_has_fishers_doubled_p_value(share: float) -> None:
    before = numeric([None] * int(1000 * share) + [1.0] * int(1000 * (1 - share)))
    found = method("missing_share").measure(before, numeric([None] * 30 + [1.0] * 170))
    table = [[30, 170], [int(1000 * share), int(1000 * (1 - share))]]
    tails = [stats.fisher_exact(table, alternative=side).pvalue for side in ("greater", "less")]
    assert found.statistic == pytest.approx(abs(0.15 - share))
    assert found.p_value == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9)


def test_zero_out_of_range_new_minimum_and_unseen_shares_count_what_they_say() -> None:
    before, after = numeric([0.0, 1.0, 2.0, 3.0]), numeric([-1.0, 0.0, 0.0, 9.0, math.inf])
    assert method("zero_share").measure(before, after).statistic == pytest.approx(0.4 - 0.25)
    assert method("new_minimum_share").measure(before, after).statistic == pytest.approx(0.2)
    assert method("out_of_range_share").measure(before, after).statistic == pytest.approx(0.6)
    assert method("unseen_share").measure(counted(a=5), counted(a=3, b=1)).statistic == pytest.approx(0.25)


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


LAWS: list[NullLaw] = [Kolmogorov(), CramerVonMises(), ChiSquare(1), ChiSquare(9), ChiSquare(40)]


@pytest.mark.parametrize("law", [*LAWS, LargestShare((0.1, 0.3, 0.6))])
@pytest.mark.parametrize("surprise", [0.1, 3.0, 20.0, 500.0, 5_000.0])
def test_a_law_and_its_inverse_agree_even_where_probabilities_underflow(law: NullLaw, surprise: float) -> None:
    assert float(law.surprise(np.array([law.amount_at(surprise)]))[0]) == pytest.approx(surprise, rel=1e-6)


@pytest.mark.parametrize("law", [Kolmogorov(), CramerVonMises(), ChiSquare(1), ChiSquare(9), LargestShare((0.5, 0.5))])
def test_the_moments_of_a_law_are_those_of_its_density(law: NullLaw) -> None:
    places = np.linspace(1e-9, 80.0, 400_001)
    tail = np.exp(-law.surprise(places))
    step = places[1] - places[0]
    assert law.mean == pytest.approx(tail.sum() * step, rel=1e-3)
    assert law.variance == pytest.approx((2 * places * tail).sum() * step - law.mean**2, rel=1e-3)
