from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from driftbook.drift.batches import stack_batches
from driftbook.drift.profile import column_profile, profile
from driftbook.drift.profile_file import LONG, load_profile, open_profile, save_profile
from driftbook.errors import DriftError


def test_numbers_are_sorted_and_what_is_missing_or_infinite_is_counted() -> None:
    column = column_profile(pl.Series([3.0, None, math.nan, math.inf, 1.0, -math.inf]), kind="numeric")
    assert column.values.tolist() == [1.0, 3.0]
    assert (column.rows, column.missing, column.infinite) == (6, 2, 2)


def test_categories_are_counted_in_order_of_their_names() -> None:
    column = column_profile(pl.Series(["pro", "basic", None, "pro"]), kind="categorical")
    assert list(column.categories.items()) == [("basic", 1), ("pro", 2)]
    assert (column.rows, column.missing) == (4, 1)


@pytest.mark.parametrize(
    ("series", "values"),
    [
        (pl.Series([2, 1], dtype=pl.UInt64), [1.0, 2.0]),
        (pl.Series([True, False]), [0.0, 1.0]),
        (pl.Series([Decimal("1.5"), Decimal("0.5")]), [0.5, 1.5]),
        (pl.Series([date(1970, 1, 3), date(1970, 1, 2)]), [1.0, 2.0]),
        (pl.Series(["7", "x"]), [7.0]),
        (pl.Series(["7", "7"], dtype=pl.Categorical), [7.0, 7.0]),
        (pl.Series([None, None]), []),
    ],
)
def test_any_type_that_holds_numbers_can_be_profiled(series: pl.Series, values: list[float]) -> None:
    assert column_profile(series, kind="numeric").values.tolist() == values


def test_nested_values_are_refused_with_the_type_found() -> None:
    with pytest.raises(DriftError, match="expected numbers, found List"):
        profile(pl.DataFrame({"tags": [[1], [2]]}), {"tags": "numeric"})


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DriftError, match="expected columns income, found only age"):
        profile(pl.DataFrame({"age": [1.0]}), {"income": "numeric"})


def test_few_values_get_a_bin_each_and_many_get_deciles() -> None:
    few = column_profile(pl.Series([0.0, 1.0, 1.0]), kind="numeric")
    assert few.edges.tolist() == [0.0, 1.0]
    assert few.own_counts.tolist() == [1, 2, 0, 0, 0]
    many = column_profile(pl.Series(np.arange(1000.0)), kind="numeric")
    assert many.own_counts.tolist() == [101, *[100] * 8, 99, 0, 0]


def test_missing_infinite_and_out_of_range_values_have_bins_of_their_own() -> None:
    reference = column_profile(pl.Series([0.0, 1.0]), kind="numeric")
    current = column_profile(pl.Series([-5.0, 9.0, math.inf, None, None]), kind="numeric")
    assert reference.counts(current).tolist() == [1, 0, 1, 1, 2]


def test_slices_are_profiled_like_columns_of_their_own() -> None:
    texts = pl.Series(["a", "b", "b", None])
    stack = stack_batches(texts, np.array([1, 3, 4]), kind="categorical")
    first, second = stack.profile(0), stack.profile(1)
    assert dict(first.categories) == {"b": 2}
    assert (second.rows, second.missing) == (1, 1)


def test_a_profile_is_stored_without_loss_and_with_the_same_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    frame = pl.DataFrame(
        {
            "amount": random.normal(size=50),
            "count": [float(place % 4) for place in range(50)],
            "größe": ["klein", "groß"] * 25,
            "empty": pl.Series([None] * 50, dtype=pl.Float64),
        }
    )
    kinds = {"amount": "numeric", "count": "numeric", "größe": "categorical", "empty": "numeric"}
    before = profile(frame, kinds)  # type: ignore[arg-type]
    first, second = save_profile(tmp_path / "a.npz", before), save_profile(tmp_path / "b.npz", before)
    assert first.read_bytes() == second.read_bytes()
    after = load_profile(first)
    assert list(after) == list(before)
    for name, column in before.items():
        assert after[name].values.tobytes() == column.values.tobytes()
        assert dict(after[name].categories) == dict(column.categories)
        assert (after[name].rows, after[name].missing) == (column.rows, column.missing)


def test_a_broken_file_of_profiles_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "reference.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(DriftError, match=r"reference\.npz.*train the model again"):
        load_profile(path)
    with pytest.raises(DriftError, match="train the model again"):
        load_profile(tmp_path / "missing.npz")


def test_an_opened_file_gives_each_column_as_the_loaded_one(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    rows = LONG // 8 + 1
    frame = pl.DataFrame(
        {
            "long": random.normal(size=rows),
            "ties": np.round(random.normal(size=rows), 3),
            "short": pl.Series([1.5, None] + [None] * (rows - 2), dtype=pl.Float64),
            "few": np.arange(rows) % 3,
            "plan": ["a", "b", None] * (rows // 3) + ["b"] * (rows % 3),
        }
    )
    kinds = {name: "categorical" if name == "plan" else "numeric" for name in frame.columns}
    path = save_profile(tmp_path / "reference.npz", profile(frame, kinds))  # type: ignore[arg-type]
    opened, loaded = open_profile(path), load_profile(path)
    assert list(opened) == list(loaded) == frame.columns
    for name, column in loaded.items():
        assert opened[name].values.tobytes() == column.values.tobytes()
        assert opened[name].finite == column.finite
        assert dict(opened[name].categories) == dict(column.categories)
    assert save_profile(tmp_path / "again.npz", opened).read_bytes() == path.read_bytes()


def test_threads_read_an_opened_file_at_the_same_time(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    frame = pl.DataFrame({f"x{place}": random.normal(size=LONG // 8) for place in range(6)})
    path = save_profile(tmp_path / "reference.npz", profile(frame, dict.fromkeys(frame.columns, "numeric")))
    opened = open_profile(path)
    with ThreadPoolExecutor(4) as threads:
        sums = list(threads.map(lambda name: float(opened[name].values.sum()), frame.columns * 3))
    assert sums == [float(np.sort(frame[name].to_numpy()).sum()) for name in frame.columns] * 3


def test_a_file_that_breaks_after_it_was_opened_says_what_to_do(tmp_path: Path) -> None:
    frame = pl.DataFrame({"long": np.random.default_rng(6).normal(size=LONG)})
    opened = open_profile(save_profile(tmp_path / "reference.npz", profile(frame, {"long": "numeric"})))
    (tmp_path / "reference.npz").write_bytes(b"cut")
    with pytest.raises(DriftError, match=r"reference\.npz.*train the model again"):
        opened["long"]
    with pytest.raises(DriftError, match="train the model again"):
        open_profile(tmp_path / "reference.npz")
