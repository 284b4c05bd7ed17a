"""What a build decides and leaves behind, without kernels, as a program that a test can kill: give it ROOT and DAY.

The functions are those of the notebooks, in their order: ingest, judge, commit, mirror, records, alerts, seal.
"""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from workbench import run_of

from driftbook.audit.sealing import note_products, seal_run
from driftbook.config import Settings
from driftbook.data.batches import ingest, load_batches
from driftbook.database import open_database
from driftbook.deployment import load_stored
from driftbook.quality import check_history
from driftbook.storage import sweep, write_json
from driftbook.timeline.closing import close
from driftbook.timeline.office import commit, mirror, open_journal
from driftbook.timeline.walk import walk
from driftbook.workflow.lock import patient_lock

DECIDED = "decided"


def build(settings: Settings, day: str) -> None:
    """Bring the state up to a day."""
    run = run_of(settings, day)
    folder = settings.report_folder("churn", run.as_of)
    products = [folder / name for name in ("story.json", "alerts.json", "summary.json", "manifest.json")]
    run = replace(run, products={path.stem: path for path in products})
    with patient_lock(settings):
        sweep(settings.root / "data")
        sweep(settings.reports_folder)
        ingest(run.case, settings, as_of=run.as_of)
        note_products(settings, "churn", run.as_of, paths=products, ended=False)
        story = walk(run, open_journal(run))
        sys.stdout.write(f"{DECIDED}\n")
        sys.stdout.flush()
        commit(run, story)
        mirror(run)
        write_json(products[0], story.entries)
        history = load_batches(run.case, settings, as_of=run.as_of, part="history")
        closing = close(run, story.entries, check_history(history, case=run.case))
        for path, record in zip(products[1:], (closing.alerts, closing.summary, closing.manifest), strict=True):
            write_json(path, record)
        note_products(settings, "churn", run.as_of, paths=products, ended=True)
        with open_database(settings.database_url) as database:
            changes = load_stored(database, "churn").change_digests
        seal_run(settings, "churn", run.as_of, products=products, by="somebody", now=datetime.now(UTC), history=changes)


if __name__ == "__main__":
    build(Settings(root=Path(sys.argv[1])), sys.argv[2])
