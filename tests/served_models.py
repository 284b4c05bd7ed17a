"""A small workbench with models in office, ready to be served, without a build."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from model_samples import binary_case, labelled_rows

from driftbook.config import Settings, UseCase
from driftbook.database import open_database
from driftbook.deployment import load_office
from driftbook.deployment.office import hold, swap
from driftbook.model.bundle import Bundle
from driftbook.model.training import fit_quickly
from driftbook.serving.app import create_app

CASE = binary_case(
    columns={
        "id": "customer",
        "event_time": "at",
        "target": "left",
        "positive_class": "yes",
        "numeric": ["age", "spend"],
        "categorical": ["plan"],
        "dates": ["joined"],
    }
)
ROW = {"customer": "c-1", "age": 61.5, "spend": 20.0, "plan": "pro", "joined": "2026-01-05T00:00:00"}
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def case_with(**service: Any) -> UseCase:
    """The use case with other settings of its service."""
    return CASE.model_copy(update={"service": CASE.service.model_copy(update=service)})


@cache
def trained(seed: int) -> Bundle:
    return fit_quickly(CASE, labelled_rows(seed=seed), seed=seed)


def make_version(settings: Settings, number: int, *, seed: int | None = None) -> Path:
    """A version as training leaves it, as far as serving reads it."""
    folder = settings.models_folder(CASE.name) / f"v{number}"
    trained(number if seed is None else seed).save(folder)
    labelled_rows().drop("target", "batch_id").write_parquet(folder / "reference_rows.parquet")
    record = {"trained_from": "2026-04-01", "trained_until": "2026-04-12", "rows": 600, "secret_path": str(folder)}
    (folder / "training.json").write_text(json.dumps(record))
    return folder


def appoint(
    settings: Settings, champion: int | None, challenger: int | None = None, *, action: str = "appoint"
) -> None:
    """Put versions in office, as a build does."""
    change = {"at": NOW, "day": "2026-06-01", "action": action, "version": champion, "actor": "test", "reason": ""}
    with open_database(settings.database_url) as database:
        expected = load_office(database, CASE.name).revision
        with database.transaction() as work:
            hold(work, CASE.name)
            office = {"champion": champion, "challenger": challenger, "previous": None}
            swap(work, CASE.name, office=office, changes=[{**change, "record_sha256": None}], expected=expected)


def make_models(folder: Path, *, challenger: bool = True) -> Settings:
    """Versions 1 and 2, the first in office, the second as its challenger."""
    settings = Settings(root=folder)
    make_version(settings, 1)
    make_version(settings, 2)
    appoint(settings, 1, 2 if challenger else None)
    return settings


@contextmanager
def serving(settings: Settings, case: UseCase = CASE, **options: Any) -> Iterator[TestClient]:
    """A client of the service, started and stopped as by a server; faults of the service are answers, not errors."""
    app = create_app(settings, case, **options)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
