"""A person's order between two builds: the next one takes it over, no build undoes it, and the past stays as it was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from workbench import build_story, make_workbench, run_of

from driftbook.config import Settings
from driftbook.data.batches import ingest
from driftbook.database import open_database
from driftbook.deployment import history, load_office
from driftbook.errors import OvertakenError
from driftbook.storage import canonical_json
from driftbook.timeline.describe import changes_table
from driftbook.timeline.journal import Story
from driftbook.timeline.office import champion_in_office, commit, open_journal, orders_since
from driftbook.timeline.orders import rollback
from driftbook.timeline.verdict import verdict_sentences
from driftbook.timeline.walk import walk
from driftbook.workflow.fingerprint import state_digest

pytestmark = pytest.mark.long

LAST = date(2026, 5, 30)  # by then version 2 was promoted


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Story]:
    """A workbench on which version 2 was promoted over version 1."""
    settings = make_workbench(tmp_path_factory.mktemp("judged"))
    return settings, build_story(settings, LAST.isoformat())


@pytest.fixture
def desk(judged: tuple[Settings, Story], tmp_path: Path) -> Settings:
    """A copy of it, on which version 1 was put back."""
    shutil.copytree(judged[0].root, tmp_path / "desk")
    settings = Settings(root=tmp_path / "desk")
    rollback("churn", reason="Complaints.", settings=settings)
    return settings


def after(days: int) -> str:
    return (LAST + timedelta(days=days)).isoformat()


def in_office(settings: Settings) -> int | None:
    with open_database(settings.database_url) as database:
        return load_office(database, "churn").champion


def told(story: Story) -> list[str]:
    return [canonical_json(entry) for entry in story.entries]


def test_the_next_build_begins_with_the_order_and_says_so(desk: Settings, judged: tuple[Settings, Story]) -> None:
    assert judged[1].office["champion"] == 2
    assert champion_in_office(run_of(desk, after(1))).number == 1
    story = build_story(desk, after(2))
    assert told(story)[: len(judged[1].entries)] == told(judged[1]), "a day judged before was changed"
    first = story.new[0]
    assert first["during"] == {"champion": 1, "challenger": None, "previous": 2}
    assert first["changes"][0]["reason"] == "Complaints."
    assert first["changes"][0]["revision"] == 4
    [done] = [each for each in verdict_sentences(story.entries) if each.startswith("Done: ")]
    assert f"version 1 put back by {first['changes'][0]['actor']}: Complaints (from {after(1)})" in done
    assert changes_table(story.entries)["reason"].str.contains(": Complaints.", literal=True).sum() == 1


def test_a_catch_up_build_takes_an_order_over_as_daily_builds_do(desk: Settings, tmp_path: Path) -> None:
    shutil.copytree(desk.root, tmp_path / "daily")
    daily: Any = Settings(root=tmp_path / "daily")
    for day in (1, 2, 3):
        story = build_story(daily, after(day))
    assert told(build_story(desk, after(3))) == told(story)
    assert in_office(desk) == in_office(daily) == story.office["champion"]


def test_the_same_day_built_again_keeps_its_entries_and_the_order(
    desk: Settings, judged: tuple[Settings, Story]
) -> None:
    again = build_story(desk, LAST.isoformat())
    assert told(again) == told(judged[1])
    assert in_office(desk) == 1
    sentences = verdict_sentences(again.entries, orders=orders_since(run_of(desk, LAST.isoformat()), LAST.isoformat()))
    assert any("version 1 put back by" in each and each.startswith("Ordered since: ") for each in sentences)
    assert sentences[-1] == "Model in use: version 1."
    assert [each["revision"] for each in again.orders] == [4]


def test_a_report_of_an_earlier_day_knows_nothing_of_the_order(desk: Settings) -> None:
    earlier = (LAST - timedelta(days=2)).isoformat()
    assert orders_since(run_of(desk, earlier), earlier) == []
    assert build_story(desk, earlier).orders == ()
    assert in_office(desk) == 1


def test_a_build_overtaken_by_an_order_judges_anew_and_nothing_is_lost(desk: Settings) -> None:
    run = run_of(desk, after(1))
    ingest(run.case, run.settings, as_of=run.as_of)
    journal = open_journal(run)
    blind = walk(run, replace(journal, orders=(), revision=journal.revision - 1))
    assert blind.new[0]["during"]["champion"] == 2
    with pytest.raises(OvertakenError):
        commit(run, blind)
    assert build_story(desk, after(1)).new[0]["during"]["champion"] == 1
    with open_database(desk.database_url) as database:
        assert history(database, "churn")["action"].to_list()[:4] == ["appoint", "challenge", "promote", "rollback"]


def test_an_order_makes_the_report_of_its_day_and_later_ones_outdated_and_no_earlier(
    desk: Settings, judged: tuple[Settings, Story]
) -> None:
    case = run_of(desk, LAST.isoformat()).case
    for day, same in ((LAST - timedelta(days=1), True), (LAST, False), (LAST + timedelta(days=1), False)):
        equal = state_digest(case, desk, as_of=day) == state_digest(case, judged[0], as_of=day)
        assert equal is same
