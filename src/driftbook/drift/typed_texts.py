"""Columns of a CSV, which has no types, as what their values are.

A type is taken from all values, never from the first rows. A few values that do not fit do not make a column of
numbers text: they count as missing, and a remark says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from driftbook.data.roles import MAX_UNREADABLE, MISSING_MARKS
from driftbook.schema import iso_time

_DATE = r"^\d{4}-\d{2}-\d{2}"
_TRUTHS = ("true", "false")


@dataclass(frozen=True)
class Reading:
    """One column, and what a person should know of how it was read (empty: nothing)."""

    values: pl.Series
    remark: str = ""


def typed(column: pl.Series) -> Reading:
    """A column of texts as what its values are: truth values, numbers, times (ISO 8601), else texts.

    A few values of a column of numbers that are none (at most 2 %) and marks such as ``?`` count as missing, and the
    remark says so.

    Examples
    --------
    >>> typed(pl.Series(["1", " 2.5", "?"])).values.to_list(), typed(pl.Series(["1", "?"])).remark
    ([1.0, 2.5, None], "'?' read as missing")
    """
    text = column.cast(pl.String).str.strip_chars()
    filled = text.drop_nulls()
    filled = filled.filter(filled != "")
    if filled.is_empty():
        return Reading(text.clear(n=0).extend_constant(None, len(text)))
    if filled.str.to_lowercase().is_in(_TRUTHS).all():
        return Reading(text.str.to_lowercase() == "true")
    numbers = text.cast(pl.Float64, strict=False)
    remark = _lost(text, numbers, "number")
    if remark is not None:
        return Reading(numbers, remark)
    if filled.head(100).str.contains(_DATE).all():
        times = text.to_frame("x").select(iso_time(pl.col("x"))).to_series()
        remark = _lost(text, times, "time")
        if remark is not None:
            return Reading(times, remark)
    return Reading(text)


def _lost(text: pl.Series, values: pl.Series, wanted: str) -> str | None:
    """A remark on filled values that could not be read; None if they are too many for this type."""
    lost = text.filter(values.is_null() & text.is_not_null() & (text != ""))
    known = len(values) - values.null_count()
    if lost.is_empty():
        return "" if known else None
    marks = lost.is_in(list(MISSING_MARKS))
    strange = lost.filter(~marks)
    if not known or len(strange) > MAX_UNREADABLE * (known + len(strange)):
        return None
    if strange.is_empty():
        return f"{', '.join(repr(each) for each in sorted(lost.unique()))} read as missing"
    if len(strange) == 1:
        return f"1 value is no {wanted} ({strange[0][:40]!r}) and counts as missing"
    return f"{len(strange):,} values are no {wanted} (the first: {strange[0][:40]!r}) and count as missing"
