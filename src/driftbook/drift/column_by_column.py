"""Two tables measured column by column, in threads: never more than one column of each side in a thread.

Sorting and reading leave Python's lock, so that threads use all cores, and a table larger than memory is no matter.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import polars as pl

from driftbook.drift.batches import stack_batches
from driftbook.drift.measuring import Measured, measure_column
from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, Integers, Kind, column_profile
from driftbook.drift.table_source import Table

Found = TypeVar("Found")


def each_column(names: Iterable[str], work: Callable[[str], Found]) -> dict[str, Found]:
    """Do the same for every column, as many at a time as there are cores.

    Examples
    --------
    >>> each_column(["age", "plan"], len)
    {'age': 3, 'plan': 4}
    """
    order = list(names)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return dict(zip(order, threads.map(work, order), strict=True))


def measure_tables(
    reference: Table | Mapping[str, ColumnProfile],
    current: Table,
    *,
    methods: Sequence[str],
    batch_rows: int | None = None,
) -> dict[str, list[Measured]]:
    """Measure every column that both sides have.

    Parameters
    ----------
    reference
        A table, or profiles made before: in memory, or read one by one by
        :func:`driftbook.drift.profile_file.open_profile`.
    methods
        Each is used on the kinds of columns it can measure. Of a table, columns of texts are categorical and all
        others numeric.
    batch_rows
        The current table is many batches of so many rows, the last one perhaps shorter; by default it is one.

    Examples
    --------
    >>> from driftbook.drift.table_source import open_table
    >>> before, after = (open_table({"age": [start + place for place in range(20)]}) for start in (0, 10))
    >>> found = measure_tables(before, after, methods=["kolmogorov_smirnov", "wasserstein_raw"])
    >>> [(each.method, each.statistic.tolist()) for each in found["age"]]
    [('kolmogorov_smirnov', [0.5]), ('wasserstein_raw', [10.0])]
    """
    offsets = _offsets(current.rows, batch_rows or max(current.rows, 1))

    def one(name: str) -> list[Measured]:
        before = _profile(reference, name)
        batches = stack_batches(current.column(name), offsets, kind=before.kind)
        fitting = [each for each in methods if before.kind in method(each).kinds]
        return measure_column(name, reference=before, role="feature", batches=batches, methods=fitting)

    names = reference.names if isinstance(reference, Table) else reference
    return each_column([name for name in names if name in current.readers], one)


def profile_table(table: Table) -> dict[str, ColumnProfile]:
    """Profile every column once, for many comparisons.

    Examples
    --------
    >>> from driftbook.drift.table_source import open_table
    >>> profile_table(open_table({"age": [41.0, None, 33.0]}))["age"].values.tolist()
    [33.0, 41.0]
    """
    return each_column(table.names, lambda name: _profile(table, name))


def _profile(side: Table | Mapping[str, ColumnProfile], name: str) -> ColumnProfile:
    if not isinstance(side, Table):
        return side[name]
    series = side.column(name)
    kind: Kind = "categorical" if series.dtype in (pl.String, pl.Categorical, pl.Enum) else "numeric"
    return column_profile(series, kind=kind)


def _offsets(rows: int, batch_rows: int) -> Integers:
    return np.append(np.arange(0, rows, batch_rows), rows).astype(np.int64)
