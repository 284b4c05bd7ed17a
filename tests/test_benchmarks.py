"""The benchmarks run and their table renders; what they measure is no test's business."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import __main__ as command
from benchmarks import dashboard, machine, measure, ours, peers, render, scenarios, tables, tasks

SIZE = {"rows": 300, "columns": 6}


def record(who: str, **found: object) -> dict[str, object]:
    seconds = {"wall_s": [0.5, 0.4, 0.6], "cpu_s": [0.9, 0.8, 1.0], "load": [0.1, 0.1, 0.1], "answers": {}}
    memory = {"data_bytes": 2**20, "peak_bytes": 3 * 2**20, "peak_above_bytes": 2 * 2**20}
    return {"who": who, "task": "ours", "options": SIZE, **seconds, **memory, **found}


def test_a_run_in_its_own_process_brings_seconds_memory_and_answers(tmp_path: Path) -> None:
    run = measure.Run("driftbook", "ours", SIZE, repeats=2)
    found = measure.measured(run, folder=tmp_path, plain_sort=False)
    assert "failed" not in found, found
    assert len(found["wall_s"]) == len(found["cpu_s"]) == 2
    assert found["peak_bytes"] > 0
    assert found["answers"]["kolmogorov_smirnov"] > 0


def test_what_cannot_run_is_recorded_with_its_reason(tmp_path: Path) -> None:
    found = measure.measured(measure.Run("nobody", "no such task"), folder=tmp_path, plain_sort=False)
    assert "no such task" in found["failed"]


def test_a_peer_that_cannot_be_installed_is_named_in_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(peer: str, folder: Path) -> Path:
        raise peers.NotInstallableError(f"{peer} on Python 3.99: no matching distribution")

    monkeypatch.setattr(measure, "python_of", refuse)
    found = measure.measured(measure.Run("NannyML", "nannyml", SIZE, peer="nannyml"), folder=tmp_path, plain_sort=False)
    assert found["failed"] == "not installable: nannyml on Python 3.99: no matching distribution"


def test_ours_and_scipy_answer_alike_on_the_same_table() -> None:
    found = {name: tasks.TASKS[name].run(tasks.TASKS[name].prepare(**SIZE)) for name in ("ours", "scipy")}
    for name in ("kolmogorov_smirnov", "wasserstein"):
        assert found["ours"][name] == pytest.approx(found["scipy"][name], rel=1e-12)


def test_both_sides_of_a_file_are_written_once_and_read_by_column(tmp_path: Path) -> None:
    options = {"rows": 200, "columns": 16, "folder": str(tmp_path)}
    first = tasks.TASKS["ours, files"]
    data = first.prepare(**options)
    written = [path.stat().st_mtime_ns for path in data]
    assert set(first.run(first.prepare(**options))) == set(ours.METHODS)
    assert [path.stat().st_mtime_ns for path in data] == written
    limit = tasks.TASKS["read and sort"]
    both = {name: limit.run(limit.prepare(**options, reader=name)) for name in ("polars", "pyarrow")}
    assert both["polars"] == both["pyarrow"]


@pytest.mark.parametrize("task", ["ours, batches", "ours, texts", "ours, stored texts"])
def test_every_way_of_ours_answers_at_a_small_size(task: str) -> None:
    more = {"batches": 2, "batch_rows": 50} if task == "ours, batches" else {}
    found = tasks.TASKS[task].run(tasks.TASKS[task].prepare(rows=200, columns=2, **more))
    assert all(np.isfinite(value) for value in found.values())


def test_the_truth_of_the_stream_is_what_a_large_sample_tends_to() -> None:
    truth = tasks.stream_truth()
    before, after = (np.concatenate(list(tasks._chunks(200_000, current=side))) for side in (False, True))
    points = np.quantile(before, np.arange(0.02, 1, 0.02))
    apart = [abs(np.mean(before <= point) - np.mean(after <= point)) for point in points]
    assert max(apart) == pytest.approx(truth["kolmogorov_smirnov"], abs=0.005)
    assert 0.005 < truth["psi"] < 0.05


def test_a_column_is_the_same_whenever_it_is_asked_for() -> None:
    first, again = (tables.numeric_column(3, 100, current=True) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, tables.numeric_column(3, 100, current=False))


def test_goals_are_judged_per_value_where_sizes_differ() -> None:
    goal = scenarios.Goal("ten times", "cpu_ratio", "peer", least=10, against=("driftbook",))
    peer = record("peer", cpu_s=[9.0], options={"rows": 300, "columns": 3})
    (found,) = render.judged([goal], [record("driftbook"), peer])
    assert found == {"words": "ten times", "quantity": "cpu_ratio", "value": pytest.approx(20), "holds": True}
    (missing,) = render.judged([goal], [record("driftbook"), {"who": "peer", "options": SIZE, "failed": "gone"}])
    assert missing["holds"] is None


def test_growth_like_the_square_is_seen() -> None:
    runs = [record("n", options={"rows": n}, cpu_s=[1e-9 * n * n]) for n in (100, 1_000, 10_000, 100_000)]
    assert render.exponent(runs, "rows") == pytest.approx(2)


def test_the_command_saves_a_table_a_record_and_a_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "measured", lambda run, **_: record(run.who, options=run.options))
    arguments = ["memory", "rows", "--scale", "0.001", "--results", str(tmp_path), "--without", "whylogs"]
    assert command.main(arguments) == 0
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| scipy and numpy | 1,000 × 50 |" in page
    assert "whylogs" not in page
    assert "no claim" in page
    saved = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in saved["scenarios"]] == ["memory", "rows"]
    assert (tmp_path / "growth_rows.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "holds" in capsys.readouterr().out


def test_a_wrong_name_lists_the_scenarios() -> None:
    with pytest.raises(SystemExit, match="no scenario speed; there are: memory, files"):
        command.main(["speed"])


def test_every_task_of_a_scenario_exists_and_every_goal_names_a_run() -> None:
    for each in scenarios.scenarios(scale=1, folder="", evidently_columns=20, billion=True):
        assert {run.task for run in each.runs} <= set(tasks.TASKS)
        names = {run.who for run in each.runs}
        assert {goal.of for goal in each.goals} | {who for goal in each.goals for who in goal.against} <= names
        assert {run.peer for run in each.runs} - {""} <= set(peers.PEERS)


def test_measurements_are_silent_and_single_threaded_below_us() -> None:
    found = machine.environment(plain_sort=True, base={"NPY_PROMOTION_STATE": "x", "HOME": "/"})
    assert found["DO_NOT_TRACK"] == "1"
    assert found["OMP_NUM_THREADS"] == "1"
    assert found["NPY_DISABLE_CPU_FEATURES"] in {"X86_V4", "AVX512_SKX"}
    assert "NPY_PROMOTION_STATE" not in found


def world(*, usable_ms: float, memory_bytes: float) -> dict[str, object]:
    opened = {"first_byte_ms": 4, "usable_ms": usable_ms, "bytes": 900_000}
    opened |= {f"repeat_{name}": value / 2 for name, value in opened.items()}
    turns = {f"{name}{which}": 30 for name in dashboard.PAGES for which in ("", ", first")}
    once = {"memory_bytes": memory_bytes} | {f"usable_{which}_ms": 900 for which in ("first", "median", "last")}
    one = {"server": 90e6, "nursery": 50e6, "kernels": [70e6, 60e6]}
    return {"heated": opened, "cold": opened, "turns_ms": turns, "one": one, "at_once": once}


def test_a_workbench_that_nobody_built_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reports" / "churn" / "2026-06-05").mkdir(parents=True)
    with pytest.raises(SystemExit, match="2"):
        dashboard.main(["--root", str(tmp_path), "--results", str(tmp_path)])
    assert f"expected a workbench that was built, found no report in {tmp_path / 'reports'}" in capsys.readouterr().err


def test_the_dashboards_figures_are_told_for_each_workbench_and_judged() -> None:
    worlds = {"a build": world(usable_ms=640, memory_bytes=8e8), "a year": world(usable_ms=1400, memory_bytes=9e8)}
    goals = [
        {"goal": f"{goal}, {name}", "holds": holds(each)}
        for goal, holds in dashboard.GOALS
        for name, each in worlds.items()
    ]
    found = {"at": "now", "machine": {"processor": "P", "cores": 2, "load": [0.1]}, "load_after": [0.2], "repeats": 5}
    page = dashboard.render({**found, "worlds": worlds, "goals": goals})
    assert "| usable, first visit, ms | 640 | 1,400 |" in page
    assert "| memory of a kernel that waits, MB | 60 | 60 |" in page
    assert "* holds: usable within 1 s, pre-heated, a build" in page
    assert "* does not hold: usable within 1 s, pre-heated, a year" in page
    assert page.count("* holds") == 7
