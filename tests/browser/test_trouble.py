"""Whoever comes too early, finds a record broken or loses the server: told so, and all that is whole is shown."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from built_workbench import DAY, built_workbench
from live_dashboard import Process, running, start, stop
from playwright.sync_api import Browser, Route, expect

from browser.visits import Visit
from driftbook.config import Settings

pytestmark = pytest.mark.browser

MADE = ("state", "reports")  # folders that builds fill
GARBAGE = b"no table, no record"
WIDGET = re.compile(
    r'<script type="application/vnd.voila.cell-output.json">(?=.{,40}widget-view).*?</script>', re.DOTALL
)


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


@pytest.fixture
def served(desk: Settings) -> Iterator[tuple[Process, str]]:
    """A dashboard that may be ended, and its address."""
    process, address = start(desk.root, environment={"DRIFTBOOK_DASHBOARD_POOL": "1"})
    yield process, address
    if process.poll() is None:
        stop(process)


def _kernel_id(visit: Visit) -> str:
    found: str = visit.page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
    return found


def _kill_kernels(server: Process) -> None:
    """Whatever a server started that started nothing itself; those that wait for a visitor too."""
    for each in psutil.Process(server.pid).children(recursive=True):
        if not each.children():
            each.kill()


def test_who_loses_the_kernel_or_the_server_is_told_and_comes_back_to_the_same_page_and_day(desk, browser, served):
    server, address = served
    visit = Visit(browser, address)
    visit.turn_to("drift")
    visit.slide_to("2026-05-30")
    line = visit.page.locator("[role=status]").filter(has_text="this page opens again by itself")

    def comes_back(former: str) -> None:
        visit.page.wait_for_function(
            "former => { const page = document.getElementById('jupyter-config-data');"
            " return page !== null && JSON.parse(page.textContent).kernelId !== former; }",
            arg=former,
        )
        visit.wait_for_page("drift")
        expect(visit.banner).to_contain_text("2026-05-30")
        expect(line).to_be_hidden()

    dead = _kernel_id(visit)
    _kill_kernels(server)
    line.wait_for()
    comes_back(dead)
    lost = _kernel_id(visit)
    stop(server)
    line.wait_for()
    with running(desk.root, "--port", str(urlsplit(address).port)):
        comes_back(lost)
        visit.faults.clear()  # a browser notes each question that nobody answered
        visit.turn_to("performance")
        visit.leave()


def test_a_page_whose_widgets_are_not_found_opens_itself_again(built: Settings, browser: Browser) -> None:
    spoilt = []

    def spoil(route: Route) -> None:
        """The first page shows what the widgets say when the kernel did not tell of them in time."""
        if spoilt:
            route.continue_()
            return
        answer = route.fetch()
        text, count = WIDGET.subn("<p>Error displaying widget: model not found</p>", answer.text())
        spoilt.append(count)
        route.fulfill(response=answer, body=text)

    with running(built.root) as address, browser.new_context() as context:
        context.route(address, spoil)
        page = context.new_page()
        page.goto(address)
        page.locator("#rendered_cells section.dash-card").first.wait_for()
        assert page.evaluate("sessionStorage.getItem('driftbook-tries')") is None
    assert spoilt == [1]
