"""What is normal: statistics per batch and column, and the reference the checks compare them with.

One long table with a row per batch and column holds all counts that any check needs, so that a check is a filter
and not a pass over the data. Numeric columns are counted in one group-by; a categorical column through its value
counts per batch, which also name the unseen values.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from driftbook.config import UseCase
from driftbook.errors import DataError

FENCE_WIDTH = 3.0  # Tukey's "far out": so many interquartile ranges beyond the quartiles
COUNTS = ("missing", "infinite", "outside", "outliers", "unseen")


@dataclass(frozen=True)
class QualityReference:
    """What the history says is normal.

    ``columns`` has a row per column with its shares and ranges; ``values`` the categories seen per column;
    ``batches`` a row per batch of the history with its rows, repeated rows and fingerprint.
    """

    columns: pl.DataFrame
    values: dict[str, frozenset[str]]
    batches: pl.DataFrame
    longest_gap_days: int

    @classmethod
    def from_rows(cls, rows: pl.DataFrame, *, case: UseCase) -> QualityReference:
        """Build it from the batch frame of the history, and from nothing else.

        Raises
        ------
        DataError
            If there is no row: without a history nothing is a surprise.
        """
        if rows.is_empty():
            raise DataError(
                "quality is judged against the history, which has no rows; "
                "move source.stream_start later or enlarge source.history_share"
            )
        ranges = _ranges(rows, case)
        counts = {name: value_counts(rows, name) for name in case.columns.categorical}
        values = {name: frozenset(each[name].drop_nulls().to_list()) for name, each in counts.items()}
        statistics = column_statistics(rows, case=case, ranges=ranges, values=values, counts=counts)
        typical = [_typical_number(rows, name) for name in case.columns.numeric]
        typical += [_typical_value(counts[name], name) for name in case.columns.categorical]
        schema = {"column": pl.String, "top_share": pl.Float64, "rare_share": pl.Float64}
        columns = (
            _shares(statistics)
            .join(ranges, on="column", how="left")
            .join(pl.DataFrame(typical, schema=schema, orient="row"), on="column", how="left")
        )
        batches = batch_statistics(rows, case=case)
        days = batches["day"].unique().sort()
        gap = max((later - earlier).days for earlier, later in pairwise(days)) if len(days) > 1 else 1
        return cls(columns=columns, values=values, batches=batches, longest_gap_days=gap)


def value_counts(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Rows per batch and value of a categorical column."""
    return rows.group_by("batch_id", name).len("count")


def column_statistics(
    rows: pl.DataFrame,
    *,
    case: UseCase,
    ranges: pl.DataFrame,
    values: dict[str, frozenset[str]],
    counts: dict[str, pl.DataFrame] | None = None,
) -> pl.DataFrame:
    """One row per batch and column with every count a check needs.

    Columns: batch_id, column, rows, missing, infinite, outside, outliers, unseen, constant, smallest,
    largest, examples.
    """
    parts = [_number_statistics(rows, case, ranges)] if case.columns.numeric else []
    for name in case.columns.categorical:
        tally = counts[name] if counts else value_counts(rows, name)
        parts.append(_value_statistics(tally, name, values[name]))
    if case.columns.dates:
        parts += [
            rows.group_by("batch_id")
            .agg(pl.len().alias("rows"), pl.col(name).null_count().alias("missing"))
            .with_columns(pl.lit(name).alias("column"))
            for name in case.columns.dates
        ]
    return pl.concat([_complete(part) for part in parts]).sort("batch_id", "column")


def batch_statistics(rows: pl.DataFrame, *, case: UseCase) -> pl.DataFrame:
    """One row per batch: day, rows, repeated rows (alike in every feature) and a fingerprint of its content."""
    hashed = rows.select(
        "batch_id", "event_time", rows.select(list(case.columns.features)).hash_rows(seed=0).alias("hash")
    )
    return (
        hashed.group_by("batch_id")
        .agg(
            pl.col("event_time").min().dt.date().alias("day"),
            pl.len().alias("rows"),
            (pl.len() - pl.col("hash").n_unique()).alias("repeated"),
            pl.col("hash").bitwise_xor().alias("fingerprint"),
        )
        .sort("batch_id")
    )


def _number_statistics(rows: pl.DataFrame, case: UseCase, ranges: pl.DataFrame) -> pl.DataFrame:
    limits = {row["column"]: row for row in ranges.iter_rows(named=True)}
    wanted: list[pl.Expr] = []
    for name in case.columns.numeric:
        limit = {label: pl.lit(value, dtype=pl.Float64) for label, value in limits[name].items() if label != "column"}
        column = pl.col(name)
        finite = column.is_finite()
        for label, low, high in (("outside", "lowest", "highest"), ("outliers", "fence_low", "fence_high")):
            beyond = (column < limit[low]) | (column > limit[high])
            wanted.append((beyond & finite).alias(f"{label}|{name}"))
        wanted.append(column.is_infinite().alias(f"infinite|{name}"))
        wanted.append(column.is_null().alias(f"missing|{name}"))
        wanted.append(pl.when(finite).then(column).alias(f"value|{name}"))
    masks = rows.lazy().select("batch_id", *wanted)
    aggregated = [
        *(pl.col(f"{label}|{name}").sum() for label in COUNTS[:4] for name in case.columns.numeric),
        *(pl.col(f"value|{name}").min().alias(f"smallest|{name}") for name in case.columns.numeric),
        *(pl.col(f"value|{name}").max().alias(f"largest|{name}") for name in case.columns.numeric),
    ]
    wide = masks.group_by("batch_id").agg(pl.len().alias("rows"), *aggregated).collect()
    labels = (*COUNTS[:4], "smallest", "largest")
    long = [
        wide.select("batch_id", "rows", pl.lit(name).alias("column"), *(pl.col(f"{x}|{name}").alias(x) for x in labels))
        for name in case.columns.numeric
    ]
    constant = (pl.col("smallest") == pl.col("largest")).fill_null(value=False)
    return pl.concat(long).with_columns(constant.alias("constant"))


def _value_statistics(tally: pl.DataFrame, name: str, seen: frozenset[str]) -> pl.DataFrame:
    value, count = pl.col(name), pl.col("count")
    unseen = value.is_not_null() & ~value.is_in(sorted(seen))
    marked = tally.with_columns(unseen.alias("new"))
    return (
        marked.sort("count", name, descending=[True, False])
        .group_by("batch_id")
        .agg(
            count.sum().alias("rows"),
            count.filter(value.is_null()).sum().alias("missing"),
            count.filter(pl.col("new")).sum().alias("unseen"),
            (value.drop_nulls().len() == 1).alias("constant"),
            value.filter(pl.col("new")).head(3).str.join(", ").alias("examples"),
        )
        .with_columns(pl.lit(name).alias("column"))
    )


def _complete(part: pl.DataFrame) -> pl.DataFrame:
    """The same columns and types for every kind of column."""
    types: dict[str, pl.DataType] = {"batch_id": pl.String(), "column": pl.String(), "rows": pl.Int64()}
    types.update(dict.fromkeys(COUNTS, pl.Int64()))
    types.update({"constant": pl.Boolean(), "smallest": pl.Float64(), "largest": pl.Float64(), "examples": pl.String()})
    present = [pl.col(name).cast(dtype) for name, dtype in types.items() if name in part.columns]
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in types.items() if name not in part.columns]
    return part.select(*present, *absent).select(list(types))


def _ranges(rows: pl.DataFrame, case: UseCase) -> pl.DataFrame:
    """Lowest and highest finite value and Tukey's fences; null where a column has no finite value or no spread."""
    names = ("column", "lowest", "highest", "fence_low", "fence_high")
    schema = {name: pl.String() if name == "column" else pl.Float64() for name in names}
    found: list[tuple[str | float | None, ...]] = []
    for name in case.columns.numeric:
        finite = rows[name].filter(rows[name].is_finite().fill_null(value=False))
        first, third = finite.quantile(0.25), finite.quantile(0.75)
        width = FENCE_WIDTH * (third - first) if first is not None and third is not None else 0.0
        fences = (first - width, third + width) if first is not None and third is not None and width else (None, None)
        found.append((name, finite.min(), finite.max(), *fences))  # type: ignore[arg-type]
    return pl.DataFrame(found, schema=schema, orient="row")


def _shares(statistics: pl.DataFrame) -> pl.DataFrame:
    """Per column: the share of each count over the whole history, and its spread from batch to batch."""
    shares = [(pl.col(name).sum() / pl.col("rows").sum()).alias(f"{name}_share") for name in COUNTS]
    spreads = [(pl.col(name) / pl.col("rows")).std().fill_null(0.0).alias(f"{name}_spread") for name in COUNTS]
    total = pl.col("rows").sum().alias("rows")
    filled = (pl.col("rows").sum() - pl.col("missing").sum()).alias("filled")
    always = (pl.col("constant") & pl.col("constant").is_not_null()).any().alias("constant_in_a_batch")
    return statistics.group_by("column").agg(total, filled, always, *shares, *spreads).sort("column")


def _typical_number(rows: pl.DataFrame, name: str) -> tuple[str, float, float]:
    """Share of the commonest value (exact where above one half: it is the median then), and of values at the rim.

    The next value lies beyond the range so far with probability 2 / (n + 1), whatever the distribution.
    """
    column = rows[name].drop_nulls()
    if column.is_empty():
        return name, 1.0, 0.0
    return name, float((column == column.median()).sum()) / len(column), 2.0 / (len(column) + 1.0)


def _typical_value(tally: pl.DataFrame, name: str) -> tuple[str, float, float]:
    """Share of the commonest value, and of values yet unseen: as many as were seen once (Good and Turing)."""
    totals = tally.filter(pl.col(name).is_not_null()).group_by(name).agg(pl.col("count").sum())["count"]
    filled = int(totals.sum())
    if not filled:
        return name, 1.0, 0.0
    return name, float(totals.max()) / filled, float((totals == 1).sum()) / filled  # type: ignore[arg-type]
