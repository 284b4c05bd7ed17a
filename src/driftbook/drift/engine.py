"""Reference × batches × columns × methods → one long table, and one verdict per batch.

Columns are taken one after another, in parallel threads: split by batch, sorted, measured by each method the policy
names, and held against the limit. A column that cannot be judged (missing, empty, of the wrong type, too few rows)
gets a row that says so; it never stops the others. Nothing here raises because of what a batch holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

from driftbook.config import Policy
from driftbook.config.policy import CalibratedThreshold, ConstantThreshold, DriftPolicy
from driftbook.drift.accumulation import measure_evidence
from driftbook.drift.batches import Batches, stack_batches
from driftbook.drift.excess import excess
from driftbook.drift.joint import as_measured, joint_method, measure_jointly
from driftbook.drift.judging import DRIFT_SCHEMA, judge
from driftbook.drift.measuring import FAULTS, Measured, join_blocks, measure_column, unmeasured
from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, Integers
from driftbook.drift.reference import Reference, build_reference
from driftbook.drift.thresholds import ACCUMULATED, CalibratedLimits, Limits, limits_of
from driftbook.errors import ConfigError, DriftError

__all__ = [
    "DRIFT_SCHEMA",
    "Reference",
    "against_previous",
    "analyse_drift",
    "batch_verdicts",
    "build_reference",
    "excess",
]

ROWS_AT_ONCE = 2_000_000  # of a column; a year of hourly batches is measured in a few blocks


def analyse_drift(
    reference: Reference,
    rows: pl.DataFrame,
    *,
    policy: Policy,
    silent: frozenset[str] = frozenset(),
    joint: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Compare every batch with the reference.

    Parameters
    ----------
    reference
        Of the model whose batches these are.
    rows
        ``batch_id`` and the reference's columns; ``target`` may be null where it is not known yet.
    policy
        Names the methods and the threshold.
    silent
        Columns whose drift is shown, does not alarm and uses up no budget: those that cannot matter to the model. The
        target is one of them anyway.
    joint
        What :func:`driftbook.drift.joint.measure_jointly` found for the batches, where somebody kept it; it is the
        expensive part.

    Returns
    -------
    Long table: one row per batch, column and method, in this order of ``batch_id`` and of the reference's columns.
    ``threshold`` is on the scale that ``on`` names and comes from where ``origin`` says; ``effect_size`` is the
    difference of means in standard deviations, or the largest change of a share; ``band`` is ``stable``,
    ``moderate``, ``drifted`` or ``cannot_tell`` with a ``note``; ``matters`` says whether it may alarm. ``chance``
    (calibrated thresholds only) is the probability that anything in a batch without drift is as surprising.

    Raises
    ------
    UnknownNameError
        If the policy names a method that does not exist.
    ConfigError
        If it names one that cannot measure that kind of column.
    """
    drift = policy.drift
    check_methods(drift)
    silent |= {name for name, role in reference.roles.items() if role == "target"}
    limits = _limits(reference, drift, silent)
    stream = _Stream.of(rows)
    measured = _measure_columns(reference, drift, stream)
    if drift.table:
        measured += _measure_jointly(reference, drift, stream, joint)
    evidence = None
    if ACCUMULATED in drift.table and isinstance(limits, CalibratedLimits):
        evidence = measure_evidence(measured, limits, batches_per_day=reference.batches_per_day, silent=silent)
    fixed = drift.prediction_limit
    ids = stream.batch_ids
    return judge(measured, ids, limits=limits, prediction_limit=fixed, silent=silent, evidence=evidence)


def against_previous(
    reference: Reference, rows: pl.DataFrame, *, policy: Policy, silent: frozenset[str] = frozenset()
) -> pl.DataFrame:
    """Compare every batch with the one before it, instead of with the reference.

    A step is seen on its day only, a slow drift never: this tells *when* something changed. What days differ by without
    drift is known from the reference, so its limits hold here too. Methods on whole batches are left out.

    Parameters
    ----------
    reference, rows, policy, silent
        As of :func:`analyse_drift`.

    Returns
    -------
    Long table of the same columns, of all batches but the first.
    """
    drift = policy.drift
    check_methods(drift)
    silent |= {name for name, role in reference.roles.items() if role == "target"}
    limits = _limits(reference, drift, silent)
    stream = _Stream.of(rows)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        found = threads.map(lambda name: _measure_steps(reference, drift, name, stream), reference.profile)
        measured = [each for column in found for each in column]
    fixed = drift.prediction_limit
    return judge(measured, stream.batch_ids[1:], limits=limits, prediction_limit=fixed, silent=silent)


def batch_verdicts(table: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Whether each batch as a whole alarms, and on what.

    It does when more than ``alarm_share`` of the features drifted, or the prediction did, or the share of suspicious
    rows, or the batch as a whole. The target and columns that the model hardly uses are shown and do not alarm.

    Parameters
    ----------
    table
        Long drift table.

    Returns
    -------
    One row per batch: ``batch_id``, ``columns`` (features that matter), ``drifted_columns`` (of them), ``share``,
    ``prediction_drifted``, ``outliers_drifted``, ``target_drifted``, ``table_drifted``, ``alarmed``, ``only_outliers``
    (it did, on nothing but the share of suspicious rows), ``top_column``, ``top_excess`` (largest ratio of a statistic
    to its limit; null if nothing could be judged).
    """
    roles = ("prediction", "outlier", "target", "table")
    prediction, outlier, target, whole = (pl.col("role") == role for role in roles)
    feature = (pl.col("role") == "feature") & pl.col("matters")
    marked = table.with_columns(excess=excess())
    counts = marked.group_by("batch_id", maintain_order=True).agg(
        columns=pl.col("column").filter(feature).n_unique().cast(pl.Int64),
        drifted_columns=pl.col("column").filter(feature & pl.col("drifted")).n_unique().cast(pl.Int64),
        prediction_drifted=(prediction & pl.col("drifted")).any(),
        outliers_drifted=(outlier & pl.col("drifted")).any(),
        target_drifted=(target & pl.col("drifted")).any(),
        table_drifted=(whole & pl.col("drifted")).any(),
    )
    top = (
        marked.filter(pl.col("matters") & pl.col("excess").is_not_null())
        .sort("excess", descending=True, maintain_order=True)
        .group_by("batch_id", maintain_order=True)
        .agg(top_column=pl.col("column").first(), top_excess=pl.col("excess").first())
    )
    share = pl.when(pl.col("columns") > 0).then(pl.col("drifted_columns") / pl.col("columns")).otherwise(0.0)
    shifted = (pl.col("share") > policy.drift.alarm_share) | pl.col("prediction_drifted") | pl.col("table_drifted")
    odd = pl.col("outliers_drifted")
    first, last = ["batch_id", "columns", "drifted_columns", "share"], ["alarmed", "only_outliers"]
    drifted = ["prediction_drifted", "outliers_drifted", "target_drifted", "table_drifted"]
    verdicts = counts.with_columns(share=share).with_columns(alarmed=shifted | odd, only_outliers=odd & ~shifted)
    joined = verdicts.join(top, on="batch_id", how="left", maintain_order="left")
    return joined.select(*first, *drifted, *last, "top_column", "top_excess")


@dataclass(frozen=True, eq=False)
class _Stream:
    """Rows in order of their batch; batch ``i`` is ``offsets[i]:offsets[i + 1]``."""

    rows: pl.DataFrame
    batch_ids: Sequence[str]
    offsets: Integers

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Stream:
        """Rows in any order."""
        rows = rows.sort("batch_id", maintain_order=True)
        runs = rows["batch_id"].rle().struct.unnest()
        offsets = np.concatenate([[0], np.cumsum(runs["len"].to_numpy())]).astype(np.int64)
        return cls(rows, runs["value"].to_list(), offsets)

    def bounds(self) -> Iterator[tuple[str, int, int]]:
        """Each batch, its first row and the one after its last."""
        return zip(self.batch_ids, self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)

    def blocks(self, reference: Reference) -> Iterator[tuple[int, int]]:
        """First batch and the one after the last of as many as are measured at once: rows and season permitting."""
        first = 0
        while first < len(self.batch_ids):
            last = int(np.searchsorted(self.offsets, self.offsets[first] + ROWS_AT_ONCE, side="right")) - 1
            last = min(max(last, first + 1), len(self.batch_ids))
            if reference.seasons:
                before = reference.profile_for(self.batch_ids[first])
                same = (reference.profile_for(each) is before for each in self.batch_ids[first:last])
                last = first + next((place for place, each in enumerate(same) if not each), last - first)
            yield first, last
            first = last


def _measure_jointly(
    reference: Reference, drift: DriftPolicy, stream: _Stream, joint: pl.DataFrame | None
) -> Iterator[Measured]:
    """Whole batches by the policy's methods."""
    counted = bool(reference.batch_rows)  # else the rows of a batch were chosen, and there is nothing to say
    methods = [name for name in drift.table if name != ACCUMULATED and (counted or name != "row_count")]
    if joint is None:
        batches = {each: stream.rows[first:last] for each, first, last in stream.bounds()}
        joint = measure_jointly(reference.joint, batches, methods=methods)
    return as_measured(joint, stream.batch_ids, methods=methods, deviations=reference.deviations)


def check_methods(drift: DriftPolicy) -> None:
    """That the policy's methods exist and can do what it asks of them; see :func:`analyse_drift`."""
    for name in drift.table:
        if name != ACCUMULATED:
            joint_method(name)
        elif not isinstance(drift.threshold, CalibratedThreshold):
            raise ConfigError(f"method {name!r} spends a false-alarm budget: it needs a threshold of kind calibrated")
    constant = isinstance(drift.threshold, ConstantThreshold)
    for kind, names in (("numeric", drift.numeric), ("categorical", drift.categorical)):
        for name in names:
            if kind not in method(name).kinds:
                raise ConfigError(f"method {name!r} cannot measure {kind} columns; see drift.{kind} of the policy")
            if not (constant or method(name).calibrates):
                raise ConfigError(
                    f"method {name!r} reproduces another tool's figures and has constant limits only; "
                    f"take {name.removesuffix('_evidently')!r}, or a threshold of kind constant"
                )


def _limits(reference: Reference, drift: DriftPolicy, silent: frozenset[str]) -> Limits:
    return limits_of(
        drift,
        profile=reference.profile,
        basis=reference.basis,
        batches_per_day=reference.batches_per_day,
        silent=silent,
    )


def _measure_columns(reference: Reference, drift: DriftPolicy, stream: _Stream) -> list[Measured]:
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        found = threads.map(lambda name: _measure(reference, drift, name, stream), reference.profile)
        return [each for column in found for each in column]


def _measure(reference: Reference, drift: DriftPolicy, name: str, stream: _Stream) -> list[Measured]:
    """One column, all batches, each against what its season is compared with."""
    column = _Column(reference, drift, name)
    try:
        if name not in stream.rows.columns:
            raise DriftError("the column is missing in the batch")
        blocks = []
        for first, last in stream.blocks(reference):
            batches = stack_batches(stream.rows[name], stream.offsets[first : last + 1], kind=column.kind)
            before = reference.profile_for(stream.batch_ids[first])[name]
            blocks.append(column.measured(before, batches))
        return join_blocks(blocks)
    except FAULTS as fault:
        return column.unmeasured(np.diff(stream.offsets), str(fault))


def _measure_steps(reference: Reference, drift: DriftPolicy, name: str, stream: _Stream) -> list[Measured]:
    """One column, every batch against the one before."""
    column = _Column(reference, drift, name)
    try:
        if name not in stream.rows.columns:
            raise DriftError("the column is missing in the batch")
        batches = stack_batches(stream.rows[name], stream.offsets, kind=column.kind)
        steps = []
        for number in range(1, len(batches)):
            before, after = (batches.profile(each) for each in (number - 1, number))
            steps.append(column.measured(before, Batches.of([after])))
        return join_blocks(steps) if steps else []
    except FAULTS as fault:
        return column.unmeasured(np.diff(stream.offsets)[1:], str(fault))


class _Column:
    """A column's kind, role and methods."""

    def __init__(self, reference: Reference, drift: DriftPolicy, name: str) -> None:
        self.name, self.kind, self.role = name, reference.profile[name].kind, reference.roles[name]
        self.methods = drift.numeric if self.kind == "numeric" else drift.categorical

    def measured(self, before: ColumnProfile, batches: Batches) -> list[Measured]:
        return measure_column(self.name, reference=before, role=self.role, batches=batches, methods=self.methods)

    def unmeasured(self, rows: Integers, note: str) -> list[Measured]:
        return unmeasured(self.name, kind=self.kind, role=self.role, rows=rows, methods=self.methods, note=note)
