"""How far a drift row lies beyond its limit: one number for every method, with 1 as the line where it drifted.

In a module of its own because who draws drift needs it and need not import the engine (0.9 s).
"""

from __future__ import annotations

import polars as pl

SMALLEST = 1e-300  # keeps a ratio to a limit of zero finite
UNCHANGED = {"domain_classifier": 0.5}  # where a statistic stands without drift, if not at zero


def excess() -> pl.Expr:
    """Ratio of a row's value to its limit, null where it has none (on p-values the ratio of their logarithms).

    A statistic that is not zero without drift counts from where it then stands: an AUC of 0.5 is no half-way.

    Examples
    --------
    >>> row = {"method": "psi", "statistic": 0.2, "p_value": None, "drift_score": 0.2}
    >>> row |= {"threshold": 0.1, "on": "statistic"}
    >>> frame = pl.DataFrame([row, row | {"p_value": 1e-4, "threshold": 0.01, "on": "p_value"},
    ...     row | {"method": "domain_classifier", "statistic": 0.75, "threshold": 0.625}])
    >>> frame.select(excess())["excess"].to_list()
    [2.0, 2.0, 2.0]
    """
    on, limit = pl.col("on"), pl.col("threshold").cast(pl.Float64)
    score = on == "drift_score"
    start = pl.col("method").replace_strict(UNCHANGED, default=0.0, return_dtype=pl.Float64)
    value = (
        pl.when(score)
        .then(pl.col("drift_score").cast(pl.Float64))
        .otherwise(pl.col("statistic").cast(pl.Float64) - start)
    )
    room = pl.when(score).then(limit).otherwise(limit - start).clip(SMALLEST)
    ratio = pl.when(value <= 0).then(0.0).otherwise(value / room)
    surprise = pl.col("p_value").cast(pl.Float64).clip(SMALLEST).log() / limit.clip(SMALLEST, 1 - 1e-12).log()
    return pl.when(limit.is_not_null()).then(pl.when(on == "p_value").then(surprise).otherwise(ratio)).alias("excess")
