"""What the model in use did: who was champion on which day, how its decisions turned out, what is expected of the rest.

The figures of a day are those of the champion in office on it, for these are the decisions that were acted on. A single
version is looked at by itself where somebody asks for it, also on days on which it only ran in the shadow.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from driftbook.dashboard.known import Known
from driftbook.dashboard.realised import realised
from driftbook.figures.panel import Mark

INTERVAL = ("value", "low", "high")


def champions(known: Known) -> pl.DataFrame:
    """The champion in office on each day: ``day, version``."""
    served = [(date.fromisoformat(entry["day"]), entry["during"]["champion"]) for entry in known.entries]
    return pl.DataFrame(served, schema={"day": pl.Date(), "version": pl.Int64()}, orient="row")


def changes(known: Known) -> list[Mark]:
    """The days on which another champion was in office than on the day before, to be marked in figures."""
    served = champions(known)
    changed = served.filter(pl.col("version") != pl.col("version").shift(1))
    return [(day, f"version {version}") for day, version in changed.iter_rows()]


def targets_out(known: Known) -> pl.DataFrame:
    """Each day's rows that the champion scored, how many targets of them are known, and when they are expected.

    Returns
    -------
    ``day, scored, known, expected_on``, oldest first.
    """
    scored = known.table("predicted").group_by("day").agg(scored=pl.col("rows").sum())
    outcomes = known.table("outcomes").join(champions(known), on=["day", "version"], how="semi")
    found = outcomes.group_by("day").agg(known=pl.col("rows").sum())
    joined = scored.join(found, on="day", how="left").with_columns(pl.col("known").fill_null(0)).sort("day")
    return joined.with_columns(expected_on=pl.col("day") + known.case.label_delay)


def realised_over_time(known: Known, version: int | None, *, weekly: bool) -> pl.DataFrame:
    """Figures of decisions with known targets, by day or week of the decision.

    Parameters
    ----------
    version
        None: on each day the champion in office.

    Returns
    -------
    See :func:`driftbook.dashboard.realised.realised`; ``batch_id`` is a day, of a week its Monday.
    """
    outcomes = _of(known, known.table("outcomes"), version)
    if outcomes.is_empty():
        return realised(outcomes.with_columns(_period(weekly)), classes=[], positive=None)
    classes = classes_of(known, version or int(known.entries[-1]["during"]["champion"]), outcomes)
    return realised(outcomes.with_columns(_period(weekly)), classes=classes, positive=known.case.columns.positive_class)


def estimated_over_time(known: Known, version: int | None, *, weekly: bool) -> pl.DataFrame:
    """Figures estimated without targets, by day or week; without a value where targets known by now contradict them.

    A week's figure is the mean of its days by their rows, and so are the ends of its interval: what days share of the
    uncertainty does not average out, and here all of it is taken as shared.

    Returns
    -------
    ``batch_id, metric, value, low, high, rows, withdrawn``.
    """
    since: dict[int, str] = {}
    for entry in known.entries:
        gone = (entry.get("estimate") or {}).get("withdrawn")
        if gone:
            since[entry["during"]["champion"]] = gone["since"][:10]
    estimates = _of(known, known.table("estimates"), version)
    first = pl.col("version").replace_strict(since, default=None, return_dtype=pl.String)
    contradicted = (pl.col("day").dt.to_string("%Y-%m-%d") >= first).fill_null(False)
    rows = estimates.with_columns(_period(weekly), withdrawn=contradicted).drop_nulls("value")
    mean = [((pl.col(name) * pl.col("rows")).sum() / pl.col("rows").sum()).alias(name) for name in INTERVAL]
    summed = rows.group_by("batch_id", "metric").agg(*mean, pl.col("rows").sum(), pl.col("withdrawn").any())
    believed = [pl.when(~pl.col("withdrawn")).then(name).alias(name) for name in INTERVAL]
    return summed.with_columns(believed).sort("batch_id", "metric")


def classes_of(known: Known, version: int, outcomes: pl.DataFrame) -> list[str]:
    """The classes that a version knows, and what others decided besides."""
    classes: Sequence[str] = known.training(version)["classes"]
    return [*classes, *sorted(set(outcomes["prediction"].unique().to_list()) - set(classes))]


def _of(known: Known, rows: pl.DataFrame, version: int | None) -> pl.DataFrame:
    """The rows of a version, or of the champion in office on each day."""
    if version is not None:
        return rows.filter(pl.col("version") == version)
    return rows.join(champions(known), on=["day", "version"], how="semi")


def _period(weekly: bool) -> pl.Expr:
    day = pl.col("day").dt.truncate("1w") if weekly else pl.col("day")
    return day.dt.to_string("%Y-%m-%d").alias("batch_id")
