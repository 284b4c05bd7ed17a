"""Reading files and queries: what is kept, what is refused, and what the refusal says."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from driftbook.config import Settings, UseCase
from driftbook.data.sources import clean_names, load_table, read_file, source_files
from driftbook.errors import ConfigError, DataError

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_shared_data = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the public data sets in ../shared/data")


def use_case(source: dict[str, object]) -> UseCase:
    content = {
        "name": "small",
        "title": "Small",
        "task": "binary",
        "columns": {"target": "y", "positive_class": "1", "numeric": ["x"]},
        "source": {"stream_start": "2026-05-17", **source},
        "batch": {"rows": 20},
    }
    return UseCase.model_validate(content)


def raw_file(root: Path, name: str, content: str | bytes) -> Path:
    path = root / "data" / "small" / "raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_every_csv_value_stays_text_and_the_named_null_values_become_null(tmp_path: Path) -> None:
    path = raw_file(tmp_path, "a.csv", "x,y\n1e+05, \nInfinity,NA\n007,unknown\n")
    assert read_file(path).rows() == [("1e+05", None), ("Infinity", None), ("007", "unknown")]


def test_headers_lose_their_blanks_and_doubled_ones_become_distinct(tmp_path: Path) -> None:
    path = raw_file(tmp_path, "a.csv", ' Fwd Header Length,"Flow, all ",Fwd Header Length,\n1,2,3,4\n')
    assert read_file(path).columns == ["Fwd Header Length", "Flow, all", "Fwd Header Length_1", "column_4"]


def test_a_doubled_name_never_takes_the_name_of_another_column() -> None:
    assert clean_names(["a", "a", "a_1", "a", ""]) == ["a", "a_2", "a_1", "a_3", "column_5"]


def test_a_compressed_file_reads_like_the_plain_one(tmp_path: Path) -> None:
    plain = raw_file(tmp_path, "a.csv", "x,y\n1,0\n")
    packed = raw_file(tmp_path, "a.csv.gz", gzip.compress(b"x,y\n1,0\n"))
    assert read_file(packed).equals(read_file(plain))


def test_a_broken_compressed_file_is_named_as_such(tmp_path: Path) -> None:
    path = raw_file(tmp_path, "a.csv.gz", gzip.compress(b"x,y\n1,0\n" * 50)[:-9])
    with pytest.raises(DataError, match=r"a\.csv\.gz is compressed but broken .*copy the file again"):
        read_file(path)


def test_a_file_without_header_takes_the_given_names(tmp_path: Path) -> None:
    path = raw_file(tmp_path, "a.data", "1,0\n2,1\n")
    assert read_file(path, header=["x", "y"]).to_dicts() == [{"x": "1", "y": "0"}, {"x": "2", "y": "1"}]
    with pytest.raises(DataError, match=r"has 2 columns, but source\.header names 3"):
        read_file(path, header=["x", "y", "z"])


def test_line_ends_blank_lines_byte_order_marks_and_short_rows_do_no_harm(tmp_path: Path) -> None:
    path = raw_file(tmp_path, "a.csv", b"\xef\xbb\xbfx,y\r\n1,0\r\n\r\n2\r\n\r\n")
    assert read_file(path).rows() == [("1", "0"), ("2", None)]


def test_tab_separated_files_need_no_setting(tmp_path: Path) -> None:
    assert read_file(raw_file(tmp_path, "a.tsv", "x\ty\n1\t0\n")).columns == ["x", "y"]


def test_a_missing_file_says_where_to_put_it_and_what_lies_there(tmp_path: Path) -> None:
    raw_file(tmp_path, "other.csv", "x,y\n1,0\n")
    case, settings = use_case({"kind": "files", "path": "rows.csv"}), Settings(root=tmp_path)
    with pytest.raises(DataError, match=r"'rows\.csv' .* in data/small/raw/, found other\.csv; put the file there"):
        load_table(case, settings)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", r"a\.csv is empty; expected a header line and rows"),
        ("a.csv", b"\n \n", r"a\.csv is empty"),
        ("a.csv", b"x,y\n", r"has a header but no rows"),
        ("a.csv", b"x;y;z\n1;0;2\n", r"one column with separator ','; ';' would give 3: set source\.separator to ';'"),
        ("a.csv", b"x,y\n1,0\n\xe4,1\n", r"not utf8 text: byte 0xe4 at position 8 \(line 3\).*'encoding: cp1252'"),
        ("a.csv", "x,y\n1,0\n".encode("utf-16"), r"byte 0xff at position 0.*'encoding: utf-16'"),
        ("a.csv", b"x,y\n1,0\n1,2,3\n", r"line 3 has 3 fields, expected 2"),
        ("a.csv", b'x,y\n1,0\n1,"open\n', r"a\.csv: .*; correct the file"),
        ("a.csv", b"PAR1....", r"is a Parquet file by its content; rename it to a\.parquet"),
        ("a.parquet", b"x,y\n1,0\n", r"cannot be read as Parquet .* rename it to end in \.csv"),
        ("a.parquet", b"PAR1 broken", r"cannot be read as Parquet .* copy the file again"),
        ("a.parquet", b"", r"a\.parquet is empty; expected a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_to_do(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_file(raw_file(tmp_path, name, content))


def test_other_encodings_are_read_when_named(tmp_path: Path) -> None:
    path = raw_file(tmp_path, "a.csv", "x,y\nKöln,1\n".encode("cp1252"))
    assert read_file(path, encoding="cp1252").item(0, "x") == "Köln"
    with pytest.raises(ConfigError, match="no encoding 'utf-ate'; try utf8"):
        read_file(path, encoding="utf-ate")


def test_a_pattern_stacks_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    raw_file(tmp_path, "2026-02.csv", "x,y\n2,1\n")
    raw_file(tmp_path, "2026-01.csv", "y,x\n0,1\n")
    case, settings = use_case({"kind": "files", "path": "2026-*.csv"}), Settings(root=tmp_path)
    assert [path.name for path in source_files(case, settings)] == ["2026-01.csv", "2026-02.csv"]
    assert load_table(case, settings).to_dicts() == [{"y": "0", "x": "1"}, {"y": "1", "x": "2"}]
    raw_file(tmp_path, "2026-03.csv", "x,z\n2,1\n")
    with pytest.raises(DataError, match=r"2026-03\.csv and 2026-01\.csv must have the same columns.* y, z"):
        load_table(case, settings)


def test_a_query_reads_any_database_whose_url_the_environment_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "source.db") as connection:
        connection.execute("create table calls (x real, y text)")
        connection.executemany("insert into calls values (?, ?)", [(1.5, "0"), (None, "1")])
    case, settings = use_case({"kind": "sql", "query": "select x, y, x as x from calls"}), Settings(root=tmp_path)
    monkeypatch.delenv("DRIFTBOOK_SOURCE_URL", raising=False)
    with pytest.raises(ConfigError, match="environment variable DRIFTBOOK_SOURCE_URL"):
        load_table(case, settings)
    monkeypatch.setenv("DRIFTBOOK_SOURCE_URL", f"sqlite:///{tmp_path / 'source.db'}")
    expected = {"x": [1.5, None], "y": ["0", "1"], "x_1": [1.5, None]}
    assert load_table(case, settings).to_dict(as_series=False) == expected
    with pytest.raises(DataError, match="gives no rows"):
        load_table(use_case({"kind": "sql", "query": "select * from calls where x > 9"}), settings)


def test_a_failing_query_never_shows_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTBOOK_SOURCE_URL", "postgresql+psycopg://me:planted-secret@127.0.0.1:1/none")
    with pytest.raises(DataError, match="failed on the database of DRIFTBOOK_SOURCE_URL") as caught:
        load_table(use_case({"kind": "sql", "query": "select 1"}), Settings(root=tmp_path))
    assert "planted-secret" not in str(caught.value)


@needs_shared_data
def test_the_cicids_headers_and_infinite_values_survive() -> None:
    table = read_file(SHARED / "cicids2017" / "m1.csv")
    assert table.width == 79
    assert {"Fwd Header Length", "Fwd Header Length_1", "Flow Bytes/s"} <= set(table.columns)
    assert all(name == name.strip() for name in table.columns)
    rates = table.select(pl.col("Flow Bytes/s", "Flow Packets/s").is_in(["Infinity", "NaN"]).fill_null(True).sum())
    assert sum(rates.row(0)) == 20


@needs_shared_data
def test_compressed_kdd99_reads_all_its_rows_without_a_header() -> None:
    header = [f"column_{place}" for place in range(1, 43)]
    table = read_file(SHARED / "kdd99" / "kddcup.data_10_percent.gz", header=header)
    assert table.shape == (494_021, 42)
    assert pl.Series(table["column_42"].unique()).str.ends_with(".").all()
