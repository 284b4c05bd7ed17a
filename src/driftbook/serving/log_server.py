"""Either database by its URL; and the log in PostgreSQL, for several machines, or where a server is run already.

A server can be slow, silent or away, so its connection belongs to a thread of its own (see ``log``), every exchange
with it has a time limit, and a connection on which anything went wrong is given up and made anew. The limit is held on
both sides: a server ends a statement that takes too long, and a server that says nothing at all (a frozen machine, a
stuck disk, a proxy that hangs) is given up here, since its kernel goes on acknowledging and TCP notices nothing.
"""

from __future__ import annotations

import time
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
    from psycopg.abc import RV, PQGen

SERVER_SECONDS = 3  # for connecting and for a statement; a server that takes longer counts as away
SEARCH_SECONDS = 600  # for a statement that searches a long log, where nobody waits for an answer
_SPARE_SECONDS = 1  # more for the server to say so itself
_CREATION_LOCK = 0x64726967  # the key under which one process at a time brings the tables up to date


def open_store(url: str, *, seconds: int | None = None) -> Store:
    """Open the database at ``url``, and create or upgrade its tables.

    Parameters
    ----------
    seconds
        How long a server may take for a statement, where that is not ``SERVER_SECONDS``.

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
    shown = server.set(query={}).render_as_string(hide_password=True)  # a password may be among the options, too
    return PostgresStore(server.render_as_string(hide_password=False), name=shown, seconds=seconds or SERVER_SECONDS)


class PostgresStore:
    """The log in a PostgreSQL database; a connection that was lost is made anew by :meth:`maintain`."""

    remote = True

    def __init__(self, url: str, *, name: str, seconds: int) -> None:
        self._url = url
        self._seconds = seconds
        with opening(name):
            self._connection: psycopg.Connection | None = self._connect()
            encoding = self.query("SHOW server_encoding")[0][0]
            if encoding != "UTF8":
                raise StateError(f"{name}: expected a PostgreSQL database in UTF8, found {encoding}")
            with _away(), self._connection.transaction():
                self.query("SELECT pg_advisory_xact_lock(?)", [_CREATION_LOCK])
                bring_up_to_date(self.query, name)

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows in one transaction."""
        sql = insert_sql(table, "%s").encode()
        with self._losing() as connection:
            if len(rows) == 1:
                connection.execute(sql, rows[0])
            else:
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.executemany(sql, rows)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        with self._losing() as connection:
            cursor = connection.execute(sql.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

    def maintain(self) -> None:
        """Connect again after the connection was lost; a thread that writes meanwhile gets the old one or the new."""
        if self._connection is None:
            self._connection = self._connect()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> psycopg.Connection:
        with _away():
            return _limited(self._seconds + _SPARE_SECONDS).connect(
                self._url,
                autocommit=True,
                connect_timeout=SERVER_SECONDS,
                client_encoding="utf8",
                application_name="driftbook prediction log",
                tcp_user_timeout=SERVER_SECONDS * 1000,
                options=f"-c statement_timeout={self._seconds}s",
            )

    @contextmanager
    def _losing(self) -> Iterator[psycopg.Connection]:
        """The connection; one on which something goes wrong is given up: it is made anew rather than guessed about."""
        connection = self._connection
        if connection is None:
            raise AwayError("not connected")
        try:
            with _away():
                yield connection
        except AwayError:
            connection.close()
            self._connection = None  # last: from here on another thread may put a new one there
            raise


def _limited(seconds: int) -> type[psycopg.Connection]:
    """The driver's connection, which gives up when an exchange with the server takes longer."""
    import psycopg

    class Limited(psycopg.Connection):
        def wait(self, gen: PQGen[RV], *args: Any, **named: Any) -> RV:
            return super().wait(self._within(gen), *args, **named)

        def _within(self, exchange: PQGen[RV]) -> PQGen[RV]:
            """The steps of an exchange; the driver asks for the next one at least every tenth of a second."""
            until = time.monotonic() + seconds
            try:
                awaited = next(exchange)
                while time.monotonic() < until:
                    awaited = exchange.send((yield awaited))
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            self.close()  # so that nothing more is said on it, not even a rollback
            raise psycopg.OperationalError(f"no answer within {seconds} seconds")

    return Limited


@contextmanager
def _away() -> Iterator[None]:
    """A driver's error as :class:`AwayError`; the chain is cut, because a driver's message may hold the password."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise AwayError(first_line(error)) from None
