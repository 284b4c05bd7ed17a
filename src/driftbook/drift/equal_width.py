"""Bins as Evidently 0.7 makes them: equal widths over both samples, or a bin per value of either.

The number of bins is Sturges' (1926): one and the binary logarithm of the rows. A numeric column of at most 20 values
in the reference has a bin for each value; missing and infinite values do not count. An empty bin counts as 0.0001,
or as a millionth of the smallest share where that is 0.0001 or less. Its Hellinger distance counts the distinct values
of both samples instead of their rows, and knows no bins of single values.
"""

from __future__ import annotations

import numpy as np

from driftbook.drift.batches import Pairing
from driftbook.drift.profile import FEW_VALUES, ColumnProfile, Floats, few_distinct

SMALLEST = 1e-4


def evidently_shares(
    pair: Pairing, number: int, *, fill: bool, by_distinct: bool = False
) -> tuple[Floats, Floats] | None:
    """Shares per bin of the reference and of one batch, each of shape (1, bins); None if one has no values.

    Parameters
    ----------
    fill
        Whether empty bins count as a little.
    by_distinct
        Whether intervals follow from the number of distinct values, as for Evidently's Hellinger distance.

    Examples
    --------
    >>> import polars as pl
    >>> from driftbook.drift.batches import Batches
    >>> from driftbook.drift.profile import column_profile
    >>> before, after = (column_profile(pl.Series(each), kind="categorical") for each in (["a", "b"], ["a", "c"]))
    >>> [each.tolist() for each in evidently_shares(Pairing(before, Batches.of([after])), 0, fill=False)]
    [[[0.5, 0.5, 0.0]], [[0.5, 0.0, 0.5]]]
    """
    first, second = pair.reference, pair.batches.profile(number)
    if first.kind == "categorical":
        labels = sorted({*first.categories, *second.categories})
        counts = [np.array([[each.categories.get(label, 0) for label in labels]]) for each in (first, second)]
    elif first.finite and second.finite:
        counts = _numeric_counts(first, second, by_distinct=by_distinct)
    else:
        return None
    totals = [each.sum() for each in counts]
    if not (totals and all(totals)):
        return None
    before, after = (each / total for each, total in zip(counts, totals, strict=True))
    return (_filled(before), _filled(after)) if fill else (before, after)


def _numeric_counts(first: ColumnProfile, second: ColumnProfile, *, by_distinct: bool) -> list[Floats]:
    """Rows per bin; none where the values are too far apart to be cut into equal widths."""
    distinct = None if by_distinct else few_distinct(first.values, most=FEW_VALUES)
    if distinct is not None:
        values = np.union1d(distinct, np.unique(second.values))
        return [np.diff(each.rank(values), prepend=0)[None, :] for each in (first, second)]
    number = np.union1d(first.values, second.values).size if by_distinct else first.finite + second.finite
    edges = sturges_edges(first, second, number=number)
    if not np.isfinite(edges).all():
        return []
    found = []
    for each in (first, second):
        below = np.append(each.rank(edges[:-1], side="left"), each.rank(edges[-1:]))
        found.append(np.diff(below)[None, :].astype(np.float64))
    return found


def sturges_edges(first: ColumnProfile, second: ColumnProfile, *, number: int) -> Floats:
    """Edges of equal width over both samples, as ``numpy.histogram_bin_edges(…, bins="sturges")`` of so many values."""
    low, high = min(first.values[0], second.values[0]), max(first.values[-1], second.values[-1])
    if not np.isfinite(high - low):
        return np.array([np.nan])
    width = (high - low) / (np.log2(number) + 1.0)
    outer = (low, high) if low != high else (low - 0.5, high + 0.5)
    bins = int(np.ceil((outer[1] - outer[0]) / width)) if width else 1
    return np.linspace(*outer, bins + 1)


def _filled(shares: Floats) -> Floats:
    smallest = shares[shares > 0].min()
    return np.where(shares == 0, smallest / 1e6 if smallest <= SMALLEST else SMALLEST, shares)
