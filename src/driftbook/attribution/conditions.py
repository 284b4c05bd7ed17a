"""What one condition of a segment can say: a category, a range between reference quantiles, missing.

Conditions are runs of a column's bins, so that counting the rows of all of them takes one running sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftbook.attribution.coding import CodedColumn, Codes
from driftbook.attribution.phrases import number

RARE = 0.01  # share of current rows beyond the reference, below which they are no bin of their own
Mask = NDArray[np.bool_]


@dataclass(frozen=True, order=True)
class Condition:
    """Bins ``first`` to ``last`` of a column, and how a person says that."""

    column: str
    first: int
    last: int
    text: str

    def holds(self, codes: Codes) -> Mask:
        """Which rows meet it, from the codes of its column."""
        return np.asarray((codes >= self.first) & (codes <= self.last))


def spans(column: CodedColumn) -> Iterator[tuple[int, int]]:
    """First and last bin of every condition there is on a column.

    Numeric: all ranges of neighbouring bins but the whole, where the first and last are open to values beyond the
    reference unless these are many; categorical: each named category; both: missing.
    """
    missing = column.bins - 1
    if column.kind == "numeric":
        first_bin = 1 if column.edges.size and column.after[0] < RARE else 0
        last_bin = missing - 2 if column.edges.size and column.after[missing - 1] < RARE else missing - 1
        for first in range(first_bin, last_bin + 1):
            for last in range(first, last_bin + 1):
                span = (0 if first == first_bin else first, missing - 1 if last == last_bin else last)
                if span != (0, missing - 1):
                    yield span
    else:
        yield from ((place, place) for place in range(len(column.labels)))
    yield missing, missing


def condition(column: CodedColumn, first: int, last: int) -> Condition:
    """The condition of those bins.

    Examples
    --------
    >>> import polars as pl
    >>> from driftbook.attribution.coding import code_column
    >>> age = code_column(pl.Series("age", range(100)), pl.Series([120]), kind="numeric")
    >>> [condition(age, first, last).text for first, last in [(0, 3), (4, 6), (9, 11), (11, 11), (12, 12)]]
    ['age ≤ 30', '30 < age ≤ 60', 'age > 80', 'age > 99', 'age is missing']
    >>> plan = code_column(pl.Series("plan", ["a"]), pl.Series(["b"]), kind="categorical")
    >>> condition(plan, 1, 1).text
    'plan = b'
    """
    return Condition(column.name, first, last, _text(column, first, last))


def _text(column: CodedColumn, first: int, last: int) -> str:
    name, missing = column.name, column.bins - 1
    if first == missing:
        return f"{name} is missing"
    if column.kind == "categorical":
        return f"{name} = {column.labels[first]}" if first < len(column.labels) else f"{name} has another value"
    if first == last and column.discrete and 0 < first < missing - 1:
        return f"{name} = {number(float(column.edges[first]))}"
    return _range(column, first, last)


def _range(column: CodedColumn, first: int, last: int) -> str:
    """A run of numeric bins; the lowest edge lies just below the reference's smallest value."""
    name, edges = column.name, column.edges
    if not edges.size:
        return f"{name} is present"
    smallest = number(float(np.nextafter(edges[0], np.inf)))
    high = number(float(edges[last])) if last < edges.size else None
    if last == 0:
        return f"{name} < {smallest}"
    if first == 0 or (first == 1 and last < edges.size - 1):
        return f"{name} ≤ {high}"
    if first == 1:
        return f"{name} ≥ {smallest}" if high is None else f"{smallest} ≤ {name} ≤ {high}"
    low = number(float(edges[first - 1]))
    return f"{name} > {low}" if high is None else f"{low} < {name} ≤ {high}"
