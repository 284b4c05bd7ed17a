"""A build started from the dashboard: one at a time, by whom and why is known, and no kill of the starter ends it.

Builds of known length stand in for real ones; browser/test_acting.py starts a real one and kills who started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import pytest
from workbench import make_workbench

from driftbook.config import Settings
from driftbook.database import open_database
from driftbook.deployment import commit_story, load_orders
from driftbook.errors import BusyError, DriftbookError, StateError
from driftbook.storage import locked
from driftbook.workflow.background import start_build
from driftbook.workflow.bind import load_tasks
from driftbook.workflow.progress import BUILD_LOG, Progress, load_progress

PATIENCE = 20.0
PYTHON = sys.executable
STARTER = """
import sys, time
from driftbook.config import Settings
from driftbook.workflow.background import start_build
sys.executable = sys.argv[1]
print(start_build(Settings.find(), "churn", reason="New prices.", by="ann"), flush=True)
time.sleep(600)
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A workbench where a champion is in office since one day."""
    monkeypatch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
    settings = make_workbench(tmp_path)
    appointed = {"action": "appoint", "version": 1, "reason": "The first."}
    entry = {
        "batch_id": "2026-06-01",
        "day": "2026-06-01",
        "office": {"champion": 1, "challenger": None, "previous": None},
        "decision": {"kind": "retraining", "action": "wait", "reasons": ["Nothing calls for it."]},
        "changes": [appointed],
    }
    with open_database(settings.database_url) as database:
        commit_story(
            database,
            "churn",
            as_of=date(2026, 6, 1),
            entries=[entry],
            expected_revision=0,
            actor="build",
            now=datetime(2026, 6, 2),
        )
    return settings


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script where the command ``driftbook`` is looked for: a build of known length."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(script: str) -> None:
        command = folder / "driftbook"
        command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        command.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(folder / "python"))

    return put


def orders(desk: Settings) -> list[tuple[str, str]]:
    with open_database(desk.database_url) as database:
        changes = [order["changes"][0] for order in load_orders(database, "churn")]
    return [(change["actor"], change["reason"]) for change in changes]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def progress(desk: Settings) -> Progress:
    found = load_progress(desk)
    assert found is not None
    return found


def test_an_order_is_given_and_a_build_started_of_which_all_is_known_at_once(
    desk: Settings, stand_in: Callable[[str], None]
) -> None:
    stand_in('echo "$@"; sleep 30')
    said = start_build(desk, "churn", reason=" New\nprices. ", by="ann")
    assert said.startswith("churn: a challenger is asked for (revision 2).")
    assert said.endswith("A build was started.")
    assert orders(desk) == [("ann", "New prices.")]
    now = progress(desk)
    try:
        assert (now.use_case, now.by, now.reason, now.state) == ("churn", "ann", "New prices.", "running")
        assert [task.name for task in now.tasks] == list(load_tasks(desk))
        assert {task.state for task in now.tasks} == {"waiting"}
        assert os.getsid(now.pid) == now.pid, "it has a session of its own"
        wait_until(lambda: "build --use-case churn" in (desk.state_folder / BUILD_LOG).read_text())
    finally:
        os.kill(now.pid, signal.SIGKILL)
    wait_until(lambda: progress(desk).state == "interrupted")


def test_while_a_build_runs_another_is_refused_and_told_who_runs_it(
    desk: Settings, stand_in: Callable[[str], None]
) -> None:
    stand_in("sleep 30")
    start_build(desk, "churn", reason="New prices.", by="ann")
    try:
        with pytest.raises(BusyError, match=r"^ann started a build of churn on .*\(New prices\).*Wait until it has"):
            start_build(desk, "churn", reason="Complaints.", by="bob")
        assert orders(desk) == [("ann", "New prices.")], "the refused one gave no order"
    finally:
        os.kill(progress(desk).pid, signal.SIGKILL)


def test_while_somebody_else_needs_the_workbench_no_build_is_started(desk: Settings) -> None:
    with locked(desk.lock_path), pytest.raises(BusyError, match=f"held by process {os.getpid()}"):
        start_build(desk, "churn", reason="New prices.", by="ann")
    assert orders(desk) == []
    assert load_progress(desk) is None


def test_of_two_who_start_at_once_one_does(desk: Settings, stand_in: Callable[[str], None]) -> None:
    stand_in("sleep 30")

    def try_to_start(name: str) -> str:
        try:
            start_build(desk, "churn", reason="New prices.", by=name)
        except BusyError as error:
            return str(error).split()[0]
        return ""

    try:
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(try_to_start, ["ann", "bob"]))
        winner = progress(desk).by
        assert sorted(told) == sorted(["", winner])
        assert orders(desk) == [(winner, "New prices.")]
    finally:
        os.kill(progress(desk).pid, signal.SIGKILL)


@pytest.mark.parametrize(("use_case", "reason"), [("churn", "  "), ("bank", "New prices."), ("../churn", "x")])
def test_what_cannot_be_ordered_starts_nothing(desk: Settings, use_case: str, reason: str) -> None:
    with pytest.raises(DriftbookError, match=r"expected a reason|no use case"):
        start_build(desk, use_case, reason=reason, by="ann")
    assert load_progress(desk) is None


def test_a_build_that_cannot_be_started_is_told_with_the_command(
    desk: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere" / "python"))
    with pytest.raises(StateError, match="start it by hand: driftbook build --use-case churn"):
        start_build(desk, "churn", reason="New prices.", by="ann")
    assert load_progress(desk) is None


def starter(desk: Settings) -> subprocess.Popen[str]:
    environment = {**os.environ, "DRIFTBOOK_ROOT": str(desk.root)}
    command = [PYTHON, "-c", STARTER, sys.executable]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline().endswith("A build was started.\n")
    return process


def test_a_build_goes_on_to_its_end_although_its_starter_was_killed(
    desk: Settings, stand_in: Callable[[str], None], tmp_path: Path
) -> None:
    stand_in(f'while [ ! -e "{tmp_path}/go" ]; do sleep 0.05; done; echo it ended')
    process = starter(desk)
    build = progress(desk)
    assert (build.state, build.by, build.reason) == ("running", "ann", "New prices.")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert progress(desk) == build, "it runs on"
    (tmp_path / "go").touch()
    wait_until(lambda: "it ended" in (desk.state_folder / BUILD_LOG).read_text())
    wait_until(lambda: progress(desk).state == "interrupted")
