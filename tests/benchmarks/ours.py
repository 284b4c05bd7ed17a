"""The one door to driftbook's own code: what a user calls, and nothing else.

Tables are opened by ``open_table`` and measured by ``measure_tables``: columns in threads, each thread holding one
column of both sides at a time; the answers are ``{column: {method: statistic}}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from driftbook.drift.column_by_column import measure_tables, profile_table
from driftbook.drift.measuring import Measured
from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, column_profile
from driftbook.drift.profile_file import open_profile, save_profile
from driftbook.drift.table_source import open_table

METHODS = ("kolmogorov_smirnov", "psi", "wasserstein", "jensen_shannon")
TEXT_METHODS = ("psi", "jensen_shannon", "chi_squared")
Answers = dict[str, dict[str, float]]


def ready() -> None:
    """Load what the first measurement would otherwise load on the clock."""
    numbers, texts = pl.DataFrame({"x": np.arange(20_000.0)}), pl.DataFrame({"t": ["a", "b"] * 20})
    compare(numbers, numbers * 1.1)
    compare(texts, texts[1:], methods=TEXT_METHODS)


def compare(
    reference: pl.DataFrame | Path | Mapping[str, ColumnProfile],
    current: pl.DataFrame | Path,
    *,
    methods: tuple[str, ...] = METHODS,
    batch_rows: int | None = None,
) -> Answers:
    """Both sides from memory or from Parquet, or a reference profiled before; one batch or many of equal size."""
    stored = isinstance(reference, Mapping)
    before = reference if stored else open_table(reference)
    found = measure_tables(before, open_table(current), methods=methods, batch_rows=batch_rows)
    return {name: dict(chain.from_iterable(map(_statistics, measured))) for name, measured in found.items()}


def store(source: Path, target: Path) -> Path:
    """Profile a Parquet file and save it, anew each time: the format of profiles may have changed."""
    return save_profile(target, profile_table(open_table(source)))


def stored(path: Path) -> Mapping[str, ColumnProfile]:
    """A reference saved before, of which a column is read when it is asked for."""
    return open_profile(path)


def profiled(frame: pl.DataFrame) -> Mapping[str, ColumnProfile]:
    """The reference, once."""
    return profile_table(open_table(frame))


def _statistics(measured: Measured) -> Iterable[tuple[str, float]]:
    """By name of the method, followed by the number of the batch where there are many."""
    values = measured.statistic.tolist()
    names = [measured.method] if len(values) == 1 else [f"{measured.method} {place}" for place in range(len(values))]
    return zip(names, values, strict=True)


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


def _measures(reference: ColumnProfile, current: ColumnProfile, methods: Iterable[str]) -> dict[str, float]:
    return {name: method(name).measure(reference, current).statistic for name in methods}
