"""Columns of everything that tables have been seen to hold, for tests that nothing of it stops a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

START = datetime(2024, 2, 29, 23, 59, 59)
Maker = Callable[[np.random.Generator, int], pl.Series]


def _floats(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Maker:
    return lambda random, n: pl.Series(change(random.normal(size=n), random))


def _picked(values: list[object], dtype: object = None) -> Maker:
    """Values drawn by chance, some of them missing."""

    def make(random: np.random.Generator, n: int) -> pl.Series:
        held = [None if random.random() < 0.1 else values[place] for place in random.integers(len(values), size=n)]
        return pl.Series(held, dtype=dtype, strict=False)  # type: ignore[arg-type]

    return make


def _holed(value: float, share: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    return lambda values, random: np.where(random.random(values.size) < share, value, values)


NUMBERS: dict[str, Maker] = {
    "normal": _floats(lambda values, _: values),
    "shifted": _floats(lambda values, _: values + 3),
    "skewed": _floats(lambda values, _: np.exp(3 * values)),
    "ties": _floats(lambda values, _: np.round(values)),
    "zeros": _floats(_holed(0.0, 0.7)),
    "negative zero": _floats(_holed(-0.0, 0.5)),
    "constant": _floats(lambda values, _: np.full(values.size, 7.0)),
    "some NaN": _floats(_holed(math.nan, 0.3)),
    "all NaN": _floats(_holed(math.nan, 2.0)),
    "some infinite": _floats(_holed(math.inf, 0.2)),
    "all infinite": _floats(lambda values, _: np.where(values > 0, math.inf, -math.inf)),
    "one outlier": _floats(lambda values, _: np.where(np.arange(values.size) == 0, 1e18, values)),
    "at the end of the range": _floats(lambda values, _: np.where(values > 0, 1.7e308, -1.7e308)),
    "huge": _floats(lambda values, _: values * 1e300),
    "tiny": _floats(lambda values, _: values * 1e-300),
    "denormal": _floats(lambda values, _: np.abs(np.round(values)) * 5e-324),
    "float32": lambda random, n: pl.Series(random.normal(size=n).astype(np.float32)),
    "beyond 2^53": lambda random, n: pl.Series(2**60 + random.integers(2**40, size=n)),
    "unsigned": _picked([0, 1, 2**64 - 1], pl.UInt64),
    "128 bits": _picked([0, -(2**100), 2**120], pl.Int128),
    "bytes": _picked([0, 255, 7], pl.UInt8),
    "decimal": _picked([Decimal("1.50"), Decimal("-2.00"), Decimal("99999.99")]),
    "decimal of 37 digits": _picked([Decimal("1" * 37), Decimal("3" * 37)]),
    "truth values": _picked([True, False]),
    "dates": _picked([date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]),
    "beyond the calendar": lambda random, n: pl.Series(random.integers(2**30, 2**31 - 1, size=n, dtype=np.int32)).cast(
        pl.Date
    ),
    "milliseconds beyond the calendar": lambda random, n: pl.Series(random.integers(2**61, 2**62, size=n)).cast(
        pl.Datetime("ms")
    ),
    "times in microseconds": _picked([START, START + timedelta(days=1), datetime(1700, 1, 1)]),
    "times in nanoseconds": _picked([START, START + timedelta(seconds=1)], pl.Datetime("ns")),
    "times in a zone": lambda random, n: pl.Series(
        [datetime(2024, 3, 31, int(hour), tzinfo=UTC) for hour in random.integers(24, size=n)],
        dtype=pl.Datetime("us", "Europe/Berlin"),
    ),
    "times of day": _picked([time(0), time(23, 59, 59, 999_999)]),
    "durations": _picked([timedelta(0), timedelta(days=-4), timedelta(days=30_000)]),
    "durations in milliseconds": _picked([timedelta(0), timedelta(days=3)], pl.Duration("ms")),
    "numbers as text": _picked(["1", " 2.5", "-3e4", "1_000", "1,5"]),
}
OTHERS: dict[str, Maker] = {
    "all null": lambda _, n: pl.Series([None] * n),
    "all null texts": lambda _, n: pl.Series([None] * n, dtype=pl.String),
    "words": _picked(["basic", "plus", "pro"]),
    "new words": _picked(["basic", "plus", "pro", "gold", "platinum"]),
    "empty texts": _picked(["", " ", "\t\n"]),
    "every row its own": lambda random, n: pl.Series([f"id-{each}" for each in random.integers(10**12, size=n)]),
    "unicode": _picked(["שלום", "\u202eabc", "e\u0301", "é", "👩‍👩‍👧", "\0", "\ufffd", "ß", "\u200b", "日本"]),
    "marks": _picked(["NaN", "null", "None", "inf", "-", "?", "'; drop table x; --"]),
    "long texts": _picked(["x" * 10_000, "y"]),
    "categorical": _picked(["a", "b", "c"], pl.Categorical),
    "enum": _picked(["low", "high"], pl.Enum(["low", "mid", "high"])),
    "binary": _picked([b"\xff\xfe", b"", b"abc"]),
    "lists": _picked([[1, 2], [], [None]], pl.List(pl.Int64)),
    "lists of lists": _picked([[["a"], []], [[None]]], pl.List(pl.List(pl.String))),
    "arrays": _picked([[1.0, 2.0], [math.nan, 0.0]], pl.Array(pl.Float64, 2)),
    "structures": _picked([{"a": 1, "b": "x"}, {"a": None, "b": "y"}]),
    "objects": lambda _, n: pl.Series([object() if place % 2 else "a" for place in range(n)], dtype=pl.Object),
}
MAKERS: dict[str, Maker] = NUMBERS | OTHERS


def odd_column(kind: str, *, name: str, rows: int, random: np.random.Generator) -> pl.Series:
    """A column of that kind."""
    return MAKERS[kind](random, rows).alias(name)
