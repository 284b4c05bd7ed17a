"""Limits and words the checks share: what chance gives, how bad a share is, how it is written."""

from __future__ import annotations

import math

import polars as pl

FINDINGS_SCHEMA: dict[str, pl.DataType] = {
    "batch_id": pl.String(),
    "column": pl.String(),
    "check": pl.String(),
    "severity": pl.String(),
    "value": pl.Float64(),
    "limit": pl.Float64(),
    "message": pl.String(),
}
CHECKS = (
    "constant",
    "duplicate_rows",
    "freshness",
    "infinite",
    "missing",
    "outliers",
    "quarantined",
    "range",
    "row_count",
    "unseen_category",
)
SEVERITIES = ("info", "warning", "critical")
STANDARD_DEVIATIONS = 4.0
CRITICAL_SHARE = 0.5


def noise_limit(share: pl.Expr) -> pl.Expr:
    """The share that chance alone exceeds once in 30,000 (Anscombe's transform); zero where the history has none."""
    rows = pl.col("rows")
    angle = ((rows * share + 0.375) / (rows + 0.75)).clip(0.0, 1.0).sqrt().arcsin()
    high = (angle + STANDARD_DEVIATIONS / (2.0 * (rows + 0.5).sqrt())).clip(0.0, math.pi / 2.0)
    return pl.when(share > 0.0).then(high.sin() ** 2).otherwise(0.0)


def severity_of(share: pl.Expr) -> pl.Expr:
    """Critical from half of the rows on."""
    return pl.when(share >= CRITICAL_SHARE).then(pl.lit("critical")).otherwise(pl.lit("warning"))


def percent(share: pl.Expr) -> pl.Expr:
    """As text: three significant digits, no trailing zero."""
    return (share * 100.0).round_sig_figs(3).cast(pl.String).str.strip_suffix(".0")
