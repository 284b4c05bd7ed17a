"""The short-cut remembers a good build, and asks the database only when it changed."""

from datetime import UTC, datetime

import pytest
from workbench import make_workbench

from driftbook.config import load_use_case
from driftbook.database import open_database
from driftbook.decisions.alerts import Alert
from driftbook.deployment import save_alerts
from driftbook.storage import load_json
from driftbook.workflow.bind import parse_day
from driftbook.workflow.build import _memory_path, is_up_to_date, remember, sources_digest

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
