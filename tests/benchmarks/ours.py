"""The one door to driftbook's own code: change the calls here when a faster way in exists.

Columns are compared by a pool of threads (sorting and reading leave Python's lock), each holding one column of both
sides at a time; the answers are ``{column: {method: statistic}}``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, Kind, Profile, column_profile

METHODS = ("kolmogorov_smirnov", "psi", "wasserstein", "jensen_shannon")
TEXT_METHODS = ("psi", "jensen_shannon", "chi_squared")
Answers = dict[str, dict[str, float]]


def ready() -> None:
    """Load what the first measurement would otherwise load on the clock."""
    numbers = pl.Series(np.arange(100.0))
    _measures(column_profile(numbers, kind="numeric"), column_profile(numbers * 1.1, kind="numeric"), METHODS)


def compare_frames(reference: pl.DataFrame, current: pl.DataFrame, *, kind: Kind = "numeric") -> Answers:
    """Both sides from memory."""
    return _in_threads(
        reference.columns, lambda name: _against(_profiled(reference, name, kind), _profiled(current, name, kind), kind)
    )


def compare_with_stored(stored: Mapping[str, ColumnProfile], current: pl.DataFrame, *, kind: Kind) -> Answers:
    """The reference profiled before, the current side from memory."""
    return _in_threads(stored, lambda name: _against(stored[name], _profiled(current, name, kind), kind))


def compare_files(reference: Path, current: Path) -> Answers:
    """Both sides from Parquet, never more than a column a thread."""
    names = pl.read_parquet_schema(reference)
    return _in_threads(names, lambda name: _against(_read(reference, name), _read(current, name), "numeric"))


def compare_file_with_stored(reference: Path, current: Path) -> Answers:
    """A reference that was profiled and saved before, the current side from Parquet."""
    from driftbook.drift.profile_file import load_profile

    stored = load_profile(reference)
    return _in_threads(stored, lambda name: _against(stored[name], _read(current, name), "numeric"))


def store(source: Path, target: Path) -> Path:
    """Profile a Parquet file and save it, anew each time: the format of profiles may have changed."""
    from driftbook.drift.profile_file import save_profile

    return save_profile(target, Profile({name: _read(source, name) for name in pl.read_parquet_schema(source)}))


def profiled(frame: pl.DataFrame, *, kind: Kind) -> dict[str, ColumnProfile]:
    """The reference, once."""
    return dict(zip(frame.columns, _mapped(frame.columns, lambda name: _profiled(frame, name, kind)), strict=True))


def compare_batches(stored: Mapping[str, ColumnProfile], batches: pl.DataFrame, *, rows: int) -> Answers:
    """Batches of ``rows`` rows, one after another in a frame, each against the reference."""
    starts = range(0, batches.height, rows)

    def one(name: str) -> dict[str, float]:
        found = [_profiled(batches[start : start + rows], name, "numeric") for start in starts]
        return {
            f"{key} {place}": value
            for place, each in enumerate(found)
            for key, value in _measures(stored[name], each, METHODS).items()
        }

    return _in_threads(stored, one)


def compare_streams(reference: Iterable[Any], current: Iterable[Any]) -> dict[str, float]:
    """Chunks of one numeric column on both sides through mergeable compact profiles: PSI, KS, bytes of state.

    The grid is made of the first rows of the reference, as of a stream of which nothing is known before.
    """
    from driftbook.drift.compact import CompactColumn
    from driftbook.drift.grid import grid_of

    chunks = iter(reference)
    first = next(chunks)
    grid = grid_of(column_profile(pl.Series(first), kind="numeric"))
    before, after = (
        reduce(CompactColumn.merge, (CompactColumn.of(pl.Series(chunk), grid) for chunk in side))
        for side in (chain([first], chunks), current)
    )
    found = _measures(before.column(), after.column(), ("psi", "kolmogorov_smirnov", "wasserstein"))
    state = {"state_bytes": float(before.state_bytes + after.state_bytes)}
    return {**found, **state, "stated error of kolmogorov_smirnov": after.ks_error(before.column())}


def _profiled(frame: pl.DataFrame, name: str, kind: Kind) -> ColumnProfile:
    return column_profile(frame[name], kind=kind)


def _read(path: Path, name: str) -> ColumnProfile:
    return column_profile(pl.read_parquet(path, columns=[name])[name], kind="numeric")


def _against(reference: ColumnProfile, current: ColumnProfile, kind: Kind) -> dict[str, float]:
    return _measures(reference, current, METHODS if kind == "numeric" else TEXT_METHODS)


def _measures(reference: ColumnProfile, current: ColumnProfile, methods: Iterable[str]) -> dict[str, float]:
    return {name: method(name).measure(reference, current).statistic for name in methods}


def _in_threads(names: Iterable[str], work: Callable[[str], dict[str, float]]) -> Answers:
    order = list(names)
    return dict(zip(order, _mapped(order, work), strict=True))


def _mapped(names: Iterable[str], work: Callable[[str], Any]) -> list[Any]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, names))
