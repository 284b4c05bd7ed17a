"""A run is repeated from what it had: on a small workbench, with real kernels, also when days and orders followed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from built_workbench import DAY, LAST_DAY, built_workbench, environment_of
from made_once import copy_of
from workbench import ROOT

from driftbook.audit.ledger import ledger_path, read_ledger
from driftbook.audit.verify import verify
from driftbook.errors import StateError, UnknownNameError
from driftbook.storage import sha256_file
from driftbook.workflow.bind import parse_day
from driftbook.workflow.rerun import rerun
from driftbook.workflow.reset import reset

pytestmark = pytest.mark.pipeline

FIRST, SECOND = DAY, LAST_DAY
HOOK = "http://127.0.0.1:9/nobody-may-be-told"


def command(desk, *arguments, source=ROOT / "src", **environment):
    """A command of driftbook's in a workbench, with the code in ``source``."""
    program = [str(Path(sys.executable).with_name("driftbook")), *arguments]
    settings = environment_of(desk, PYTHONPATH=str(source), **environment)
    return subprocess.run(program, cwd=desk.root, env=settings, capture_output=True, text=True, check=False)


def files_of(desk):
    """Digests of all that lies in a workbench but the ledger, its head, the lock and SQLite's own working files."""
    working = ("ledger.jsonl", "head.json", "build.lock", "driftbook.db-shm", "driftbook.db-wal")
    paths = [path for path in desk.root.rglob("*") if path.is_file() and path.name not in working]
    return {path.relative_to(desk.root).as_posix(): sha256_file(path) for path in paths}


@pytest.fixture
def desk(tmp_path_factory, tmp_path):
    return copy_of(built_workbench(tmp_path_factory)[0], tmp_path / "desk")


def test_a_run_is_reproduced_exactly_after_orders_and_an_older_one_too_but_for_what_was_changed_since(desk, tmp_path):
    ordered = command(desk, "rollback", "--reason", "a person wants it")
    assert ordered.returncode == 0, ordered.stderr
    later = command(desk, "build", "--as-of", SECOND)
    assert later.returncode == 0, later.stderr
    before = files_of(desk)
    done = command(desk, "verify", "--rerun", SECOND, DRIFTBOOK_WEBHOOK_URL=HOOK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"churn, report of {SECOND}: reproduced exactly (8 notebooks, " in done.stdout
    assert files_of(desk) == before, "only the ledger grows"
    *_, run, certificate = read_ledger(desk, "churn").lines
    assert certificate["made"] == {name: digest["sha256"] for name, digest in run["products"].items()}
    assert certificate["changed_since"] == []

    (desk.root / "notebooks" / "04_score_batches.ipynb").unlink()
    declared = desk.data_folder("churn") / "usecase.yaml"
    declared.write_text(declared.read_text().replace("Customer churn", "Something else"))
    source, kept = tmp_path / "src", tmp_path / "kept"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    page = source / "driftbook" / "timeline" / "batch_tables.py"
    page.write_text(page.read_text() + "\n# edited\n")
    done = command(desk, "verify", "--rerun", FIRST, "--use-case", "churn", "--keep", str(kept), source=source)
    assert done.returncode == 1, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert "NOT reproduced, 3 of " in said[0], done.stdout
    assert said[1].startswith("  08_write_audit.ipynb: cell ")
    assert said[3].startswith("  manifest.json: source_sha256: ")
    assert said[4] == "  changed since that run: code of driftbook"
    assert (kept / "reports" / "churn" / FIRST / "08_write_audit.ipynb").is_file()
    [outcome] = verify(desk)
    assert outcome.holds, outcome.summary()
    assert any("reproduced exactly" in note for note in outcome.notes)
    kinds = [line["kind"] for line in read_ledger(desk, "churn").lines]
    assert kinds == ["run", "run", "certificate", "certificate"]


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
