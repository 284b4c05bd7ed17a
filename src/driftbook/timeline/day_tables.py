"""The day tables: small tables of all days so far, written by each build for the dashboard, which computes nothing.

They lie beside the records in the report's folder, ``<name>.parquet`` each. Every row says from which day on it was
known, in ``known_on`` where the table has it, else in ``day``: cut to an earlier day (:func:`cut`), a table is what
the build of that day wrote. So any day can be shown as it was seen on its evening, from the newest report alone.

* ``drift_days``: a row a day and column, its strongest batch and method against the champion in office on that day.
  ``excess`` is the value over its limit (1: the line), ``drifted`` says whether any batch of the day did by any
  method, ``importance`` the column's share in that champion's score (features only). Target drift is left out: it is
  seen later.
* ``distributions``: features, ``prediction`` and ``prediction_score`` of a day in the same bins as the champion's
  reference, whose own row has no ``day``. Numbers have ``edges`` (one more than ``counts``), of equal width around
  the middle of the reference, and rows ``below`` and ``above`` them; texts have ``labels``, ``others`` (rows of
  rarer categories of the reference) and ``unseen`` (rows of none). All with ``missing`` they add up to ``rows``.
* ``outcomes``, ``score_outcomes``, ``segment_outcomes``: decisions with known targets, by the day on which the targets
  became known: sums of rows with ``known_on`` up to a day are what was known then. Of each version that was champion
  or challenger, on the rows after its training up to the last day it was in office. ``score_bin`` is the percent of
  the positive class's score, rounded down (two classes only); ``brier_sum`` sums the squared errors.
* ``estimates``: figures of a day estimated without targets, of the versions in office on it. Whether they were
  withdrawn later the journal's entries say.
* ``volumes``: a row a day: what came, what was set aside on it, cells without a value, rows with a category that the
  champion's training never saw, rows that look made up, rows scored. ``predicted``: the champion's decisions.
* ``alerts_days``: a row for each day on which an alert was raised or grew, as it read on that day's evening; why it
  drifted is told on its last day only.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
from polars._typing import PolarsDataType

from driftbook.storage import read_parquet

Schema = dict[str, PolarsDataType]

_BY_DAY: Schema = {"day": pl.Date(), "version": pl.Int64()}
DAY_TABLES: dict[str, Schema] = {
    "drift_days": {
        **_BY_DAY,
        **dict.fromkeys(("column", "kind", "role", "method", "on"), pl.String()),
        **dict.fromkeys(("statistic", "p_value", "drift_score", "threshold", "excess"), pl.Float64()),
        **{"band": pl.String(), "drifted": pl.Boolean(), "matters": pl.Boolean()},
        **{"drifted_batches": pl.Int64(), "batches": pl.Int64(), "importance": pl.Float64(), "note": pl.String()},
    },
    "distributions": {
        **{"known_on": pl.Date(), **_BY_DAY, "column": pl.String(), "kind": pl.String()},
        **{"edges": pl.List(pl.Float64()), "labels": pl.List(pl.String()), "counts": pl.List(pl.Int64())},
        **dict.fromkeys(("below", "above", "others", "unseen", "missing", "rows"), pl.Int64()),
    },
    "outcomes": {
        **{"version": pl.Int64(), "day": pl.Date(), "known_on": pl.Date()},
        **{"prediction": pl.String(), "target": pl.String(), "rows": pl.Int64(), "brier_sum": pl.Float64()},
    },
    "score_outcomes": {
        **{"version": pl.Int64(), "known_on": pl.Date(), "score_bin": pl.Int64()},
        **{"positive": pl.Boolean(), "rows": pl.Int64()},
    },
    "segment_outcomes": {
        **{"version": pl.Int64(), "known_on": pl.Date(), "column": pl.String(), "value": pl.String()},
        **{"rows": pl.Int64(), "correct": pl.Int64()},
    },
    "estimates": {
        **{**_BY_DAY, "metric": pl.String()},
        **{**dict.fromkeys(("value", "low", "high"), pl.Float64()), "rows": pl.Int64()},
    },
    "volumes": {
        "day": pl.Date(),
        **dict.fromkeys(("batches", "rows", "quarantined", "missing_cells", "cells"), pl.Int64()),
        **dict.fromkeys(("unseen", "outliers", "scored"), pl.Int64()),
    },
    "predicted": {**_BY_DAY, "prediction": pl.String(), "rows": pl.Int64(), "mean_score": pl.Float64()},
    "alerts_days": {
        "known_on": pl.Date(),
        **dict.fromkeys(("key", "severity", "subject", "message", "first_batch", "last_batch"), pl.String()),
    },
}


def load_day_table(folder: Path, name: str) -> pl.DataFrame:
    """A day table of the report in ``folder``, whole.

    Raises
    ------
    StateError
        If it is missing or broken.
    """
    return read_parquet(folder / f"{name}.parquet").select(list(DAY_TABLES[name]))


def cut(table: pl.DataFrame, day: date) -> pl.DataFrame:
    """The rows of a day table that were known at the end of a day.

    Examples
    --------
    >>> days = [date(2026, 6, 1), date(2026, 6, 1), date(2026, 6, 2)]
    >>> table = pl.DataFrame({"day": days, "known_on": [date(2026, 6, 4), date(2026, 6, 5), date(2026, 6, 5)]})
    >>> cut(table, date(2026, 6, 4)).height, cut(table.drop("known_on"), date(2026, 6, 1)).height
    (1, 2)
    """
    return table.filter(pl.col("known_on" if "known_on" in table.columns else "day") <= day)
