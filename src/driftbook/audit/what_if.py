"""Which days would have alarmed under another policy, from the long table that a report keeps.

Fixed limits can be held against the statistics on record. Limits learned from the reference (calibrated, or so many
standard deviations) cannot, and a method that was not measured then cannot be judged now: both are said, and those
alarms stay as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.config import Policy
from driftbook.config.policy import Band, ConstantThreshold, DriftPolicy
from driftbook.drift.engine import batch_verdicts
from driftbook.storage import load_json, read_parquet

DRIFT, CHAMPION, BATCHES = "drift.parquet", "champion.json", "batches.parquet"


@dataclass(frozen=True)
class Alarms:
    """What would have alarmed under another policy while ``champion`` was in office; elsewhere nobody can tell.

    Parameters
    ----------
    champion
        Version that the table on record measures against; ``None``: the limits cannot be replayed at all.
    verdicts, table
        As the drift engine gives them, judged by the other policy.
    batches
        ``batch_id``, ``rows`` and ``targets_known_on`` of every batch.
    shares
        Of the champion's importance, by feature.
    notes
        What could not be replayed, and why.
    """

    champion: int | None
    verdicts: pl.DataFrame
    table: pl.DataFrame
    batches: pl.DataFrame
    shares: Mapping[str, float]
    notes: tuple[str, ...]

    def alarmed(self, day: str, during: Mapping[str, Any], recorded: bool) -> bool:
        """Whether a day would have alarmed; as recorded where nobody can tell."""
        if during["champion"] != self.champion:
            return recorded
        return bool(self.verdicts.filter(pl.col("batch_id").str.slice(0, 10) == day)["alarmed"].any())

    def evidence(self, given: Mapping[str, Any], during: Mapping[str, Any]) -> dict[str, Any]:
        """A day's evidence with the alarms there would have been; as recorded where nobody can tell."""
        if during["champion"] != self.champion:
            return dict(given)
        run = self._run(given["as_of"])
        drifted = self.table.filter(pl.col("batch_id").is_in(run) & pl.col("drifted") & pl.col("matters"))
        features = drifted.filter(pl.col("role") == "feature")["column"].unique().sort().to_list()
        changed = {
            "alarmed_batches": len(run),
            "first_alarmed_batch": run[0] if run else None,
            "drifted_importance": {name: self.shares.get(name, 0.0) for name in features},
            "prediction_drifted": "prediction" in drifted["role"].to_list(),
            **self._later(given, run),
        }
        if changed["first_alarmed_batch"] == given["first_alarmed_batch"]:
            return {**given, **changed}
        since = changed.get("drift_since") or (run[0] if run else f"{given['trained_until']}~")
        known = pl.col("targets_known_on") <= date.fromisoformat(given["as_of"])
        fresh = self.batches.filter(known & (pl.col("batch_id") >= since))
        counted = {"new_labelled_rows": int(fresh["rows"].sum()), "new_labelled_batches": fresh.height}
        return {**given, **changed, **counted}

    def _later(self, given: Mapping[str, Any], run: list[str]) -> dict[str, Any]:
        """What the first records do not hold: the run of drifted predictions, and since when anything drifted."""
        if "prediction_batches" not in given:
            return {}
        predictions = self._run(given["as_of"], "prediction_drifted")
        first = predictions[0] if predictions else None
        signs = [given["accumulated"]["batch_id"]] if "accumulated" in given else []
        signs += [given["withdrawn"]["since"]] if "withdrawn" in given else []
        since = {"drift_since": run[0] if run else min(signs, default=None)}
        return {
            "prediction_batches": len(predictions),
            "first_prediction_batch": first,
            "prediction_excess": None,
        } | since

    def _run(self, day: str, condition: str = "alarmed") -> list[str]:
        """The run of batches that ends on ``day`` and meets the condition: unless named another, that it alarmed."""
        run: list[str] = []
        until = self.verdicts.filter(pl.col("batch_id").str.slice(0, 10) <= day).sort("batch_id", descending=True)
        for row in until.iter_rows(named=True):
            if not row[condition] or (condition == "alarmed" and row["only_outliers"]):
                break
            run.append(row["batch_id"])
        return run[::-1]


def alarms_under(folder: Path, policy: Policy) -> Alarms:
    """Judge the long table of a report by another policy, as far as its limits are fixed numbers."""
    limits = policy.drift.threshold
    if not isinstance(limits, ConstantThreshold):
        why = f"drift limits of kind {limits.kind} are learned from the reference: alarms stand as recorded"
        return _as_recorded(why)
    if not all((folder / name).exists() for name in (DRIFT, CHAMPION, BATCHES)):
        return _as_recorded(f"the report lacks {DRIFT}, {CHAMPION} or {BATCHES}: alarms stand as recorded")
    champion, batches = load_json(folder / CHAMPION), read_parquet(folder / BATCHES)
    table, lacking = _judged(read_parquet(folder / DRIFT), policy.drift, limits)
    notes: tuple[str, ...] = (
        f"only days of version {champion['version']} are judged anew: the record holds the drift against its training",
        "rows with known targets are counted by the day they were due",
    )
    if lacking:
        notes = (f"not measured then, so not judged: {', '.join(lacking)}", *notes)
    if table.is_empty():
        return _as_recorded(f"{notes[0]}: alarms stand as recorded")
    verdicts = batch_verdicts(table, policy)
    return Alarms(int(champion["version"]), verdicts, table, batches, champion["column_shares"], notes)


def _as_recorded(why: str) -> Alarms:
    return Alarms(None, pl.DataFrame(), pl.DataFrame(), pl.DataFrame(), {}, (why,))


def _judged(table: pl.DataFrame, drift: DriftPolicy, limits: ConstantThreshold) -> tuple[pl.DataFrame, list[str]]:
    """The rows that the policy has a limit for, judged by it, and the methods the record lacks."""
    parts, lacking = [], set()
    for kind in ("numeric", "categorical", "table"):
        for method in getattr(drift, kind):
            rows = table.filter((pl.col("kind") == kind) & (pl.col("method") == method))
            band = limits.bands.get(method, limits.bands.get("default"))
            if rows.is_empty() or band is None:
                lacking.add(method)
            else:
                parts.append(_by_band(rows, band, drift.prediction_limit))
    return (pl.concat(parts).sort("batch_id", maintain_order=True) if parts else table.clear()), sorted(lacking)


def _by_band(rows: pl.DataFrame, band: Band, prediction_limit: float | None) -> pl.DataFrame:
    """Beyond the critical limit: below it for p-values, above it for the others (as ``Limit.bands`` judges)."""
    value = pl.col(band.on)
    beyond = value < band.critical if band.on == "p_value" else value > band.critical
    if prediction_limit is not None:
        fixed = pl.col("drift_score") > prediction_limit
        beyond = pl.when(pl.col("role") == "prediction").then(fixed).otherwise(beyond)
    return rows.with_columns(
        drifted=beyond.fill_null(False), threshold=pl.lit(band.critical), on=pl.lit(band.on, dtype=pl.String)
    )
