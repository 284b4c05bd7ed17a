"""Every way of computing it gives scipy's figure: equal sizes, similar sizes, few against many, values kept once."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

from driftbook.drift.batches import Batches, Pairing, stack_batches
from driftbook.drift.profile import ColumnProfile, column_profile, running_sums
from driftbook.drift.wasserstein import wasserstein_distances

EXACT = 1e-12  # relative to the spread of the values
SIZES = [1, 2, 30, 400, 2_500, 20_000, 90_000]
SHAPES = {
    "normal": lambda random, size: random.normal(size=size),
    "ties": lambda random, size: np.round(random.normal(size=size), 1),
    "far from zero": lambda random, size: 1e9 + random.normal(size=size),
    "heavy tails": lambda random, size: np.exp(3 * random.normal(size=size)),
    "few values": lambda random, size: np.floor(3 * random.random(size)),
}


def numeric(values: NDArray[np.float64]) -> ColumnProfile:
    return column_profile(pl.Series(values, dtype=pl.Float64), kind="numeric")


def distance(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    return float(wasserstein_distances(Pairing(numeric(before), Batches.of([numeric(after)])))[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_scipys_whatever_the_sizes(shape: str) -> None:
    random = np.random.default_rng(1)
    for trial, n in enumerate(SIZES):
        for m in SIZES:
            before, after = SHAPES[shape](random, n), SHAPES[shape](random, m) + (trial % 3) * 0.01
            expected = stats.wasserstein_distance(before, after)
            spread = max(before.std(), after.std(), expected)
            assert distance(before, after) == pytest.approx(expected, abs=EXACT * spread), (n, m)
            assert distance(after, before) == pytest.approx(expected, abs=EXACT * spread), (n, m)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bounds", [[0, 500, 1_000, 1_500, 2_000], [0, 3, 3, 900, 2_000], [0, 2_000]])
def test_batches_together_are_measured_like_each_alone(shape: str, bounds: list[int]) -> None:
    random = np.random.default_rng(2)
    before, after = SHAPES[shape](random, 30_000), SHAPES[shape](random, 2_000)
    stack = stack_batches(pl.Series(after), np.array(bounds), kind="numeric")
    found = wasserstein_distances(Pairing(numeric(before), stack))
    for value, first, last in zip(found, bounds[:-1], bounds[1:], strict=True):
        if first == last:
            assert np.isnan(value)
            continue
        expected = stats.wasserstein_distance(before, after[first:last])
        assert value == pytest.approx(expected, abs=EXACT * max(before.std(), expected))


def test_values_kept_once_are_measured_against_many_others() -> None:
    random = np.random.default_rng(3)
    few, many = np.floor(random.random(50_000) * 4), random.normal(size=60_000)
    assert numeric(few).upto is not None
    for before, after in ((few, many), (many, few), (few, many[:700]), (many[:700], few), (few, few[:9_000] + 1)):
        expected = stats.wasserstein_distance(before, after)
        assert distance(before, after) == pytest.approx(expected, rel=EXACT)


def test_sums_far_apart_differ_by_what_lies_between() -> None:
    random = np.random.default_rng(4)
    values = np.sort(random.standard_cauchy(100_000)) * 1e6
    sums, lost = running_sums(values)
    for first, last in ((0, 3), (50_000, 50_040), (99_000, 100_000), (10, 99_990)):
        between = (sums[last] - sums[first]) + (lost[last] - lost[first])
        exact = float(np.sum(values[first:last].astype(np.longdouble)))
        assert between == pytest.approx(exact, rel=1e-15, abs=1e-15 * float(np.abs(values[first:last]).sum()))


def test_nothing_is_known_without_values() -> None:
    empty, some = np.empty(0), np.array([1.0, 2.0])
    assert np.isnan(distance(empty, some))
    assert np.isnan(distance(some, empty))
