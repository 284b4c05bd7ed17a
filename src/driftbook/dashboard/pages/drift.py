"""Feature drift: how far each column lies from the data the champion learned from, against limits with a budget.

Every number is a multiple of a column's own limit, so that columns and methods can be compared. What was measured was
measured by a build; here it is only cut, put in order and drawn. Long histories are drawn by weeks, the worst day
standing for its week.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from driftbook.config.policy import Policy
from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Card, Choice, Options, Page
from driftbook.dashboard.parts import Tile, fitted, note, sentences, show, tiles
from driftbook.dashboard.pictures import picture
from driftbook.dashboard.served import changes
from driftbook.dashboard.state import Selection
from driftbook.errors import StateError
from driftbook.figures import (
    column_over_time,
    drift_bars,
    drift_by_importance,
    drift_heatmap,
    reference_vs_counts,
)
from driftbook.figures.drift import SHORT_NAMES
from driftbook.figures.excess_scale import WHOLE, shown_name, shown_value, times
from driftbook.tables import format_value, table
from driftbook.words import plain

MOST_DAYS = 120  # a longer history is drawn by weeks
BY_WEEKS = "By weeks, named by their Monday: the worst day of a week stands for it."
SHOWN_BARS, SHOWN_ROWS = 18, 20
SHOWN_COLUMNS = 24  # in the heat map
ADDED = ("below", "above", "others", "unseen", "missing", "rows")
COLUMN = Choice("column", "Column", lambda known, selection: _columns(known))
SPAN = Choice("span", "Compare", lambda known, selection: (("the day", "1"), ("the last 7 days", "7")))
ROWS = Choice("rows", "Table", lambda known, selection: ((f"{SHOWN_ROWS} strongest", "strongest"), ("all", "all")))


def _summary(known: Known, selection: Selection) -> str:
    rows = _today(known)
    drifted = rows.filter("drifted")
    heard = drifted.filter("matters")
    features = heard.filter(role="feature")
    loudest = _loudest(rows)
    numbers = [
        Tile(
            "features drifted",
            f"{features.height} of {rows.filter(role='feature').height}",
            note=_and_others(heard, drifted),
            tone="bad" if heard.height else "good",
        ),
        Tile(
            "strongest signal",
            _at(loudest),
            note=f"{shown_name(loudest)}: {plain(loudest['method'])} {shown_value(loudest)}",
        ),
        Tile(
            "weight of what drifted",
            float(features["importance"].sum()),
            format="percent",
            note="what these features carry of the model's score; retraining asks for "
            f"{format_value(known.policy.retraining.drifted_importance, format='percent')} or more",
        ),
        Tile("compared with", f"version {loudest['version']}", note="the rows this champion was trained on"),
    ]
    return tiles(numbers) + sentences(promise(known.policy, [entry["drift"]["alarmed"] for entry in known.entries]))


def promise(policy: Policy, alarmed: Sequence[bool]) -> list[str]:
    """What the limits stand for, and how often a day alarmed beside it.

    Examples
    --------
    >>> from driftbook.config import load_policy
    >>> for sentence in promise(load_policy("calibrated"), [False] * 60 + [True] * 13):
    ...     print(sentence)
    The limits of all columns and methods together allow 1 false alarm in 365 days.
    73 days were judged: by chance about 0.2 of them would alarm, 13 did.
    """
    threshold, days, count = policy.drift.threshold, len(alarmed), sum(alarmed)
    judged = f"{format_value(days)} day{'' if days == 1 else 's'} {'was' if days == 1 else 'were'} judged"
    if threshold.kind == "calibrated":
        budget = format_value(threshold.days_per_false_alarm)
        chance = format_value(days / threshold.days_per_false_alarm)
        return [
            f"The limits of all columns and methods together allow 1 false alarm in {budget} days.",
            f"{judged}: by chance about {chance} of them would alarm, {format_value(count)} did.",
        ]
    if threshold.kind == "reference_spread":
        spread = f"{format_value(threshold.standard_deviations)} standard deviations over the reference's own batches"
        origin = f"A limit is the mean plus {spread}; how often it is passed by chance is not known."
    else:
        origin = f"The limits are fixed by the policy {policy.name}; how often they are passed by chance is not known."
    return [origin, f"{judged}, {format_value(count)} alarmed."]


def _bars(known: Known, selection: Selection) -> str:
    rows = _today(known)
    day, first = str(rows["batch_id"][0]), _loudest(rows)
    found = f"Strongest on {day}: {shown_name(first)}, {_at(first)} its limit."
    return picture(lambda: drift_bars(rows, day, max_columns=SHOWN_BARS), found=found)


def _scores(known: Known, selection: Selection) -> str:
    rows = _ranked(_today(known))
    silent = pl.col("drifted") & ~pl.col("matters")
    shown = rows.select(
        pl.Series("column", [shown_name(row) for row in rows.iter_rows(named=True)], dtype=pl.String),
        pl.Series("strongest signal", [_signal(row) for row in rows.iter_rows(named=True)], dtype=pl.String),
        pl.col("excess").round(4),
        pl.col("importance").round(5),
        pl.when(silent).then(pl.lit("wakes nobody")).otherwise("band").alias("band"),
    )
    whole = ROWS.value(known, selection) == "all"
    labels = {"excess": "times its limit", "importance": "weight", "band": "verdict"}
    found = table(
        shown,
        caption=f"Scores of {rows['batch_id'][0]}; weight: share of the model's score",
        formats={"importance": "percent"},
        labels=labels,
        max_rows=rows.height if whole else SHOWN_ROWS,
    )
    return fitted(show(found), spare=[2, 4])


def _map(known: Known, selection: Selection) -> str:
    rows, by_week = _over_time(known)
    marks = changes(known)
    weekly, units = (note(BY_WEEKS), "weeks") if by_week else ("", "days")
    return weekly + picture(lambda: drift_heatmap(rows, max_columns=SHOWN_COLUMNS, marks=marks, units=units), wide=True)


def _distribution(known: Known, selection: Selection) -> str:
    column = COLUMN.value(known, selection)
    mine = known.table("distributions", column=column)
    version = _today(known)["version"][0]
    mine = mine.filter(pl.col("version") == version)
    reference, days = mine.filter(pl.col("day").is_null()), mine.drop_nulls("day")
    span = int(SPAN.value(known, selection))
    days = days.filter(pl.col("day") > known.day - timedelta(days=span)).sort("day")
    if reference.is_empty() or days.is_empty():
        return note(f"{_moved(known, column)} No distribution of {column} was recorded for {known.day}.")
    then, now = reference.row(0, named=True), _together(days)
    first, last = format_value(days["day"][0]), format_value(days["day"][-1])
    name = last if first == last else f"{first} to {last}"
    shown = plain(column) if column not in known.case.columns.features else column
    names = ("reference", name)
    return picture(lambda: reference_vs_counts(then, now, column=shown, names=names), found=_moved(known, column))


def _history(known: Known, selection: Selection) -> str:
    column = COLUMN.value(known, selection)
    rows, by_week = _over_time(known, column=column)
    weekly, units = (note(BY_WEEKS), "weeks") if by_week else ("", "days")
    return weekly + picture(lambda: column_over_time(rows, column=column, units=units))


def _importance(known: Known, selection: Selection) -> str:
    rows = _today(known)
    return picture(lambda: drift_by_importance(rows))


def _moved(known: Known, column: str) -> str:
    """How far a column lies from the reference on the day, in a sentence."""
    rows = _today(known).filter(pl.col("column") == column)
    if rows.is_empty() or rows["excess"][0] is None:
        return f"It cannot be told whether {column} moved."
    row = rows.row(0, named=True)
    verdict = "drifted" if row["drifted"] else "not drifted"
    return f"{shown_name(row)}: {plain(row['method'])} at {times(row['excess'])} its limit, {verdict}."


def _together(days: pl.DataFrame) -> dict[str, Any]:
    """The counts of some days in the same bins, added up."""
    last: dict[str, Any] = days.row(-1, named=True)
    counts = [sum(each) for each in zip(*days["counts"].to_list(), strict=True)]
    return {**last, "counts": counts, **{name: int(days[name].sum()) for name in ADDED}}


def _compared(known: Known) -> pl.DataFrame:
    rows = known.table("drift_days")
    if rows.is_empty():
        raise StateError(f"No day of {known.case.name} has been compared with its reference by {known.day}.")
    return rows


def _today(known: Known) -> pl.DataFrame:
    """The newest day that has been compared, as the figures take it: a day is a batch."""
    rows = _compared(known)
    return rows.filter(pl.col("day") == rows["day"].max()).with_columns(_named("day"))


def _over_time(known: Known, *, column: str | None = None) -> tuple[pl.DataFrame, bool]:
    """All days, or where they are too many all weeks, of all columns or of one; and whether they are weeks."""
    rows = _compared(known)
    too_many = rows["day"].n_unique() > MOST_DAYS
    if column is not None:
        rows = rows.filter(pl.col("column") == column)
    if not too_many:
        return rows.with_columns(_named("day")), False
    line = pl.when(pl.col("role") == WHOLE).then("method").otherwise("column")  # as the figures tell them apart
    keyed = rows.with_columns(pl.col("day").dt.truncate("1w").alias("week"), line.alias("line"))
    worst = keyed.sort("drifted", "excess", nulls_last=False).unique(["week", "line"], keep="last")
    return worst.with_columns(_named("week")).sort("week", "line"), True


def _named(day: str) -> pl.Expr:
    return pl.col(day).dt.to_string("%Y-%m-%d").alias("batch_id")


def _loudest(rows: pl.DataFrame) -> dict[str, Any]:
    """The row that lies furthest beyond its limit, or comes nearest to it."""
    return rows.sort("excess", nulls_last=True, descending=True).row(0, named=True)


def _at(row: dict[str, Any]) -> str:
    return "cannot tell" if row["excess"] is None else times(row["excess"])


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    """What somebody is told of first, then what drifted, then the strongest."""
    heard = pl.col("drifted") & pl.col("matters")
    keys = [heard.alias("heard"), pl.col("drifted"), pl.col("excess")]
    return rows.sort(*keys, descending=True, nulls_last=True, maintain_order=True)


def _and_others(heard: pl.DataFrame, drifted: pl.DataFrame) -> str:
    """What drifted besides: what is predicted, and what hardly matters to the model."""
    others = [shown_name(row) for row in heard.filter(pl.col("role") != "feature").iter_rows(named=True)]
    silent = drifted.filter(~pl.col("matters")).height
    told = others + ([f"{silent} that hardly matter{'s' if silent == 1 else ''} to the model"] if silent else [])
    return f"and {', '.join(told)}" if told else ""


def _columns(known: Known) -> Options:
    """Every column of the day, the strongest first, with how far it lies from its reference."""
    rows = _ranked(_today(known)).filter(pl.col("role") != WHOLE).unique("column", maintain_order=True)
    return [(f"{shown_name(row)}{_strength(row)}", row["column"]) for row in rows.iter_rows(named=True)]


def _signal(row: dict[str, Any]) -> str:
    return f"{SHORT_NAMES.get(row['method'], plain(row['method']))} {shown_value(row)}"


def _strength(row: dict[str, Any]) -> str:
    return f" ({'◆ ' if row['drifted'] else ''}{_at(row)})"


PAGE = Page(
    "drift",
    "Feature drift",
    cards=(
        Card("How far the data lie from what the model learned", _summary, wide=True),
        Card("Columns by their strongest signal", _bars),
        Card("Drift and what it means to the model", _importance),
        Card("Distribution of the chosen column", _distribution),
        Card("The chosen column over time", _history),
        Card("All columns over time", _map, wide=True),
        Card("Every score of the day", _scores, wide=True),
    ),
    choices=(COLUMN, SPAN, ROWS),
)
