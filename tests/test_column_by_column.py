from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from driftbook.drift.column_by_column import each_column, measure_tables, profile_table
from driftbook.drift.methods import METHODS, method
from driftbook.drift.profile import profile
from driftbook.drift.profile_file import open_profile, save_profile
from driftbook.drift.table_source import open_table
from driftbook.errors import DataError

METHODS_USED = ("kolmogorov_smirnov", "psi", "wasserstein", "jensen_shannon", "chi_squared")


def frame(rows: int, *, shift: float = 0.0, seed: int = 1) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "amount": random.normal(shift, size=rows),
            "visits": random.integers(0, 5, rows),
            "plan": random.choice(["a", "b", "c"], rows),
        }
    )


def test_every_source_of_either_side_gives_the_same_figures(tmp_path: Path) -> None:
    before, after = frame(3_000), frame(2_000, shift=0.2, seed=2)
    for name, each in (("before", before), ("after", after)):
        each.write_parquet(tmp_path / f"{name}.parquet", row_group_size=700)
    opened = {name: open_table(tmp_path / f"{name}.parquet") for name in ("before", "after")}
    stored = open_profile(save_profile(tmp_path / "before.npz", profile_table(opened["before"])))
    expected = measure_tables(open_table(before), open_table(after), methods=METHODS_USED)
    for reference in (opened["before"], stored, profile_table(open_table(before))):
        found = measure_tables(reference, opened["after"], methods=METHODS_USED)
        assert list(found) == before.columns
        for name, measured in found.items():
            figures = [(each.method, each.statistic[0], each.p_value[0]) for each in measured]
            assert str(figures) == str([(each.method, each.statistic[0], each.p_value[0]) for each in expected[name]])


def test_each_method_measures_the_columns_it_can() -> None:
    found = measure_tables(open_table(frame(300)), open_table(frame(300, seed=2)), methods=METHODS_USED)
    assert [each.method for each in found["plan"]] == ["psi", "jensen_shannon", "chi_squared"]
    assert [each.method for each in found["amount"]] == list(METHODS_USED)


def test_batches_of_equal_size_are_measured_like_tables_of_their_own() -> None:
    reference, stream = frame(4_000), frame(250, seed=3)
    found = measure_tables(open_table(reference), open_table(stream), methods=METHODS_USED, batch_rows=100)
    profiles = profile(reference, {"amount": "numeric", "visits": "numeric", "plan": "categorical"})
    for name, measured in found.items():
        kind = profiles[name].kind
        for each in measured:
            parts = [profile(stream[first : first + 100], {name: kind})[name] for first in (0, 100, 200)]
            alone = [method(each.method).measure(profiles[name], part).statistic for part in parts]
            assert each.statistic.tolist() == pytest.approx(alone, rel=1e-12, abs=1e-12)


def test_columns_of_one_side_only_are_left_out() -> None:
    found = measure_tables(open_table(frame(50)), open_table(frame(50).drop("plan")), methods=["psi"])
    assert list(found) == ["amount", "visits"]


def test_an_error_of_one_column_reaches_the_caller() -> None:
    def broken(name: str) -> None:
        raise DataError(name)

    with pytest.raises(DataError, match="age"):
        each_column(["age"], broken)


def test_the_tables_keep_their_order() -> None:
    values = np.random.default_rng(5).normal(size=5_000)
    table = pl.concat([pl.DataFrame({"x": values}), pl.DataFrame({"x": values})], rechunk=False)
    measure_tables(open_table(table), open_table({"x": values}), methods=list(METHODS))
    assert table["x"].to_list() == [*values, *values]
