"""Whole rows as numbers, for methods that look at all columns of a table together.

The encoder is learned from reference rows and used on any batch, so that both sides mean the same. Numbers are
standardised (in float64, before they become float32, so that microseconds since 1970 keep their digits); categories
become codes, the most frequent first, with a code of their own for what the reference never held; missing stays NaN.
Nothing a batch may hold raises, except what is neither a number nor a text, and a column that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from driftbook.drift.column_values import as_numbers, as_text
from driftbook.drift.profile import Floats, Integers
from driftbook.errors import DriftError

Matrix = NDArray[np.float32]

MOST_LEVELS = 1_000  # of one column, the most frequent; rarer ones count as unseen
INDICATED_LEVELS = 10  # of one column that get an indicator of their own
TAIL = 0.005  # of either side, held at its edge while centre and spread are learned
FARTHEST = 4.0  # spreads from the centre; a standardised value counts as no farther out
LARGEST = 1e30  # stays finite as float32


@dataclass(frozen=True)
class Scale:
    """Centre and spread of a numeric column, after division by its largest absolute value."""

    largest: float
    centre: float
    spread: float

    def standardise(self, numbers: Floats) -> Floats:
        """Distances from the centre in spreads; NaN stays NaN, infinite stays very large."""
        with np.errstate(over="ignore"):
            result: Floats = np.clip((numbers / self.largest - self.centre) / self.spread, -LARGEST, LARGEST)
        return result


@dataclass(frozen=True, eq=False)
class RowEncoder:
    """Learned by :func:`fit_encoder`: the scale of each numeric column, the levels of each categorical one."""

    scales: Mapping[str, Scale]
    levels: Mapping[str, tuple[str, ...]]
    shares: Mapping[str, Floats]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the matrix's columns, in order."""
        return (*self.scales, *self.levels)

    @property
    def indicated(self) -> Integers:
        """Which column of the matrix each column of :meth:`indicators` speaks of."""
        numeric = len(self.scales)
        counts = [_indicated(shares) for shares in self.shares.values()]
        return np.concatenate([np.arange(numeric), np.repeat(np.arange(len(counts)) + numeric, counts)]).astype(int)

    def matrix(self, rows: pl.DataFrame) -> Matrix:
        """Standardised numbers and codes, shape (rows, columns); missing is NaN.

        Raises
        ------
        DriftError
            If a column is not there, or holds what is neither a number nor a text.
        """
        _require(rows, self.columns)
        result = np.empty((rows.height, len(self.columns)), dtype=np.float32, order="F")
        for at, (name, scale) in enumerate(self.scales.items()):
            result[:, at] = scale.standardise(as_numbers(rows[name]))
        for at, (name, levels) in enumerate(self.levels.items(), start=len(self.scales)):
            result[:, at] = _codes(rows[name], levels)
        return result

    def indicators(self, matrix: Matrix) -> Matrix:
        """Columns one may multiply: bounded, zero where missing, about mean 0 and spread 1 in the reference.

        Numbers as they are, and for each category one indicator per frequent level.
        """
        numeric = len(self.scales)
        columns = [matrix[:, :numeric]]
        for at, shares in enumerate(self.shares.values(), start=numeric):
            few = _indicated(shares)
            held = matrix[:, at, None] == np.arange(few, dtype=np.float32)
            spread = np.sqrt(shares[:few] * (1 - shares[:few]))
            spread[spread == 0.0] = 1.0  # the only level there was
            columns.append(((held - shares[:few]) / spread).astype(np.float32))
        result: Matrix = np.nan_to_num(np.hstack(columns), copy=False, nan=0.0)
        return np.clip(result, -FARTHEST, FARTHEST, out=result)


def fit_encoder(reference: pl.DataFrame, *, numeric: Sequence[str], categorical: Sequence[str]) -> RowEncoder:
    """Learn how to encode rows from those of the reference.

    Examples
    --------
    >>> before = pl.DataFrame({"age": [20.0, 40.0, None], "plan": ["pro", "basic", "basic"]})
    >>> encoder = fit_encoder(before, numeric=["age"], categorical=["plan"])
    >>> encoder.matrix(pl.DataFrame({"age": [30.0, None], "plan": ["pro", "never seen"]})).tolist()
    [[0.0, 1.0], [nan, 2.0]]

    Raises
    ------
    DriftError
        If there is no column, or one is not there or cannot be read.
    """
    if not numeric and not categorical:
        raise DriftError("expected at least one numeric or categorical column, found none; name the columns to compare")
    _require(reference, (*numeric, *categorical))
    levels: dict[str, tuple[str, ...]] = {}
    shares: dict[str, Floats] = {}
    for name in categorical:
        text = as_text(reference[name]).drop_nulls().rename("level")
        counts = text.value_counts(name="rows").sort(["rows", "level"], descending=[True, False]).head(MOST_LEVELS)
        levels[name] = tuple(counts["level"])
        shares[name] = counts["rows"].to_numpy() / max(reference.height, 1)
    return RowEncoder({name: _scale(as_numbers(reference[name])) for name in numeric}, levels, shares)


def _scale(numbers: Floats) -> Scale:
    finite = numbers[np.isfinite(numbers)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    if largest == 0.0:
        return Scale(largest=1.0, centre=0.0, spread=1.0)
    finite = finite / largest
    held = np.clip(finite, *np.quantile(finite, [TAIL, 1 - TAIL]))
    spread = float(held.std()) or float(finite.std())
    tiny = np.finfo(np.float64).eps * 8  # a spread of rounding errors is none
    return Scale(largest, float(held.mean()), spread if spread > tiny else 1.0 / largest)


def _indicated(shares: Floats) -> int:
    """One of two levels says it all."""
    return 1 if shares.size == 2 else min(shares.size, INDICATED_LEVELS)


def _require(rows: pl.DataFrame, needed: Sequence[str]) -> None:
    lacking = [name for name in needed if name not in rows.columns]
    if lacking:
        raise DriftError(f"expected columns {', '.join(lacking)}, found only {', '.join(rows.columns) or 'none'}")


def _codes(series: pl.Series, levels: Sequence[str]) -> Floats:
    text = as_text(series)
    if not levels:
        return np.where(text.is_null().to_numpy(), np.nan, 0.0)
    known = text.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Float64)
    codes = known.fill_null(float(len(levels))).to_numpy()
    return np.where(text.is_null().to_numpy(), np.nan, codes)
