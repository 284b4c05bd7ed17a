"""A person whom the service answered is taken out of its log, its spill files and all that was made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from served_world import SINCE, fill, log_of, make_served, served_case, simulated_entries
from stores import KINDS, empty_store
from typer.testing import CliRunner

from driftbook.audit.ledger import read_ledger
from driftbook.audit.verify import verify
from driftbook.cli import app
from driftbook.config import Settings
from driftbook.data import erasing
from driftbook.data.batches import ingest, load_batches, load_quarantined
from driftbook.data.erasing import find_traces
from driftbook.data.served import load_answers
from driftbook.errors import StateError
from driftbook.serving import log_eraser
from driftbook.serving.log_server import open_store
from driftbook.serving.logged import LateTarget, prediction_row
from driftbook.serving.spill import Spill

DAY = timedelta(days=1)
LAST = SINCE + 3 * DAY


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    with empty_store(request.param, tmp_path) as url:
        monkeypatch.setenv("DRIFTBOOK_LOG_URL", url)
        monkeypatch.setenv("DRIFTBOOK_ROOT", str(tmp_path))
        yield make_served(tmp_path, rows_per_day=20, history_days=5, stream_days=9)


@pytest.fixture
def person(settings: Settings) -> str:
    """Somebody who was asked about on the first day, once more in time and once too late, with targets of each kind."""
    fill(settings, [SINCE + number * DAY for number in range(4)])
    case = served_case(settings)
    [first, *_], _ = simulated_entries(case, SINCE)
    again = replace(first, prediction_id="again", at=first.at + DAY, received_at=first.at + DAY)
    too_late = replace(first, prediction_id="too-late", received_at=first.at + 2 * DAY)
    with log_of(settings) as log:
        log.add([again, too_late])
        log.add_targets([LateTarget("yes", first.at + 2 * DAY, entity=first.entity)])
    ingest(case, settings, as_of=LAST)
    return first.entity


def erase(person: str, *more: str) -> str:
    done = CliRunner().invoke(app, ["erase", person, "--use-case", "churn", "--reason", "request 17", *more])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def names_of(person: str) -> set[str]:
    return {person, f"p-{person}", "again", "too-late"}


def files_with(settings: Settings, person: str) -> set[str]:
    """Kinds of files that name the person or a prediction about it, in any column."""
    found = set()
    for path in settings.data_folder("churn").rglob("*.parquet"):
        frame = pl.read_parquet(path, hive_partitioning=False).select(pl.col(pl.String))
        if any(set(frame[name]) & names_of(person) for name in frame.columns):
            found.add(path.relative_to(settings.data_folder("churn")).parts[0])
    return found


def rows_in_log(settings: Settings, table: str) -> list[tuple]:
    store = open_store(settings.prediction_log_url)
    try:
        return store.query(f"SELECT * FROM {table}")
    finally:
        store.close()


def logged_of(settings: Settings, person: str) -> int:
    rows = [*rows_in_log(settings, "prediction"), *rows_in_log(settings, "prediction_target")]
    return sum(bool(names_of(person) & set(row)) for row in rows)


def test_a_dry_run_counts_in_files_and_log_and_changes_nothing(settings: Settings, person: str) -> None:
    said = erase(person, "--dry-run").splitlines()
    assert said[0] == "churn: 7 rows in 7 files (answers 2, batches 2, quarantine 1, targets 2)"
    assert said[1] == "  in the log of its prediction service: 3 predictions, 2 targets"
    assert files_with(settings, person) == {"batches", "answers", "quarantine", "targets"}
    assert logged_of(settings, person) == 5


def test_the_person_is_gone_from_files_and_log_and_everybody_else_is_still_there(
    settings: Settings, person: str
) -> None:
    case = served_case(settings)
    before, predictions = load_batches(case, settings, as_of=LAST), rows_in_log(settings, "prediction")
    assert "3 predictions, 2 targets, erased" in erase(person)
    assert files_with(settings, person) == set()
    assert logged_of(settings, person) == 0
    others = before.filter(~pl.col("row_id").is_in(list(names_of(person))))
    assert load_batches(case, settings, as_of=LAST).equals(others)
    assert before.height - others.height == 2
    assert len(rows_in_log(settings, "prediction")) == len(predictions) - 3
    assert erase(person) == "churn: 0 rows in 0 files (none)\n"
    assert find_traces(case, settings, person).predictions == frozenset()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_nothing_of_the_person_is_left_in_the_bytes_of_the_database(settings: Settings, person: str) -> None:
    [other, *_], _ = simulated_entries(served_case(settings), SINCE + DAY)
    erase(person)
    path = Path(settings.prediction_log_url.removeprefix("sqlite:///"))
    content = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert other.entity.encode() in content
    assert person.encode() not in content


def test_a_later_build_and_a_row_that_was_cut_off_bring_nobody_back(settings: Settings, person: str) -> None:
    case = served_case(settings)
    erase(person)
    [first, *_], _ = simulated_entries(case, SINCE)
    fresh = datetime.combine(LAST + DAY, time(9))
    with log_of(settings) as log:
        log.add([first, replace(first, prediction_id="again", at=fresh, received_at=fresh)])
    ingest(case, settings, as_of=LAST + DAY)
    assert files_with(settings, person) == set()
    assert load_quarantined(case, settings, as_of=date.max).is_empty()
    assert logged_of(settings, person) == 2, (
        "who asks about the person again is heard; the person is to be erased again"
    )
    assert "2 predictions, 0 targets, erased" in erase(person)
    assert [line["log_rows"] for line in read_ledger(settings, "churn").lines] == [5, 2]
    [verification] = verify(settings)
    assert verification.holds
    assert "line 2: 0 files were edited or removed and 2 rows of the prediction log erased on purpose" in str(
        verification.notes
    )


def test_what_a_killed_service_left_in_its_spill_file_is_found(settings: Settings, person: str) -> None:
    [first, second, *_], _ = simulated_entries(served_case(settings), LAST + DAY)
    spill = Spill(settings.spill_folder("churn"))
    rows = [replace(first, entity=person, prediction_id="again-2"), replace(second, prediction_id="else")]
    spill.append([["prediction", *prediction_row(each, "churn")] for each in rows])
    spill.close()
    assert "4 predictions, 2 targets" in erase(person, "--dry-run")
    assert "4 predictions, 2 targets, erased" in erase(person)
    assert not list(settings.spill_folder("churn").iterdir())
    kept = {row[0] for row in rows_in_log(settings, "prediction")}
    assert "else" in kept
    assert "again-2" not in kept


def test_a_spill_file_that_a_service_holds_is_not_passed_over(
    settings: Settings, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_eraser, "WAITS_SECONDS", 0.0)
    [first, *_], _ = simulated_entries(served_case(settings), LAST + DAY)
    spill = Spill(settings.spill_folder("churn"))
    spill.append([["prediction", *prediction_row(replace(first, entity=person), "churn")]])
    with pytest.raises(StateError, match=r"rows of 'churn' still wait in .* \(a running service holds them\)"):
        erase(person)
    spill.close()
    assert "4 predictions, 2 targets, erased" in erase(person)
    assert files_with(settings, person) == set()


@pytest.mark.parametrize("step", ["write_parquet", "erase_logged"])
def test_a_command_that_was_killed_at_any_step_is_given_again(
    settings: Settings, person: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    original = getattr(erasing, step)
    for allowed in range(12):
        calls = []

        def killed(*arguments: object, **named: object) -> object:
            if len(calls) == allowed:  # noqa: B023
                raise KeyboardInterrupt
            calls.append(arguments)  # noqa: B023
            return original(*arguments, **named)

        monkeypatch.setattr(erasing, step, killed)
        try:
            case = served_case(settings)
            erasing.erase(case, settings, person, find_traces(case, settings, person))
        except KeyboardInterrupt:
            continue
        break
    assert allowed > 0
    assert files_with(settings, person) == set()
    assert logged_of(settings, person) == 0


def test_a_log_that_is_away_is_no_reason_to_say_that_nothing_was_found(
    settings: Settings, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTBOOK_LOG_URL", "postgresql://postgres@127.0.0.1:9/nowhere")
    with pytest.raises(StateError, match="cannot be opened"):
        erase(person)
    assert person in load_answers(served_case(settings), settings, as_of=LAST)["entity"].to_list()
