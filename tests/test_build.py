"""The short-cut remembers a good build, and asks the database only when it changed."""

import os
import subprocess
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from workbench import make_workbench

from driftbook.config import load_use_case
from driftbook.database import open_database
from driftbook.decisions.alerts import Alert
from driftbook.deployment import save_alerts
from driftbook.errors import ConfigError, DriftbookError, OvertakenError
from driftbook.storage import load_json, write_json
from driftbook.workflow.bind import parse_day
from driftbook.workflow.build import _memory_path, build, is_up_to_date, remember, sources_digest
from driftbook.workflow.progress import Progress, load_progress, process_mark, write_progress

DAY = parse_day("2026-06-03")
OTHER = Alert("telco/drift/1", "telco", "warning", "telco: drift", "…", "1", "1")


@pytest.fixture
def remembered(tmp_path):
    """A workbench whose last build is remembered as good."""
    desk = make_workbench(tmp_path)
    case = load_use_case("churn", settings=desk)
    remember(case, desk, as_of=DAY, sources=sources_digest(case, desk))
    return desk, case


def test_after_another_use_cases_build_the_database_is_asked_once(remembered):
    desk, case = remembered
    before = load_json(_memory_path(case, desk, DAY))
    with open_database(desk.database_url) as database:
        save_alerts(database, [OTHER], now=datetime(2026, 6, 3, tzinfo=UTC))
    assert is_up_to_date(case, desk, as_of=DAY)
    after = load_json(_memory_path(case, desk, DAY))
    assert after["database"] != before["database"]
    assert {**after, "database": None} == {**before, "database": None}


def test_an_edited_notebook_is_noticed(remembered):
    desk, case = remembered
    assert is_up_to_date(case, desk, as_of=DAY)
    notebook = desk.root / "notebooks" / "08_write_audit.ipynb"
    notebook.write_text(notebook.read_text().replace("Write audit", "Write the audit"))
    assert not is_up_to_date(case, desk, as_of=DAY)


@pytest.mark.parametrize(("failures", "runs"), [(1, 2), (9, 3)])
def test_a_build_overtaken_while_it_ran_judges_anew_a_few_times(tmp_path, monkeypatch, capfd, failures, runs):
    desk = make_workbench(tmp_path)
    write_json(desk.report_folder("churn", DAY) / "summary.json", {"status": "green"})
    told = f"driftbook: the deployment of churn moved: {OvertakenError.MEANWHILE}"
    codes = [1] * failures + [0]
    began = []

    def run(command, **_):
        began.append(command)
        code = codes[len(began) - 1]
        return subprocess.CompletedProcess(command, code, stderr=told if code else "")

    monkeypatch.setattr(subprocess, "run", run)
    if failures < runs:
        assert build("churn", as_of=DAY.isoformat(), settings=desk).summary == {"status": "green"}
        assert "the days are judged anew" in capfd.readouterr().err
    else:
        with pytest.raises(DriftbookError, match=OvertakenError.MEANWHILE):
            build("churn", as_of=DAY.isoformat(), settings=desk)
        told = load_progress(desk)
        assert (told.state, told.as_of) == ("failed", DAY.isoformat())
        assert told.message == f"the deployment of churn moved: {OvertakenError.MEANWHILE}"
    assert len(began) == runs


@pytest.mark.parametrize(("as_of", "state"), [(str(DAY), "done"), ("soon", "failed")])
def test_a_build_begun_in_the_background_says_how_it_ended_also_before_any_task(remembered, as_of, state):
    desk, case = remembered
    write_json(desk.report_folder("churn", DAY) / "summary.json", {"status": "green"})
    remember(case, desk, as_of=DAY, sources=sources_digest(case, desk))
    pid = os.getpid()
    write_progress(desk, Progress("churn", by="bob", reason="x", started="2026-07-01", pid=pid, born=process_mark(pid)))
    with suppress(ConfigError):
        build("churn", as_of=as_of, settings=desk)
    told = load_progress(desk)
    assert (told.state, told.by) == (state, "bob")
    messages = {"done": "It was up to date already.", "failed": "as_of should be a day like 2026-06-30, found 'soon'"}
    assert told.message == messages[state]
