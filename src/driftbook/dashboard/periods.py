"""Days, or weeks where there are too many days to tell apart: what a figure over a long time is drawn by.

A week is named by its Monday. Sums are summed over it; nothing is averaged that has to be weighed.
"""

from __future__ import annotations

import polars as pl

MOST_DAYS = 120


def unit(days: pl.Series) -> str:
    """What a point of a figure stands for: ``day``, or ``week`` for more than :data:`MOST_DAYS` days.

    Examples
    --------
    >>> from datetime import date
    >>> unit(pl.date_range(date(2026, 1, 1), date(2026, 3, 1), eager=True)), unit(
    ...     pl.date_range(date(2026, 1, 1), date(2026, 12, 31), eager=True))
    ('day', 'week')
    """
    return "day" if days.n_unique() <= MOST_DAYS else "week"


def by_period(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with a ``day``, in order, with ``batch_id``: the day, or the Monday of its week where there are many.

    Examples
    --------
    >>> from datetime import date
    >>> by_period(pl.DataFrame({"day": [date(2026, 6, 3)]}))["batch_id"].to_list()
    ['2026-06-03']
    """
    start = pl.col("day") if unit(frame["day"]) == "day" else pl.col("day").dt.truncate("1w")
    return frame.sort("day", maintain_order=True).with_columns(start.dt.strftime("%Y-%m-%d").alias("batch_id"))
