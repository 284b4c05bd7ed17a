"""Forget what was generated for a use case, so that it can begin anew; raw files and reports stay."""

from __future__ import annotations

import getpass
import shutil
from datetime import UTC, datetime

from driftbook.audit.sealing import seal_reset
from driftbook.config import Settings, load_use_case
from driftbook.data.erasing import UNDER_WAY
from driftbook.workflow.lock import patient_lock


def reset(use_case: str, *, settings: Settings) -> None:
    """Remove batches, targets, predictions, models, journal and deployment of a use case."""
    from driftbook.database import open_database
    from driftbook.deployment import forget

    case = load_use_case(use_case, settings=settings)
    with patient_lock(settings):
        folder = settings.data_folder(case.name)
        for name in ("batches", "targets", "predictions", "quarantine", "answers"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in ("ingested.json", "closed_days.json", UNDER_WAY):
            (folder / name).unlink(missing_ok=True)
        for kind in ("models", "fingerprints", "builds"):
            shutil.rmtree(settings.state_folder / kind / case.name, ignore_errors=True)
        with open_database(settings.database_url) as database:
            forget(database, case.name)
        seal_reset(settings, case.name, by=getpass.getuser(), now=datetime.now(UTC))
