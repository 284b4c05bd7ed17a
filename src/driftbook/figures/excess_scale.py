"""The scale of drift figures: multiples of a threshold, on a logarithmic axis, and how they are told.

Every statistic is shown as its *excess*, a multiple of its own threshold, so that methods and columns can be compared
and 1 always is the line at which somebody is told. Logarithmic, because drift spans three orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from driftbook.drift.excess import excess
from driftbook.tables import format_value
from driftbook.words import plain

LEAST, MOST = 0.125, 64.0
SMALLEST = 0.001  # what is smaller is told as that
TICKS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
WHOLE = "table"  # the role of rows that speak of a batch as a whole
_FRACTIONS = {0.125: "⅛", 0.25: "¼", 0.5: "½"}


def strongest(table: pl.DataFrame) -> pl.DataFrame:
    """One row per batch and column: the method with the largest excess; of whole batches one per method."""
    scored = table.with_columns(excess(), pl.col("drifted").fill_null(False))
    if "matters" not in scored.columns:  # a table of before it was recorded
        scored = scored.with_columns(matters=pl.col("role") != "target")
    own = pl.when(pl.col("role") == WHOLE).then("method").otherwise("column").alias("column")
    ranked = scored.with_columns(own).sort("batch_id", "column", pl.col("drifted"), pl.col("excess"), nulls_last=False)
    return ranked.group_by("batch_id", "column", maintain_order=True).last()


def shown_name(row: Mapping[str, Any]) -> str:
    """A feature's own name; what driftbook adds in plain words."""
    return str(row["column"]) if row["role"] == "feature" else plain(str(row["column"]))


def described(row: Mapping[str, Any]) -> str:
    """A cell in words, for whoever points at it."""
    value = row["excess"]
    words = f"{row['batch_id']}, {shown_name(row)}: {plain(str(row['method']))} {shown_value(row)}"
    words += f", {times(value)} the threshold" if isinstance(value, float) else ", cannot tell"
    return f"{words}. {row['note']}" if row["note"] else words


def shown_value(row: Mapping[str, Any]) -> str:
    """What was measured, with its limit."""
    on = str(row["on"])
    name = "p " if on == "p_value" else ""
    value = row[on if on in ("p_value", "drift_score") else "statistic"]
    limit = format_value(row["threshold"])
    return f"{name}{format_value(value)} (limit {limit})" if row["threshold"] is not None else format_value(value)


def logarithm(value: float) -> float:
    """Place on the axis, kept within its ends.

    Examples
    --------
    >>> logarithm(1.0), logarithm(2.0), logarithm(1e9)
    (0.0, 1.0, 6.0)
    """
    return math.log2(min(max(value, LEAST), MOST))


def tick(place: float, highest: float) -> str:
    """Name of a tick; the last one stands for all that lies beyond it."""
    return f"≥ {times(place)}" if place == MOST < highest else times(place)


def times(value: float) -> str:
    """A multiple as a person reads it.

    Examples
    --------
    >>> times(0.5), times(2.0), times(8.55e-7)
    ('½×', '2×', '< 0.001×')
    """
    if 0 < value < SMALLEST:
        return f"< {format_value(SMALLEST)}×"
    return f"{_FRACTIONS.get(value) or format_value(value)}×"
