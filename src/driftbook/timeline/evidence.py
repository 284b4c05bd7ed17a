"""What the decisions of a day rest on: a champion's reign, seen as of that day.

The reign holds the drift of every batch the champion served, against its own reference. A batch's drift
depends on that batch and the reference alone, so computing all of them at once looks into no future.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from driftbook.config.policy import RetrainingPolicy
from driftbook.data.batches import load_batches, load_targets
from driftbook.decisions.retraining import LEAST_IMPORTANCE, Accuracy, RetrainingEvidence
from driftbook.drift.engine import against_previous, analyse_drift, batch_verdicts
from driftbook.model.metrics import wilson
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import ensure_predictions
from driftbook.timeline.whole_batches import ensure_joint

RECENT_BATCHES = 5


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
        """Batch ids of the run of consecutive alarmed batches that ends on ``day``; empty without an alarm."""
        run: list[str] = []
        for row in self._until(day).reverse().iter_rows(named=True):
            if not row["alarmed"]:
                break
            run.append(row["batch_id"])
        return run[::-1]

    def drift_since(self, day: date) -> date | None:
        """First day of that run."""
        run = self.alarm_run(day)
        return date.fromisoformat(run[0][:10]) if run else None

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
    predictions = ensure_predictions(run, version).select("row_id", "prediction", "prediction_score")
    targets = load_targets(run.case, run.settings, as_of=run.as_of).select("row_id", "target")
    rows = rows.join(predictions, on="row_id", how="left", maintain_order="left")
    return rows.join(targets, on="row_id", how="left", maintain_order="left")


def silent_columns(run: Run, version: Version) -> frozenset[str]:
    """Features that the model hardly uses: their drift is shown and wakes nobody."""
    shares = version.training["column_shares"]
    return frozenset(name for name in run.case.columns.features if shares.get(name, 0.0) < LEAST_IMPORTANCE)


def retraining_evidence(
    reign: Reign, *, labelled: pl.DataFrame, day: date, last_training: date | None
) -> RetrainingEvidence:
    """The page of evidence on which a day's retraining decision rests.

    Parameters
    ----------
    labelled
        The champion's predictions with the targets known by ``day``.
    last_training
        Day on which a challenger was last trained.
    """
    alarms = reign.alarm_run(day)
    training = reign.version.training
    trained_until = datetime.fromisoformat(reign.version.trained_until)
    fresh = labelled.filter(pl.col("event_time").dt.date() > trained_until.date())
    if alarms:
        fresh = fresh.filter(pl.col("batch_id") >= alarms[0])
    importance = training["column_shares"]
    return RetrainingEvidence(
        as_of=day,
        champion=reign.version.number,
        trained_until=trained_until.date(),
        alarmed_batches=len(alarms),
        first_alarmed_batch=alarms[0] if alarms else None,
        drifted_importance={name: importance.get(name, 0.0) for name in sorted(reign.drifted_features(alarms))},
        prediction_drifted=reign.prediction_drifted(alarms),
        realised=_realised(labelled, since=reign.since),
        tested=_tested(training),
        new_labelled_rows=fresh.height,
        new_labelled_batches=fresh["batch_id"].n_unique(),
        days_since_challenger=(day - last_training).days if last_training else None,
    )


def accuracy_seen(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> dict[str, Any] | None:
    """The champion's realised accuracy as a day's record: with its limit, and whether it fell below that beyond doubt.

    Nothing while no targets are known.
    """
    if evidence.realised is None or evidence.tested is None:
        return None
    limit = evidence.tested.value - policy.accuracy_drop
    return {**asdict(evidence.realised), "limit": limit, "fell": evidence.realised.high < limit}


def _realised(labelled: pl.DataFrame, *, since: date) -> Accuracy | None:
    """Accuracy on the latest labelled batches of the reign."""
    served = labelled.filter(pl.col("event_time").dt.date() >= since)
    latest = sorted(served["batch_id"].unique().to_list())[-RECENT_BATCHES:]
    recent = served.filter(pl.col("batch_id").is_in(latest))
    if recent.is_empty():
        return None
    right = int((recent["prediction"] == recent["target"]).sum())
    estimate = wilson(right, recent.height)
    return Accuracy(estimate.value, estimate.low, estimate.high, recent.height)


def _tested(training: dict[str, Any]) -> Accuracy | None:
    accuracy = training["metrics"]["accuracy"]
    return Accuracy(accuracy["value"], accuracy["low"], accuracy["high"], training["test_rows"])
