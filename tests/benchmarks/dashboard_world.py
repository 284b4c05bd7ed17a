"""A workbench with one year of hourly batches on 80 columns, as the dashboard reads it, made up without a build.

``python -m benchmarks.dashboard_world FOLDER`` writes it: a journal, alerts and history in the store, a line in the
ledger for each day, the last day's report with its records and tables, the training records of all versions, and the
newest predictions. Data and models are not there: the dashboard reads neither.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from benchmarks.dashboard_story import CATEGORICAL, DELAY, FIRST, GOOD, HOURS, NUMERIC, ROWS, Year
from benchmarks.dashboard_tables import made_up_tables
from driftbook.audit.sealing import note_products, seal_run
from driftbook.config import Settings, load_policy
from driftbook.database import open_database
from driftbook.deployment import commit_story
from driftbook.quality.limits import FINDINGS_SCHEMA
from driftbook.reports import write_index
from driftbook.storage import sha256_text, write_json, write_parquet, write_text
from driftbook.timeline.closing import Closing, close
from driftbook.timeline.days.measuring import write_days
from driftbook.timeline.duel import last_comparison
from driftbook.timeline.journal import Story
from driftbook.timeline.run import Run
from driftbook.timeline.verdict import headline, verdict_sentences
from driftbook.workflow.bind import bind, load_tasks

ROOT = Path(__file__).parents[2]
CASE = "plant"
KEPT_DAYS = 3  # of predictions
NOON = time(12)


def make_year(root: Path, *, days: int = 365, seed: int = 7) -> Settings:
    """Write the workbench into an empty folder.

    Parameters
    ----------
    days
        How much of the year has passed.
    """
    settings = _bench(root)
    year = Year(load_policy("calibrated"), seed=seed, days=days)
    as_of = year.day(days - 1)
    run = _run(settings, as_of)
    run.report_folder.mkdir(parents=True)
    findings = _findings(year)
    _records(run, year, findings)
    closing = close(run, year.entries, findings)
    with open_database(settings.database_url) as database:
        now = datetime.combine(as_of, NOON, UTC)
        given = {
            "as_of": as_of,
            "entries": year.entries,
            "expected_revision": 0,
            "actor": "build by made-up",
            "now": now,
        }
        commit_story(database, CASE, **given)
    _earlier_reports(run, year, closing)
    for version in year.learned:
        _training(settings, year, version)
    write_days(run, made_up_tables(year, findings, closing.alerts))
    for name in ("alerts", "summary", "manifest"):
        write_json(run.products[name], getattr(closing, name))
    _predictions(settings, year)
    files = sorted(path for path in run.report_folder.iterdir() if path.is_file())
    note_products(settings, CASE, as_of, paths=files, ended=True)
    seal_run(settings, CASE, as_of, products=files, by="made-up", now=now)
    write_index(settings)
    return settings


def _bench(root: Path) -> Settings:
    """The folders, the pipeline and the declared use case."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("pipeline.yaml", "env.yaml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    declared = {
        "title": "Machine failures (made up)",
        "task": "binary",
        "columns": {
            **{"id": "reading_id", "event_time": "read_at", "target": "failed", "positive_class": "yes"},
            **{"numeric": list(NUMERIC), "categorical": list(CATEGORICAL), "segments": ["site", "line"]},
        },
        "source": {"kind": "files", "path": "readings.csv", "stream_start": FIRST.isoformat()},
        "batch": {"period": "hour"},
        "label_delay_days": DELAY,
        "costs": {"yes": {"no": 500.0}, "no": {"yes": 20.0}},
    }
    write_text(root / "data" / CASE / "usecase.yaml", yaml.safe_dump(declared, sort_keys=False))
    write_text(root / "data" / CASE / "raw" / "readings.csv", "reading_id,read_at,failed\n")
    return Settings(root=root)


def _run(settings: Settings, as_of: date) -> Run:
    """The run of notebook 08."""
    bound = {"use_case": CASE, "scenario": "declared", "as_of": as_of.isoformat(), "upstream": {}, "settings": settings}
    tasks = load_tasks(settings, use_case=CASE, scenario="declared", as_of=as_of.isoformat())
    products = {key: settings.root / path for key, path in tasks["write_audit"].items()}
    return replace(bind("write_audit", product={"nb": ""}, **bound), products=products)


def _findings(year: Year) -> pl.DataFrame:
    """A few findings, spread over the year."""
    rows = []
    for number in range(20, year.days, 45):
        column, day = NUMERIC[number % len(NUMERIC)], year.day(number).isoformat()
        message = f"{column}: 9.4 % missing, 1.2 % in the history (limit 6.2 %)"
        rows.append((f"{day}T07", column, "missing", "warning", 0.094, 0.062, message))
    return pl.DataFrame(rows, schema=FINDINGS_SCHEMA, orient="row")


def _records(run: Run, year: Year, findings: pl.DataFrame) -> None:
    """What the notebooks before 08 leave, as far as anybody reads it, and a page for each."""
    folder, entries = run.report_folder, year.entries
    story = Story(tuple(entries), given=0, revision=0)
    last = entries[-1]
    write_json(folder / "story.json", entries)
    write_json(folder / "promotion.json", last_comparison(story.entries, run.policy).record)
    write_json(folder / "retraining.json", last)
    write_json(folder / "challenger.json", {"status": "not_needed"})
    write_json(folder / "champion.json", {"schema": 1, "version": last["during"]["champion"]})
    verdicts = pl.DataFrame([row for entry in entries for row in entry["drift"]["batches"]])
    write_parquet(folder / "findings.parquet", findings)
    write_parquet(folder / "verdicts.parquet", verdicts)
    for source in sorted((run.settings.root / "notebooks").glob("0*.ipynb")):
        write_text(folder / f"{source.stem}.html", f"<!doctype html><title>{source.stem}</title><h1>{source.stem}</h1>")
        shutil.copy(source, folder / source.name)


def _earlier_reports(run: Run, year: Year, closing: Closing) -> None:
    """What the pages read of the reports of all days before, and their lines in the ledger."""
    for number, entry in enumerate(year.entries[:-1]):
        day = year.day(number)
        state = "red" if entry["drift"]["alarmed"] else "green"
        told = {
            **{"as_of": day, "status": state, "headline": headline(run.case.title, state, as_of=day)},
            **{"verdict": verdict_sentences(year.entries[: number + 1]), "decision": entry["decision"]["action"]},
            **{"drifted_columns": entry["drift"]["drifted_columns"], "changes": entry["changes"]},
            **{name: entry["office"][name] for name in ("champion", "challenger")},
        }
        folder = run.settings.report_folder(CASE, day)
        files = [write_json(folder / "summary.json", {**closing.summary, **told})]
        files.append(write_json(folder / "manifest.json", {**closing.manifest, "as_of": day, "products": {}}))
        note_products(run.settings, CASE, day, paths=files, ended=True)
        now = datetime.combine(day + timedelta(days=1), time(5), UTC)
        seal_run(run.settings, CASE, day, products=files, by="made-up", now=now)


def _training(settings: Settings, year: Year, version: int) -> None:
    """The training record of a version."""
    figures = {"accuracy": GOOD, "precision": 0.71, "recall": 0.64, "f1": 0.67, "roc_auc": 0.91, "brier": 0.094}
    metrics = {name: {"value": each, "low": each - 0.004, "high": each + 0.004} for name, each in figures.items()}
    share = np.linspace(0, 1, 21)
    until = year.trained_until(version)
    record: dict[str, Any] = {
        **{"version": version, "key": sha256_text(f"made-up {version}"), "cutoff": year.day(year.cutoffs[version])},
        **{"trained_from": datetime.combine(until - timedelta(days=60), time()), "trained_until": _evening(until)},
        **{"task": "binary", "classes": ["no", "yes"], "positive": "yes", "features": [*NUMERIC, *CATEGORICAL]},
        **{"metrics": metrics, "baselines": {"majority": metrics}, "notes": [], "refit": version > 1},
        **{"rows": 200_000, "test_rows": 40_000, "train_rows": 160_000, "column_shares": year.importance},
        "importance": [{"feature": name, "share": each} for name, each in year.importance.items()],
        "confusion": [[29_720, 2_280], [2_840, 5_160]],
        "roc": [{"false_positive_rate": x, "true_positive_rate": x**0.1} for x in share.tolist()],
        "calibration": [{"predicted": x, "observed": x, "low": x * 0.9, "high": x * 1.1} for x in share.tolist()],
        "gate": {
            "passed": True,
            "metric": "roc_auc",
            "minimum": 0.6,
            "baseline": "majority",
            "reasons": ["It passed."],
        },
        **{"window": "all", "window_losses": {}, "drift_since": None, "data_sha256": sha256_text(f"rows {version}")},
    }
    write_json(settings.models_folder(CASE) / f"v{version}" / "training.json", record)


def _evening(day: date) -> datetime:
    return datetime.combine(day, time(23, 59))


def _predictions(settings: Settings, year: Year) -> None:
    """The predictions of the newest days, of champion and challenger, a file a batch."""
    folder = settings.data_folder(CASE) / "predictions"
    for number in range(max(year.days - KEPT_DAYS, 0), year.days):
        day, office = year.day(number), year.entries[number]["during"]
        for version in filter(None, (office["champion"], office["challenger"])):
            label = f"version={version}-{sha256_text(f'made-up {version}')[:12]}"
            for hour in range(HOURS):
                batch = f"{day}T{hour:02}"
                random = year.random(number, 100 + hour)
                write_parquet(folder / label / f"date={day}" / f"{batch}.parquet", _batch(batch, version, random))


def _batch(batch: str, version: int, random: np.random.Generator) -> pl.DataFrame:
    score = random.beta(0.6, 2.0, ROWS)
    start = datetime.fromisoformat(f"{batch}:00")
    odd = np.where(random.random(ROWS) < 0.01, "yes", "no")
    return pl.DataFrame(
        {
            "row_id": [f"{batch}-{place:04}" for place in range(ROWS)],
            "batch_id": [batch] * ROWS,
            "event_time": [start + timedelta(seconds=11 * place) for place in range(ROWS)],
            "version": [version] * ROWS,
            "prediction": np.where(score > 0.5, "yes", "no"),
            "prediction_score": score,
            "probabilities": np.column_stack([1 - score, score]).tolist(),
            "outlier_score": random.random(ROWS),
            "outlier": odd,
        }
    )


if __name__ == "__main__":
    make_year(Path(sys.argv[1]))
