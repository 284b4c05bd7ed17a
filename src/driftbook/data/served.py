"""The days of a service's log as batches: each closed day is written once, with the targets that became known on it.

A day (UTC) closes ``closes_after_hours`` after its end. Its batches hold what had arrived by then. What arrives later
is set aside under the day of its arrival, and what comes into the log later still (from the spill file of a machine
that was cut off) under the day of the build that finds it: no batch changes after it was judged, and no row is lost
without a word. A closed day is not read again as long as its number of rows stays: the log may be pruned.

What the service answered lies beside the batches, as ``answers``, so that its answers can be compared with each other.
The clock that closes days is the later of ours and the log's own, which is ahead where the log is of a simulated world.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.config import Settings, UseCase
from driftbook.config.use_case import ServiceSource
from driftbook.data.erasing import erased_from
from driftbook.data.ingestion import (
    KINDS,
    TARGET_SCHEMA,
    is_closed,
    partition_date,
    partition_files,
    read_partitions,
)
from driftbook.data.served_rows import ANSWER_SCHEMA, parts_aside, served_parts
from driftbook.data.served_targets import assign_targets
from driftbook.data.streams import Part, batch_day
from driftbook.errors import ConfigError, DataError, StateError
from driftbook.schema import TIME, batch_schema
from driftbook.serving.log_reader import Kept, LogReader, open_reader
from driftbook.storage import load_json, read_parquet, write_json, write_parquet

CLOSED_DAYS = "closed_days.json"
ANSWERS = "answers"
IDENTITY = {"row_id": pl.String(), "batch_id": pl.String(), "event_time": TIME}
_DAY = timedelta(days=1)


def write_served(case: UseCase, settings: Settings, *, as_of: date, now: datetime | None = None) -> None:
    """Write every closed day of the service's log up to ``as_of`` that is not written yet.

    Parameters
    ----------
    now
        The time in UTC; the clock's unless given.

    Raises
    ------
    DataError
        If ``as_of`` is not closed yet.
    StateError
        If batches lie there that do not come from the log, or the log cannot be read.
    """
    source, folder = _source(case), settings.data_folder(case.name)
    if is_closed(folder):
        return
    record = dict(load_json(folder / CLOSED_DAYS)) if (folder / CLOSED_DAYS).exists() else {}
    _sweep(case, folder, record)
    if as_of < source.since:
        return
    with _open(case, settings) as reader:
        last = _last_closed(source, reader, now)
        if as_of > last:
            closes = _closing(source, as_of)
            raise DataError(
                f"{as_of} is open: the batches of {case.name!r} can grow until {closes:%Y-%m-%d %H:%M} UTC; "
                f"choose as_of {last} or before"
            )
        counts = reader.count_by_day(until=as_of)
        for number in range((as_of - source.since).days + 1):
            day = source.since + number * _DAY
            found = record.get(day.isoformat())
            if found is not None and found["logged"] == counts.get(day, 0):
                continue
            if found is None:
                found = _write_day(case, folder, reader, day)
            else:
                newcomers = _newcomers(case, folder, reader, day, written={date.fromisoformat(each) for each in record})
                found = _set_aside(case, folder, newcomers, found, as_of=as_of)
            record[day.isoformat()] = found | {"logged": counts.get(day, 0)}
            write_json(folder / CLOSED_DAYS, record)


def last_served_day(case: UseCase, settings: Settings, *, now: datetime | None = None) -> date:
    """The last closed day on which the log grew; the eve of the service while there is none."""
    source = _source(case)
    with _open(case, settings) as reader:
        arrival = reader.last_arrival()
        eve = source.since - _DAY
        return eve if arrival is None else max(eve, min(arrival.date(), _last_closed(source, reader, now)))


def log_mark(case: UseCase, settings: Settings, *, now: datetime | None = None) -> str:
    """What the closed days of the log hold, as a text that changes when they do."""
    if is_closed(settings.data_folder(case.name)):
        return "no longer asked"
    with _open(case, settings) as reader:
        until = _last_closed(_source(case), reader, now)
        counts = {day.isoformat(): count for day, count in reader.count_by_day(until=until).items()}
        return json.dumps([counts, reader.count_targets(until=until)], sort_keys=True)


def load_answers(case: UseCase, settings: Settings, *, as_of: date) -> pl.DataFrame:
    """What the service answered to the rows of its batches up to the end of ``as_of``.

    Returns
    -------
    ``row_id``, ``batch_id``, ``event_time`` and the columns of ``ANSWER_SCHEMA``; no rows where there is no service.
    """
    paths = partition_files(settings.data_folder(case.name), ANSWERS, until=as_of)
    return read_partitions(paths, schema={**IDENTITY, **ANSWER_SCHEMA})


def _write_day(case: UseCase, folder: Path, reader: LogReader, day: date) -> dict[str, Any]:
    """Write the batches of one day, what arrived on it too late, and the targets that became known on it."""
    source = _source(case)
    on_time = [row for row in _not_erased(folder, reader.predictions(day)) if not _came_late(row, source)]
    arrived = _not_erased(folder, reader.arrivals(day))
    late = [row for row in arrived if _came_late(row, source) and row["at"] >= source.since.isoformat()]
    files: list[Path] = []
    rows = 0
    for part in served_parts(on_time, case):
        if not part.rows.is_empty():
            answers = part.rows.select(*IDENTITY, *ANSWER_SCHEMA)
            files.append(write_parquet(_path(folder, ANSWERS, day, part.batch_id), answers))
            frame = part.rows.select(*batch_schema(case), "batch_id")
            files.append(write_parquet(_path(folder, "batches", day, part.batch_id), frame))
            rows += frame.height
        files += _write_aside(folder, [part], day)
    reasons = [f"arrived at {row['received_at'][:19]} UTC, after its day had closed" for row in late]
    files += _write_aside(folder, parts_aside(late, case, reasons=reasons), day)
    targets, told = _known_targets(case, folder, reader, day)
    for (batch_id,), known in targets.partition_by("batch_id", as_dict=True, maintain_order=True).items():
        files.append(write_parquet(_path(folder, "targets", day, str(batch_id)), known))
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    return {"files": names, "rows": rows, "quarantined": len(on_time) - rows, "late": len(late), "targets": told}


def _known_targets(case: UseCase, folder: Path, reader: LogReader, day: date) -> tuple[pl.DataFrame, dict[str, int]]:
    """Targets that became known on ``day``; of the rows and targets so far only those they may concern are held."""
    given, since = reader.targets(day), _source(case).since
    served = partition_files(folder, ANSWERS, until=day)
    concerned = pl.col("row_id").is_in([row["prediction_id"] for row in given if row["prediction_id"] is not None])
    concerned |= pl.col("entity").is_in([row["entity"] for row in given if row["entity"] is not None])
    rows = _read_where(served, concerned, schema={**IDENTITY, "entity": pl.String()})
    known = partition_files(folder, "targets", since=since, until=day - _DAY)
    known = [path for path in known if batch_day(path.stem) >= since]
    earlier = _read_where(known, pl.col("row_id").is_in(rows["row_id"].to_list()), schema=TARGET_SCHEMA)
    return assign_targets(given, rows, earlier, delay=case.label_delay)


def _read_where(paths: list[Path], wanted: pl.Expr, *, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    if not paths:
        return pl.DataFrame(schema=schema)
    return pl.scan_parquet(paths, hive_partitioning=False).select(list(schema)).filter(wanted).collect()


def _newcomers(case: UseCase, folder: Path, reader: LogReader, day: date, *, written: set[date]) -> list[Kept]:
    """Rows of a written day that the log did not show when it, and the day they arrived on, were written."""
    paths = [path for kind in ("batches", "quarantine") for path in partition_files(folder, kind)]
    there = [path for path in paths if batch_day(path.stem) == day]
    known = {row_id for path in there for row_id in read_parquet(path)["row_id"].to_list()}
    source = _source(case)
    return [
        row
        for row in _not_erased(folder, reader.predictions(day))
        if row["prediction_id"] not in known
        and (not _came_late(row, source) or datetime.fromisoformat(row["received_at"]).date() in written)
    ]


def _not_erased(folder: Path, rows: list[Kept]) -> list[Kept]:
    """Rows but those of persons who were erased: what a cut-off machine brings later must not bring them back."""
    is_erased = erased_from(folder)
    return [row for row in rows if not is_erased(row["entity"])]


def _set_aside(case: UseCase, folder: Path, rows: list[Kept], found: dict[str, Any], *, as_of: date) -> dict[str, Any]:
    reasons = ["came into the log after its day was written"] * len(rows)
    files = _write_aside(folder, parts_aside(rows, case, reasons=reasons), as_of)
    names = [path.relative_to(folder).as_posix() for path in files]
    return found | {"files": sorted([*found["files"], *names]), "late": found["late"] + len(rows)}


def _write_aside(folder: Path, parts: list[Part], day: date) -> list[Path]:
    """Quarantine rows under ``day``, beside what was set aside of the same batch before."""
    files = []
    for part in parts:
        if part.quarantined.is_empty():
            continue
        path, number = _path(folder, "quarantine", day, part.batch_id), 1
        while path.exists():
            number += 1
            path = _path(folder, "quarantine", day, f"{part.batch_id}+{number}")
        files.append(write_parquet(path, part.quarantined))
    return files


def _sweep(case: UseCase, folder: Path, record: dict[str, Any]) -> None:
    """Remove what a killed build wrote of its last day; refuse what another source made, or what nobody recorded."""
    since = _source(case).since
    known = {name for day in record.values() for name in day["files"]}
    paths = [path for kind in KINDS for path in partition_files(folder, kind) if batch_day(path.stem) >= since]
    strange = [path for path in paths if path.relative_to(folder).as_posix() not in known]
    answers = {path.stem for path in partition_files(folder, ANSWERS)}
    foreign = [path for path in strange if path.parts[-3] == "batches" and path.stem not in answers]
    if foreign:
        raise StateError(
            f"{len(foreign)} batches of {case.name!r} from source.since ({since}) on were made by another source, "
            f"first {foreign[0].stem}; set source.since to a day after the last one that was built, or begin anew "
            "(driftbook reset)"
        )
    if len({partition_date(path) for path in strange}) > 1:
        raise StateError(
            f"{folder / CLOSED_DAYS} does not name {len(strange)} files of closed days; restore it from a backup, "
            "or begin anew from what the log still holds (driftbook reset)"
        )
    for path in strange:
        path.unlink()


def _last_closed(source: ServiceSource, reader: LogReader, now: datetime | None) -> date:
    clock = (now or datetime.now(UTC)).replace(tzinfo=None)
    arrival = reader.last_arrival()
    clock = clock if arrival is None else max(clock, arrival)
    return (clock - timedelta(hours=source.closes_after_hours)).date() - _DAY


def _closing(source: ServiceSource, day: date) -> datetime:
    return datetime.combine(day, time.min) + _DAY + timedelta(hours=source.closes_after_hours)


def _came_late(row: Kept, source: ServiceSource) -> bool:
    at, received_at = (datetime.fromisoformat(row[name]) for name in ("at", "received_at"))
    return received_at >= _closing(source, at.date())


def _open(case: UseCase, settings: Settings) -> AbstractContextManager[LogReader]:
    return open_reader(settings.prediction_log_url, settings.spill_folder(case.name), use_case=case.name)


def _source(case: UseCase) -> ServiceSource:
    if not isinstance(case.source, ServiceSource):
        raise ConfigError(f"use case {case.name!r} should have source.kind service, found {case.source.kind!r}")
    return case.source


def _path(folder: Path, kind: str, day: date, name: str) -> Path:
    return folder / kind / f"date={day}" / f"{name}.parquet"
