"""The operational store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from stores import KINDS, empty_store

from driftbook.database import Database, open_database, utc_text
from driftbook.errors import BusyError, ConfigError, StateError

PROCESSES = 3


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_store(request.param, tmp_path) as store:
        yield store


def test_a_new_store_is_created_once_and_keeps_its_content(url: str) -> None:
    with open_database(url) as database, database.transaction() as work:
        work.execute("INSERT INTO notification VALUES (:key, 'log', :at)", key="übung – 試験", at="2026-06-30")
    with open_database(url) as database:
        assert database.rows("SELECT * FROM notification") == [
            {"alert_key": "übung – 試験", "channel": "log", "at": "2026-06-30"}
        ]


def _insert(database: Database, key: str, *, sql: str = "SELECT 1") -> None:
    with database.transaction() as work:
        work.execute("INSERT INTO notification VALUES (:key, 'log', '')", key=key)
        work.execute(sql)


def test_a_transaction_that_fails_leaves_nothing(url: str) -> None:
    with open_database(url) as database:
        with pytest.raises(StateError, match="no_such_table"):
            _insert(database, "a", sql="DELETE FROM no_such_table")
        assert database.rows("SELECT * FROM notification") == []


def test_statements_report_the_rows_they_touched_and_none_is_no_work(url: str) -> None:
    with open_database(url) as database, database.transaction() as work:
        insert = "INSERT INTO notification VALUES (:key, 'log', '')"
        work.execute_each(insert, [])
        work.execute_each(insert, [{"key": "a"}, {"key": "b"}])
        assert work.execute("DELETE FROM notification WHERE alert_key = :key", key="a") == 1
        assert work.execute("DELETE FROM notification WHERE alert_key = :key", key="a") == 0


def test_what_a_rule_of_the_tables_forbids_is_a_state_error(url: str) -> None:
    with open_database(url) as database:
        _insert(database, "a")
        with pytest.raises(StateError, match="the database refused"):
            _insert(database, "a")


def test_processes_that_open_a_new_store_at_once_all_succeed(url: str) -> None:
    script = "import sys; from driftbook.database import open_database; open_database(sys.argv[1]).close()"
    command = [sys.executable, "-c", script, url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    assert [process.communicate()[1] for process in processes] == [""] * PROCESSES
    with open_database(url) as database:
        assert database.rows("SELECT version FROM schema_version") == [{"version": 1}]


@pytest.mark.parametrize(("version", "advice"), [(2, "upgrade this one"), (0, "older driftbook")])
def test_a_store_of_another_version_is_refused_with_advice(url: str, version: int, advice: str) -> None:
    with open_database(url) as database, database.transaction() as work:
        work.execute("UPDATE schema_version SET version = :version", version=version)
    with pytest.raises(StateError, match=f"expected tables of version 1, found .{version}.; .*{advice}"):
        open_database(url)


def test_a_url_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="no database URL; expected sqlite:///") as caught:
        open_database("not a url: secret")
    assert "secret" not in str(caught.value)


def test_a_database_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="sqlite or postgresql, not in 'mysql'"):
        open_database("mysql://somebody:secret@localhost/x")


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StateError, match="the database refused") as caught:
        open_database("postgresql://somebody:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_postgresql_database_that_is_not_utf8_is_refused(tmp_path: Path, encoding: str) -> None:
    with (
        empty_store("postgresql", tmp_path, encoding=encoding) as url,
        pytest.raises(StateError, match=f"UTF8, found {encoding}"),
    ):
        open_database(url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "driftbook.db"
    path.write_text("id,target\n" * 100)
    with pytest.raises(StateError, match="file is not a database"):
        open_database(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(StateError, match="cannot make the folder"):
        open_database(f"sqlite:///{tmp_path / 'state' / 'deep' / 'driftbook.db'}")


def test_a_store_that_stays_locked_is_busy_yet_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftbook.database.BUSY_SECONDS", 0.05)
    path = tmp_path / "driftbook.db"
    open_database(f"sqlite:///{path}").close()
    with open_database(f"sqlite:///{path}") as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError, match="held by another process"), database.transaction():
            pass
        assert database.rows("SELECT version FROM schema_version") == [{"version": 1}]
        other.close()


def test_times_are_stored_in_utc() -> None:
    moment = datetime(2026, 6, 30, 20, 5, 1, 999, tzinfo=timezone(timedelta(hours=2)))
    assert utc_text(moment) == "2026-06-30T18:05:01"
    assert utc_text(datetime(2026, 6, 30, tzinfo=UTC)) == "2026-06-30T00:00:00"


def test_a_store_from_before_a_table_was_added_is_given_it_and_keeps_the_rest(tmp_path: Path) -> None:
    with empty_store("sqlite", tmp_path) as url:
        with open_database(url) as database, database.transaction() as work:
            work.execute("INSERT INTO notification VALUES ('key', 'log', '')")
            work.execute("DROP TABLE deployment_order")
        with open_database(url) as database:
            assert database.rows("SELECT * FROM deployment_order") == []
            assert len(database.rows("SELECT * FROM notification")) == 1
