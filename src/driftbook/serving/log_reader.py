"""Reads the log as a build needs it: what belongs to a day, what came after the day was closed, how far the log is.

What still waits in spill files is read with the database, so that a build beside a service whose database was away
misses nothing: spill files first, then the database, because rows only ever move that way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from driftbook.errors import StateError
from driftbook.serving.log_server import SEARCH_SECONDS, open_store
from driftbook.serving.log_store import TABLES, AwayError, Store
from driftbook.serving.spill import read_lines, spill_files

Kept = dict[str, Any]
_DAY_LENGTH = len("2026-06-01")


class LogReader:
    """An open log of one use case, made by :func:`open_reader`; rows are dicts of columns, times ISO text in UTC."""

    def __init__(self, store: Store, waiting: dict[str, list[Kept]], *, use_case: str) -> None:
        self._store = store
        self._waiting = waiting
        self._use_case = use_case

    def last_arrival(self) -> datetime | None:
        """The latest time the log has seen: of a prediction's arrival or a target's becoming known."""
        texts = [
            *self._ask("SELECT max(received_at) FROM prediction WHERE use_case = ?"),
            *self._ask("SELECT max(known_at) FROM prediction_target WHERE use_case = ?"),
            *((row["received_at"],) for row in self._waiting["prediction"]),
            *((row["known_at"],) for row in self._waiting["prediction_target"]),
        ]
        return max((datetime.fromisoformat(text) for (text,) in texts if text is not None), default=None)

    def count_by_day(self, *, until: date) -> dict[date, int]:
        """Predictions by the day of their event, up to the end of ``until``."""
        end = _text(until + timedelta(days=1))
        sql = "SELECT substr(at, 1, 10) AS day, count(*) FROM prediction WHERE use_case = ? AND at < ? GROUP BY day"
        counts = Counter({date.fromisoformat(day): int(count) for day, count in self._ask(sql, end)})
        waiting = [row for row in self._waiting["prediction"] if row["at"] < end]
        counts.update(date.fromisoformat(row["at"][:_DAY_LENGTH]) for row in self._not_there(waiting))
        return dict(counts)

    def count_targets(self, *, until: date) -> int:
        """Targets known by the end of ``until``."""
        end = _text(until + timedelta(days=1))
        sql = "SELECT count(*) FROM prediction_target WHERE use_case = ? AND known_at < ?"
        waiting = [row for row in self._waiting["prediction_target"] if row["known_at"] < end]
        return int(self._ask(sql, end)[0][0]) + len(self._not_there(waiting, table="prediction_target"))

    def predictions(self, day: date) -> list[Kept]:
        """Predictions whose event was on ``day``, in order of event, entity and identifier."""
        rows = self._rows("prediction", "at", day)
        return sorted(rows, key=lambda row: (row["at"], row["entity"], row["prediction_id"]))

    def arrivals(self, day: date) -> list[Kept]:
        """Predictions that arrived on ``day`` for an event of an earlier day, in the same order."""
        rows = [row for row in self._rows("prediction", "received_at", day) if row["at"] < _text(day)]
        return sorted(rows, key=lambda row: (row["at"], row["entity"], row["prediction_id"]))

    def targets(self, day: date) -> list[Kept]:
        """Targets that became known on ``day``, in that order."""
        rows = self._rows("prediction_target", "known_at", day)
        return sorted(rows, key=lambda row: (row["known_at"], row["target_id"]))

    def _rows(self, table: str, column: str, day: date) -> list[Kept]:
        first, end = _text(day), _text(day + timedelta(days=1))
        names = TABLES[table]
        sql = f"SELECT {', '.join(names)} FROM {table} WHERE use_case = ? AND {column} >= ? AND {column} < ?"
        waiting = {row[names[0]]: row for row in self._waiting[table] if first <= row[column] < end}
        there = {row[0]: dict(zip(names, row, strict=True)) for row in self._ask(sql, first, end)}
        return list((waiting | there).values())

    def _not_there(self, waiting: list[Kept], *, table: str = "prediction") -> list[Kept]:
        """Of waiting rows those the database does not have yet, once each."""
        key = TABLES[table][0]
        found = {row[key]: row for row in waiting}
        sql = f"SELECT count(*) FROM {table} WHERE use_case = ? AND {key} = ?"
        return [row for name, row in found.items() if not self._ask(sql, name)[0][0]]

    def _ask(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            return self._store.query(sql, [self._use_case, *values])
        except AwayError as error:
            raise StateError(f"the prediction log cannot be read ({error}); check its database and try again") from None


@contextmanager
def open_reader(url: str, spill_folder: Path, *, use_case: str) -> Iterator[LogReader]:
    """Open the log of a use case to read; one that nobody has written to is empty.

    Raises
    ------
    ConfigError
        If the URL is none, or names a kind of database that driftbook does not use.
    StateError
        If the database does not answer, or holds a log of a newer driftbook.

    Examples
    --------
    >>> import tempfile
    >>> with open_reader("sqlite://", Path(tempfile.mkdtemp()), use_case="churn") as reader:
    ...     reader.last_arrival(), reader.count_by_day(until=date(2026, 6, 30)), reader.predictions(date(2026, 6, 30))
    (None, {}, [])
    """
    waiting = read_waiting(spill_folder, use_case=use_case)
    store = open_store(url, seconds=SEARCH_SECONDS)
    try:
        yield LogReader(store, waiting, use_case=use_case)
    finally:
        store.close()


def read_waiting(folder: Path, *, use_case: str) -> dict[str, list[Kept]]:
    """Rows of a use case that wait in spill files, by table.

    Examples
    --------
    >>> read_waiting(Path("nowhere"), use_case="churn")
    {'prediction': [], 'prediction_target': []}
    """
    found: dict[str, list[Kept]] = {table: [] for table in TABLES}
    for path in spill_files(folder):
        for table, *values in read_lines(path):
            row = dict(zip(TABLES[table], values, strict=True))
            if row["use_case"] == use_case:
                found[table].append(row)
    return found


def _text(day: date) -> str:
    """The first moment of a day, so that every time of it sorts behind."""
    return day.isoformat()
