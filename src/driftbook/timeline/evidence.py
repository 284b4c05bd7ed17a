"""What the decisions of a day rest on: a champion's reign, seen as of that day.

The reign holds the drift of every batch the champion served, against its own reference. A batch's drift
depends on that batch and the reference alone, so computing all of them at once looks into no future.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from driftbook.config.policy import RetrainingPolicy
from driftbook.data.batches import load_batches, load_targets
from driftbook.decisions.retraining import LEAST_IMPORTANCE
from driftbook.decisions.retraining_evidence import (
    Accumulated,
    Accuracy,
    Figure,
    Request,
    RetrainingEvidence,
    Withdrawn,
)
from driftbook.drift.engine import against_previous, analyse_drift, batch_verdicts
from driftbook.drift.excess import excess
from driftbook.drift.reference import OF_THE_MODEL
from driftbook.drift.thresholds import ACCUMULATED
from driftbook.model.metrics import matrix_of, measure, wilson
from driftbook.timeline.estimates import RECENT_BATCHES, Estimates
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import ensure_predictions
from driftbook.timeline.whole_batches import ensure_joint


@dataclass(frozen=True)
class Reign:
    """The drift of the stream against one champion's reference, from the day it took office.

    Parameters
    ----------
    table
        Long drift table, one row per batch, column and method.
    verdicts
        One row per batch: whether it alarmed, and on what.
    """

    version: Version
    since: date
    table: pl.DataFrame
    verdicts: pl.DataFrame

    @classmethod
    def of(cls, run: Run, version: Version, *, since: date) -> Reign:
        """Analyse every batch from ``since`` up to the run's day."""
        rows, silent = judged_rows(run, version, since=since), silent_columns(run, version)
        joint = ensure_joint(run, version, rows) if run.policy.drift.table else None
        table = analyse_drift(version.reference, rows, policy=run.policy, silent=silent, joint=joint)
        verdicts = batch_verdicts(table, run.policy).sort("batch_id")
        return cls(version, since, table, verdicts)

    def steps(self, run: Run) -> pl.DataFrame:
        """Every batch against the one before it: when something changed, not how far it is from the reference."""
        rows, silent = judged_rows(run, self.version, since=self.since), silent_columns(run, self.version)
        return against_previous(self.version.reference, rows, policy=run.policy, silent=silent)

    def verdict(self, day: date) -> dict[str, Any]:
        """The day's drift in short, for its journal entry; ``batches`` holds the verdict rows.

        Target drift is left out: it is seen only days later, when the targets are known.
        """
        today = self._until(day).filter(pl.col("batch_id").str.slice(0, 10) == day.isoformat())
        batches = today.drop("target_drifted").to_dicts()
        worst = max(batches, key=lambda row: row["top_excess"] or 0.0, default={"top_column": None, "top_excess": None})
        return {
            "alarmed": any(row["alarmed"] for row in batches),
            "drifted_columns": sorted(self._drifted([row["batch_id"] for row in batches])),
            "top_column": worst["top_column"],
            "top_excess": worst["top_excess"],
            "batches": batches,
        }

    def alarm_run(self, day: date) -> list[str]:
        """Batch ids of the run of consecutive alarmed batches that ends on ``day``; empty without an alarm.

        A batch with more suspicious rows, and nothing else that is new, is told of and is no reason to train on it.
        """
        return self._run(day, pl.col("alarmed") & ~pl.col("only_outliers"))

    def prediction_run(self, day: date) -> list[str]:
        """Batch ids of the run of consecutive batches, ending on ``day``, whose predictions drifted."""
        return self._run(day, pl.col("prediction_drifted"))

    def prediction_excess(self, batch_ids: list[str]) -> float | None:
        """The largest ratio of a statistic of the predictions to its limit in those batches."""
        rows = self.table.filter((pl.col("role") == "prediction") & pl.col("batch_id").is_in(batch_ids))
        largest = rows.select(excess()).to_series().max()
        return float(largest) if isinstance(largest, float) else None

    def accumulated(self, day: date, *, after: date | None) -> Accumulated | None:
        """The latest batch up to ``day`` where evidence over batches passed its limit; only later than ``after``."""
        days = pl.col("batch_id").str.slice(0, 10)
        rows = self.table.filter((pl.col("method") == ACCUMULATED) & pl.col("drifted") & (days <= day.isoformat()))
        rows = rows.filter(days > after.isoformat()) if after else rows
        if rows.is_empty():
            return None
        last = rows.sort("batch_id").row(-1, named=True)
        return Accumulated(last["batch_id"], last["statistic"], last["threshold"])

    def _run(self, day: date, condition: pl.Expr) -> list[str]:
        """Batch ids of the run of consecutive batches that meet the condition and end on ``day``."""
        until = self._until(day).select("batch_id", holds=condition)
        broken = until.with_row_index().filter(~pl.col("holds"))["index"].max()
        return until["batch_id"].to_list()[0 if broken is None else int(str(broken)) + 1 :]

    def _until(self, day: date) -> pl.DataFrame:
        return self.verdicts.filter(pl.col("batch_id").str.slice(0, 10) <= day.isoformat())

    def _drifted(self, batch_ids: list[str], *, role: str | None = None) -> set[str]:
        rows = self.table.filter(pl.col("drifted") & pl.col("batch_id").is_in(batch_ids))
        if role is not None:
            rows = rows.filter(pl.col("role") == role)
        return set(rows.filter(pl.col("matters"))["column"].to_list())

    def drifted_features(self, batch_ids: list[str]) -> set[str]:
        """Features that drifted in any of the batches."""
        return self._drifted(batch_ids, role="feature")

    def prediction_drifted(self, batch_ids: list[str]) -> bool:
        """Whether the prediction drifted in any of the batches."""
        return bool(self._drifted(batch_ids, role="prediction"))


def judged_rows(run: Run, version: Version, *, since: date) -> pl.DataFrame:
    """The stream from ``since`` up to the run's day with a version's predictions and the targets known by then."""
    rows = load_batches(run.case, run.settings, as_of=run.as_of, since=since, part="stream")
    predictions = ensure_predictions(run, version).select("row_id", *OF_THE_MODEL)
    targets = load_targets(run.case, run.settings, as_of=run.as_of).select("row_id", "target")
    rows = rows.join(predictions, on="row_id", how="left", maintain_order="left")
    return rows.join(targets, on="row_id", how="left", maintain_order="left")


def silent_columns(run: Run, version: Version) -> frozenset[str]:
    """Features that the model hardly uses: their drift is shown and wakes nobody."""
    shares = version.training["column_shares"]
    return frozenset(name for name in run.case.columns.features if shares.get(name, 0.0) < LEAST_IMPORTANCE)


def retraining_evidence(
    reign: Reign,
    estimates: Estimates,
    *,
    day: date,
    policy: RetrainingPolicy,
    last_training: date | None,
    request: Request | None = None,
) -> RetrainingEvidence:
    """The page of evidence on which a day's retraining decision rests.

    Parameters
    ----------
    estimates
        The champion's, with all its predictions and the targets known so far; only those known by ``day`` count.
    last_training
        Day on which a challenger was last trained.
    request
        A person's order that no training has answered yet.
    """
    training, version = reign.version.training, reign.version
    alarms, predictions = reign.alarm_run(day), reign.prediction_run(day)
    accumulated, withdrawn = reign.accumulated(day, after=last_training), estimates.withdrawn(day)
    since = _drift_since(alarms, policy, accumulated=accumulated, withdrawn=withdrawn)
    trained_until = datetime.fromisoformat(version.trained_until)
    labelled = estimates.labelled.filter(pl.col("known_time").dt.date() <= day)
    fresh = labelled.filter(pl.col("event_time").dt.date() > trained_until.date())
    if since:
        fresh = fresh.filter(pl.col("batch_id") >= since)
    recent = _recent(labelled, since=reign.since)
    importance = training["column_shares"]
    return RetrainingEvidence(
        as_of=day,
        champion=version.number,
        trained_until=trained_until.date(),
        alarmed_batches=len(alarms),
        first_alarmed_batch=alarms[0] if alarms else None,
        drifted_importance={name: importance.get(name, 0.0) for name in sorted(reign.drifted_features(alarms))},
        prediction_drifted=reign.prediction_drifted(alarms),
        realised=_realised(recent),
        tested=_tested(training),
        new_labelled_rows=fresh.height,
        new_labelled_batches=fresh["batch_id"].n_unique(),
        days_since_challenger=(day - last_training).days if last_training else None,
        prediction_batches=len(predictions),
        first_prediction_batch=predictions[0] if predictions else None,
        prediction_excess=reign.prediction_excess(predictions),
        accumulated=accumulated,
        estimated=None if withdrawn else estimates.newest(day, since=reign.since),
        withdrawn=withdrawn,
        figures=_figures(recent, version),
        request=request,
        drift_since=since,
    )


def _drift_since(
    alarms: list[str], policy: RetrainingPolicy, *, accumulated: Accumulated | None, withdrawn: Withdrawn | None
) -> str | None:
    """The first batch of what drifted: of a lasting run of alarms, else of the earliest other sign."""
    if len(alarms) >= policy.alarmed_batches:
        return alarms[0]
    signs = [accumulated.batch_id] if accumulated else []
    signs += [withdrawn.since] if withdrawn else []
    return min(signs) if signs else alarms[0] if alarms else None


def accuracy_seen(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> dict[str, Any] | None:
    """The champion's realised accuracy as a day's record: with its limit, and whether it fell below that beyond doubt.

    Nothing while no targets are known.
    """
    if evidence.realised is None or evidence.tested is None:
        return None
    limit = evidence.tested.value - policy.accuracy_drop
    return {**asdict(evidence.realised), "limit": limit, "fell": evidence.realised.high < limit}


def estimate_seen(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> dict[str, Any] | None:
    """What is estimated of batches without targets, as a day's record: with its limit and whether it fell below that.

    Instead, ``withdrawn`` says why estimates are no longer believed. Nothing where nothing is to be estimated.
    """
    if evidence.withdrawn is not None:
        return {"withdrawn": asdict(evidence.withdrawn)}
    if evidence.estimated is None or evidence.tested is None:
        return None
    limit = evidence.tested.value - policy.accuracy_drop
    return {**asdict(evidence.estimated), "limit": limit, "fell": evidence.estimated.high < limit, "withdrawn": None}


def _recent(labelled: pl.DataFrame, *, since: date) -> pl.DataFrame:
    """Rows of the latest labelled batches of the reign."""
    served = labelled.filter(pl.col("event_time").dt.date() >= since)
    latest = sorted(served["batch_id"].unique().to_list())[-RECENT_BATCHES:]
    return served.filter(pl.col("batch_id").is_in(latest))


def _realised(recent: pl.DataFrame) -> Accuracy | None:
    if recent.is_empty():
        return None
    right = int((recent["prediction"] == recent["target"]).sum())
    estimate = wilson(right, recent.height)
    return Accuracy(estimate.value, estimate.low, estimate.high, recent.height)


def _figures(recent: pl.DataFrame, version: Version) -> dict[str, Figure]:
    """Realised figures, as far as they can be measured, for whatever a business rule asks."""
    if recent.is_empty():
        return {}
    bundle = version.bundle
    table = matrix_of(recent["probabilities"], classes=len(bundle.classes))
    found = measure(recent["target"], recent["prediction"], table, classes=bundle.classes, positive=bundle.positive)
    return {
        name: Figure(each.value, each.low, each.high, recent.height)
        for name, each in found.items()
        if all(map(math.isfinite, (each.value, each.low, each.high)))
    }


def _tested(training: dict[str, Any]) -> Accuracy | None:
    accuracy = training["metrics"]["accuracy"]
    return Accuracy(accuracy["value"], accuracy["low"], accuracy["high"], training["test_rows"])
