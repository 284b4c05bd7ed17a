"""The text of a ``usecase.yaml``: how rows become a stream, and every number with its comment.

Rows without a time are dealt to days; how many a day follows from the wish for thresholds learnt from twenty batches
of history or more. Rows with a time are cut by day, or by hour where the days are too few; the stream begins where
60 % of the rows have passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
import yaml

from driftbook.data.dealing import COMMON_FORMATS, read_times
from driftbook.data.roles import MAX_UNREADABLE, Roles, Task, unreadable_note
from driftbook.data.sniffing import Form
from driftbook.data.sources import NULL_VALUES
from driftbook.errors import DataError

STREAM_START = date(2026, 5, 17)  # of dealt rows: any day would do, but it must stay the same
BATCHES = 50  # 30 of them history
MIN_BATCHES = 34  # 20 of them history
MIN_BATCH_ROWS = 20
HISTORY_SHARE = 0.6
LINE_LENGTH = 114


@dataclass(frozen=True)
class Stream:
    """How rows become a stream: where it starts, how it is cut, and remarks for a person."""

    start: date
    batch: str
    order: str | None = None
    time_format: str | None = None
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Found:
    """All that was found out about a table."""

    file: Path
    form: Form
    target: str
    time: str | None
    id: str | None
    task: Task
    roles: Roles
    stream: Stream


def dealt_stream(rows: int) -> Stream:
    """Days of so many rows each, a round number.

    Examples
    --------
    >>> dealt_stream(7043).batch
    'rows: 140'
    """
    exact = max(MIN_BATCH_ROWS, rows // BATCHES)
    scale = 10 ** max(0, len(str(exact)) - 2)
    size = exact // scale * scale
    notes = [f"no time column: rows are dealt to days of {size} in shuffled order (deal.order: file keeps the file's)"]
    if rows // size < MIN_BATCHES:
        notes.append(f"{rows} rows give few batches of {size}: drift will often be 'cannot tell'")
    return Stream(start=STREAM_START, batch=f"rows: {size}", order="shuffled", notes=tuple(notes))


def timed_stream(column: pl.Series) -> Stream:
    """Days or hours of the event time.

    Raises
    ------
    DataError
        If the column holds no times, or all on one day.
    """
    time_format, notes = _time_format(column)
    times = read_times(column, time_format=time_format).drop_nulls().sort()
    days = times.dt.date()
    start = days[int(len(days) * HISTORY_SHARE)]
    if start == days[0]:
        start = next((day for day in days.unique().sort() if day > days[0]), start)
    if start == days[0]:
        raise DataError(f"all rows of {column.name!r} lie on {start}; expected two days or more: leave --time away")
    hours, dates = times.dt.truncate("1h").n_unique(), days.n_unique()
    is_hourly = dates < MIN_BATCHES <= hours and len(times) >= hours * MIN_BATCH_ROWS
    period = "hour" if is_hourly else "day"
    batches = hours if is_hourly else dates
    if days.value_counts()["count"].max() < MIN_BATCH_ROWS:  # type: ignore[operator]
        notes.append(
            f"drift will be 'cannot tell' in every batch: {len(times) // batches} rows a {period}, "
            f"{MIN_BATCH_ROWS} are needed; leave out --time and give batch.rows, or join days before"
        )
    elif len(times) < batches * MIN_BATCH_ROWS:
        notes.append(f"{len(times) // batches} rows a {period} are few: drift will often be 'cannot tell'")
    elif batches < MIN_BATCHES:
        notes.append(f"{batches} batches are few: thresholds are learnt from shuffled rows of the history")
    notes.append(f"one batch a {period}; the stream starts on {start}, rows before are history")
    return Stream(start=start, batch=f"period: {period}", time_format=time_format, notes=tuple(notes))


def render(found: Found) -> str:
    """The text of the ``usecase.yaml``."""
    lines = [
        f"# Declared by driftbook init from {found.file.name}. What was guessed is yours to put right.",
        f"title: {_scalar(_title(found))}",
        f"task: {found.task.task}",
        "label_delay_days: 0                  # targets are known the same day; raise it if they come later",
        "",
        *_column_lines(found),
        "",
        *_source_lines(found),
        "",
        "batch:",
        f"  {found.stream.batch:<34} # one batch is judged at a time",
        "",
        "policy: calibrated                   # alarms at most once a year without drift; see src/driftbook/policies",
    ]
    return "\n".join(lines) + "\n"


def _title(found: Found) -> str:
    return f"{found.target} of {found.file.name.partition('.')[0]}"


def _column_lines(found: Found) -> list[str]:
    task, roles = found.task, found.roles
    lines = ["columns:"]
    lines += [f"  id: {_scalar(found.id)}"] if found.id else []
    lines += [f"  event_time: {_scalar(found.time)}"] if found.time else []
    lines.append(f"  target: {_scalar(found.target)}")
    if task.positive_class is not None:
        lines.append(f"  positive_class: {_scalar(task.positive_class):<18} # the class whose probability is predicted")
    for role in ("numeric", "categorical", "dates"):
        lines += _flow(role, getattr(roles, role)) if getattr(roles, role) else []
    if roles.left_out:
        lines.append("  left_out:                          # seen by nobody; the reason beside each")
        lines += [f"    {_scalar(name)}: {_scalar(reason)}" for name, reason in roles.left_out.items()]
    return lines


def _source_lines(found: Found) -> list[str]:
    form, stream = found.form, found.stream
    lines = ["source:", "  kind: files", f"  path: {_scalar(found.file.name)}"]
    lines += [f"  separator: {_scalar(form.separator)}"] if form.separator != "," else []
    lines += [f"  encoding: {form.encoding}"] if form.encoding != "utf8" else []
    lines += _flow("header", form.header) if form.header else []
    if found.roles.missing_marks:
        lines += _flow("null_values", (*NULL_VALUES, *found.roles.missing_marks))
    time_format = stream.time_format or found.roles.time_format
    lines += [f"  time_format: {_scalar(time_format)}"] if time_format else []
    if stream.order:
        lines.append(f"  deal: {{order: {stream.order}}}            # file: if the rows lie in order of time")
    lines.append(f"  stream_start: {stream.start}           # the first day that is judged; before it is history")
    if stream.order:
        lines.append(f"  history_share: {HISTORY_SHARE}                 # of the batches")
    return lines


def _flow(key: str, items: Sequence[str]) -> list[str]:
    """A list in brackets, wrapped between its items."""
    lines = [f"  {key}: ["]
    for place, item in enumerate(items, start=1):
        text = _scalar(item, in_list=True) + (", " if place < len(items) else "]")
        if len(lines[-1]) + len(text) > LINE_LENGTH:
            lines.append(" " * 6)
        lines[-1] += text
    return [line.rstrip() for line in lines]


def _scalar(text: str | None, *, in_list: bool = False) -> str:
    """A text as YAML writes it on one line: quoted only where it must be (``'1'``, ``'yes'``)."""
    if in_list:
        return str(yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6)).strip()[1:-1]
    dumped = str(yaml.safe_dump({"x": text}, default_flow_style=False, allow_unicode=True, width=10**6))
    return dumped.removeprefix("x:").strip()


def _time_format(column: pl.Series) -> tuple[str | None, list[str]]:
    """The format of the times; nothing for ISO 8601 and for columns that are times already."""
    filled = column.drop_nulls()
    formats = (None,) if column.dtype.is_temporal() else (None, *COMMON_FORMATS)
    unread = {each: read_times(filled, time_format=each).null_count() for each in formats}
    best = min(formats, key=lambda each: unread[each])
    strange = filled.filter(read_times(filled, time_format=best).is_null())
    if filled.is_empty() or len(strange) > MAX_UNREADABLE * len(filled):
        found = "no value at all"
        if len(strange):
            form = f" as {best or 'ISO 8601'}" if len(strange) < len(filled) else ""
            found = f"{len(strange)} of {len(filled)} values cannot be read{form}, the first is {str(strange[0])!r}"
        raise DataError(
            f"{column.name!r} holds no times driftbook knows: {found}; expected ISO 8601 (2026-05-17T13:00:00) "
            f"or one of {', '.join(COMMON_FORMATS)}: convert the column, or leave --time away"
        )
    note = unreadable_note(column.name, strange, filled=len(filled), wanted="time")
    notes = [note] if note else []
    if best is not None:
        others = [str(each) for each in formats if each != best and unread[each] == unread[best]]
        doubt = f" ({', '.join(others)} would fit too: check it)" if others else ""
        notes.append(f"times are read as {best}{doubt}")
    return best, notes
