"""Where targets come late, a day of arrivals mixes rows of many days: how the rows known so far lie on days of events.

Three sums per day of arrival say all that the design effect needs (``design_effect.EventDays``). They are as of that
day, so that evidence as of an earlier day stays a prefix, and they are kept only where a day of arrivals is not simply
one day of events: with a fixed delay a record holds nothing of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from driftbook.decisions.design_effect import EventDays, Floats, PairedSums

NUMBER, SQUARED_ROWS = "number", "squared_rows"
METRICS = ("accuracy", "brier", "log_loss", "cost")

Lying = dict[str, float]


def lying_by_day(both: pl.DataFrame) -> Mapping[date, Lying]:
    """Per day of arrival: days of events known by then, their squared rows, and their squared totals by metric.

    Parameters
    ----------
    both
        ``known_on``, ``batch_id`` (begins with the day of the events), ``champion_…`` and ``challenger_…`` of each
        metric, in an order that is always the same.

    Returns
    -------
    The sums of each day; empty up to the first day on which targets of several days of events arrived, or some of a
    day after others of it.

    Examples
    --------
    >>> zero = {f"{model}_{name}": [0.0] * 3 for model in ("champion", "challenger") for name in METRICS[1:]}
    >>> both = pl.DataFrame({
    ...     "known_on": [date(2026, 6, 9), date(2026, 6, 10), date(2026, 6, 10)],
    ...     "batch_id": ["2026-06-08", "2026-06-08", "2026-06-09"],
    ...     "champion_correct": [True, False, True],
    ...     "challenger_correct": [True, True, True],
    ...     **zero,
    ... })
    >>> lying_by_day(both)[date(2026, 6, 10)]
    {'number': 2, 'squared_rows': 5, 'accuracy': 0.5, 'brier': 0.0, 'log_loss': 0.0, 'cost': 0.0}
    """
    gains = [
        (pl.col("challenger_correct").cast(pl.Int64) - pl.col("champion_correct").cast(pl.Int64))
        .sum()
        .alias(METRICS[0]),
        *((pl.col(f"champion_{name}") - pl.col(f"challenger_{name}")).sum().alias(name) for name in METRICS[1:]),
    ]
    event_day = pl.col("batch_id").str.slice(0, 10).alias("event_day")
    parts = both.group_by("known_on", event_day, maintain_order=True).agg(pl.len().alias("rows"), *gains)
    simple, found, known = True, dict[date, Lying](), dict[str, Floats]()
    for (day,), arrived in parts.sort("known_on", "event_day").partition_by("known_on", as_dict=True).items():
        simple = simple and arrived.height == 1 and arrived["event_day"][0] not in known
        for name, *sums in arrived.select("event_day", "rows", *METRICS).iter_rows():
            known[name] = known.get(name, np.zeros(len(sums))) + np.array(sums, dtype=np.float64)
        found[day] = {} if simple else _lying(np.array(list(known.values())))
    return found


def event_days(lying: Sequence[Lying], sums: PairedSums, *, metric: str, scale: float) -> EventDays:
    """What is on record, as the design effect takes it; where nothing is, each day is one of events.

    Parameters
    ----------
    lying
        Of each day of arrival, from :func:`lying_by_day`.
    sums
        Of the same days, divided by ``scale``.

    Examples
    --------
    >>> sums = PairedSums.of([100, 100], [4, 2], [10, 8], is_sign=True)
    >>> late = {"number": 3, "squared_rows": 14000, "accuracy": 0.3}
    >>> event_days([{}, late], sums, metric="accuracy", scale=1.0).number
    array([1., 3.])
    """
    own = EventDays.of(sums)
    told = np.array([bool(each) for each in lying], dtype=np.bool_)
    number, rows, totals = (
        np.array([each.get(name, 0.0) for each in lying], dtype=np.float64) for name in (NUMBER, SQUARED_ROWS, metric)
    )
    return EventDays(
        np.where(told, number, own.number),
        np.where(told, rows, own.squared_rows),
        np.where(told, totals / scale**2, own.squared_totals),
    )


def _lying(known: Floats) -> Lying:
    rows, totals = known[:, 0], known[:, 1:]
    squares = (totals**2 / rows[:, None]).sum(axis=0)
    told: Lying = {NUMBER: len(known), SQUARED_ROWS: int((rows**2).sum())}
    return told | {name: float(value) for name, value in zip(METRICS, squares, strict=True)}


def _number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int64)
