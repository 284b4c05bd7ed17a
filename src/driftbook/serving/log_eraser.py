"""Takes a person's rows out of the prediction log: predictions by their entity, and the targets that belong to them.

What waits in spill files goes into the database first, where it can be found. The file of a service that runs belongs
to that service, which empties it about every second while its database answers: it is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driftbook.errors import StateError
from driftbook.serving.log import open_log
from driftbook.serving.log_reader import read_waiting
from driftbook.serving.log_server import SEARCH_SECONDS, open_store
from driftbook.serving.log_store import PATIENT_SECONDS, AwayError, Store

WAITS_SECONDS = 15.0  # for a running service to empty its spill file
_AT_ONCE = 500  # identifiers in one statement
_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class LogTraces:
    """What the log holds of a person: the ``predictions`` by identifier, and how many ``targets``."""

    predictions: tuple[str, ...]
    targets: int

    @property
    def rows(self) -> int:
        """Of both tables, and of what waits in spill files."""
        return len(self.predictions) + self.targets


def find_logged(
    url: str, spill_folder: Path, *, use_case: str, entity: str, predictions: Collection[str] = ()
) -> LogTraces:
    """What the log of a use case holds of an entity, in the database and in spill files.

    Parameters
    ----------
    predictions
        Identifiers of predictions that are known to be the entity's, though the log may hold them no more.

    Raises
    ------
    StateError
        If the database does not answer.

    Examples
    --------
    >>> import tempfile
    >>> find_logged("sqlite://", Path(tempfile.mkdtemp()), use_case="churn", entity="c-1")
    LogTraces(predictions=(), targets=0)
    """
    waiting = read_waiting(spill_folder, use_case=use_case)
    with _opened(url) as store:
        found = _texts(
            store, "SELECT prediction_id FROM prediction WHERE use_case = ? AND entity = ?", use_case, entity
        )
        found |= {row["prediction_id"] for row in waiting["prediction"] if row["entity"] == entity}
        concerned = found | set(predictions)
        by_entity = "SELECT target_id FROM prediction_target WHERE use_case = ? AND entity = ?"
        targets = _texts(store, by_entity, use_case, entity)
        for some in _portions(concerned):
            of_these = (
                f"SELECT target_id FROM prediction_target WHERE use_case = ? AND prediction_id IN ({_marks(some)})"
            )
            targets |= _texts(store, of_these, use_case, *some)
    targets |= {
        row["target_id"]
        for row in waiting["prediction_target"]
        if row["entity"] == entity or row["prediction_id"] in concerned
    }
    return LogTraces(tuple(sorted(found)), len(targets))


def erase_logged(url: str, spill_folder: Path, *, use_case: str, entity: str, predictions: Collection[str]) -> None:
    """Take an entity's predictions and targets out of the log, for good; given again it goes on where it was killed.

    Raises
    ------
    StateError
        If the database does not answer, or a running service keeps rows of the use case in its spill file.
    """
    _empty_spill(url, spill_folder, use_case=use_case)
    with _opened(url) as store:
        _asked(store, "DELETE FROM prediction_target WHERE use_case = ? AND entity = ?", use_case, entity)
        for some in _portions(predictions):
            of_these = f"DELETE FROM prediction_target WHERE use_case = ? AND prediction_id IN ({_marks(some)})"
            _asked(store, of_these, use_case, *some)
        _asked(store, "DELETE FROM prediction WHERE use_case = ? AND entity = ?", use_case, entity)
        if not store.remote:
            _asked(store, "PRAGMA wal_checkpoint(TRUNCATE)")


def _empty_spill(url: str, folder: Path, *, use_case: str) -> None:
    """Until no row of the use case waits any more."""
    until = time.monotonic() + WAITS_SECONDS
    with open_log(url, folder, use_case=use_case) as log:
        while True:
            log.drain()
            if not any(read_waiting(folder, use_case=use_case).values()):
                return
            if time.monotonic() > until:
                raise StateError(
                    f"rows of {use_case!r} still wait in {folder} ({log.fault or 'a running service holds them'}); "
                    "see that the database answers, or stop the service, then give the command again"
                )
            time.sleep(_PAUSE_SECONDS)


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    """The database, patient, and writing over what is deleted where it does not do so by itself."""
    store = open_store(url, seconds=SEARCH_SECONDS)
    try:
        if not store.remote:
            _asked(store, f"PRAGMA busy_timeout = {round(PATIENT_SECONDS * 1000)}")
            _asked(store, "PRAGMA secure_delete = ON")
        yield store
    finally:
        store.close()


def _asked(store: Store, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    try:
        return store.query(sql, list(values))
    except AwayError as error:
        raise StateError(
            f"the prediction log cannot be searched ({error}); check its database, then give the command again"
        ) from None


def _texts(store: Store, sql: str, *values: str) -> set[str]:
    return {str(row[0]) for row in _asked(store, sql, *values)}


def _portions(names: Collection[str]) -> Iterator[Sequence[str]]:
    ordered = sorted(names)
    return (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))
