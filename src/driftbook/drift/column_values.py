"""The values of a column as numbers or as texts, whatever type holds them.

The same values must come out the same from every type, or the type itself would count as drift: whole numbers as
texts look alike whether integers, floats or decimals hold them, and times count in days whatever their unit.
What has no number or text of its own (lists, structures, binary) is refused with the type that was found.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from driftbook.errors import DriftError

MICROSECONDS = {"ms": 1e3, "us": 1.0}
DAY = 86_400e6  # microseconds
CALENDAR = 90_000_000  # days from 1970 up to which a date can be written
REFUSED = (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError)


def as_numbers(series: pl.Series) -> NDArray[np.float64]:
    """The column as float64, null as NaN; what is no number is missing; dates, times and durations in days.

    Raises
    ------
    DriftError
        If the type holds no numbers (lists, structures, binary).

    Examples
    --------
    >>> as_numbers(pl.Series(["7", " 2.5", "x"])).tolist()
    [7.0, 2.5, nan]
    """
    dtype = series.dtype
    try:
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise TypeError
        if isinstance(dtype, pl.Categorical | pl.Enum):
            series = series.cast(pl.String)
        if series.dtype == pl.String:
            series = series.str.strip_chars()
        if dtype.is_temporal():
            return _days(series)
        return series.cast(pl.Float64, strict=False).to_numpy()
    except REFUSED as error:
        raise DriftError(f"column {series.name!r}: expected numbers, found {dtype}") from error


def as_text(series: pl.Series) -> pl.Series:
    """The column as text, NaN as null; whole numbers look alike whatever type holds them.

    Raises
    ------
    DriftError
        If the type has no text of its own (lists, binary).

    Examples
    --------
    >>> as_text(pl.Series([1.0, 2.5, float("nan"), -0.0])).to_list()
    ['1', '2.5', None, '0']
    """
    dtype = series.dtype
    try:
        if dtype.is_nested():
            raise TypeError
        if dtype.is_float():
            return _plain_floats(series.fill_nan(None))
        if dtype.is_decimal():
            return series.cast(pl.String).str.replace(r"\.0+$", "").str.replace(r"(\.\d*?)0+$", "$1")
        if dtype == pl.Duration:
            return series.dt.cast_time_unit("us").dt.to_string("iso")
        if dtype in (pl.Date, pl.Datetime) and len(series) > series.null_count():
            if float(np.nanmax(np.abs(_days(series)))) > CALENDAR:
                raise TypeError
            if dtype == pl.Datetime:
                series = series.dt.cast_time_unit("us")
        return series.cast(pl.String)
    except REFUSED as error:
        raise DriftError(f"column {series.name!r}: expected categories, found {dtype}") from error


def _plain_floats(series: pl.Series) -> pl.Series:
    whole = series.cast(pl.Int64, strict=False)
    text = pl.when(whole.cast(pl.Float64) == series.cast(pl.Float64)).then(whole.cast(pl.String))
    return pl.select(text.otherwise(series.cast(pl.String)).alias(series.name)).to_series()


def _days(series: pl.Series) -> NDArray[np.float64]:
    """In whole microseconds, then in days: the same number whatever the unit."""
    dtype, physical = series.dtype, series.to_physical()
    if dtype == pl.Date:
        return physical.cast(pl.Float64).to_numpy()
    unit = getattr(dtype, "time_unit", "ns")  # a time of day counts nanoseconds
    if unit == "ns":
        physical, unit = physical // 1_000, "us"
    return physical.cast(pl.Float64).to_numpy() * MICROSECONDS[unit] / DAY
