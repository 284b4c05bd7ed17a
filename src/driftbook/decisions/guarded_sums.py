"""Sums that the guardrails are judged by: per segment, and per bin of the calibration curve.

Both add up over days, so that evidence as of an earlier day stays a prefix. A bin needs one number: hits minus the
probability that was promised; the expected calibration error (Naeini, Cooper & Hauskrecht 2015) is the sum of their
amounts over bins, divided by the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

CALIBRATION_BINS = 10  # of equal width, of the probability of the decided class
MISSING = "(missing)"
SEGMENT = "segment "  # before a column's name, which may be any
DIGITS = 6  # of a sum on record: more would be noise of the order of summation
GAINS = ("brier", "log_loss", "cost")

Gaps = dict[str, float]
Segments = dict[str, dict[str, "SegmentSums"]]


class SegmentSums(NamedTuple):
    """Of the rows of one segment: wins and losses of the challenger, and what it gained in each other metric."""

    rows: int
    wins: int
    losses: int
    brier: float = 0.0
    log_loss: float = 0.0
    cost: float = 0.0

    def plus(self, other: SegmentSums) -> SegmentSums:
        """The sums of both.

        Examples
        --------
        >>> SegmentSums(10, 3, 1).plus(SegmentSums(5, 1, 0, cost=2.0))
        SegmentSums(rows=15, wins=4, losses=1, brier=0.0, log_loss=0.0, cost=2.0)
        """
        return SegmentSums(
            self.rows + other.rows,
            self.wins + other.wins,
            self.losses + other.losses,
            self.brier + other.brier,
            self.log_loss + other.log_loss,
            self.cost + other.cost,
        )

    def gain(self, metric: str) -> float:
        """The challenger's advantage per row, better is positive.

        Examples
        --------
        >>> SegmentSums(10, 3, 1).gain("accuracy")
        0.2
        """
        total = self.wins - self.losses if metric == "accuracy" else getattr(self, metric)
        return float(total) / max(self.rows, 1)


def calibration_error(days: Sequence[Gaps], rows: int) -> float:
    """Expected calibration error of the decided class, from 0 (kept its word) to 1.

    Parameters
    ----------
    days
        Per day and bin: hits minus promised probability.
    rows
        Of all days.

    Examples
    --------
    >>> calibration_error([{"7": 4.0, "9": -1.0}, {"7": -2.0}], rows=100)
    0.03
    """
    totals: Gaps = {}
    for day in days:
        for place, gap in day.items():
            totals[place] = totals.get(place, 0.0) + gap
    return sum(map(abs, totals.values())) / max(rows, 1)


def gaps_by_day(both: pl.DataFrame, model: str) -> Mapping[date, Gaps]:
    """Per day and bin of the decided class's probability: hits minus what was promised.

    Parameters
    ----------
    both
        ``known_on``, ``{model}_correct`` and ``{model}_confidence``, in an order that is always the same.
    """
    confidence = pl.col(f"{model}_confidence")
    place = (confidence * CALIBRATION_BINS).floor().clip(0, CALIBRATION_BINS - 1).cast(pl.Int64)
    gap = pl.col(f"{model}_correct").cast(pl.Float64) - confidence
    sums = both.group_by("known_on", place.alias("place"), maintain_order=True).agg(_rounded(gap.sum()).alias("gap"))
    days: dict[date, Gaps] = {}
    for day, number, total in sums.sort("known_on", "place").iter_rows():
        days.setdefault(day, {})[str(number)] = total
    return days


def segments_by_day(both: pl.DataFrame, columns: Sequence[str]) -> Mapping[date, Segments]:
    """Per day and segment: :class:`SegmentSums`; a missing value is a segment of its own.

    Parameters
    ----------
    both
        ``known_on``, the columns with :data:`SEGMENT` before their names, ``champion_…`` and ``challenger_…`` of each
        metric, in an order that is always the same.
    """
    champion, challenger = pl.col("champion_correct"), pl.col("challenger_correct")
    sums = [
        pl.len().alias("rows"),
        (challenger & ~champion).sum().alias("wins"),
        (champion & ~challenger).sum().alias("losses"),
        *(_rounded((pl.col(f"champion_{name}") - pl.col(f"challenger_{name}")).sum()).alias(name) for name in GAINS),
    ]
    days: dict[date, Segments] = {}
    for column in columns:
        value = pl.col(SEGMENT + column).cast(pl.String).fill_null(MISSING).alias("value")
        table = both.group_by("known_on", value, maintain_order=True).agg(*sums)
        for day, name, *numbers in table.sort("known_on", "value").iter_rows():
            days.setdefault(day, {}).setdefault(column, {})[name] = SegmentSums(*numbers)
    return days


def _rounded(total: pl.Expr) -> pl.Expr:
    return total.round(DIGITS) + 0.0  # no negative zero
