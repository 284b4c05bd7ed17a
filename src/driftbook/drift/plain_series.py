"""Any one-dimensional values as a column that polars can work with, whatever they hold.

Arrays, lists, Arrow and pandas columns come in every dtype there is. What polars knows keeps its type; what it does
not know (objects of mixed types, periods, intervals, complex numbers) becomes the text of each value, because a
column that can be compared by its texts is worth more than an error that stops all the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

# what polars, pyarrow and numpy raise on values they cannot take; pyarrow's own errors derive from these
REFUSALS = (TypeError, ValueError, OverflowError, NotImplementedError, AttributeError, pl.exceptions.PolarsError)


def plain_series(name: str, values: Any) -> pl.Series:
    """A column of any values, unreadable ones as text.

    Parameters
    ----------
    values
        A numpy array, a list, a polars, pandas or Arrow column.

    Examples
    --------
    >>> plain_series("mixed", [1, "a", None]).to_list()
    ['1', 'a', None]
    >>> plain_series("amount", np.ma.array([1.5, 2.0], mask=[False, True])).to_list()
    [1.5, None]
    """
    if isinstance(values, np.ndarray):
        values = _known_array(values)
    for convert in (_by_type, _by_value):
        try:
            series = convert(values)
        except REFUSALS:
            continue
        if _is_known(series.dtype):
            return series.alias(name)
    return pl.Series(name, [_text(each) for each in _each(values)], dtype=pl.String)


def as_comparable(series: pl.Series) -> pl.Series:
    """Nested and binary values as text (JSON, hexadecimal digits); other columns as they are.

    Examples
    --------
    >>> as_comparable(pl.Series("tags", [["a", "b"], None])).to_list()
    ['["a","b"]', None]
    """
    if series.dtype == pl.Binary:
        return series.bin.encode("hex")
    if not series.dtype.is_nested():
        return series if series.dtype != pl.Object else plain_series(series.name, series.to_list())
    try:
        text = series.alias("x").to_frame().select(pl.struct("x").struct.json_encode()).to_series()
        text = text.str.strip_prefix('{"x":').str.strip_suffix("}")
    except REFUSALS:
        text = pl.Series([_text(each) for each in series.to_list()], dtype=pl.String)
    return text.to_frame("x").select(pl.when(series.is_not_null()).then(pl.col("x")).alias(series.name)).to_series()


def _by_type(values: Any) -> pl.Series:
    if isinstance(values, pl.Series):
        return values
    module = type(values).__module__.partition(".")[0]
    if module == "pandas":
        series: pl.Series = pl.from_pandas(values)
        return series
    if module == "pyarrow":
        found = pl.from_arrow(values)
        return found if isinstance(found, pl.Series) else found.to_series()
    return pl.Series(values)


def _by_value(values: Any) -> pl.Series:
    """Values of several types as the type that holds them all."""
    return pl.Series(list(_each(values)), strict=False)


def _is_known(dtype: pl.DataType) -> bool:
    return dtype != pl.Object and type(dtype).__name__ != "Extension"


def _known_array(array: NDArray[Any]) -> NDArray[Any]:
    """Without the dtypes that polars takes for objects or refuses."""
    if array.dtype.kind == "M":
        known = array.dtype.name in ("datetime64[D]", "datetime64[ms]", "datetime64[us]", "datetime64[ns]")
        return array if known else array.astype("datetime64[us]")
    if array.dtype.kind == "m":
        known = array.dtype.name in ("timedelta64[ms]", "timedelta64[us]", "timedelta64[ns]")
        return array if known else array.astype("timedelta64[us]")
    if array.dtype.kind == "f":
        return array.astype(np.float64, copy=False)
    return array


def _each(values: Any) -> Iterable[Any]:
    for method in ("to_list", "tolist", "to_pylist"):
        if hasattr(values, method):
            listed: list[Any] = getattr(values, method)()
            return listed
    return list(values)


def _text(value: Any) -> str | None:
    try:
        is_nothing = value is None or bool(value != value)  # noqa: PLR0124 (NaN and NaT differ from themselves)
    except (TypeError, ValueError):
        is_nothing = type(value).__name__ == "NAType"
    return None if is_nothing else str(value)
