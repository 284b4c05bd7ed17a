"""Rows as small codes: what segments and causes are counted on.

A search for a segment looks at thousands of candidates, so every column is cut into bins once, at the reference's
own quantiles or categories, and a candidate costs a few additions. Missing is a bin of its own, so are values below
or above all of the reference and categories that it never held. What cannot be read as the kind that was declared is
missing: an odd column must not stop the explanation of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from driftbook.drift.column_values import as_numbers, as_text
from driftbook.drift.profile import Kind
from driftbook.errors import DriftError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

QUANTILES = 10
FEW_VALUES = 12  # a numeric column with no more distinct values gets a bin for each
MOST_LABELS = 40  # of a categorical column, those that are frequent on either side; the others share two bins


@dataclass(frozen=True, eq=False)
class CodedColumn:
    """One column cut into ``bins`` on both sides; the last bin holds what is missing.

    ``edges`` (numeric) are the upper bounds of the first bins. ``labels`` (categorical) name the first bins; after
    them come one bin for other values of the reference and one for other values that it never held.
    """

    name: str
    kind: Kind
    bins: int
    reference: Codes
    current: Codes
    edges: Floats
    labels: tuple[str, ...]
    discrete: bool  # every inner bin holds one value, on both sides

    @cached_property
    def before(self) -> Floats:
        """Share of the reference's rows in each bin."""
        return _shares(self.reference, self.bins)

    @cached_property
    def after(self) -> Floats:
        """Share of the current rows in each bin."""
        return _shares(self.current, self.bins)

    @cached_property
    def weights(self) -> Floats:
        """How much a row of each bin speaks for "current": ``(after - before) / (after + before)``, -1 to 1."""
        total = self.after + self.before
        return np.divide(self.after - self.before, total, out=np.zeros(self.bins), where=total > 0)

    @property
    def shift(self) -> float:
        """The size of the change, 0 to 1: the mean of the weights over current less that over reference rows.

        This is the triangular discrimination of the binned distributions: it sees means, spread, missing values and
        new categories alike, is never negative, and is a sum over rows, so that it can be split among them.
        """
        return float((self.after - self.before) @ self.weights) / 2


def code_column(reference: pl.Series, current: pl.Series, *, kind: Kind) -> CodedColumn:
    """Cut one column at the reference's quantiles or categories.

    Examples
    --------
    >>> coded = code_column(pl.Series("plan", ["a", "a", "b", None]), pl.Series(["a", "c"]), kind="categorical")
    >>> coded.labels, coded.reference.tolist(), coded.current.tolist()
    (('a', 'c', 'b'), [0, 0, 2, 5], [0, 1])
    >>> float(coded.after[1]), float(coded.weights[1])
    (0.5, 1.0)
    """
    return _code_numbers(reference, current) if kind == "numeric" else _code_labels(reference, current)


def code_columns(
    reference: pl.DataFrame, current: pl.DataFrame, *, kinds: Mapping[str, Kind]
) -> dict[str, CodedColumn]:
    """Cut every column of ``kinds`` that the reference holds; what the current rows lack is missing in all of them."""
    return {
        name: code_column(reference[name], column_of(current, name), kind=kind)
        for name, kind in kinds.items()
        if name in reference.columns
    }


def column_of(rows: pl.DataFrame, name: str) -> pl.Series:
    """The column, or as many nulls."""
    return rows[name] if name in rows.columns else pl.Series(name, [None] * rows.height, dtype=pl.String)


def numbers(series: pl.Series) -> Floats:
    """Values as float64; what is no number is NaN."""
    try:
        return as_numbers(series)
    except DriftError:
        return np.full(series.len(), np.nan)


def texts(series: pl.Series) -> pl.Series:
    """Values as text; what has none is null."""
    try:
        return as_text(series)
    except DriftError:
        return pl.Series(series.name, [None] * series.len(), dtype=pl.String)


def _code_numbers(reference: pl.Series, current: pl.Series) -> CodedColumn:
    before, after = numbers(reference), numbers(current)
    known = np.sort(before[np.isfinite(before)])
    edges = _edges(known)
    bins = edges.size + 2
    inside = after[(after >= edges[1]) & (after <= edges[-1])] if edges.size else after
    discrete = bool(np.isin(known, edges[1:]).all() and np.isin(inside, edges[1:]).all())

    def coded(values: Floats) -> Codes:
        return np.where(np.isnan(values), bins - 1, edges.searchsorted(values, side="left")).astype(np.int64)

    return CodedColumn(reference.name, "numeric", bins, coded(before), coded(after), edges, (), discrete)


def _edges(known: Floats) -> Floats:
    """Just below the smallest value, inner quantiles or few distinct values, the largest value."""
    if not known.size:
        return known
    inner = np.unique(known)
    if inner.size > FEW_VALUES:
        inner = np.unique(known[(np.arange(1, QUANTILES) * known.size) // QUANTILES])
    return np.unique(np.concatenate([[np.nextafter(known[0], -np.inf)], inner, [known[-1]]]))


def _code_labels(reference: pl.Series, current: pl.Series) -> CodedColumn:
    before, after = texts(reference), texts(current)
    known = _label_shares(before)
    shares = dict(known)
    for label, share in _label_shares(after).items():
        shares[label] = max(share, shares.get(label, 0.0))
    labels = tuple(sorted(shares, key=lambda label: (-shares[label], label))[:MOST_LABELS])
    codes = {label: len(labels) if label in known else len(labels) + 1 for label in shares}
    codes |= {label: place for place, label in enumerate(labels)}
    bins = len(labels) + 3

    def coded(side: pl.Series) -> Codes:
        if not codes or not side.len():
            return np.full(side.len(), bins - 1, dtype=np.int64)
        found = side.replace_strict(list(codes), list(codes.values()), default=bins - 1, return_dtype=pl.Int64)
        return found.fill_null(bins - 1).to_numpy()

    return CodedColumn(reference.name, "categorical", bins, coded(before), coded(after), np.empty(0), labels, True)


def _label_shares(side: pl.Series) -> dict[str, float]:
    counts = side.drop_nulls().value_counts(name="rows")
    return {label: rows / side.len() for label, rows in counts.iter_rows()}


def _shares(codes: Codes, bins: int) -> Floats:
    return np.bincount(codes, minlength=bins)[:bins] / max(codes.size, 1)
