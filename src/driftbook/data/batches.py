"""What was known as of a day: the batches that had ended by then and the targets that had arrived.

Every reader takes ``as_of`` (the end of that day) and looks at partitions up to it, so that nobody can forget to
filter. The index is read from the files themselves, not from a list beside them that could disagree.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import polars as pl

from driftbook.config import Settings, UseCase
from driftbook.config.use_case import ServiceSource
from driftbook.data.dealing import before_service, first_day_of_stream
from driftbook.data.ingestion import (
    TARGET_SCHEMA,
    last_day_of_source,
    partition_files,
    read_partitions,
    write_batches,
)
from driftbook.data.scenarios import scenario
from driftbook.data.served import last_served_day, write_served
from driftbook.data.streams import batch_day, source_days
from driftbook.errors import DataError
from driftbook.schema import batch_schema
from driftbook.storage import count_rows, read_parquet, sha256_file

INDEX_SCHEMA = {
    "batch_id": pl.String(),
    "day": pl.Date(),
    "part": pl.String(),
    "rows": pl.Int64(),
    "quarantined": pl.Int64(),
    "sha256": pl.String(),
    "targets_known_on": pl.Date(),
}


def ingest(case: UseCase, settings: Settings, *, as_of: date) -> pl.DataFrame:
    """Bring the source up to the end of ``as_of`` into immutable files, and give the batch index.

    Doing it twice changes nothing; doing it daily gives the same files as doing it once.

    Raises
    ------
    DataError
        If the source cannot be read, or has no batch of the stream by ``as_of`` (naming the days there are).
    StateError
        If batches that were written before differ from what the source gives now.
    """
    scenario(case.scenario.name)
    start = first_day_of_stream(case)
    if as_of < start:
        raise DataError(_no_stream(start, as_of, source_days(case, settings)))
    if isinstance(case.source, ServiceSource):
        write_batches(before_service(case), settings, as_of=as_of, before=case.source.since)
        write_served(case, settings, as_of=as_of)
    else:
        write_batches(case, settings, as_of=as_of)
    index = batch_index(case, settings, as_of=as_of)
    if index.filter(pl.col("part") == "stream").is_empty():
        raise DataError(_no_stream(start, as_of, source_days(case, settings)))
    return index


def batch_index(case: UseCase, settings: Settings, *, as_of: date) -> pl.DataFrame:
    """One row per batch that ended by ``as_of``, in order.

    Returns
    -------
    ``batch_id``, ``day``, ``part`` (``history`` or ``stream``), ``rows``, ``quarantined``, ``sha256`` of the batch
    file, ``targets_known_on``: the day from which on its targets can be known.
    """
    folder, start = settings.data_folder(case.name), first_day_of_stream(case)
    paths = partition_files(folder, "batches", until=as_of)
    counts = _row_counts(paths)
    aside = _row_counts(partition_files(folder, "quarantine", until=as_of))
    days = [batch_day(path.stem) for path in paths]
    columns = {
        "batch_id": [path.stem for path in paths],
        "day": days,
        "part": ["history" if day < start else "stream" for day in days],
        "rows": [counts[path.stem] for path in paths],
        "quarantined": [aside.get(path.stem, 0) for path in paths],
        "sha256": [sha256_file(path) for path in paths],
        "targets_known_on": [day + case.label_delay for day in days],
    }
    return pl.DataFrame(columns, schema=INDEX_SCHEMA)


def load_batches(
    case: UseCase,
    settings: Settings,
    *,
    as_of: date,
    since: date | None = None,
    part: Literal["history", "stream"] | None = None,
) -> pl.DataFrame:
    """Rows of the batches from ``since`` up to the end of ``as_of``: the batch schema and ``batch_id``."""
    start = first_day_of_stream(case)
    first, last = since or date.min, as_of
    if part == "history":
        last = min(last, start - timedelta(days=1))
    elif part == "stream":
        first = max(first, start)
    paths = partition_files(settings.data_folder(case.name), "batches", since=first, until=last)
    return read_partitions(paths, schema={**batch_schema(case), "batch_id": pl.String()})


def load_targets(case: UseCase, settings: Settings, *, as_of: date) -> pl.DataFrame:
    """Targets known by the end of ``as_of``, in order of their batch."""
    paths = partition_files(settings.data_folder(case.name), "targets", until=as_of)
    return read_partitions(paths, schema=TARGET_SCHEMA).sort("batch_id", "known_time", maintain_order=True)


def labelled_rows(case: UseCase, settings: Settings, *, as_of: date, since: date | None = None) -> pl.DataFrame:
    """Rows whose target is known by the end of ``as_of``, with their ``target``."""
    rows = load_batches(case, settings, as_of=as_of, since=since)
    targets = load_targets(case, settings, as_of=as_of).select("row_id", "batch_id", "target")
    return rows.join(targets, on=["batch_id", "row_id"], how="inner", maintain_order="left")


def load_quarantined(case: UseCase, settings: Settings, *, as_of: date) -> pl.DataFrame:
    """Rows set aside by the end of ``as_of``: all text, with ``batch_id`` and ``reason``."""
    paths = partition_files(settings.data_folder(case.name), "quarantine", until=as_of)
    frames = [read_parquet(path) for path in paths]
    return pl.concat(frames, how="diagonal") if frames else pl.DataFrame(schema=["batch_id", "reason"])


def first_stream_day(case: UseCase, settings: Settings) -> date:
    """The first day that is judged; the days before it are history."""
    return first_day_of_stream(case)


def last_day(case: UseCase, settings: Settings) -> date:
    """The last day the source can give; remembered as long as the source does not change."""
    if isinstance(case.source, ServiceSource):
        return last_served_day(case, settings)
    return last_day_of_source(case, settings)


def _no_stream(start: date, as_of: date, days: tuple[date, date]) -> str:
    return (
        f"no batch of the stream by {as_of}: it starts on {start}, and the source gives {days[0]} to {days[1]}; "
        f"choose as_of from {max(start, days[0])} on"
    )


def _row_counts(paths: list[Path]) -> dict[str, int]:
    """Rows by batch; of one batch rows may be set aside on several days, and in several files of a day (``+2``)."""
    counts: dict[str, int] = {}
    for path in paths:
        batch_id = path.stem.partition("+")[0]
        counts[batch_id] = counts.get(batch_id, 0) + count_rows(path)
    return counts
