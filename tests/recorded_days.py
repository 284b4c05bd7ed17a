"""Runs of two days as builds leave them, for the dashboard's audit: journal, story, notebooks and ledger agree."""

import json
from datetime import date, datetime
from pathlib import Path

from dashboard_desk import entry
from recorded import CASE, NOON, make_recorded, write_notebooks

from driftbook.audit.manifest import build_manifest
from driftbook.audit.sealing import note_products, seal_run
from driftbook.config import Settings, load_policy, load_use_case
from driftbook.data.batches import ingest
from driftbook.database import open_database
from driftbook.deployment import commit_story, load_stored
from driftbook.storage import write_json, write_text

DAYS = (date(2026, 5, 18), date(2026, 5, 20))


def make_recorded_days(folder: Path) -> Settings:
    """A workbench with a recorded run of each of the days."""
    desk = make_recorded(folder, days=())
    for day in DAYS:
        record(desk, day)
    return desk


def record(desk: Settings, day: date, *, now: datetime = NOON) -> None:
    """A run of one day as a build leaves it: journal, story, notebooks, manifest, its line in the ledger."""
    index = ingest(load_use_case(CASE, settings=desk), desk, as_of=day)
    told = entry(day, decision={"kind": "retraining", "action": "wait", "reasons": [f"Calm on {day}."], "evidence": {}})
    with open_database(desk.database_url) as database:
        revision = load_stored(database, CASE).office
        commit_story(
            database,
            CASE,
            as_of=day,
            entries=[told],
            expected_revision=revision["revision"] if revision else 0,
            actor="build",
            now=now,
        )
        stored = load_stored(database, CASE)
    folder = desk.report_folder(CASE, day)
    products = write_notebooks(desk, folder, day)
    products.append(write_text(folder / "08_write_audit.html", f"<p>{day}</p>"))
    products.append(write_text(folder / "evidently_drift.html", f"<p>{day}</p>"))
    products.append(write_json(folder / "story.json", [json.loads(row["entry"]) for row in stored.journal]))
    products.append(write_json(folder / "summary.json", {"as_of": day, "status": "amber"}))
    manifest = build_manifest(
        case=load_use_case(CASE, settings=desk),
        policy=load_policy("calibrated"),
        settings=desk,
        as_of=day,
        inputs=dict(zip(index["batch_id"], index["sha256"], strict=True)),
        models={},
        folder=folder,
    )
    products.append(write_json(folder / "manifest.json", manifest))
    note_products(desk, CASE, day, paths=products, ended=True)
    seal_run(desk, CASE, day, products=products, by="ann", now=now, history=stored.change_digests)
