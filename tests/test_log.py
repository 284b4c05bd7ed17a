"""The prediction log, on SQLite and on PostgreSQL: what was acknowledged is there, once, whatever happened."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from stores import KINDS, POSTGRES, empty_store

from driftbook.errors import ConfigError, DataError, StateError
from driftbook.serving.log import open_log
from driftbook.serving.log_server import open_store
from driftbook.serving.log_store import STEPS, TABLES, AwayError
from driftbook.serving.logged import PREDICTION_COLUMNS, LateTarget, Logged, Scores, TargetsAdded, prediction_row
from driftbook.serving.spill import spill_files

NOON = datetime(2026, 6, 1, 12)
CHAMPION = Scores(1, "yes", 0.75, (0.25, 0.75))
CHALLENGER = Scores(2, "no", 0.4, (0.6, 0.4))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_store(request.param, tmp_path) as store:
        yield store


def entry(name: str, **changed: object) -> Logged:
    values = {"prediction_id": name, "at": NOON, "received_at": NOON, "entity": f"c-{name}", "features": {"age": 31}}
    return Logged(**{**values, "champion": CHAMPION, **changed})


def rows_of(url: str, sql: str) -> list[tuple]:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()


def identifiers(url: str) -> list[str]:
    return [row[0] for row in rows_of(url, "SELECT prediction_id FROM prediction ORDER BY prediction_id")]


def test_a_prediction_is_kept_with_all_that_was_said_of_it(url: str, tmp_path: Path) -> None:
    said = entry(
        "a",
        at=datetime(2026, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        received_at=datetime(2026, 6, 1, 12, 0, 1, 5, tzinfo=UTC),
        features={"plan": "übung – 試験\0", "age": None},
        challenger=CHALLENGER,
        answered="challenger",
        latency_ms=0.5,
        flags=("outlier", "missing: age"),
        outlier_score=0.625,
        client="shop",
    )
    with open_log(url, tmp_path / "spill", use_case="churn") as log:
        log.add([said])
    kept = dict(
        zip(PREDICTION_COLUMNS, rows_of(url, f"SELECT {', '.join(PREDICTION_COLUMNS)} FROM prediction")[0], strict=True)
    )
    assert kept == {
        "prediction_id": "a",
        "use_case": "churn",
        "at": "2026-06-01T12:00:00.000000",
        "received_at": "2026-06-01T12:00:01.000005",
        "entity": "c-a",
        "features": r'{"plan":"\u00fcbung \u2013 \u8a66\u9a13\u0000","age":null}',
        "champion_version": 1,
        "champion_prediction": "yes",
        "champion_score": 0.75,
        "champion_probabilities": "[0.25,0.75]",
        "challenger_version": 2,
        "challenger_prediction": "no",
        "challenger_score": 0.4,
        "challenger_probabilities": "[0.6,0.4]",
        "answered_role": "challenger",
        "answered_version": 2,
        "latency_ms": 0.5,
        "flags": '["outlier","missing: age"]',
        "outlier_score": 0.625,
        "client": "shop",
    }


def test_a_score_comes_back_to_the_last_bit(url: str, tmp_path: Path) -> None:
    score = 0.1 + 0.2
    with open_log(url, tmp_path / "spill", use_case="churn") as log:
        log.add([entry("a", champion=Scores(1, "no", score, (1 - score, score)))])
    assert rows_of(url, "SELECT champion_score, champion_probabilities FROM prediction") == [
        (score, f"[{1 - score!r},{score!r}]")
    ]


def test_a_prediction_offered_again_is_there_once_and_as_it_was(url: str, tmp_path: Path) -> None:
    with open_log(url, tmp_path / "spill", use_case="churn") as log:
        log.add([entry("a"), entry("b")])
        log.add([entry("b", entity="another"), entry("c")])
        log.add([])
    assert rows_of(url, "SELECT prediction_id, entity FROM prediction ORDER BY prediction_id") == [
        ("a", "c-a"),
        ("b", "c-b"),
        ("c", "c-c"),
    ]


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_no_database_keeps_is_refused_before_anything_is_written(
    url: str, tmp_path: Path, text: str
) -> None:
    with open_log(url, tmp_path / "spill", use_case="churn") as log:
        with pytest.raises(DataError, match="entity: expected text without NUL and lone surrogates"):
            log.add([entry("a"), entry("b", entity=text)])
        assert identifiers(url) == []


def test_the_challengers_answer_needs_the_challengers_scores() -> None:
    with pytest.raises(DataError, match="answered by the challenger, but its scores are not given"):
        prediction_row(entry("a", answered="challenger"), "churn")


def test_many_threads_and_an_event_loop_write_at_once(url: str, tmp_path: Path) -> None:
    with open_log(url, tmp_path / "spill", use_case="churn") as log:

        async def record_all() -> None:
            await asyncio.gather(*(log.record([entry(f"loop-{number}")]) for number in range(40)), log.record([]))

        threads = [
            threading.Thread(target=lambda name=name: [log.add([entry(f"{name}-{each}")]) for each in range(20)])
            for name in "abc"
        ]
        for thread in threads:
            thread.start()
        asyncio.run(record_all())
        for thread in threads:
            thread.join()
        log.drain()
    assert len(identifiers(url)) == 40 + 3 * 20


def test_targets_are_kept_once_and_what_they_fit_is_told(url: str, tmp_path: Path) -> None:
    late = NOON + timedelta(days=3)
    with open_log(url, tmp_path / "spill", use_case="churn") as log:
        log.add([entry("a"), entry("b")])
        known = LateTarget("yes", late, prediction_id="a")
        assert log.add_targets([known, LateTarget("no", late, entity="c-b")]) == TargetsAdded(2)
        assert log.add_targets([known, known]) == TargetsAdded(0, repeated=2)
        strangers = [LateTarget("no", late, prediction_id="z"), LateTarget("no", late, entity="nobody")]
        assert log.add_targets(strangers) == TargetsAdded(2, unmatched=2)
        assert log.add_targets([LateTarget("no", late, prediction_id="a")]) == TargetsAdded(1, contradicting=1)
    assert len(rows_of(url, "SELECT * FROM prediction_target")) == 5


@pytest.mark.parametrize("named", [{}, {"prediction_id": "a", "entity": "c-a"}])
def test_a_target_names_a_prediction_or_an_entity(tmp_path: Path, named: dict[str, str]) -> None:
    with (
        open_log("sqlite://", tmp_path, use_case="churn") as log,
        pytest.raises(DataError, match="either a prediction_id or an entity, found both or none"),
    ):
        log.add_targets([LateTarget("no", NOON, **named)])


def test_a_busy_database_is_not_waited_for_and_catches_up(tmp_path: Path) -> None:
    with empty_store("sqlite", tmp_path) as url, open_log(url, tmp_path / "spill", use_case="churn") as log:
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        log.add([entry("a"), entry("b")])
        assert log.add_targets([LateTarget("no", NOON, prediction_id="a")]).added == 1
        assert (log.spilled, log.fault) == (3, "database is locked")
        assert log.drain() == 0
        assert log.waiting_bytes() > 0
        other.execute("ROLLBACK")
        log.add([entry("c")])
        assert log.drain() == 3
        assert (log.waiting_bytes(), log.fault) == (0, None)
        assert identifiers(url) == ["a", "b", "c"]
        other.close()


def test_a_database_file_that_was_moved_away_is_not_written_into(tmp_path: Path) -> None:
    with empty_store("sqlite", tmp_path) as url, open_log(url, tmp_path / "spill", use_case="churn") as log:
        path = Path(url.removeprefix("sqlite:///"))
        log.add([entry("a")])
        moved = path.rename(path.with_name("moved.db"))
        log.add([entry("b")])
        assert "is gone; put it back" in str(log.fault)
        moved.rename(path)
        log.add([entry("c")])
        assert log.drain() == 1
        assert identifiers(url) == ["a", "b", "c"]


def test_a_server_that_is_away_is_not_waited_for_and_found_again(tmp_path: Path) -> None:
    with empty_store("postgresql", tmp_path) as url, open_log(url, tmp_path / "spill", use_case="churn") as log:
        name = url.rpartition("/")[2]
        log.add([entry("a")])
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            log.add([entry("b")])
            assert not log.add_targets([LateTarget("no", NOON, prediction_id="a")]).checked
            assert log.drain() == 0
            assert log.fault is not None
            log.add([entry("c")])
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert log.drain() == 3
        assert log.fault is None
        log.add([entry("d")])
        assert log.spilled == 3
        assert identifiers(url) == ["a", "b", "c", "d"]


def test_a_lost_connection_is_made_anew_once(tmp_path: Path) -> None:
    with empty_store("postgresql", tmp_path) as url:
        store = open_store(url)
        lost, connect, made = store._connection, store._connect, []
        store._connect = lambda: made.append(connect()) or made[-1]
        close = lost.close
        lost.close = lambda: (close(), store.maintain())  # as another thread does just then
        with pytest.raises(AwayError):
            store.query("SELECT pg_terminate_backend(pg_backend_pid())")
        store.maintain()
        assert store.query("SELECT 1") == [(1,)]
        assert [store._connection] == made
        store.close()


def test_what_neither_place_takes_is_not_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "spill").write_text("a file where the folder should be")
    with empty_store("sqlite", tmp_path) as url, open_log(url, tmp_path / "spill", use_case="churn") as log:
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match=r"cannot be kept in .*spill .*make room there"):
            log.add([entry("a")])
        other.close()


def test_a_killed_process_loses_nothing_it_acknowledged(url: str, tmp_path: Path) -> None:
    """Three times killed while it writes, to the database and past it; the next one takes over what it left."""
    script = textwrap.dedent("""
        import sys, threading, time
        from pathlib import Path
        from test_log import entry
        from driftbook.serving.log import open_log
        log = open_log(sys.argv[1], Path(sys.argv[2]), use_case="churn")
        log._store.insert = lambda *_, insert=log._store.insert: fail() if time.time() % 0.1 < 0.05 else insert(*_)
        def fail():
            from driftbook.serving.log_store import AwayError
            raise AwayError("a moment")
        threading.Thread(target=lambda: [(log.drain(), time.sleep(0.02)) for _ in iter(int, 1)], daemon=True).start()
        for number in range(10**6):
            log.add([entry(f"{sys.argv[3]}-{number}")])
            print(f"{sys.argv[3]}-{number}", flush=True)
    """)
    acknowledged: list[str] = []
    for turn in range(3):
        command = [sys.executable, "-c", script, url, str(tmp_path / "spill"), str(turn)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(300)]
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        acknowledged += [*lines, *re.findall(r"(\S+)\n", rest)]
    with open_log(url, tmp_path / "spill", use_case="churn") as log:
        log.drain()
        assert log.waiting_bytes() == 0
    found = identifiers(url)
    assert len(found) == len(set(found))
    assert len(acknowledged) >= 900
    assert set(acknowledged) <= set(found)


def test_a_file_of_a_living_process_is_left_to_it(tmp_path: Path) -> None:
    with empty_store("sqlite", tmp_path) as url, open_log(url, tmp_path / "spill", use_case="churn") as living:
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        living.add([entry("a")])
        other.execute("ROLLBACK")
        with open_log(url, tmp_path / "spill", use_case="churn") as second:
            assert second.drain() == 0
        assert len(spill_files(tmp_path / "spill")) == 1
        assert living.drain() == 1
        other.close()


def test_processes_that_open_a_new_log_at_once_all_succeed(url: str, tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from driftbook.serving.log import open_log; "
    script += "open_log(sys.argv[1], Path(sys.argv[2]), use_case='churn').close()"
    command = [sys.executable, "-c", script, url, str(tmp_path)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[1] for process in processes] == [""] * 3


def test_a_log_of_a_newer_driftbook_is_refused_and_an_older_one_carried_along(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_log(url, tmp_path, use_case="churn") as log:
        log.add([entry("a")])
    added = ("ALTER TABLE prediction ADD COLUMN note TEXT",)
    monkeypatch.setattr("driftbook.serving.log_store.STEPS", (*STEPS, added))
    open_log(url, tmp_path, use_case="churn").close()
    assert rows_of(url, "SELECT prediction_id, note FROM prediction") == [("a", None)]
    assert rows_of(url, "SELECT version FROM log_version ORDER BY version") == [(1,), (2,)]
    monkeypatch.setattr("driftbook.serving.log_store.STEPS", STEPS)
    with pytest.raises(StateError, match=r"expected a prediction log of version 1 or before, found 2; .*upgrade"):
        open_log(url, tmp_path, use_case="churn")


def test_the_steps_make_the_columns_that_rows_are_laid_out_for(url: str, tmp_path: Path) -> None:
    open_log(url, tmp_path, use_case="churn").close()
    for table, columns in TABLES.items():
        assert rows_of(url, f"SELECT {', '.join(columns)} FROM {table}") == []


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be opened") as caught:
        open_log("postgresql://somebody:secret@127.0.0.1:1/x", tmp_path, use_case="churn")
    assert "secret" not in str(caught.value)
    with pytest.raises(StateError, match="cannot be opened") as caught:
        open_log("postgresql://somebody@127.0.0.1:1/x?password=secret", tmp_path, use_case="churn")
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="no database URL"):
        open_log("not a url: secret", tmp_path, use_case="churn")


def test_a_postgresql_database_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with (
        empty_store("postgresql", tmp_path, encoding="LATIN1") as url,
        pytest.raises(StateError, match="UTF8, found LATIN1"),
    ):
        open_log(url, tmp_path, use_case="churn")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.db"
    path.write_text("id,target\n" * 100)
    with pytest.raises(StateError, match="file is not a database"):
        open_log(f"sqlite:///{path}", tmp_path, use_case="churn")
    assert os.listdir(tmp_path) == ["predictions.db"]
