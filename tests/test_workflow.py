"""The glue around Ploomber: what a task depends on, where its paths lead, what remains of an executed notebook."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workbench import ROOT, make_workbench

from driftbook.config import Settings, load_use_case
from driftbook.errors import BusyError, ConfigError, StateError, UnknownNameError
from driftbook.storage import locked
from driftbook.workflow.bind import bind, load_sources, load_tasks, parse_day
from driftbook.workflow.build import is_up_to_date
from driftbook.workflow.fingerprint import (
    PACKAGE,
    fingerprint_path,
    imported_modules,
    input_digest,
    modules_of,
    notebook_source,
    write_fingerprints,
)
from driftbook.workflow.notebook import mask, normalise, write_normalised

DAY = "2026-06-03"


@pytest.fixture
def desk(tmp_path):
    return make_workbench(tmp_path)


def _bind(desk, task="check_quality", **changes):
    values = {"use_case": "churn", "scenario": "declared", "as_of": DAY, "upstream": None, "product": None}
    return bind(task, **{**values, **changes}, settings=desk)


def test_under_ploomber_paths_are_the_injected_ones(desk):
    product = {"nb": "reports/churn/2026-06-03/02.ipynb", "findings": "reports/churn/2026-06-03/findings.parquet"}
    run = _bind(desk, upstream={"generate_data": {"index": "somewhere/batches.parquet"}}, product=product)
    assert run.inputs == {"generate_data": {"index": Path("somewhere/batches.parquet")}}
    assert run.products["findings"] == Path("reports/churn/2026-06-03/findings.parquet")
    assert not run.sandbox


def test_by_hand_inputs_are_the_last_builds_and_products_go_to_the_sandbox(desk):
    built = desk.report_folder("churn", parse_day(DAY)) / "batches.parquet"
    built.parent.mkdir(parents=True)
    built.write_text("x")
    run = _bind(desk, upstream=["generate_data"])
    assert run.sandbox
    assert run.inputs["generate_data"]["index"] == built
    assert run.products["findings"] == desk.reports_folder / "sandbox" / "churn" / DAY / "findings.parquet"
    assert run.model_folders[-1] != desk.models_folder("churn"), "models trained by hand do not count"


def test_newer_work_in_the_sandbox_comes_before_the_build(desk):
    built = desk.report_folder("churn", parse_day(DAY)) / "batches.parquet"
    tried = desk.reports_folder / "sandbox" / "churn" / DAY / "batches.parquet"
    for path in (built, tried):
        path.parent.mkdir(parents=True)
        path.write_text("x")
        time.sleep(0.02)
    assert _bind(desk, upstream=["generate_data"]).inputs["generate_data"]["index"] == tried


def test_missing_inputs_say_what_to_run(desk):
    with pytest.raises(StateError, match="run 'driftbook build' first"):
        _bind(desk, upstream=["generate_data"])


def test_an_unknown_task_is_named(desk):
    with pytest.raises(UnknownNameError, match="did you mean 'check_quality'"):
        _bind(desk, task="check_qualty")


def test_a_day_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="as_of should be a day like 2026-06-30, found 'yesterday'"):
        parse_day("yesterday")


def test_paths_of_a_variant_never_meet_those_of_the_declared_scenario(desk):
    declared = load_tasks(desk, use_case="churn", scenario="declared", as_of=DAY)
    variant = load_tasks(desk, use_case="churn", scenario="stable", as_of=DAY)
    for task, products in declared.items():
        assert not set(products.values()) & set(variant[task].values())
    assert variant["write_audit"]["summary"] == Path("reports/churn-stable/2026-06-03/summary.json")


def test_imports_are_found_anywhere_but_where_only_type_checkers_look():
    source = "if TYPE_CHECKING:\n    import driftbook.audit\ndef f():\n    import driftbook.tables\n"
    assert imported_modules(source) == {"driftbook.tables"}


def test_a_package_that_re_exports_is_seen_through():
    files = {path.relative_to(PACKAGE).as_posix() for path in modules_of("from driftbook.figures import batch_volume")}
    assert "figures/batches.py" in files
    assert "figures/decisions.py" not in files


@pytest.mark.parametrize(
    ("task", "used", "unused"),
    [
        ("generate_data", "data/simulate.py", "model/training.py"),
        ("check_quality", "quality/checks.py", "drift/engine.py"),
        ("train_champion", "model/training.py", "decisions/promotion.py"),
        ("score_batches", "timeline/scoring.py", "decisions/retraining.py"),
        ("analyse_drift", "drift/engine.py", "notify.py"),
        ("evaluate_challenger", "decisions/promotion.py", "notify.py"),
        ("write_audit", "notify.py", "drift/../quality/checks.py"),
    ],
)
def test_a_notebook_depends_on_what_it_uses_and_not_on_the_rest(task, used, unused):
    source = notebook_source(load_sources(Settings(root=ROOT))[task])
    files = {path.relative_to(PACKAGE).as_posix() for path in modules_of(source)}
    assert used in files
    assert unused not in files


def test_fingerprints_change_with_the_declaration_and_stay_put_otherwise(desk):
    case = load_use_case("churn", settings=desk)
    write_fingerprints(case, desk, as_of=parse_day(DAY), notebooks=load_sources(desk))
    path = fingerprint_path(case, desk, as_of=parse_day(DAY), task="generate_data")
    before = path.stat().st_mtime_ns, path.read_text()
    write_fingerprints(case, desk, as_of=parse_day(DAY), notebooks=load_sources(desk))
    assert (path.stat().st_mtime_ns, path.read_text()) == before
    changed = case.model_copy(update={"seed": case.seed + 1})
    assert input_digest(changed, desk) != input_digest(case, desk)


def test_without_a_build_nothing_is_up_to_date(desk):
    assert not is_up_to_date(load_use_case("churn", settings=desk), desk, as_of=parse_day(DAY))


def _executed(text):
    output = {"output_type": "stream", "name": "stdout", "text": text}
    result = {"output_type": "execute_result", "metadata": {"x": 1}, "data": {"text/plain": "1"}, "execution_count": 1}
    metadata = {"papermill": {"duration": 1.5}, "execution": {"iopub.execute_input": "now"}, "tags": ["a"]}
    cell = {"cell_type": "code", "id": "abc", "metadata": metadata, "outputs": [output, result], "source": text}
    injected = {"cell_type": "code", "id": "r4nd0m", "metadata": {"tags": ["injected-parameters"]}, "outputs": []}
    return {
        "cells": [cell, {**injected, "source": ""}],
        "metadata": {"kernelspec": {"name": "python3"}, "papermill": {"start_time": "now"}},
        "nbformat": 4,
    }


def test_an_executed_notebook_keeps_no_times_no_random_ids_and_no_paths(tmp_path):
    clean = normalise(_executed(f"{tmp_path}/data/x {tmp_path} {Path.home()}/y"), tmp_path)
    assert clean["metadata"] == {"kernelspec": {"name": "python3"}}
    assert clean["cells"][0]["metadata"] == {"tags": ["a"]}
    assert clean["cells"][0]["outputs"][0]["text"] == "data/x . ~/y"
    assert clean["cells"][1]["id"] == "cell-1"
    write_normalised(json.dumps(_executed("x")), tmp_path / "out.ipynb", tmp_path)
    assert "papermill" not in (tmp_path / "out.ipynb").read_text()


def test_injected_parameters_are_the_same_in_whatever_order_they_came(tmp_path):
    sources = [
        "upstream = {'score': {'nb': 'b', 'html': 'a'}, 'audit': {'nb': 'c'}}\nas_of = '2026-06-30'",
        "upstream = {'audit': {'nb': 'c'}, 'score': {'html': 'a', 'nb': 'b'}}\nas_of = '2026-06-30'",
    ]
    clean = []
    for source in sources:
        notebook = _executed("x")
        notebook["cells"][1]["source"] = source
        clean.append(normalise(notebook, tmp_path)["cells"][1]["source"])
    assert clean[0] == clean[1]
    assert clean[0].startswith("upstream = {'audit': {'nb': 'c'}")
    assert clean[0].endswith("\nas_of = '2026-06-30'")


def test_secrets_of_the_environment_are_masked(monkeypatch, tmp_path):
    monkeypatch.setenv("DRIFTBOOK_SMTP_URL", "smtp://me:hunter22@mail:25")
    assert mask("could not reach smtp://me:hunter22@mail:25", tmp_path) == "could not reach ***"


def test_the_second_is_told_who_holds_the_lock(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from driftbook.storage import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(30)"
    )
    path = tmp_path / "build.lock"
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"held by process {holder.pid} since"), locked(path):
            pass
    finally:
        holder.kill()
        holder.wait()
    with locked(path):
        pass


def _cli(desk, *arguments):
    command = [sys.executable, "-c", "from driftbook.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=desk.root, capture_output=True, text=True, check=False)


def test_the_command_line_ends_our_errors_in_one_message(desk):
    done = _cli(desk, "build", "--use-case", "chrun")
    assert done.returncode == 1
    assert done.stderr == "driftbook: no use case 'chrun'; did you mean 'churn'? Available: churn\n"
    assert _cli(desk, "build", "--scenario", "suden").stderr.startswith("driftbook: no scenario 'suden'; did you mean")


def test_the_command_line_lists_what_there_is(desk):
    lines = _cli(desk, "list").stdout.splitlines()
    assert lines[0] == "use cases: churn"
    assert "calibrated" in lines[2]


def test_reset_forgets_what_was_generated_and_keeps_what_was_given(desk):
    folder = desk.data_folder("churn")
    (folder / "batches" / "date=2026-05-17").mkdir(parents=True)
    (folder / "raw").mkdir()
    (desk.models_folder("churn") / "v1").mkdir(parents=True)
    assert _cli(desk, "reset", "--use-case", "churn", "--yes").returncode == 0
    assert not (folder / "batches").exists()
    assert not desk.models_folder("churn").exists()
    assert (folder / "raw").is_dir()
    assert (folder / "usecase.yaml").is_file()


def test_outside_a_workbench_the_command_says_so(tmp_path):
    done = _cli(Settings(root=tmp_path), "list")
    assert "no workbench found: expected pipeline.yaml" in done.stderr
