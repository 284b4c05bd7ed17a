"""Two runs differ in verdicts, days and numbers, and the manifests say what moved them; identical ones in nothing."""

import shutil

import pytest
from recorded import CASE, DAYS, make_recorded

from driftbook.audit.difference import MOST_LINES, compare_runs, describe_differences, report_of
from driftbook.errors import DataError
from driftbook.storage import load_json, write_json

FIRST, SECOND = DAYS


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    return make_recorded(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def pair(desk, tmp_path):
    """A report and a copy of it that a test may change."""
    report = desk.report_folder(CASE, SECOND)
    write_json(report / "champion.json", {"metrics": {"accuracy": 0.8, "rows": 100}, "ids": ["a"]})
    shutil.copytree(report, tmp_path / "after")
    return report, tmp_path / "after"


def edit(folder, name, change):
    content = load_json(folder / name)
    change(content)
    write_json(folder / name, content)


def told(pair):
    return [str(each) for each in compare_runs(*pair)]


def test_two_identical_runs_give_no_line(pair):
    assert compare_runs(*pair) == []
    assert describe_differences([]) == ""


def test_verdicts_come_first_then_days_then_numbers_then_causes(pair):
    after = pair[1]
    edit(after, "summary.json", lambda each: each.update(status="red", champion=2))
    edit(after, "story.json", lambda each: each[0]["decision"].update(action="retrain"))
    edit(after, "story.json", lambda each: each[1]["drift"].update(alarmed=True))
    edit(after, "champion.json", lambda each: each["metrics"].update(accuracy=0.4, rows=101))
    edit(after, "manifest.json", lambda each: each.update(policy="psi_bands", seed=7))
    assert told(pair) == [
        "verdict  status: green → red",
        "verdict  champion: 1 → 2",
        "day      2026-05-17 decision: retraining: wait → retraining: retrain",
        f"day      {SECOND} alarm: no → yes",
        "number   champion.json, metrics.accuracy: 0.8 → 0.4",
        "number   champion.json, metrics.rows: 100 → 101",
        "moved by seed: 20260630 → 7",
        "moved by policy: calibrated → psi_bands",
    ]


def test_another_decision_on_a_watched_champion_is_told_and_records_without_a_watch_are_read(pair):
    edit(pair[1], "story.json", lambda each: each[0].update(watch={"kind": "rollback", "action": "continue"}))
    assert told(pair) == ["day      2026-05-17 watch over the champion: none → continue"]


def test_inputs_that_moved_a_run_are_counted_and_named(pair):
    def change(manifest):
        first, second, *_ = sorted(manifest["batches"])
        manifest["batches"][first] = "f" * 64
        del manifest["batches"][second]
        manifest["models"]["v2"] = {"model.ubj": "0" * 64}

    edit(pair[1], "manifest.json", change)
    batches, models = told(pair)
    assert batches.startswith("moved by batches: ")
    assert "1 fewer, 1 changed (2026-05-12, 2026-05-13)" in batches
    assert models == "moved by model files: 2 files → 1 more (v2.model.ubj)"


def test_a_later_day_says_which_days_it_judged_besides(desk):
    lines = [str(each) for each in compare_runs(desk.report_folder(CASE, FIRST), desk.report_folder(CASE, SECOND))]
    assert f"day      judged: {FIRST} → not judged" in lines
    assert f"day      judged: not judged → {SECOND}" in lines
    assert any(line.startswith("moved by parameters") for line in lines)


def test_a_number_that_came_or_went_is_told(pair):
    edit(pair[1], "champion.json", lambda each: each["metrics"].pop("rows"))
    assert told(pair) == ["number   champion.json, metrics.rows: 100 → none"]
    (pair[1] / "champion.json").unlink()
    assert told(pair)[0] == "number   champion.json, metrics.accuracy: 0.8 → none"


def test_digests_are_shown_short_and_many_lines_fit_a_screen(pair):
    edit(pair[1], "manifest.json", lambda each: each.update(source_sha256="a" * 64))
    assert told(pair)[0].endswith("→ aaaaaaaaaaaa…")
    edit(pair[1], "champion.json", lambda each: each.update(many=list(range(50))))
    lines = describe_differences(compare_runs(*pair)).splitlines()
    assert len([line for line in lines if line.startswith("number")]) == MOST_LINES + 1
    assert "number   … and 38 more" in lines


def test_a_day_or_a_folder_names_a_report_and_anything_else_is_refused(desk, tmp_path):
    folder = desk.report_folder(CASE, FIRST)
    assert report_of(FIRST.isoformat(), use_case=CASE, settings=desk) == folder
    assert report_of(str(folder), use_case=CASE, settings=desk) == folder
    with pytest.raises(DataError, match="a day like 2026-06-30 of churn, found '2020-01-01'; its latest report is of "):
        report_of("2020-01-01", use_case=CASE, settings=desk)
    with pytest.raises(DataError, match="it has no report yet: build it first"):
        report_of("2020-01-01", use_case="telco", settings=desk)
    with pytest.raises(DataError, match=r"found no manifest\.json there"):
        compare_runs(folder, tmp_path)
