"""The pipeline as its users run it: real Ploomber, real kernels, on a small workbench in a temporary folder."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from built_workbench import DAY, SECRETS, STREAM_DAYS, built_workbench, environment_of
from made_once import copy_of
from workbench import ROOT, make_workbench

from driftbook.audit.difference import compare_runs
from driftbook.audit.ledger import ledger_path, read_ledger
from driftbook.audit.replay import replay
from driftbook.audit.verify import verify
from driftbook.config import Settings
from driftbook.workflow.bind import load_tasks
from driftbook.workflow.progress import load_progress

pytestmark = pytest.mark.pipeline

TASKS = list(load_tasks(Settings(root=ROOT), use_case="churn", scenario="declared", as_of=DAY))
PLANTED = (
    b"s3cr3t-mail",
    b"t0p-s3cr3t-hook",
    b"s3cr3t-slack",
    b"s3cr3t%2Dsource",
    b"s3cr3t-source",
    b"s3cr3t-of-the-key",
)
KILLS = int(os.environ.get("DRIFTBOOK_TEST_KILLS", "2"))


def _command(*arguments):
    return [str(Path(sys.executable).with_name(arguments[0])), *arguments[1:]]


def _ploomber(desk, *arguments, **environment):
    """``ploomber build`` as of DAY; which tasks ran, and what was printed."""
    command = _command("ploomber", "build", "--env--as_of", DAY, *arguments)
    done = subprocess.run(
        command, cwd=desk.root, env=environment_of(desk, **environment), capture_output=True, text=True, check=False
    )
    ran = re.findall(r"^(\w+) +True +", done.stdout, re.MULTILINE)
    return done, ran


def _records(desk):
    """Every product of the report but hidden files, by name: bytes, or the frame of a Parquet file."""
    folder = desk.report_folder("churn", date.fromisoformat(DAY))
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An undisturbed build, with secrets in its environment and channels that nobody answers; what was printed."""
    return built_workbench(tmp_path_factory)


@pytest.fixture
def copy(built, tmp_path):
    """A copy of the built workbench that a test may change."""
    return copy_of(built[0], tmp_path / "desk")


def test_a_build_ends_with_the_verdict(built):
    _, told = built
    assert re.findall(r"^(\w+) +True +", told, re.MULTILINE) == TASKS
    assert "Customer churn (simulated)" in told
    assert "promoted" in told
    assert f"reports/churn/{DAY}/" in told
    assert "done in" in told, "progress is visible"


def test_every_product_is_there_and_every_notebook_ran_without_noise(built):
    desk, _ = built
    for products in load_tasks(desk, use_case="churn", scenario="declared", as_of=DAY).values():
        assert all((desk.root / path).is_file() for path in products.values())
        cells = json.loads((desk.root / products["nb"]).read_text())["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output["output_type"] == "error"]
        assert not [output for output in outputs if output.get("name") == "stderr"], products["nb"]


def test_no_path_of_the_machine_and_no_network_in_any_report(built):
    desk, _ = built
    for path in [*desk.reports_folder.rglob("*.ipynb"), *desk.reports_folder.rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        assert str(desk.root) not in text, path.name
        assert str(ROOT) not in text, path.name
        if path.name != "evidently_drift.html":
            assert not re.search(r"(?:src|href)=[\"']https?://", text), path.name
    assert (desk.reports_folder / "index.html").is_file()


def _planted(desk):
    """Files of a workbench that hold a planted secret, or a part of one."""
    paths = [path for folder in (desk.reports_folder, desk.root / "data") for path in folder.rglob("*")]
    return [path for path in paths if path.is_file() and any(word in path.read_bytes() for word in PLANTED)]


def test_planted_secrets_are_nowhere_on_disk(built):
    desk, told = built
    assert _planted(desk) == []
    assert "s3cr3t" not in told


def test_a_build_is_recorded_and_verified_and_its_decisions_are_replayed(built):
    desk, _ = built
    [outcome] = verify(desk)
    assert outcome.holds, outcome.summary()
    [line] = read_ledger(desk, "churn").lines
    folder = desk.report_folder("churn", date.fromisoformat(DAY))
    assert line["products"].keys() == {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    models = sorted(path.relative_to(desk.root).as_posix() for path in desk.models_folder("churn").rglob("v*/*"))
    assert set(models) < line["files"].keys()
    for path in (ledger_path(desk, "churn"), folder / "manifest.json"):
        assert str(desk.root) not in path.read_text()
    found = replay(desk, "churn")
    assert found.identical, found.summary()
    assert compare_runs(folder, folder) == []


def test_drift_status_has_the_documented_keys(built):
    desk, _ = built
    status = json.loads((desk.reports_folder / "churn" / DAY / "drift_status.json").read_text())
    assert {
        "status",
        "share_of_drifted_columns",
        "columns",
        "prediction_drift",
        "target_drift",
        "causes",
        "decision",
    } <= set(status)
    some = next(iter(status["columns"].values()))[0]
    assert {"method", "statistic", "drift_score", "threshold", "drifted"} <= set(some)


def test_an_unchanged_pipeline_runs_nothing_and_the_short_cut_says_so(copy):
    _, ran = _ploomber(copy)
    assert ran == []
    command = _command("driftbook", "build", "--as-of", DAY)
    done = subprocess.run(command, cwd=copy.root, env=environment_of(copy), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("up to date")


def test_an_edited_notebook_runs_itself_and_what_follows(copy):
    path = copy.root / "notebooks" / "07_evaluate_challenger.ipynb"
    path.write_text(path.read_text().replace("the new champion's reference.", "the new champion's own reference."))
    done, ran = _ploomber(copy)
    assert ran == ["evaluate_challenger", "write_audit"], done.stderr


def test_an_edited_module_runs_the_notebooks_that_use_it_and_what_follows(copy, tmp_path):
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    module = source / "driftbook" / "notify.py"
    module.write_text(module.read_text() + "\n# edited\n")
    done, ran = _ploomber(copy, PYTHONPATH=str(source))
    assert ran == ["write_audit"], done.stderr
    module = source / "driftbook" / "timeline" / "duel.py"
    module.write_text(module.read_text() + "\n# edited\n")
    _, ran = _ploomber(copy, PYTHONPATH=str(source))
    assert ran == ["evaluate_challenger", "write_audit"]


def test_an_edited_declaration_runs_everything_and_a_failed_notebook_is_set_aside_masked_and_mended(copy):
    before = _records(copy)
    declared = copy.data_folder("churn") / "usecase.yaml"
    declared.write_text(declared.read_text().replace("Customer churn (simulated)", "Customer churn, renamed"))
    path = copy.root / "notebooks" / "06_retrain_challenger.ipynb"
    good = path.read_text()
    told = "*(urlsplit(os.environ[f'DRIFTBOOK_{each}_URL']).password for each in ('SMTP', 'SOURCE'))"
    told += ", unquote(os.environ['DRIFTBOOK_SOURCE_URL']), os.environ['DRIFTBOOK_WEBHOOK_URL'].rpartition('/')[2]"
    told += ", *(value for name, value in os.environ.items() if name.startswith('DRIFTBOOK_')), os.getcwd()"
    planted = (
        f"import os; from urllib.parse import unquote, urlsplit; result = repr([{told}]); raise RuntimeError(result)"
    )
    path.write_text(good.replace("result = retrain(run, record)", planted))
    done, ran = _ploomber(copy, **SECRETS)
    assert done.returncode != 0
    done_in_time = TASKS[: TASKS.index("retrain_challenger")]
    assert re.findall(r"^  (.+?) +done in", done.stdout, re.MULTILINE) == [
        f"{number:02} {task.replace('_', ' ')}" for number, task in enumerate(done_in_time, start=1)
    ]
    folder = copy.reports_folder / "churn" / DAY
    assert not (folder / "06_retrain_challenger.ipynb").exists()
    failed = (folder / "failed" / "06_retrain_challenger.ipynb").read_text()
    assert "RuntimeError" in failed
    assert "s3cr3t" not in failed
    assert str(copy.root) not in failed
    assert "s3cr3t" not in done.stdout + done.stderr
    assert _planted(copy) == []
    told = load_progress(copy)
    assert (told.state, told.message.startswith("task retrain_challenger failed with RuntimeError")) == ("failed", True)
    states = {task.name: task.state for task in told.tasks}
    assert (states["analyse_drift"], states["retrain_challenger"]) == ("done", "failed")
    assert (states["evaluate_challenger"], states["write_audit"]) == ("waiting", "waiting")
    path.write_text(good)
    done, ran = _ploomber(copy)
    assert ran == TASKS[TASKS.index("retrain_challenger") :], done.stderr
    assert not (folder / "failed" / "06_retrain_challenger.ipynb").exists()
    after = _records(copy)
    same = ("batches.parquet", "champion.json", "scores.json", "drift.parquet", "challenger.json", "story.json")
    assert [name for name in same if before[name] != after[name]] == []


def test_builds_killed_at_random_moments_and_then_two_at_once_end_as_an_undisturbed_one(built, tmp_path):
    desk = make_workbench(tmp_path, stream_days=STREAM_DAYS)
    chance = random.Random(20260630)
    command = _command("ploomber", "build", "--env--as_of", DAY)
    for _ in range(KILLS):
        process = subprocess.Popen(
            command,
            cwd=desk.root,
            env=environment_of(desk),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(chance.uniform(5.0, 14.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _assert_nothing_half_written(desk)
    options = {"cwd": desk.root, "env": environment_of(desk), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(command, text=True, **options) for _ in range(2)]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert len([error for _, error in told if "waiting: build.lock is held by process" in error]) == 1
    assert min(len(re.findall(r"^\w+ +True +", out, re.MULTILINE)) for out, _ in told) == 0, "the second does nothing"
    assert not list(desk.root.rglob(".*.part")), "leftovers of killed writers are swept away"
    [outcome] = verify(desk)
    assert (outcome.findings, outcome.notes) == ((), ())
    assert _same_as_undisturbed(desk, built[0])


def _assert_nothing_half_written(desk):
    """What lies at its place is whole, whenever the build was killed."""
    for path in (desk.root / "reports").rglob("*"):
        if path.suffix in (".json", ".ipynb") and not path.name.startswith("."):
            content = json.loads(path.read_text())
            cells = content.get("cells", []) if isinstance(content, dict) else []
            assert all(cell.get("execution_count") for cell in cells if cell["cell_type"] == "code")
    for path in (desk.root / "data").rglob("*.parquet"):
        if not any(part.startswith(".") for part in path.relative_to(desk.root).parts):
            pl.read_parquet(path)


def _same_as_undisturbed(desk, undisturbed):
    mine, theirs = _records(desk), _records(undisturbed)
    assert mine.keys() == theirs.keys()
    different = [name for name in mine if mine[name] != theirs[name]]
    assert different == []
    return True
