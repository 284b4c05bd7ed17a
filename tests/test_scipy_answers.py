"""Known answers of scipy: ties, single rows, constants, the ends of float64, very unequal sizes, a million rows.

``EXACT`` is absolute where figures are of the order of one, and relative to the largest value where they carry the
column's own unit: a distance of numbers around 1e300 cannot be known to 1e-12.
"""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import spatial, stats

from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, column_profile

EXACT = 1e-12
LONG_SUMS = 1e-11  # of n m / (n + m) times an average, with a hundred thousand rows on both sides
ASYMPTOTIC = 1e-11  # relative, of scipy's p-values of large samples
TRIALS = 600
Sample = list[float] | NDArray[np.float64]

plain = st.floats(-1e6, 1e6, allow_subnormal=False)
tied = st.integers(-3, 3).map(float)
huge_integers = st.integers(-(2**70), 2**70).map(float)
extreme = st.sampled_from(
    [0.0, -0.0, 5e-324, -5e-324, 2.3e-308, 1e-300, 1.0, 1e300, -1e300, 3e299, 2.0**53, 2.0**53 + 2]
)
sizes = {"min_size": 1, "max_size": 40}
samples = st.one_of(
    *(st.lists(each, **sizes) for each in (plain, tied, huge_integers, extreme, plain | tied)),
    st.tuples(plain | extreme, st.integers(1, 40)).map(lambda pair: [pair[0]] * pair[1]),
)
counts = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=12)


def numeric(values: Sample) -> ColumnProfile:
    return column_profile(pl.Series(values, dtype=pl.Float64), kind="numeric")


def paired(before: Sample, after: Sample) -> Pairing:
    return Pairing(numeric(before), Batches.of([numeric(after)]))


def statistic(name: str, before: Sample, after: Sample) -> float:
    return float(method(name).statistics(paired(before, after))[0])


def categories(rows: list[int]) -> ColumnProfile:
    held = {f"c{place:02d}": each for place, each in enumerate(rows) if each}
    return ColumnProfile("categorical", sum(rows), 0, categories=held)


def shares(pairs: list[tuple[int, int]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    before, after = np.array(pairs, dtype=np.float64).T
    return before / before.sum(), after / after.sum()


@settings(max_examples=300, deadline=None)
@given(samples, samples)
@example([1.0], [1.0] * 1_000)
@example([2.0**53, 2.0**53 + 2], [2.0**53])
@example([5e-324], [0.0])
def test_kolmogorov_smirnov_is_scipys_to_the_last_bit(before: list[float], after: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where it counts too many paths and falls back
        expected = stats.ks_2samp(before, after)
    found = method("kolmogorov_smirnov").measure(numeric(before), numeric(after))
    assert (found.statistic, found.p_value) == (expected.statistic, expected.pvalue)


@settings(max_examples=300, deadline=None)
@given(samples, samples)
@example([1e300, -1e300], [1e300])
@example([1e300] * 3, [-1e300])
def test_wasserstein_is_scipys_raw_and_in_standard_deviations(before: list[float], after: list[float]) -> None:
    expected, largest = stats.wasserstein_distance(before, after), max(np.abs([*before, *after]))
    assert statistic("wasserstein_raw", before, after) == pytest.approx(expected, abs=EXACT * largest, rel=EXACT)
    unit = max(*np.abs(before), 1.0)  # squares of 1e300 are beyond float64
    spread = max(float(np.std(np.array(before) / unit)) * unit, 0.001)
    found = statistic("wasserstein", before, after)
    assert found == pytest.approx(expected / spread, abs=EXACT * max(largest / spread, 1), rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(plain | extreme | huge_integers, min_size=4, max_size=60, unique=True), st.data())
def test_cramer_von_mises_is_scipys_where_no_value_occurs_twice(values: list[float], data: st.DataObject) -> None:
    cut = data.draw(st.integers(2, len(values) - 2))
    expected = stats.cramervonmises_2samp(values[:cut], values[cut:], method="asymptotic").statistic
    assert statistic("cramer_von_mises", values[:cut], values[cut:]) == pytest.approx(expected, abs=EXACT)


@settings(max_examples=200, deadline=None)
@given(samples, samples)
def test_cramer_von_mises_of_ties_is_the_sum_over_all_rows(before: list[float], after: list[float]) -> None:
    """scipy takes middle ranks of ties instead; we the distribution functions, as everywhere else."""
    n, m, rows = len(before), len(after), np.array([*before, *after])
    differences = (
        np.searchsorted(np.sort(before), rows, "right") / n - np.searchsorted(np.sort(after), rows, "right") / m
    )
    expected = n * m / (n + m) ** 2 * (differences**2).sum()
    assert statistic("cramer_von_mises", before, after) == pytest.approx(expected, abs=EXACT)


@settings(max_examples=200, deadline=None)
@given(counts)
def test_distances_of_categories_are_scipys(pairs: list[tuple[int, int]]) -> None:
    before, after = (list(each) for each in zip(*pairs, strict=True))
    assume(sum(before) > 0 and sum(after) > 0)
    sides = categories(before), categories(after)
    first, second = shares(pairs)
    found = {name: method(name).measure(*sides).statistic for name in ("jensen_shannon", "hellinger", "l_infinity")}
    # categories that the reference lacks are one bin, so scipy gets them as one
    known = np.array(before) > 0
    first, second = (np.append(each[known], each[~known].sum()) for each in (first, second))
    assert found["jensen_shannon"] == pytest.approx(spatial.distance.jensenshannon(first, second, base=2), abs=1e-8)
    assert found["jensen_shannon"] ** 2 == pytest.approx(
        spatial.distance.jensenshannon(first, second, base=2) ** 2, abs=EXACT
    )
    euclid = spatial.distance.euclidean(np.sqrt(first), np.sqrt(second)) / np.sqrt(2)
    assert found["hellinger"] == pytest.approx(euclid, abs=EXACT)
    assert found["l_infinity"] == pytest.approx(spatial.distance.chebyshev(first, second), abs=EXACT)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=2, max_size=12))
def test_chi_squared_and_divergences_are_scipys(pairs: list[tuple[int, int]]) -> None:
    before, after = (list(each) for each in zip(*pairs, strict=True))
    sides, (first, second) = (categories(before), categories(after)), shares(pairs)
    expected = stats.chi2_contingency([before, after], correction=False)
    found = method("chi_squared").measure(*sides)
    assert found.statistic == pytest.approx(expected.statistic, rel=EXACT, abs=EXACT)
    assert found.p_value == pytest.approx(expected.pvalue, abs=EXACT, rel=1e-10)
    assert method("kullback_leibler").measure(*sides).statistic == pytest.approx(
        stats.entropy(first, second), abs=EXACT, rel=EXACT
    )
    both = stats.entropy(first, second) + stats.entropy(second, first)
    assert method("psi").measure(*sides).statistic == pytest.approx(both, abs=EXACT, rel=EXACT)


@settings(max_examples=100, deadline=None)
@given(samples, samples)
def test_numeric_columns_are_compared_on_the_bins_of_the_reference(before: list[float], after: list[float]) -> None:
    reference, current = numeric(before), numeric(after)
    table = np.array([reference.own_counts, reference.counts(current)])
    assert (table[0].sum(), table[1].sum()) == (len(before), len(after))
    table = table[:, table.sum(axis=0) > 0]
    found = {name: method(name).measure(reference, current) for name in ("chi_squared", "jensen_shannon")}
    first, second = table / table.sum(axis=1, keepdims=True)
    expected = spatial.distance.jensenshannon(first, second, base=2) ** 2
    assert found["jensen_shannon"].statistic ** 2 == pytest.approx(expected, abs=EXACT)
    if table.shape[1] > 1:
        expected = stats.chi2_contingency(table, correction=False)
        assert found["chi_squared"].statistic == pytest.approx(expected.statistic, rel=EXACT, abs=EXACT)
        assert found["chi_squared"].p_value == pytest.approx(expected.pvalue, abs=EXACT)


SHAPES = ("normal", "ties", "few values", "heavy tails", "skewed", "constant", "half zeros", "huge integers")


def shaped(shape: str, rows: int, random: np.random.Generator) -> NDArray[np.float64]:
    values = random.normal(size=rows)
    return {
        "normal": values,
        "ties": np.round(values, 1),
        "few values": np.floor(np.abs(values) * 3),
        "heavy tails": random.standard_cauchy(rows),
        "skewed": np.exp(3 * values),
        "constant": np.full(rows, 2.5),
        "half zeros": np.where(random.random(rows) < 0.5, 0.0, values),
        "huge integers": np.round(values * 1e17),
    }[shape]


def test_kolmogorov_smirnov_is_scipys_to_the_last_bit_in_six_hundred_mixed_trials() -> None:
    """Sizes from 1 to 70,000 reach every way of computing it: points, steps, bounds, values kept once."""
    random = np.random.default_rng(20)
    for trial in range(TRIALS):
        n, m = random.choice([1, 2, 3, 40, 300, 4_000, 9_999, 12_000, 40_000, 70_000], size=2, p=[0.1] * 10)
        n, m = (n, m) if trial % 20 == 0 else (min(n, 12_000), min(m, 12_000))
        first = SHAPES[trial % len(SHAPES)]
        second = first if random.random() < 0.7 else str(random.choice(SHAPES))
        before, after = shaped(first, n, random), shaped(second, m, random) + random.choice([0.0, 0.05, 1.0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = stats.ks_2samp(before, after, method="asymp").statistic
        if max(n, m) <= 10_000:  # there scipy counts in steps of the least common multiple
            steps = int(np.lcm(n, m))
            expected = round(expected * steps) / steps
        assert statistic("kolmogorov_smirnov", before, after) == expected, (first, second, n, m)


SIZES = [
    (1, 1_000),
    (1_000, 1),
    (50_000, 300),
    (300, 50_000),
    (50_000, 40_000),
    (100_000, 100_000),
]


@pytest.mark.parametrize(
    ("shape", "n", "m"),
    [(shape, *each) for shape in SHAPES for each in SIZES]
    + [("half zeros", 1_000_000, 100_000), ("heavy tails", 300_000, 1_000_000)],
)
def test_large_and_unequal_samples_have_scipys_figures(shape: str, n: int, m: int) -> None:
    random = np.random.default_rng(n + m)
    before, after = shaped(shape, n, random), shaped(shape, m, random) * 1.01 + 0.02
    expected = stats.ks_2samp(before, after)
    found = method("kolmogorov_smirnov").measure(numeric(before), numeric(after))
    assert found.statistic == expected.statistic
    assert found.p_value == pytest.approx(expected.pvalue, rel=ASYMPTOTIC, abs=1e-300)
    largest = max(np.abs(before).max(), np.abs(after).max())
    distance = stats.wasserstein_distance(before, after)
    assert statistic("wasserstein_raw", before, after) == pytest.approx(distance, abs=EXACT * largest)
    rows = np.concatenate([before, after])
    before.sort()
    after.sort()
    differences = before.searchsorted(rows, "right") / n - after.searchsorted(rows, "right") / m
    average = (differences**2).sum() / (n + m)
    assert statistic("cramer_von_mises", before, after) == pytest.approx(average * n * m / (n + m), abs=LONG_SUMS)
