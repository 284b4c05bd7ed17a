"""Small tables about batches, for the notebooks that read them: what is there, in a form that fits a page."""

from __future__ import annotations

import polars as pl

from driftbook.config import UseCase
from driftbook.tables import format_value

FIRST_ROWS = 4


def first_rows(rows: pl.DataFrame, case: UseCase) -> pl.DataFrame:
    """The first rows of a batch frame turned on their side: a line a column, so that wide tables fit a page."""
    columns = case.columns
    kinds = dict.fromkeys(columns.numeric, "number") | dict.fromkeys(columns.categorical, "category")
    kinds |= {"row_id": "identifier", "event_time": "time", **dict.fromkeys(columns.dates, "date")}
    shown = rows.select(name for name in rows.columns if name in kinds).head(FIRST_ROWS)
    values = {f"row {place}": list(map(format_value, row)) for place, row in enumerate(shown.iter_rows(), start=1)}
    return pl.DataFrame({"column": shown.columns, "kind": [kinds[name] for name in shown.columns], **values})


def batches_by_part(index: pl.DataFrame) -> pl.DataFrame:
    """History and stream in numbers: batches, rows, first and last day."""
    return index.group_by("part", maintain_order=True).agg(
        pl.len().alias("batches"),
        pl.col("rows").sum(),
        pl.col("quarantined").sum(),
        pl.col("day").min().alias("first day"),
        pl.col("day").max().alias("last day"),
    )


def target_shares(targets: pl.DataFrame) -> pl.DataFrame:
    """How often each class occurs among the targets known so far."""
    counted = targets.group_by("target").len("rows").sort("rows", "target", descending=[True, False])
    return counted.with_columns(share=pl.col("rows") / pl.col("rows").sum())
