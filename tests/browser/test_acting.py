"""Whoever acts: an operator by mouse or keyboard, each act in the database under the own name; a viewer not at all."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from built_workbench import DAY, LAST_DAY
from live_dashboard import running
from playwright.sync_api import Browser, expect

from browser.visits import PATIENCE, Visit
from driftbook.config import Settings
from driftbook.dashboard.pages import PAGES
from driftbook.database import open_database
from driftbook.serving.security import add_key
from driftbook.storage import load_json
from driftbook.workflow.bind import load_tasks
from driftbook.workflow.progress import BUILD_LOG, Progress, load_progress

pytestmark = [pytest.mark.browser, pytest.mark.pipeline]

BLINK = 200  # milliseconds in which a page that was turned to is complete


@pytest.fixture(scope="module")
def keys(desk: Settings) -> dict[str, str]:
    """Keys of an operator and of a viewer."""
    with open_database(desk.database_url) as database:
        return {
            "ada": add_key(database, "ada", ["operate"]),
            "bob": add_key(database, "bob", ["read"]),
        }


@pytest.fixture(scope="module")
def address(desk: Settings, keys: dict[str, str]) -> Iterator[str]:
    """A dashboard that knows the two, and looks for news every second."""
    with running(desk.root, environment={"DRIFTBOOK_DASHBOARD_REFRESH": "1"}) as address:
        yield address


@pytest.fixture(scope="module")
def ada(browser: Browser, address: str, keys: dict[str, str]) -> Iterator[Visit]:
    """An operator."""
    visit = Visit(browser, address, key=keys["ada"])
    yield visit
    visit.leave()


@pytest.fixture(scope="module")
def bob(browser: Browser, address: str, keys: dict[str, str]) -> Iterator[Visit]:
    """A viewer."""
    visit = Visit(browser, address, key=keys["bob"])
    yield visit
    visit.leave()


def rows(desk: Settings, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(desk.state_folder / "driftbook.db") as database:
        return database.execute(query).fetchall()


def test_an_operator_is_offered_acts_and_a_viewer_none(ada, bob):
    for name, page in PAGES.items():
        ada.turn_to(name)
        bob.turn_to(name)
        for action in page.actions:
            expect(ada.page.get_by_role("button", name=action.label, exact=True)).to_be_visible()
        bob.page.wait_for_timeout(BLINK)
        assert not bob.page.locator(".dash-panel:visible").count(), name
    assert sum(len(page.actions) for page in PAGES.values()) >= 6
    assert "bob, who may look" in bob.page.locator(".dash-stamp").inner_text()


def test_an_alert_is_acknowledged_with_the_keyboard_alone_and_a_viewer_sees_who_did_it(desk, ada, bob):
    ada.turn_to("alerts")
    bob.turn_to("alerts")
    press = ada.page.keyboard.press
    ada.page.locator(".dash-nav input:checked").focus()
    ada.tab_to(".dash-panel button")
    press("Enter")
    ada.page.locator(".dash-form input[type=text]").wait_for()
    expect(ada.page.locator(".dash-form input[type=text]")).to_be_focused()
    ada.page.keyboard.type("The price list changed; we know.")
    press("Enter")
    expect(ada.page.locator(".dash-form button").first).to_be_focused()
    assert rows(desk, "SELECT state FROM alert WHERE state = 'acknowledged'") == [], "nothing is done by the way"
    press("Enter")
    ada.page.locator(".dash-panel [role=status]").wait_for()
    ((key, actor, note),) = rows(desk, "SELECT alert_key, actor, note FROM alert_change WHERE state = 'acknowledged'")
    assert (actor, note) == ("ada", "The price list changed; we know.")
    assert rows(desk, f"SELECT state FROM alert WHERE key = '{key}'") == [("acknowledged",)]
    said = bob.card("What was said of them")
    expect(said).to_contain_text("The price list changed; we know.")
    expect(said).to_contain_text("ada")


def test_a_rollback_is_done_with_its_reason_under_the_operators_name(desk, ada):
    ((before, former),) = rows(desk, "SELECT champion, previous FROM deployment")
    ada.turn_to("champion")
    ada.act("Roll back", "Complaints from the branch offices")
    assert ada.said().startswith("✓"), ada.said()
    assert rows(desk, "SELECT champion, previous FROM deployment") == [(former, before)]
    (change,) = rows(desk, "SELECT action, version, actor, reason FROM deployment_change ORDER BY revision")[-1:]
    assert change[:2] == ("rollback", former)
    assert "ada" in change[2]
    assert "Complaints from the branch offices" in change[3]
    expect(ada.card("Who is in office")).to_contain_text("Complaints from the branch offices")
    assert ada.tiles("Who is in office")["champion"] == f"version {former}"


def test_a_retraining_outlives_who_started_it_and_a_second_visitor_sees_who_runs_it_and_how_far_it_is(
    desk, browser, address, keys, bob
):
    why = "The autumn price list came in"
    bob.turn_to("overview")
    assert bob.shown_day() == DAY
    starter = Visit(browser, address, key=keys["ada"])
    starter.act("Retrain now", why)
    assert "A build was started" in starter.said()
    kernel = kernel_that_started(progress(desk))
    starter.leave()
    with suppress(psutil.NoSuchProcess):  # the dashboard may have been as quick
        kernel.kill()
    bar = bob.page.get_by_role("progressbar")
    expect(bar).to_be_visible()
    expect(bob.page.locator(".dash-work")).to_contain_text("ada")
    expect(bob.page.locator(".dash-work")).to_contain_text(why)
    expect(bob.page.locator(".dash-steps")).to_contain_text("✓")
    seen = int(bar.get_attribute("aria-valuenow") or 0)
    assert 0 < seen < 100
    steps = steps_until_the_end(desk)
    assert {"task 4 of 8, score batches", "task 8 of 8, write audit"} <= steps
    expect(bob.page.locator(".dash-over")).to_contain_text("it has ended")
    assert bar.count() == 0
    expect(bob.page.locator(".dash-head .widget-readout")).to_have_text(LAST_DAY)
    last = progress(desk)
    assert (last.state, last.by, last.reason, last.share, last.as_of) == ("done", "ada", why, 1.0, LAST_DAY)
    assert [task.state for task in last.tasks] == ["done"] * len(load_tasks(desk))
    assert all(task.seconds is not None and task.seconds > 0 for task in last.tasks)
    summary = load_json(desk.reports_folder / "churn" / LAST_DAY / "summary.json")
    assert last.message == summary["headline"]
    assert [change["reason"] for change in summary["changes"] if change["action"] == "retrain"] == [why]
    assert "done in" in (desk.state_folder / BUILD_LOG).read_text()
    bob.turn_to("audit")
    expect(bob.card("Every run on record")).to_contain_text(LAST_DAY)


def progress(desk: Settings) -> Progress:
    found = load_progress(desk)
    assert found is not None
    return found


def kernel_that_started(build: Progress) -> psutil.Process:
    """The kernel of the page on which a build was asked for."""
    kernels = {"ipykernel_launcher", "driftbook.dashboard.nursery"}
    return next(each for each in psutil.Process(build.pid).parents() if kernels & set(each.cmdline()))


def steps_until_the_end(desk: Settings) -> set[str]:
    """What a build is seen to be at until it has ended."""
    seen, until = set(), time.monotonic() + PATIENCE / 1_000
    while (now := progress(desk)).state == "running":
        assert time.monotonic() < until, f"still at {now.step}"
        seen.add(now.step)
        time.sleep(0.05)
    return seen
