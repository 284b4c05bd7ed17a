"""The prediction log: what was answered is kept before it is answered, whatever the database does.

A prediction goes into the database at once. When that is busy for longer than a moment, or away, it goes into an
append-only file beside it (``spill``) instead, and from there into the database when that is back: both outlive a
``kill -9`` of the service, so a prediction that was acknowledged is in the log, and its identifier makes it be there
once, however often it is offered. Neither forces the disk at every row: a power cut may take the last moments.

SQLite is written to by whoever calls, which takes microseconds; many rows are written aside from the event loop, and a
portion at a time, so that single ones get in between. A server's answer takes longer, so one thread writes what all
callers gave meanwhile in one transaction; when the server does not answer they wait for it once, for some seconds, and
from then on not at all until it is back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue

from driftbook.errors import StateError
from driftbook.serving.log_server import open_store
from driftbook.serving.log_store import AwayError, Store, look_up
from driftbook.serving.logged import LateTarget, Logged, Row, TargetsAdded, prediction_row, target_row
from driftbook.serving.spill import Line, Spill

__all__ = ["LateTarget", "Logged", "PredictionLog", "TargetsAdded", "open_log"]

DRAIN_PATIENCE = 100  # times a busy SQLite is asked anew while a spill file is drained
PAUSE = 0.001  # seconds between, and between portions of many rows, in which predictions get in
PORTION = 64  # rows that are written or looked up at a time: a millisecond; more are none of the event loop's
_GATHERED = 200  # rows; when the writer has so many it takes no more callers' into the same transaction
_LOGGER = logging.getLogger(__name__)

_Work = tuple[str, list[Row], "Future[None]"]


class PredictionLog:
    """An open log of one use case, made by :func:`open_log`; safe from threads; as a context manager it closes itself.

    Attributes
    ----------
    spilled
        Rows that this process put into its spill file so far.
    fault
        Why the database does not take rows now; ``None`` while it does.
    refused_at
        When a row could last be kept nowhere, by the monotonic clock; ``None`` once a later one was kept.
    """

    def __init__(self, store: Store, spill: Spill, *, use_case: str) -> None:
        self.use_case = use_case
        self.spilled = 0
        self.fault: str | None = None
        self.refused_at: float | None = None
        self._told: str | None = None
        self._store = store
        self._spill = spill
        self._storing = threading.Lock()
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._write_gathered, name="prediction log", daemon=True)
        if store.remote:
            self._writer.start()

    def __enter__(self) -> PredictionLog:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def add(self, entries: Sequence[Logged]) -> None:
        """Keep predictions; when this returns, a kill of the process loses none of them.

        Raises
        ------
        DataError
            If a text cannot be kept in every database; nothing is kept then.
        StateError
            If neither the database nor the spill file takes them; they must not be acknowledged then.
        """
        if entries:
            self._keep("prediction", [prediction_row(each, self.use_case) for each in entries])

    async def record(self, entries: Sequence[Logged]) -> None:
        """As :meth:`add`, for an event loop: it goes on while a server is waited for."""
        if not entries:
            return
        if len(entries) > PORTION:
            await asyncio.to_thread(self.add, entries)
            return
        rows = [prediction_row(each, self.use_case) for each in entries]
        if self._store.remote:
            await asyncio.wrap_future(self._submit("prediction", rows))
        else:
            self._keep_now("prediction", rows)

    def add_targets(self, targets: Sequence[LateTarget]) -> TargetsAdded:
        """Keep targets, as surely as predictions; the same target of a prediction again changes nothing.

        Raises
        ------
        DataError
            If a target names neither or both of prediction and entity, or a text cannot be kept in every database.
        StateError
            If neither the database nor the spill file takes them.
        """
        rows = list({row[0]: row for row in (target_row(each, self.use_case) for each in targets)}.values())
        try:
            there, unmatched, contradicting = self._look_up(rows)
        except AwayError:
            there, unmatched, contradicting, checked = set(), 0, 0, False
        else:
            checked = True
        new = [row for row in rows if row[0] not in there]
        if new:
            self._keep("prediction_target", new)
        repeated = len(targets) - len(new)
        return TargetsAdded(len(new), repeated, unmatched=unmatched, contradicting=contradicting, checked=checked)

    def drain(self) -> int:
        """Bring what waits in spill files into the database, and do its housekeeping; how many rows were brought.

        To be called about every second, aside from the event loop; also takes over what killed processes left. While
        the database is away nothing is lost by calling it: it connects anew and reports 0.
        """
        try:
            self._store.maintain()
            drained = self._spill.drain(self._accept)
        except AwayError as error:
            if str(error) != self._told:
                _LOGGER.warning("the prediction log waits in %s: %s", self._spill.folder, error)
            self.fault = self._told = str(error)
            return 0
        if self._told is not None:
            _LOGGER.warning("the prediction log writes into its database again")
        self.fault = self._told = None
        return drained

    def waiting_bytes(self) -> int:
        """Size of what waits in spill files, of all processes that share the folder."""
        return self._spill.waiting_bytes()

    def close(self) -> None:
        """Write what is under way and let go of database and spill file."""
        if self._writer.is_alive():
            self._queue.put(None)
            self._writer.join()
        self._spill.close()
        self._store.close()

    def _keep(self, table: str, rows: list[Row]) -> None:
        if self._store.remote:
            self._submit(table, rows).result()
        else:
            for portion in _portions(rows):
                self._keep_now(table, portion)

    def _submit(self, table: str, rows: list[Row]) -> Future[None]:
        done: Future[None] = Future()
        self._queue.put((table, rows, done))
        return done

    def _keep_now(self, table: str, rows: list[Row]) -> None:
        """Into the database, or else into the spill file; a server that is known to be away is not waited for."""
        try:
            if self.fault is not None and self._store.remote:
                raise AwayError(self.fault)
            with self._storing:
                self._store.insert(table, rows)
            self.fault = None
        except AwayError as error:
            self.fault = str(error)
            self._put_aside(table, rows)
        self.refused_at = None

    def _put_aside(self, table: str, rows: list[Row]) -> None:
        try:
            self._spill.append([[table, *row] for row in rows])
        except StateError:
            self.refused_at = time.monotonic()
            raise
        self.spilled += len(rows)

    def _write_gathered(self) -> None:
        """The writer's thread: everything that came while the last transaction ran goes into the next."""
        while True:
            given: list[_Work] = []
            count = 0
            while (work := self._queue.get()) is not None:
                given.append(work)
                count += len(work[1])
                if count >= _GATHERED or self._queue.empty():
                    break
            for _, _, done in given:
                done.set_running_or_notify_cancel()  # from here on nobody can take it back
            for table in {each[0] for each in given}:
                self._write_together(table, [each for each in given if each[0] == table])
            if work is None:
                return

    def _write_together(self, table: str, given: list[_Work]) -> None:
        try:
            self._keep_now(table, [row for _, rows, _ in given for row in rows])
        except BaseException as error:  # whoever waits must hear of it, or waits for ever
            for _, _, done in given:
                if not done.cancelled():
                    done.set_exception(error)
        else:
            for _, _, done in given:
                if not done.cancelled():
                    done.set_result(None)

    def _accept(self, lines: list[Line]) -> None:
        """Keep lines of a spill file; a busy SQLite is asked again and again, since its writers come and go."""
        tables = sorted({str(line[0]) for line in lines})
        for table in tables:
            rows = [tuple(line[1:]) for line in lines if line[0] == table]
            for attempt in range(DRAIN_PATIENCE):
                try:
                    with self._storing:
                        self._store.insert(table, rows)
                    break
                except AwayError:
                    if self._store.remote or attempt == DRAIN_PATIENCE - 1:
                        raise
                finally:
                    time.sleep(PAUSE)

    def _look_up(self, rows: list[Row]) -> tuple[set[str], int, int]:
        """Of target rows: identifiers that are there, and how many are without a prediction, or contradict."""
        there: set[str] = set()
        unmatched = contradicting = 0
        for portion in _portions(rows):
            with self._storing:
                found, strangers, contradictions = look_up(self._store, portion)
            there |= found
            unmatched += strangers
            contradicting += contradictions
        return there, unmatched, contradicting


def _portions(rows: list[Row]) -> Iterator[list[Row]]:
    """Many rows a few at a time, with a pause between: whoever waits for a lock does not get it without."""
    for start in range(0, len(rows), PORTION):
        if start:
            time.sleep(PAUSE)
        yield rows[start : start + PORTION]


def open_log(url: str, spill_folder: Path, *, use_case: str) -> PredictionLog:
    """Open the prediction log of a use case, and create or upgrade its tables.

    Parameters
    ----------
    url
        ``sqlite:///path/to/file.db`` or ``postgresql://user:password@host/name``.
    spill_folder
        On this machine's disk; services that share a log may share it.

    Raises
    ------
    ConfigError
        If the URL is none, or names a kind of database that driftbook does not use.
    StateError
        If the database does not answer, or holds a log of a newer driftbook.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import datetime
    >>> from driftbook.serving.logged import Scores, new_prediction_id
    >>> moment, scores = datetime(2026, 6, 30, 18, 5), Scores(1, "yes", 0.75, [0.25, 0.75])
    >>> entry = Logged(new_prediction_id(), moment, moment, "c-1", {"age": 31}, scores)
    >>> with open_log("sqlite://", Path(tempfile.mkdtemp()), use_case="churn") as log:
    ...     log.add([entry])
    ...     log.add_targets([LateTarget("no", moment, prediction_id=entry.prediction_id)])
    TargetsAdded(added=1, repeated=0, unmatched=0, contradicting=0, checked=True)
    """
    return PredictionLog(open_store(url), Spill(spill_folder), use_case=use_case)
