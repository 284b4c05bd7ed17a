"""How far a build has come: told at every step, read whole or not at all, and never mistaken for one that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from driftbook.config import Settings
from driftbook.storage import is_locked, locked, write_text
from driftbook.workflow.lock import LOCK_HELD
from driftbook.workflow.progress import (
    LONGEST_MESSAGE,
    Progress,
    TaskProgress,
    begin,
    end,
    ending,
    load_progress,
    note_task,
    process_mark,
    progress_path,
    waiting_tasks,
    write_progress,
)

STATES = {"generate_data": "skipped", "check_quality": "waiting", "write_audit": "waiting"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    monkeypatch.delenv(LOCK_HELD, raising=False)
    return Settings(root=tmp_path)


def told(desk: Settings) -> Progress:
    progress = load_progress(desk)
    assert progress is not None
    return progress


def states(desk: Settings) -> list[str]:
    return [task.state for task in told(desk).tasks]


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def running(pid: int, born: int | None) -> Progress:
    return Progress("churn", by="ann", reason="New prices.", started="2026-07-01T06:30:00", pid=pid, born=born)


def test_where_no_build_was_begun_nothing_is_told(desk: Settings) -> None:
    assert load_progress(desk) is None
    note_task(desk, "check_quality", "running")
    end(desk, "done", "")
    assert load_progress(desk) is None


def test_a_build_is_followed_task_by_task(desk: Settings) -> None:
    begin(desk, "churn", as_of="2026-06-03", states=STATES)
    assert (told(desk).use_case, told(desk).as_of, told(desk).by) == ("churn", "2026-06-03", "ann")
    assert (told(desk).pid, told(desk).state, told(desk).share) == (os.getpid(), "running", 1 / 3)
    assert [task.title for task in told(desk).tasks] == ["Generate data", "Check quality", "Write audit"]
    note_task(desk, "check_quality", "running")
    assert states(desk) == ["skipped", "running", "waiting"]
    assert told(desk).tasks[1].since is not None
    assert told(desk).sentence.endswith("; it is at task 2 of 3, check quality.")
    note_task(desk, "check_quality", "done", seconds=4.25)
    assert told(desk).tasks[1] == TaskProgress("check_quality", "Check quality", "done", seconds=4.25)
    assert told(desk).share == 2 / 3
    note_task(desk, "write_audit", "done", seconds=1.0)
    end(desk, "done", "Customer churn is well.")
    assert (told(desk).state, told(desk).message, told(desk).share) == ("done", "Customer churn is well.", 1.0)
    assert told(desk).ended is not None


def test_a_build_is_told_in_one_sentence() -> None:
    begun = running(1, 1)
    start = "ann started a build of churn on 2026-07-01 at 06:30 UTC (New prices)"
    assert begun.sentence == f"{start}; it is getting ready."
    assert replace(begun, state="done", message="All is well.").sentence == f"{start}; it has ended. All is well."
    assert replace(begun, state="failed", message="No rows.").sentence == f"{start}; it failed. No rows."
    assert replace(begun, state="interrupted", message="Gone.").sentence == f"{start}; it was interrupted. Gone."
    assert replace(begun, reason="").sentence.startswith("ann started a build of churn on 2026-07-01 at 06:30 UTC;")


def test_a_task_that_runs_when_the_build_ends_has_failed_and_the_first_end_counts(desk: Settings) -> None:
    begin(desk, "churn", as_of=None, states=STATES)
    note_task(desk, "check_quality", "running")
    end(desk, "failed", "The first.")
    end(desk, "done", "The second.")
    note_task(desk, "write_audit", "running")
    assert (told(desk).state, told(desk).message) == ("failed", "The first.")
    assert states(desk) == ["skipped", "failed", "waiting"]


def test_of_a_report_of_a_failure_its_last_message_is_told_without_paths(desk: Settings) -> None:
    begin(desk, "churn", as_of=None, states=STATES)
    end(desk, "failed", f"a traceback\n\ndriftbook: {desk.root}/data/shop.csv is empty; export it again")
    assert told(desk).message == "data/shop.csv is empty; export it again"
    begin(desk, "churn", as_of=None, states=STATES)
    end(desk, "failed", "x" * 2 * LONGEST_MESSAGE)
    assert len(told(desk).message) == LONGEST_MESSAGE


def test_a_build_whose_process_is_gone_was_interrupted(desk: Settings) -> None:
    write_progress(desk, running(ended_process(), 1))
    assert told(desk).state == "interrupted"
    assert "start it again" in told(desk).message


def test_another_process_of_the_same_number_is_not_the_build(desk: Settings) -> None:
    own = process_mark(os.getpid())
    assert own is not None
    write_progress(desk, running(os.getpid(), own))
    assert told(desk).state == "running"
    write_progress(desk, running(os.getpid(), own - 1))
    assert told(desk).state == "interrupted"


def test_a_process_that_ended_and_was_not_asked_for_yet_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    while process_mark(process.pid) is not None:
        pass
    process.wait()
    assert process_mark(process.pid) is None


def test_a_build_of_another_machine_runs_as_long_as_it_holds_the_lock(desk: Settings) -> None:
    write_progress(desk, running(ended_process(), 1))
    with locked(desk.lock_path):
        assert is_locked(desk.lock_path)
        assert told(desk).state == "running"
    assert not is_locked(desk.lock_path)
    assert told(desk).state == "interrupted"


def test_what_somebody_began_keeps_its_name_and_reason_in_the_process_that_does_it(
    desk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(running(os.getpid(), process_mark(os.getpid())), tasks=waiting_tasks(STATES))
    write_progress(desk, replace(asked, by="bob"))
    begin(desk, "churn", as_of="2026-06-03", states=STATES)
    assert (told(desk).by, told(desk).reason, told(desk).started) == ("bob", "New prices.", "2026-07-01T06:30:00")
    write_progress(desk, replace(asked, by="bob", pid=os.getppid()))
    monkeypatch.setenv(LOCK_HELD, "1")
    begin(desk, "churn", as_of="2026-06-03", states=STATES)
    assert (told(desk).by, told(desk).pid) == ("bob", os.getpid())


@pytest.mark.parametrize("change", [{"use_case": "bank"}, {"state": "done"}, {"pid": 1}])
def test_another_build_is_not_taken_for_ones_own(desk: Settings, change: dict[str, object]) -> None:
    other = replace(running(os.getpid(), process_mark(os.getpid())), by="bob")
    write_progress(desk, replace(other, **change))  # type: ignore[arg-type]
    begin(desk, "churn", as_of=None, states=STATES)
    assert (told(desk).use_case, told(desk).by, told(desk).reason) == ("churn", "ann", "")


def test_what_ends_a_process_is_the_end_of_its_build(desk: Settings) -> None:
    begin(desk, "churn", as_of=None, states=STATES)
    with pytest.raises(ValueError, match="too few"), ending(desk):
        raise ValueError("too few rows")
    assert (told(desk).state, told(desk).message) == ("failed", "too few rows")
    begin(desk, "churn", as_of=None, states=STATES)
    with pytest.raises(KeyboardInterrupt), ending(desk):
        raise KeyboardInterrupt
    assert told(desk).message == "the build was stopped (KeyboardInterrupt)"
    begin(desk, "churn", as_of=None, states=STATES)
    with ending(desk):
        pass
    assert (told(desk).state, told(desk).message) == ("done", "It was up to date already.")


def test_what_ends_a_process_is_not_the_end_of_anothers_build(desk: Settings) -> None:
    with locked(desk.lock_path):
        write_progress(desk, running(1, None))
        with ending(desk):
            pass
        assert told(desk).state == "running"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"tasks": []}', '{"tasks": [{"no": 1}]}'])
def test_a_broken_file_counts_as_none_and_the_next_build_writes_it_anew(desk: Settings, text: str) -> None:
    write_text(progress_path(desk), text)
    assert load_progress(desk) is None
    begin(desk, "churn", as_of=None, states=STATES)
    assert told(desk).state == "running"


def test_a_build_goes_on_where_its_progress_cannot_be_written(desk: Settings) -> None:
    progress_path(desk).mkdir(parents=True)
    begin(desk, "churn", as_of=None, states=STATES)
    note_task(desk, "check_quality", "running")
    end(desk, "done", "")
    assert load_progress(desk) is None
