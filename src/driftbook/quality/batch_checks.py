"""Checks of a batch as a whole: its rows, repetitions, gaps before it, age, and rows lost to quarantine.

Each works on one row per batch. A finding of a batch depends on it and on earlier ones only, so that judging a
stream at once or day by day tells the same; only the age of the newest batch belongs to the day one looks.
"""

from __future__ import annotations

import math
from datetime import date

import polars as pl

from driftbook.config import UseCase
from driftbook.quality.limits import STANDARD_DEVIATIONS, noise_limit, percent, severity_of
from driftbook.quality.reference import QualityReference

MINOR_SHARE = 0.01  # quarantined rows below this share are told, not warned of
MIN_ROWS_REPEATED = 20  # a smaller batch may equal another by chance


def check_row_count(days: pl.DataFrame, normal: QualityReference, *, case: UseCase, factor: float) -> pl.DataFrame:
    """Rows against the usual: beyond the factor, and beyond the history's low and high days with their noise.

    Where rows are dealt to days, the newest batch may hold what was left over: that is told, not warned of.
    """
    low, median, high = (_quantile(normal.batches["rows"], at) for at in (0.05, 0.5, 0.95))
    least = min(median / factor, low - STANDARD_DEVIATIONS * math.sqrt(low))
    most = max(median * factor, high + STANDARD_DEVIATIONS * math.sqrt(high))
    rows = pl.col("rows")
    left_over = (pl.col("batch_id") == pl.col("batch_id").max()) & (rows < least)
    is_left_over = left_over if case.batch.rows is not None else pl.lit(value=False)
    severity = pl.when(is_left_over).then(pl.lit("info")).otherwise(pl.lit("warning"))
    bound = pl.when(rows < least).then(pl.lit(least)).otherwise(pl.lit(most))
    limit = bound.round(0).cast(pl.Int64)
    found = days.with_columns(severity.alias("severity"), rows.alias("value"), bound.alias("limit"))
    message = pl.format("{} rows, {} are usual (limit {})", rows, pl.lit(round(median)), limit)
    return _finding(found.filter((rows < least) | (rows > most)), "row_count", message)


def check_repeated_rows(days: pl.DataFrame, normal: QualityReference, *, allowed: float) -> pl.DataFrame:
    """Rows alike in every feature, beyond what the history has and chance gives (at least one in all its rows)."""
    repeated, rows = float(normal.batches["repeated"].sum()), float(normal.batches["rows"].sum())
    usual, by_chance = repeated / max(rows, 1.0), max(repeated, 1.0) / (rows + 1.0)
    spread = STANDARD_DEVIATIONS * _spread(normal.batches["repeated"] / normal.batches["rows"])
    share = pl.col("repeated") / pl.col("rows")
    limit = pl.max_horizontal(pl.lit(usual + max(allowed, spread)), noise_limit(pl.lit(by_chance)))
    found = days.with_columns(severity_of(share).alias("severity"), share.alias("value"), limit.alias("limit"))
    shares = percent(pl.col("value")), percent(pl.col("limit"))
    text = "{} rows ({} %) repeat another row of the batch in every feature (limit {} %)"
    return _finding(
        found.filter(pl.col("value") > pl.col("limit")), "duplicate_rows", pl.format(text, "repeated", *shares)
    )


def check_repeated_batch(days: pl.DataFrame, normal: QualityReference) -> pl.DataFrame:
    """A batch delivered again: the rows of an earlier one (half of them distinct or more, else it proves nothing)."""
    columns = ["batch_id", "rows", "fingerprint"]
    varied = days.filter((pl.col("repeated") * 2 <= pl.col("rows")) & (pl.col("rows") >= MIN_ROWS_REPEATED))
    earlier = pl.concat([normal.batches.select(columns), varied.select(columns)]).rename({"batch_id": "original"})
    pairs = varied.join(earlier, on=["rows", "fingerprint"]).filter(pl.col("original") < pl.col("batch_id"))
    found = pairs.group_by("batch_id").agg(pl.col("original").min())
    found = found.with_columns(severity=pl.lit("critical"), value=pl.lit(1.0), limit=pl.lit(0.0))
    return _finding(found, "duplicate_rows", pl.format("holds the same rows as batch {}: delivered twice?", "original"))


def check_gaps(days: pl.DataFrame, normal: QualityReference) -> pl.DataFrame:
    """Days without a batch, more in a row than the history ever had."""
    known = pl.concat([normal.batches.select("day"), days.select("day")]).unique().sort("day")
    lost = known.with_columns(value=pl.col("day").diff().dt.total_days() - 1)
    first = days.filter(pl.col("batch_id") == pl.col("batch_id").min().over("day"))
    limit = normal.longest_gap_days - 1
    found = first.join(lost, on="day").filter(pl.col("value") > limit)
    found = found.with_columns(severity=pl.lit("warning"), limit=pl.lit(limit))
    return _finding(found, "freshness", pl.format("{} days without a batch before this one", "value"))


def check_age(days: pl.DataFrame, normal: QualityReference, *, late_days: int, as_of: date) -> pl.DataFrame:
    """How old the newest batch is at the end of ``as_of``."""
    columns = ["batch_id", "day"]
    known = pl.concat([normal.batches.select(columns), days.select(columns)]).drop_nulls()
    newest = known.sort("day", "batch_id").tail(1)
    limit = max(late_days, normal.longest_gap_days - 1)
    age = (pl.lit(as_of) - pl.col("day")).dt.total_days()
    found = newest.with_columns(severity=pl.lit("warning"), value=age, limit=pl.lit(limit))
    message = pl.format("no batch for {} days: the newest is of {}", "value", "day")
    return _finding(found.filter(pl.col("value") > limit), "freshness", message)


def check_quarantined(index: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Rows that broke the schema, against the history's share of them; also of batches that lost every row."""
    history = index.filter(pl.col("part") == "history")
    lost, kept = float(history["quarantined"].sum()), float(history["rows"].sum())
    usual = lost / (lost + kept) if lost else 0.0
    vanished = (pl.col("rows") == 0) & (pl.col("part") == "stream")
    judged = index.filter(pl.col("batch_id").is_in(days["batch_id"].to_list()) | vanished)
    judged = judged.with_columns(rows=pl.col("rows") + pl.col("quarantined"))
    share = pl.col("quarantined") / pl.col("rows")
    severity = pl.when(share < MINOR_SHARE).then(pl.lit("info")).otherwise(severity_of(share))
    limit = noise_limit(pl.lit(usual))
    found = judged.with_columns(severity.alias("severity"), share.alias("value"), limit.alias("limit"))
    found = found.filter((pl.col("quarantined") > 0) & (pl.col("value") > pl.col("limit")))
    message = pl.format("{} of {} rows broke the schema and lie in quarantine with the reason", "quarantined", "rows")
    return _finding(found, "quarantined", message)


def _finding(rows: pl.DataFrame, check: str, message: pl.Expr) -> pl.DataFrame:
    """Rows with batch_id, severity, value and limit → findings about whole batches: no column."""
    return rows.select(
        "batch_id",
        pl.lit(None, dtype=pl.String).alias("column"),
        pl.lit(check).alias("check"),
        "severity",
        pl.col("value").cast(pl.Float64),
        pl.col("limit").cast(pl.Float64),
        message.alias("message"),
    )


def _quantile(values: pl.Series, at: float) -> float:
    found = values.cast(pl.Float64).quantile(at)
    return 0.0 if found is None else found


def _spread(values: pl.Series) -> float:
    found = values.std()
    return found if isinstance(found, float) else 0.0
