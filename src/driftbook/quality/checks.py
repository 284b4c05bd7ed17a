"""The checks: statistics of a batch against the history's → findings with severity and a plain sentence.

A share is a finding when it exceeds the history's share by more than the policy allows, by more than four standard
deviations of the history's own batches, and by more than chance gives at this number of rows. A finding is
``critical`` when half of the batch or more is affected, ``info`` when it needs nobody's attention, else ``warning``.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from driftbook.config import UseCase
from driftbook.config.policy import QualityPolicy
from driftbook.quality.batch_checks import (
    check_age,
    check_gaps,
    check_quarantined,
    check_repeated_batch,
    check_repeated_rows,
    check_row_count,
)
from driftbook.quality.limits import (
    CHECKS,
    FINDINGS_SCHEMA,
    SEVERITIES,
    STANDARD_DEVIATIONS,
    noise_limit,
    percent,
    severity_of,
)
from driftbook.quality.reference import QualityReference, batch_statistics, column_statistics

MIN_ROWS_CONSTANT = 20
CONSTANT_BY_CHANCE = 1e-6


def check_batches(
    batches: pl.DataFrame,
    reference: pl.DataFrame | QualityReference,
    *,
    case: UseCase,
    policy: QualityPolicy,
    index: pl.DataFrame | None = None,
    as_of: date | None = None,
) -> pl.DataFrame:
    """Check batches against the history, all in one pass.

    Parameters
    ----------
    batches
        Batch frame of the batches to judge: the stream so far, so that a gap or a batch delivered twice is seen.
    reference
        Batch frame of the history, or what :meth:`QualityReference.from_rows` made of it.
    index
        Batch index (batch_id, day, part, rows, quarantined): adds quarantined rows and batches that lost all rows.
    as_of
        Adds freshness: how old the newest batch is at the end of that day.

    Returns
    -------
    Findings with :data:`FINDINGS_SCHEMA`, one row each, none where all is well; ``column`` is null for a whole batch.

    Examples
    --------
    >>> from driftbook.config.base import parse
    >>> case = parse(UseCase, {"name": "demo", "title": "Demo", "task": "binary", "batch": {"rows": 20},
    ...     "columns": {"target": "y", "positive_class": "yes", "numeric": ["age"]},
    ...     "source": {"kind": "files", "path": "demo.csv"}}, source="demo")
    >>> days = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 3), "1d", eager=True)
    >>> rows = pl.DataFrame({"event_time": days, "batch_id": days.dt.strftime("%F")}).join(
    ...     pl.DataFrame({"age": [float(age) for age in range(20, 60)]}), how="cross")
    >>> today = rows.filter(pl.col("batch_id") == "2026-01-03").with_columns(
    ...     age=pl.when(pl.col("age") > 50).then(pl.col("age")))
    >>> history = rows.filter(pl.col("batch_id") < "2026-01-03")
    >>> findings = check_batches(today, history, case=case, policy=QualityPolicy())
    >>> findings.filter(pl.col("column") == "age")["message"].to_list()
    ['age: 77.5 % missing, 0 % in the history (limit 5 %)']
    """
    normal = reference if isinstance(reference, QualityReference) else QualityReference.from_rows(reference, case=case)
    statistics = column_statistics(batches, case=case, ranges=normal.columns, values=normal.values)
    long = statistics.join(normal.columns, on="column", how="left", suffix="_history")
    days = batch_statistics(batches, case=case)
    found = [
        *_column_checks(long, policy),
        _constant(long),
        check_row_count(days, normal, case=case, factor=policy.row_count_factor),
        check_repeated_rows(days, normal, allowed=policy.duplicate_share),
        check_repeated_batch(days, normal),
        check_gaps(days, normal),
    ]
    if index is not None:
        found.append(check_quarantined(index, days))
    if as_of is not None:
        found.append(check_age(days, normal, late_days=policy.late_days, as_of=as_of))
    rows = pl.concat(
        [each.select(pl.col(name).cast(dtype) for name, dtype in FINDINGS_SCHEMA.items()) for each in found]
    )
    known = pl.col("check").cast(pl.Enum(CHECKS)).cast(pl.String)  # a check without a name in CHECKS fails here
    return rows.with_columns(known).sort("batch_id", "column", "check", nulls_last=False)


def check_history(reference: pl.DataFrame | QualityReference, *, case: UseCase) -> pl.DataFrame:
    """Columns from which nothing can be learnt: empty or constant in the whole history; ``batch_id`` is null."""
    normal = reference if isinstance(reference, QualityReference) else QualityReference.from_rows(reference, case=case)
    empty = pl.col("filled") == 0
    same = (pl.col("lowest") == pl.col("highest")) | pl.col("lowest").is_null()
    constant = same & (pl.col("top_share") == 1.0)
    advice = pl.lit("leave it out in usecase.yaml (columns.left_out)")
    what = (
        pl.when(empty).then(pl.lit("no value in the whole history")).otherwise(pl.lit("one value only in the history"))
    )
    found = normal.columns.filter(empty | constant).select(
        pl.lit(None, dtype=pl.String).alias("batch_id"),
        "column",
        pl.when(empty).then(pl.lit("missing")).otherwise(pl.lit("constant")).alias("check"),
        pl.lit("warning").alias("severity"),
        pl.lit(1.0).alias("value"),
        pl.lit(1.0).alias("limit"),
        pl.format("{}: {}: a model learns nothing from it; {}", "column", what, advice).alias("message"),
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in FINDINGS_SCHEMA.items())


def summarise(findings: pl.DataFrame) -> pl.DataFrame:
    """One row per check and column, worst first: severity, batches, first and last batch, message of the last."""
    return (
        findings.sort("batch_id")
        .group_by("check", "column")
        .agg(
            pl.col("severity").cast(pl.Enum(SEVERITIES)).max(),
            pl.col("batch_id").n_unique().alias("batches"),
            pl.col("batch_id").min().alias("first_batch"),
            pl.col("batch_id").max().alias("last_batch"),
            pl.col("message").last(),
        )
        .sort("severity", "batches", "check", "column", descending=[True, True, False, False])
        .with_columns(pl.col("severity").cast(pl.String))
    )


def _column_checks(long: pl.DataFrame, policy: QualityPolicy) -> list[pl.DataFrame]:
    number = pl.col("smallest").round_sig_figs(6), pl.col("largest").round_sig_figs(6)
    usual = pl.col("lowest").round_sig_figs(6), pl.col("highest").round_sig_figs(6)
    outside = pl.format("outside the history's range {} to {} (found {} to {})", *usual, *number)
    unseen = pl.format("hold a value never seen in the history: {}", "examples")
    return [
        _share_check(long, "missing", "missing", policy.missing_increase, pl.lit("missing")),
        _share_check(long, "infinite", "infinite", 0.0, pl.lit("infinite")),
        _share_check(long, "outside", "range", policy.out_of_range_share, outside),
        _share_check(long, "outliers", "outliers", policy.outlier_share, pl.lit("far outliers")),
        _share_check(long, "unseen", "unseen_category", policy.unseen_share, unseen),
    ]


def _share_check(long: pl.DataFrame, count: str, check: str, allowed: float, what: pl.Expr) -> pl.DataFrame:
    share = pl.col(count) / pl.col("rows")
    usual, by_chance = pl.col(f"{count}_share"), pl.col(f"{count}_share")
    if count in ("outside", "unseen"):
        by_chance = pl.max_horizontal(by_chance, "rare_share")
    spread = STANDARD_DEVIATIONS * pl.col(f"{count}_spread")
    limit = pl.max_horizontal(usual + pl.max_horizontal(pl.lit(allowed), spread), noise_limit(by_chance))
    judged = long.with_columns(share.alias("value"), limit.alias("limit"))
    found = judged.filter((pl.col(count) > 0) & (pl.col("value") > pl.col("limit")))
    history = pl.format(", {} % in the history", percent(usual)) if count in ("missing", "outliers") else pl.lit("")
    shares = percent(pl.col("value")), percent(pl.col("limit"))
    return found.select(
        "batch_id",
        "column",
        pl.lit(check).alias("check"),
        severity_of(pl.col("value")).alias("severity"),
        "value",
        "limit",
        pl.format("{}: {} % {}{} (limit {} %)", "column", shares[0], what, history, shares[1]).alias("message"),
    )


def _constant(long: pl.DataFrame) -> pl.DataFrame:
    filled = pl.col("rows") - pl.col("missing")
    chance = pl.col("top_share") ** filled
    varied = (pl.col("top_share") < 1.0) & ~pl.col("constant_in_a_batch")
    found = long.filter(pl.col("constant") & varied & (filled >= MIN_ROWS_CONSTANT) & (chance < CONSTANT_BY_CHANCE))
    return found.select(
        "batch_id",
        "column",
        pl.lit("constant").alias("check"),
        pl.lit("warning").alias("severity"),
        pl.lit(1.0).alias("value"),
        pl.lit(1.0).alias("limit"),
        pl.format("{}: the same value in all {} rows, yet it varies in the history", "column", filled).alias("message"),
    )
