"""The service's log as a source: closed days become batches once, late targets become target files, nothing is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from served_world import SINCE, START, fill, log_of, make_served, served_case, simulated_entries
from stores import KINDS, empty_store
from workbench import make_workbench

from driftbook.config import Settings
from driftbook.config.base import parse
from driftbook.config.use_case import UseCase
from driftbook.data.batches import batch_index, ingest, last_day, load_batches, load_quarantined, load_targets
from driftbook.data.dealing import before_service
from driftbook.data.ingestion import partition_files
from driftbook.data.served import CLOSED_DAYS, last_served_day, load_answers, log_mark, write_served
from driftbook.errors import ConfigError, DataError, StateError
from driftbook.serving.log_store import AwayError
from driftbook.serving.logged import LateTarget, Logged, Scores
from driftbook.storage import load_json
from driftbook.workflow.fingerprint import input_digest
from driftbook.workflow.reset import reset

DAY = timedelta(days=1)
SMALL = {"rows_per_day": 30, "history_days": 6, "stream_days": 12}


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    with empty_store(request.param, tmp_path) as url:
        monkeypatch.setenv("DRIFTBOOK_LOG_URL", url)
        yield make_served(tmp_path, **SMALL)


def on_disk(settings: Settings) -> dict[str, str]:
    folder = settings.data_folder("churn")
    paths = [path for kind in ("batches", "targets", "quarantine", "answers") for path in partition_files(folder, kind)]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def days(count: int) -> list[date]:
    return [SINCE + number * DAY for number in range(count)]


def extra(case: UseCase, name: str, at: datetime, received_at: datetime | None = None, **changed: object) -> Logged:
    """One row more, of a kind that any day could have."""
    [first, *_], _ = simulated_entries(case, START)
    return replace(first, prediction_id=name, entity=f"c-{name}", at=at, received_at=received_at or at, **changed)


def test_batches_and_targets_are_those_the_simulator_would_have_given_itself(
    settings: Settings, tmp_path: Path
) -> None:
    fill(settings, days(8))
    (tmp_path / "plain").mkdir()
    plain = make_workbench(tmp_path / "plain", **SMALL)
    case, as_of = served_case(settings), SINCE + 7 * DAY
    ingest(case, settings, as_of=as_of)
    ingest(before_service(case), plain, as_of=as_of)
    ours, theirs = (load_batches(before_service(case), each, as_of=as_of) for each in (settings, plain))
    named = ours.with_columns(pl.col("row_id").str.strip_prefix("p-"))
    assert named.equals(theirs)
    ours, theirs = (load_targets(before_service(case), each, as_of=as_of) for each in (settings, plain))
    assert ours.with_columns(pl.col("row_id").str.strip_prefix("p-")).equals(theirs)
    assert not ours.filter(pl.col("row_id").str.starts_with("p-")).is_empty()


def test_a_second_run_changes_nothing_and_daily_runs_give_what_one_gives(settings: Settings, tmp_path: Path) -> None:
    fill(settings, days(5))
    case = served_case(settings)
    for day in days(5):
        ingest(case, settings, as_of=day)
    daily = on_disk(settings)
    ingest(case, settings, as_of=SINCE + 4 * DAY)
    ingest(case, settings, as_of=SINCE)
    assert on_disk(settings) == daily
    (tmp_path / "other").mkdir()
    at_once = make_served(tmp_path / "other", **SMALL)
    ingest(case, at_once, as_of=SINCE + 4 * DAY)
    assert on_disk(at_once) == daily


def test_nothing_that_became_known_after_a_day_is_there_as_of_it(settings: Settings) -> None:
    fill(settings, days(6))
    case, as_of = served_case(settings), SINCE + 2 * DAY
    ingest(case, settings, as_of=as_of)
    assert load_batches(case, settings, as_of=as_of)["event_time"].dt.date().max() == as_of
    assert load_targets(case, settings, as_of=date.max)["known_time"].dt.date().max() <= as_of


def test_an_open_day_is_refused_until_it_closes(settings: Settings) -> None:
    case = served_case(settings)
    with log_of(settings) as log:
        log.add([extra(case, "a", datetime.combine(SINCE, time(12)))])
    write_served(case, settings, as_of=START, now=datetime.combine(SINCE, time(12)))
    for now in (datetime.combine(SINCE, time(12)), datetime.combine(SINCE + DAY, time(0, 59))):
        with pytest.raises(DataError, match=f"{SINCE} is open: .* until {SINCE + DAY} 01:00 UTC; choose as_of {START}"):
            write_served(case, settings, as_of=SINCE, now=now)
    write_served(case, settings, as_of=SINCE, now=datetime.combine(SINCE + DAY, time(1)))
    assert not load_answers(case, settings, as_of=SINCE).is_empty()


def test_a_log_that_is_ahead_of_the_clock_closes_its_days_itself(settings: Settings) -> None:
    case, long_ago = served_case(settings), datetime(2020, 1, 1)
    assert last_served_day(case, settings, now=long_ago) == START
    fill(settings, days(2))  # targets come three days later, and with them the log's clock
    assert last_served_day(case, settings, now=long_ago) == SINCE + 3 * DAY
    assert last_day(case, settings) == SINCE + 4 * DAY
    with log_of(settings) as log:
        log.add([extra(case, "b", datetime.combine(SINCE + 5 * DAY, time(0, 30)))])
    assert last_served_day(case, settings, now=long_ago) == SINCE + 3 * DAY


def test_a_row_that_arrives_after_its_day_closed_is_set_aside_on_the_day_it_arrives(settings: Settings) -> None:
    case, noon = served_case(settings), datetime.combine(SINCE, time(12))
    with log_of(settings) as log:
        log.add(
            [
                extra(case, "in time", noon, noon + timedelta(hours=12, minutes=59)),
                extra(case, "late", noon, noon + 2 * DAY),
            ]
        )
        log.add([extra(case, "before the service", noon - 3 * DAY, noon + 2 * DAY)])
    ingest(case, settings, as_of=SINCE + DAY)
    assert load_quarantined(case, settings, as_of=SINCE + DAY).is_empty()
    ingest(case, settings, as_of=SINCE + 3 * DAY)
    assert load_answers(case, settings, as_of=SINCE + 3 * DAY)["row_id"].to_list() == ["in time"]
    aside = load_quarantined(case, settings, as_of=SINCE + 3 * DAY)
    assert aside.select("row_id", "batch_id").rows() == [("late", str(SINCE))]
    assert aside["reason"][0] == f"arrived at {SINCE + 2 * DAY}T12:00:00 UTC, after its day had closed"
    assert load_quarantined(case, settings, as_of=SINCE + DAY).is_empty()
    index = batch_index(case, settings, as_of=SINCE + 3 * DAY).filter(pl.col("batch_id") == str(SINCE))
    assert index.select("rows", "quarantined").row(0) == (1, 1)


def test_a_row_that_comes_into_the_log_after_its_day_was_written_is_set_aside_once(settings: Settings) -> None:
    case, noon = served_case(settings), datetime.combine(SINCE, time(12))
    with log_of(settings) as log:
        log.add([extra(case, "a", noon)])
        ingest(case, settings, as_of=SINCE)
        batch = on_disk(settings)
        log.add([extra(case, "b", noon), extra(case, "c", noon)])
        ingest(case, settings, as_of=SINCE + DAY)
        log.add([extra(case, "d", noon)])
        for _ in range(2):
            ingest(case, settings, as_of=SINCE + DAY)
    assert batch.items() <= on_disk(settings).items()
    assert load_answers(case, settings, as_of=SINCE + DAY)["row_id"].to_list() == ["a"]
    aside = load_quarantined(case, settings, as_of=SINCE + DAY)
    assert sorted(aside["row_id"]) == ["b", "c", "d"]
    assert set(aside["reason"]) == {"came into the log after its day was written"}
    index = batch_index(case, settings, as_of=SINCE + DAY).filter(pl.col("batch_id") == str(SINCE))
    assert index.select("rows", "quarantined").row(0) == (1, 3)


def test_rows_that_wait_in_a_spill_file_are_in_their_batch_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, noon = served_case(settings), datetime.combine(SINCE, time(12))

    def away(*_: object) -> int:
        raise AwayError("gone for a moment")

    with log_of(settings) as log:
        log.add([extra(case, "a", noon)])
        with monkeypatch.context() as gone:
            gone.setattr(log._store, "insert", away)
            log.add([extra(case, "b", noon)])
            log.add_targets([LateTarget("no", noon + DAY, prediction_id="b")])
        log.fault = None
        mark = log_mark(case, settings)
        ingest(case, settings, as_of=SINCE + DAY)
        before = on_disk(settings)
        assert log.drain() == 2
        ingest(case, settings, as_of=SINCE + DAY)
    assert on_disk(settings) == before
    assert log_mark(case, settings) == mark
    assert load_answers(case, settings, as_of=SINCE)["row_id"].to_list() == ["a", "b"]
    assert "b" in load_targets(case, settings, as_of=SINCE + DAY)["row_id"].to_list()


def test_a_value_that_does_not_fit_is_set_aside_with_its_reason(settings: Settings) -> None:
    case, noon = served_case(settings), datetime.combine(SINCE, time(12))
    good = extra(case, "good", noon)
    with log_of(settings) as log:
        log.add([good, replace(good, prediction_id="bad", features={**good.features, "age": "old", "gender": None})])
        log.add([replace(good, prediction_id="poor", features={})])
    ingest(case, settings, as_of=SINCE)
    aside = load_quarantined(case, settings, as_of=SINCE)
    told = "age: expected a number, found 'old'"
    assert aside.select("row_id", "customer_id", "reason").rows() == [("bad", "c-good", told)]
    rows = load_batches(case, settings, as_of=SINCE, since=SINCE)
    assert rows["row_id"].to_list() == ["good", "poor"]
    assert rows["age"].to_list() == [float(good.features["age"]), None]


def test_targets_find_their_prediction_by_id_or_by_entity_and_the_first_counts(settings: Settings) -> None:
    case = served_case(settings)
    noons = [datetime.combine(day, time(12)) for day in days(8)]
    known = noons[3] + timedelta(hours=1)
    with log_of(settings) as log:
        log.add([replace(extra(case, f"v-{number}", noon), entity="v") for number, noon in enumerate(noons[:4])])
        log.add([extra(case, "a", noons[0]), extra(case, "b", noons[3]), extra(case, "c", noons[0])])
        log.add_targets(
            [
                LateTarget("yes", known, entity="v"),  # three days old by then: the first of its four
                LateTarget("no", known, entity="c-b"),  # none is old enough: the only one
                LateTarget("no", known, prediction_id="a"),
                LateTarget("no", known, entity="c-a"),  # known by identifier already
                LateTarget("yes", known, prediction_id="nobody"),
                LateTarget("yes", known + DAY, prediction_id="a"),  # too late to be another class
                LateTarget("yes", known + DAY, entity="v"),
            ]
        )
    ingest(case, settings, as_of=SINCE + 5 * DAY)
    found = load_targets(case, settings, as_of=SINCE + 5 * DAY).filter(
        pl.col("row_id").is_in(["a", "b", "c"]) | pl.col("row_id").str.starts_with("v")
    )
    assert sorted(found.select("row_id", "target", "known_time").rows()) == [
        ("a", "no", known),
        ("b", "no", known),
        ("v-0", "yes", known),
        ("v-1", "yes", known + DAY),
    ]
    told = load_json(settings.data_folder("churn") / CLOSED_DAYS)
    assert told[str(known.date())]["targets"] == {"added": 3, "repeated": 1, "contradicting": 0, "unmatched": 1}
    assert told[str(known.date() + DAY)]["targets"] == {"added": 1, "repeated": 0, "contradicting": 1, "unmatched": 0}


def test_what_was_answered_and_by_whom_lies_beside_the_batch(settings: Settings) -> None:
    case, noon = served_case(settings), datetime.combine(SINCE, time(12))
    answered = extra(case, "b", noon, challenger=Scores(2, "yes", 0.75, (0.25, 0.75)), answered="challenger")
    with log_of(settings) as log:
        log.add([answered, extra(case, "a", noon)])
    ingest(case, settings, as_of=SINCE)
    assert load_answers(case, settings, as_of=SINCE).drop("batch_id", "event_time").rows() == [
        ("a", "c-a", "champion", 1, 1, 0.25, None, None),
        ("b", "c-b", "challenger", 2, 1, 0.25, 2, 0.75),
    ]
    assert load_answers(case, settings, as_of=START).is_empty()


def test_a_killed_run_is_written_over(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(settings, days(3))
    case = served_case(settings)
    ingest(case, settings, as_of=SINCE)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("driftbook.data.served.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(case, settings, as_of=SINCE + DAY)
    assert f"batches/date={SINCE + DAY}/{SINCE + DAY}.parquet" in on_disk(settings)
    with log_of(settings) as log:
        log.add([extra(case, "meanwhile", datetime.combine(SINCE + DAY, time(12)))])
    ingest(case, settings, as_of=SINCE + DAY)
    assert "meanwhile" in load_answers(case, settings, as_of=SINCE + DAY)["row_id"].to_list()
    assert load_quarantined(case, settings, as_of=SINCE + DAY).is_empty()


def test_batches_stay_when_the_log_is_pruned(settings: Settings) -> None:
    fill(settings, days(2))
    case = served_case(settings)
    ingest(case, settings, as_of=SINCE + DAY)
    before = on_disk(settings)
    with log_of(settings) as log:
        log._store.query("DELETE FROM prediction")
    ingest(case, settings, as_of=SINCE + DAY)
    assert on_disk(settings) == before


def test_days_that_another_source_gave_are_not_taken_over(settings: Settings) -> None:
    fill(settings, days(3))
    case = served_case(settings)
    ingest(before_service(case), settings, as_of=SINCE + DAY)
    with pytest.raises(StateError, match=r"2 batches of 'churn' from source.since .* were made by another source"):
        ingest(case, settings, as_of=SINCE + DAY)


def test_a_lost_record_is_not_made_up(settings: Settings) -> None:
    fill(settings, days(3))
    case = served_case(settings)
    ingest(case, settings, as_of=SINCE + 2 * DAY)
    (settings.data_folder("churn") / CLOSED_DAYS).unlink()
    with pytest.raises(StateError, match=r"closed_days.json does not name .* files of closed days; restore it"):
        ingest(case, settings, as_of=SINCE + 2 * DAY)
    reset("churn", settings=settings)
    ingest(case, settings, as_of=SINCE + 2 * DAY)
    assert load_answers(case, settings, as_of=SINCE)["batch_id"].unique().to_list() == [str(SINCE)]


def test_what_a_build_depends_on_changes_when_a_closed_day_does(settings: Settings) -> None:
    case = served_case(settings)
    fill(settings, days(2))
    before = input_digest(case, settings)
    assert input_digest(case, settings) == before
    with log_of(settings) as log:
        log.add([extra(case, "open", datetime.now() + DAY)])
    assert log_mark(case, settings, now=datetime(2020, 1, 1)) != log_mark(case, settings, now=datetime(2100, 1, 1))
    with log_of(settings) as log:
        log.add([extra(case, "closed", datetime.combine(SINCE, time(12)))])
    assert input_digest(case, settings) != before


@pytest.mark.parametrize(
    ("source", "columns", "told"),
    [
        ({"since": str(START)}, {}, "'since' should lie after history.stream_start"),
        (
            {"history": {"kind": "files", "path": "x.csv"}},
            {"event_time": None},
            "rows of a service have times, so those of source.history need columns.event_time",
        ),
    ],
)
def test_a_service_that_cannot_begin_is_refused(
    settings: Settings, source: dict[str, object], columns: dict[str, object], told: str
) -> None:
    content = served_case(settings).model_dump(mode="json")
    content["source"] |= source
    content["columns"] |= columns
    with pytest.raises(ConfigError, match=told):
        parse(UseCase, content, source="usecase.yaml")


def test_only_a_service_has_a_log_to_read(settings: Settings) -> None:
    with pytest.raises(ConfigError, match=r"should have source.kind service, found 'simulate'"):
        write_served(before_service(served_case(settings)), settings, as_of=SINCE)
