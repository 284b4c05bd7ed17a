"""The operational store: who is champion, what was judged, which alerts stand, who was told.

One SQL store, SQLite by default and PostgreSQL by URL, behind one small interface: :meth:`Database.transaction`
gives SQL that both understand, all or nothing. Writers queue up (SQLite: ``BEGIN IMMEDIATE`` and a busy timeout;
PostgreSQL: row locks), so that whoever decides on what it read is not overtaken. Days and times are ISO text: they
sort alike in both, and nothing depends on a driver's idea of dates. Only this module knows SQLAlchemy, and no
message of it holds a password.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from driftbook.database.tables import TABLES
from driftbook.database.url import parse_url
from driftbook.errors import BusyError, ConfigError, StateError

SCHEMA_VERSION = 1
BUSY_SECONDS = 20.0
_CREATION_LOCK = 0x64726966  # the key under which PostgreSQL lets one process at a time create the tables


@dataclass(frozen=True)
class Transaction:
    """SQL with ``:named`` parameters, committed together or not at all."""

    connection: sa.Connection

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """All rows of a query, one dict each."""
        return [dict(row) for row in self.connection.execute(sa.text(sql), values).mappings()]

    def execute(self, sql: str, **values: Any) -> int:
        """Run one statement; the number of rows it touched."""
        return int(self.connection.execute(sa.text(sql), values).rowcount)

    def execute_each(self, sql: str, values: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement once for each set of values; nothing for none."""
        batch = [dict(each) for each in values]
        if batch:
            self.connection.execute(sa.text(sql), batch)


class Database:
    """An open store, made by :func:`open_database`; as a context manager it closes itself."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The store's URL without its password, which may be among the options, too."""
        return self._engine.url.set(query={}).render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Read and write as one: committed when the block ends well, undone otherwise.

        Raises
        ------
        BusyError
            If another process holds the store for longer than it is worth waiting.
        StateError
            If the store cannot be read or written.
        """
        with _translated(self.name), self._engine.begin() as connection:
            yield Transaction(connection)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """All rows of one query on its own; it never waits for a writer."""
        with _translated(self.name), self._engine.connect() as connection:
            return Transaction(_reading(connection)).rows(sql, **values)

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Open the store at ``url`` and create its tables if it is new.

    Parameters
    ----------
    url
        ``sqlite:///path/to/file.db`` or ``postgresql://user:password@host/name``.

    Raises
    ------
    ConfigError
        If the URL is none, or names a kind of database that driftbook does not keep its state in.
    StateError
        If nobody answers there, the file is no database, the tables are of another version of driftbook, or a
        PostgreSQL database is not UTF8.

    Examples
    --------
    >>> with open_database("sqlite://") as database:
    ...     database.rows("SELECT version FROM schema_version")
    [{'version': 1}]
    """
    engine = _engine(parse_url(url))
    database = Database(engine)
    try:
        with _translated(database.name):
            if engine.dialect.name == "postgresql":
                _require_utf8(engine, database.name)
            with engine.connect() as connection:
                there = set(sa.inspect(_reading(connection)).get_table_names())
            if "schema_version" not in there:
                _create_tables(engine)
        _require_version(database)
        with _translated(database.name):
            if there and not there.issuperset(TABLES.tables):  # of this version, from before a table was added
                _create_tables(engine)
    except BaseException:
        engine.dispose()
        raise
    return database


def utc_text(moment: datetime) -> str:
    """A time as it is stored: ISO, to the second, in UTC (a time without a zone is taken as UTC).

    Examples
    --------
    >>> utc_text(datetime(2026, 6, 30, 18, 5))
    '2026-06-30T18:05:00'
    """
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds")


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, connect_args={"connect_timeout": 5, "client_encoding": "utf8"})
    if url.database:
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"cannot make the folder of the database {url.database} ({error.strerror}); "
                "make the place writable, or set DRIFTBOOK_DATABASE_URL to another"
            ) from error
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    if connection.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _reading(connection: sa.Connection) -> sa.Connection:
    return connection.execution_options(driftbook_reader=True)


def _begin_sqlite(connection: sa.Connection) -> None:
    reader = connection.get_execution_options().get("driftbook_reader", False)
    connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")


def _create_tables(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
        TABLES.create_all(connection)
        insert = "INSERT INTO schema_version (version) VALUES (:version) ON CONFLICT DO NOTHING"
        connection.execute(sa.text(insert), {"version": SCHEMA_VERSION})


def _require_version(database: Database) -> None:
    found = [row["version"] for row in database.rows("SELECT version FROM schema_version")]
    if found == [SCHEMA_VERSION]:
        return
    newer = bool(found) and max(found) > SCHEMA_VERSION
    advice = (
        "it was written by a newer driftbook: upgrade this one"
        if newer
        else "it was written by an older driftbook: keep a copy, then give a new DRIFTBOOK_DATABASE_URL or remove it"
    )
    raise StateError(f"{database.name}: expected tables of version {SCHEMA_VERSION}, found {found}; {advice}")


def _require_utf8(engine: sa.Engine, name: str) -> None:
    with engine.connect() as connection:
        encoding = connection.execute(sa.text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise StateError(
            f"{name}: expected a PostgreSQL database in UTF8, found {encoding}; "
            "make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Errors of the driver as ours; the chain is cut, because a driver's message may hold the password."""
    try:
        yield
    except exc.NoSuchModuleError as error:
        raise ConfigError(f"{name}: {error}; use sqlite:///… or postgresql://…") from None
    except exc.DBAPIError as error:
        fault = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        if "locked" in fault or "LockNotAvailable" in type(error.orig).__name__:
            raise BusyError(
                f"{name} is held by another process ({fault}); wait until it has finished, then try again"
            ) from None
        raise StateError(
            f"{name}: the database refused ({fault}); check that it is there, writable and a driftbook store"
        ) from None
