"""A workbench as the dashboard reads it: a journal of five days, a report with day tables, a model's record, by hand.

Version 1 was appointed on the first day; on the third the columns ``age`` and ``contract`` drift, on the fourth
version 2 is trained on newer data and becomes the challenger, on the fifth it is compared. The outcome of a day is
known two days later.
"""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.audit.ledger import append_line
from driftbook.config import Settings
from driftbook.database import open_database
from driftbook.deployment import commit_story
from driftbook.storage import write_json, write_parquet, write_text
from driftbook.timeline.day_tables import DAY_TABLES

ROOT = Path(__file__).parents[1]
NOON = datetime(2026, 6, 5, 12, tzinfo=UTC)
DAYS = tuple(date(2026, 6, day) for day in range(1, 6))
ALARMED = ("2026-06-03", "2026-06-04", "2026-06-05")
FIRST, LAST = DAYS[0], DAYS[-1]


def entry(day: date, **changed: Any) -> dict[str, Any]:
    """A quiet day under version 1, with what is given put in its place."""
    office = {"champion": 1, "challenger": None, "previous": None}
    return {
        "batch_id": day.isoformat(),
        "day": day.isoformat(),
        "during": office,
        "office": office,
        "drift": drift(day),
        "accuracy": None,
        "estimate": None,
        "decision": decision("retraining", "wait", "No sign of trouble."),
        "watch": None,
        "trained": None,
        "changes": [],
    } | changed


def drift(day: date, *columns: str) -> dict[str, Any]:
    """A day's drift: alarmed on those columns, quiet on none."""
    batch = {"batch_id": day.isoformat(), "alarmed": bool(columns), "drifted_columns": len(columns)}
    return {
        "alarmed": bool(columns),
        "drifted_columns": list(columns),
        "top_column": columns[0] if columns else None,
        "top_excess": 2.5 if columns else 0.5,
        "batches": [batch],
    }


def decision(kind: str, action: str, *reasons: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """A decision with its reasons."""
    return {"kind": kind, "action": action, "reasons": list(reasons), "evidence": {"given": given or {}}}


def accuracy(value: float, *, fell: bool = False) -> dict[str, Any]:
    """The champion's accuracy as a day's entry holds it."""
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "rows": 1200, "limit": 0.8, "fell": fell}


def five_days() -> list[dict[str, Any]]:
    """The story told above."""
    duel = {"champion": 1, "challenger": 2, "previous": None}
    appointed = {"action": "appoint", "version": 1, "reason": "The first one."}
    challenged = {"action": "challenge", "version": 2, "reason": "Two alarmed batches."}
    return [
        entry(DAYS[0], changes=[appointed]),
        entry(DAYS[1]),
        entry(DAYS[2], drift=drift(DAYS[2], "age", "contract"), accuracy=accuracy(0.85)),
        entry(
            DAYS[3],
            drift=drift(DAYS[3], "age"),
            accuracy=accuracy(0.84),
            office=duel,
            decision=decision("retraining", "retrain", "Two alarmed batches."),
            trained={"version": 2, "passed": True},
            changes=[challenged],
        ),
        entry(
            DAYS[4],
            during=duel,
            office=duel,
            drift=drift(DAYS[4], "age"),
            accuracy=accuracy(0.83),
            decision=decision("promotion", "continue", "One day compared.", given={"days": [{}]}),
        ),
    ]


def day_tables() -> dict[str, pl.DataFrame]:
    """Day tables of the five days; those not told of here are empty."""
    told: dict[str, list[dict[str, Any]]] = {
        "volumes": [
            {"day": day, "batches": 1, "rows": 600 + number, "quarantined": 0, "missing_cells": 0, "cells": 6000}
            | {"unseen": 0, "outliers": 1, "scored": 600}
            for number, day in enumerate(DAYS)
        ],
        "outcomes": [
            {"version": version, "day": DAYS[number], "known_on": DAYS[number + 2], "prediction": guess}
            | {"target": target, "rows": rows, "brier_sum": 60.0}
            for version, number, guess, target, rows in (
                (1, 0, "no", "no", 500),
                (1, 0, "no", "yes", 100),
                (1, 1, "no", "no", 400),
                (1, 1, "yes", "no", 200),
                (1, 2, "no", "no", 600),
                (2, 2, "no", "no", 600),
            )
        ],
        "alerts_days": [
            {"known_on": date.fromisoformat(day), "key": "churn/drift/2026-06-03", "severity": severity}
            | {"subject": "churn: drift since 2026-06-03", "message": f"Up to 2 of 16 columns drifted until {day}."}
            | {"first_batch": "2026-06-03", "last_batch": day}
            for day, severity in zip(ALARMED, ("warning", "warning", "critical"), strict=True)
        ],
    }
    return {
        name: pl.DataFrame(
            [{column: row.get(column) for column in schema} for row in told.get(name, [])], schema=schema
        )
        for name, schema in DAY_TABLES.items()
    }


def make_desk(
    folder: Path, *, entries: list[dict[str, Any]] | None = None, tables: dict[str, pl.DataFrame] | None = None
) -> Settings:
    """The workbench; ``tables`` replace those told of above."""
    desk = bare_desk(folder)
    story = five_days() if entries is None else entries
    as_of = date.fromisoformat(story[-1]["day"])
    tell(desk, story, as_of=as_of)
    write_report(desk, as_of, {**day_tables(), **(tables or {})})
    for number in (1, 2):
        record = {"version": number, "metrics": {"accuracy": {"value": 0.86, "low": 0.85, "high": 0.87}}}
        write_json(desk.models_folder("churn") / f"v{number}" / "training.json", record)
    return desk


def bare_desk(folder: Path) -> Settings:
    """A workbench with one use case that nobody built yet."""
    for name in ("pipeline.yaml", "env.yaml", "data/churn/usecase.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "reports").mkdir()
    return Settings(root=folder)


def tell(
    desk: Settings, entries: list[dict[str, Any]], *, as_of: date, revision: int = 0, use_case: str = "churn"
) -> None:
    """Commit the story of a build."""
    with open_database(desk.database_url) as database:
        commit_story(
            database,
            use_case,
            as_of=as_of,
            entries=entries,
            expected_revision=revision,
            actor="build by ann",
            now=NOON,
        )


def write_report(desk: Settings, as_of: date, tables: dict[str, pl.DataFrame], *, use_case: str = "churn") -> Path:
    """A complete report: day tables, a summary, its line in the ledger; the folder."""
    folder = desk.report_folder(use_case, as_of)
    for name, table in tables.items():
        write_parquet(folder / f"{name}.parquet", table)
    write_json(folder / "summary.json", {"schema": 1, "as_of": as_of, "status": "red"})
    append_line(desk, use_case, {"kind": "run", "as_of": as_of.isoformat()}, by="ann", now=NOON)
    return folder


def add_use_case(desk: Settings, name: str, *, built: bool) -> None:
    """Another use case with the columns of the first; where it was built, with its first two, quiet days."""
    folder = desk.data_folder(name)
    folder.mkdir()
    shutil.copy(desk.data_folder("churn") / "usecase.yaml", folder)
    if built:
        tell(desk, five_days()[:2], as_of=DAYS[1], use_case=name)
        write_report(desk, DAYS[1], {**day_tables(), "alerts_days": day_tables()["alerts_days"].clear()}, use_case=name)


def break_file(path: Path) -> None:
    """Leave bytes there that are no file of its kind."""
    write_text(path, "broken")
