"""Seeded tables to measure on: a mix of shapes as in real tables, the current side a little drifted in every third.

Columns are generated one by one, each from its own seed, so that the same name holds the same values in memory, in a
file and under any peer's Python. Nothing but numpy is needed for those in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DRIFTED_EVERY, DRIFT = 3, 1.05
CHUNK_ROWS = 200_000
CITIES, PLANS = 1_000, 20


def name_of(position: int) -> str:
    """The name of a numeric column."""
    return f"x{position:04d}"


def numeric_column(position: int, rows: int, *, current: bool, seed: int = 0) -> Any:
    """Three continuous shapes, one with many ties and one with few distinct values, in turn."""
    import numpy as np

    random = np.random.default_rng([seed, position, int(current)])
    scale = DRIFT if current and position % DRIFTED_EVERY == 0 else 1.0
    shape = position % 5
    if shape == 0:
        return random.normal(scale=scale, size=rows)
    if shape == 1:
        return random.lognormal(sigma=scale, size=rows)
    if shape == 2:
        return random.standard_t(3, size=rows) * scale
    if shape == 3:
        return np.round(random.normal(scale=100 * scale, size=rows))
    return np.floor(random.random(rows) ** scale * 10)


def numeric_table(rows: int, columns: int, *, current: bool, seed: int = 0) -> dict[str, Any]:
    """Numeric columns by name, as numpy arrays."""
    return {name_of(k): numeric_column(k, rows, current=current, seed=seed) for k in range(columns)}


def text_table(rows: int, columns: int, *, current: bool, seed: int = 0) -> Any:
    """Text columns: even ones of 20 categories, odd ones of 1,000; a polars frame."""
    import numpy as np
    import polars as pl

    found = {}
    for position in range(columns):
        random = np.random.default_rng([seed, position, int(current)])
        labels = PLANS if position % 2 == 0 else CITIES
        codes = (random.random(rows) ** (1.02 if current else 1.0) * labels).astype(np.int32)
        names = np.array([f"category {each}" for each in range(labels)], dtype=object)
        found[f"t{position:02d}"] = pl.Series(names[codes], dtype=pl.String)
    return pl.DataFrame(found)


def traffic_file(path: Path, rows: int, columns: int, *, current: bool, seed: int = 0) -> Path:
    """A Parquet file in the shape of recorded network traffic, written in chunks; kept if it is there already."""
    import pyarrow as pa
    from pyarrow import parquet

    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    schema = pa.schema([(name_of(k), pa.float64()) for k in range(columns)])
    with parquet.ParquetWriter(beside, schema) as writer:
        for chunk, size in enumerate(_sizes(rows)):
            arrays = [_traffic(k, size, current=current, seed=[seed, k, int(current), chunk]) for k in range(columns)]
            writer.write_table(pa.table(arrays, schema=schema))
    return beside.rename(path)


def _sizes(rows: int) -> Iterator[int]:
    for begin in range(0, rows, CHUNK_ROWS):
        yield min(CHUNK_ROWS, rows - begin)


def _traffic(position: int, rows: int, *, current: bool, seed: list[int]) -> Any:
    """Durations with heavy tails, counts with many ties, mostly zero rates, flags, constants."""
    import numpy as np

    random = np.random.default_rng(seed)
    scale = DRIFT if current and position % DRIFTED_EVERY == 0 else 1.0
    shapes: tuple[Callable[[], Any], ...] = (
        lambda: np.round(random.lognormal(8, 3 * scale, size=rows)),  # microseconds
        lambda: np.round(random.lognormal(6, 2 * scale, size=rows)),  # bytes
        lambda: random.lognormal(3, 2 * scale, size=rows),  # rates
        lambda: np.floor(random.pareto(1.2, size=rows) * 2 * scale),  # packets
        lambda: np.where(random.random(rows) < 0.6, 0.0, random.exponential(scale, size=rows)),
        lambda: (random.random(rows) < 0.05 * scale).astype(np.float64),  # a flag
        lambda: random.gamma(2.0, 300.0 * scale, size=rows),  # mean sizes
        lambda: np.zeros(rows) if position % 16 == 7 else np.floor(random.normal(40 * scale, 8, size=rows)),
    )
    return shapes[position % len(shapes)]()
