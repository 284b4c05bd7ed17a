"""The databases the log can live in, as the service's hot path needs them: one insert, at once, or a clear "not now".

SQL is sent through the drivers themselves, because a prediction is logged before it is answered: SQLite takes some
20 microseconds that way. SQLite keeps a write-ahead log with ``synchronous = NORMAL``: what was committed outlives a
kill of the service; a power cut may take the last moments, as it may take those of the spill file.

The tables are laid out by numbered steps, and a table ``log_version`` says how far they went: unlike everything else
driftbook keeps, a log cannot be made again, so a later version must carry an old one along, which ``create_all``
cannot; and for two tables that only grow a tuple of statements, run in one transaction, is easier to trust than a
folder of migration scripts.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from driftbook.errors import StateError
from driftbook.serving.logged import PREDICTION_COLUMNS, TARGET_COLUMNS, Row

BUSY_SECONDS = 0.002  # how long a prediction waits for SQLite before it is put into the spill file
PATIENT_SECONDS = 20.0  # how long opening waits
TABLES = {"prediction": PREDICTION_COLUMNS, "prediction_target": TARGET_COLUMNS}
STEPS = (
    (
        """CREATE TABLE prediction (
            prediction_id TEXT PRIMARY KEY, use_case TEXT NOT NULL, at TEXT NOT NULL, received_at TEXT NOT NULL,
            entity TEXT NOT NULL, features TEXT NOT NULL,
            champion_version BIGINT NOT NULL, champion_prediction TEXT NOT NULL,
            champion_score DOUBLE PRECISION NOT NULL, champion_probabilities TEXT NOT NULL,
            challenger_version BIGINT, challenger_prediction TEXT,
            challenger_score DOUBLE PRECISION, challenger_probabilities TEXT,
            answered_role TEXT NOT NULL, answered_version BIGINT NOT NULL,
            latency_ms DOUBLE PRECISION NOT NULL, flags TEXT NOT NULL, outlier_score DOUBLE PRECISION, client TEXT)""",
        "CREATE INDEX prediction_by_time ON prediction (use_case, at)",
        "CREATE INDEX prediction_by_arrival ON prediction (use_case, received_at)",
        "CREATE INDEX prediction_by_entity ON prediction (use_case, entity)",
        """CREATE TABLE prediction_target (
            target_id TEXT PRIMARY KEY, use_case TEXT NOT NULL, prediction_id TEXT, entity TEXT,
            known_at TEXT NOT NULL, target TEXT NOT NULL, client TEXT)""",
        "CREATE INDEX prediction_target_by_time ON prediction_target (use_case, known_at)",
        "CREATE INDEX prediction_target_by_prediction ON prediction_target (prediction_id)",
    ),
)


class AwayError(Exception):
    """The database cannot take rows now; the reason is its text, without a password."""


class Store(Protocol):
    """One connection to a database, for one thread at a time."""

    remote: bool

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows that are not there yet, all or none, for good. Raises :class:`AwayError`."""

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query with ``?`` for values. Raises :class:`AwayError`."""

    def maintain(self) -> None:
        """Whatever is better done aside from the hot path; safe beside it. Raises :class:`AwayError`."""

    def close(self) -> None:
        """Give the connection back."""


class SqliteStore:
    """The log in a SQLite file."""

    remote = False

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with opening(f"the prediction log {path}"):
                self._connection = sqlite3.connect(
                    path, timeout=PATIENT_SECONDS, isolation_level=None, check_same_thread=False
                )
                if self.query("PRAGMA journal_mode")[0][0] != "wal":
                    self.query("PRAGMA journal_mode = WAL")
                self.query("PRAGMA synchronous = NORMAL")
                self.query("PRAGMA wal_autocheckpoint = 0")
                with self._transaction():
                    bring_up_to_date(self.query, f"the prediction log {path}")
                self.query(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")
        except OSError as error:
            raise StateError(f"cannot make the folder of the prediction log {path} ({error.strerror})") from error
        self._identity = None if str(path) == ":memory:" else _identity(path)

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows in one transaction; a file that was moved away is away, not written into."""
        if self._identity is not None and _identity(self.path) != self._identity:
            raise AwayError(f"the file {self.path.name} is gone; put it back, or restart to begin a new log")
        sql = insert_sql(table, "?")
        with _AWAY:
            if len(rows) == 1:
                self._connection.execute(sql, rows[0])
            else:
                with self._transaction():
                    self._connection.executemany(sql, rows)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        with _AWAY:
            return self._connection.execute(sql, values).fetchall()

    def maintain(self) -> None:
        """Move what was committed from the write-ahead log into the file, which waits for the disk: aside."""
        if self._identity is None or _identity(self.path) != self._identity:
            return
        with _AWAY, closing(sqlite3.connect(self.path, timeout=PATIENT_SECONDS, isolation_level=None)) as aside:
            aside.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def bring_up_to_date(query: Callable[[str], list[Row]], name: str) -> None:
    """Run the steps that a log has not seen yet; called within a transaction that lets one process in at a time.

    Raises
    ------
    StateError
        If the log is of a newer version.
    """
    query("CREATE TABLE IF NOT EXISTS log_version (version BIGINT PRIMARY KEY)")
    found = max((int(row[0]) for row in query("SELECT version FROM log_version")), default=0)
    if found > len(STEPS):
        raise StateError(
            f"{name}: expected a prediction log of version {len(STEPS)} or before, found {found}; it was written by a "
            "newer driftbook: upgrade this one"
        )
    for number, step in enumerate(STEPS[found:], start=found + 1):
        for statement in step:
            query(statement)
        query(f"INSERT INTO log_version (version) VALUES ({number})")


@cache
def insert_sql(table: str, mark: str) -> str:
    """The statement that adds one row of a table unless its identifier is there, with ``mark`` for values."""
    columns = TABLES[table]
    marks = ", ".join([mark] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"


def look_up(store: Store, rows: Sequence[Row]) -> tuple[set[str], int, int]:
    """Of target rows of one use case: identifiers that are there; how many others have no prediction, or contradict.

    Raises
    ------
    AwayError
        If the database does not answer.
    """

    def ask(sql: str, mark: str, values: Sequence[Any], *more: Any) -> list[Row]:
        return store.query(sql.format(", ".join([mark] * len(values))), [*values, *more]) if values else []

    targets = "SELECT target_id FROM prediction_target WHERE target_id IN ({})"
    there = {row[0] for row in ask(targets, "?", [row[0] for row in rows])}
    new = [row for row in rows if row[0] not in there]
    named = [row[2] for row in new if row[2] is not None]
    known = {row[0] for row in ask("SELECT prediction_id FROM prediction WHERE prediction_id IN ({})", "?", named)}
    told: dict[str, set[str]] = {}
    for name, target in ask(
        "SELECT prediction_id, target FROM prediction_target WHERE prediction_id IN ({})", "?", named
    ):
        told.setdefault(name, set()).add(target)
    entities = [row[3] for row in new if row[2] is None]
    by_entity = (  # one prediction is enough, of the many an entity may have
        "SELECT column1 FROM (VALUES {}) AS asked "
        "WHERE EXISTS (SELECT 1 FROM prediction WHERE use_case = ? AND entity = column1)"
    )
    met = {row[0] for row in ask(by_entity, "(?)", entities, rows[0][1])}
    strangers = sum(row[3] not in met if row[2] is None else row[2] not in known for row in new)
    return there, strangers, sum(bool(told.get(row[2], set()) - {row[5]}) for row in new)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def first_line(error: Exception) -> str:
    """What a driver says, in one line."""
    told = str(error).strip().splitlines()
    return told[0] if told else type(error).__name__


class _Away:
    """SQLite's error as :class:`AwayError`; a generator for it would take half as long as an insert."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise AwayError(first_line(error)) from None


_AWAY = _Away()


@contextmanager
def opening(name: str) -> Iterator[None]:
    """A database that is away when the log is opened is an error of ours."""
    try:
        yield
    except AwayError as error:
        raise StateError(f"{name} cannot be opened ({error}); check that it is there and writable") from None
