"""Whoever comes too early, or finds a record broken: told what to do, and all that is whole is shown."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from built_workbench import DAY, built_workbench
from live_dashboard import running
from playwright.sync_api import Browser, expect

from browser.visits import Visit
from driftbook.config import Settings

pytestmark = pytest.mark.browser

MADE = ("state", "reports")  # folders that builds fill
GARBAGE = b"no table, no record"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """What a build leaves; not to be changed."""
    return built_workbench(tmp_path_factory)[0]


@pytest.fixture(scope="module")
def empty(built: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same workbench before its first build."""
    folder = tmp_path_factory.mktemp("empty") / "desk"
    shutil.copytree(built.root, folder, ignore=shutil.ignore_patterns(*MADE))
    (folder / "reports").mkdir()
    return Settings(root=folder)


@pytest.fixture(scope="module")
def visit(empty: Settings, browser: Browser) -> Iterator[Visit]:
    """Who is there before anything was built."""
    with running(empty.root, environment={"DRIFTBOOK_DASHBOARD_REFRESH": "1"}) as address:
        visit = Visit(browser, address)
        yield visit
        visit.leave()


def _store(desk: Settings) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(desk.state_folder / "driftbook.db"))


def test_an_empty_workbench_shows_the_command_that_fills_it_and_the_page_when_it_is_filled(built, empty, visit):
    assert "driftbook build --use-case churn" in visit.text("Nothing to show yet")
    for place in ("data/state", "reports"):
        left = shutil.ignore_patterns("driftbook.db*")  # it is open: filled as a build does, not overwritten
        shutil.copytree(built.root / place, empty.root / place, ignore=left, dirs_exist_ok=True)
    with _store(built) as full, _store(empty) as fresh:
        full.backup(fresh)
    visit.wait_for_page("overview")
    assert visit.shown_day() == DAY
    assert visit.figures("The story so far").count() == 1


@pytest.mark.parametrize(
    ("broken", "page", "cards"),
    [
        ("reports/churn/{day}/segment_outcomes.parquet", "performance", ("Segments", "How well the score ranks")),
        ("data/state/models/churn/v2/training.json", "champion", ("Versions", "The comparison, day by day")),
    ],
)
def test_a_broken_record_costs_its_card_and_the_rest_lives(empty, visit, broken, page, cards):
    hurt, whole = cards
    path = empty.root / broken.format(day=DAY)
    good = path.read_bytes()
    visit.turn_to(page)
    visit.figures(whole).first.wait_for()
    path.write_bytes(GARBAGE)
    (empty.state_folder / "progress.json").touch()  # something changed: read anew
    visit.turn_to(page)
    expect(visit.card(hurt)).to_contain_text(f"{Path(broken).name} cannot be read")
    expect(visit.card(hurt)).to_contain_text("driftbook build --use-case churn")
    assert visit.figures(whole).count() >= 1
    path.write_bytes(good)
