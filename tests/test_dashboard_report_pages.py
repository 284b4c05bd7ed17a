"""Of the audit reports only the pages are found, however one asks."""

import pytest

from driftbook.config import Settings
from driftbook.dashboard.report_pages import find_page

DAY = "2026-06-30"


@pytest.fixture
def settings(tmp_path):
    report = tmp_path / "reports" / "churn-stable" / DAY
    report.mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    for name in ("05_analyse_drift", "08_write_audit"):
        (tmp_path / "notebooks" / f"{name}.ipynb").touch()
    for name in ("05_analyse_drift.html", "evidently_drift.html", "drift.json", "05_analyse_drift.ipynb", "other.html"):
        (report / name).write_text(name)
    (tmp_path / "secret.html").write_text("secret")
    return Settings(root=tmp_path)


def test_executed_notebooks_and_evidently_s_page_are_found(settings):
    report = settings.reports_folder / "churn-stable" / DAY
    assert find_page(settings, "churn-stable", DAY, "05_analyse_drift") == report / "05_analyse_drift.html"
    assert find_page(settings, "churn-stable", DAY, "evidently_drift") == report / "evidently_drift.html"


@pytest.mark.parametrize(
    ("use_case", "day", "name"),
    [
        ("churn-stable", DAY, "08_write_audit"),  # not written
        ("churn-stable", DAY, "other"),  # no notebook of that name
        ("churn-stable", DAY, "drift.json"),
        ("churn-stable", DAY, "../../../secret"),
        ("churn-stable", "..", "05_analyse_drift"),
        ("churn-stable", "20260630", "05_analyse_drift"),
        ("..", DAY, "05_analyse_drift"),
        ("", DAY, "05_analyse_drift"),
        ("churn-stable\x00", DAY, "05_analyse_drift"),
    ],
)
def test_nothing_else_is(settings, use_case, day, name):
    assert find_page(settings, use_case, day, name) is None


def test_a_link_leads_nowhere(settings):
    report = settings.reports_folder / "churn-stable" / DAY
    (report / "08_write_audit.html").symlink_to(settings.root / "secret.html")
    assert find_page(settings, "churn-stable", DAY, "08_write_audit") is None
    (settings.reports_folder / "bank").symlink_to(settings.reports_folder / "churn-stable")
    assert find_page(settings, "bank", DAY, "05_analyse_drift") is None
