"""A person keeps the champion: the challenger is retired, the next build says so, and every proof knows it."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from test_store_check import build as sealed_build
from test_store_check import found
from typer.testing import CliRunner
from workbench import ONSET_DAY, build_story, make_workbench, run_of

from driftbook.audit.replay import decisions_of, replay_decision
from driftbook.cli import app
from driftbook.config import Settings
from driftbook.database import open_database
from driftbook.deployment import Office, history, load_office, load_orders
from driftbook.errors import StateError
from driftbook.storage import canonical_json
from driftbook.timeline.journal import Story
from driftbook.timeline.office import orders_since
from driftbook.timeline.orders import keep
from driftbook.timeline.verdict import verdict_sentences
from driftbook.timeline.watching import watch_after

pytestmark = pytest.mark.long

FIRST, STREAM_DAYS = date(2026, 5, 17), 18
REASON = "Too slow for the branches."


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, date]:
    """A workbench judged up to the first day that has a challenger, and that day."""
    settings = make_workbench(tmp_path_factory.mktemp("judged"))
    for number in range(ONSET_DAY, STREAM_DAYS):
        day = FIRST + timedelta(days=number)
        if build_story(settings, day.isoformat()).office["challenger"] is not None:
            return settings, day
    raise AssertionError("no challenger was trained in the whole stream")


@pytest.fixture
def desk(judged: tuple[Settings, date], tmp_path: Path) -> Settings:
    """A copy of it, on which the champion was kept."""
    shutil.copytree(judged[0].root, tmp_path / "desk")
    settings = Settings(root=tmp_path / "desk")
    ordered = keep("churn", version=2, reason=REASON, actor="ann", settings=settings)
    assert ordered.sentence == (
        "churn: version 1 is kept, its challenger, version 2, retired (revision 3). The next build no longer compares "
        "the two."
    )
    return settings


@pytest.fixture
def day(judged: tuple[Settings, date]) -> date:
    return judged[1]


def after(day: date, days: int) -> str:
    return (day + timedelta(days=days)).isoformat()


def told(story: Story) -> list[str]:
    return [canonical_json(entry) for entry in story.entries]


def test_the_order_is_in_force_at_once_and_its_record_holds_what_was_decided_last(desk: Settings) -> None:
    with open_database(desk.database_url) as database:
        [order], last = load_orders(database, "churn"), history(database, "churn").row(-1, named=True)
        assert load_office(database, "churn") == Office(champion=1, challenger=None, revision=3)
    assert (last["action"], last["version"], last["actor"], last["reason"]) == ("retire", 2, "ann", REASON)
    assert last["record_sha256"] == order["record_sha256"]
    given = order["decision"]["evidence"]["given"]
    assert (order["decision"]["action"], given["champion"], given["challenger"]) == ("keep", 1, 2)
    assert given["decided"]["action"] == "retrain"


def test_the_next_build_begins_without_the_challenger_and_says_who_retired_it(
    desk: Settings, judged: tuple[Settings, date], day: date
) -> None:
    story = build_story(desk, after(day, 1))
    first = story.new[0]
    assert first["during"] == {"champion": 1, "challenger": None, "previous": None}
    assert (first["changes"][0]["action"], first["changes"][0]["revision"]) == ("retire", 3)
    assert first["decision"]["kind"] == "retraining", "nobody is compared"
    [done] = [each for each in verdict_sentences(story.entries) if each.startswith("Done: ")]
    assert f"version 2 retired as challenger by ann: Too slow for the branches (from {after(day, 1)})" in done
    assert told(story)[:-1] == told(build_story(desk, day.isoformat())), "the past stays"


def test_daily_builds_and_a_catch_up_take_it_over_alike(desk: Settings, day: date, tmp_path: Path) -> None:
    shutil.copytree(desk.root, tmp_path / "daily")
    daily = Settings(root=tmp_path / "daily")
    for number in (1, 2, 3):
        story = build_story(daily, after(day, number))
    assert told(build_story(desk, after(day, 3))) == told(story)


def test_the_same_day_built_again_keeps_its_entries_and_the_order(desk: Settings, day: date) -> None:
    again = build_story(desk, day.isoformat())
    with open_database(desk.database_url) as database:
        assert load_office(database, "churn").challenger is None
    sentences = verdict_sentences(again.entries, orders=orders_since(run_of(desk, day.isoformat()), day.isoformat()))
    assert any(each.startswith("Ordered since: version 2 retired as challenger by ann") for each in sentences)
    assert sentences[-1] == "Model in use: version 1."


def test_every_decision_of_a_day_that_took_it_over_can_be_replayed(desk: Settings, day: date) -> None:
    entry = build_story(desk, after(day, 1)).new[0]
    for each in decisions_of(entry):
        assert replay_decision(each).to_json() == {
            key: each["decision"][key] for key in ("action", "reasons", "evidence")
        }


def test_the_store_still_holds_against_the_ledger_and_a_changed_reason_is_found(desk: Settings, day: date) -> None:
    sealed_build(desk, day.isoformat())
    assert found(desk) == []
    sealed_build(desk, after(day, 1))
    assert found(desk) == []
    with open_database(desk.database_url) as database, database.transaction() as work:
        work.execute("UPDATE deployment_change SET reason = 'Praise.' WHERE action = 'retire'")
    assert any("history, revision 3" in each for each in found(desk))


def test_a_watch_over_the_champion_goes_on() -> None:
    promoted = {"day": "2026-06-09", "changes": [{"action": "promote", "version": 2}]}
    promoted["office"] = {"champion": 2, "challenger": None, "previous": 1}
    kept = {"action": "retire", "version": 3, "revision": 5, "actor": "ann", "reason": REASON}
    entries = [promoted, {"day": "2026-06-10", "changes": [kept], "watch": None, "office": promoted["office"]}]
    watch = watch_after(entries)
    assert watch is not None
    assert (watch.champion, watch.previous, watch.since) == (2, 1, date(2026, 6, 10))


@pytest.mark.parametrize(
    ("version", "reason", "message"),
    [
        (None, REASON, "churn has no challenger, so there is nobody to retire; nothing was changed"),
        (2, REASON, "churn has no challenger, so there is nobody to retire; nothing was changed"),
        (None, " ", "expected a reason of 1 to 500 characters, found nothing"),
    ],
)
def test_who_retires_nobody_is_told_so(desk: Settings, version: int | None, reason: str, message: str) -> None:
    with pytest.raises(StateError, match=message):
        keep("churn", version=version, reason=reason, settings=desk)


def test_a_challenger_that_is_another_one_by_now_is_not_retired(judged: tuple[Settings, date]) -> None:
    with pytest.raises(StateError, match="version 7 of churn is not its challenger, version 2 is"):
        keep("churn", version=7, reason=REASON, settings=judged[0])
    with open_database(judged[0].database_url) as database:
        assert load_office(database, "churn").challenger == 2


def test_the_command_retires_in_the_name_of_the_user(
    judged: tuple[Settings, date], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(judged[0].root, tmp_path / "desk")
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(tmp_path / "desk"))
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    done = CliRunner().invoke(app, ["keep", "--reason", REASON])
    assert (done.exit_code, done.stdout.split(" (")[0]) == (
        0,
        "churn: version 1 is kept, its challenger, version 2, retired",
    )
    with open_database(Settings(root=tmp_path / "desk").database_url) as database:
        assert history(database, "churn")["actor"][-1] == "bob"
