"""Writes the batches of a source: once each, on the day they belong to, never ahead of the day that asks.

A batch lies on ``date=<its day>``; its targets on ``date=<the day they became known>``, and not before that day:
after a run as of T nothing that it wrote is younger than T, so a figure as of T cannot look ahead even by
mistake. A day that lies there is not simulated again. When the source's files, its declaration or the code that
reads it have changed, every batch is compared with what the source gives now: new days may follow and late
targets arrive, but what was judged once must stay, because the records rely on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.config import Settings, UseCase
from driftbook.config.use_case import FilesSource, SimulateSource, SqlSource
from driftbook.data.erasing import without_erased
from driftbook.data.sources import source_files
from driftbook.data.streams import Part, batch_day, simulated_parts, source_days, table_parts
from driftbook.errors import StateError
from driftbook.schema import TIME
from driftbook.storage import canonical_json, load_json, read_parquet, sha256_file, sha256_text, write_json, write_once

RECORD = "ingested.json"
KINDS = ("batches", "targets", "quarantine", "answers")
TARGET_SCHEMA = {
    "row_id": pl.String(),
    "batch_id": pl.String(),
    "event_time": TIME,
    "known_time": TIME,
    "target": pl.String(),
}
_READING_CODE = (*Path(__file__).parent.glob("*.py"), Path(__file__).parents[1] / "schema.py")


@dataclass(frozen=True)
class _Ingest:
    """One run of :func:`ingest`: ``trusted`` when files that lie there need no second look.

    Only batches of days ``before`` a day are of this source; the others are of the service that took over then.
    """

    case: UseCase
    folder: Path
    as_of: date
    record: dict[str, Any]
    trusted: bool
    before: date = date.max
    targets: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def delay(self) -> timedelta:
        return self.case.label_delay

    @property
    def written_until(self) -> date:
        """The last day an earlier, still valid run has written; long ago when there was none."""
        return date.fromisoformat(self.record["until"]) if self.trusted else date.min


def write_batches(case: UseCase, settings: Settings, *, as_of: date, before: date = date.max) -> None:
    """Write every batch and every target of the source up to the end of ``as_of`` that is not there yet.

    Parameters
    ----------
    before
        Where a service took over: no batch of this day or a later one is of this source.

    Raises
    ------
    DataError
        If the source cannot be read.
    StateError
        If what was written before differs from what the source gives now.
    """
    folder = settings.data_folder(case.name)
    record = _record(folder)
    if record.get("closed"):
        return
    stamp = _stamp(case, settings)
    run = _Ingest(
        case=case,
        folder=folder,
        as_of=as_of,
        record=record,
        trusted=stamp is not None and record.get("stamp") == stamp,
        before=before,
        targets=_target_files(folder),
    )
    if not _up_to_date(run):
        _check_delay(run)
        _bring_up(run, settings, stamp=stamp)


def close_folder(folder: Path) -> None:
    """Declare that a data folder holds all it will ever hold: its source is not asked any more."""
    write_json(folder / RECORD, {"closed": True})


def is_closed(folder: Path) -> bool:
    """Whether a data folder was closed: a copy of what a source once gave, made to repeat a run."""
    return bool(_record(folder).get("closed"))


def last_day_of_source(case: UseCase, settings: Settings) -> date:
    """The last day the source can give; remembered as long as the source does not change."""
    record = _record(settings.data_folder(case.name))
    if record.get("stamp") is not None and record["stamp"] == _stamp(case, settings):
        return date.fromisoformat(record["last_day"])
    return source_days(case, settings)[1]


def partition_files(folder: Path, kind: str, *, since: date = date.min, until: date = date.max) -> list[Path]:
    """Files of a kind (see ``KINDS``) in order of their date and name."""
    return sorted(path for path in (folder / kind).glob("date=*/*.parquet") if since <= partition_date(path) <= until)


def partition_date(path: Path) -> date:
    """The date of the partition that a file lies in.

    Examples
    --------
    >>> partition_date(Path("batches/date=2026-05-17/2026-05-17T13.parquet"))
    datetime.date(2026, 5, 17)
    """
    return date.fromisoformat(path.parent.name.removeprefix("date="))


def read_partitions(paths: list[Path], *, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """One frame of several files, in their order; empty with that schema when there are none."""
    if not paths:
        return pl.DataFrame(schema=schema)
    return read_parquet(*paths).select(list(schema))


def _record(folder: Path) -> dict[str, Any]:
    """What earlier runs noted about the files of a use case; nothing before the first."""
    path = folder / RECORD
    found: dict[str, Any] = load_json(path) if path.exists() else {}
    return found


def _bring_up(run: _Ingest, settings: Settings, *, stamp: str | None) -> None:
    """Write what is missing; when the source is not the one of the last run, compare what is there."""
    written: list[Path] = []
    first, last = date.max, date.min
    for part in _parts(run, settings):
        first, last = min(first, part.day), max(last, part.day)
        written += _write(part, run)
    if isinstance(run.case.source, SimulateSource):
        first, last = source_days(run.case, settings)
        last = min(last, _eve(run.before))
    files = {path.relative_to(run.folder).as_posix() for path in written}
    until = max(run.as_of, run.written_until)
    if run.trusted:
        files |= set(run.record["files"])
    else:
        _refuse_strangers(run, files)
    record = {"stamp": stamp, "label_delay_days": run.case.label_delay_days, "first_day": first, "last_day": last}
    write_json(run.folder / RECORD, {**record, "until": until, "files": sorted(files)})


def _parts(run: _Ingest, settings: Settings) -> Iterator[Part]:
    if not isinstance(run.case.source, SimulateSource):
        yield from (part for part in table_parts(run.case, settings) if part.day < run.before)
        return
    first, last = source_days(run.case, settings)
    on_disk = [partition_date(path) for path in partition_files(run.folder, "batches")]
    until = min(last, _eve(run.before), run.as_of if run.trusted else max([run.as_of, *on_disk]))
    days = [first + timedelta(days=each) for each in range((until - first).days + 1)]
    for day in days:
        if not _settled(run, day):
            yield from simulated_parts(run.case, day)


def _settled(run: _Ingest, day: date) -> bool:
    """Whether all that can be known of a day by ``as_of`` was written by an earlier run and lies there."""
    if not run.trusted or day > run.written_until:
        return False
    if run.written_until < day + run.delay <= run.as_of:
        return False
    files = [run.folder / name for name in run.record["files"] if batch_day(Path(name).stem) == day]
    return all(path.exists() for path in files if partition_date(path) <= run.as_of)


def _up_to_date(run: _Ingest) -> bool:
    if not run.trusted:
        return False
    nothing_new_after = date.fromisoformat(run.record["last_day"]) + run.delay
    if min(run.as_of, nothing_new_after) > run.written_until:
        return False
    files = [run.folder / name for name in run.record["files"]]
    return all(path.exists() for path in files if partition_date(path) <= run.as_of)


def _write(part: Part, run: _Ingest) -> list[Path]:
    """Write the files of one batch that belong to days up to ``as_of``; those of later days are only compared."""
    name = f"{part.batch_id}.parquet"
    rows = without_erased(part.rows, run.folder, column="row_id")
    aside = without_erased(part.quarantined, run.folder, column=run.case.columns.id)
    targets = rows.filter(pl.col("target").is_not_null()).with_columns(
        (pl.col("event_time") + run.delay).alias("known_time")
    )
    wanted = {
        run.folder / "quarantine" / f"date={part.day}" / name: aside,
        run.folder / "batches" / f"date={part.day}" / name: rows.drop("target"),
        run.folder / "targets" / f"date={part.day + run.delay}" / name: targets.select(list(TARGET_SCHEMA)),
    }
    written: list[Path] = []
    for path, frame in wanted.items():
        there = path.exists()
        if (partition_date(path) > run.as_of and not there) or not frame.columns:
            continue
        if not there or not run.trusted:
            late = path.parts[-3] == "targets" and not run.trusted
            written += _write_targets(path, frame, run) if late else [write_once(path, frame)]
        else:
            written.append(path)
    return written


def _write_targets(path: Path, targets: pl.DataFrame, run: _Ingest) -> list[Path]:
    """Keep the targets that were known, add those the changed source gives now as known on ``as_of``."""
    earlier = run.targets.get(path.stem, [])
    known = read_partitions(earlier, schema=TARGET_SCHEMA)
    changed = known.join(targets, on=["row_id", "target"], how="anti")
    if not changed.is_empty():
        raise StateError(
            f"{changed.height} targets of batch {path.stem} are recorded otherwise than the source now gives, first "
            f"that of row {changed['row_id'][0]!r}; restore the source, or remove the use case's generated data to "
            "begin anew (driftbook reset)"
        )
    new = targets.join(known, on="row_id", how="anti", maintain_order="left")
    if not path.exists():
        return [*earlier, write_once(path, new)]
    if new.is_empty():
        return earlier
    arrival = path.parents[1] / f"date={run.as_of}" / path.name
    known_time = pl.lit(datetime.combine(run.as_of, time.min)).cast(TIME)
    return [*earlier, write_once(arrival, new.with_columns(known_time.alias("known_time")))]


def _eve(day: date) -> date:
    return day - timedelta(days=1)


def _refuse_strangers(run: _Ingest, files: set[str]) -> None:
    on_disk = [path for kind in KINDS for path in partition_files(run.folder, kind)]
    ours = {path.relative_to(run.folder).as_posix() for path in on_disk if batch_day(path.stem) < run.before}
    strangers = sorted(ours - files)
    if strangers:
        raise StateError(
            f"the source of use case {run.case.name!r} no longer gives {len(strangers)} of the files made from it "
            f"(first: {strangers[0]}); restore it, or remove the generated data to begin anew (driftbook reset)"
        )


def _check_delay(run: _Ingest) -> None:
    before = run.record.get("label_delay_days", run.case.label_delay_days)
    if before != run.case.label_delay_days:
        raise StateError(
            f"label_delay_days was {before} when targets were written and is {run.case.label_delay_days} now; "
            "restore it, or remove the generated data to begin anew (driftbook reset)"
        )


def _stamp(case: UseCase, settings: Settings) -> str | None:
    """What the batches depend on, in one digest; ``None`` where nobody can tell (SQL)."""
    if isinstance(case.source, SqlSource):
        return None
    files = source_files(case, settings) if isinstance(case.source, FilesSource) else []
    content = {
        "case": case.model_dump(mode="json", exclude={"title", "derived", "model", "policy", "service"}),
        "files": {path.name: sha256_file(path) for path in files},
        "code": {path.name: sha256_file(path) for path in _READING_CODE},
    }
    return sha256_text(canonical_json(content))


def _target_files(folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for path in partition_files(folder, "targets"):
        files.setdefault(path.stem, []).append(path)
    return files
