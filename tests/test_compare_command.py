import json
import re
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from driftbook.cli import app, main
from driftbook.drift.engine import DRIFT_SCHEMA

DATA = Path(__file__).parents[1].parent / "shared" / "data"
TELCO = DATA / "telco_churn" / "Telco-Customer-Churn.csv"
MOST_COLUMNS = 100


@pytest.fixture
def tables(tmp_path):
    random = np.random.default_rng(1)
    for name, shift in (("before", 0.0), ("after", 9.0)):
        age = random.normal(40 + shift, 10, size=300).round(2)
        frame = pl.DataFrame({"age": age, "plan": random.choice(["a", "b"], size=300)})
        frame.write_csv(tmp_path / f"{name}.csv")
        frame.write_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def test_the_verdict_comes_first_and_the_exit_code_is_0_although_it_drifted(tables):
    done = run(tables / "before.csv", tables / "after.parquet")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "drifted: before.csv (300 rows) → after.parquet (300 rows)"
    assert lines[2].startswith("1 of 2 columns drifted: age (mean ")
    assert max(map(len, lines)) <= MOST_COLUMNS
    assert any(re.match(r"age +PSI .*■ drifted$", line) or re.match(r"age +Kolm.*■ drifted$", line) for line in lines)


def test_the_same_table_does_not_drift(tables):
    done = run(tables / "before.csv", tables / "before.parquet")
    assert done.exit_code == 0
    assert done.stdout.startswith("stable: ")


def test_json_and_page_are_written_beside_what_is_printed(tables):
    record, page = tables / "out" / "drift.json", tables / "out" / "drift.html"
    done = run(tables / "before.csv", tables / "after.csv", "--json", record, "--html", page, "--columns", "age")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].startswith("wrote ")
    content = json.loads(record.read_text())
    assert set(content["rows"][0]) == set(DRIFT_SCHEMA)
    assert {row["column"] for row in content["rows"]} == {"age"}
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in record.parent.iterdir()) == ["drift.html", "drift.json"]


def test_json_to_the_terminal_is_json_and_nothing_else(tables):
    done = run(tables / "before.csv", tables / "after.csv", "--json", "-", "--methods", "wasserstein,psi")
    content = json.loads(done.stdout)
    features = [row["method"] for row in content["rows"] if row["role"] == "feature"]
    assert features == ["wasserstein", "psi", "psi"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv", "after.csv"], "expected a CSV or Parquet file at 'none.csv', found none there; check the path"),
        (["before.csv", "empty.csv"], "empty.csv is empty"),
        (["before.csv", "header.csv"], "header.csv has a header but no rows"),
        (["before.csv", "bytes.csv"], "bytes.csv holds zero bytes, so it is no text"),
        (["before.csv", "others.csv"], "no column in common"),
        (["before.csv", "after.csv", "--methods", "psy"], "no drift method 'psy'; did you mean 'psi'"),
        (["before.csv", "after.csv", "--columns", "agee"], "no column 'agee'; did you mean 'age'"),
        (["before.csv", "after.csv", "--policy", "calibrate"], "no policy 'calibrate'; did you mean 'calibrated'"),
        (["before.csv", "after.csv", "--json", "before.csv/x.json"], "cannot be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_fault_is_one_line_and_nothing_is_half_written(tables, arguments, message, monkeypatch, capsys):
    (tables / "empty.csv").write_text("")
    (tables / "header.csv").write_text("age,plan\n")
    (tables / "bytes.csv").write_bytes(b"a,b\n\0\0,\0\n")
    (tables / "others.csv").write_text("x,y\n1,2\n3,4\n")
    before = sorted(path.name for path in tables.iterdir())
    extra = [] if "--json" in arguments else ["--json", "out.json"]
    monkeypatch.chdir(tables)
    monkeypatch.setattr(sys, "argv", ["driftbook", "compare", *arguments, *extra])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("driftbook: ")
    assert message in line
    assert sorted(path.name for path in tables.iterdir()) == before


def test_help_says_what_the_exit_code_means():
    said = " ".join(run("--help").stdout.split())
    assert "The exit code is 0 whatever is found" in said


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data sets beside the checkout (../shared/data)")
def test_two_halves_of_the_telco_table_do_not_drift(tmp_path):
    table = pl.read_csv(TELCO, infer_schema=False)
    half = table.height // 2
    table[:half].write_csv(tmp_path / "first.csv")
    table[half:].write_csv(tmp_path / "second.csv")
    done = run(tmp_path / "first.csv", tmp_path / "second.csv")
    assert done.stdout.startswith("stable: first.csv (3,521 rows) → second.csv (3,522 rows)")
    assert "none of 20 columns differs" in done.stdout
    assert "customerID: holds another text in every row" in done.stdout


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data sets beside the checkout (../shared/data)")
def test_census_names_the_shock_of_chunk_27(tmp_path):
    analysis = pl.read_parquet(DATA / "census_ma" / "employment_MA_analysis.pq")
    analysis[27 * 5000 : 28 * 5000].write_parquet(tmp_path / "chunk_27.parquet")
    done = run(DATA / "census_ma" / "employment_MA_reference.pq", tmp_path / "chunk_27.parquet")
    said = " ".join(done.stdout.split())
    assert "RELP ('17' 5.23 % → 69.6 %)" in said
    assert "`RELP = 17` rose from 5.26 % to 69.6 %" in said
    assert "employed is missing in the current table" in said
    assert "! year: has no value in common" in said
    assert "- id: counts its rows without a gap" in said


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data sets beside the checkout (../shared/data)")
def test_doubled_headers_and_infinite_values_survive():
    done = run(DATA / "cicids2017" / "m1.csv", DATA / "cicids2017" / "tu1.csv", "--json", "-")
    columns = {row["column"] for row in json.loads(done.stdout)["rows"]}
    assert {"Fwd Header Length", "Fwd Header Length_1", "Flow Bytes/s", "Label"} <= columns
    assert len(columns) == 80  # 79 and all together
