"""What a selection yields: the figures and the table beside them, free of widgets.

A period is compared with rows a person already trusts: the history the model learned from, or the days just before
the period. The target rate by value is shown beside the distribution, because a column may keep its distribution and
still come to mean something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Literal, get_args

import polars as pl

from driftbook.errors import ConfigError, UnknownNameError
from driftbook.explore.data import Exploration
from driftbook.explore.groups import describe, group_values, typical_value
from driftbook.figures import Figure, reference_vs_current, share_by_value, share_over_time
from driftbook.figures.canvas import batch_label, notice
from driftbook.model.metrics import wilson
from driftbook.tables import format_value
from driftbook.timeline.performance import onset_marks

Against = Literal["history", "days before"]
AGAINST: tuple[Against, ...] = get_args(Against)


@dataclass(frozen=True)
class Selection:
    """What a person picked: a column, a period, what to compare with and, of several classes, which one."""

    column: str
    since: date
    until: date
    against: Against = "history"
    target_class: str | None = None


@dataclass(frozen=True)
class Look:
    """What it yields: numbers, and four figures."""

    summary: pl.DataFrame
    distribution: Figure
    missing: Figure
    target_rate: Figure
    target_by_value: Figure

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures, in reading order."""
        return self.distribution, self.target_by_value, self.target_rate, self.missing


def look(exploration: Exploration, selection: Selection) -> Look:
    """Look at one column in one period.

    Raises
    ------
    UnknownNameError
        If the use case has no such column or class.
    ConfigError
        If the period ends before it begins.
    """
    target_class = _check(exploration, selection)
    column, label = selection.column, f"{exploration.case.columns.target} = {target_class}"
    rows = exploration.read([column], since=date.min, until=exploration.run.as_of)
    first, last = _compared_with(exploration, selection)
    before, period = _between(rows, first, last), _between(rows, selection.since, selection.until)
    names = (selection.against, _span(selection.since, selection.until))
    hits = pl.col("target") == target_class
    over_time = partial(_over_time, rows, before, selection=selection, marks=_marks(exploration))
    return Look(
        summary=_summary(before, period, column, names=names, hits=hits, label=label),
        distribution=reference_vs_current(before[column], period[column], column=column, names=names),
        missing=over_time(pl.col(column).is_null(), f"Missing values of {column}"),
        target_rate=over_time(hits, f"Target rate: {label}"),
        target_by_value=_by_value(before, period, column, names=names, hits=hits, title=f"{label}, by {column}"),
    )


def overview(exploration: Exploration) -> pl.DataFrame:
    """Every column in short, history beside stream: its kind, missing share and typical value.

    Returns
    -------
    ``column``, ``kind``, ``values`` (distinct ones), then ``missing`` and ``typical`` for both parts: the median of
    numbers, the most frequent value otherwise.
    """
    first = exploration.stream_days[0]
    rows = []
    for column, kind in exploration.columns.items():
        frame = exploration.read([column], since=date.min, until=exploration.run.as_of)
        later = pl.col("batch_id") >= first.isoformat()
        parts = [frame.filter(~later)[column], frame.filter(later)[column]]
        typical = [format_value(typical_value(part)) for part in parts]
        missing = [part.null_count() / part.len() if part.len() else None for part in parts]
        rows.append((column, kind, frame[column].drop_nulls().n_unique(), *missing, *typical))
    names = ("column", "kind", "values", "missing, history", "missing, stream", "typical, history", "typical, stream")
    return pl.DataFrame(rows, schema=list(names), orient="row", infer_schema_length=None)


def _check(exploration: Exploration, selection: Selection) -> str:
    if selection.until < selection.since:
        raise ConfigError(f"a period ends after it begins: found {selection.since} to {selection.until}")
    if selection.against not in AGAINST:
        raise UnknownNameError("comparison", selection.against, AGAINST)
    classes = exploration.classes
    if not classes:
        return "?"
    if selection.target_class is not None and selection.target_class not in classes:
        raise UnknownNameError("class", selection.target_class, classes)
    return selection.target_class or classes[0]


def _compared_with(exploration: Exploration, selection: Selection) -> tuple[date, date]:
    if selection.against == "history":
        return date.min, exploration.stream_days[0] - timedelta(days=1)
    length = selection.until - selection.since
    last = selection.since - timedelta(days=1)
    return last - length, last


def _between(rows: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    day = pl.col("batch_id").str.slice(0, 10)
    return rows.filter((day >= first.isoformat()) & (day <= last.isoformat()))


def _marks(exploration: Exploration) -> list[tuple[date, str]]:
    stream = exploration.stream_days
    begins = [(stream[0], "stream begins")] if len(stream) < len(exploration.days) else []
    return [*begins, *onset_marks(exploration.run)]


def _over_time(
    rows: pl.DataFrame,
    before: pl.DataFrame,
    hits: pl.Expr,
    title: str,
    *,
    selection: Selection,
    marks: list[tuple[date, str]],
) -> Figure:
    shares = _by_batch(rows, hits)
    if shares.height and not shares["hits"].sum():
        return notice(title, f"None in any of {format_value(shares.height)} batches.")
    period = (selection.since.isoformat(), selection.until.isoformat())
    return share_over_time(shares, title=title, period=period, level=_mean(before, hits), marks=marks)


def _by_batch(rows: pl.DataFrame, hits: pl.Expr) -> pl.DataFrame:
    """Share of hits per batch, of the rows on which it is known whether they are one."""
    counts = rows.group_by("batch_id").agg(rows=hits.count(), hits=hits.sum()).sort("batch_id")
    return _with_interval(counts)


def _with_interval(counts: pl.DataFrame) -> pl.DataFrame:
    estimates = [wilson(row["hits"], row["rows"]) for row in counts.iter_rows(named=True)]
    sides = (("share", "value"), ("low", "low"), ("high", "high"))
    columns = [pl.Series(name, [getattr(each, key) for each in estimates], dtype=pl.Float64) for name, key in sides]
    return counts.with_columns(columns).with_columns(pl.col("share").fill_nan(None))


def _mean(rows: pl.DataFrame, hits: pl.Expr) -> float | None:
    value = rows.select(hits.mean()).item()
    return None if value is None else float(value)


def _by_value(
    before: pl.DataFrame, period: pl.DataFrame, column: str, *, names: tuple[str, str], hits: pl.Expr, title: str
) -> Figure:
    if before[column].equals(before["target"]) and period[column].equals(period["target"]):
        return notice(title, "This column is the target: pick another one to see how the two belong together.")
    both = pl.concat([before.with_columns(side=pl.lit(names[0])), period.with_columns(side=pl.lit(names[1]))])
    value = group_values(both[column], like=before[column] if before.height else period[column]).alias("value")
    counts = both.with_columns(value).group_by("value", "side").agg(rows=hits.count(), hits=hits.sum())
    counts = counts.filter(pl.col("rows") > 0).sort("value", "side")
    shares = _with_interval(counts.with_columns(pl.col("value").cast(pl.String)))
    return share_by_value(shares, title=title, names=names)


def _summary(
    before: pl.DataFrame, period: pl.DataFrame, column: str, *, names: tuple[str, str], hits: pl.Expr, label: str
) -> pl.DataFrame:
    rows = [
        {
            "rows of": name,
            "rows": frame.height,
            "missing": _mean(frame, pl.col(column).is_null()),
            **describe(frame[column]),
            label: _mean(frame, hits),
        }
        for name, frame in zip(names, (before, period), strict=True)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _span(since: date, until: date) -> str:
    first, last = (batch_label(day.isoformat()) for day in (since, until))
    return first if first == last else f"{first} to {last}"
