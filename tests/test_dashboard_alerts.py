"""The page of alerts: each as it was worded on the day, with who said what by then, and two acts of operators."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from dashboard_desk import make_desk

from driftbook.config import Settings
from driftbook.dashboard.known import Known, load_known
from driftbook.dashboard.page import render_page
from driftbook.dashboard.pages.alerts import MOST_ALERTS, PAGE, SEVERITY, STATE, shown_alerts
from driftbook.dashboard.state import Selection
from driftbook.dashboard.visitor import NotAllowedError, Visitor
from driftbook.database import open_database
from driftbook.decisions.alerts import Alert
from driftbook.deployment import change_alert, load_alert_changes, load_alerts, save_alerts
from driftbook.errors import StateError
from driftbook.timeline.day_tables import DAY_TABLES

DRIFT, QUALITY, OLD = "churn/drift/2026-06-02", "churn/quality/2026-06-04", "churn/blindness/2026-06-01"
TOLD = [  # known on, key, severity, subject, message, first batch, last batch
    (1, OLD, "info", "churn: drift cannot be judged since 2026-06-01", "Too few rows.", 1, 1),
    (2, DRIFT, "warning", "churn: drift since 2026-06-02", "2 of 16 features drifted in 2026-06-02.", 2, 2),
    (3, DRIFT, "critical", "churn: drift since 2026-06-02", "Up to 3 of 16 features & the prediction drifted.", 2, 3),
    (5, DRIFT, "critical", "churn: drift since 2026-06-02", "Up to 5 of 16 <features> drifted.", 2, 5),
    (4, QUALITY, "warning", "churn: data quality since 2026-06-04", "`age` is missing in 4 % of the rows.", 4, 4),
]
ANN = Visitor("ann", "operator")
PAST = datetime(2026, 6, 3, 9, 15)
NOW = datetime(2026, 7, 1, 6, 30)


def day(number: int) -> str:
    return f"2026-06-0{number}"


def alerts_days() -> pl.DataFrame:
    rows = [
        (date.fromisoformat(day(on)), key, severity, subject, message, day(first), day(last))
        for on, key, severity, subject, message, first, last in TOLD
    ]
    return pl.DataFrame(rows, schema=DAY_TABLES["alerts_days"], orient="row")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
    settings = make_desk(tmp_path, tables={"alerts_days": alerts_days()})
    kept = [
        Alert(key, "churn", severity, subject, message, day(first), day(last))  # type: ignore[arg-type]
        for _, key, severity, subject, message, first, last in TOLD
    ]
    with open_database(settings.database_url) as database:
        for alert in kept:
            save_alerts(database, [alert], now=NOW)
        change_alert(database, OLD, "resolved", note="More rows from now on.", actor="bob", now=PAST)
    return settings


def known_on(desk: Settings, number: int | None = None) -> Known:
    return load_known(desk, "churn", date.fromisoformat(day(number)) if number else None)


def shown(desk: Settings, number: int | None = None, **chosen: str) -> str:
    return render_page(PAGE, known_on(desk, number), Selection("churn", "alerts", chosen=chosen))


def act(desk: Settings, name: str, key: str, *, visitor: Visitor = ANN, note: str = "I look into it.") -> str:
    [action] = [each for each in PAGE.actions if each.name == name]
    return action.run(known_on(desk), Selection("churn", "alerts"), visitor, note, key)


def offered(desk: Settings, name: str) -> list[str]:
    [action] = [each for each in PAGE.actions if each.name == name]
    assert action.objects is not None
    return [value for _, value in action.objects(known_on(desk), Selection("churn", "alerts"))]


def test_every_alert_is_shown_as_it_is_worded_now_the_newest_first(desk: Settings) -> None:
    page = shown(desk)
    assert page.index("<strong>Drift</strong>") < page.index("<strong>Data quality</strong>")
    assert page.index("<strong>Data quality<") < page.index("<strong>Drift cannot be judged<")
    assert "Up to 5 of 16 &lt;features&gt; drifted." in page
    assert "<span>since 2026-06-02, goes on</span>" in page
    assert "<span>in 2026-06-04</span>" in page
    assert "<code>age</code> is missing in 4 % of the rows." in page
    assert "■ critical<" in page
    assert "of 16 features drifted in 2026-06-02" not in page


def test_the_numbers_are_those_of_the_records(desk: Settings) -> None:
    page = shown(desk)
    assert "<dt>open</dt><dd>2<small>1 critical; 1 of them goes on</small>" in page
    assert "<dt>acknowledged</dt><dd>0<small>" in page
    assert "<dt>resolved</dt><dd>1<small>" in page
    assert "3 alerts: 1 critical, 1 warning, 1 info; 2 open, 1 resolved." in page


def test_who_said_what_and_when_stands_with_the_alert_and_in_the_history(desk: Settings) -> None:
    act(desk, "acknowledge", DRIFT, note="I ask the feed's <owner>.")
    page = shown(desk)
    assert "Acknowledged by ann on " in page
    assert "I ask the feed&#x27;s &lt;owner&gt;." in page
    assert "Resolved by bob on 2026-06-03 09:15 UTC: More rows from now on." in page
    history = page[page.index("What was said of them") :]
    assert history.index("Drift since") < history.index("Drift cannot be judged"), "the newest first"


def test_a_past_day_shows_what_was_known_then_in_its_words_and_what_was_said_by_then(desk: Settings) -> None:
    act(desk, "acknowledge", DRIFT)
    second, third, fourth = shown(desk, 2), shown(desk, 3), shown(desk, 4)
    assert "2 of 16 features drifted in 2026-06-02." in second
    assert "▲ warning<" in second
    assert "■ critical<" not in second
    assert "<dt>open</dt><dd>2<small>1 of them goes on</small>" in second, "nobody had resolved one yet"
    assert "Up to 3 of 16 features &amp; the prediction drifted." in third
    assert "Resolved by bob on 2026-06-03 09:15 UTC" in third
    assert "Data quality" not in third
    assert "<strong>Data quality</strong>" in fourth
    assert "<span>from 2026-06-02 to 2026-06-03</span>" in fourth, "it had not grown further by then"
    assert "<span>since 2026-06-02, goes on</span>" in third
    for page in (second, third, fourth):
        assert "Acknowledged by ann" not in page


def test_an_alert_that_opened_again_says_so(desk: Settings) -> None:
    act(desk, "resolve", DRIFT)
    grown = Alert(DRIFT, "churn", "critical", "churn: drift since 2026-06-02", "…", day(2), day(6))
    with open_database(desk.database_url) as database:
        save_alerts(database, [grown], now=NOW)
    assert "Open again since 2026-07-01 06:30 UTC. It went on: batch 2026-06-06 is part of it, too." in shown(desk)


@pytest.mark.parametrize(
    ("chosen", "keys"),
    [
        ({}, [DRIFT, QUALITY, OLD]),
        ({"severity": "warning"}, [QUALITY]),
        ({"state": "resolved"}, [OLD]),
        ({"state": "open", "severity": "critical"}, [DRIFT]),
        ({"state": "acknowledged"}, []),
        ({"severity": "<script>", "state": "../etc"}, [DRIFT, QUALITY, OLD]),
    ],
)
def test_choices_leave_the_alerts_they_name(desk: Settings, chosen: dict[str, str], keys: list[str]) -> None:
    selection = Selection("churn", "alerts", chosen=chosen)
    assert shown_alerts(known_on(desk), selection)["key"].to_list() == keys
    page = shown(desk, **chosen)
    assert page.count("<li ") == len(keys)
    assert ("None of this severity and state." in page) == (not keys)
    assert "<dt>resolved</dt><dd>1" in page, "the numbers above count all"


def test_choices_offer_every_severity_and_state_there_is(desk: Settings) -> None:
    values = [
        [value for _, value in each.options(known_on(desk), Selection("churn", "alerts"))] for each in (SEVERITY, STATE)
    ]
    assert values == [["all", "critical", "warning", "info"], ["all", "open", "acknowledged", "resolved"]]


def test_where_no_alert_was_raised_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
    calm = make_desk(tmp_path, tables={"alerts_days": alerts_days().clear()})
    page = shown(calm)
    assert "No alert was raised up to 2026-06-05." in page
    assert page.count('<section class="dash-card') == 1


def test_of_very_many_alerts_the_newest_are_listed_and_the_rest_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
    many = pl.concat(
        alerts_days().head(1).with_columns(key=pl.lit(f"churn/drift/{number}")) for number in range(MOST_ALERTS + 7)
    )
    page = shown(make_desk(tmp_path, tables={"alerts_days": many}))
    assert page.count("<li ") == MOST_ALERTS
    assert "… and 7 older ones" in page


def test_an_operator_acknowledges_then_resolves_under_his_own_name(desk: Settings) -> None:
    assert offered(desk, "acknowledge") == [DRIFT, QUALITY]
    assert act(desk, "acknowledge", DRIFT) == "churn: drift since 2026-06-02: acknowledged by ann."
    assert offered(desk, "acknowledge") == [QUALITY]
    assert offered(desk, "resolve") == [DRIFT, QUALITY]
    act(desk, "resolve", DRIFT, visitor=Visitor("cem", "operator"), note="Repaired.")
    assert offered(desk, "resolve") == [QUALITY]
    with open_database(desk.database_url) as database:
        changes = load_alert_changes(database, "churn").filter(key=DRIFT)
    assert changes.select("state", "actor", "note").rows() == [
        ("acknowledged", "ann", "I look into it."),
        ("resolved", "cem", "Repaired."),
    ]


def test_an_act_is_not_offered_where_nothing_is_left_to_do(desk: Settings) -> None:
    for key in (DRIFT, QUALITY):
        act(desk, "resolve", key)
    told = {each.name: each.available(known_on(desk), Selection("churn", "alerts")) for each in PAGE.actions}
    assert told == {"acknowledge": "No alert is open.", "resolve": "No alert is open or acknowledged."}


@pytest.mark.parametrize("name", ["acknowledge", "resolve"])
def test_a_viewer_changes_nothing(desk: Settings, name: str) -> None:
    with pytest.raises(NotAllowedError, match="bob may look but not act"):
        act(desk, name, DRIFT, visitor=Visitor("bob", "viewer"))
    with open_database(desk.database_url) as database:
        assert load_alerts(database).filter(key=DRIFT)["state"].to_list() == ["open"]


def test_of_two_operators_the_second_is_told_who_was_first(desk: Settings) -> None:
    act(desk, "acknowledge", DRIFT)
    with pytest.raises(StateError, match="was acknowledged by ann on"):
        act(desk, "acknowledge", DRIFT, visitor=Visitor("cem", "operator"))
