"""Reference × batches × columns × methods → one long table, and one verdict per batch.

Columns are taken one after another: split by batch, profiled, measured by each method the policy names, and held
against the limit. A column that cannot be judged (missing, empty, of the wrong type, too few rows) gets a row that
says so; it never stops the others. Nothing here raises because of what a batch holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from driftbook.config import Policy
from driftbook.config.policy import DriftPolicy
from driftbook.drift.excess import excess
from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, slice_profiles
from driftbook.drift.reference import Reference, build_reference
from driftbook.drift.thresholds import Limit, Limits, limits_of, too_few_rows
from driftbook.errors import ConfigError, DriftError

__all__ = ["DRIFT_SCHEMA", "Reference", "analyse_drift", "batch_verdicts", "build_reference", "excess"]

DRIFT_SCHEMA: dict[str, pl.DataType] = {
    "batch_id": pl.String(),
    "column": pl.String(),
    "kind": pl.String(),
    "role": pl.String(),
    "method": pl.String(),
    "rows": pl.Int64(),
    "statistic": pl.Float64(),
    "p_value": pl.Float64(),
    "drift_score": pl.Float64(),
    "threshold": pl.Float64(),
    "on": pl.String(),
    "band": pl.String(),
    "drifted": pl.Boolean(),
    "note": pl.String(),
}
FAULTS = (DriftError, ArithmeticError, ValueError, TypeError, pl.exceptions.PolarsError)


def analyse_drift(reference: Reference, rows: pl.DataFrame, *, policy: Policy) -> pl.DataFrame:
    """Compare every batch with the reference.

    Parameters
    ----------
    reference
        Of the model whose batches these are.
    rows
        ``batch_id`` and the reference's columns; ``target`` may be null where it is not known yet.
    policy
        Names the methods and the threshold.

    Returns
    -------
    Long table: one row per batch, column and method, in this order of ``batch_id`` and of the reference's columns.
    ``threshold`` is on the scale that ``on`` names; ``band`` is ``stable``, ``moderate``, ``drifted`` or
    ``cannot_tell`` with a ``note``.

    Raises
    ------
    UnknownNameError
        If the policy names a method that does not exist.
    ConfigError
        If it names one that cannot measure that kind of column.
    """
    drift = policy.drift
    _check_methods(drift)
    silent = frozenset(name for name, role in reference.roles.items() if role == "target")
    limits = limits_of(
        drift,
        profile=reference.profile,
        basis=reference.basis,
        batches_per_day=reference.batches_per_day,
        silent=silent,
    )
    rows = rows.sort("batch_id", maintain_order=True)
    runs = rows["batch_id"].rle().struct.unnest()
    stream = _Stream(rows, runs["value"].to_list(), [0, *np.cumsum(runs["len"].to_numpy()).tolist()])
    analysis = _Analysis(reference, drift, limits)
    with np.errstate(all="ignore"):
        records = [record for name in reference.profile for record in analysis.column(name, stream)]
    table = pl.DataFrame(records, schema=DRIFT_SCHEMA, orient="row")
    return table.sort("batch_id", maintain_order=True)


def batch_verdicts(table: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Whether each batch as a whole alarms, and on what.

    It does when more than ``alarm_share`` of the features drifted, or the prediction did; the target is shown but
    does not alarm by itself.

    Parameters
    ----------
    table
        Long drift table.

    Returns
    -------
    One row per batch: ``batch_id``, ``columns`` (features judged), ``drifted_columns``, ``share``,
    ``prediction_drifted``, ``target_drifted``, ``alarmed``, ``top_column``, ``top_excess`` (largest ratio of a
    statistic to its limit; null if nothing could be judged).
    """
    feature, prediction, target = (pl.col("role") == role for role in ("feature", "prediction", "target"))
    marked = table.with_columns(excess=excess())
    counts = marked.group_by("batch_id", maintain_order=True).agg(
        columns=pl.col("column").filter(feature).n_unique().cast(pl.Int64),
        drifted_columns=pl.col("column").filter(feature & pl.col("drifted")).n_unique().cast(pl.Int64),
        prediction_drifted=(prediction & pl.col("drifted")).any(),
        target_drifted=(target & pl.col("drifted")).any(),
    )
    top = (
        marked.filter(~target & pl.col("excess").is_not_null())
        .sort("excess", descending=True, maintain_order=True)
        .group_by("batch_id", maintain_order=True)
        .agg(top_column=pl.col("column").first(), top_excess=pl.col("excess").first())
    )
    share = pl.when(pl.col("columns") > 0).then(pl.col("drifted_columns") / pl.col("columns")).otherwise(0.0)
    alarmed = (pl.col("share") > policy.drift.alarm_share) | pl.col("prediction_drifted")
    order = ["batch_id", "columns", "drifted_columns", "share", "prediction_drifted", "target_drifted", "alarmed"]
    verdicts = counts.with_columns(share=share).with_columns(alarmed=alarmed)
    joined = verdicts.join(top, on="batch_id", how="left", maintain_order="left")
    return joined.select(*order, "top_column", "top_excess")


@dataclass(frozen=True)
class _Stream:
    """Rows in order of their batch; batch ``i`` is ``offsets[i]:offsets[i + 1]``."""

    rows: pl.DataFrame
    batch_ids: Sequence[str]
    offsets: Sequence[int]


@dataclass(frozen=True)
class _Analysis:
    """All that is the same for every column."""

    reference: Reference
    drift: DriftPolicy
    limits: Limits

    def column(self, name: str, stream: _Stream) -> Iterator[tuple[Any, ...]]:
        """Rows of the long table for one column, all batches."""
        before = self.reference.profile[name]
        methods = self.drift.numeric if before.kind == "numeric" else self.drift.categorical
        try:
            if name not in stream.rows.columns:
                raise DriftError("the column is missing in the batch")
            profiles = slice_profiles(stream.rows[name], stream.offsets, kind=before.kind)
        except FAULTS as fault:
            sizes = np.diff(stream.offsets).tolist()
            for batch_id, rows in zip(stream.batch_ids, sizes, strict=True):
                yield from (self._fault(batch_id, name, each, rows, str(fault)) for each in methods)
            return
        for batch_id, current in zip(stream.batch_ids, profiles, strict=True):
            for each in methods:
                yield self._measured(batch_id, name, each, current)

    def _measured(self, batch_id: str, name: str, by: str, current: ColumnProfile) -> tuple[Any, ...]:
        before, role = self.reference.profile[name], self.reference.roles[name]
        if role != "feature":
            before, current = _known(before), _known(current)
            if not current.rows:
                return self._fault(batch_id, name, by, 0, f"no {role} is known yet")
        few = too_few_rows(current.rows)
        if few:
            return self._fault(batch_id, name, by, current.rows, few)
        try:
            measure = method(by).measure(before, current)
            limit = self._limit(name, by, before, current)
        except FAULTS as fault:
            return self._fault(batch_id, name, by, current.rows, str(fault))
        band = limit.band(measure)
        values = (measure.statistic, measure.p_value, measure.drift_score, limit.critical, limit.on)
        note = limit.note if band == "cannot_tell" else None
        return (batch_id, name, before.kind, role, by, current.rows, *values, band, band == "drifted", note)

    def _limit(self, name: str, by: str, before: ColumnProfile, current: ColumnProfile) -> Limit:
        fixed = self.drift.prediction_limit
        if fixed is not None and self.reference.roles[name] == "prediction":
            return Limit(on="drift_score", warning=fixed, critical=fixed)
        return self.limits.limit((name, by), before, current)

    def _fault(self, batch_id: str, name: str, by: str, rows: int, note: str) -> tuple[Any, ...]:
        kind, role = self.reference.profile[name].kind, self.reference.roles[name]
        nothing = (None, None, None, None, "statistic")
        return (batch_id, name, kind, role, by, rows, *nothing, "cannot_tell", False, note)


def _known(column: ColumnProfile) -> ColumnProfile:
    """Without its missing rows: a target or prediction that is not there yet is no value of its own."""
    return replace(column, rows=column.rows - column.missing, missing=0)


def _check_methods(drift: DriftPolicy) -> None:
    for kind, names in (("numeric", drift.numeric), ("categorical", drift.categorical)):
        for name in names:
            if kind not in method(name).kinds:
                raise ConfigError(f"method {name!r} cannot measure {kind} columns; see drift.{kind} of the policy")
