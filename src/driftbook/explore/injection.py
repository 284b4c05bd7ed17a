"""Drift put into real rows by hand: one column, some ways to change it, the same rows whatever the size.

Sizes are relative to the reference, as everywhere. Which rows are hit is drawn once and nested: who moves a slider sees
more of the same drift, not another one. What is done to a column leaves all others as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

UNIT = 100.0  # cents instead of euros
NEW_VALUE = "never_seen_before"


@dataclass(frozen=True, kw_only=True)
class Injection:
    """What is done to a column, in this order; zero is nothing.

    Parameters
    ----------
    together
        Share of the rows whose values are put in the order of ``partner``'s (negative: in the opposite order): the
        column's own distribution stays, how the two go together changes.
    shift
        Of a numeric column, in the reference's standard deviations; whole numbers stay whole, and nothing falls below
        the batch's lowest value.
    wrong_unit
        Share of a numeric column's values that come a hundred times too large.
    new_value
        Share of a categorical column's values that are replaced by one never seen before.
    missing
        Share of the values that are lost.
    """

    column: str
    partner: str | None = None
    together: float = 0.0
    shift: float = 0.0
    wrong_unit: float = 0.0
    new_value: float = 0.0
    missing: float = 0.0

    @property
    def is_nothing(self) -> bool:
        """Whether the rows stay as they are."""
        sizes = (self.shift, self.wrong_unit, self.new_value, self.missing, self.together if self.partner else 0.0)
        return not any(sizes)


def distort(rows: pl.DataFrame, injection: Injection, *, std: float, seed: int) -> pl.DataFrame:
    """Rows with drift in one column.

    Parameters
    ----------
    std
        Standard deviation of the column in the reference; not finite or zero for a categorical one.
    seed
        Of the rows that are hit.

    Examples
    --------
    >>> rows = pl.DataFrame({"fee": [1.5, 2.5, 3.5, 4.5], "plan": ["a", "b", "a", "b"]})
    >>> distort(rows, Injection(column="fee", shift=0.5), std=2.0, seed=1)["fee"].to_list()
    [2.5, 3.5, 4.5, 5.5]
    >>> distort(rows, Injection(column="plan", new_value=1.0), std=0.0, seed=1)["plan"].unique().to_list()
    ['never_seen_before']
    """
    if injection.is_nothing or not rows.height:
        return rows
    chance = np.random.default_rng(seed).random((5, rows.height))  # numbers for each kind of change
    column = rows[injection.column]
    if injection.partner and injection.together:
        column = _reordered(column, rows[injection.partner], chance[0] < abs(injection.together), injection.together)
    if column.dtype.is_numeric():
        values = _moved(column, by=injection.shift * std, chance=chance[4]) if injection.shift else column
        values = values.cast(pl.Float64)
        column = _where(chance[1] < injection.wrong_unit, values * UNIT, values) if injection.wrong_unit else values
    elif injection.new_value:
        new = pl.Series(column.name, [NEW_VALUE] * column.len())
        column = _where((chance[2] < injection.new_value) & column.is_not_null().to_numpy(), new, column)
    if injection.missing:
        column = _where(chance[3] < injection.missing, pl.Series([None] * column.len(), dtype=column.dtype), column)
    return rows.with_columns(column.alias(injection.column))


def _moved(column: pl.Series, *, by: float, chance: np.ndarray) -> pl.Series:
    """Shifted, not below the lowest value; whole numbers stay whole, true to the mean, as in a real feed."""
    before = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    known = before[np.isfinite(before)]
    if not known.size or not np.isfinite(by):
        return column
    after = before + by
    if (known == np.floor(known)).all():
        after = np.floor(after + chance)
    after = np.where(np.isfinite(before), np.maximum(after, known.min()), before)
    return pl.Series(column.name, after).fill_nan(None)


def _where(hit: np.ndarray, new: pl.Series, old: pl.Series) -> pl.Series:
    return pl.select(pl.when(pl.Series(hit)).then(new).otherwise(old).alias(old.name)).to_series()


def _reordered(column: pl.Series, partner: pl.Series, hit: np.ndarray, sign: float) -> pl.Series:
    """The values of the rows that are hit, put in the order of the partner's; what is missing stays where it is."""
    usable = hit & column.is_not_null().to_numpy() & partner.is_not_null().to_numpy()
    places = np.flatnonzero(usable)
    order = partner.gather(places).arg_sort(descending=sign < 0).to_numpy()
    sources = np.arange(column.len())
    sources[places[order]] = places[column.gather(places).arg_sort().to_numpy()]
    return column.gather(sources)
