from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftbook.drift import sorted_columns
from driftbook.drift.compact import CompactColumn
from driftbook.drift.grid import Grid, grid_of
from driftbook.drift.merging import cells_in_play, merged_profile, refined, values_inside
from driftbook.drift.methods import METHODS
from driftbook.drift.profile import Kind, Profile, column_profile, profile
from driftbook.errors import DriftError

BITWISE = (
    "kolmogorov_smirnov",
    "psi",
    "jensen_shannon",
    "kullback_leibler",
    "hellinger",
    "l_infinity",
    "chi_squared",
    "missing_share",
    "zero_share",
    "out_of_range_share",
    "new_minimum_share",
)
TEXT = ("psi", "jensen_shannon", "chi_squared", "unseen_share", "missing_share", "psi_evidently")
ROUNDING = 1e-9
ELECTRICITY = Path(__file__).parents[2] / "shared" / "data" / "elec2" / "elec.csv"
KINDS: Mapping[str, Kind] = {"amount": "numeric", "count": "numeric", "same": "numeric", "plan": "categorical"}


def table(random: np.random.Generator, rows: int, *, shift: float = 0.0) -> pl.DataFrame:
    amount = random.lognormal(shift, 1.0, size=rows)
    return pl.DataFrame(
        {
            "amount": np.where(random.random(rows) < 0.05, np.nan, amount),
            "count": random.poisson(4 + shift, size=rows),
            "same": np.full(rows, 3.0),
            "plan": random.choice(["basic", "plus", "pro"] + ["new"] * (shift > 0), size=rows),
        }
    )


def split(frame: pl.DataFrame, random: np.random.Generator, parts: int) -> list[pl.DataFrame]:
    cuts = [0, *np.sort(random.integers(0, frame.height + 1, size=parts - 1)).tolist(), frame.height]
    return [frame[first:last] for first, last in pairwise(cuts)]


def assert_same_answers(reference: Profile, merged: Profile, whole: Profile) -> None:
    for name, column in reference.items():
        for each in BITWISE if column.kind == "numeric" else TEXT:
            assert METHODS[each].measure(column, merged[name]) == METHODS[each].measure(column, whole[name]), each
        if column.kind == "numeric":
            exact = METHODS["wasserstein"].measure(column, whole[name]).statistic
            found = METHODS["wasserstein"].measure(column, merged[name]).statistic
            assert found == pytest.approx(exact, rel=ROUNDING, abs=ROUNDING)
            assert merged[name].mean == pytest.approx(whole[name].mean, rel=ROUNDING)
            assert merged[name].std == pytest.approx(whole[name].std, rel=ROUNDING)


@pytest.mark.parametrize("parts", range(1, 10))
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_any_number_of_parts_gives_the_digits_of_one_machine(parts: int, shift: float) -> None:
    random = np.random.default_rng([parts, int(shift * 10)])
    reference = profile(table(random, 20_000), KINDS)
    current = table(random, 9_000, shift=shift)
    merged = merged_profile(reference, split(current, random, parts), read=pl.DataFrame)
    assert_same_answers(reference, merged, profile(current, KINDS))


@settings(max_examples=60, deadline=None)
@given(
    reference=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]) | st.floats(-1e6, 1e6), min_size=1, max_size=60),
    current=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]) | st.floats(-2e6, 2e6), min_size=1, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    points=st.integers(1, 5),
)
def test_ties_constants_and_empty_parts_on_a_coarse_grid_change_no_digit(
    reference: list[float], current: list[float], cuts: list[int], points: int
) -> None:
    column = column_profile(pl.Series(reference), kind="numeric")
    grid = grid_of(column, points=points)
    parts = [pl.Series(part) for part in np.split(np.array(current), sorted(cuts))]
    counted = CompactColumn.of(parts[0], grid)
    for part in parts[1:]:
        counted = counted.merge(CompactColumn.of(part, grid))
    cells = cells_in_play(column, counted)
    found = refined(counted, cells, [values_inside(part, cells) for part in parts])
    whole = column_profile(pl.Series(current), kind="numeric")
    for name in BITWISE:
        assert METHODS[name].measure(column, found) == METHODS[name].measure(column, whole), name
    exact = METHODS["wasserstein_raw"].measure(column, whole).statistic
    assert METHODS["wasserstein_raw"].measure(column, found).statistic == pytest.approx(exact, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("shift", [0.0, 1e-3, 0.05])
def test_large_columns_give_the_same_distance_whichever_way_it_is_searched(shift: float) -> None:
    random = np.random.default_rng(3)
    rows = 20 * sorted_columns.ROWS_TO_REFINE
    before, after = random.normal(size=rows), random.normal(shift, size=rows + 17)
    column, whole = (column_profile(pl.Series(each), kind="numeric") for each in (before, after))
    grid = grid_of(column, points=64)
    counted = CompactColumn.of(pl.Series(after), grid)
    cells = cells_in_play(column, counted)
    found = refined(counted, cells, [values_inside(pl.Series(part), cells) for part in np.array_split(after, 4)])
    name = "kolmogorov_smirnov"
    assert METHODS[name].measure(column, found) == METHODS[name].measure(column, whole)


def test_only_a_few_values_travel_where_something_drifted() -> None:
    random = np.random.default_rng(4)
    reference = column_profile(pl.Series(random.normal(size=50_000)), kind="numeric")
    drifted = pl.Series(random.normal(0.3, size=50_000))
    counted = CompactColumn.of(drifted, grid_of(reference))
    cells = cells_in_play(reference, counted, wasserstein=False)
    assert values_inside(drifted, cells).size < 500
    assert cells.lower.size < cells_in_play(reference, counted).lower.size


def test_parts_that_changed_between_the_passes_are_noticed() -> None:
    reference = column_profile(pl.Series([1.0, 2.0, 3.0, 9.0]), kind="numeric")
    counted = CompactColumn.of(pl.Series([4.0, 7.0]), Grid("numeric", np.array([1.5, 5.0])))
    cells = cells_in_play(reference, counted)
    with pytest.raises(DriftError, match="expected 2 values in the cells asked for, found 1; the parts were changed"):
        refined(counted, cells, [values_inside(pl.Series([4.0]), cells)])


def test_machines_need_to_see_only_their_own_part(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    reference = profile(table(random, 10_000), KINDS)
    current = table(random, 6_000, shift=0.2)
    paths = [tmp_path / f"{place}.parquet" for place in range(3)]
    for path, part in zip(paths, split(current, random, 3), strict=True):
        part.write_parquet(path)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as machines:
        merged = merged_profile(reference, paths, read=pl.read_parquet, run=machines.map)
    assert_same_answers(reference, merged, profile(current, KINDS))


@pytest.mark.skipif(not ELECTRICITY.is_file(), reason="needs ../shared/data/elec2, which is not part of the project")
def test_real_columns_with_an_abrupt_change_give_the_same_digits() -> None:
    frame = pl.read_csv(ELECTRICITY, infer_schema_length=None)
    kinds: dict[str, Kind] = {**dict.fromkeys(frame.columns, "numeric"), "class": "categorical"}
    before, after = frame[:17_424], frame[17_424:]
    reference = profile(before, kinds)
    merged = merged_profile(reference, split(after, np.random.default_rng(6), 7), read=pl.DataFrame)
    assert_same_answers(reference, merged, profile(after, kinds))
