"""Deployment: the story of a build is told whole, once, by one, and can be read back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from stores import KINDS, empty_store

from driftbook.database import Database, open_database
from driftbook.decisions.alerts import Alert
from driftbook.deployment import (
    Office,
    Order,
    carry_out,
    commit_story,
    forget,
    history,
    journal_before,
    latest_entries,
    load_alerts,
    load_office,
    load_orders,
    save_alerts,
)
from driftbook.errors import OvertakenError, StateError
from driftbook.storage import canonical_json, sha256_text

NOW = datetime(2026, 7, 1, 6, 30)
FIRST, SECOND, THIRD = date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3)
PROCESSES = 8


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_store(request.param, tmp_path) as url, open_database(url) as store:
        yield store


def entry(
    day: date, *, champion: int, challenger: int | None = None, changes: list[Any] | None = None
) -> dict[str, Any]:
    """A day's journal entry; ``changes`` as (action, version)."""
    told = [
        {"action": action, "version": version, "reason": f"{action} it", "record_sha256": "f" * 64}
        for action, version in changes or []
    ]
    office = {"champion": champion, "challenger": challenger, "previous": None}
    return {"batch_id": day.isoformat(), "day": day, "office": office, "changes": told, "share": 0.1 + 0.2}


def commit(
    database: Database, entries: list[dict[str, Any]], *, as_of: date, revision: int, case: str = "churn"
) -> str:
    return commit_story(
        database, case, as_of=as_of, entries=entries, expected_revision=revision, actor="build", now=NOW
    )


def story() -> list[dict[str, Any]]:
    """Two days: a champion is appointed, then a challenger."""
    return [
        entry(FIRST, champion=1, changes=[("appoint", 1)]),
        entry(SECOND, champion=1, challenger=2, changes=[("challenge", 2)]),
    ]


def test_nobody_is_in_office_before_the_first_build(database: Database) -> None:
    assert load_office(database, "churn") == Office(None, None, None, revision=0)
    assert history(database, "churn").height == 0
    assert journal_before(database, "churn", FIRST) == []


def test_a_story_puts_its_last_office_in_force_and_each_change_is_a_revision(database: Database) -> None:
    assert commit(database, story(), as_of=SECOND, revision=0) == "committed"
    assert load_office(database, "churn") == Office(champion=1, challenger=2, previous=None, revision=2)
    assert history(database, "churn").rows() == [
        (1, NOW, FIRST, "appoint", 1, "build", "appoint it", "f" * 64),
        (2, NOW, SECOND, "challenge", 2, "build", "challenge it", "f" * 64),
    ]


def test_use_cases_do_not_meet(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    assert load_office(database, "bank") == Office()
    assert commit(database, story(), as_of=SECOND, revision=0, case="bank") == "committed"
    assert history(database, "bank").height == 2


def test_the_journal_gives_entries_of_earlier_builds_in_batch_order(database: Database) -> None:
    commit(database, story()[::-1], as_of=SECOND, revision=0)
    assert journal_before(database, "churn", SECOND) == []
    given = journal_before(database, "churn", THIRD)
    assert [each["batch_id"] for each in given] == ["2026-06-01", "2026-06-02"]
    assert given[0]["day"] == "2026-06-01"
    assert given[0]["share"] == 0.3


def test_entries_that_were_read_before_are_not_read_anew_unless_they_changed(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    parsed: dict[str, dict[str, Any]] = {}
    first = latest_entries(database, "churn", parsed=parsed)
    told = [story()[0], entry(SECOND, champion=3, changes=[("promote", 3)])]
    assert commit(database, told, as_of=SECOND, revision=2) == "committed"
    second = latest_entries(database, "churn", parsed=parsed)
    assert second == latest_entries(database, "churn")
    assert second[0] is first[0]
    assert [each["office"]["champion"] for each in second] == [1, 3]
    assert len(parsed) == len(second)
    with database.transaction() as store:
        store.execute("UPDATE journal SET entry = '{}' WHERE batch_id = '2026-06-01'")
    with pytest.raises(StateError, match="was changed after it was written"):
        latest_entries(database, "churn", parsed=parsed)


def test_the_same_story_again_changes_nothing_whatever_the_revision(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    assert commit(database, story(), as_of=SECOND, revision=0) == "unchanged"
    assert commit(database, story(), as_of=SECOND, revision=2) == "unchanged"
    assert history(database, "churn").height == 2


def test_a_build_of_an_earlier_day_writes_nothing(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    other = [entry(FIRST, champion=9, changes=[("appoint", 9)])]
    assert commit(database, other, as_of=FIRST, revision=2) == "historic"
    assert load_office(database, "churn").champion == 1
    assert len(journal_before(database, "churn", THIRD)) == 2


def test_a_later_build_goes_on_from_the_earlier(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    further = [entry(THIRD, champion=2, changes=[("promote", 2)])]
    assert commit(database, further, as_of=THIRD, revision=2) == "committed"
    assert load_office(database, "churn") == Office(champion=2, revision=3)
    assert [each["batch_id"] for each in journal_before(database, "churn", THIRD)] == ["2026-06-01", "2026-06-02"]


def test_a_day_without_changes_is_kept_and_moves_no_revision(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    assert commit(database, [entry(THIRD, champion=1, challenger=2)], as_of=THIRD, revision=2) == "committed"
    assert load_office(database, "churn").revision == 2
    assert len(journal_before(database, "churn", date(2026, 6, 4))) == 3


def test_a_build_without_new_batches_changes_nothing(database: Database) -> None:
    assert commit(database, [], as_of=SECOND, revision=0) == "unchanged"
    commit(database, story(), as_of=SECOND, revision=0)
    assert commit(database, [], as_of=THIRD, revision=2) == "unchanged"
    assert load_office(database, "churn").champion == 1


def test_a_story_told_otherwise_keeps_what_both_share_and_withdraws_the_rest(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    retold = [story()[0], entry(SECOND, champion=1, challenger=3, changes=[("challenge", 3)])]
    assert commit(database, retold, as_of=SECOND, revision=2) == "committed"
    assert load_office(database, "churn") == Office(champion=1, challenger=3, revision=4)
    changes = history(database, "churn")
    assert changes["action"].to_list() == ["appoint", "challenge", "withdraw", "challenge"]
    assert changes["reason"][2] == (
        "the build as of 2026-06-02 was repeated and decides otherwise; withdrawn: challenge 2 of 2026-06-02"
    )
    assert len(journal_before(database, "churn", THIRD)) == 2


def test_a_story_that_vanishes_restores_the_office_before_it(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    commit(database, [entry(THIRD, champion=2, changes=[("promote", 2)])], as_of=THIRD, revision=2)
    assert commit(database, [], as_of=THIRD, revision=3) == "committed"
    assert load_office(database, "churn") == Office(champion=1, challenger=2, revision=4)


def test_a_build_that_was_overtaken_is_refused_and_leaves_nothing(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    late = [entry(THIRD, champion=2, changes=[("promote", 2)])]
    with pytest.raises(StateError, match="was at revision 1 when this was decided and is at revision 2 now"):
        commit(database, late, as_of=THIRD, revision=1)
    assert load_office(database, "churn").champion == 1
    assert len(journal_before(database, "churn", date(2026, 6, 4))) == 2


def test_batches_of_an_earlier_build_are_not_told_again(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    with pytest.raises(StateError, match="builds of an earlier day judged 2026-06-01, 2026-06-02 of churn"):
        commit(database, [*story(), entry(THIRD, champion=1)], as_of=THIRD, revision=2)


def test_an_entry_must_be_whole_and_told_once(database: Database) -> None:
    with pytest.raises(StateError, match="lacks changes, office; found batch_id, day"):
        commit(database, [{"batch_id": "2026-06-01", "day": FIRST}], as_of=FIRST, revision=0)
    with pytest.raises(StateError, match="batch 2026-06-01 is told twice"):
        commit(database, [story()[0], story()[0]], as_of=SECOND, revision=0)
    assert load_office(database, "churn") == Office()


def test_an_entry_changed_behind_our_back_is_found(database: Database) -> None:
    commit(database, story(), as_of=SECOND, revision=0)
    with database.transaction() as work:
        work.execute("UPDATE journal SET entry = replace(entry, '0.3', '0.4') WHERE batch_id = '2026-06-02'")
    with pytest.raises(StateError, match="journal entry of churn 2026-06-02 was changed"):
        journal_before(database, "churn", THIRD)


def order(version: int = 1, *, action: Any = "rollback", actor: str = "ann") -> Order:
    return Order(action, version, reason="Complaints.", actor=actor, evidence={"gate": {"passed": True}})


def promoted(database: Database) -> None:
    """Version 2 was promoted over version 1 on the second day."""
    further = entry(SECOND, champion=2, changes=[("promote", 2)])
    further["office"]["previous"] = 1
    commit(database, [story()[0], further], as_of=SECOND, revision=0)


def test_a_change_without_a_record_of_its_own_carries_the_digest_of_its_entry(database: Database) -> None:
    told = entry(FIRST, champion=1)
    told["changes"] = [{"action": "appoint", "version": 1, "reason": "the first"}]
    commit(database, [told], as_of=FIRST, revision=0)
    assert history(database, "churn")["record_sha256"].to_list() == [sha256_text(canonical_json(told))]


def test_an_order_is_in_force_at_once_and_recorded_as_a_build_s_decision_is(database: Database) -> None:
    promoted(database)
    record = carry_out(database, "churn", order(), expected_revision=2, now=NOW)
    assert load_office(database, "churn") == Office(champion=1, challenger=None, previous=2, revision=3)
    assert history(database, "churn").row(-1) == (
        3, NOW, SECOND, "rollback", 1, "ann", "Complaints.", record["record_sha256"]
    )  # fmt: skip
    assert load_orders(database, "churn") == [record]
    assert record["during"] == {"champion": 2, "challenger": None, "previous": 1}
    assert record["decision"] == {
        "kind": "order",
        "action": "rollback",
        "reasons": ["Complaints."],
        "evidence": {"given": {"gate": {"passed": True}}},
    }
    assert {"batch_id"} == set(entry(FIRST, champion=1)) - {"share"} - set(record)


def test_an_order_to_keep_the_champion_retires_the_challenger_and_nobody_else(database: Database) -> None:
    further = entry(SECOND, champion=2, challenger=3, changes=[("promote", 2), ("challenge", 3)])
    further["office"]["previous"] = 1
    commit(database, [story()[0], further], as_of=SECOND, revision=0)
    record = carry_out(database, "churn", order(3, action="keep"), expected_revision=3, now=NOW)
    assert load_office(database, "churn") == Office(champion=2, challenger=None, previous=1, revision=4)
    assert history(database, "churn").row(-1) == (
        4, NOW, SECOND, "retire", 3, "ann", "Complaints.", record["record_sha256"]
    )  # fmt: skip
    assert record["decision"]["action"] == "keep"
    retold = [story()[0], entry(SECOND, champion=2, challenger=3, changes=[("challenge", 3)])]
    assert commit(database, retold, as_of=SECOND, revision=4) == "committed", "a story told otherwise"
    assert load_office(database, "churn").challenger is None, "it does not undo the order"


def test_an_order_on_an_outdated_revision_is_refused_and_leaves_nothing(database: Database) -> None:
    promoted(database)
    carry_out(database, "churn", order(), expected_revision=2, now=NOW)
    with pytest.raises(OvertakenError, match=r"was at revision 2 when this was decided .* 'driftbook status'"):
        carry_out(database, "churn", order(2, actor="bob"), expected_revision=2, now=NOW)
    assert load_office(database, "churn").champion == 1
    assert [each["changes"][0]["actor"] for each in load_orders(database, "churn")] == ["ann"]


def test_before_the_first_build_there_is_no_office_to_change(database: Database) -> None:
    with pytest.raises(StateError, match="churn was never built"):
        carry_out(database, "churn", order(), expected_revision=0, now=NOW)
    assert load_office(database, "churn") == Office()
    assert history(database, "churn").is_empty()


def test_a_story_told_again_or_otherwise_does_not_undo_an_order_given_after_it(database: Database) -> None:
    promoted(database)
    carry_out(database, "churn", order(), expected_revision=2, now=NOW)
    retold = [story()[0], entry(SECOND, champion=3, changes=[("promote", 3)])]
    assert commit(database, retold, as_of=SECOND, revision=3) == "committed"
    assert load_office(database, "churn") == Office(champion=1, challenger=None, previous=2, revision=5)
    assert history(database, "churn")["action"].to_list() == ["appoint", "promote", "rollback", "withdraw", "promote"]


def test_a_day_takes_an_order_over_without_a_second_line_in_the_history(database: Database) -> None:
    promoted(database)
    carry_out(database, "churn", order(), expected_revision=2, now=NOW)
    taken = entry(THIRD, champion=1, changes=[("rollback", 1)])
    taken["changes"][0]["revision"] = 3
    assert commit(database, [taken], as_of=THIRD, revision=3) == "committed"
    assert load_office(database, "churn").revision == 3
    assert history(database, "churn")["action"].to_list() == ["appoint", "promote", "rollback"]
    assert commit(database, [], as_of=THIRD, revision=3) == "committed", "a day told anew without it"
    assert load_office(database, "churn").champion == 1, "the order still stands"


def test_a_build_that_began_before_an_order_is_refused(database: Database) -> None:
    promoted(database)
    carry_out(database, "churn", order(), expected_revision=2, now=NOW)
    with pytest.raises(OvertakenError, match=OvertakenError.MEANWHILE):
        commit(database, [entry(THIRD, champion=2)], as_of=THIRD, revision=2)
    assert load_office(database, "churn").champion == 1


def test_an_order_changed_behind_our_back_is_found(database: Database) -> None:
    promoted(database)
    carry_out(database, "churn", order(), expected_revision=2, now=NOW)
    with database.transaction() as work:
        work.execute("UPDATE deployment_order SET entry = replace(entry, 'ann', 'bob')")
    with pytest.raises(StateError, match="order at revision 3 of churn was changed after it was given"):
        load_orders(database, "churn")


WRITER = """
import json, sys
from datetime import date, datetime
from driftbook.database import open_database
from driftbook.deployment import commit_story, load_office
from driftbook.errors import OvertakenError, StateError
from driftbook.storage import canonical_json, sha256_text

url, name = sys.argv[1:]
won = []
with open_database(url) as database:
    print("ready", flush=True)
    sys.stdin.readline()
    while len(won) < 2:
        revision = load_office(database, "churn").revision
        version = int(name) * 100 + revision
        day = f"2026-06-01T{revision:02d}"
        office = {"champion": version, "challenger": None, "previous": None}
        change = {"action": "promote", "version": version, "reason": name, "record_sha256": None}
        entry = {"batch_id": day, "day": "2026-06-01", "office": office, "changes": [change]}
        as_of = date.fromordinal(740_000 + 10 * revision + int(name))  # so that some contenders are of a later day
        try:
            outcome = commit_story(database, "churn", as_of=as_of, entries=[entry], expected_revision=revision,
                                   actor=name, now=datetime(2026, 7, 1))
        except StateError:
            outcome = "overtaken"
        if outcome == "committed":
            won.append(revision + 1)
print(json.dumps(won))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_processes_one_wins_each_revision_and_no_history_is_lost(kind: str, tmp_path: Path) -> None:
    with empty_store(kind, tmp_path) as url:
        answers = at_once(WRITER, url)
        won = [json.loads(answer) for answer in answers]
        with open_database(url) as database:
            changes, office = history(database, "churn"), load_office(database, "churn")
    total = 2 * PROCESSES
    assert sorted(revision for each in won for revision in each) == list(range(1, total + 1))
    assert changes["revision"].to_list() == list(range(1, total + 1))
    assert office == Office(champion=changes["version"][-1], revision=total)
    for number, revisions in enumerate(won, start=1):
        assert changes.filter(actor=str(number))["revision"].to_list() == revisions


PROMOTER = """
import json, sys
from datetime import datetime
from driftbook.database import open_database
from driftbook.deployment import Order, carry_out, load_office
from driftbook.errors import OvertakenError

url, name = sys.argv[1:]
won, refused = [], 0
with open_database(url) as database:
    print("ready", flush=True)
    sys.stdin.readline()
    while len(won) < 2:
        office = load_office(database, "churn")
        order = Order("promote", int(name) * 100 + len(won), reason="mine is best", actor=name)
        try:
            record = carry_out(database, "churn", order, expected_revision=office.revision, now=datetime(2026, 7, 1))
            won.append(record["revision"])
        except OvertakenError:
            refused += 1
print(json.dumps([won, refused]))
"""


def at_once(script: str, url: str) -> list[str]:
    """What each of many processes answers that all begin at the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, url, str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(1, PROCESSES + 1)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate() for process in processes]
    assert [error for _, error in answers] == [""] * PROCESSES
    return [answer for answer, _ in answers]


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_persons_who_promote_at_once_one_wins_each_revision(kind: str, tmp_path: Path) -> None:
    with empty_store(kind, tmp_path) as url:
        with open_database(url) as database:
            commit(database, story(), as_of=SECOND, revision=0)
        answers = [json.loads(answer) for answer in at_once(PROMOTER, url)]
        with open_database(url) as database:
            changes, office = history(database, "churn"), load_office(database, "churn")
            orders = load_orders(database, "churn")
    last = 2 + 2 * PROCESSES
    assert sorted(revision for won, _ in answers for revision in won) == list(range(3, last + 1))
    assert changes["revision"].to_list() == list(range(1, last + 1))
    assert [each["revision"] for each in orders] == list(range(3, last + 1))
    assert [each["during"]["champion"] for each in orders] == [1, *(each["office"]["champion"] for each in orders[:-1])]
    assert (office.revision, office.champion) == (last, changes["version"][-1])
    for number, (won, _) in enumerate(answers, start=1):
        assert changes.filter(actor=str(number))["revision"].to_list() == won


def alert(last_batch: str = "2026-06-02") -> Alert:
    return Alert(
        key="churn/drift/2026-06-01", use_case="churn", severity="warning", subject="churn drifts",
        message="monthly_charges drifts", first_batch="2026-06-01", last_batch=last_batch,
    )  # fmt: skip


def test_an_alert_is_kept_once_and_only_grows(database: Database) -> None:
    save_alerts(database, [alert()], now=NOW)
    save_alerts(database, [replace(alert("2026-06-05"), severity="critical")], now=datetime(2026, 7, 9))
    save_alerts(database, [alert("2026-06-03")], now=datetime(2026, 7, 9))
    assert load_alerts(database).rows(named=True) == [
        {
            "key": "churn/drift/2026-06-01", "use_case": "churn", "severity": "critical", "subject": "churn drifts",
            "message": "monthly_charges drifts", "first_batch": "2026-06-01", "last_batch": "2026-06-05",
            "state": "open", "note": None, "at": "2026-07-01T06:30:00",
        }
    ]  # fmt: skip


def test_alerts_are_listed_by_use_case_and_batch(database: Database) -> None:
    save_alerts(database, [], now=NOW)
    earlier = replace(alert(), key="b", first_batch="2026-05-20")
    save_alerts(database, [alert(), earlier, replace(alert(), key="c", use_case="bank")], now=NOW)
    assert load_alerts(database)["use_case"].to_list() == ["bank", "churn", "churn"]
    assert load_alerts(database, "churn")["first_batch"].to_list() == ["2026-05-20", "2026-06-01"]
    assert load_alerts(database, "telco").height == 0


def test_a_forgotten_use_case_begins_anew_and_others_stay(database: Database) -> None:
    for case in ("churn", "bank"):
        commit(database, story(), as_of=SECOND, revision=0, case=case)
        save_alerts(database, [replace(alert(), key=case, use_case=case)], now=NOW)
        with database.transaction() as work:
            work.execute("INSERT INTO notification VALUES (:key, 'log', '')", key=case)
    forget(database, "churn")
    assert load_office(database, "churn") == Office()
    assert history(database, "churn").height == load_alerts(database, "churn").height == 0
    assert database.rows("SELECT alert_key FROM notification") == [{"alert_key": "bank"}]
    assert commit(database, story(), as_of=FIRST, revision=0) == "committed"
    assert load_office(database, "bank").revision == 2
