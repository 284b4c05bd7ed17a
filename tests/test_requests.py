"""A request for a challenger: recorded like an order, taken over by the next day, pending until one is trained."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from workbench import ONSET_DAY, build_story, make_workbench, run_of

from driftbook.audit.replay import replay_decision
from driftbook.cli import app
from driftbook.config import Settings
from driftbook.data.batches import first_stream_day
from driftbook.database import open_database
from driftbook.deployment import Office, history, load_office, load_orders
from driftbook.storage import canonical_json
from driftbook.timeline.journal import Entry, Story, office_in_force
from driftbook.timeline.office import orders_since
from driftbook.timeline.orders import ask_for_challenger
from driftbook.timeline.requests import pending_request
from driftbook.timeline.verdict import verdict_sentences

FIRST = date(2026, 5, 17)
CALM = FIRST + timedelta(days=ONSET_DAY - 3)  # the shock has not come yet


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A workbench judged up to a day on which nothing drifted."""
    settings = make_workbench(tmp_path_factory.mktemp("judged"))
    assert build_story(settings, CALM.isoformat()).entries[-1]["decision"]["action"] == "wait"
    return settings


@pytest.fixture
def desk(judged: Settings, tmp_path: Path) -> Settings:
    """A copy of it, on which a challenger was asked for."""
    shutil.copytree(judged.root, tmp_path / "desk")
    settings = Settings(root=tmp_path / "desk")
    told = ask_for_challenger("churn", reason="New  prices.", settings=settings).sentence
    assert told.startswith("churn: a challenger is asked for (revision 2).")
    return settings


def after(days: int) -> str:
    return (CALM + timedelta(days=days)).isoformat()


def told(story: Story) -> list[str]:
    return [canonical_json(entry) for entry in story.entries]


def trained_on(entries: tuple[Entry, ...]) -> list[str]:
    return [entry["day"] for entry in entries if entry["trained"]]


def test_a_request_is_recorded_as_an_order_is_and_moves_nobody(desk: Settings) -> None:
    with open_database(desk.database_url) as database:
        [order], last = load_orders(database, "churn"), history(database, "churn").row(-1, named=True)
        office = load_office(database, "churn")
    assert (last["action"], last["version"], last["reason"], last["revision"]) == ("retrain", None, "New prices.", 2)
    assert last["record_sha256"] == order["record_sha256"]
    assert order["decision"]["evidence"]["given"]["decided"]["action"] == "wait"
    assert (office, order["office"]["champion"]) == (Office(champion=1, revision=2), 1)


def test_the_next_days_take_it_over_train_when_targets_allow_and_are_done_with_it(desk: Settings) -> None:
    story = build_story(desk, after(8))  # the shock comes between: targets of the time since then are waited for
    first = story.new[0]
    assert first["changes"][0]["action"] == "retrain"
    assert first["changes"][0]["ordered_on"] == CALM.isoformat()
    asked = [entry for entry in story.new if "request" in entry["decision"]["evidence"].get("given", {})]
    assert asked[0]["day"] == first["day"]
    answered = trained_on(story.new)[0]
    assert [entry["day"] for entry in asked][-1] == answered, "answered, and still standing"
    waited = [entry for entry in asked if entry["day"] != answered]
    for entry in waited:
        assert entry["decision"]["action"] == "wait"
        assert not entry["decision"]["evidence"]["allowed"]["targets"]
        assert any("asked for a challenger after" in reason for reason in entry["decision"]["reasons"])
    assert pending_request(story.entries) is None
    for entry in asked:
        again = replay_decision(entry)
        assert canonical_json(again.to_json()["evidence"]) == canonical_json(entry["decision"]["evidence"])
    [done] = [each for each in verdict_sentences(story.entries) if each.startswith("Done: ")]
    assert "a challenger asked for by" in done


def test_daily_builds_and_a_catch_up_take_a_request_over_alike(desk: Settings, tmp_path: Path) -> None:
    shutil.copytree(desk.root, tmp_path / "daily")
    daily = Settings(root=tmp_path / "daily")
    for day in range(1, 5):
        story = build_story(daily, after(day))
    assert told(build_story(desk, after(4))) == told(story)


def test_a_request_stands_through_a_day_built_again_and_the_office_stays_the_builds(desk: Settings) -> None:
    before = build_story(desk, CALM.isoformat())
    assert [order["changes"][0]["action"] for order in before.orders] == ["retrain"]
    orders = orders_since(run_of(desk, CALM.isoformat()), CALM.isoformat())
    sentences = verdict_sentences(before.entries, orders=orders)
    assert any(each.startswith("Ordered since: a challenger asked for by") for each in sentences)
    assert sentences[-1] == "Model in use: version 1."
    moved: dict[str, Any] = {**orders[0], "office": {"champion": 9, "challenger": None, "previous": None}}
    assert office_in_force(before.entries[-1], [moved])["champion"] == 1


def test_the_command_asks_and_says_what_it_waits_for(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(desk.root))
    done = CliRunner().invoke(app, ["retrain", "--reason", "And again.", "--use-case", "churn"])
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1)
    assert "it stands until one is trained, which needs targets and no challenger in place" in done.stdout
    shown = " ".join(CliRunner().invoke(app, ["status", "--use-case", "churn"]).stdout.split())
    assert f"And again (from the day after {CALM}); the next build takes it over" in shown
    assert "retraining asked for" in CliRunner().invoke(app, ["history", "--use-case", "churn"]).stdout


def test_what_was_never_built_cannot_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_workbench(tmp_path)
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(settings.root))
    refused = CliRunner().invoke(app, ["retrain", "--reason", "New prices."])
    assert refused.exit_code == 1
    assert "churn was never built, so nobody is in office" in str(refused.exception)
    with open_database(settings.database_url) as database:
        assert load_orders(database, "churn") == []


def test_the_first_day_of_the_workbench_is_the_one_these_tests_count_from(judged: Settings) -> None:
    assert first_stream_day(run_of(judged, CALM.isoformat()).case, judged) == FIRST
