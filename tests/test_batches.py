"""What was known as of a day: immutable files, late targets, and no look into the future."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from driftbook.config import Settings, UseCase, load_use_case
from driftbook.data.batches import (
    batch_index,
    first_stream_day,
    ingest,
    labelled_rows,
    last_day,
    load_batches,
    load_quarantined,
    load_targets,
)
from driftbook.errors import DataError, StateError
from driftbook.storage import sha256_file

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
needs_shared_data = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the public data sets in ../shared/data")
START = date(2026, 5, 17)


def day(offset: int) -> date:
    return START + timedelta(days=offset)


def table_case(**changes: Any) -> UseCase:
    content = {
        "name": "small",
        "title": "Small",
        "task": "binary",
        "columns": {"target": "y", "positive_class": "1", "numeric": ["x"], "event_time": "at", "id": "key"},
        "source": {"kind": "files", "path": "a.csv", "stream_start": START.isoformat()},
        "batch": {"period": "day"},
        "label_delay_days": 2,
        **changes,
    }
    return UseCase.model_validate(content)


def row(offset: int, number: int = 0, *, x: str | None = None, y: str | None = None) -> str:
    """A line of the raw file: its key names day and place, its values follow from them unless given."""
    value = x if x is not None else offset + number / 2
    return f"{offset}-{number},{day(offset)}T08:0{number}:00,{value},{y if y is not None else number % 2}"


def desk(root: Path, rows: list[str]) -> Settings:
    path = root / "data" / "small" / "raw" / "a.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["key,at,x,y", *rows]) + "\n", encoding="utf-8")
    return Settings(root=root)


def week() -> list[str]:
    return [row(offset, number) for offset in range(-3, 5) for number in range(2)]


def simulated(**changes: Any) -> UseCase:
    settings = Settings(root=ROOT)
    case = load_use_case("churn", settings=settings)
    source = case.source.model_copy(update={"rows_per_day": 40, "history_days": 5, "stream_days": 8})
    scenario = case.scenario.model_copy(update={"onset_day": 3})
    return case.model_copy(update={"source": source, "scenario": scenario, **changes})


def files(settings: Settings, name: str = "small") -> dict[str, str]:
    folder = settings.data_folder(name)
    return {
        path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(folder.glob("*/date=*/*.parquet"))
    }


def delete_after(settings: Settings, name: str, last: date) -> None:
    for partition in settings.data_folder(name).glob("*/date=*"):
        if date.fromisoformat(partition.name.removeprefix("date=")) > last:
            shutil.rmtree(partition)


def test_the_index_lists_each_batch_with_its_part_and_the_day_its_targets_are_known(tmp_path: Path) -> None:
    case, settings = table_case(), desk(tmp_path, [*week(), row(0, 2, x="many")])
    index = ingest(case, settings, as_of=day(1))
    assert index["batch_id"].to_list() == [day(offset).isoformat() for offset in range(-3, 2)]
    assert index["part"].to_list() == ["history"] * 3 + ["stream"] * 2
    assert index["rows"].to_list() == [2] * 5
    assert index["quarantined"].to_list() == [0, 0, 0, 1, 0]
    assert index["targets_known_on"].to_list() == [day(offset) for offset in range(-1, 4)]
    assert index["sha256"][4] == sha256_file(tmp_path / f"data/small/batches/date={day(1)}/{day(1)}.parquet")
    assert (first_stream_day(case, settings), last_day(case, settings)) == (day(0), day(4))


def test_batches_targets_and_labelled_rows_hold_what_was_known_by_the_day(tmp_path: Path) -> None:
    case, settings = table_case(), desk(tmp_path, week())
    ingest(case, settings, as_of=day(4))
    assert load_batches(case, settings, as_of=day(1))["row_id"].len() == 10
    assert load_batches(case, settings, as_of=day(1), since=day(0))["row_id"].to_list() == ["0-0", "0-1", "1-0", "1-1"]
    assert load_batches(case, settings, as_of=day(1), part="history")["batch_id"].max() == day(-1).isoformat()
    assert load_batches(case, settings, as_of=day(1), part="stream").columns == [
        "row_id",
        "event_time",
        "x",
        "batch_id",
    ]
    targets = load_targets(case, settings, as_of=day(1))
    assert targets["batch_id"].max() == day(-1).isoformat()
    assert targets["known_time"].max() == datetime.combine(day(1), datetime.min.time()) + timedelta(hours=8, minutes=1)
    assert labelled_rows(case, settings, as_of=day(2), since=day(0)).select("row_id", "target").rows() == [
        ("0-0", "0"),
        ("0-1", "1"),
    ]
    assert load_batches(case, settings, as_of=day(-9)).is_empty()
    assert load_targets(case, settings, as_of=day(-9)).columns == targets.columns


def test_a_null_target_is_never_known_but_its_row_is_there(tmp_path: Path) -> None:
    case, settings = table_case(), desk(tmp_path, [*week(), row(0, 2, y="")])
    ingest(case, settings, as_of=day(4))
    assert "0-2" in load_batches(case, settings, as_of=day(0))["row_id"]
    assert "0-2" not in load_targets(case, settings, as_of=day(4))["row_id"]


def test_quarantined_rows_keep_their_text_and_the_reason(tmp_path: Path) -> None:
    case, settings = table_case(), desk(tmp_path, [*week(), row(1, 2, x="many"), row(-1, 3, x="?")])
    ingest(case, settings, as_of=day(4))
    aside = load_quarantined(case, settings, as_of=day(0))
    assert aside.select("batch_id", "x", "reason").rows() == [
        (day(-1).isoformat(), "?", "x: expected a number, found '?'")
    ]
    assert load_quarantined(case, settings, as_of=day(4)).height == 2
    assert load_quarantined(case, settings, as_of=day(-5)).is_empty()


def test_ingesting_twice_changes_no_file(tmp_path: Path) -> None:
    case, settings = table_case(), desk(tmp_path, [*week(), row(1, 2, x="many")])
    first = ingest(case, settings, as_of=day(4))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert ingest(case, settings, as_of=day(4)).equals(first)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_one_catch_up_writes_the_same_bytes_as_daily_runs(tmp_path: Path) -> None:
    for case in (table_case(), simulated()):
        last = day(4)
        once, daily = desk(tmp_path / "once", week()), desk(tmp_path / "daily", week())
        ingest(case, once, as_of=last)
        for offset in range(5):
            ingest(case, daily, as_of=day(offset))
        assert files(once, case.name) == files(daily, case.name) != {}
        assert batch_index(case, once, as_of=last).equals(batch_index(case, daily, as_of=last))


def test_nothing_on_disk_is_younger_than_the_day_that_asked(tmp_path: Path) -> None:
    case, settings = simulated(), Settings(root=tmp_path)
    ingest(case, settings, as_of=day(2))
    dates = {path.parent.name for path in settings.data_folder("churn").glob("*/date=*/*.parquet")}
    assert max(dates) == f"date={day(2)}"
    assert load_targets(case, settings, as_of=day(9))["batch_id"].max() == day(-1).isoformat()


def test_deleting_the_future_changes_no_result_as_of_the_day(tmp_path: Path) -> None:
    case, settings = simulated(), Settings(root=tmp_path)
    ingest(case, settings, as_of=day(7))

    def known() -> list[pl.DataFrame]:
        readers = (batch_index, load_batches, load_targets, labelled_rows)
        return [reader(case, settings, as_of=day(3)) for reader in readers]

    before, all_files = known(), files(settings, "churn")
    delete_after(settings, "churn", day(3))
    ingest(case, settings, as_of=day(3))
    assert all(now.equals(then) for now, then in zip(known(), before, strict=True))
    ingest(case, settings, as_of=day(7))
    assert files(settings, "churn") == all_files


def test_a_raw_file_cut_off_after_the_day_gives_the_same_files_up_to_it(tmp_path: Path) -> None:
    case = table_case(scenario={"name": "sudden", "onset_day": 2})
    rows = [row(offset, number, x=str(offset + number)) for offset in range(-3, 5) for number in range(8)]
    whole, short = desk(tmp_path / "whole", rows), desk(tmp_path / "short", rows[:-16])
    ingest(case, whole, as_of=day(2))
    ingest(case, short, as_of=day(2))
    assert files(whole) == files(short) != {}


def test_a_simulated_day_on_disk_is_not_simulated_again(tmp_path: Path) -> None:
    case, settings = simulated(), Settings(root=tmp_path)
    ingest(case, settings, as_of=day(3))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    ingest(case, settings, as_of=day(7))
    assert before.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}.items()


def test_a_run_killed_half_way_is_completed_by_the_next(tmp_path: Path) -> None:
    case, settings = simulated(), Settings(root=tmp_path)
    ingest(case, settings, as_of=day(7))
    whole = files(settings, "churn")
    folder = settings.data_folder("churn")
    (folder / "ingested.json").unlink()
    for name in [*whole][3::4]:
        (folder / name).unlink()
    ingest(case, settings, as_of=day(7))
    assert files(settings, "churn") == whole


def test_a_broken_batch_is_named_and_written_anew_once_deleted(tmp_path: Path) -> None:
    case, settings = simulated(), Settings(root=tmp_path)
    ingest(case, settings, as_of=day(7))
    whole = files(settings, "churn")
    broken = settings.data_folder("churn") / [name for name in whole if name.startswith("batches/")][4]
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(StateError, match=f"{broken.name} cannot be read .* delete it and build again"):
        ingest(case, settings, as_of=day(7))
    with pytest.raises(StateError, match=f"{broken.name} cannot be read"):
        load_batches(case, settings, as_of=day(7))
    broken.unlink()
    ingest(case, settings, as_of=day(7))
    assert files(settings, "churn") == whole


def test_new_rows_and_late_targets_may_follow_but_known_ones_must_stay(tmp_path: Path) -> None:
    case = table_case()
    settings = desk(tmp_path, [*week()[:-6], row(1, 2, y="")])
    ingest(case, settings, as_of=day(3))
    before = files(settings)
    desk(tmp_path, [*week(), row(1, 2, y="1")])
    ingest(case, settings, as_of=day(4))
    assert before.items() <= files(settings).items()
    late = load_targets(case, settings, as_of=day(4)).filter(pl.col("row_id") == "1-2")
    assert late.select("target", "known_time").rows() == [("1", datetime.combine(day(4), datetime.min.time()))]
    assert "1-2" not in load_targets(case, settings, as_of=day(3))["row_id"]
    ingest(case, settings, as_of=day(4))
    desk(tmp_path, [*week(), row(1, 2, y="0")])
    with pytest.raises(StateError, match=r"1 targets of batch 2026-05-18 .* first that of row '1-2'"):
        ingest(case, settings, as_of=day(4))


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        ([row(-3, 0, x="9"), *week()[1:]], {}),
        ([row(-1, 2), *week()], {}),
        (week()[2:], {}),
        (week(), {"label_delay_days": 1}),
        (week(), {"batch": {"period": "hour"}}),
        (week(), {"scenario": {"name": "missing_values", "onset_day": 1, "strength": 9.0}}),
    ],
    ids=["value changed", "row added to an old day", "day gone", "other delay", "other period", "other scenario"],
)
def test_a_source_that_changed_what_was_judged_is_refused_and_nothing_is_lost(
    tmp_path: Path, rows: list[str], changes: dict[str, Any]
) -> None:
    settings = desk(tmp_path, week())
    ingest(table_case(), settings, as_of=day(4))
    before = files(settings)
    desk(tmp_path, rows)
    with pytest.raises(StateError, match="driftbook reset"):
        ingest(table_case(**changes), settings, as_of=day(4))
    assert before.items() <= files(settings).items()


def test_a_day_before_the_stream_is_refused_with_the_days_there_are(tmp_path: Path) -> None:
    case, settings = table_case(), desk(tmp_path, week())
    with pytest.raises(DataError, match=r"starts on 2026-05-17, and the source gives 2026-05-14 to 2026-05-21"):
        ingest(case, settings, as_of=day(-1))
    gap = desk(tmp_path / "gap", [*week()[:6], row(3), row(4)])
    with pytest.raises(DataError, match="no batch of the stream by 2026-05-18"):
        ingest(case, gap, as_of=day(1))


def test_a_scenario_variant_has_data_of_its_own_and_shares_the_raw_file(tmp_path: Path) -> None:
    settings = desk(tmp_path, week())
    ingest(table_case(name="small-sudden", scenario={"name": "sudden"}), settings, as_of=day(4))
    assert files(settings) == {}
    assert files(settings, "small-sudden") != {}


@needs_shared_data
def test_the_declared_telco_and_bank_tables_are_dealt_whole(tmp_path: Path) -> None:
    raw = {"telco": SHARED / "telco_churn" / "Telco-Customer-Churn.csv"}
    raw["bank"] = SHARED / "bank_marketing" / "bank-additional-full.parquet"
    shapes: dict[str, tuple[int, int, int, float]] = {}
    for name, path in raw.items():
        folder = tmp_path / "data" / name / "raw"
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "data" / name / "usecase.yaml", folder.parent)
        shutil.copy(path, folder)
        settings = Settings(root=tmp_path)
        case = load_use_case(name, settings=settings)
        index = ingest(case, settings, as_of=date(2026, 7, 1))
        rows = labelled_rows(case, settings, as_of=date(2026, 7, 1))
        positive = (rows["target"] == case.columns.positive_class).sum()
        shapes[name] = (index.height, rows.height, int(index["quarantined"].sum()), int(positive))
        if name == "telco":
            assert rows["TotalCharges"].null_count() == 11
        else:
            first, last = rows["euribor3m"][:1000].mean(), rows["euribor3m"][-1000:].mean()
            assert (round(first, 2), last < 1.0) == (4.86, True)  # type: ignore[arg-type, operator]
    assert shapes == {"telco": (70, 7043, 0, 1869), "bank": (41, 41188, 0, 4640)}
