"""What persons say of an alert: kept with who and when, in order, and taken back where the trouble goes on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from stores import KINDS, empty_store
from typer.testing import CliRunner

from driftbook.cli import app
from driftbook.database import Database, open_database
from driftbook.decisions.alerts import Alert
from driftbook.deployment import change_alert, forget, load_alert_changes, load_alerts, save_alerts, states_at
from driftbook.deployment.alerts import LONGEST_NOTE, REOPENED_BY
from driftbook.errors import DriftbookError, StateError, UnknownNameError
from driftbook.notify import send

NOW = datetime(2026, 7, 1, 6, 30)
KEY = "churn/drift/2026-06-01"
OPERATORS = 6


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_store(request.param, tmp_path) as url, open_database(url) as store:
        save_alerts(store, [alert()], now=NOW)
        yield store


def alert(last_batch: str = "2026-06-02") -> Alert:
    return Alert(
        KEY, "churn", "warning", "churn: drift since 2026-06-01", "Two columns drifted.", "2026-06-01", last_batch
    )


def state(database: Database) -> tuple[str, str | None]:
    [row] = load_alerts(database, "churn").rows(named=True)
    return row["state"], row["note"]


def acknowledge(database: Database, *, actor: str = "ann", note: str = "I ask the feed's owner.") -> str:
    return change_alert(database, KEY, "acknowledged", note=note, actor=actor, now=NOW)


def resolve(database: Database, *, actor: str = "bob", note: str = "Repaired.") -> str:
    return change_alert(database, KEY, "resolved", note=note, actor=actor, now=NOW + timedelta(hours=2))


def test_an_alert_is_open_until_somebody_says_otherwise(database: Database) -> None:
    assert state(database) == ("open", None)
    assert load_alert_changes(database).height == 0
    assert acknowledge(database) == "churn: drift since 2026-06-01: acknowledged by ann."
    assert state(database) == ("acknowledged", "I ask the feed's owner.")
    assert resolve(database) == "churn: drift since 2026-06-01: resolved by bob."
    assert state(database) == ("resolved", "Repaired.")


def test_every_change_is_kept_with_who_when_and_at_which_batch(database: Database) -> None:
    acknowledge(database)
    save_alerts(database, [alert("2026-06-03")], now=NOW)
    resolve(database)
    assert load_alert_changes(database, "churn").rows() == [
        (KEY, "churn", 1, "acknowledged", "ann", "I ask the feed's owner.", "2026-06-02", "2026-07-01T06:30:00"),
        (KEY, "churn", 2, "resolved", "bob", "Repaired.", "2026-06-03", "2026-07-01T08:30:00"),
    ]
    assert load_alert_changes(database, "telco").height == 0


def test_an_open_alert_may_be_resolved_at_once(database: Database) -> None:
    resolve(database)
    assert load_alert_changes(database)["state"].to_list() == ["resolved"]


def test_what_is_done_already_is_refused_with_who_did_it(database: Database) -> None:
    acknowledge(database)
    with pytest.raises(StateError, match=r"was acknowledged by ann on 2026-07-01 already \(I ask .*; nothing was"):
        acknowledge(database, actor="bob")
    resolve(database)
    for again in (acknowledge, resolve):
        with pytest.raises(StateError, match=r"was resolved by bob on 2026-07-01 already \(Repaired.\)"):
            again(database)
    assert load_alert_changes(database).height == 2


def test_an_alert_that_is_none_is_named(database: Database) -> None:
    with pytest.raises(UnknownNameError, match=f"no alert 'churn/drift/2026-06-11'; did you mean '{KEY}'"):
        change_alert(database, "churn/drift/2026-06-11", "resolved", note="Gone.", actor="ann", now=NOW)


@pytest.mark.parametrize("note", ["", "  \n ", "x" * (LONGEST_NOTE + 1)])
def test_a_change_needs_a_note_that_can_be_read(database: Database, note: str) -> None:
    with pytest.raises(StateError, match=f"expected a note of 1 to {LONGEST_NOTE} characters"):
        acknowledge(database, note=note)
    assert state(database) == ("open", None)


def test_a_note_is_one_line(database: Database) -> None:
    acknowledge(database, note=" I look\n into it. ")
    assert state(database) == ("acknowledged", "I look into it.")


def test_a_resolved_alert_that_goes_on_is_open_again_and_says_so(database: Database) -> None:
    resolve(database)
    save_alerts(database, [alert("2026-06-04")], now=NOW + timedelta(days=1))
    assert state(database) == ("open", "It went on: batch 2026-06-04 is part of it, too.")
    last = load_alert_changes(database).row(-1, named=True)
    assert (last["state"], last["actor"], last["batch"]) == ("open", REOPENED_BY, "2026-06-04")
    assert last["at"] == "2026-07-02T06:30:00"
    acknowledge(database, actor="cem")
    assert state(database)[0] == "acknowledged"


def test_a_resolved_alert_that_is_told_again_as_it_was_stays_resolved(database: Database) -> None:
    resolve(database)
    save_alerts(database, [alert()], now=NOW + timedelta(days=1))
    save_alerts(database, [replace(alert(), message="Otherwise worded.")], now=NOW + timedelta(days=1))
    save_alerts(database, [], now=NOW + timedelta(days=2))
    assert state(database) == ("resolved", "Repaired.")


def test_an_acknowledged_alert_that_grows_stays_acknowledged(database: Database) -> None:
    acknowledge(database)
    save_alerts(database, [alert("2026-06-05")], now=NOW)
    assert state(database) == ("acknowledged", "I ask the feed's owner.")


def test_channels_are_told_again_of_an_alert_that_opened_again_and_of_no_other(database: Database) -> None:
    def told() -> list[str]:
        return [row["alert_key"] for row in database.rows("SELECT alert_key FROM notification ORDER BY alert_key")]

    other = replace(alert(), key="churn/quality/2026-06-01")
    save_alerts(database, [other], now=NOW)
    send(database, [alert(), other], now=NOW, environment={})
    resolve(database)
    save_alerts(database, [alert(), other], now=NOW)
    assert told() == [KEY, other.key]
    save_alerts(database, [alert("2026-06-03"), replace(other, last_batch="2026-06-03")], now=NOW)
    assert told() == [other.key]


def test_the_states_of_an_earlier_moment_are_those_of_then(database: Database) -> None:
    acknowledge(database)
    resolve(database)
    changes = load_alert_changes(database)
    assert states_at(changes, NOW - timedelta(seconds=1)).height == 0
    assert states_at(changes, NOW + timedelta(hours=1))["state"].to_list() == ["acknowledged"]
    assert states_at(changes, None).select("state", "actor").rows() == [("resolved", "bob")]


def test_to_forget_a_use_case_forgets_what_was_said_of_its_alerts(database: Database) -> None:
    bank = replace(alert(), key="bank/drift/1", use_case="bank")
    save_alerts(database, [bank], now=NOW)
    change_alert(database, bank.key, "resolved", note="Repaired.", actor="ann", now=NOW)
    acknowledge(database)
    forget(database, "churn")
    assert load_alert_changes(database)["use_case"].to_list() == ["bank"]


def _try_to_resolve(url: str, name: str) -> bool:
    with open_database(url) as store:
        try:
            change_alert(store, KEY, "resolved", note="Repaired.", actor=name, now=NOW)
        except StateError:
            return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_who_resolve_at_once_one_does(kind: str, tmp_path: Path) -> None:
    with empty_store(kind, tmp_path) as url:
        with open_database(url) as store:
            save_alerts(store, [alert()], now=NOW)
        with multiprocessing.get_context("spawn").Pool(OPERATORS) as pool:
            won = pool.starmap(_try_to_resolve, [(url, f"operator {number}") for number in range(OPERATORS)])
        assert sorted(won) == [False] * (OPERATORS - 1) + [True]
        with open_database(url) as store:
            assert load_alert_changes(store).height == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_from_before_changes_were_kept_is_given_the_table(kind: str, tmp_path: Path) -> None:
    with empty_store(kind, tmp_path) as url:
        with open_database(url) as store:
            save_alerts(store, [alert()], now=NOW)
            with store.transaction() as work:
                work.execute("DROP TABLE alert_change")
        with open_database(url) as store:
            acknowledge(store)
            assert load_alert_changes(store).height == 1


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A workbench with two alerts; its store's URL."""
    url = f"sqlite:///{tmp_path / 'driftbook.db'}"
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(tmp_path))
    monkeypatch.setenv("DRIFTBOOK_DATABASE_URL", url)
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    with open_database(url) as store:
        save_alerts(store, [alert(), replace(alert(), key="bank/drift/1", use_case="bank")], now=NOW)
    return url


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, ["alerts", *words])


def test_the_command_lists_what_is_not_resolved(desk: str) -> None:
    lines = typed().stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["alert", "bank/drift/1", KEY]
    assert lines[2].split() == [KEY, "warning", "2026-06-01", "2026-06-02", "open", "–"]
    assert [line.split()[0] for line in typed("-u", "churn").stdout.splitlines()] == ["alert", KEY]


def test_the_commands_acknowledge_and_resolve(desk: str) -> None:
    assert (
        typed("acknowledge", KEY, "--note", "I look.").stdout == "churn: drift since 2026-06-01: acknowledged by ann.\n"
    )
    assert "ann: I look." in typed().stdout
    assert typed("resolve", KEY, "-n", "Repaired.").exit_code == 0
    assert KEY not in typed().stdout
    assert KEY in typed("--all").stdout
    typed("resolve", "bank/drift/1", "-n", "Repaired.")
    assert typed().stdout == "no alerts stand open\n"
    refused = typed("resolve", KEY, "-n", "Again.")
    assert isinstance(refused.exception, DriftbookError)
