"""Which prediction a late target belongs to, and which of several counts.

A target names its prediction, or its entity. By entity it belongs to the entity's latest prediction that was at least
the label delay old when the truth became known, since that is how long the truth about a row takes; where no
prediction is that old, to its latest one. The first target of a row counts, as everywhere: records rest on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from driftbook.data.ingestion import TARGET_SCHEMA
from driftbook.schema import TIME
from driftbook.serving.log_reader import Kept

_GIVEN = {"prediction_id": pl.String(), "entity": pl.String(), "known_time": TIME, "target": pl.String()}


def assign_targets(
    given: Sequence[Kept], rows: pl.DataFrame, earlier: pl.DataFrame, *, delay: timedelta
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Targets of a day with the rows they belong to, and how many there were of each kind.

    Parameters
    ----------
    given
        As the log keeps them, in the order they became known.
    rows
        Rows of the batches so far: ``row_id``, ``batch_id``, ``event_time``, ``entity``.
    earlier
        Targets of earlier days: ``row_id``, ``target``.
    delay
        Time from a row's event to the day its target is known.

    Returns
    -------
    A frame of the target schema in the order of ``rows``, and counts: ``added``; ``repeated`` and ``contradicting``
    ones of rows that have a target; ``unmatched`` ones, which belong to no row of a batch.

    Examples
    --------
    >>> monday = datetime(2026, 6, 1)
    >>> rows = pl.DataFrame({"row_id": ["a"], "batch_id": ["2026-06-01"], "event_time": [monday], "entity": ["c"]})
    >>> known = {"prediction_id": None, "entity": "c", "known_at": "2026-06-04T00:00:00", "target": "yes"}
    >>> earlier = pl.DataFrame(schema=TARGET_SCHEMA)
    >>> found, told = assign_targets([known, known], rows, earlier, delay=timedelta(days=3))
    >>> found["row_id"].to_list(), told
    (['a'], {'added': 1, 'repeated': 1, 'contradicting': 0, 'unmatched': 0})
    """
    rows = rows.with_columns(pl.col("event_time").cast(TIME)).with_row_index("place")
    named = pl.DataFrame(
        [{**each, "known_time": datetime.fromisoformat(each["known_at"])} for each in given], schema=_GIVEN
    ).with_row_index("order")
    by_row = named.filter(pl.col("prediction_id").is_not_null()).with_columns(row_id="prediction_id")
    by_entity = _rows_of_entities(named.filter(pl.col("entity").is_not_null()), rows, delay=delay)
    columns = ["order", "row_id", "known_time", "target"]
    matched = pl.concat([by_row.select(columns), by_entity.select(columns)]).join(
        rows.select("row_id", "batch_id", "event_time", "place"), on="row_id", how="inner"
    )
    first = matched.sort("order").unique("row_id", keep="first")
    recorded = pl.concat([earlier.select("row_id", "target"), _not_in(first, earlier).select("row_id", "target")])
    new = _not_in(first, earlier).sort("place")
    against = matched.join(recorded, on="row_id", how="inner", suffix="_recorded")
    contradicting = against.filter(pl.col("target") != pl.col("target_recorded")).height
    told = {
        "added": new.height,
        "repeated": matched.height - new.height - contradicting,
        "contradicting": contradicting,
        "unmatched": named.height - matched.height,
    }
    return new.select(list(TARGET_SCHEMA)), told


def _not_in(targets: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    return targets.join(earlier.select("row_id"), on="row_id", how="anti")


def _rows_of_entities(named: pl.DataFrame, rows: pl.DataFrame, *, delay: timedelta) -> pl.DataFrame:
    """Adds ``row_id``: the entity's latest row at least ``delay`` before, else its latest before."""
    candidates = rows.sort("event_time", "place").select("entity", "row_id", "event_time")
    due = named.with_columns(due=pl.col("known_time") - delay).sort("due")
    due = due.join_asof(
        candidates, left_on="due", right_on="event_time", by="entity", strategy="backward", check_sortedness=False
    )
    latest = named.sort("known_time").join_asof(
        candidates,
        left_on="known_time",
        right_on="event_time",
        by="entity",
        strategy="backward",
        check_sortedness=False,
    )
    both = due.join(latest.select("order", latest="row_id"), on="order", how="left")
    return both.with_columns(row_id=pl.coalesce("row_id", "latest"))
