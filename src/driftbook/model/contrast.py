"""Rows that never were: what a detector of outliers learns to tell from real ones.

Each is a real row with some of its values replaced, mostly one or two, in three in ten rows all of them. A value is
replaced by that of another row (the column looks right, the combination does not), by one drawn evenly over the
column's range or its distinct values (what is rare becomes common), by one far outside the range (a wrong unit, a
wrong sign), or by none. Raw values are replaced and derived features computed from them, by the encoder, as for any
row: a ratio always fits its two numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from driftbook.config.use_case import Derived

WHOLE_ROWS = 0.3  # of the rows have all values replaced
GO_ON = 0.6  # chance that one more value of a row is replaced
LOST = 0.05  # of the replaced values are missing
EVEN, FAR = 0.34, 0.33  # of the others are drawn over the range, beyond it; the rest come from other rows
NEAREST, FARTHEST = -2.0, 2.5  # how far beyond, as powers of ten of the column's spread
FEW_VALUES = 64  # a column with at most so many distinct ones is a choice among them
Mask = npt.NDArray[np.bool_]
Kinds = npt.NDArray[np.int8]
OTHER, RANGE, BEYOND, NONE = range(4)


def contrast_rows(rows: pl.DataFrame, *, derived: Mapping[str, Derived], seed: int) -> pl.DataFrame:
    """As many rows of the same columns as ``rows`` has, made up from them.

    Parameters
    ----------
    rows
        Numeric, text and time columns that a model reads, and no others.
    derived
        The derived features: a time column enters only through these, so its values are taken from other rows only.

    Examples
    --------
    >>> rows = pl.DataFrame({"age": [30.0, 40.0, 50.0], "plan": ["basic", "pro", "pro"]})
    >>> made = contrast_rows(rows, derived={}, seed=1)
    >>> made.columns == rows.columns, made.height, made.equals(contrast_rows(rows, derived={}, seed=1))
    (True, 3, True)
    """
    random = np.random.default_rng(seed)
    dates = {each.of[0] for each in derived.values() if each.kind == "date_part"}
    replaced, whole = _which(rows.height, rows.width, random)
    made = {}
    for at, name in enumerate(rows.columns):
        kinds = _kinds(whole, random)
        column = rows[name]
        if name in dates:
            kinds[(kinds == RANGE) | (kinds == BEYOND)] = OTHER
        values = _numbers(column, kinds, random) if column.dtype.is_numeric() else _texts(column, kinds, random)
        made[name] = column.zip_with(pl.Series(~replaced[:, at]), values)
    return pl.DataFrame(made)


def _which(rows: int, columns: int, random: np.random.Generator) -> tuple[Mask, npt.NDArray[np.int8]]:
    """Which values are replaced, shape (rows, columns), and which rows wholly: 0 not, 1 by other rows, 2 evenly."""
    many = np.minimum(columns, random.geometric(1 - GO_ON, rows))
    whole = np.where(random.random(rows) < WHOLE_ROWS, random.integers(1, 3, rows), 0).astype(np.int8)
    many[whole > 0] = columns
    places = random.random((rows, columns)).argsort(axis=1).argsort(axis=1)
    return places < many[:, None], whole


def _kinds(whole: npt.NDArray[np.int8], random: np.random.Generator) -> Kinds:
    """How each row's value in a column is replaced."""
    drawn = random.random(whole.size)
    kinds = np.select([drawn < EVEN, drawn < EVEN + FAR], [RANGE, BEYOND], OTHER)
    kinds = np.select([whole == 1, whole == 2], [OTHER, RANGE], kinds)
    kinds[random.random(whole.size) < LOST] = NONE
    return kinds.astype(np.int8)


def _numbers(column: pl.Series, kinds: Kinds, random: np.random.Generator) -> pl.Series:
    values = column.cast(pl.Float64).to_numpy()
    found = values[np.isfinite(values)]
    made = random.permutation(values)
    if found.size:
        distinct = np.unique(found)
        low, high = float(distinct[0]), float(distinct[-1])
        spread = float(np.subtract(*np.quantile(found, (0.99, 0.01)))) or (high - low) or 1.0
        even = random.choice(distinct, values.size)
        if distinct.size > FEW_VALUES:
            even = np.where(random.random(values.size) < 0.5, even, random.uniform(low, high, values.size))
        far = spread * 10.0 ** random.uniform(NEAREST, FARTHEST, values.size)
        far = np.where(random.random(values.size) < 0.5, high + far, low - far)
        made = np.select([kinds == RANGE, kinds == BEYOND], [even, far], made)
    made[kinds == NONE] = np.nan
    return pl.Series(column.name, made).fill_nan(None).cast(column.dtype)


def _texts(column: pl.Series, kinds: Kinds, random: np.random.Generator) -> pl.Series:
    """Of texts the unknown ones lie beyond: for a model they are missing."""
    made = column.gather(random.permutation(column.len()))
    distinct = column.drop_nulls().unique().sort()
    if distinct.len():
        even = distinct.gather(random.integers(distinct.len(), size=column.len()))
        made = made.zip_with(pl.Series(kinds != RANGE), even)
    lost = pl.Series((kinds == NONE) | (kinds == BEYOND))
    return made.zip_with(~lost, pl.Series(column.name, [None], dtype=column.dtype).new_from_index(0, column.len()))
