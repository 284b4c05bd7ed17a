"""Whether all is as recorded is checked apart from the page: once for all who look, again when the ledger changes."""

from __future__ import annotations

import os
import shutil
import time
from datetime import date
from pathlib import Path

import pytest
from recorded import CASE
from recorded_days import make_recorded_days, record

from driftbook.config import Settings
from driftbook.dashboard import verifying
from driftbook.dashboard.verifying import AGAIN_SECONDS, check, checked_path, ensure_checked, last_check
from driftbook.errors import BusyError
from driftbook.storage import locked, write_text

PATIENCE = 60.0


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
        return make_recorded_days(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def desk(recorded: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
    shutil.copytree(recorded.root, tmp_path / "desk")
    monkeypatch.setattr(verifying, "_started", {})
    return Settings(root=tmp_path / "desk")


def test_a_check_counts_until_the_ledger_changes(desk: Settings) -> None:
    assert last_check(desk, CASE) is None
    told = check(desk, CASE)
    assert last_check(desk, CASE) == told
    record(desk, date(2026, 5, 21))
    assert last_check(desk, CASE) is None


def test_a_broken_outcome_of_a_check_counts_as_none(desk: Settings) -> None:
    check(desk, CASE)
    for text in ("", "{}", "[1]", '"x"'):
        write_text(checked_path(desk, CASE), text)
        assert last_check(desk, CASE) is None


def test_only_one_checks_at_a_time(desk: Settings) -> None:
    path = checked_path(desk, CASE).with_suffix(".lock")
    with locked(path), pytest.raises(BusyError):
        check(desk, CASE)


def test_a_check_is_begun_by_whoever_looks_and_told_when_it_has_ended(desk: Settings) -> None:
    before, began = ensure_checked(desk, CASE), time.monotonic()
    while ensure_checked(desk, CASE) == before:
        assert time.monotonic() < began + PATIENCE, "no check came"
        time.sleep(0.1)
    told = last_check(desk, CASE)
    assert told is not None
    assert told.holds, told.findings


def test_an_old_check_is_shown_while_another_is_made(desk: Settings) -> None:
    told = check(desk, CASE)
    long_ago = time.time() - AGAIN_SECONDS - 1
    os.utime(checked_path(desk, CASE), (long_ago, long_ago))
    mark, began = ensure_checked(desk, CASE), time.monotonic()
    assert last_check(desk, CASE) == told
    while ensure_checked(desk, CASE) == mark:
        assert time.monotonic() < began + PATIENCE, "no check came"
        time.sleep(0.1)
