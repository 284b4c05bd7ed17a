"""Performance: how good the decisions turned out to be, and what is expected of those whose targets are still out.

What is realised comes late by nature. So it is never shown without how many targets are still out, and beside it
stands what the champion's own probabilities promise, until targets contradict them: then that is said, and the promise
is taken off the chart.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl

from driftbook.dashboard.in_short import performance_in_short
from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Card, Choice, Options, Page
from driftbook.dashboard.parts import fitted, note, show
from driftbook.dashboard.pictures import picture
from driftbook.dashboard.realised import METRICS, calibration, confusion, ranking, right_by_value
from driftbook.dashboard.served import changes, classes_of, estimated_over_time, realised_over_time, targets_out
from driftbook.dashboard.state import Selection
from driftbook.errors import StateError
from driftbook.figures import (
    calibration_curve,
    confusion_matrix,
    metric_over_time,
    ranking_curves,
    share_per_value,
    targets_known,
)
from driftbook.tables import Format, format_value, table
from driftbook.words import SHARES, plain

MOST_DAYS = 120  # a longer history is drawn by weeks unless days are asked for
Level = tuple[float, str]  # where, and its name
NEWEST = 10  # days or weeks in the table
SHOWN_DAYS = 30  # of targets that are out
KINDS = ("realised", "estimated")
CHAMPION = "champion"
PERIODS = {"day": ("by day", "day"), "week": ("by week", "week")}
WINDOWS = (("all so far", "all"), ("last 30 days", "30"), ("last 7 days", "7"))

VERSION = Choice("version", "Model", lambda known, selection: _versions(known))
METRIC = Choice("metric", "Metric", lambda known, selection: [(plain(name), name) for name in METRICS])
PERIOD = Choice("period", "Over time", lambda known, selection: _periods(known))
WINDOW = Choice("window", "Targets known", lambda known, selection: WINDOWS)
SEGMENT = Choice("segment", "Segment", lambda known, selection: _segments(known))


def _over_time(known: Known, selection: Selection) -> str:
    metric, weekly = METRIC.value(known, selection), PERIOD.value(known, selection) == "week"
    performance, estimated = _sides(known, selection, weekly=weekly)
    tested, limits = _levels(known, _version(known, selection), metric)
    limit, name = limits[-1] if limits else (None, "")
    served = VERSION.value(known, selection) == CHAMPION
    reigns = _reigns(known) if served else []
    who = "the champion in office" if served else f"version {_version(known, selection)}"
    title = f"{_title(metric)} of {who}"
    return picture(
        lambda: metric_over_time(
            performance,
            metric,
            limit=limit,
            limit_name=name,
            levels=[*tested, *limits[:-1]],
            marks=changes(known) if served else [],
            estimated=estimated if estimated.filter(metric=metric).height else None,
            since=reigns[-1][1] if reigns else None,
            earlier=[(first, last, _held(known, version, metric)) for version, first, last in reigns[:-1]],
        ),
        wide=True,
        found=f"{title}, {'week by week, each named by its Monday' if weekly else 'day by day'}.",
    )


def _figures(known: Known, selection: Selection) -> str:
    metric, weekly = METRIC.value(known, selection), PERIOD.value(known, selection) == "week"
    format: Format = "percent" if metric in SHARES else "auto"
    both = [
        side.filter(metric=metric).select("batch_id", pl.lit(kind).alias("kind"), "value", "low", "high", "rows")
        for kind, side in zip(KINDS, _sides(known, selection, weekly=weekly), strict=True)
    ]
    rows = pl.concat(both).drop_nulls("value")
    told = rows.with_columns(
        pl.Series("told", [_with_interval(row, format) for row in rows.iter_rows(named=True)], dtype=pl.String)
    )
    sides = {kind: told.filter(kind=kind).select("batch_id", pl.col("told").alias(kind)) for kind in KINDS}
    joined = sides["realised"].join(sides["estimated"], on="batch_id", how="full", coalesce=True)
    newest = joined.sort("batch_id", descending=True).head(NEWEST)
    frame = newest.select(pl.col("batch_id").alias("week" if weekly else "day"), *KINDS)
    caption = f"{_title(metric)} with its 95 % interval, the newest first"
    return fitted(show(table(frame, caption=caption, max_rows=NEWEST)), unbroken=[1])


def _confusion(known: Known, selection: Selection) -> str:
    version = _version(known, selection)
    rows = _windowed(known, selection, "outcomes")
    if rows.is_empty():
        return note(_nothing(version))
    classes = classes_of(known, version, rows)
    counts = confusion(rows, classes).tolist()
    return picture(lambda: confusion_matrix(counts, classes), rests_on=_rows_told(rows, version))


def _ranking(known: Known, selection: Selection) -> str:
    if known.case.task != "binary":
        return ""
    version, rows = _version(known, selection), _windowed(known, selection, "score_outcomes")
    if rows.is_empty():
        return note(_nothing(version))
    roc, precision_recall = ranking(rows)
    tested = known.training(version)["metrics"].get("roc_auc")
    before = f" Held-out rows in training: ROC AUC {format_value(tested['value'])}." if tested else ""
    return picture(lambda: ranking_curves(roc, precision_recall), rests_on=f"{_rows_told(rows, version)}{before}")


def _calibration(known: Known, selection: Selection) -> str:
    if known.case.task != "binary":
        return ""
    version, rows = _version(known, selection), _windowed(known, selection, "score_outcomes")
    if rows.is_empty():
        return note(_nothing(version))
    bins = calibration(rows)
    told = f"{_rows_told(rows, version)} Probability of {known.case.columns.positive_class}."
    return picture(lambda: calibration_curve(bins), rests_on=told)


def _segment(known: Known, selection: Selection) -> str:
    column = SEGMENT.value(known, selection)
    version, rows = _version(known, selection), _windowed(known, selection, "segment_outcomes")
    if not column:
        return ""
    rows = rows.filter(pl.col("column") == column)
    if rows.is_empty():
        return note(_nothing(version))
    shares, level = right_by_value(rows), int(rows["correct"].sum()) / int(rows["rows"].sum())
    title = f"Right decisions by {column}"
    together = f"all rows together {format_value(level, format='percent')}"
    return picture(
        lambda: share_per_value(shares, title=title, level=level),
        found=f"{title}; {together}.",
        rests_on=_rows_told(rows, version),
    )


def _targets_by_day(known: Known, selection: Selection) -> str:
    days = targets_out(known).tail(SHOWN_DAYS).with_columns(batch_id=pl.col("day").dt.to_string("%Y-%m-%d"))
    return picture(lambda: targets_known(days))


def _sides(known: Known, selection: Selection, *, weekly: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Realised and estimated figures of the chosen model, by day or by week."""
    version = None if VERSION.value(known, selection) == CHAMPION else _version(known, selection)
    return realised_over_time(known, version, weekly=weekly), estimated_over_time(known, version, weekly=weekly)


def _reigns(known: Known) -> list[tuple[int, str, str]]:
    """Which version served, from which judged day to which, oldest first."""
    found: list[tuple[int, str, str]] = []
    for entry in known.entries:
        version, day = entry["during"]["champion"], entry["day"]
        first = found.pop()[1] if found and found[-1][0] == version else day
        found.append((version, first, day))
    return found


def _held(known: Known, version: int, metric: str) -> list[tuple[float, str, bool]]:
    """What an earlier champion was held to; nothing where its training record is gone."""
    try:
        tested, limits = _levels(known, version, metric)
    except StateError:
        return []
    return [
        *((value, name, False) for value, name in tested),
        *((value, f"v{version} {name}", True) for value, name in limits),
    ]


def _levels(known: Known, version: int, metric: str) -> tuple[list[Level], list[Level]]:
    """What a figure was in training, and the limits it is held to."""
    found = known.training(version)["metrics"].get(metric)
    tested = [(float(found["value"]), f"v{version} tested at")] if found else []
    drop = known.policy.retraining.accuracy_drop
    limits = [(value - drop, "limit") for value, _ in tested] if metric == "accuracy" else []
    for rule in known.policy.retraining.rules:
        if rule.metric == metric:
            limits += [(rule.minimum, "at least")] if rule.minimum is not None else []
            limits += [(rule.maximum, "at most")] if rule.maximum is not None else []
    return tested, limits


def _windowed(known: Known, selection: Selection, name: str) -> pl.DataFrame:
    """Rows of a day table of the chosen version whose targets became known in the chosen time."""
    rows = known.table(name).filter(pl.col("version") == _version(known, selection))
    window = WINDOW.value(known, selection)
    if window == "all":
        return rows
    return rows.filter(pl.col("known_on") > known.day - timedelta(days=int(window)))


def _rows_told(rows: pl.DataFrame, version: int) -> str:
    first, last = format_value(rows["known_on"].min()), format_value(rows["known_on"].max())
    on = f"on {last}" if first == last else f"from {first} to {last}"
    return f"Version {version}, {rows['rows'].sum():,} rows whose targets became known {on}."


def _nothing(version: int) -> str:
    return f"No target of a row that version {version} decided is known in this time."


def _version(known: Known, selection: Selection) -> int:
    """The chosen version; of the champion the one that served the day, whoever was put into office since."""
    chosen = VERSION.value(known, selection)
    return int(known.entries[-1]["during"]["champion"] or 0) if chosen == CHAMPION else int(chosen)


def _versions(known: Known) -> Options:
    """The champion of each day, and every version by itself."""
    numbers = known.table("outcomes")["version"].unique().sort(descending=True).to_list()
    return [("champion in office", CHAMPION), *((f"version {number}", str(number)) for number in numbers)]


def _periods(known: Known) -> Options:
    """Days and weeks; weeks first where there are many days."""
    order = ("week", "day") if len(known.entries) > MOST_DAYS else ("day", "week")
    return [PERIODS[name] for name in order]


def _segments(known: Known) -> Options:
    columns = known.table("segment_outcomes")["column"].unique().sort().to_list()
    return [(column, column) for column in columns]


def _title(metric: str) -> str:
    return f"{plain(metric)[:1].upper()}{plain(metric)[1:]}"


def _with_interval(row: dict[str, Any], format: Format) -> str:
    value = format_value(row["value"], format=format)
    return value if row["low"] is None else f"{value} ({_between(row, format)})"


def _between(seen: dict[str, Any], format: Format) -> str:
    if seen["low"] is None:
        return format_value(None)
    return f"{format_value(seen['low'], format=format)} to {format_value(seen['high'], format=format)}"


PAGE = Page(
    "performance",
    "Performance",
    cards=(
        Card("How good the decisions are", lambda known, selection: performance_in_short(known), wide=True),
        Card("Over time", _over_time, wide=True),
        Card("What is taken for what", _confusion),
        Card("How well the score ranks", _ranking),
        Card("Whether probabilities can be believed", _calibration),
        Card("In numbers", _figures),
        Card("Targets by day", _targets_by_day),
        Card("Segments", _segment),
    ),
    choices=(VERSION, METRIC, PERIOD, WINDOW, SEGMENT),
)
