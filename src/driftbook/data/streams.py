"""Cuts a source into the batches of its days: typed, injected with the scenario, faulty rows set aside.

One path for simulated and for real rows: raw table → times → types → scenario → batches. The scenario acts on
the days of the stream only, and its sizes come from the history, so no batch depends on a later one. A table
that cannot carry a model (one class only, no history, no stream) is refused here, before anything is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from driftbook.config import Settings, UseCase
from driftbook.config.use_case import ServiceSource, SimulateSource
from driftbook.data.dealing import Dealt, before_service, deal, first_day_of_stream
from driftbook.data.scales import measure_scales
from driftbook.data.scenarios import inject, scenario
from driftbook.data.sources import load_table
from driftbook.errors import DataError
from driftbook.schema import Conformed, conform

PERIODS = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
_DAY_LENGTH = len("2026-05-17")


@dataclass(frozen=True)
class Part:
    """One batch of the source: ``rows`` with their ``target``, and ``quarantined`` rows as text with a ``reason``."""

    batch_id: str
    day: date
    rows: pl.DataFrame
    quarantined: pl.DataFrame


def simulated_parts(case: UseCase, day: date) -> list[Part]:
    """The batches of one simulated day."""
    from driftbook.data.simulate import simulate_day

    return cut(_conform(deal(simulate_day(case, day), case), case), case)


def table_parts(case: UseCase, settings: Settings) -> list[Part]:
    """All batches of a ``files`` or ``sql`` source, in order of time, with the scenario injected.

    Raises
    ------
    DataError
        If no row is usable, history or stream is empty, or the target cannot be learned from the history.
    """
    rows = _conform(deal(load_table(case, settings), case), case)
    _check_history(rows.rows, case)
    if scenario(case.scenario.name).name != "stable":
        rows = Conformed(rows=_inject(rows.rows, case), quarantined=rows.quarantined)
    return cut(rows, case)


def source_days(case: UseCase, settings: Settings) -> tuple[date, date]:
    """First and last day the source can give; of a service the days before it, as its log knows no last day."""
    if isinstance(case.source, SimulateSource):
        start = case.source.stream_start
        return start - timedelta(days=case.source.history_days), start + timedelta(days=case.source.stream_days - 1)
    if isinstance(case.source, ServiceSource):
        first, last = source_days(before_service(case), settings)
        return first, min(last, case.source.since - timedelta(days=1))
    days = deal(load_table(case, settings), case).rows["event_time"].dt.date()
    return days[0], days[-1]


def batch_day(batch_id: str) -> date:
    """The day a batch belongs to.

    Examples
    --------
    >>> batch_day("2026-05-17T13")
    datetime.date(2026, 5, 17)
    """
    return date.fromisoformat(batch_id[:_DAY_LENGTH])


def cut(rows: Conformed, case: UseCase) -> list[Part]:
    """The batches of rows in order of time, by the period of the use case; quarantined ones by their time as text."""
    period = PERIODS[case.batch.period or "day"]
    named = rows.rows.with_columns(pl.col("event_time").dt.strftime(period).alias("batch_id"))
    batches = named.partition_by("batch_id", as_dict=True, maintain_order=True)
    aside: dict[tuple[object, ...], pl.DataFrame] = {}
    if not rows.quarantined.is_empty():
        time = pl.col("event_time").str.to_datetime(time_unit="us")
        faulty = rows.quarantined.with_columns(time.dt.strftime(period).alias("batch_id"))
        aside = faulty.partition_by("batch_id", as_dict=True, maintain_order=True)
    return [
        Part(
            batch_id=str(key[0]),
            day=batch_day(str(key[0])),
            rows=batches.get(key, named.clear()),
            quarantined=aside.get(key, pl.DataFrame()),
        )
        for key in sorted({*batches, *aside}, key=str)
    ]


def _conform(dealt: Dealt, case: UseCase) -> Conformed:
    conformed = conform(dealt.rows, case)
    quarantined = pl.concat([conformed.quarantined, dealt.unreadable], how="diagonal")
    if conformed.rows.is_empty():
        reasons = quarantined["reason"].value_counts(name="rows").sort(["rows", "reason"], descending=[True, False])
        raise DataError(
            f"not one of {quarantined.height} rows fits the columns that data/{case.name}/usecase.yaml declares; "
            f"most often: {reasons['reason'][0]}; correct the roles of the columns or the file"
        )
    return Conformed(rows=conformed.rows, quarantined=quarantined)


def _check_history(rows: pl.DataFrame, case: UseCase) -> None:
    start = first_day_of_stream(case)
    first, last = rows["event_time"].dt.date().min(), rows["event_time"].dt.date().max()
    history = rows.filter(pl.col("event_time").dt.date() < start)
    if history.is_empty() or history.height == rows.height:
        empty = "history (rows before it)" if history.is_empty() else "stream (rows from it on)"
        raise DataError(
            f"source.stream_start {start} leaves no {empty}: the source gives {first!s} to {last!s}; "
            f"set source.stream_start in data/{case.name}/usecase.yaml to a day between them"
        )
    classes = history["target"].drop_nulls().unique().sort().to_list()
    shown = ", ".join(repr(each) for each in classes[:10]) or "no value"
    target = case.columns.target
    if len(classes) < 2:
        raise DataError(
            f"target {target!r} must have at least two classes before {start}, found {shown}; "
            "a longer history (source.history_share or stream_start) or another target is needed"
        )
    if case.task == "binary" and len(classes) > 2:
        raise DataError(f"target {target!r} has {len(classes)} classes ({shown}), but task is binary; set multiclass")
    if case.task == "binary" and case.columns.positive_class not in classes:
        raise DataError(
            f"columns.positive_class {case.columns.positive_class!r} is no class of {target!r}; found {shown}"
        )


def _inject(rows: pl.DataFrame, case: UseCase) -> pl.DataFrame:
    start = first_day_of_stream(case)
    day_of = pl.col("event_time").dt.date()
    scales = measure_scales(rows.filter(day_of < start), case)
    days = rows.with_columns(((day_of - start).dt.total_days() + 1).alias("stream_day")).partition_by(
        "stream_day", as_dict=True, include_key=False, maintain_order=True
    )
    changed = [inject(each, case, day=int(day), scales=scales) if day > 0 else each for (day,), each in days.items()]
    return pl.concat([each.select(rows.columns).cast(dict(rows.schema)) for each in changed])  # type: ignore[arg-type]
