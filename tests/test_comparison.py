import datetime as dt
import decimal
import json
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest

from driftbook.comparison import compare
from driftbook.comparison.columns import pair_columns
from driftbook.comparison.overlay import overlay
from driftbook.comparison.page import MOST_BYTES
from driftbook.comparison.shapes import shape_of
from driftbook.config import load_policy
from driftbook.drift.engine import DRIFT_SCHEMA
from driftbook.drift.profile import column_profile
from driftbook.errors import ConfigError, DataError, UnknownNameError

ROWS = 600


def rows(seed, *, count=ROWS, shift=0.0):
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": random.normal(40 + shift, 10, size=count),
            "plan": random.choice(["basic", "plus", "pro"], p=[0.5, 0.3, 0.2], size=count),
            "visits": random.integers(0, 4, size=count),
            "customer": [f"{seed}-{place}" for place in range(count)],
        }
    )


REFERENCE, SAME, SHIFTED = rows(1), rows(2), rows(3, shift=8.0)


def code_of(comparison, column):
    return comparison.findings.filter(pl.col("column") == column)["finding"].to_list()


def test_tables_of_one_population_do_not_drift_and_it_says_what_was_left_out():
    found = compare(REFERENCE, SAME)
    assert found.verdict.status == "stable"
    assert not found.drifted
    assert str(found) == "No drift: none of 3 columns differs beyond what chance allows."
    assert code_of(found, "customer") == ["identifier"]
    assert found.columns["kind"].sort().to_list() == ["categorical", "categorical", "numeric"]


def test_a_shift_is_found_in_its_column_only_with_its_size():
    found = compare(REFERENCE, SHIFTED)
    assert found.verdict.status == "drifted"
    assert found.columns.filter(pl.col("band") == "drifted")["column"].to_list() == ["age"]
    first = found.columns.row(0, named=True)
    assert first["effect_size"] == pytest.approx(0.8, abs=0.2)
    assert first["change"].startswith("mean 39.6 → 48.7")
    assert any("`age`" in sentence for sentence in found.why)


def test_the_long_table_has_the_columns_of_every_drift_table():
    found = compare(REFERENCE, SHIFTED)
    assert dict(found.table.schema) == DRIFT_SCHEMA
    assert found.table["threshold"].null_count() == 0
    assert found.table["chance"].is_between(0, 1).all()
    assert set(found.table["batch_id"]) == {"current"}


def test_a_change_of_correlation_alone_is_seen_by_all_columns_together():
    random = np.random.default_rng(1)
    before = random.normal(size=(3000, 2))
    after = random.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=3000)
    found = compare(before, after)
    assert found.columns.filter(pl.col("band") == "drifted").is_empty()
    assert found.drifted
    assert "Yet together they drifted" in str(found)


@pytest.mark.parametrize("kind", ["lazy", "Parquet", "CSV", "Arrow", "pandas", "mapping"])
def test_every_kind_of_table_gives_the_same_answer(kind, tmp_path):
    def as_kind(frame, name):
        path = tmp_path / f"{name}.{kind.lower()}"
        if kind == "Parquet":
            frame.write_parquet(path)
        elif kind == "CSV":
            frame.write_csv(path)
        convert = {"lazy": frame.lazy, "Arrow": frame.to_arrow, "pandas": frame.to_pandas}
        convert["mapping"] = lambda: {each: frame[each].to_numpy() for each in frame.columns}
        return convert[kind]() if kind in convert else path

    expected = compare(REFERENCE, SHIFTED)
    found = compare(as_kind(REFERENCE, "before"), as_kind(SHIFTED, "after"))
    assert found.table.equals(expected.table)
    assert str(found) == str(expected)


def test_the_same_tables_give_the_same_bytes():
    one, other = compare(REFERENCE, SHIFTED), compare(REFERENCE, SHIFTED)
    assert one.to_json() == other.to_json()
    assert one.to_html() == other.to_html()


def test_small_tables_cannot_be_judged_and_it_says_how_many_rows_are_needed():
    found = compare(REFERENCE.head(60), SHIFTED)
    assert found.verdict.status == "cannot_tell"
    assert "at least 100 are needed" in str(found)
    assert not found.drifted
    assert "the batch has 10 rows" in str(compare(REFERENCE, SHIFTED.head(10)))


def test_undrifted_tables_hardly_ever_alarm():
    alarms = sum(compare(rows(2 * seed), rows(2 * seed + 1), budget=20).drifted for seed in range(10, 30))
    assert alarms <= 3  # one of the twenty is the budget


SIDE = {
    "unsigned": pl.Series(np.arange(200) % 17, dtype=pl.UInt8),
    "decimal": pl.Series([decimal.Decimal(place) / 4 for place in range(200)]),
    "boolean": pl.Series([True, False] * 100),
    "date": pl.Series([dt.date(2024, 1, 1) + dt.timedelta(days=place) for place in range(200)]),
    "datetime": pl.Series(
        [dt.datetime(2024, 1, 1, place % 24) for place in range(200)], dtype=pl.Datetime("ms", "UTC")
    ),
    "duration": pl.Series([dt.timedelta(minutes=place) for place in range(200)]),
    "time": pl.Series([dt.time(place % 24, 30) for place in range(200)]),
    "categorical": pl.Series(["a", "b"] * 100, dtype=pl.Categorical),
    "enum": pl.Series(["a", "b"] * 100, dtype=pl.Enum(["a", "b"])),
    "list": pl.Series([[1], [1, 2]] * 100),
    "struct": pl.Series([{"a": 1}, {"a": 2}] * 100),
    "binary": pl.Series([b"\x00", b"\x01"] * 100),
    "null": pl.Series([None] * 200, dtype=pl.Null),
    "nothing but infinity": pl.Series([float("inf")] * 200),
    "constant": pl.Series([7] * 200),
    "huge": pl.Series([2**62 + place for place in range(200)]),
    "nullable": pl.Series([1.5, None] * 100),
}


@pytest.mark.parametrize("before", SIDE)
def test_every_type_is_compared_with_every_other_or_has_a_finding(before):
    reference = dict.fromkeys(SIDE, SIDE[before])
    found = compare(reference, SIDE)
    judged = set(found.columns["column"])
    for name in SIDE:
        assert name in judged or code_of(found, name), name
        if name == before and name in judged:
            assert found.columns.filter(pl.col("column") == name)["band"].item() in ("stable", "cannot_tell")


@pytest.mark.parametrize(
    ("before", "after", "kind", "codes"),
    [
        (["a"] * 30, ["b"] * 30, "categorical", []),
        ([1, 2, 3] * 10, [1.0, 2.0, 3.0] * 10, "categorical", []),
        ([1, 2, 3] * 10, ["1", "2", "3"] * 10, "categorical", ["type_changed"]),
        ([float(place) for place in range(30)], [f"{place}.5" for place in range(30)], "numeric", ["type_changed"]),
        ([1.5] * 30, ["x"] * 30, "categorical", ["type_changed"]),
        ([True, False] * 15, ["True", "False"] * 15, "categorical", ["type_changed"]),
        ([dt.date(2024, 1, 1)] * 30, ["2024-01-01"] * 30, "numeric", ["type_changed"]),
        ([None] * 30, [1.5, 2.5] * 15, "numeric", []),
        ([f"a{place}" for place in range(30)], [f"b{place}" for place in range(30)], None, ["identifier"]),
        (list(range(100)), list(range(200, 300)), None, ["row_number"]),
        ([dt.date(2024, 1, 1)] * 30, [dt.date(2024, 2, 1)] * 30, None, ["time_goes_on"]),
        ([None] * 30, [None] * 30, None, ["empty"]),
        ([[1]] * 30, [[2]] * 30, "categorical", ["nested"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_kinds_are_guessed_from_both_sides(before, after, kind, codes):
    pair = pair_columns("x", pl.Series(before), pl.Series(after))
    assert pair.kind == kind
    assert [finding.finding for finding in pair.findings] == codes
    assert pair.kind is None or pair.reference.dtype == pair.current.dtype


def test_truth_values_and_their_texts_are_the_same_values():
    found = compare({"x": [True, False] * 100}, {"x": ["True", "False"] * 100})
    assert set(found.table["statistic"]) == {0.0}


def test_columns_of_one_side_only_are_named():
    found = compare(REFERENCE, SAME.rename({"plan": "tariff"}))
    assert code_of(found, "plan") == ["only_in_reference"]
    assert code_of(found, "tariff") == ["only_in_current"]
    assert "plan is missing in the current table. tariff is new in the current table." in str(found)


def test_columns_without_a_common_value_do_not_hide_the_cause():
    before, after = REFERENCE.with_columns(year=pl.lit("2025")), SHIFTED.with_columns(year=pl.lit("2026"))
    found = compare(before, after)
    assert code_of(found, "year") == ["nothing_in_common"]
    assert "`age`" in found.why[0]


def test_chosen_methods_measure_the_kinds_they_can():
    found = compare(REFERENCE, SHIFTED, methods=["wasserstein"], columns=["age", "plan"])
    assert set(found.table.filter(pl.col("role") == "feature")["method"]) == {"wasserstein"}
    assert code_of(found, "plan") == ["no_method"]


def test_fixed_policies_keep_their_own_limits():
    found = compare(REFERENCE, SHIFTED, policy="psi_bands")
    assert found.table.filter(pl.col("method") == "psi")["threshold"].unique().to_list() == [0.25]
    assert "chance" not in found.origins[0].lower()
    found = compare(REFERENCE, SHIFTED, policy=load_policy("drifted_share"))
    assert "no more than the 30 % that the policy allows" in str(found) or not found.drifted


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"columns": ["agee"]}, UnknownNameError, "no column 'agee'; did you mean 'age'"),
        ({"methods": ["psy"]}, UnknownNameError, "no drift method 'psy'; did you mean 'psi'"),
        ({"methods": []}, ConfigError, "no method is named"),
        ({"policy": "calibrate"}, UnknownNameError, "did you mean 'calibrated'"),
        ({"budget": 0.5}, ConfigError, "give 1 or more"),
        ({"budget": 20, "policy": "psi_bands"}, ConfigError, "fixed limits, which keep no budget"),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        compare(REFERENCE, SAME, **arguments)


def test_tables_that_cannot_be_compared_are_named():
    with pytest.raises(DataError, match="the current table has no rows"):
        compare(REFERENCE, SAME.clear())
    with pytest.raises(DataError, match="no column in common"):
        compare({"a": [1]}, {"b": [1]})


def test_the_record_holds_the_keys_of_the_long_table_and_the_verdict():
    record = json.loads(compare(REFERENCE, SHIFTED).to_json())
    assert set(record["rows"][0]) == set(DRIFT_SCHEMA)
    assert record["verdict"]["drifted"] is True
    assert record["verdict"]["sentences"]
    assert record["reference"]["rows"] == record["current"]["rows"] == ROWS
    assert set(record["versions"]) == {"driftbook", "polars", "numpy"}
    assert record["policy"]["drift"]["threshold"]["days_per_false_alarm"] == 100


def _wide(columns, seed):
    random = np.random.default_rng(seed)
    numbers = {
        f"a measured column with a long name {place}": random.lognormal(size=400) for place in range(columns // 2)
    }
    texts = {
        f"texts {place}": random.choice([f"category {n}" for n in range(12)], size=400) for place in range(columns // 2)
    }
    return numbers | texts


def test_the_page_of_80_columns_is_small_and_needs_nothing_from_elsewhere():
    page = compare(_wide(80, 1), {name: values[::-1] for name, values in _wide(80, 2).items()}).to_html()
    assert len(page.encode()) < MOST_BYTES
    assert page.count('class="dbo"') == 80
    for stranger in ("http:", "https:", "<script", "<link", "@import", "url(", "src="):
        assert stranger not in page


def test_very_wide_tables_still_give_a_small_page_and_a_whole_record():
    found = compare(_wide(300, 1), _wide(300, 2))
    page = found.to_html()
    assert len(page.encode()) < MOST_BYTES
    assert "more, all calmer than these" in page
    assert found.columns.height == 300


def test_names_and_values_from_data_are_escaped():
    odd = "<b>&\"'"
    found = compare({odd: ["<em>", "b"] * 100}, {odd: ["<em>", "<u>"] * 100})
    assert "<em>" not in found.to_html()
    assert "&lt;u&gt;" in found.to_html()
    assert odd not in found._repr_html_()


def test_a_notebook_shows_the_answer_first():
    shown = compare(REFERENCE, SHIFTED)._repr_html_()
    assert shown.index("1 of 3 columns drifted") < shown.index("dbc-card db-is-bad")
    assert "<script" not in shown
    assert "<html" not in shown


def test_an_overlay_draws_missing_values_and_whole_numbers_as_what_they_are():
    before = column_profile(pl.Series([1, 2, 2, 3, None] * 20), kind="numeric")
    after = column_profile(pl.Series([2, 3, 3, None, None] * 20), kind="numeric")
    shape = shape_of(before, after, family="number")
    assert shape.edges == (0.5, 1.5, 2.5, 3.5)
    assert shape.reference == (0.25, 0.5, 0.25)
    assert shape.missing == (0.2, 0.4)
    assert "missing 20 % → 40 %" in shape.change
    assert ">missing<" in overlay(shape, name="x")


def test_the_terminal_shows_the_verdict_first_within_100_columns():
    lines = compare(REFERENCE, SHIFTED.rename({"visits": "visits" * 30})).to_text().splitlines()
    assert lines[0] == "drifted: the reference (600 rows) → the current table (600 rows)"
    assert max(map(len, lines)) <= 100
    header = next(place for place, line in enumerate(lines) if line.startswith("column "))
    assert lines[header + 2].startswith("age")
    assert lines[header + 3].startswith("   ")  # other methods of the same column
    assert sum(line.startswith("plan") for line in lines) == 1
    assert "of calm columns only the method nearest to its limit is shown" in lines[-1]


def test_compare_is_at_the_top_of_the_package_and_costs_nothing_until_it_is_used():
    code = "import sys, driftbook; assert 'polars' not in sys.modules; from driftbook import compare; print(compare)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", "import driftbook"], check=True, capture_output=True)
    assert time.perf_counter() - start < 3
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("<function compare")
