"""Times and identifiers: from columns where there are any, from the order of rows where there are none."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from driftbook.config import UseCase
from driftbook.data.dealing import deal, first_day_of_stream, read_times
from driftbook.errors import ConfigError, DataError, SchemaError


def timeless(rows: int = 20, *, order: str = "file", **source: Any) -> UseCase:
    content = {
        "name": "small",
        "title": "Small",
        "task": "binary",
        "columns": {"target": "y", "positive_class": "1", "numeric": ["x"]},
        "source": {"kind": "files", "path": "a.csv", "stream_start": "2026-05-17", "deal": {"order": order}, **source},
        "batch": {"rows": rows},
    }
    return UseCase.model_validate(content)


def timed(**source: Any) -> UseCase:
    content = {
        "name": "small",
        "title": "Small",
        "task": "binary",
        "columns": {"target": "y", "positive_class": "1", "numeric": ["x"], "event_time": "at", "id": "key"},
        "source": {"kind": "files", "path": "a.csv", **source},
        "batch": {"period": "day"},
    }
    return UseCase.model_validate(content)


def numbered(rows: int) -> pl.DataFrame:
    return pl.DataFrame({"x": range(rows), "y": ["0"] * rows})


def test_rows_without_a_time_are_dealt_in_file_order_around_the_start_of_the_stream() -> None:
    rows = deal(numbered(100), timeless()).rows
    days = rows["event_time"].dt.date()
    assert days.unique(maintain_order=True).to_list() == [date(2026, 5, day) for day in (14, 15, 16, 17, 18)]
    assert rows["x"].to_list() == list(range(100))
    assert rows["row_id"][0] == "row-001"
    assert rows["event_time"].is_sorted()
    assert rows["event_time"].n_unique() == 100


def test_a_short_rest_joins_the_last_batch_and_a_long_one_is_its_own() -> None:
    def sizes(rows: int) -> list[int]:
        days = deal(numbered(rows), timeless()).rows["event_time"].dt.date()
        return days.value_counts(name="rows").sort("event_time")["rows"].to_list()

    assert sizes(49) == [20, 29]
    assert sizes(50) == [20, 20, 10]


def test_shuffled_rows_depend_on_the_seed_alone_and_keep_their_identifier() -> None:
    case = timeless(order="shuffled")
    first, again = deal(numbered(60), case).rows, deal(numbered(60), case).rows
    other = deal(numbered(60), case.model_copy(update={"seed": 1})).rows
    assert first.equals(again)
    assert first["x"].to_list() != other["x"].to_list() != list(range(60))
    assert first["row_id"].str.slice(4).cast(pl.Int64).to_list() == [x + 1 for x in first["x"]]


def test_history_and_stream_both_get_a_batch_however_uneven_the_share() -> None:
    for share in (0.01, 0.99):
        days = deal(numbered(60), timeless(history_share=share)).rows["event_time"].dt.date()
        assert days.min() < date(2026, 5, 17) <= days.max()  # type: ignore[operator]


def test_a_table_too_short_for_two_batches_says_which_size_would_do() -> None:
    with pytest.raises(DataError, match=r"29 rows give 1 batch of 20, expected at least 2.*lower batch\.rows"):
        deal(numbered(29), timeless())


def test_missing_columns_are_named_with_the_nearest_ones() -> None:
    columns = timeless().columns.model_copy(update={"numeric": ("amount",)})
    case = timeless().model_copy(update={"columns": columns})
    with pytest.raises(SchemaError, match="no column 'amount'; did you mean 'Amount'"):
        deal(numbered(60).rename({"x": "Amount"}), case)


def test_rows_with_a_time_are_sorted_by_it_and_unreadable_times_are_set_aside() -> None:
    table = pl.DataFrame(
        {
            "at": ["2026-05-18T10:00:00", "soon", "2026-05-17T09:00:00Z", None],
            "x": ["1", "2", "3", "4"],
            "y": ["0", "1", "0", "1"],
            "key": ["a", "b", "c", "d"],
        }
    )
    dealt = deal(table, timed(stream_start="2026-05-18"))
    assert dealt.rows["key"].to_list() == ["c", "a"]
    assert dealt.rows["event_time"].to_list() == [datetime(2026, 5, 17, 9), datetime(2026, 5, 18, 10)]
    assert dealt.unreadable["reason"].to_list() == [
        "at: expected a time, found 'soon'",
        "at: expected a time, found ''",
    ]
    assert dealt.unreadable["event_time"].str.slice(0, 10).to_list() == ["2026-05-18", "2026-05-17"]


def test_a_table_with_times_needs_the_start_of_the_stream_and_a_day_is_proposed() -> None:
    days = [f"2026-05-{day:02d}" for day in range(1, 11)]
    table = pl.DataFrame({"at": days, "x": [1.0] * 10, "y": ["0"] * 10, "key": days})
    with pytest.raises(ConfigError, match=r"stream_start is required.*60% of the rows.*'stream_start: 2026-05-07'"):
        deal(table, timed())
    with pytest.raises(ConfigError, match="stream_start is required"):
        first_day_of_stream(timed())


def test_times_in_a_custom_format_are_refused_with_the_format_that_fits() -> None:
    table = pl.DataFrame({"at": ["17/05/2026"], "x": [1.0], "y": ["0"], "key": ["a"]})
    with pytest.raises(DataError, match=r"such as '17/05/2026'; give source\.time_format \(try '%d/%m/%Y'\)"):
        deal(table, timed(stream_start="2026-05-17"))
    case = timed(stream_start="2026-05-17", time_format="%d/%m/%Y")
    assert deal(table, case).rows["event_time"].to_list() == [datetime(2026, 5, 17)]


def test_dates_in_the_format_of_the_source_become_iso_and_others_stay_as_they_are() -> None:
    case = timeless(time_format="%d.%m.%Y")
    case = case.model_copy(update={"columns": case.columns.model_copy(update={"dates": ("born",)})})
    born = ["31.01.2026", "2026-02-01", "soon", None]
    rows = deal(numbered(40).with_columns(born=pl.Series(born * 10)), case).rows
    assert rows["born"][1:4].to_list() == ["2026-02-01", "soon", None]
    assert read_times(rows["born"])[0] == datetime(2026, 1, 31)


def test_times_of_every_type_become_naive_utc() -> None:
    noon = datetime(2026, 5, 17, 12)
    zoned = pl.Series([noon]).dt.replace_time_zone("Europe/Berlin")
    assert read_times(zoned).to_list() == [datetime(2026, 5, 17, 10)]
    assert read_times(pl.Series([date(2026, 5, 17)])).to_list() == [datetime(2026, 5, 17)]
    assert read_times(pl.Series(["2026-05-17 12:00:00+02:00"])).to_list() == [datetime(2026, 5, 17, 10)]
    assert read_times(pl.Series(["1779019200"]), time_format="%s").to_list() == [noon]
    assert read_times(pl.Series([1, 2])).to_list() == [None, None]
    mixed = pl.Series(["2026-05-17", "2026-05-17T12:00", "2026/05/17 12:00:00.5", "06/05/2026"])
    assert read_times(mixed).to_list() == [datetime(2026, 5, 17), noon, datetime(2026, 5, 17, 12, 0, 0, 500_000), None]
    with pytest.raises(ConfigError, match="no usable time format"):
        read_times(pl.Series(["2026051710"]), time_format="%Y%m%d%H")
