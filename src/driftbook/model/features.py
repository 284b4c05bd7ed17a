"""From a raw row to a model row: one encoder, used by training and serving alike.

Derived features are computed here and nowhere else, so that a model never sees a feature in production that was
made another way in training. Categories become codes by a table that is fixed in training; a value the table does
not know becomes missing, because XGBoost would silently take it for the next greater one it knows. Infinite
values, and numbers too large for a 32-bit float, are missing too. A date enters a model only through a derived
``date_part``: the raw date of a future row always lies outside the training range.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from driftbook.config import UseCase
from driftbook.config.use_case import Derived
from driftbook.errors import ModelError, SchemaError, UnknownNameError

MAX_CATEGORIES = 1000  # of one column, the most frequent ones; rarer ones are missing
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Encoder:
    """Which columns make which features, and which code each category has."""

    numeric: tuple[str, ...]
    derived: Mapping[str, Derived]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_rows(cls, rows: pl.DataFrame, case: UseCase) -> Encoder:
        """Learn the categories of ``rows``, in an order that does not depend on the order of rows.

        Examples
        --------
        >>> encoder = Encoder(numeric=("age",), derived={}, categories={"plan": ("basic", "pro")})
        >>> encoder.matrix(pl.DataFrame({"age": [31.0, None], "plan": ["pro", "never seen"]}))
        array([[31.,  1.],
               [nan, nan]], dtype=float32)
        """
        _require(rows, case.columns.numeric + case.columns.categorical)
        return cls(
            numeric=case.columns.numeric,
            derived=dict(case.derived),
            categories={name: _categories(rows[name]) for name in case.columns.categorical},
        )

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the matrix's columns, in order."""
        return (*self.numeric, *self.derived, *self.categories)

    @property
    def feature_types(self) -> tuple[str, ...]:
        """Type of each feature: ``q`` a quantity, ``c`` the code of a category."""
        return ("q",) * (len(self.numeric) + len(self.derived)) + ("c",) * len(self.categories)

    def sources(self, feature: str) -> tuple[str, ...]:
        """Raw columns that a feature is made of."""
        if feature not in self.features:
            raise UnknownNameError("feature", feature, self.features)
        return self.derived[feature].of if feature in self.derived else (feature,)

    def matrix(self, rows: pl.DataFrame) -> Matrix:
        """Encode ``rows`` as float32, shape (rows, features); missing is NaN.

        Raises
        ------
        SchemaError
            If a column that the model needs is not there.
        """
        sources = [column for derived in self.derived.values() for column in derived.of]
        _require(rows, (*self.numeric, *sources, *self.categories))
        expressions = [
            *(pl.col(name).cast(pl.Float64, strict=False) for name in self.numeric),
            *(_derive(derived).alias(name) for name, derived in self.derived.items()),
            *(_codes(name, known) for name, known in self.categories.items()),
        ]
        encoded = rows.select(expressions)
        matrix = np.empty((rows.height, len(self.features)), dtype=np.float32)
        with np.errstate(over="ignore"):
            for at, column in enumerate(encoded.iter_columns()):
                matrix[:, at] = column.to_numpy()
        matrix[~np.isfinite(matrix)] = np.nan
        return matrix

    def to_json(self) -> dict[str, Any]:
        """Plain values that :meth:`from_json` reads back."""
        return {
            "numeric": list(self.numeric),
            "derived": {
                name: {key: value for key, value in each.model_dump(mode="json").items() if value is not None}
                for name, each in self.derived.items()
            },
            "derived_order": list(self.derived),
            "categories": {name: list(known) for name, known in self.categories.items()},
            "categories_order": list(self.categories),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Encoder:
        """The encoder that :meth:`to_json` wrote; key order does not matter."""
        try:
            return cls(
                numeric=tuple(content["numeric"]),
                derived={name: Derived(**content["derived"][name]) for name in content["derived_order"]},
                categories={name: tuple(content["categories"][name]) for name in content["categories_order"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the encoder's description is broken ({error}); train the model again") from error


def _require(rows: pl.DataFrame, needed: tuple[str, ...]) -> None:
    missing = sorted(set(needed) - set(rows.columns))
    if missing:
        hint = UnknownNameError("column", missing[0], rows.columns)
        raise SchemaError(f"the model needs columns that the rows lack: {', '.join(missing)}; {hint}")


def _categories(column: pl.Series) -> tuple[str, ...]:
    """Distinct values; numbers within texts sort as numbers, so that neighbouring codes stay neighbours."""
    text = column.cast(pl.String).drop_nulls()
    counts = text.value_counts(name="n").sort(["n", text.name], descending=[True, False])
    return tuple(sorted(counts[text.name].head(MAX_CATEGORIES).to_list(), key=_natural))


def _natural(text: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]+", text)
    return [(0, int(part), "") if part.isdecimal() and len(part) < 19 else (1, 0, part) for part in parts], text


def _codes(name: str, known: tuple[str, ...]) -> pl.Expr:
    codes = [float(code) for code in range(len(known))]
    text = pl.col(name).cast(pl.String)
    return text.replace_strict(list(known), codes, default=None, return_dtype=pl.Float64)


def _derive(derived: Derived) -> pl.Expr:
    """The derived feature; what has no finite value (a ratio over zero, the log of less than -1) is missing."""
    columns = [pl.col(name) for name in derived.of]
    if derived.kind == "date_part":
        parts = {
            "month": columns[0].dt.month(),
            "weekday": columns[0].dt.weekday(),
            "hour": columns[0].dt.hour(),
            "day": columns[0].dt.day(),
        }
        return parts[derived.part or "day"].cast(pl.Float64)
    numbers = [column.cast(pl.Float64, strict=False) for column in columns]
    if derived.kind == "ratio":
        return pl.when(numbers[1] != 0).then(numbers[0] / numbers[1])
    if derived.kind == "difference":
        return numbers[0] - numbers[1]
    return pl.when(numbers[0] > -1).then(numbers[0].log1p())
