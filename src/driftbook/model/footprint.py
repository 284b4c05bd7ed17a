"""What serving a model costs: the time of one row, and the bytes a service loads.

The time is measured once, when a version is trained, on the machine that trained it, and kept in a file of its own: it
is no two times the same, so no record, no digest and no key may hold it. A record holds whether it was within a limit.
It is time of the processor: on a machine that is busy with other things, the clock on the wall would tell of those, and
the same model would be within the limit today and beyond it tomorrow.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import polars as pl

from driftbook.model.bundle import MODEL_FILE, SCHEMA_FILE, Bundle
from driftbook.storage import load_json, write_json

LATENCY_FILE = "latency.json"
WARM_UP = 5  # rows scored before the clock counts
TIMED_ROWS = 50
MILLION = 1_000_000


def measure_latency(bundle: Bundle, rows: pl.DataFrame) -> float:
    """Median processor time of scoring one row, from raw columns to the decided class, in milliseconds.

    Parameters
    ----------
    bundle
        As a service loads it, with one thread.
    rows
        At least one; the first few are scored one after another.
    """
    singles = [rows[place % rows.height : place % rows.height + 1] for place in range(WARM_UP + TIMED_ROWS)]
    seconds = []
    for row in singles:
        began = time.process_time()
        bundle.score(row)
        seconds.append(time.process_time() - began)
    return 1000 * statistics.median(seconds[WARM_UP:])


def write_latency(folder: Path, rows: pl.DataFrame) -> None:
    """Load the bundle of a folder as a service does, measure it and write ``latency.json`` beside it."""
    measured = measure_latency(Bundle.load(folder, threads=1), rows)
    write_json(folder / LATENCY_FILE, {"median_ms": round(measured, 4), "rows": TIMED_ROWS, "threads": 1})


def load_latency(folder: Path) -> float | None:
    """The median time of a row in milliseconds; ``None`` for a model trained before it was measured."""
    path = folder / LATENCY_FILE
    return float(load_json(path)["median_ms"]) if path.exists() else None


def model_size_mb(folder: Path) -> float:
    """Megabytes (of a million bytes) of the files that a service loads.

    Raises
    ------
    OSError
        If one is missing.
    """
    return sum((folder / name).stat().st_size for name in (MODEL_FILE, SCHEMA_FILE)) / MILLION
