"""What went wrong, how bad it is, and who cares: every alert as it was worded on the day, and what was said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Literal

import polars as pl

from driftbook.dashboard.answer import how_bad
from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Action, Card, Choice, Options, Page
from driftbook.dashboard.parts import Tile, note, show, tiles
from driftbook.dashboard.pictures import picture
from driftbook.dashboard.state import Selection
from driftbook.dashboard.visitor import Visitor, require_operator
from driftbook.database import open_database
from driftbook.deployment import ALERT_STATES, change_alert
from driftbook.deployment.alerts import REOPENED_BY
from driftbook.figures import alert_spells
from driftbook.tables import TONES, badge, prose, table

EVERY = "all"
SEVERITIES = ("critical", "warning", "info")
MOST_ALERTS = 50
MOST_CHANGES = 30


def _severities(known: Known, selection: Selection) -> Options:
    return [("every severity", EVERY), *((each, each) for each in SEVERITIES)]


def _states(known: Known, selection: Selection) -> Options:
    return [("every state", EVERY), *((each, each) for each in ALERT_STATES)]


SEVERITY = Choice("severity", "Severity", _severities)
STATE = Choice("state", "State", _states)


def shown_alerts(known: Known, selection: Selection) -> pl.DataFrame:
    """The alerts that the page's choices leave, the newest first."""
    found = known.alerts()
    for choice in (SEVERITY, STATE):
        value = choice.value(known, selection)
        if value != EVERY:
            found = found.filter(pl.col(choice.name) == value)
    return found


def _standing(known: Known, selection: Selection) -> str:
    alerts = known.alerts()
    if alerts.is_empty():
        return note(f"No alert was raised up to {known.day}.")
    counts = {each: alerts.filter(state=each).height for each in ALERT_STATES}
    waiting = alerts.filter(state="open")
    bad = waiting.filter(pl.col("goes_on"), severity="critical").height
    return tiles(
        [
            Tile("open", counts["open"], note=how_bad(waiting), tone="bad" if bad else "calm"),
            Tile("acknowledged", counts["acknowledged"], note="somebody looks into it"),
            Tile("resolved", counts["resolved"], note="settled; open again if it goes on"),
        ]
    )


def _over_time(known: Known, selection: Selection) -> str:
    alerts = shown_alerts(known, selection)
    if alerts.is_empty():
        return ""
    days = [entry["day"] for entry in known.entries]
    return picture(lambda: alert_spells(alerts, days), wide=True, found=alert_spells(alerts, days).description)


def _list(known: Known, selection: Selection) -> str:
    alerts = shown_alerts(known, selection)
    if alerts.is_empty():
        return note("None of this severity and state.") if known.alerts().height else ""
    items = "".join(_item(alert, known) for alert in alerts.head(MOST_ALERTS).iter_rows(named=True))
    hidden = alerts.height - MOST_ALERTS
    more = note(f"… and {hidden:,} older ones; choose a severity or a state to see fewer.") if hidden > 0 else ""
    return f'<ol class="dash-alerts">{items}</ol>{more}'


def _item(alert: Mapping[str, Any], known: Known) -> str:
    first, last = alert["first_batch"], alert["last_batch"]
    subject = subject_of(alert, known).removesuffix(f" since {first}")
    period = f"in {first}" if first == last else f"from {first} to {last}"
    if alert["goes_on"]:
        period = f"since {first}, goes on"
    badges = f"{badge(alert['severity'])} {badge(alert['state'])}"
    head = f'<p class="dash-line">{badges} <strong>{escape(subject)}</strong> <span>{escape(period)}</span></p>'
    message, said = f"<p>{prose(alert['message'])}</p>", _said(alert)
    last = f'<p class="dash-note">{prose(said)}</p>' if said else ""
    return f'<li class="dash-is-{TONES.get(alert["severity"], "calm")}">{head}{message}{last}</li>'


def subject_of(alert: Mapping[str, Any], known: Known) -> str:
    """What an alert is about, without the use case's name before it."""
    told = str(alert["subject"]).removeprefix(f"{known.case.name}: ")
    return f"{told[:1].upper()}{told[1:]}"


def _said(alert: Mapping[str, Any]) -> str:
    if alert["changed_at"] is None:
        return ""
    if alert["actor"] == REOPENED_BY:
        return f"Open again since {when(alert['changed_at'])}. {alert['note']}"
    return f"{alert['state'].capitalize()} by {alert['actor']} on {when(alert['changed_at'])}: {alert['note']}"


def when(moment: str) -> str:
    """A stored time as it is shown.

    Examples
    --------
    >>> when("2026-07-01T06:30:00")
    '2026-07-01 06:30 UTC'
    """
    return f"{moment[:10]} {moment[11:16]} UTC"


def _changes(known: Known, selection: Selection) -> str:
    subjects = {alert["key"]: subject_of(alert, known) for alert in known.alerts().iter_rows(named=True)}
    changes = known.alert_changes().filter(pl.col("key").is_in(list(subjects))).reverse()
    if changes.is_empty():
        return ""
    rows = [
        {
            "when": when(change["at"]),
            "by": change["actor"],
            "state": change["state"],
            "alert": subjects[change["key"]],
            "note": change["note"],
        }
        for change in changes.iter_rows(named=True)
    ]
    return show(table(pl.DataFrame(rows), caption="Newest first", max_rows=MOST_CHANGES))


def _changing(name: str, label: str, *, to: Literal["acknowledged", "resolved"], of: Sequence[str]) -> Action:
    """The action that puts an alert that is in one of the states ``of`` into the state ``to``."""

    def objects(known: Known, selection: Selection) -> Options:
        found = known.alerts().filter(pl.col("state").is_in(list(of)))
        return [(f"{subject_of(alert, known)} ({alert['state']})", alert["key"]) for alert in found.to_dicts()]

    def available(known: Known, selection: Selection) -> str:
        return "" if objects(known, selection) else f"No alert is {' or '.join(of)}."

    def run(known: Known, selection: Selection, visitor: Visitor, text: str, key: str) -> str:
        require_operator(visitor)
        with open_database(known.settings.database_url) as database:
            return change_alert(database, key, to, note=text, actor=visitor.name, now=datetime.now(UTC))

    return Action(name, label, "Note", run, objects=objects, available=available)


PAGE = Page(
    "alerts",
    "Alerts",
    cards=(
        Card("How alerts stand", _standing, wide=True),
        Card("When they stood", _over_time, wide=True),
        Card("What went wrong, and who cares", _list, wide=True),
        Card("What was said of them", _changes, wide=True),
    ),
    choices=(SEVERITY, STATE),
    actions=(
        _changing("acknowledge", "Acknowledge an alert", to="acknowledged", of=("open",)),
        _changing("resolve", "Resolve an alert", to="resolved", of=("open", "acknowledged")),
    ),
)
