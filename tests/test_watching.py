"""A bad version that a person promoted is taken back by itself: in records, office, alert and history."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from workbench import build_story, make_workbench, run_of

from driftbook.audit.replay import replay
from driftbook.config import Settings
from driftbook.data.batches import ingest
from driftbook.database import open_database
from driftbook.decisions.comparison import Contender, LabelledDay
from driftbook.deployment import history, load_office
from driftbook.storage import canonical_json, write_json
from driftbook.timeline.closing import find_rollbacks
from driftbook.timeline.journal import Entry, Story
from driftbook.timeline.office import open_journal
from driftbook.timeline.orders import promote, rollback
from driftbook.timeline.standing import find_standings
from driftbook.timeline.terminal import status_of_one
from driftbook.timeline.verdict import verdict_sentences
from driftbook.timeline.walk import walk
from driftbook.timeline.watching import Watch, watch_after

JUDGED = date(2026, 5, 30)  # by then version 2 was promoted
LAST = date(2026, 6, 12)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A workbench on which a person promoted version 1 again, which the drift has made worse than version 2."""
    settings = make_workbench(tmp_path_factory.mktemp("judged"), stream_days=28)
    assert build_story(settings, JUDGED.isoformat()).office["champion"] == 2
    promote("churn", 1, reason="Simpler.", settings=settings)
    return settings


@pytest.fixture(scope="module")
def told(judged: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Story]:
    """One build over the days that follow."""
    return desk_of(judged, tmp_path_factory.mktemp("told"), until=LAST)


def desk_of(settings: Settings, folder: Path, *, until: date) -> tuple[Settings, Story]:
    shutil.copytree(settings.root, folder / "desk")
    copy = Settings(root=folder / "desk")
    return copy, build_story(copy, until.isoformat())


def taken_back(story: Story) -> Entry:
    [entry] = [entry for entry in story.entries if entry["decision"]["kind"] == "rollback"]
    return entry


def records(story: Story) -> list[str]:
    return [canonical_json(entry) for entry in story.entries]


def test_a_bad_version_that_was_promoted_is_taken_back_by_itself(told: tuple[Settings, Story]) -> None:
    entry = taken_back(told[1])
    assert entry["decision"]["action"] == "rollback"
    assert entry["during"]["champion"] == 1
    assert entry["office"] == {**entry["during"], "champion": 2, "previous": 1}
    assert entry["watch"] is None
    [change] = entry["changes"]
    assert change == {"action": "rollback", "version": 2, "reason": entry["decision"]["reasons"][0]}
    assert date.fromisoformat(entry["decision"]["evidence"]["since"]) > JUDGED


def test_every_day_until_then_holds_what_was_seen_and_none_after(told: tuple[Settings, Story]) -> None:
    day = taken_back(told[1])["day"]
    watched = {entry["day"]: entry["watch"] for entry in told[1].entries if entry["watch"]}
    ordered = [each for each in watched if JUDGED.isoformat() < each]
    assert ordered == [entry["day"] for entry in told[1].entries if JUDGED.isoformat() < entry["day"] < day]
    assert {watched[each]["action"] for each in ordered} == {"continue"}
    after = [entry for entry in told[1].entries if entry["day"] > day]
    assert after
    assert all(entry["watch"] is None and entry["during"]["previous"] == 1 for entry in after)
    assert all(change["action"] != "rollback" for entry in after for change in entry["changes"])


def test_only_days_of_the_reign_and_targets_known_by_then_are_looked_at(told: tuple[Settings, Story]) -> None:
    for entry in told[1].entries:
        decision = entry["watch"] or entry["decision"]
        if decision["kind"] == "rollback":
            days = decision["evidence"]["given"]["days"]
            assert all(day["known_on"] <= entry["day"] for day in days)
            assert [day["batch_id"] for day in days] == sorted({day["batch_id"] for day in days})
            if entry["during"]["champion"] == 1:
                assert all(day["batch_id"] > JUDGED.isoformat() for day in days)


def test_a_catch_up_build_tells_the_story_of_daily_builds(
    judged: Settings, told: tuple[Settings, Story], tmp_path: Path
) -> None:
    daily, _ = desk_of(judged, tmp_path, until=JUDGED + timedelta(days=1))
    for day in range(2, (LAST - JUDGED).days + 1):
        story = build_story(daily, (JUDGED + timedelta(days=day)).isoformat())
    assert records(story) == records(told[1])
    with open_database(daily.database_url) as first, open_database(told[0].database_url) as second:
        office, other = load_office(first, "churn"), load_office(second, "churn")
        assert (office.champion, office.previous) == (other.champion, other.previous)
        columns = ["day", "action", "version", "reason"]
        assert history(first, "churn")[columns].equals(history(second, "churn")[columns])


def test_deleting_the_future_changes_no_record(judged: Settings, told: tuple[Settings, Story], tmp_path: Path) -> None:
    day = date.fromisoformat(taken_back(told[1])["day"])
    shutil.copytree(judged.root, tmp_path / "desk")
    copy = Settings(root=tmp_path / "desk")
    run = run_of(copy, LAST.isoformat())
    ingest(run.case, copy, as_of=LAST)
    before = walk(run_of(copy, day.isoformat()), open_journal(run_of(copy, day.isoformat())))
    data = copy.data_folder("churn")
    for partition in [*data.glob("batches/date=*"), *data.glob("targets/date=*"), *data.glob("predictions/*/date=*")]:
        if date.fromisoformat(partition.name.removeprefix("date=")) > day:
            shutil.rmtree(partition)
    after = walk(run_of(copy, day.isoformat()), open_journal(run_of(copy, day.isoformat())))
    assert records(after) == records(before) == records(told[1])[: len(after.entries)]


def test_the_office_the_history_and_the_standing_tell_it(told: tuple[Settings, Story]) -> None:
    settings, story = told
    with open_database(settings.database_url) as database:
        assert load_office(database, "churn").champion == story.office["champion"]
        changes = history(database, "churn").filter(pl.col("action") == "rollback")
    assert changes["version"].to_list() == [2]
    assert changes["actor"][0].startswith("build by ")
    assert changes["reason"][0] == taken_back(story)["decision"]["reasons"][0]
    [standing] = find_standings("churn", settings=settings)
    assert "put back by build by " in status_of_one(standing).replace("\n", " ")
    day = story.entries.index(taken_back(story))
    sentences = verdict_sentences(story.entries[: day + 1])
    assert f"Decided for {taken_back(story)['day']}: rollback. Version 1 is taken back: " in " ".join(sentences)
    assert f"version 2 put back in office on {taken_back(story)['day']}" in " ".join(sentences)


def test_a_watched_champion_is_told_of_in_verdict_and_status(judged: Settings, tmp_path: Path) -> None:
    settings, story = desk_of(judged, tmp_path, until=JUDGED + timedelta(days=1))
    told = "Version 1 is watched against version 2 before it; no targets are known yet since then."
    assert told in verdict_sentences(story.entries)
    [standing] = find_standings("churn", settings=settings)
    assert "watched     Version 1 is watched against version 2" in status_of_one(standing)


def test_replay_derives_both_decisions_of_a_day_again(told: tuple[Settings, Story]) -> None:
    settings, story = told
    write_json(settings.report_folder("churn", LAST) / "story.json", list(story.entries))
    found = replay(settings, "churn")
    assert found.identical, found.summary()
    assert [each.day for each in found.decisions if each.then == "rollback"] == [taken_back(story)["day"]]
    watched = sum(entry["watch"] is not None for entry in story.entries)
    assert len(found.decisions) == len(story.entries) + watched


def test_each_automatic_rollback_is_found_for_its_alert_and_no_order_is(told: tuple[Settings, Story]) -> None:
    entry = taken_back(told[1])
    found = find_rollbacks(told[1].entries).to_dicts()
    assert found == [{"batch_id": entry["day"], "version": 2, "reasons": entry["decision"]["reasons"]}]
    ordered = {**entry, "changes": [{"action": "rollback", "version": 2, "reason": "No.", "actor": "ann"}]}
    assert find_rollbacks([ordered]).is_empty()


def test_a_person_who_puts_a_champion_back_starts_no_watch(judged: Settings, tmp_path: Path) -> None:
    shutil.copytree(judged.root, tmp_path / "desk")
    settings = Settings(root=tmp_path / "desk")
    rollback("churn", to=2, reason="Not simpler.", settings=settings)
    story = build_story(settings, (JUDGED + timedelta(days=4)).isoformat())
    assert [entry["watch"] for entry in story.new] == [None] * len(story.new)
    assert watch_after(story.entries) is None


def told_entry(day: str, *changes: Entry, watch: str | None = None) -> Entry:
    told = {"action": watch} if watch else None
    return {"day": day, "changes": list(changes), "watch": told, "office": {"champion": 2, "previous": 1}}


PROMOTED = {"action": "promote", "version": 2}


def test_a_watch_goes_on_over_builds_until_it_ends() -> None:
    watch = Watch(champion=2, previous=1, since=date(2026, 6, 10))
    begun = told_entry("2026-06-09", PROMOTED)
    quiet = told_entry("2026-06-10", {"action": "challenge", "version": 3}, watch="continue")
    assert watch_after([begun]) == watch_after([begun, quiet]) == watch
    assert watch_after([begun, quiet, told_entry("2026-06-11", watch="keep")]) is None
    assert watch_after([begun, told_entry("2026-06-11", {"action": "rollback", "version": 1})]) is None
    assert watch_after([told_entry("2026-06-01", {"action": "appoint", "version": 1})]) is None
    assert watch_after([]) is None


def test_an_order_is_watched_from_the_day_that_takes_it_over() -> None:
    ordered = {**PROMOTED, "actor": "ann", "revision": 7}
    assert watch_after([told_entry("2026-06-09", ordered)]) == Watch(2, 1, date(2026, 6, 9))
    over = told_entry("2026-06-09", ordered, watch="keep")
    assert watch_after([over]) is None
    promoted_again = told_entry("2026-06-09", ordered, PROMOTED, watch="keep")
    assert watch_after([promoted_again]) == Watch(2, 1, date(2026, 6, 10))


def test_entries_of_earlier_versions_have_no_watch_and_begin_one() -> None:
    old = [told_entry("2026-06-09", PROMOTED), told_entry("2026-06-10")]
    for entry in old:
        del entry["watch"]
    assert watch_after(old) == Watch(2, 1, date(2026, 6, 10))
    assert len(verdict_sentences([{**old[1], **plain()}])) == 3


def plain() -> Entry:
    return {
        "drift": {"alarmed": False, "drifted_columns": []},
        "decision": {"action": "wait", "reasons": ["Nothing calls for it."]},
        "trained": None,
        "office": {"champion": 2, "challenger": None, "previous": 1},
    }


COSTS = {"yes": {"no": 5.0}}


def contender(version: int, right: str) -> Contender:
    """A row each day from 9 to 12 June, then one more on 11 June; ``right``: x where the prediction is right."""
    days = [9, 10, 11, 12, 11]
    frame = pl.DataFrame(
        {
            "row_id": list("abcde"),
            "batch_id": [f"2026-06-{day:02}" for day in days],
            "event_time": [datetime(2026, 6, day, 12) for day in days],
            "version": [version] * 5,
            "prediction": ["yes" if mark == "x" else "no" for mark in right],
            "probabilities": [[0.2, 0.8] if mark == "x" else [0.8, 0.2] for mark in right],
        }
    )
    return Contender(version, ("no", "yes"), frame)


def test_targets_that_come_late_are_summed_by_the_day_their_rows_happened() -> None:
    targets = pl.DataFrame(
        {
            "row_id": list("abcde"),
            "batch_id": ["2026-06-09", "2026-06-10", "2026-06-11", "2026-06-12", "2026-06-11"],
            "known_time": [datetime(2026, 6, day) for day in (12, 13, 14, 15, 20)],
            "target": ["yes"] * 5,
        }
    )
    watch = Watch(champion=2, previous=1, since=date(2026, 6, 10))
    compared = watch.compared(contender(2, "xx.x."), contender(1, "x.xxx"), targets, costs=COSTS)
    early, late = (watch.evidence(compared, until=date(2026, 6, day), costs=COSTS) for day in (15, 20))
    assert [(day.batch_id, day.known_on.day, day.rows, day.wins, day.losses) for day in early.days] == [
        ("2026-06-10", 13, 1, 0, 1),
        ("2026-06-11", 14, 1, 1, 0),
        ("2026-06-12", 15, 1, 0, 0),
    ]
    assert late.days[1] == LabelledDay(
        known_on=date(2026, 6, 20),
        batch_id="2026-06-11",
        rows=2,
        champion_correct=0,
        challenger_correct=2,
        wins=2,
        losses=0,
        champion_brier=pytest.approx(1.28),
        challenger_brier=pytest.approx(0.08),
        brier_squares=pytest.approx(0.72),
        champion_log_loss=pytest.approx(3.2188758),
        challenger_log_loss=pytest.approx(0.4462871),
        log_loss_squares=pytest.approx(3.8436241),
        champion_cost=10.0,
        cost_squares=50.0,
    )
    assert watch.evidence(compared, until=date(2026, 6, 12), costs=COSTS).days == ()
    assert (late.champion, late.challenger, late.largest_cost) == (2, 1, 5.0)
