"""The bins in which a version's reference and every later day are counted alike, so that one can be drawn on the other.

Chosen from the reference alone: no later day can move them. They reach a good way beyond the middle of the reference,
because that is where drift goes; what lies still farther out is counted below and above them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from driftbook.drift.profile import ColumnProfile, Floats

INNER_BINS, OUTER_BINS = 20, 5  # over the middle of the reference, and on either side of it
MIDDLE = 0.99
MOST_WHOLE = 40  # whole numbers up to so many get a bin each
MOST_LABELS = 20
SCORE = "prediction_score"


@dataclass(frozen=True, eq=False)
class Bins:
    """How a column is counted: between ``edges`` (numbers), or under ``labels`` (texts), others being ``rarer``."""

    kind: str
    edges: Floats
    labels: tuple[str, ...] = ()
    rarer: frozenset[str] = frozenset()

    @cached_property
    def shown(self) -> dict[str, Any]:
        """The columns of a day table that describe the bins; the same objects for every day."""
        numeric = self.kind == "numeric"
        return {
            "kind": self.kind,
            "edges": self.edges.tolist() if numeric else None,
            "labels": None if numeric else list(self.labels),
        }

    def counted(self, column: ColumnProfile) -> dict[str, Any]:
        """The rows of a column by bin, and those that lie in none."""
        if self.kind == "numeric":
            upto = column.rank(self.edges, side="left")
            upto[-1] = column.rank(self.edges[-1:])[0]  # the last bin includes its upper edge
            outside = {"below": int(upto[0]), "above": int(column.finite - upto[-1]), "others": 0, "unseen": 0}
            counts, missing = np.diff(upto).tolist(), column.missing + column.infinite
            return {**self.shown, "counts": counts, **outside, "missing": missing, "rows": column.rows}
        counts = [column.categories.get(label, 0) for label in self.labels]
        others = sum(rows for label, rows in column.categories.items() if label in self.rarer)
        unseen = column.rows - column.missing - sum(counts) - others
        outside = {"below": 0, "above": 0, "others": others, "unseen": unseen}
        return {**self.shown, "counts": counts, **outside, "missing": column.missing, "rows": column.rows}


def bins_of(name: str, column: ColumnProfile) -> Bins:
    """The bins for a column of a reference.

    Examples
    --------
    >>> import polars as pl
    >>> from driftbook.drift.profile import column_profile
    >>> bins = bins_of("plan", column_profile(pl.Series(["a", "b", "b", None]), kind="categorical"))
    >>> bins.labels, bins.counted(column_profile(pl.Series(["a", "c"]), kind="categorical"))["unseen"]
    (('b', 'a'), 1)
    >>> bins = bins_of("calls", column_profile(pl.Series([0.0, 1.0, 2.0]), kind="numeric"))
    >>> bins.edges.tolist()
    [-1.5, -0.5, 0.5, 1.5, 2.5, 3.5]
    """
    if column.kind == "categorical":
        ranked = sorted(column.categories, key=lambda label: (-column.categories[label], label))
        return Bins("categorical", np.empty(0), tuple(ranked[:MOST_LABELS]), frozenset(ranked[MOST_LABELS:]))
    if name == SCORE:
        return Bins("numeric", np.arange(INNER_BINS + 1) / INNER_BINS)
    return Bins("numeric", _edges(column))


def counted(reference: Mapping[str, Bins], columns: Mapping[str, ColumnProfile]) -> list[dict[str, Any]]:
    """Every column in the bins of its reference: rows of a day table but for the day."""
    return [{"column": name, **bins.counted(columns[name])} for name, bins in reference.items() if name in columns]


def _edges(column: ColumnProfile) -> Floats:
    """Of equal width; around each value where they are few whole numbers."""
    if not column.finite:
        return np.array([0.0, 1.0])
    low, high = (_quantile(column, at) for at in ((1 - MIDDLE) / 2, (1 + MIDDLE) / 2))
    if high - low < MOST_WHOLE and bool((column.values == np.floor(column.values)).all()):
        reach = max(1, math.ceil((high - low + 1) * OUTER_BINS / INNER_BINS))
        return np.arange(low - reach, high + reach + 2) - 0.5
    middle = (low + high) / 2
    width = (high - low) / INNER_BINS or max(abs(middle), 1.0) / INNER_BINS
    return np.asarray(middle + width * np.arange(-INNER_BINS / 2 - OUTER_BINS, INNER_BINS / 2 + OUTER_BINS + 1))


def _quantile(column: ColumnProfile, at: float) -> float:
    """The smallest value with at least this share of the rows up to it."""
    place = max(math.ceil(at * column.finite) - 1, 0)
    if column.upto is not None:
        place = int(column.upto.searchsorted(place, side="right"))
    return float(column.values[place])
