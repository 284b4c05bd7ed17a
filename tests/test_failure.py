"""What a person reads when a build fails: our message comes last and once, whoever was asked to build."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from papermill.exceptions import PapermillExecutionError
from workbench import make_workbench

from driftbook.errors import DataError, UnknownNameError
from driftbook.workflow.build import failure_of
from driftbook.workflow.failure import describe_failure, describe_refusal

HOPELESS_DAY = "2020-01-01"
REASON = "driftbook: no batch of the stream by 2020-01-01: it starts on 2026-05-17"


def _described(error, tmp_path):
    return describe_failure(error, task="check_quality", notebook=tmp_path / "failed" / "02.ipynb", root=tmp_path)


def _from_kernel(ename, evalue):
    """As a notebook's error reaches us."""
    error = RuntimeError("Error building task")
    error.__cause__ = PapermillExecutionError(3, 3, "check()", ename, evalue, ["Traceback", f"{ename}: {evalue}"])
    return error


def test_an_error_of_ours_is_told_without_a_traceback(tmp_path):
    told = _described(_from_kernel("DataError", "shop.csv is empty; export it again"), tmp_path)
    assert told == "driftbook: shop.csv is empty; export it again"


def test_an_error_of_ours_outside_a_kernel_is_told_alike(tmp_path):
    error = RuntimeError("Error building task")
    error.__cause__ = UnknownNameError("policy", "calm", ["calibrated"])
    assert _described(error, tmp_path) == "driftbook: no policy 'calm'. Available: calibrated"


def test_paths_of_the_machine_do_not_appear(tmp_path):
    told = _described(DataError(f"{tmp_path}/data/shop/raw/shop.csv is empty"), tmp_path)
    assert told == "driftbook: data/shop/raw/shop.csv is empty"


def test_a_fault_that_nobody_foresaw_shows_its_traceback_and_says_where_to_look(tmp_path):
    notebook = tmp_path / "failed" / "02.ipynb"
    notebook.parent.mkdir()
    notebook.touch()
    lines = _described(_from_kernel("KeyError", "'age'"), tmp_path).splitlines()
    assert "Traceback" in lines
    assert lines[-2] == "driftbook: task check_quality failed with KeyError: 'age'"
    assert lines[-1].endswith("its notebook with the whole traceback is failed/02.ipynb.")


def test_a_full_disk_is_told_as_something_a_person_can_mend(tmp_path):
    told = _described(_from_kernel("OSError", "[Errno 28] No space left on device: 'reports/x'"), tmp_path)
    assert told.startswith("driftbook: the disk refuses: [Errno 28] No space left")
    assert told.endswith("make room or allow access, and build again")


def test_a_missing_file_is_no_refusal_of_the_disk():
    assert describe_refusal("[Errno 2] No such file or directory: 'x'") is None
    assert describe_refusal("Read-only file system (os error 30): x.parquet") is not None


@pytest.mark.parametrize(
    ("code", "said", "message"),
    [
        (1, "driftbook: no policy 'calm'\n", "no policy 'calm'"),
        (1, "", "the build failed without a word (exit code 1); build again"),
        (-9, "half a line", "the build was ended by the system (SIGKILL); nothing is half written: build again"),
    ],
)
def test_the_short_cut_says_why_the_build_ended(code, said, message):
    ended = subprocess.CompletedProcess([], code, stderr=said)
    assert failure_of(ended, "the build") == message


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["driftbook", "build", "--as-of", HOPELESS_DAY], REASON),
        (["ploomber", "build", "--env--as_of", HOPELESS_DAY], REASON),
        (["ploomber", "build", "--env--use_case", "chrun"], "driftbook: no use case 'chrun'; did you mean 'churn'?"),
    ],
)
def test_the_reason_is_the_last_line_on_the_terminal(tmp_path, command, reason):
    desk = make_workbench(tmp_path)
    program = Path(sys.executable).with_name(command[0])
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("DRIFTBOOK_ROOT", None)
    done = subprocess.run(
        [str(program), *command[1:]],
        cwd=desk.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.strip().splitlines()[-1].startswith(reason)
    assert "Traceback" not in done.stdout
