"""A run is repeated from what it had: on a small workbench, with real kernels, also when days and orders followed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workbench import ROOT, make_workbench

from driftbook.audit.ledger import ledger_path, read_ledger
from driftbook.audit.verify import verify
from driftbook.config import Settings
from driftbook.errors import StateError, UnknownNameError
from driftbook.storage import sha256_file
from driftbook.workflow.bind import parse_day
from driftbook.workflow.rerun import rerun
from driftbook.workflow.reset import reset

pytestmark = pytest.mark.pipeline

FIRST, SECOND = "2026-05-26", "2026-05-28"
HOOK = "http://127.0.0.1:9/nobody-may-be-told"


def command(desk, *arguments, source=ROOT / "src", **environment):
    """A command of driftbook's in a workbench, with the code in ``source``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DRIFTBOOK_", "COV_"))}
    calm = {"OMP_WAIT_POLICY": "PASSIVE", "DO_NOT_TRACK": "true", "PLOOMBER_STATS_ENABLED": "false"}
    program = [str(Path(sys.executable).with_name("driftbook")), *arguments]
    settings = {**kept, **calm, "PYTHONPATH": str(source), **environment}
    return subprocess.run(program, cwd=desk.root, env=settings, capture_output=True, text=True, check=False)


def files_of(desk):
    """Digests of all that lies in a workbench but the ledger, its head, the lock and SQLite's own working files."""
    working = ("ledger.jsonl", "head.json", "build.lock", "driftbook.db-shm", "driftbook.db-wal")
    paths = [path for path in desk.root.rglob("*") if path.is_file() and path.name not in working]
    return {path.relative_to(desk.root).as_posix(): sha256_file(path) for path in paths}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A workbench on which the first champion was trained and a challenger called for."""
    desk = make_workbench(tmp_path_factory.mktemp("built"), rows_per_day=200, history_days=20, stream_days=14)
    done = command(desk, "build", "--as-of", FIRST)
    assert done.returncode == 0, done.stdout + done.stderr
    return desk


@pytest.fixture
def desk(built, tmp_path):
    shutil.copytree(built.root, tmp_path / "desk")
    return Settings(root=tmp_path / "desk")


def test_a_run_is_reproduced_exactly_and_only_the_ledger_grows(desk):
    before = files_of(desk)
    done = command(desk, "verify", "--rerun", FIRST, DRIFTBOOK_WEBHOOK_URL=HOOK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"churn, report of {FIRST}: reproduced exactly (8 notebooks, " in done.stdout
    assert files_of(desk) == before
    run, certificate = read_ledger(desk, "churn").lines
    assert certificate["made"] == {name: digest["sha256"] for name, digest in run["products"].items()}
    assert certificate["changed_since"] == []
    [outcome] = verify(desk)
    assert outcome.holds, outcome.summary()
    assert any("reproduced exactly" in note for note in outcome.notes)


def test_a_run_is_repeated_after_orders_and_later_days_with_code_and_declaration_changed_since(desk, tmp_path):
    ordered = command(desk, "promote", "2", "--reason", "a person wants it", "--force")
    assert ordered.returncode == 0, ordered.stderr
    later = command(desk, "build", "--as-of", SECOND)
    assert later.returncode == 0, later.stderr
    (desk.root / "notebooks" / "04_score_batches.ipynb").unlink()
    declared = desk.data_folder("churn") / "usecase.yaml"
    declared.write_text(declared.read_text().replace("Customer churn", "Something else"))
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    page = source / "driftbook" / "timeline" / "batch_tables.py"
    page.write_text(page.read_text() + "\n# edited\n")
    for day in (FIRST, SECOND):
        kept = tmp_path / day
        done = command(desk, "verify", "--rerun", day, "--use-case", "churn", "--keep", str(kept), source=source)
        assert done.returncode == 1, done.stdout + done.stderr
        said = done.stdout.splitlines()
        assert "NOT reproduced, 3 of " in said[0], done.stdout
        assert said[1].startswith("  08_write_audit.ipynb: cell ")
        assert said[3].startswith("  manifest.json: source_sha256: ")
        assert said[4] == "  changed since that run: code of driftbook"
        assert (kept / "reports" / "churn" / day / "08_write_audit.ipynb").is_file()
    [outcome] = verify(desk)
    assert outcome.holds, outcome.summary()
    assert [line["kind"] for line in read_ledger(desk, "churn").lines] == ["run", "run", "certificate", "certificate"]


def test_what_cannot_be_repeated_is_refused_before_anything_is_executed(desk):
    with pytest.raises(UnknownNameError, match=f"Available: {FIRST}"):
        rerun(desk, use_case=None, as_of=parse_day(SECOND))
    with pytest.raises(StateError, match="is there already; expected a new folder"):
        rerun(desk, use_case="churn", as_of=parse_day(FIRST), keep=desk.root)
    summary = desk.report_folder("churn", parse_day(FIRST)) / "summary.json"
    whole = summary.read_text()
    summary.write_text(whole.replace("churn", "chum", 1))
    with pytest.raises(StateError, match=r"(?s)only a report that is as recorded can be repeated.*summary\.json"):
        rerun(desk, use_case="churn", as_of=parse_day(FIRST))
    summary.write_text(whole)
    reset("churn", settings=desk)
    with pytest.raises(StateError, match="a reset has forgotten them"):
        rerun(desk, use_case="churn", as_of=parse_day(FIRST))
    assert "certificate" not in ledger_path(desk, "churn").read_text()
