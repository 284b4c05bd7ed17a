"""One column in a few groups and a few numbers, so that any column can be shown in one small figure.

Numbers are cut where the rows compared with have equal shares, so that each group holds enough of them; texts keep
their frequent values and any that are new. Missing values are always a group of their own.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from driftbook.tables import format_value

MAX_GROUPS = 8
MISSING, OTHERS = "(missing)", "(other values)"


def group_values(column: pl.Series, *, like: pl.Series) -> pl.Series:
    """Each value's group, as an Enum in the order to show them.

    Parameters
    ----------
    column
        Numbers or texts.
    like
        The rows that decide where numbers are cut and which texts are frequent.

    Examples
    --------
    >>> plans = pl.Series(["pro", "basic", None, "pro", "new"])
    >>> group_values(plans, like=pl.Series(["basic", "pro", "pro"])).to_list()
    ['pro', 'basic', '(missing)', 'pro', 'new']
    >>> group_values(pl.Series([1.0, 2.0, None]), like=pl.Series([1.0])).to_list()
    ['1', '2', '(missing)']
    """
    if column.dtype.is_numeric():
        return _numbers(_finite(column), _finite(like).drop_nulls())
    return _texts(column.cast(pl.String), like.cast(pl.String))


def describe(column: pl.Series) -> dict[str, Any]:
    """A few numbers on a column: mean and quantiles of numbers, the frequent value and its share otherwise.

    Examples
    --------
    >>> describe(pl.Series(["a", "a", "b", None]))
    {'distinct values': 2, 'most frequent': 'a', 'its share': 0.5}
    """
    if not column.dtype.is_numeric():
        frequent = typical_value(column)
        share = (column == frequent).sum() / column.len() if column.len() and frequent is not None else None
        return {"distinct values": column.drop_nulls().n_unique(), "most frequent": frequent, "its share": share}
    numbers = _finite(column).drop_nulls()
    levels = {"lowest 5 %": 0.05, "median": 0.5, "highest 5 %": 0.95}
    quantiles = {name: numbers.quantile(level, "linear") for name, level in levels.items()}
    return {"mean": numbers.mean(), "standard deviation": numbers.std(), **quantiles}


def typical_value(column: pl.Series) -> Any:
    """The median of numbers, the most frequent value of anything else; ``None`` where there is no value.

    Examples
    --------
    >>> typical_value(pl.Series([1.0, 5.0, 6.0])), typical_value(pl.Series(["b", "a", "b"]))
    (5.0, 'b')
    """
    if column.dtype.is_numeric():
        return _finite(column).median()
    counts = column.drop_nulls().value_counts().sort("count", column.name, descending=[True, False])
    return counts[column.name][0] if counts.height else None


def _finite(column: pl.Series) -> pl.Series:
    numbers = column.cast(pl.Float64)
    return numbers.set(~numbers.is_finite().fill_null(False), None)


def _numbers(column: pl.Series, like: pl.Series) -> pl.Series:
    distinct = pl.concat([column.drop_nulls(), like]).unique().sort()
    if distinct.is_empty():
        return pl.repeat(MISSING, column.len(), dtype=pl.Enum([MISSING]), eager=True).alias("group")
    if distinct.len() <= MAX_GROUPS:
        labels = [f"{value:g}" for value in distinct]
        place = distinct.search_sorted(column.fill_null(0.0))
    else:
        shares = np.linspace(0, 1, MAX_GROUPS + 1)[1:-1]
        source = like if like.len() else column.drop_nulls()
        edges = np.unique(np.quantile(source.to_numpy(), shares, method="higher"))
        whole = bool((distinct == distinct.floor()).all())
        labels = _labels([float(edge) for edge in edges], whole=whole)
        place = pl.Series(np.searchsorted(edges, column.fill_null(0.0).to_numpy(), side="left"))
    named = pl.Series(labels).gather(place.clip(0, len(labels) - 1)).set(column.is_null(), MISSING)
    return named.cast(pl.Enum([*dict.fromkeys(labels), MISSING])).alias("group")


def _labels(edges: list[float], *, whole: bool) -> list[str]:
    """Names of the groups between edges; each group holds its upper edge, and whole numbers are counted out.

    Examples
    --------
    >>> _labels([0.0, 1.0, 3.0], whole=True), _labels([0.5, 1.5], whole=False)
    (['up to 0', '1', '2 to 3', 'above 3'], ['up to 0.5', '0.5 to 1.5', 'above 1.5'])
    """
    names = [format_value(edge) for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(names)]
    if whole and all(edge.is_integer() for edge in edges):
        starts = [int(edge) + 1 for edge in edges[:-1]]
        ends = [int(edge) for edge in edges[1:]]
        between = [
            format_value(low) if low == high else f"{format_value(low)} to {format_value(high)}"
            for low, high in zip(starts, ends, strict=True)
        ]
    return [f"up to {names[0]}", *between, f"above {names[-1]}"]


def _texts(column: pl.Series, like: pl.Series) -> pl.Series:
    counts = like.drop_nulls().value_counts().sort("count", like.name, descending=[True, False])[like.name]
    kept = counts.head(MAX_GROUPS).to_list()
    fresh = sorted(set(column.drop_nulls().unique()) - set(counts))[:2]
    order = list(dict.fromkeys([*kept, *fresh, OTHERS, MISSING]))
    names = dict(zip(order, order, strict=True))
    return column.fill_null(MISSING).replace_strict(names, default=OTHERS).cast(pl.Enum(order)).alias("group")
