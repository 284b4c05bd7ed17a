"""Embeddings: the discrepancy against a plain double loop, its laws, and every fault a column of vectors may have."""

import math

import numpy as np
import polars as pl
import pytest

from driftbook.drift.domain import domain_classifier
from driftbook.drift.embeddings import PERMUTATIONS, dimensions, embedding_drift
from driftbook.errors import DriftError

WIDTH = 6


def vectors(number: int = 60, *, seed: int, shift: float = 0.0, width: int = WIDTH) -> pl.Series:
    values = np.random.default_rng(seed).normal(shift, 1.0, size=(number, width))
    return pl.Series("vector", values.tolist(), dtype=pl.List(pl.Float64))


def by_loops(first: list[list[float]], second: list[list[float]], bandwidth: float) -> float:
    def kernel(x: list[float], y: list[float]) -> float:
        return math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / (2 * bandwidth**2))

    n, m = len(first), len(second)
    within_first = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_second = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    across = sum(kernel(x, y) for x in first for y in second) / (n * m)
    return within_first + within_second - 2 * across


def test_the_discrepancy_is_that_of_a_plain_double_loop_at_the_references_median_distance():
    before, after = vectors(30, seed=1), vectors(24, seed=2, shift=0.5)
    found = embedding_drift(before, after, seed=1)
    distances = [math.dist(x, y) for place, x in enumerate(before) for y in before[:place]]
    assert found.bandwidth == pytest.approx(np.median(distances), rel=1e-12)
    assert found.statistic == pytest.approx(by_loops(before.to_list(), after.to_list(), found.bandwidth), abs=1e-12)


def test_moved_vectors_are_found_and_others_are_not():
    assert embedding_drift(vectors(seed=1), vectors(seed=2, shift=1.0), seed=1).p_value == 1 / (1 + PERMUTATIONS)
    assert embedding_drift(vectors(seed=1), vectors(seed=2), seed=1).p_value > 0.05


def test_by_chance_it_finds_no_more_than_it_says():
    p_values = [
        embedding_drift(vectors(30, seed=each), vectors(30, seed=500 + each), seed=each, permutations=99).p_value
        for each in range(100)
    ]
    assert np.mean(np.array(p_values) <= 0.1) <= 0.16  # 0.1 and two standard errors


def test_a_larger_shift_never_scores_lower():
    scores = [
        embedding_drift(vectors(seed=1), vectors(seed=2, shift=each), seed=1).drift_score for each in (0, 0.5, 1, 3, 20)
    ]
    assert scores == sorted(scores)
    assert 0.0 <= scores[0] < 0.05
    assert 0.5 < scores[-1] <= 1.0


def test_identical_vectors_do_not_drift_nor_do_constant_ones():
    assert embedding_drift(vectors(seed=1), vectors(seed=1), seed=1).drift_score == 0.0
    constant = pl.Series("vector", [[1.0, 2.0]] * 30)
    found = embedding_drift(constant, constant, seed=1)
    assert (found.statistic, found.p_value, found.drift_score, found.bandwidth) == (pytest.approx(0.0), 1.0, 0.0, 1.0)


def test_neither_the_order_of_rows_nor_a_common_offset_matters():
    before, after = vectors(seed=1), vectors(seed=2, shift=0.4)
    first = embedding_drift(before, after, seed=1)
    assert embedding_drift(before.reverse(), after, seed=1).statistic == pytest.approx(first.statistic, abs=1e-12)
    far = [pl.Series("vector", (np.array(each.to_list()) + 1e4).tolist()) for each in (before, after)]
    assert embedding_drift(*far, seed=1).statistic == pytest.approx(first.statistic, abs=1e-8)


@pytest.mark.parametrize("dtype", [pl.Array(pl.Float32, WIDTH), pl.List(pl.Float32), pl.Array(pl.Float64, WIDTH)])
def test_lists_and_arrays_of_any_number_are_read_alike(dtype):
    plain = vectors(seed=1)
    assert embedding_drift(plain, plain.cast(dtype), seed=1).statistic == pytest.approx(
        embedding_drift(plain, plain, seed=1).statistic, abs=1e-6
    )


def test_of_many_rows_a_bounded_number_is_compared():
    found = embedding_drift(vectors(200, seed=1), vectors(300, seed=2), seed=1, most_rows=50)
    assert found.rows == 50
    assert found == embedding_drift(vectors(200, seed=1), vectors(300, seed=2), seed=1, most_rows=50)


def test_the_domain_classifier_names_the_dimension_that_moved():
    after = np.array(vectors(600, seed=2).to_list())
    after[:, 3] += 1.0
    tables = [dimensions(vectors(600, seed=1)), dimensions(pl.Series("vector", after.tolist()))]
    found = domain_classifier(*tables, numeric=tables[0].columns, categorical=[], seed=1)
    assert max(found.shares, key=found.shares.get) == "vector[3]"


GOOD = vectors(30, seed=1, width=2)
FAULTS = {
    "numbers": (pl.Series("vector", [1.0] * 30), "found Float64"),
    "texts": (pl.Series("vector", [["a", "b"]] * 30), "found List"),
    "nested": (pl.Series("vector", [[[1.0]]] * 30), "found List"),
    "nulls": (pl.Series("vector", [[1.0, 2.0]] * 29 + [None]), "found 1 rows without one"),
    "ragged": (pl.Series("vector", [[1.0, 2.0]] * 29 + [[1.0]]), "found between 1 and 2 numbers"),
    "empty lists": (pl.Series("vector", [[]] * 30, dtype=pl.List(pl.Float64)), "found between 0 and 0 numbers"),
    "missing number": (pl.Series("vector", [[1.0, 2.0]] * 29 + [[1.0, None]]), "found 1 rows with a missing"),
    "not finite": (pl.Series("vector", [[1.0, np.inf], [np.nan, 1.0]] * 15), "found 30 rows with a missing"),
    "no rows": (pl.Series("vector", [], dtype=pl.List(pl.Float64)), "found no rows"),
    "one row": (pl.Series("vector", [[1.0, 2.0]]), "at least 20 vectors on either side, found"),
    "other width": (vectors(30, seed=2, width=3), "vectors of width 2 as in the reference, found width 3"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_says_what_was_expected_and_what_was_found(fault):
    faulty, found = FAULTS[fault]
    with pytest.raises(DriftError, match=f"expected.*{found}"):
        embedding_drift(GOOD, faulty, seed=1)
    with pytest.raises(DriftError, match="expected"):
        embedding_drift(faulty, GOOD, seed=1)
