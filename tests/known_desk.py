"""A small workbench as the dashboard reads it, made by hand: a journal, day tables, versions, a batch's predictions.

Three days of June are judged. Version 2 is compared with version 1 on all of them, and 3 failed its gate.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.config import Settings
from driftbook.database import open_database
from driftbook.decisions import Decision
from driftbook.deployment import commit_story
from driftbook.quality.limits import FINDINGS_SCHEMA
from driftbook.storage import write_json, write_parquet
from driftbook.timeline.day_tables import DAY_TABLES

ROOT = Path(__file__).parents[1]
DAYS = (date(2026, 6, 12), date(2026, 6, 13), date(2026, 6, 14))
KEY = "5e1f0c9d2b7a4466"
CASE = "churn"


def make_desk(
    root: Path,
    *,
    decisions: Sequence[Decision],
    watches: Mapping[int, Decision] | None = None,
    offices: Sequence[tuple[int, int | None, int | None]] = ((1, 2, None),) * 3,
    changes: Mapping[int, Sequence[dict[str, Any]]] | None = None,
    kind: str = "promotion",
) -> Settings:
    """A workbench judged on :data:`DAYS`; ``offices`` are those after each day, the others by number of the day."""
    (root / "data" / CASE).mkdir(parents=True)
    shutil.copy(ROOT / "data" / CASE / "usecase.yaml", root / "data" / CASE / "usecase.yaml")
    shutil.copy(ROOT / "pipeline.yaml", root / "pipeline.yaml")
    settings = Settings(root=root)
    entries, during = [], offices[0]
    for number, (day, decision, office) in enumerate(zip(DAYS, decisions, offices, strict=True)):
        watch = (watches or {}).get(number)
        entries.append(
            entry_of(
                day,
                decision,
                kind=kind,
                during=during,
                office=office,
                watch=watch,
                changes=(changes or {}).get(number, ()),
            )
        )
        during = office
    for entry in entries:  # a build a day
        with open_database(settings.database_url) as database:
            revision = database.rows("SELECT coalesce(max(revision), 0) AS n FROM deployment")[0]["n"]
            commit_story(
                database, CASE, as_of=date.fromisoformat(entry["day"]), entries=[entry], expected_revision=revision,
                actor="build", now=datetime(2026, 7, 1, 6, 30),
            )  # fmt: skip
    for number, passed in ((1, True), (2, True), (3, False)):
        write_json(settings.models_folder(CASE) / f"v{number}" / "training.json", training_of(number, passed=passed))
    report = settings.report_folder(CASE, DAYS[-1])
    write_json(report / "summary.json", {"status": "green"})
    for name, schema in DAY_TABLES.items():
        write_parquet(report / f"{name}.parquet", pl.DataFrame(schema=schema))
    write_parquet(report / "findings.parquet", pl.DataFrame(schema=FINDINGS_SCHEMA))
    return settings


def entry_of(
    day: date,
    decision: Decision,
    *,
    kind: str,
    during: tuple[int | None, ...],
    office: tuple[int | None, ...],
    watch: Decision | None,
    changes: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """A judged day's entry: the parts that the dashboard reads."""
    names = ("champion", "challenger", "previous")
    return {
        "batch_id": day.isoformat(),
        "day": day.isoformat(),
        "during": dict(zip(names, during, strict=True)),
        "drift": {
            "alarmed": False,
            "drifted_columns": [],
            "top_excess": 0.5,
            "batches": [{"batch_id": day.isoformat()}],
        },
        "accuracy": None,
        "estimate": None,
        "decision": {"kind": kind, **decision.to_json()},
        "watch": {"kind": "rollback", **watch.to_json()} if watch else None,
        "trained": {"version": 3, "passed": False, "reasons": []} if day == DAYS[0] else None,
        "office": dict(zip(names, office, strict=True)),
        "changes": list(changes),
    }


def training_of(number: int, *, passed: bool) -> dict[str, Any]:
    """A training record: the parts that the dashboard and orders read."""
    return {
        "version": number,
        "key": KEY,
        "data_sha256": "a" * 64,
        "trained_from": "2026-04-07T00:10:00",
        "trained_until": f"2026-05-{14 + number}T23:50:00",
        "rows": 1000 * number,
        "window": "all",
        "gate": {"passed": passed, "reasons": ["Its accuracy is no better than guessing."]},
        "metrics": {"accuracy": {"value": 0.8 + number / 100, "low": 0.79, "high": 0.85}},
        "outliers": {"threshold": 0.9, "flagged_share": 0.01},
    }


def put_table(settings: Settings, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace a day table of the newest report; columns that no row names are null."""
    schema = DAY_TABLES.get(name, FINDINGS_SCHEMA)
    frame = pl.DataFrame([dict.fromkeys(schema) | dict(row) for row in rows], schema=schema)
    write_parquet(settings.report_folder(CASE, DAYS[-1]) / f"{name}.parquet", frame)


def put_predictions(settings: Settings, day: date, batch_id: str, *, rows: int, version: int = 1) -> None:
    """A batch's predictions: scores of 0.01, 0.02 …, every tenth row suspicious, the first row the earliest."""
    folder = settings.data_folder(CASE) / "predictions" / f"version={version}-{KEY[:12]}" / f"date={day}"
    start = datetime(day.year, day.month, day.day)
    frame = pl.DataFrame(
        {
            "row_id": [f"row-{number:03}" for number in range(rows)],
            "batch_id": [batch_id] * rows,
            "event_time": [start + timedelta(minutes=number) for number in range(rows)],
            "version": [version] * rows,
            "prediction": ["yes" if number >= 50 else "no" for number in range(rows)],
            "prediction_score": [min((number + 1) / 100, 1.0) for number in range(rows)],
            "outlier_score": [0.5] * rows,
            "outlier": ["yes" if number % 10 == 0 else "no" for number in range(rows)],
        }
    )
    write_parquet(folder / f"{batch_id}.parquet", frame)
