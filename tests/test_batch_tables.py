"""Small tables about batches: wide rows fit a page, parts and shares are counted."""

from datetime import date, datetime

import polars as pl

from driftbook.config import UseCase
from driftbook.timeline.batch_tables import batches_by_part, first_rows, target_shares

CASE = UseCase.model_validate(
    {
        "name": "churn",
        "title": "Customer churn",
        "task": "binary",
        "columns": {"target": "churn", "positive_class": "yes", "numeric": ["age"], "categorical": ["contract"]},
        "source": {"kind": "files", "path": "churn.csv"},
        "batch": {"rows": 100},
    }
)


def test_wide_rows_are_turned_on_their_side_and_values_shown_as_people_read_them():
    rows = pl.DataFrame(
        {
            "row_id": [f"r{place}" for place in range(6)],
            "event_time": [datetime(2026, 6, 1, 8, place) for place in range(6)],
            "age": [None, 41.0, 42.0, 43.0, 44.0, 45.0],
            "contract": ["monthly"] * 6,
            "batch_id": ["2026-06-01"] * 6,
        }
    )
    shown = first_rows(rows, CASE)
    assert shown.columns == ["column", "kind", "row 1", "row 2", "row 3", "row 4"]
    assert shown.rows() == [
        ("row_id", "identifier", "r0", "r1", "r2", "r3"),
        ("event_time", "time", *(f"2026-06-01 08:0{place}" for place in range(4))),
        ("age", "number", "–", "41", "42", "43"),
        ("contract", "category", *["monthly"] * 4),
    ]


def test_history_and_stream_are_counted():
    days = [date(2026, 5, day) for day in (15, 16, 17)]
    index = pl.DataFrame(
        {"part": ["history", "history", "stream"], "rows": [10, 20, 30], "quarantined": [0, 1, 0], "day": days}
    )
    assert batches_by_part(index).rows() == [
        ("history", 2, 30, 1, days[0], days[1]),
        ("stream", 1, 30, 0, days[2], days[2]),
    ]


def test_classes_are_counted_the_most_frequent_first():
    shown = target_shares(pl.DataFrame({"target": ["no", "yes", "no", "no"]}))
    assert shown.rows() == [("no", 3, 0.75), ("yes", 1, 0.25)]
    assert target_shares(pl.DataFrame(schema={"target": pl.String})).is_empty()
