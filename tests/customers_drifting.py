"""Customers whose every drift is made by hand, for the tests of attribution: the truth is known."""

from __future__ import annotations

import numpy as np
import polars as pl

from driftbook.drift.profile import Kind

REFERENCE_ROWS, CURRENT_ROWS = 5_000, 2_400


def customers(rows: int, *, seed: int) -> pl.DataFrame:
    """21 columns: charges depend on the contract, ``tax``, ``bill`` and ``fee`` hang together, the rest is alone."""
    random = np.random.default_rng(seed)
    contract = random.choice(["month-to-month", "one year", "two year"], rows, p=[0.5, 0.3, 0.2])
    common = random.normal(50, 10, rows)
    columns = {
        "row_id": [f"r{place:05d}" for place in range(rows)],
        "contract": contract,
        "region": random.choice(["north", "south", "east", "west"], rows),
        "plan": random.choice(["basic", "plus", "pro"], rows, p=[0.2, 0.5, 0.3]),
        "monthly_charges": np.where(contract == "two year", 80, 60) + random.normal(0, 12, rows),
        "age": np.floor(random.uniform(18, 90, rows)),
        "calls": random.poisson(2, rows).astype(float),
        **{name: common + random.normal(0, 5, rows) for name in ("tax", "bill", "fee")},
        **{f"alone_{place}": random.normal(0, 1, rows) for place in range(11)},
        "channel": random.choice([f"c{place}" for place in range(8)], rows),
    }
    return pl.DataFrame(columns)


REFERENCE = customers(REFERENCE_ROWS, seed=5)
CURRENT = customers(CURRENT_ROWS, seed=6)
KINDS: dict[str, Kind] = {
    name: "categorical" if dtype == pl.String else "numeric" for name, dtype in REFERENCE.drop("row_id").schema.items()
}


def where(condition: pl.Expr, column: str, changed: pl.Expr, *, rows: pl.DataFrame = CURRENT) -> pl.DataFrame:
    """The rows with ``column`` changed where the condition holds."""
    return rows.with_columns(pl.when(condition).then(changed).otherwise(pl.col(column)).alias(column))


def some(share: float, *, seed: int = 9, rows: pl.DataFrame = CURRENT) -> pl.Expr:
    """A condition that holds for exactly a share of the rows, drawn by chance."""
    chosen = np.random.default_rng(seed).permutation(rows.height) < round(share * rows.height)
    return pl.lit(pl.Series(chosen))
