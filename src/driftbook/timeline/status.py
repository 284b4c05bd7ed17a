"""``drift_status.json``: the drift of the newest batch and the decision, under keys that stay as they are.

Written for other programs (a pager, a dashboard, a nightly job); the long table beside it holds all batches.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from driftbook.drift.engine import DRIFT_SCHEMA
from driftbook.timeline.causes import Explanation, explain_reign
from driftbook.timeline.evidence import Reign
from driftbook.timeline.journal import Story
from driftbook.timeline.models import load_versions
from driftbook.timeline.run import Run
from driftbook.timeline.walk import reign_start

LEFT_OUT = {"batch_id", "column", "kind", "role", "rows"}
SHOWN = tuple(name for name in DRIFT_SCHEMA if name not in LEFT_OUT)


def drift_status(run: Run, reign: Reign, story: Story) -> dict[str, Any]:
    """The newest batch's drift by column and the decision it led to.

    Returns
    -------
    ``status`` (green, amber, red), ``as_of``, ``batch_id``, ``champion``, ``share_of_drifted_columns``,
    ``drifted_columns``, ``columns`` (per column its methods), ``outlier_drift``, ``prediction_drift``,
    ``target_drift``, ``table_drift``, ``alarmed_batches`` and ``first_alarmed_batch`` of the run that still stands,
    ``causes`` of that (columns, since, sentence, segment, shares), ``decision``.
    """
    newest = reign.verdicts.tail(1).to_dicts()[0]
    table = reign.table.filter(pl.col("batch_id") == newest["batch_id"])
    alarms = reign.alarm_run(run.as_of)
    decision = story.entries[-1]["decision"]
    why = explain_reign(run, reign) if alarms else Explanation()
    level = 0 if not newest["alarmed"] else 1 if len(alarms) < run.policy.retraining.alarmed_batches else 2
    return {
        "schema": 1,
        "use_case": run.case.name,
        "policy": run.policy.name,
        "as_of": run.as_of,
        "batch_id": newest["batch_id"],
        "champion": reign.version.number,
        "status": ("green", "amber", "red")[level],
        "share_of_drifted_columns": newest["share"],
        "drifted_columns": sorted(reign.drifted_features([newest["batch_id"]])),
        "columns": _by_column(table, "feature"),
        "outlier_drift": _by_column(table, "outlier"),
        "prediction_drift": _by_column(table, "prediction"),
        "target_drift": _by_column(table, "target"),
        "table_drift": _by_column(table, "table"),
        "alarmed_batches": len(alarms),
        "first_alarmed_batch": alarms[0] if alarms else None,
        "causes": list(why.causes),
        "decision": {"day": story.entries[-1]["day"], "action": decision["action"], "reasons": decision["reasons"]},
    }


def served_reign(run: Run, story: Story) -> Reign:
    """The drift of the batches that the champion of the last day has served without a break."""
    champion = story.entries[-1]["during"]["champion"]
    return Reign.of(run, load_versions(run)[champion], since=reign_start(run, list(story.entries), champion))


def _by_column(table: pl.DataFrame, role: str) -> dict[str, list[dict[str, Any]]]:
    rows = table.filter(pl.col("role") == role).sort("column", "method")
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        found.setdefault(row["column"], []).append({key: row[key] for key in SHOWN})
    return found
