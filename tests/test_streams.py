"""From source to batches: types, quarantine, scenarios, and tables that cannot carry a model."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from driftbook.config import Settings, UseCase
from driftbook.data.streams import source_days, table_parts
from driftbook.errors import DataError, UnknownNameError


def hourly(columns: dict[str, Any] | None = None, **changes: Any) -> UseCase:
    roles = {"target": "y", "positive_class": "1", "numeric": ["x"], "event_time": "at", "id": "key"}
    content = {
        "name": "small",
        "title": "Small",
        "task": "binary",
        "columns": {**roles, **(columns or {})},
        "source": {"kind": "files", "path": "a.csv", "stream_start": "2026-05-17"},
        "batch": {"period": "hour"},
        **changes,
    }
    return UseCase.model_validate(content)


def desk(root: Path, text: str) -> Settings:
    path = root / "data" / "small" / "raw" / "a.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Settings(root=root)


GOOD = """key,at,x,y
a,2026-05-16T10:10:00,1,0
b,2026-05-16T10:20:00,2,1
c,2026-05-17T00:00:00,3,
d,2026-05-17T01:00:00,4,1
"""


def test_hours_become_batches_and_a_row_without_a_target_stays(tmp_path: Path) -> None:
    parts = table_parts(hourly(), desk(tmp_path, GOOD))
    assert [part.batch_id for part in parts] == ["2026-05-16T10", "2026-05-17T00", "2026-05-17T01"]
    assert [part.day for part in parts] == [date(2026, 5, 16), date(2026, 5, 17), date(2026, 5, 17)]
    assert parts[0].rows.columns == ["row_id", "event_time", "x", "target", "batch_id"]
    assert parts[1].rows["target"].to_list() == [None]


def test_faulty_rows_are_set_aside_with_their_batch_and_the_first_of_two_in_time_stays(tmp_path: Path) -> None:
    text = GOOD + "a,2026-05-17T00:30:00,5,1\ne,2026-05-17T00:40:00,many,1\n,2026-05-18T00:00:00,1,1\nf,never,1,1\n"
    parts = {part.batch_id: part for part in table_parts(hourly(), desk(tmp_path, text))}
    assert parts["2026-05-16T10"].rows["row_id"].to_list() == ["a", "b"]
    assert parts["2026-05-17T00"].quarantined["reason"].to_list() == [
        "key: identifier occurs before",
        "x: expected a number, found 'many'",
    ]
    lost = parts["2026-05-18T00"]
    assert (lost.rows.height, lost.quarantined["reason"].to_list()) == (
        0,
        ["key: no identifier", "at: expected a time, found 'never'"],
    )


def test_the_days_of_a_source_are_those_of_its_rows(tmp_path: Path) -> None:
    assert source_days(hourly(), desk(tmp_path, GOOD)) == (date(2026, 5, 16), date(2026, 5, 17))


@pytest.mark.parametrize(
    ("case", "text", "message"),
    [
        (hourly(), GOOD.replace("b,2026-05-16T10:20:00,2,1", "b,2026-05-16T10:20:00,2,0"), r"two classes.*found '0'"),
        (hourly(), GOOD.replace(",0\n", ",2\n"), None),
        (hourly({"positive_class": "yes"}), GOOD, r"positive_class 'yes' is no class of 'y'; found '0', '1'"),
        (hourly(), GOOD + "z,2026-05-16T11:00:00,1,2\n", r"has 3 classes \('0', '1', '2'\), but task is binary"),
        (hourly(), GOOD.replace("05-16", "05-17"), r"leaves no history .* the source gives 2026-05-17 to 2026-05-17"),
        (hourly(), GOOD.replace("05-17", "05-16"), r"leaves no stream .* the source gives 2026-05-16 to 2026-05-16"),
        (hourly({"numeric": ["at_x"], "categorical": ["x"]}), GOOD.replace(",x,", ",at_x,"), r"lacks columns"),
        (hourly({"numeric": ["w"]}), "key,at,w,y\na,2026-05-17,north,1\nb,2026-05-17,north,0\n", r"not one of 2 rows"),
    ],
)
def test_a_table_that_cannot_carry_a_model_is_refused(
    tmp_path: Path, case: UseCase, text: str, message: str | None
) -> None:
    settings = desk(tmp_path, text)
    if message is None:
        assert table_parts(case, settings)
        return
    with pytest.raises(DataError, match=message):
        table_parts(case, settings)


def test_a_scenario_changes_the_stream_from_its_onset_on_and_nothing_before(tmp_path: Path) -> None:
    lines = [
        f"{day}-{row},2026-05-{day}T{row % 24:02d}:00:00,{row % 40},{row % 2}"
        for day in range(10, 24)
        for row in range(60)
    ]
    settings = desk(tmp_path, "\n".join(["key,at,x,y", *lines]))
    stable = hourly(batch={"period": "day"})
    sudden = hourly(batch={"period": "day"}, scenario={"name": "sudden", "onset_day": 3})
    pairs = list(zip(table_parts(stable, settings), table_parts(sudden, settings), strict=True))
    changed = {before.day for before, after in pairs if not before.rows.equals(after.rows)}
    assert changed == {date(2026, 5, day) for day in range(19, 24)}
    moved = [float((after.rows["x"] - before.rows["x"]).mean()) for before, after in pairs]  # type: ignore[arg-type]
    assert min(moved[-5:]) > 3.0
    first, again = (pl.concat([part.rows for part in table_parts(sudden, settings)]) for _ in range(2))
    assert first.equals(again)


def test_an_unknown_scenario_fails_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no scenario 'suden'; did you mean 'sudden'"):
        table_parts(hourly(scenario={"name": "suden"}), desk(tmp_path, GOOD))
