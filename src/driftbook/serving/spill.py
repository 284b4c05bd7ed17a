"""Where predictions wait while the database is busy or away: append-only files, one per process, drained later.

A line is written by one call to the operating system, so it outlives the process, however it ends, as soon as the call
returns (not a power cut: nothing is forced to the disk). A process holds a lock on its file; the system frees it when
the process dies, and whoever drains next takes the file over. A file goes only after all its lines were accepted
elsewhere: killed in between, they are offered again, and the log keeps one of each. A line that was cut short by a
kill was never acknowledged and is passed over; one that cannot be read for another reason is kept aside.

A database may be away for hours: files are read a portion at a time, and a long one is put down and another begun, so
that what was drained before a new absence is not offered again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from driftbook.errors import StateError

ENDING = ".spill.jsonl"
CHUNK = 100  # lines offered at a time: a database that accepts them is busy for about a millisecond
LONGEST_BYTES = 16_000_000  # of a file, after which another is begun
_LOGGER = logging.getLogger(__name__)

Line = list[Any]


class Spill:
    """Lines of JSON that wait in a folder, safe from threads and from the death of the process.

    Examples
    --------
    >>> import tempfile
    >>> spill = Spill(Path(tempfile.mkdtemp()))
    >>> spill.append([["prediction", "a"], ["prediction", "b"]])
    >>> taken = []
    >>> spill.drain(taken.extend), taken
    (2, [['prediction', 'a'], ['prediction', 'b']])
    >>> list(spill.folder.iterdir())
    []
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writing = threading.Lock()
        self._draining = threading.Lock()
        self._file: tuple[Path, int] | None = None

    def append(self, lines: Sequence[Line]) -> None:
        """Write lines; when this returns, a kill of this process loses none of them.

        Raises
        ------
        StateError
            If they cannot be written whole (a full disk); nothing of them is kept then.
        """
        content = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines).encode("ascii")
        with self._writing:
            try:
                if self._file is None:
                    self._file = self._begin()
                if _write_whole(self._file[1], content) > LONGEST_BYTES:
                    self._put_down()
            except OSError as error:
                raise StateError(
                    f"predictions cannot be kept in {self.folder} ({error.strerror}); make room there, or make the "
                    "place writable"
                ) from error

    def drain(self, accept: Callable[[list[Line]], None]) -> int:
        """Offer every waiting line, also those of processes that died; the number accepted.

        Parameters
        ----------
        accept
            Keeps lines elsewhere for good before it returns, at most ``CHUNK`` a call; may be given a line twice.
            When it raises, the lines wait on and the error is passed on.
        """
        with self._draining:
            return sum(self._empty(path, descriptor, accept) for path, descriptor in self._takeable())

    def waiting_bytes(self) -> int:
        """Size of everything that waits in the folder, of this process and of others."""
        return sum(_size(path) for path in spill_files(self.folder))

    def close(self) -> None:
        """Let go of this process's file; what it holds waits for the next one."""
        with self._writing:
            self._put_down()

    def _put_down(self) -> None:
        if self._file is not None:
            os.close(self._file[1])
            self._file = None

    def _begin(self) -> tuple[Path, int]:
        """A new file under lock; made again if somebody took it for a dead process's before it was locked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = self.folder / f"{secrets.token_hex(8)}{ENDING}"
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(path, descriptor):
                return path, descriptor
            os.close(descriptor)

    def _takeable(self) -> Iterator[tuple[Path, int]]:
        """Files to drain, under lock: this process's own, which is put down first, and those nobody holds."""
        with self._writing:
            own, self._file = self._file, None
        if own is not None:
            yield own
        for path in spill_files(self.folder):
            try:
                descriptor = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            if _is_at(path, descriptor):
                yield path, descriptor
            else:
                os.close(descriptor)

    def _empty(self, path: Path, descriptor: int, accept: Callable[[list[Line]], None]) -> int:
        accepted = 0
        unreadable: list[bytes] = []
        try:
            lines = read_lines(path, unreadable)
            while portion := list(islice(lines, CHUNK)):
                accept(portion)
                accepted += len(portion)
            if unreadable:
                kept = path.with_name(path.name.removesuffix(ENDING) + ".unreadable")
                kept.write_bytes(b"".join(unreadable))
                _LOGGER.error("%d lines of %s cannot be read and are kept in %s", len(unreadable), path.name, kept)
            path.unlink()
        finally:
            os.close(descriptor)
        return accepted


def spill_files(folder: Path) -> list[Path]:
    """Files with waiting lines, in order of their names."""
    return sorted(folder.glob(f"*{ENDING}"))


def read_lines(path: Path, unreadable: list[bytes] | None = None) -> Iterator[Line]:
    """The lines of a file, one after the other; those that cannot be read are put into ``unreadable``.

    None of a file that was drained meanwhile.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for raw in file:
            if not raw.endswith(b"\n"):
                return  # cut short
            try:
                line = json.loads(raw)
            except ValueError:
                line = None
            if isinstance(line, list):
                yield line
            elif unreadable is not None:
                unreadable.append(raw)


def _write_whole(descriptor: int, content: bytes) -> int:
    """All of it or nothing: a part that was written before the disk was full is cut off again; how long the file is."""
    before = os.fstat(descriptor).st_size
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        os.ftruncate(descriptor, before)
        raise
    return before + len(content)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
