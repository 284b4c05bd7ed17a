"""A build with a promotion killed at random moments: no decision is lost or doubled, and the next build mends the rest.

``DRIFTBOOK_TEST_KILLS=50`` kills as often as that; the kills land anywhere, every second one after it was decided.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killed_build import DECIDED, build
from workbench import make_workbench

from driftbook.audit.ledger import read_ledger
from driftbook.audit.verify import verify
from driftbook.config import Settings, load_use_case
from driftbook.database import open_database
from driftbook.deployment import load_alerts, load_office, load_stored
from driftbook.registry import aliases_differ

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("DRIFTBOOK_TEST_KILLS", "2"))
BEFORE, DAY = "2026-05-25", "2026-05-31"  # in between a challenger is trained and promoted
SEED = 20260630
WHOLE_SECONDS, LATE_SECONDS = (2.0, 9.0), (0.0, 3.0)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A workbench before the challenger was trained."""
    desk = make_workbench(tmp_path_factory.mktemp("begun"))
    build(desk, BEFORE)
    return desk


@pytest.fixture(scope="module")
def undisturbed(begun, tmp_path_factory):
    """What the build of the promotion leaves when nobody disturbs it."""
    desk = copied(begun, tmp_path_factory.mktemp("undisturbed") / "desk")
    assert build_killed(desk, None) is None
    return desk


def copied(desk, place):
    shutil.copytree(desk.root, place)
    return Settings(root=place)


def build_killed(desk, chance, *, late=False):
    """Run the build in a process of its own, kill it at a random moment; what it was killed by, unless it ended."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("killed_build.py")), str(desk.root), DAY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if chance is not None:
        if late:
            assert process.stdout.readline().strip() == DECIDED
        time.sleep(chance.uniform(*(LATE_SECONDS if late else WHOLE_SECONDS)))
        process.kill()
    _, error = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), error
    return signal.SIGKILL if process.returncode else None


def told(desk):
    """Everything decided: the journal, the history without its times, who is in office, alerts, versions."""
    with open_database(desk.database_url) as database:
        stored = load_stored(database, "churn")
        alerts = load_alerts(database, "churn")["key"].to_list()
    changes = [{key: value for key, value in row.items() if key != "at"} for row in stored.changes]
    versions = sorted(path.name for path in desk.models_folder("churn").glob("v*"))
    return {
        "journal": [(row["batch_id"], row["as_of"], row["sha256"]) for row in stored.journal],
        "history": changes,
        "office": dict(stored.office),
        "alerts": alerts,
        "versions": versions,
    }


def assert_all_or_nothing(desk, before, after):
    """Right after a kill the store tells the old story or the new one, whole, and every file is whole."""
    now = told(desk)
    parts = [{key: each[key] for key in ("journal", "history", "office")} for each in (now, before, after)]
    assert parts[0] in parts[1:]
    for path in [*desk.reports_folder.rglob("*.json"), *desk.models_folder("churn").rglob("v*/*.json")]:
        if not any(part.startswith(".") for part in path.relative_to(desk.root).parts):
            json.loads(path.read_text(encoding="utf-8"))
    assert read_ledger(desk, "churn").findings == ()


def assert_mended(desk, after):
    """After the next build nothing tells that it was ever killed."""
    assert told(desk) == after
    with open_database(desk.database_url) as database:
        office = load_office(database, "churn")
    assert aliases_differ(desk, load_use_case("churn", settings=desk), office) is False
    [outcome] = verify(desk)
    assert (outcome.findings, outcome.notes) == ((), ())
    runs = [line["as_of"] for line in read_ledger(desk, "churn").lines if line["kind"] == "run"]
    assert runs == [BEFORE, DAY]
    assert not list(desk.root.rglob(".*.part"))


def test_a_killed_build_loses_and_doubles_no_decision(begun, undisturbed, tmp_path):
    before, after = told(begun), told(undisturbed)
    assert "promote" in [change["action"] for change in after["history"]]
    assert "promote" not in [change["action"] for change in before["history"]]
    chance, killed, desk = random.Random(SEED), 0, copied(begun, tmp_path / "0")
    while killed < KILLS:
        if build_killed(desk, chance, late=killed % 2 == 1) is None:
            assert_mended(desk, after)
            shutil.rmtree(desk.root)
            desk = copied(begun, tmp_path / str(killed))
            continue
        killed += 1
        assert_all_or_nothing(desk, before, after)
    assert build_killed(desk, None) is None
    assert_mended(desk, after)
