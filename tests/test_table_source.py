import datetime as dt
import decimal
import gzip

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from driftbook.drift.plain_series import as_comparable, plain_series
from driftbook.drift.table_source import open_table
from driftbook.errors import DataError, UnknownNameError

FRAME = pl.DataFrame({"age": [41.0, None, 33.5], "plan": ["a", "b", None], "visits": [3, 1, 2]})


def _written(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".parquet"):
        FRAME.write_parquet(path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(FRAME.write_csv(separator=";").encode()))
    else:
        FRAME.write_csv(path, separator=";" if "semicolon" in name else ",")
    return path


SOURCES = {
    "frame": lambda folder: FRAME,
    "lazy frame": lambda folder: FRAME.lazy(),
    "Parquet": lambda folder: _written(folder, "t.parquet"),
    "Parquet as text": lambda folder: str(_written(folder, "t.parquet")),
    "folder of Parquet": lambda folder: _written(folder, "t.parquet").parent,
    "CSV": lambda folder: _written(folder, "t.csv"),
    "CSV with semicolons": lambda folder: _written(folder, "semicolon.csv"),
    "compressed CSV": lambda folder: _written(folder, "t.csv.gz"),
    "Arrow table": lambda folder: FRAME.to_arrow(),
    "Arrow batch": lambda folder: FRAME.to_arrow().to_batches()[0],
    "Arrow reader": lambda folder: FRAME.to_arrow().to_reader(),
    "Arrow data set": lambda folder: pyarrow.dataset.dataset(_written(folder, "t.parquet")),
    "pandas": lambda folder: FRAME.to_pandas(),
    "pandas with Arrow types": lambda folder: FRAME.to_pandas(use_pyarrow_extension_array=True),
    "mapping": lambda folder: {name: FRAME[name].to_list() for name in FRAME.columns},
    "mapping of arrays": lambda folder: {name: FRAME[name].to_numpy() for name in FRAME.columns},
    "array with fields": lambda folder: FRAME.to_numpy(structured=True),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=list(SOURCES))
def test_every_source_gives_the_same_columns(source, tmp_path):
    table = open_table(source(tmp_path))
    assert table.names == ("age", "plan", "visits")
    assert table.rows == 3
    assert table.column("age").fill_nan(None).to_list() == [41.0, None, 33.5]
    assert table.column("plan").to_list() == ["a", "b", None]
    assert table.column("visits").to_list() == [3, 1, 2]


def test_an_array_without_names_gets_numbered_columns():
    table = open_table(np.array([[1, 2], [3, 4], [5, 6]]))
    assert table.names == ("column_1", "column_2")
    assert table.column("column_2").to_list() == [2, 4, 6]
    assert open_table(np.array([1.0, 2.0])).rows == 2


def test_doubled_names_and_blanks_survive_in_every_source(tmp_path):
    values = [pa.array([1, 2]), pa.array([3.0, 4.0]), pa.array(["x", "y"])]
    arrow = pa.Table.from_arrays(values, names=[" Flow", "Flow", ""])
    pq.write_table(arrow, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text(" Flow,Flow,\n1,3,x\n2,4,y\n")
    pandas = pd.DataFrame([[1, 3.0, "x"], [2, 4.0, "y"]], columns=[" Flow", "Flow", ""])
    for source in (arrow, tmp_path / "t.parquet", tmp_path / "t.csv", pandas):
        table = open_table(source)
        assert table.names == ("Flow", "Flow_1", "column_3")
        assert table.column("Flow").to_list() == [1, 2]
        assert table.column("Flow_1").to_list() == [3.0, 4.0]
        assert table.column("column_3").to_list() == ["x", "y"]


def test_names_that_look_like_patterns_are_names():
    frame = pl.DataFrame({"*": [1], "^a.*$": [2], "abc": [3]})
    table = open_table(frame.lazy())
    assert [table.column(name).to_list() for name in table.names] == [[1], [2], [3]]


def test_a_lazy_scan_reads_the_asked_column_only():
    read = []
    frame = pl.DataFrame({"a": [1, 2], "b": [3, 4]}).lazy()
    watched = frame.with_columns(pl.col("b").map_batches(lambda column: read.append("b") or column))
    table = open_table(watched)
    read.clear()
    assert table.column("a").to_list() == [1, 2]
    assert read == []
    assert table.column("b").to_list() == [3, 4]
    assert read == ["b"]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, "a", None]),
        pd.Series([dt.date(2020, 1, 1), "x"]),
        pd.Series(pd.period_range("2020", periods=2, freq="M")),
        pd.Series(pd.interval_range(0, 2)),
        pd.Series(pd.arrays.SparseArray([0, 0, 1])),
        pd.Series([1 + 2j, 3]),
        pd.Series([{"a": 1}, [2]]),
        pd.Series([object(), None]),
        pd.Series([pd.NA, 1], dtype=object),
        np.array([1, "a", None], dtype=object),
        np.array([1 + 2j]),
        np.array(["2020-01"], dtype="datetime64[M]"),
        np.array([1], dtype="timedelta64[s]"),
        np.array([1.5], dtype=np.longdouble),
        np.array([b"ab"]),
        np.ma.array([1, 2], mask=[False, True]),
        [2**70, 1],
        [1, 2.5],
        [decimal.Decimal("1.5"), 2],
        [None, None],
        [],
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_column_is_refused_for_what_it_holds(values):
    series = plain_series("x", values)
    assert series.name == "x"
    assert len(series) == len(values)
    assert series.dtype != pl.Object


def test_objects_of_mixed_types_become_texts_and_stay_missing_where_they_are():
    assert plain_series("x", pd.Series([1, "a", None])).to_list() == ["1", "a", None]
    assert plain_series("x", pd.Series([pd.NA, 1], dtype=object)).to_list() == [None, 1]


def test_nested_and_binary_values_are_compared_by_their_text():
    assert as_comparable(pl.Series([[1, 2], None])).to_list() == ["[1,2]", None]
    assert as_comparable(pl.Series([{"a": 1}, {"a": None}])).to_list() == ['{"a":1}', '{"a":null}']
    assert as_comparable(pl.Series([b"\x01\xff", None])).to_list() == ["01ff", None]


def test_a_csv_gets_its_types_from_all_values(tmp_path):
    rows = "\n".join(f"{place},yes,2024-01-{place % 28 + 1:02d},true" for place in range(98))
    path = tmp_path / "t.csv"
    path.write_text(f"number,text,day,flag\n{rows}\n?,no,,false\n1e+05,no,2024-02-01,true\n")
    table = open_table(path)
    dtypes = {name: table.column(name).dtype for name in table.names}
    assert dtypes == {"number": pl.Float64, "text": pl.String, "day": pl.Datetime("us"), "flag": pl.Boolean}
    assert table.column("number")[-1] == 100_000.0
    assert table.read("number").remark == "'?' read as missing"
    assert table.read("text").remark == ""


def test_a_csv_of_one_column_is_a_table(tmp_path):
    (tmp_path / "t.csv").write_text("x\n1\n2\n")
    assert open_table(tmp_path / "t.csv").column("x").to_list() == [1, 2]


def test_few_values_that_are_no_number_count_as_missing_and_are_named(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "1,2\n" * 99 + "abc,3\n")
    table = open_table(tmp_path / "t.csv")
    assert table.column("x").null_count() == 1
    assert table.read("x").remark == "1 value is no number ('abc') and counts as missing"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.csv", r"expected a CSV or Parquet file at 'none\.csv', found none there"),
        (3, "is of type int, which is no table; expected a polars"),
        (None, "is of type NoneType"),
        (np.zeros((2, 2, 2)), "is an array of 3 dimensions"),
        ({"a": [1], "b": [1, 2]}, "columns of different lengths \\(a: 1, b: 2\\)"),
        ({"a": 1}, "values that are no columns"),
        ({}, "has no columns"),
        (pa.array([1]), "an Arrow Int64Array, which is no table"),
        (pl.LazyFrame({"a": [1]}).select("b"), "cannot be read"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_table_is_named(source, message):
    with pytest.raises(DataError, match=message):
        open_table(source)


def test_broken_files_are_named(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing more")
    (tmp_path / "text.parquet").write_text("a,b\n1,2\n")
    for name, message in (("broken.parquet", "cannot be read as Parquet"), ("text.parquet", "rename it to end in")):
        with pytest.raises(DataError, match=message):
            open_table(tmp_path / name)


def test_a_column_that_is_not_there_is_named_with_its_neighbour():
    with pytest.raises(UnknownNameError, match="no column 'agee'; did you mean 'age'"):
        open_table(FRAME).column("agee")
