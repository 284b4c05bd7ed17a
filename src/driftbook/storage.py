"""Files that are whole or not there: atomic writes, canonical JSON, digests, a lock.

Everything is written beside its place and renamed, so that a kill at any moment leaves either the old
file or the new one. Immutable files (batches, targets, predictions) are written once; writing the same
content again is no change, writing other content is an error, because auditors rely on them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout

from driftbook.errors import BusyError, StateError


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed onto it when the block ends well, removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        else:
            beside.unlink(missing_ok=True)


def sweep(folder: Path) -> int:
    """Remove what killed writers left beside their places, below a folder; the number of leftovers.

    Only for who holds the lock: nobody else may be writing there.
    """
    leftovers = list(folder.rglob(".*.part"))
    for path in leftovers:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return len(leftovers)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text atomically."""
    with writing(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path


def write_parquet(path: Path, frame: pl.DataFrame) -> Path:
    """Write a frame atomically, with the same bytes for the same frame."""
    with writing(path) as beside:
        frame.write_parquet(beside, compression="zstd", statistics=False)
    return path


def write_once(path: Path, frame: pl.DataFrame) -> Path:
    """Write an immutable Parquet file; the same content again changes nothing.

    Raises
    ------
    StateError
        If the file exists with other content.
    """
    if path.exists():
        if not read_parquet(path).equals(frame):
            raise StateError(
                f"{path.name} in {path.parent} is immutable and holds other rows than the source now gives; "
                "the source was changed after it was ingested: restore it, or remove the use case's generated "
                "data to begin anew (driftbook reset)"
            )
        return path
    return write_parquet(path, frame)


def read_parquet(*paths: Path, where: pl.Expr | None = None) -> pl.DataFrame:
    """One frame of Parquet files that driftbook wrote, in their order.

    Parameters
    ----------
    where
        The rows to keep; all by default.

    Raises
    ------
    StateError
        If one is broken.
    """
    try:
        if where is not None:
            return pl.scan_parquet(list(paths), hive_partitioning=False).filter(where).collect()
        return pl.read_parquet(list(paths), hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StateError(_broken(paths, error)) from error


def count_rows(path: Path) -> int:
    """Rows of a Parquet file that driftbook wrote, from its end; a clear ``StateError`` if it is broken."""
    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StateError(_broken([path], error)) from error


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and 12 significant digits, so that equal values give equal bytes.

    Examples
    --------
    >>> canonical_json({"b": 0.1 + 0.2, "a": date(2026, 6, 30)})
    '{"a": "2026-06-30", "b": 0.3}'
    """
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, allow_nan=False)


def write_json(path: Path, value: Any) -> Path:
    """Write a record: canonical values, indented for people."""
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    return write_text(path, text + "\n")


def load_json(path: Path) -> Any:
    """Read JSON; a clear ``StateError`` if it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StateError(f"expected {path}, found no such file; run the build that writes it") from error
    except ValueError as error:
        raise StateError(f"{path} is not valid JSON ({error}); it was changed by hand or broken: rebuild it") from error


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hex digest of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@contextmanager
def locked(path: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock between processes; the operating system frees it when its holder dies.

    Raises
    ------
    BusyError
        If another process still holds it after ``wait_seconds``; the message says who.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.with_suffix(".holder")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
        raise BusyError(f"{path.name} is held by {who}; wait until it has finished") from None
    try:
        write_text(holder, f"process {os.getpid()} since {datetime.now():%Y-%m-%d %H:%M:%S}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a process holds a lock; who waits for it is not kept from it for longer than the look takes."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _broken(paths: Sequence[Path], error: Exception) -> str:
    """Which of the files cannot be read, and what to do about it."""
    guilty = paths[0]
    for path in paths:
        try:
            pl.read_parquet(path, hive_partitioning=False)
        except (pl.exceptions.PolarsError, OSError):
            guilty = path
            break
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{guilty} cannot be read ({why}); it was changed or broken: delete it and build again, which writes it anew"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return float(f"{value:.12g}")
    return value
