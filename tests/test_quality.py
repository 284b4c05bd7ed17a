"""Quality: each check on small frames with exact answers, and silence where nothing happened."""

import math
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from driftbook.config import UseCase
from driftbook.config.base import parse
from driftbook.config.policy import QualityPolicy
from driftbook.errors import DataError
from driftbook.quality import CHECKS, QualityReference, check_batches, check_history, summarise

POLICY = QualityPolicy()
HISTORY_DAYS = 20
ROWS = 200
FIRST = date(2026, 5, 1)


def use_case(**batch: object) -> UseCase:
    columns = {
        "target": "left",
        "positive_class": "yes",
        "event_time": "at",
        "numeric": ["age", "charges"],
        "categorical": ["plan"],
        "dates": ["signed"],
    }
    if "rows" in batch:
        del columns["event_time"]
    content = {
        "name": "demo",
        "title": "Demo",
        "task": "binary",
        "columns": columns,
        "batch": batch or {"period": "day"},
    }
    return parse(UseCase, {**content, "source": {"kind": "files", "path": "demo.csv"}}, source="demo")


CASE = use_case()


def a_day(number: int, *, rows: int = ROWS) -> pl.DataFrame:
    """Rows of the day after so many days; age runs from 20 to 69, 5 % of the charges are missing."""
    day = FIRST + timedelta(days=number)
    rng = np.random.default_rng(number)
    charges = rng.gamma(9.0, 8.0, rows)
    return pl.DataFrame(
        {
            "row_id": [f"{number}-{row}" for row in range(rows)],
            "event_time": [datetime(day.year, day.month, day.day, 12)] * rows,
            "age": rng.permutation(np.resize(np.arange(20.0, 70.0), rows)),
            "charges": np.where(rng.random(rows) < 0.05, np.nan, charges),
            "plan": rng.choice(["basic", "family", "pro"], rows),
            "signed": [datetime(2020, 1, 1)] * rows,
            "batch_id": [day.isoformat()] * rows,
        }
    ).with_columns(pl.col("charges").fill_nan(None), pl.col("event_time", "signed").cast(pl.Datetime("us")))


@pytest.fixture(scope="module")
def history() -> pl.DataFrame:
    return pl.concat([a_day(number) for number in range(HISTORY_DAYS)])


def findings(batches: pl.DataFrame, history: pl.DataFrame, case: UseCase = CASE, **more: object) -> pl.DataFrame:
    return check_batches(batches, history, case=case, policy=POLICY, **more)  # type: ignore[arg-type]


def only(found: pl.DataFrame) -> dict[str, object]:
    assert found.height == 1, found.to_dicts()
    return found.row(0, named=True)


TODAY = (FIRST + timedelta(days=HISTORY_DAYS)).isoformat()


def changed(column: str, value: object, *, share: float) -> pl.DataFrame:
    day = a_day(HISTORY_DAYS)
    first = pl.int_range(pl.len()) < round(share * day.height)
    return day.with_columns(pl.when(first).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


def test_undrifted_days_give_no_finding(history: pl.DataFrame) -> None:
    stream = pl.concat([a_day(number) for number in range(HISTORY_DAYS, HISTORY_DAYS + 40)])
    assert findings(stream, history, as_of=FIRST + timedelta(days=HISTORY_DAYS + 39)).is_empty()


def test_the_history_has_no_finding_against_itself(history: pl.DataFrame) -> None:
    assert findings(history, history).is_empty()


def test_more_missing_values_than_the_history_allows_are_found(history: pl.DataFrame) -> None:
    found = only(findings(changed("charges", None, share=0.4), history).filter(column="charges"))
    assert (found["batch_id"], found["column"], found["check"]) == (TODAY, "charges", "missing")
    assert found["severity"] == "warning"
    assert 0.4 <= found["value"] <= 0.46
    assert "missing" in found["message"]


def test_a_column_without_any_value_is_critical(history: pl.DataFrame) -> None:
    found = only(findings(changed("plan", None, share=1.0), history))
    assert (found["check"], found["severity"], found["value"]) == ("missing", "critical", 1.0)


def test_a_few_more_missing_values_are_chance(history: pl.DataFrame) -> None:
    assert findings(changed("charges", None, share=0.04), history).is_empty()


def test_an_empty_date_column_is_found(history: pl.DataFrame) -> None:
    found = only(findings(changed("signed", None, share=1.0), history))
    assert (found["column"], found["check"]) == ("signed", "missing")


def test_values_beyond_the_range_of_the_history_are_found_with_the_range(history: pl.DataFrame) -> None:
    found = only(findings(changed("age", -5.0, share=0.1), history))
    assert (found["check"], found["value"], found["severity"]) == ("range", 0.1, "warning")
    assert "range 20.0 to 69.0 (found -5.0 to 69.0)" in found["message"]


def test_one_value_just_beyond_the_range_is_chance(history: pl.DataFrame) -> None:
    assert findings(changed("charges", 400.0, share=0.005), history).is_empty()


def test_far_outliers_are_found_beside_the_range(history: pl.DataFrame) -> None:
    found = findings(changed("charges", 1e6, share=0.1), history)
    assert found["check"].to_list() == ["outliers", "range"]


def test_one_unseen_category_is_found_and_named(history: pl.DataFrame) -> None:
    found = only(findings(changed("plan", "crypto", share=0.005), history))
    assert (found["check"], found["value"], found["limit"]) == ("unseen_category", 0.005, 0.0)
    assert found["message"].endswith("hold a value never seen in the history: crypto (limit 0 %)")


def test_infinite_values_are_found(history: pl.DataFrame) -> None:
    found = only(findings(changed("charges", float("inf"), share=0.01), history))
    assert (found["check"], found["value"]) == ("infinite", 0.01)


def test_infinite_values_are_no_news_where_the_history_has_them(history: pl.DataFrame) -> None:
    tenth = pl.int_range(pl.len()) % 10 == 0
    usual = history.with_columns(charges=pl.when(tenth).then(pl.lit(float("inf"))).otherwise("charges"))
    assert findings(changed("charges", float("inf"), share=0.1), usual).is_empty()


def test_a_column_that_stands_still_is_found(history: pl.DataFrame) -> None:
    found = only(findings(changed("plan", "pro", share=1.0), history))
    assert (found["column"], found["check"]) == ("plan", "constant")


def test_a_rare_flag_that_is_all_zero_is_chance(history: pl.DataFrame) -> None:
    flags = history.with_columns(age=(pl.int_range(pl.len()) % 25 == 0).cast(pl.Float64))
    today = a_day(HISTORY_DAYS).with_columns(age=pl.lit(0.0)).head(60)
    assert "constant" not in findings(today, flags)["check"].to_list()


def test_rows_repeated_within_a_batch_are_found(history: pl.DataFrame) -> None:
    day = a_day(HISTORY_DAYS)
    found = only(findings(pl.concat([day, day.head(40)]), history))
    assert (found["check"], found["column"]) == ("duplicate_rows", None)
    assert found["message"].startswith("41 rows (17.1 %) repeat another row")


def test_a_batch_delivered_twice_is_critical(history: pl.DataFrame) -> None:
    again = a_day(3).with_columns(a_day(HISTORY_DAYS).select("event_time", "batch_id"))
    found = only(findings(again, history))
    assert (found["severity"], found["message"]) == (
        "critical",
        "holds the same rows as batch 2026-05-04: delivered twice?",
    )


@pytest.mark.parametrize(("rows", "limit"), [(40, 100), (900, 400)])
def test_too_few_and_too_many_rows_are_found(history: pl.DataFrame, rows: int, limit: int) -> None:
    found = findings(a_day(HISTORY_DAYS, rows=rows), history).filter(check="row_count")
    assert only(found)["message"] == f"{rows} rows, 200 are usual (limit {limit})"


def test_the_left_over_rows_of_a_dealt_table_are_told_but_not_warned_of(history: pl.DataFrame) -> None:
    case = use_case(rows=200)
    assert only(findings(a_day(HISTORY_DAYS, rows=40), history, case))["severity"] == "info"


def test_a_hole_in_the_stream_is_found_at_the_batch_after_it(history: pl.DataFrame) -> None:
    stream = pl.concat([a_day(HISTORY_DAYS), a_day(HISTORY_DAYS + 3)])
    found = only(findings(stream, history))
    assert (found["batch_id"], found["check"], found["value"]) == ("2026-05-24", "freshness", 2.0)
    assert found["message"] == "2 days without a batch before this one"


def test_weekends_without_batches_are_no_news_where_the_history_has_them(history: pl.DataFrame) -> None:
    working = history.filter(pl.col("event_time").dt.weekday() <= 5)
    thursday, friday, monday = (a_day(HISTORY_DAYS + more) for more in (0, 1, 4))
    assert findings(pl.concat([thursday, friday, monday]), working).is_empty()


@pytest.mark.parametrize(("days", "late"), [(1, False), (2, True)])
def test_a_stream_that_stopped_is_found_by_its_age(history: pl.DataFrame, days: int, late: bool) -> None:
    as_of = FIRST + timedelta(days=HISTORY_DAYS + days)
    found = findings(a_day(HISTORY_DAYS), history, as_of=as_of)
    assert found["check"].to_list() == (["freshness"] if late else [])


def an_index(quarantined: int, rows: int = ROWS) -> pl.DataFrame:
    first = FIRST.isoformat()
    return pl.DataFrame(
        {
            "batch_id": [first, TODAY],
            "part": ["history", "stream"],
            "rows": [ROWS, rows],
            "quarantined": [0, quarantined],
        }
    )


@pytest.mark.parametrize(("quarantined", "severity"), [(1, "info"), (10, "warning"), (ROWS, "critical")])
def test_quarantined_rows_are_told_by_their_share(history: pl.DataFrame, quarantined: int, severity: str) -> None:
    found = only(findings(a_day(HISTORY_DAYS), history, index=an_index(quarantined)))
    assert (found["check"], found["severity"]) == ("quarantined", severity)


def test_a_batch_that_lost_every_row_is_told_though_it_has_none(history: pl.DataFrame) -> None:
    found = only(findings(a_day(HISTORY_DAYS).clear(), history, index=an_index(ROWS, rows=0)))
    assert (found["batch_id"], found["check"], found["severity"]) == (TODAY, "quarantined", "critical")


def test_judging_day_by_day_tells_the_same_as_all_at_once(history: pl.DataFrame) -> None:
    days = [changed("age", -5.0, share=0.1), *(a_day(HISTORY_DAYS + more) for more in (2, 3, 7))]
    whole = findings(pl.concat(days), history)
    told = [findings(pl.concat(days[: end + 1]), history) for end in range(len(days))]
    steps = [each.filter(batch_id=day["batch_id"][0]) for each, day in zip(told, days, strict=True)]
    assert whole.equals(pl.concat(steps))


def test_a_prepared_reference_gives_the_same_as_the_rows_it_is_made_of(history: pl.DataFrame) -> None:
    batch = changed("age", -5.0, share=0.1)
    prepared = QualityReference.from_rows(history, case=CASE)
    assert check_batches(batch, prepared, case=CASE, policy=POLICY).equals(findings(batch, history))


@pytest.mark.parametrize(
    "odd",
    [
        pl.lit(None, dtype=pl.Float64).alias("age"),
        pl.lit(float("inf")).alias("age"),
        pl.lit(1e308).alias("age"),
        pl.lit("").alias("plan"),
    ],
)
def test_odd_columns_never_raise_on_either_side(history: pl.DataFrame, odd: pl.Expr) -> None:
    batch = a_day(HISTORY_DAYS)
    assert findings(batch.with_columns(odd), history.with_columns(odd)).filter(severity="critical").is_empty()
    findings(batch.with_columns(odd).head(1), history)
    findings(batch, history.with_columns(odd))
    findings(batch, history.head(1))


def test_without_a_history_the_error_says_what_to_change(history: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="move source\\.stream_start later"):
        findings(a_day(HISTORY_DAYS), history.clear())


def test_columns_from_which_nothing_can_be_learnt_are_named_with_what_to_do(history: pl.DataFrame) -> None:
    odd = history.with_columns(age=pl.lit(None, dtype=pl.Float64), plan=pl.lit("basic"))
    found = check_history(odd, case=CASE)
    assert found.select("column", "check").rows() == [("age", "missing"), ("plan", "constant")]
    assert all("leave it out" in message for message in found["message"])
    assert check_history(history, case=CASE).is_empty()


def test_the_summary_has_one_row_per_check_and_column_worst_first(history: pl.DataFrame) -> None:
    stream = pl.concat([changed("plan", None, share=1.0), a_day(HISTORY_DAYS + 2)])
    stream = stream.with_columns(age=pl.when(pl.int_range(pl.len()) % 9 == 0).then(-5.0).otherwise("age"))
    table = summarise(findings(stream, history))
    assert table.select("check", "column", "severity", "batches").rows() == [
        ("missing", "plan", "critical", 1),
        ("range", "age", "warning", 2),
        ("freshness", None, "warning", 1),
    ]


def test_every_check_there_is_finds_its_fault(history: pl.DataFrame) -> None:
    tenth = pl.int_range(pl.len()) % 10
    today = a_day(HISTORY_DAYS, rows=900).with_columns(
        age=pl.when(tenth == 0).then(math.inf).when(tenth == 1).then(-5000.0).otherwise("age"),
        charges=pl.when(tenth < 3).then(pl.col("charges")),
        plan=pl.when(tenth == 3).then(pl.lit("new")).otherwise("plan"),
    )
    still = a_day(HISTORY_DAYS + 1).with_columns(plan=pl.lit("pro"))
    stream = pl.concat([today, today.head(300), still])
    as_of = FIRST + timedelta(days=HISTORY_DAYS + 9)
    found = findings(stream, history, index=an_index(50), as_of=as_of)
    assert set(found["check"]) == set(CHECKS)
