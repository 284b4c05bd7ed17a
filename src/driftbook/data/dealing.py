"""Gives every row of a raw table its time and its identifier, so that a stream can be cut from it.

A table with an event time keeps it: its rows are sorted by it, and ``source.stream_start`` parts history
from stream. A table without one is dealt to days: ``batch.rows`` a day, in seeded order (rows that are
independent of each other, as a control without drift) or in file order (rows that were collected in time).
A row whose time cannot be read is set aside with the reason, under the day of the row before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from driftbook.config import UseCase
from driftbook.config.use_case import FilesSource, ServiceSource, SimulateSource, SqlSource
from driftbook.errors import ConfigError, DataError
from driftbook.schema import TIME, check_columns, iso_time

COMMON_FORMATS = ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y%m%d")
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Dealt:
    """``rows`` in order of time, with ``event_time`` and ``row_id``; ``unreadable`` ones as text with a ``reason``."""

    rows: pl.DataFrame
    unreadable: pl.DataFrame


def deal(table: pl.DataFrame, case: UseCase) -> Dealt:
    """Add ``event_time``, and ``row_id`` where the table has no identifier.

    Parameters
    ----------
    table
        Raw table in the order of its source. Without an identifier a row is named by its place in it.

    Raises
    ------
    SchemaError
        If columns that the use case names are missing.
    ConfigError
        If ``source.stream_start`` is missing; the message proposes a day.
    DataError
        If no time can be read, or the table is too short for two batches.
    """
    check_columns(table.columns, case)
    table = _with_iso_dates(table, case)
    if case.columns.id is None:
        digits = len(str(table.height))
        place = pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(digits)
        table = table.with_columns(pl.concat_str(pl.lit("row-"), place).alias("row_id"))
    if case.columns.event_time is not None or isinstance(case.source, SimulateSource):
        return _sort_by_time(table, case)
    return Dealt(rows=_deal_to_days(table, case), unreadable=pl.DataFrame())


def first_day_of_stream(case: UseCase) -> date:
    """Where history ends and the stream begins, as the use case declares it."""
    source = case.source.history if isinstance(case.source, ServiceSource) else case.source
    if source.stream_start is None:
        raise ConfigError(
            f"data/{case.name}/usecase.yaml: source.stream_start is required: the first day that is judged, "
            "rows before it are history"
        )
    return source.stream_start


def before_service(case: UseCase) -> UseCase:
    """The use case as it was before a service came: its source gives the days before ``source.since``."""
    if not isinstance(case.source, ServiceSource):
        return case
    return case.model_copy(update={"source": case.source.history})


def read_times(column: pl.Series, *, time_format: str | None = None) -> pl.Series:
    """Times of a column, in UTC without a zone; null where a value cannot be read.

    Parameters
    ----------
    time_format
        As for ``strftime``; ISO 8601 when absent.

    Examples
    --------
    >>> read_times(pl.Series(["2026-05-17", "2026-05-17T10:00:00+02:00", "?"])).to_list()
    [datetime.datetime(2026, 5, 17, 0, 0), datetime.datetime(2026, 5, 17, 8, 0), None]
    >>> read_times(pl.Series([17052026]), time_format="%d%m%Y").to_list()
    [datetime.datetime(2026, 5, 17, 0, 0)]
    """
    if isinstance(column.dtype, pl.Datetime):
        times = column.dt.convert_time_zone("UTC") if column.dtype.time_zone else column
        return times.dt.replace_time_zone(None).cast(TIME)
    if column.dtype == pl.Date:
        return column.cast(TIME)
    if column.dtype.is_numeric() and time_format is None:
        return pl.Series(column.name, [None] * column.len(), dtype=TIME)
    text = pl.col(column.name).cast(pl.String).str.strip_chars()
    if time_format is None:
        times_of = iso_time(text)
    else:
        times_of = text.str.to_datetime(time_format, strict=False, time_unit="us").dt.replace_time_zone(None)
    try:
        return column.to_frame().select(times_of.alias(column.name)).to_series()
    except pl.exceptions.PolarsError as error:
        cause = str(error).splitlines()[0]
        raise ConfigError(f"source.time_format {time_format!r} is no usable time format: {cause}") from error


def _with_iso_dates(table: pl.DataFrame, case: UseCase) -> pl.DataFrame:
    """Dates in the source's format as ISO 8601, which the schema reads; what cannot be read stays as it is."""
    time_format = case.source.time_format if isinstance(case.source, FilesSource | SqlSource) else None
    if time_format is None:
        return table
    for name in (name for name in case.columns.dates if table.schema[name] == pl.String):
        other = table[name].set(read_times(table[name]).is_not_null(), None)
        iso = read_times(other, time_format=time_format).dt.to_string("iso")
        table = table.with_columns(iso.fill_null(table[name]).alias(name))
    return table


def _sort_by_time(table: pl.DataFrame, case: UseCase) -> Dealt:
    name = case.columns.event_time or "event_time"
    time_format = case.source.time_format if isinstance(case.source, FilesSource | SqlSource) else None
    times = read_times(table[name], time_format=time_format).alias("event_time")
    if times.null_count() == table.height:
        raise DataError(_no_times(table[name], time_format=time_format))
    if not isinstance(case.source, ServiceSource) and case.source.stream_start is None:
        proposal = times.sort().drop_nulls()[int(times.drop_nulls().len() * case.source.history_share)].date()
        raise ConfigError(
            f"data/{case.name}/usecase.yaml: source.stream_start is required for a table with times: rows before it "
            f"are history; {case.source.history_share:.0%} of the rows lie before 'stream_start: {proposal}'"
        )
    raw = table[name].cast(pl.String, strict=False)
    place = times.fill_null(strategy="forward").fill_null(strategy="backward")
    unreadable = times.is_null()
    shown = raw.fill_null("").str.slice(0, 40)
    reason = pl.select(pl.concat_str(pl.lit(f"{name}: expected a time, found '"), shown, pl.lit("'"))).to_series()
    aside = (
        table.select(pl.all().cast(pl.String, strict=False))
        .with_columns(reason.alias("reason"), place.dt.to_string("iso"))
        .filter(unreadable)
    )
    rows = table.with_columns(times).filter(~unreadable).sort("event_time", maintain_order=True)
    return Dealt(rows=rows, unreadable=aside)


def _no_times(raw: pl.Series, *, time_format: str | None) -> str:
    present = raw.drop_nulls()
    first = present[:1]
    fitting = [each for each in COMMON_FORMATS if first.len() and read_times(first, time_format=each).null_count() == 0]
    proposal = f" (try {fitting[0]!r})" if fitting else ""
    wanted = f"the format {time_format!r}" if time_format else "ISO 8601, such as 2026-05-17T13:00:00"
    found = f"such as {str(first[0])!r}" if first.len() else "none"
    return f"no value of {raw.name!r} is a time: expected {wanted}, found {found}; give source.time_format{proposal}"


def _deal_to_days(table: pl.DataFrame, case: UseCase) -> pl.DataFrame:
    if not isinstance(case.source, FilesSource | SqlSource) or case.batch.rows is None:
        raise ConfigError(f"use case {case.name!r}: only rows of files or of a query are dealt to days")
    start, size, rows = first_day_of_stream(case), case.batch.rows, table.height
    batches = (rows + size // 2) // size  # a short rest joins the last batch, a long one is a batch of its own
    if batches < 2:
        raise DataError(
            f"{rows} rows give {max(batches, 1)} batch of {size}, expected at least 2 (one of history, one of stream); "
            f"lower batch.rows in data/{case.name}/usecase.yaml to {max(20, rows // 20)}"
        )
    history = min(batches - 1, max(1, round(batches * case.source.history_share)))
    place = np.arange(rows)
    batch = np.minimum(place // size, batches - 1)
    length = np.bincount(batch)[batch]
    second = (place - batch * size) * SECONDS_A_DAY // length
    offset = pl.Series((batch - history) * SECONDS_A_DAY + second) * 1_000_000
    first = pl.Series("event_time", [start]).cast(TIME)
    if case.source.deal.order == "shuffled":
        table = table[np.random.default_rng(abs(case.seed)).permutation(rows)]
    return table.with_columns((first + offset.cast(pl.Duration("us"))).alias("event_time"))
