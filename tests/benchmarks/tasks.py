"""What can be measured: each task prepares its data off the clock and answers on it.

A task's answers are a few numbers by name, by which a reader sees that all did the same work.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import peer_tasks
from benchmarks.tables import name_of, numeric_table, text_table, traffic_file

STREAM_CHUNK = 2_000_000
STREAM_SHIFT, STREAM_SCALE = 0.1, 1.05


@dataclass(frozen=True)
class Task:
    """``prepare(**options)`` off the clock, ``run(prepared)`` on it."""

    prepare: Callable[..., Any]
    run: Callable[[Any], Mapping[str, float]]


def _frames(rows: int, columns: int) -> tuple[Any, Any]:
    import polars as pl

    from benchmarks import ours

    ours.ready()
    reference, current = (pl.DataFrame(numeric_table(rows, columns, current=side)) for side in (False, True))
    return reference, current


def _compare_frames(data: tuple[Any, Any]) -> Mapping[str, float]:
    from benchmarks import ours

    return _first(ours.compare(*data))


def _compare_stored(data: tuple[Any, Any]) -> Mapping[str, float]:
    from benchmarks import ours

    return _first(ours.compare(*data))


def _stored(rows: int, columns: int) -> tuple[Any, Any]:
    from benchmarks import ours

    reference, current = _frames(rows, columns)
    return ours.profiled(reference), current


def _files(rows: int, columns: int, folder: str) -> tuple[Path, Path]:
    from benchmarks import ours

    ours.ready()
    return _traffic_files(rows, columns, folder)


def _traffic_files(rows: int, columns: int, folder: str) -> tuple[Path, Path]:
    where = Path(folder)
    reference, current = (
        traffic_file(where / f"{side}-{rows}x{columns}.parquet", rows, columns, current=side == "current")
        for side in ("reference", "current")
    )
    return reference, current


def _compare_files(data: tuple[Path, Path]) -> Mapping[str, float]:
    from benchmarks import ours

    return _first(ours.compare(*data))


def _stored_file(rows: int, columns: int, folder: str) -> tuple[Path, Path]:
    from benchmarks import ours

    reference, current = _files(rows, columns, folder)
    return ours.store(reference, reference.with_suffix(".npz")), current


def _compare_stored_file(data: tuple[Path, Path]) -> Mapping[str, float]:
    from benchmarks import ours

    reference, current = data
    return _first(ours.compare(ours.stored(reference), current))


def _read_and_sort(rows: int, columns: int, folder: str, reader: str = "polars", sides: int = 2) -> Any:
    import numpy as np
    import polars as pl
    from pyarrow import parquet

    opened = threading.local()  # a reader parses the footer once and belongs to one thread

    def with_polars(path: Path, name: str) -> Any:
        return pl.read_parquet(path, columns=[name])[name].to_numpy()

    def with_arrow(path: Path, name: str) -> Any:
        files = opened.__dict__
        if path.name not in files:
            files[path.name] = parquet.ParquetFile(path, memory_map=True, pre_buffer=False)
        return files[path.name].read(columns=[name], use_threads=False)[name].to_numpy()

    read = {"polars": with_polars, "pyarrow": with_arrow}[reader]
    paths = _traffic_files(rows, columns, folder)[-sides:]

    def one(position: int) -> float:
        return sum(float(np.sort(read(path, name_of(position)))[0]) for path in paths)

    return one, columns


def _physical_limit(data: tuple[Callable[[int], float], int]) -> Mapping[str, float]:
    one, columns = data
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return {"sum of minima": sum(pool.map(one, range(columns)))}


def _sorted_arrays(rows: int, columns: int) -> list[Any]:
    return [each for side in (False, True) for each in numeric_table(rows, columns, current=side).values()]


def _sort_all(data: list[Any]) -> Mapping[str, float]:
    import numpy as np

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return {"sum of minima": sum(pool.map(lambda values: float(np.sort(values)[0]), data))}


def _days(rows: int, columns: int, batches: int, batch_rows: int) -> Any:
    import polars as pl

    from benchmarks import ours

    ours.ready()
    reference = pl.DataFrame(numeric_table(rows, columns, current=False))
    stream = pl.DataFrame(numeric_table(batches * batch_rows, columns, current=True))
    return ours.profiled(reference), stream, batch_rows


def _compare_days(data: tuple[Any, Any, int]) -> Mapping[str, float]:
    from benchmarks import ours

    stored, stream, batch_rows = data
    return _first(ours.compare(stored, stream, batch_rows=batch_rows))


def _texts(rows: int, columns: int) -> tuple[Any, Any]:
    from benchmarks import ours

    ours.ready()
    return text_table(rows, columns, current=False), text_table(rows, columns, current=True)


def _compare_texts(data: tuple[Any, Any]) -> Mapping[str, float]:
    from benchmarks import ours

    return _first(ours.compare(*data, methods=ours.TEXT_METHODS))


def _stored_texts(rows: int, columns: int) -> tuple[Any, Any]:
    from benchmarks import ours

    reference, current = _texts(rows, columns)
    return ours.profiled(reference), current


def _compare_stored_texts(data: tuple[Any, Any]) -> Mapping[str, float]:
    from benchmarks import ours

    return _first(ours.compare(*data, methods=ours.TEXT_METHODS))


def _stream(rows: int) -> int:
    from benchmarks import ours

    ours.ready()
    return rows


def _chunks(rows: int, *, current: bool) -> Iterator[Any]:
    """Normal numbers, drawn as they are asked for; the current side is shifted and wider by known amounts."""
    import numpy as np

    random = np.random.default_rng([7, int(current)])
    for begin in range(0, rows, STREAM_CHUNK):
        values = random.standard_normal(min(STREAM_CHUNK, rows - begin))
        yield STREAM_SHIFT + STREAM_SCALE * values if current else values


def stream_truth() -> dict[str, float]:
    """PSI over the reference's deciles and KS of the two laws behind :func:`_chunks`, without any sample."""
    import numpy as np
    from scipy.special import ndtr, ndtri

    deciles = ndtri(np.arange(1, 10) / 10)
    shares = np.diff(ndtr((deciles - STREAM_SHIFT) / STREAM_SCALE), prepend=0.0, append=1.0)
    points = np.linspace(-8, 8, 1_600_001)
    apart = np.abs(ndtr(points) - ndtr((points - STREAM_SHIFT) / STREAM_SCALE)).max()
    return {"psi": float(((shares - 0.1) * np.log(shares / 0.1)).sum()), "kolmogorov_smirnov": float(apart)}


def _compare_streams(rows: int) -> Mapping[str, float]:
    from benchmarks import ours

    found = ours.compare_streams(_chunks(rows, current=False), _chunks(rows, current=True))
    truth = stream_truth()
    return {**found, **{f"error of {key}": abs(found[key] - truth[key]) for key in truth}}


def _generate_streams(rows: int) -> Mapping[str, float]:
    return {"rows": float(sum(chunk.size for side in (False, True) for chunk in _chunks(rows, current=side)))}


def _first(answers: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    return next(iter(answers.values()))


TASKS: Mapping[str, Task] = {
    "ours": Task(_frames, _compare_frames),
    "ours, stored reference": Task(_stored, _compare_stored),
    "ours, files": Task(_files, _compare_files),
    "ours, stored reference, file": Task(_stored_file, _compare_stored_file),
    "ours, batches": Task(_days, _compare_days),
    "ours, texts": Task(_texts, _compare_texts),
    "ours, stored texts": Task(_stored_texts, _compare_stored_texts),
    "ours, compact": Task(_stream, _compare_streams),
    "generator": Task(_stream, _generate_streams),
    "np.sort": Task(_sorted_arrays, _sort_all),
    "read and sort": Task(_read_and_sort, _physical_limit),
    "scipy": Task(peer_tasks.arrays, peer_tasks.with_scipy),
    "evidently": Task(peer_tasks.evidently_data, peer_tasks.with_evidently),
    "evidently presets": Task(peer_tasks.evidently_data, peer_tasks.with_evidently_presets),
    "evidently, ks": Task(peer_tasks.evidently_data, peer_tasks.with_evidently_ks),
    "nannyml": Task(peer_tasks.pandas_frames, peer_tasks.with_nannyml),
    "whylogs": Task(peer_tasks.pandas_frames, peer_tasks.with_whylogs),
}
