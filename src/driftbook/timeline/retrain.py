"""Carries out the decision to retrain: a challenger from what was known on the day of the decision."""

from __future__ import annotations

from datetime import date
from typing import Any

from driftbook.decisions.retraining_evidence import RetrainingEvidence
from driftbook.timeline.models import load_versions, train_challenger
from driftbook.timeline.run import Run

NONE = "nothing, because no challenger was called for."
NO_CHOICE = "none, because no challenger was called for or there was no choice."


def retrain(run: Run, record: dict[str, Any]) -> dict[str, Any]:
    """Train the challenger that ``record`` calls for, or say that none is needed.

    Parameters
    ----------
    record
        ``retraining.json``: the day's entry with its decision.

    Returns
    -------
    ``status`` (``trained``, ``failed_gate``, ``not_needed``), ``reasons``, and for a trained one ``version``, its
    ``training`` record, the ``importance`` of its features, and the metrics of the ``champion``.
    """
    decision = record["decision"]
    if decision["action"] != "retrain":
        nothing = dict.fromkeys(("version", "training", "importance"))
        return {"status": "not_needed", "reasons": decision["reasons"], **nothing}
    evidence = RetrainingEvidence.from_json(decision["evidence"]["given"])
    version, reasons = train_challenger(
        run,
        cutoff=date.fromisoformat(record["day"]),
        drift_since=evidence.drift_day,
    )
    return {
        "status": "trained" if version and version.passed else "failed_gate",
        "reasons": reasons,
        "version": version.number if version else None,
        "training": version.training if version else None,
        "importance": version.training["importance"] if version else None,
        "champion": load_versions(run)[record["during"]["champion"]].training["metrics"],
    }
