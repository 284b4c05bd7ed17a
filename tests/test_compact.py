from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from driftbook.drift.batches import Batches
from driftbook.drift.compact import OTHERS, CompactColumn, CompactProfile, compact_profile
from driftbook.drift.compact_file import load_compact, save_compact
from driftbook.drift.grid import Grid, GridColumn, grid_of
from driftbook.drift.measuring import measure_column
from driftbook.drift.methods import METHODS, method
from driftbook.drift.profile import ColumnProfile, Floats, column_profile
from driftbook.drift.summaries import FrequentItems, Moments
from driftbook.errors import DriftError

ROWS = 6_000
ROUNDING = 1e-12
CLOSE = 0.02  # Wasserstein of a compact profile, relative
BINNED = ("psi", "jensen_shannon", "kullback_leibler", "hellinger", "l_infinity", "chi_squared")
SHARES = ("missing_share", "zero_share", "out_of_range_share", "new_minimum_share")
NASTY: dict[str, Callable[[np.random.Generator], tuple[Floats, Floats]]] = {
    "normal": lambda random: (random.normal(size=ROWS), random.normal(0.1, 1.1, size=ROWS)),
    "heavy tails": lambda random: (random.standard_cauchy(ROWS), random.standard_cauchy(ROWS) * 2),
    "atoms": lambda random: (
        np.where(random.random(ROWS) < 0.6, 0.0, random.lognormal(size=ROWS)),
        np.where(random.random(ROWS) < 0.5, 0.25, random.lognormal(size=ROWS)),
    ),
    "discrete": lambda random: (random.poisson(3, ROWS) * 1.0, random.poisson(4, ROWS) * 1.0),
    "discrete off the grid": lambda random: (random.poisson(90, ROWS) * 1.0, random.poisson(90, ROWS) + 0.5),
    "constant": lambda random: (np.full(ROWS, 3.0), np.full(ROWS, 3.0)),
    "another constant": lambda random: (np.full(ROWS, 3.0), np.full(ROWS, 3.5)),
    "fully beyond the grid": lambda random: (random.normal(size=ROWS), random.normal(1e6, 5.0, size=ROWS)),
    "large and close together": lambda random: (
        1.7e18 + random.integers(0, 9_999, ROWS) * 256.0,
        1.7e18 + random.integers(500, 9_999, ROWS) * 256.0,
    ),
    "one row": lambda random: (random.normal(size=ROWS), np.array([0.3])),
}


def numbers(values: Floats) -> ColumnProfile:
    return column_profile(pl.Series(values), kind="numeric")


def compact(values: Floats, grid: Grid) -> CompactColumn:
    return CompactColumn.of(pl.Series(values), grid)


def statistic(name: str, reference: ColumnProfile, current: ColumnProfile) -> float:
    return method(name).measure(reference, current).statistic


def same_integers(first: CompactColumn, second: CompactColumn) -> bool:
    counted = ("rows", "missing", "infinite", "finite")
    return np.array_equal(first.counts, second.counts) and all(
        getattr(first, name) == getattr(second, name) for name in counted
    )


def test_rows_at_a_point_and_between_two_are_counted_apart() -> None:
    found = CompactColumn.of(pl.Series([0.0, 1.0, 1.0, 1.5, None, np.nan, np.inf]), Grid("numeric", np.array([1.0, 2])))
    assert found.counts.tolist() == [1, 2, 1, 0, 0]
    assert (found.rows, found.missing, found.infinite, found.finite) == (7, 2, 1, 4)
    assert found.moments == Moments(4, 0.875, 1.1875, 0.0, 1.5)


@pytest.mark.parametrize("seed", range(5))
def test_parts_merge_in_any_order_to_the_same_integers_and_the_same_answers(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.where(random.random(ROWS) < 0.1, np.nan, random.standard_cauchy(ROWS).round(2))
    reference = numbers(random.standard_cauchy(ROWS))
    grid = grid_of(reference, points=50)
    whole = compact(values, grid)
    cuts = np.sort(random.integers(0, ROWS, size=6))
    parts = [compact(part, grid) for part in np.split(random.permutation(values), cuts)]
    for _ in range(3):
        random.shuffle(parts)
        left = parts[0]
        for part in parts[1:]:
            left = left.merge(part)
        right = parts[-1]
        for part in parts[-2::-1]:
            right = part.merge(right)
        for each in (left, right):
            assert same_integers(each, whole)
            assert each.moments.mean == pytest.approx(whole.moments.mean, rel=ROUNDING)
            assert each.moments.std == pytest.approx(whole.moments.std, rel=ROUNDING)
            assert (each.moments.low, each.moments.high) == (whole.moments.low, whole.moments.high)
            for name in ("kolmogorov_smirnov", *BINNED, *SHARES):
                assert statistic(name, reference, each.column()) == statistic(name, reference, whole.column())


@pytest.mark.parametrize("points", [16, 4_096])
@pytest.mark.parametrize("name", NASTY)
def test_the_distance_to_an_exact_reference_is_off_by_no_more_than_stated(name: str, points: int) -> None:
    before, after = NASTY[name](np.random.default_rng(3))
    reference, current = numbers(before), numbers(after)
    grid = grid_of(reference, points=points)
    counted = compact(after, grid)
    error = counted.ks_error(reference)
    assert error <= min(1 / points, counted.grid_error)
    found, exact = (statistic("kolmogorov_smirnov", reference, each) for each in (counted.column(), current))
    assert abs(found - exact) <= error + ROUNDING


@pytest.mark.parametrize("name", NASTY)
def test_both_sides_may_be_compact_on_a_grid_made_of_a_first_sample(name: str) -> None:
    before, after = NASTY[name](np.random.default_rng(4))
    grid = grid_of(numbers(before[:500]), points=64)
    first, second = compact(before, grid), compact(after, grid)
    exact = statistic("kolmogorov_smirnov", numbers(before), numbers(after))
    found = statistic("kolmogorov_smirnov", first.column(), second.column())
    error = second.ks_error(first.column())
    assert abs(found - exact) <= error + ROUNDING
    assert error <= min(first.grid_error, second.grid_error) + ROUNDING


def test_a_reference_on_another_grid_adds_its_own_error() -> None:
    random = np.random.default_rng(5)
    before, after = random.normal(size=ROWS), random.normal(0.5, size=ROWS)
    first = compact(before, Grid("numeric", np.linspace(-2, 2, 9))).column()
    second = compact(after, Grid("numeric", np.linspace(-3, 3, 8)))
    exact = statistic("kolmogorov_smirnov", numbers(before), numbers(after))
    error = second.ks_error(first)
    assert abs(statistic("kolmogorov_smirnov", first, second.column()) - exact) <= error
    assert error > first.grid_error


@pytest.mark.parametrize("name", NASTY)
def test_binned_methods_and_shares_are_exact(name: str) -> None:
    before, after = NASTY[name](np.random.default_rng(6))
    after = np.append(after, [np.nan, np.inf])
    reference, current = numbers(before), numbers(after)
    counted = compact(after, grid_of(reference)).column()
    for each in (*BINNED, *SHARES):
        assert METHODS[each].measure(reference, counted) == METHODS[each].measure(reference, current), each


@pytest.mark.parametrize("name", NASTY)
def test_mean_spread_and_range_are_exact_and_wasserstein_is_close(name: str) -> None:
    before, after = NASTY[name](np.random.default_rng(7))
    reference, current = numbers(before), numbers(after)
    counted = compact(after, grid_of(reference)).column()
    assert counted.mean == pytest.approx(current.mean, rel=ROUNDING)
    assert counted.std == pytest.approx(current.std, rel=ROUNDING, abs=ROUNDING)
    assert (counted.values[0], counted.values[-1]) == (current.values[0], current.values[-1])
    exact = statistic("wasserstein", reference, current)
    assert statistic("wasserstein", reference, counted) == pytest.approx(exact, rel=CLOSE, abs=1e-9)


def test_a_compact_reference_bins_as_the_exact_one_where_its_edges_are_on_the_grid() -> None:
    random = np.random.default_rng(8)
    for values in (random.normal(size=ROWS), random.poisson(2, size=ROWS) * 1.0):
        exact = numbers(values)
        found = compact(values, grid_of(exact, points=10)).column()
        assert found.edges.tolist() == exact.edges.tolist()
        assert found.own_counts.tolist() == exact.own_counts.tolist()
        assert isinstance(found, GridColumn)
        assert replace(found, missing=0).edges.tolist() == exact.edges.tolist()


def test_the_same_rows_in_another_order_have_not_drifted() -> None:
    random = np.random.default_rng(9)
    values = random.integers(0, 300, size=ROWS) * 0.1
    grid = Grid("numeric", np.array([5.03, 20.07]))
    first = compact(values, grid).column()
    parts = [compact(part, grid) for part in np.array_split(random.permutation(values), 7)]
    second = parts[6].merge(parts[2]).merge(parts[0]).merge(parts[1].merge(parts[5])).merge(parts[3].merge(parts[4]))
    assert statistic("kolmogorov_smirnov", first, second.column()) == 0.0


def test_the_engine_measures_compact_columns_by_every_method() -> None:
    random = np.random.default_rng(11)
    exact, values = numbers(random.normal(size=ROWS)), random.normal(0.2, size=ROWS)
    grid = grid_of(exact)
    reference, batches = compact(exact.values, grid).column(), Batches.of([compact(values, grid).column()] * 2)
    methods = [name for name, each in METHODS.items() if "numeric" in each.kinds]
    for role in ("feature", "prediction"):
        for found in measure_column("age", reference=reference, role=role, batches=batches, methods=methods):
            truth = METHODS[found.method].measure(exact, numbers(values))
            assert found.drift_score == pytest.approx([truth.drift_score] * 2, abs=1e-3), found.method
            assert found.effect_size == pytest.approx([(values.mean() - exact.mean) / exact.std] * 2, rel=1e-6)


def test_categories_of_the_grid_are_counted_and_others_pooled() -> None:
    reference = column_profile(pl.Series(["a", "b", "b"]), kind="categorical")
    grid = grid_of(reference)
    counted = CompactColumn.of(pl.Series(["b", "x", None]), grid).merge(CompactColumn.of(pl.Series(["x", "y"]), grid))
    found = counted.column()
    assert dict(found.categories) == {OTHERS: 3, "b": 1}
    assert (found.rows, found.missing) == (5, 1)
    assert dict(counted.others.counts) == {"x": 2, "y": 1}
    exact = column_profile(pl.Series(["b", "x", None, "x", "y"]), kind="categorical")
    for name in ("psi", "chi_squared", "unseen_share", "l_infinity", "missing_share"):
        assert METHODS[name].measure(reference, found) == METHODS[name].measure(reference, exact)
    assert dict(counted.column(others_by_name=True).categories) == dict(exact.categories)


@pytest.mark.parametrize("seed", range(5))
def test_frequent_texts_are_counted_within_the_stated_bound_in_any_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.zipf(1.5, size=3_000).astype(str)
    truth = dict(zip(*np.unique(labels, return_counts=True), strict=True))
    found = FrequentItems(size=20)
    for part in np.array_split(labels, 9):
        counts = {str(label): int(rows) for label, rows in zip(*np.unique(part, return_counts=True), strict=True)}
        found = FrequentItems.of(counts, size=20).merge(found)
    assert len(found.counts) <= 20
    assert found.slack <= labels.size / 21
    least = {label: found.counts.get(label, 0) for label in truth}
    assert all(least[label] <= rows <= least[label] + found.slack for label, rows in truth.items())


def test_the_state_does_not_grow_with_the_rows() -> None:
    random = np.random.default_rng(10)
    frame = pl.DataFrame({f"x{place}": random.normal(size=20_000) for place in range(3)})
    grids = {name: grid_of(column_profile(frame[name], kind="numeric")) for name in frame.columns}
    once, often = compact_profile([frame], grids), compact_profile([frame] * 4, grids)
    assert once.state_bytes == often.state_bytes
    assert often["x0"].rows == 80_000
    assert once["x0"].state_bytes * 300 < 50e6


def test_profiles_on_different_grids_are_refused() -> None:
    first, second = (compact(np.ones(2), Grid("numeric", np.array([point]))) for point in (1.0, 2.0))
    with pytest.raises(DriftError, match="expected two profiles on one grid, found a numeric grid of 1 points"):
        first.merge(second)
    with pytest.raises(DriftError, match="only one with age"):
        CompactProfile({"age": first}).merge(CompactProfile({}))
    with pytest.raises(DriftError, match="expected columns age, found only sex"):
        CompactProfile({"age": first}).updated(pl.DataFrame({"sex": [1]}))


@pytest.mark.parametrize("values", [[], [None, None], [np.nan, np.inf], [1e308, -1e308, 1.7e308], [-0.0, 0.0]])
def test_what_holds_little_or_too_much_is_still_a_profile(values: list[float | None]) -> None:
    exact = column_profile(pl.Series(values, dtype=pl.Float64), kind="numeric")
    for grid in (grid_of(exact), Grid("numeric", np.array([5.0])), Grid("numeric")):
        found = CompactColumn.of(pl.Series(values, dtype=pl.Float64), grid).column()
        for name in ("rows", "missing", "infinite", "finite"):
            assert getattr(found, name) == getattr(exact, name)
        assert found.values[:1].tolist() == exact.values[:1].tolist()
        assert found.mean == pytest.approx(exact.mean, rel=ROUNDING, nan_ok=True)
    nothing = CompactColumn.of(pl.Series([None, None]), Grid("categorical", labels=("a",))).column()
    assert (nothing.rows, nothing.missing, dict(nothing.categories)) == (2, 2, {})


def test_a_file_gives_back_what_was_written_in_the_same_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"age": [1.0, None, 4.5], "plan": ["a", "é", None]})
    grids = {"age": Grid("numeric", np.array([2.0])), "plan": Grid("categorical", labels=("a",))}
    profile = compact_profile([frame], grids)
    first, second = save_compact(tmp_path / "a.npz", profile), save_compact(tmp_path / "b.npz", profile)
    assert first.read_bytes() == second.read_bytes()
    found = load_compact(first)
    assert all(same_integers(found[name], profile[name]) for name in frame.columns)
    assert found["age"].moments == profile["age"].moments
    assert found["plan"].others == profile["plan"].others
    assert found.merge(profile)["plan"].column().rows == 6
    with pytest.raises(DriftError, match=r"expected compact profiles in c\.npz, found none"):
        load_compact(tmp_path / "c.npz")
