"""A small workbench with recorded runs: real batches, notebooks and records, sealed as a build seals them."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

from workbench import make_workbench

from driftbook.audit.manifest import build_manifest
from driftbook.audit.sealing import note_products, seal_run
from driftbook.config import Settings, load_policy, load_use_case
from driftbook.data.batches import ingest
from driftbook.storage import write_json, write_text
from driftbook.workflow.notebook import write_normalised

NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)
DAYS = (date(2026, 5, 18), date(2026, 5, 20))
CASE = "churn"


def make_recorded(folder: Path, *, days: tuple[date, ...] = DAYS) -> Settings:
    """A workbench whose reports of ``days`` are in the ledger."""
    desk = make_workbench(folder, rows_per_day=20, history_days=5, stream_days=6)
    write_model(desk, version=1)
    for day in days:
        record_run(desk, day)
    return desk


def write_model(desk: Settings, *, version: int) -> Path:
    """Files as a model version has them; nobody loads them here."""
    folder = desk.models_folder(CASE) / f"v{version}"
    folder.mkdir(parents=True)
    (folder / "model.ubj").write_bytes(bytes(range(256)) * 8)
    write_json(folder / "training.json", {"version": version, "metrics": {"accuracy": 0.88}})
    return folder


def record_run(desk: Settings, day: date, *, seed: int | None = None) -> list[Path]:
    """Ingest up to a day, write its report, seal it; its products."""
    case, policy = load_use_case(CASE, settings=desk), load_policy("calibrated")
    index = ingest(case, desk, as_of=day)
    case = case.model_copy(update={"seed": seed}) if seed is not None else case
    folder = desk.report_folder(CASE, day)
    products = [*write_notebooks(desk, folder, day), *write_records(folder, day)]
    manifest = build_manifest(
        case=case,
        policy=policy,
        settings=desk,
        as_of=day,
        inputs=dict(zip(index["batch_id"], index["sha256"], strict=True)),
        models={1: desk.models_folder(CASE) / "v1"},
        folder=folder,
    )
    products.append(write_json(folder / "manifest.json", manifest))
    note_products(desk, CASE, day, paths=products, ended=True)
    seal_run(desk, CASE, day, products=products, by="somebody", now=NOON)
    return products


def write_notebooks(desk: Settings, folder: Path, day: date) -> list[Path]:
    """The committed notebooks with one output each, and a page."""
    written = []
    for source in sorted((desk.root / "notebooks").glob("0[1-3]*.ipynb")):
        content = json.loads(source.read_text(encoding="utf-8"))
        code = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
        code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": f"{source.stem} as of {day}"}]
        write_normalised(json.dumps(content), folder / source.name, desk.root)
        page = write_text(folder / f"{source.stem}.html", f"<h1>{source.stem}</h1><p>as of {day}</p>")
        written += [folder / source.name, page]
    return written


def write_records(folder: Path, day: date) -> list[Path]:
    """A story of two days and a summary of it."""
    decision = {"kind": "retraining", "action": "wait", "reasons": [f"Nothing happened by {day}."], "evidence": {}}
    drift = {"alarmed": False, "drifted_columns": [], "top_excess": 0.5, "batches": []}
    office = {"champion": 1, "challenger": None, "previous": None}
    entry = {"decision": decision, "drift": drift, "office": office, "during": office, "changes": [], "accuracy": None}
    entries = [{"day": each.isoformat(), **entry} for each in (date(2026, 5, 17), day)]
    summary = {"as_of": day, "status": "green", "decision": "wait", "champion": 1, "drifted_columns": []}
    return [write_json(folder / "story.json", entries), write_json(folder / "summary.json", summary)]
