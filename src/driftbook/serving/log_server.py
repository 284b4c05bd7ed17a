"""Either database by its URL; and the log in PostgreSQL, for several machines, or where a server is run already.

A server can be slow or away, so its connection belongs to a thread of its own (see ``log``), every statement has a
time limit, and a connection on which anything went wrong is given up and made anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftbook.database.url import parse_url
from driftbook.errors import StateError
from driftbook.serving.log_store import AwayError, SqliteStore, Store, bring_up_to_date, first_line, insert_sql, opening
from driftbook.serving.logged import Row

if TYPE_CHECKING:
    import psycopg

SERVER_SECONDS = 3  # without an answer a server counts as away
_CREATION_LOCK = 0x64726967  # the key under which one process at a time brings the tables up to date


def open_store(url: str) -> Store:
    """Open the database at ``url``, and create or upgrade its tables.

    Raises
    ------
    ConfigError
        If the URL is none, or names a kind of database that driftbook does not use.
    StateError
        If the database does not answer, or holds a log of a newer driftbook.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteStore(Path(parsed.database or ":memory:"))
    server = parsed.set(drivername="postgresql")
    shown = server.render_as_string(hide_password=True)
    return PostgresStore(server.render_as_string(hide_password=False), name=shown)


class PostgresStore:
    """The log in a PostgreSQL database; a connection that was lost is made anew by :meth:`maintain`."""

    remote = True

    def __init__(self, url: str, *, name: str) -> None:
        self._url = url
        with opening(name):
            self._connection: psycopg.Connection | None = self._connect()
            encoding = self.query("SHOW server_encoding")[0][0]
            if encoding != "UTF8":
                raise StateError(f"{name}: expected a PostgreSQL database in UTF8, found {encoding}")
            with _away(), self._open().transaction():
                self.query("SELECT pg_advisory_xact_lock(?)", [_CREATION_LOCK])
                bring_up_to_date(self.query, name)

    def insert(self, table: str, rows: Sequence[Row]) -> int:
        """Add rows in one transaction."""
        sql = insert_sql(table, "%s").encode()
        with self._losing():
            connection = self._open()
            if len(rows) == 1:
                return connection.execute(sql, rows[0]).rowcount
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(sql, rows)
                return cursor.rowcount

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        with self._losing():
            cursor = self._open().execute(sql.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

    def maintain(self) -> None:
        """Connect again after the connection was lost."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> psycopg.Connection:
        import psycopg

        with _away():
            return psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=SERVER_SECONDS,
                client_encoding="utf8",
                application_name="driftbook prediction log",
                tcp_user_timeout=SERVER_SECONDS * 1000,
                options=f"-c statement_timeout={SERVER_SECONDS}s",
            )

    def _open(self) -> psycopg.Connection:
        if self._connection is None:
            raise AwayError("not connected")
        return self._connection

    @contextmanager
    def _losing(self) -> Iterator[None]:
        """A connection on which something went wrong is given up: it is made anew rather than guessed about."""
        try:
            with _away():
                yield
        except AwayError:
            self.close()
            self._connection = None
            raise


@contextmanager
def _away() -> Iterator[None]:
    """A driver's error as :class:`AwayError`; the chain is cut, because a driver's message may hold the password."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise AwayError(first_line(error)) from None
