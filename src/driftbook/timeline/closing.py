"""The end of a run: alerts, status, verdict, summary and manifest, all from what the run wrote.

Alerts are raised from the story as a whole, so that a catch-up build and daily builds raise the same ones;
the database remembers which channel has been told of which alert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from driftbook.audit.manifest import build_manifest
from driftbook.data.batches import batch_index
from driftbook.database import open_database
from driftbook.decisions.alerts import Alert, raise_alerts, status
from driftbook.deployment import latest_as_of, save_alerts
from driftbook.timeline.causes import explain_alerts
from driftbook.timeline.journal import Entry, office_in_force
from driftbook.timeline.models import load_versions
from driftbook.timeline.office import orders_since
from driftbook.timeline.run import Run
from driftbook.timeline.verdict import headline, short_answer, verdict_sentences

ALERT_COLUMNS = ("severity", "subject", "message", "first_batch", "last_batch")
SHOWN_COLUMNS = ("severity", "message", "first_batch", "last_batch")
RECORDS = (
    *("champion", "scores", "drift_status", "retraining", "challenger"),
    *("promotion", "familiar_views", "story", "alerts", "summary", "manifest"),
)
LAST_PAGE = "08_write_audit.html"


@dataclass(frozen=True)
class Closing:
    """What a run concludes and hands over; ``causes`` says why batches drifted, by the first batch of a spell."""

    status: str
    title: str
    verdict: list[str]
    alerts: list[dict[str, Any]]
    summary: dict[str, Any]
    manifest: dict[str, Any]
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def alerts_table(self) -> pl.DataFrame:
        """The alerts, newest first; the message says what the subject does."""
        frame = pl.DataFrame(self.alerts, schema=dict.fromkeys(("key", "use_case", *ALERT_COLUMNS), pl.String))
        return frame.select(SHOWN_COLUMNS).sort("last_batch", descending=True, maintain_order=True)


def close(run: Run, entries: Sequence[Entry], findings: pl.DataFrame) -> Closing:
    """Raise and send the alerts of a story, and sum the run up.

    Parameters
    ----------
    entries
        ``story.json``: one entry a day.
    findings
        ``findings.parquet``: quality findings of all batches.
    """
    evidence = evidence_of_alerts(entries, findings)
    verdicts = evidence["verdicts"]
    causes = explain_alerts(run, entries, verdicts) if verdicts.height else {}
    alerts = raise_alerts(**evidence, use_case=run.case.name, causes=causes)
    latest = str(verdicts["batch_id"].max()) if verdicts.height else None
    if not run.sandbox:
        _tell(run, alerts)
    state = status(alerts, latest_batch=latest)
    orders = orders_since(run, entries[-1]["day"])
    return Closing(
        status=state,
        title=short_answer(run.case.title, state, as_of=run.as_of),
        verdict=verdict_sentences(entries, orders=orders),
        alerts=[asdict(alert) for alert in alerts],
        summary=_summary(run, entries, orders, status=state),
        manifest=_manifest(run, entries),
        causes=causes,
    )


def evidence_of_alerts(entries: Sequence[Entry], findings: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """What alerts are raised from, as :func:`driftbook.decisions.alerts.raise_alerts` takes it."""
    verdicts = pl.DataFrame([row for entry in entries for row in entry["drift"]["batches"]], infer_schema_length=None)
    return {
        "verdicts": verdicts,
        "findings": findings,
        "breaches": find_breaches(entries),
        "rollbacks": find_rollbacks(entries),
        "doubts": find_doubts(entries),
    }


def find_breaches(entries: Sequence[Entry]) -> pl.DataFrame:
    """The batches of the days on which the champion's accuracy lay below its limit beyond doubt.

    The estimated accuracy of batches without targets counts where the realised one of earlier batches does not yet.
    """
    rows = [
        {"batch_id": batch["batch_id"], "metric": name, "value": seen["value"], "limit": seen["limit"]}
        for entry in entries
        for name, seen in _fallen(entry)
        for batch in entry["drift"]["batches"]
    ]
    schema = {"batch_id": pl.String, "metric": pl.String, "value": pl.Float64, "limit": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def find_doubts(entries: Sequence[Entry]) -> pl.DataFrame:
    """The batches of the days on which targets contradicted the champion's estimates: ``batch_id`` and how."""
    rows = [
        {"batch_id": batch["batch_id"], **seen["withdrawn"]}
        for entry in entries
        if (seen := entry.get("estimate")) and seen["withdrawn"]
        for batch in entry["drift"]["batches"]
    ]
    schema: dict[str, Any] = {"batch_id": pl.String, "since": pl.String, "known_on": pl.String}
    return pl.DataFrame(rows, schema=schema | {"promised": pl.Float64, "found": pl.Float64, "rows": pl.Int64})


def _fallen(entry: Entry) -> list[tuple[str, dict[str, Any]]]:
    for name, key in (("accuracy", "accuracy"), ("estimated accuracy", "estimate")):
        seen = entry.get(key)
        if seen and seen.get("fell"):
            return [(name, seen)]
    return []


def find_rollbacks(entries: Sequence[Entry]) -> pl.DataFrame:
    """The days on which a promoted champion was taken back without a person's order, and why."""
    rows = [
        {
            "batch_id": max((batch["batch_id"] for batch in entry["drift"]["batches"]), default=entry["batch_id"]),
            "version": change["version"],
            "reasons": entry["decision"]["reasons"],
        }
        for entry in entries
        for change in entry["changes"]
        if change["action"] == "rollback" and not change.get("actor")
    ]
    return pl.DataFrame(rows, schema={"batch_id": pl.String, "version": pl.Int64, "reasons": pl.List(pl.String())})


def describe_run(manifest: dict[str, Any]) -> pl.DataFrame:
    """The manifest in a few rows: what, and its digest or count."""
    git = manifest["git"]
    facts = {
        "driftbook": f"version {manifest['driftbook']}",
        "code": _short(manifest["source_sha256"]),
        "git commit": f"{git['commit'][:12]}{' and changes not committed' if git['dirty'] else ''}" if git else "none",
        "locked packages": _short(manifest["lock_sha256"]) if manifest["lock_sha256"] else "no lock file",
        "use case as declared": _short(manifest["declaration_sha256"]),
        "policy": f"{manifest['policy']}, {_short(manifest['policy_sha256'])}",
        "seed": str(manifest["seed"]),
        "batches": f"{len(manifest['batches'])} files, each by its sha256",
        "targets": f"{len(manifest['targets'])} files, each by its sha256",
        "models": f"{', '.join(sorted(manifest['models']))}, each file by its sha256",
        "products": f"{len(manifest['products'])} files, each by its sha256",
    }
    return pl.DataFrame({"what": list(facts), "which": list(facts.values())})


def _short(digest: str) -> str:
    return f"sha256 {digest[:16]}…"


def _tell(run: Run, alerts: Sequence[Alert]) -> None:
    from driftbook.notify import ALERT_LOG, alert_log, send

    with open_database(run.settings.database_url) as database:
        latest = latest_as_of(database, run.case.name)
        if latest is None or latest <= run.as_of:  # a report of an earlier day, made anew, tells nobody
            save_alerts(database, alerts, now=datetime.now(UTC))
            with alert_log(run.settings.state_folder / ALERT_LOG):
                send(database, alerts, now=datetime.now(UTC))


def _summary(run: Run, entries: Sequence[Entry], orders: Sequence[Entry], *, status: str) -> dict[str, Any]:
    last, report = entries[-1], run.report_folder
    office = office_in_force(last, orders)
    shown = report.relative_to(run.settings.root) if report.is_relative_to(run.settings.root) else report
    notebooks = sorted((run.settings.root / "notebooks").glob("0*.ipynb"))
    return {
        "schema": 1,
        "use_case": run.case.name,
        "title": run.case.title,
        "as_of": run.as_of.isoformat(),
        "status": status,
        "headline": headline(run.case.title, status, as_of=run.as_of),
        "verdict": verdict_sentences(entries, orders=orders),
        "report": f"{shown.as_posix()}/{LAST_PAGE} (all reports: reports/index.html)",
        "champion": office["champion"],
        "challenger": office["challenger"],
        "decision": last["decision"]["action"],
        "drifted_columns": last["drift"]["drifted_columns"],
        "changes": [{"day": entry["day"], **change} for entry in (*entries, *orders) for change in entry["changes"]],
        "notebooks": [
            {"name": path.stem, "html": f"{path.stem}.html", "ipynb": f"{path.stem}.ipynb"} for path in notebooks
        ],
        "evidently": "evidently_drift.html",
        "records": [f"{name}.json" for name in RECORDS],
    }


def _manifest(run: Run, entries: Sequence[Entry]) -> dict[str, Any]:
    index = batch_index(run.case, run.settings, as_of=run.as_of)
    played = {number for entry in entries for number in entry["office"].values() if number is not None}
    versions = load_versions(run)
    return build_manifest(
        case=run.case,
        policy=run.policy,
        settings=run.settings,
        as_of=run.as_of,
        inputs=dict(zip(index["batch_id"], index["sha256"], strict=True)),
        models={number: versions[number].folder for number in sorted(played) if number in versions},
        folder=run.report_folder,
        later=[path.name for path in run.products.values()],
    )
