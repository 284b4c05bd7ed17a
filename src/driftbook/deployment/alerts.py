"""Alerts as they are kept: each once, growing while its spell lasts, and what persons say of it.

An alert is ``open``, then ``acknowledged`` (somebody looks into it), then ``resolved``; every change is kept with who,
when and a note. A resolved alert that goes on is open again, and is told anew: whoever closed it believed it was over.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Literal, get_args

import polars as pl

from driftbook.database import Database, Transaction, utc_text
from driftbook.errors import StateError, UnknownNameError

if TYPE_CHECKING:
    from driftbook.decisions.alerts import Alert

AlertState = Literal["open", "acknowledged", "resolved"]
ALERT_STATES: tuple[AlertState, ...] = get_args(AlertState)
ALERT_SCHEMA = dict.fromkeys(
    ("key", "use_case", "severity", "subject", "message", "first_batch", "last_batch", "state", "note", "at"),
    pl.String(),
)
ALERT_CHANGE_SCHEMA = {
    **{"key": pl.String(), "use_case": pl.String(), "number": pl.Int64()},
    **dict.fromkeys(("state", "actor", "note", "batch", "at"), pl.String()),
}
REOPENED_BY = "driftbook"
LONGEST_NOTE = 500


def save_alerts(database: Database, alerts: Iterable[Alert], *, now: datetime) -> None:
    """Keep alerts; one that is known already only grows, and keeps its state, note and time.

    A resolved one that grows beyond the batch at which it was resolved is open again, and no channel counts as told.
    """
    columns = ("key", "use_case", "severity", "subject", "message", "first_batch", "last_batch")
    values = [{name: getattr(alert, name) for name in columns} | {"at": utc_text(now)} for alert in alerts]
    with database.transaction() as work:
        work.execute_each(_UPSERT_ALERT, values)
        for grown in work.rows(_GROWN):
            note = f"It went on: batch {grown['last_batch']} is part of it, too."
            work.execute("DELETE FROM notification WHERE alert_key = :key", key=grown["key"])
            _change(work, grown["key"], "open", note=note, actor=REOPENED_BY, now=now)


def change_alert(
    database: Database, key: str, state: Literal["acknowledged", "resolved"], *, note: str, actor: str, now: datetime
) -> str:
    """Say of an alert that somebody looks into it, or that it is settled; what was done, in a sentence.

    Parameters
    ----------
    note
        In a person's words: what is done about it, or why it is settled.
    actor
        Who says so.

    Raises
    ------
    UnknownNameError
        If there is no such alert.
    StateError
        If it is resolved or in that state already, or the note is none.
    """
    told = " ".join(note.split())
    if not told or len(told) > LONGEST_NOTE:
        found = f"{len(told):,} characters" if told else "nothing"
        raise StateError(f"expected a note of 1 to {LONGEST_NOTE} characters, found {found}; say what is done about it")
    with database.transaction() as work:
        touched = work.execute(_HOLD, key=key, state=state)
        if touched != 1:
            raise _refused(work, key)
        _change(work, key, state, note=told, actor=actor, now=now)
        [alert] = work.rows("SELECT subject FROM alert WHERE key = :key", key=key)
    return f"{alert['subject']}: {state} by {actor}."


def load_alerts(database: Database, use_case: str | None = None) -> pl.DataFrame:
    """Alerts of one use case or of all, in order of their first batch, with ``state`` and the last ``note``."""
    condition, values = _of(use_case)
    found = database.rows(f"SELECT {', '.join(ALERT_SCHEMA)} FROM alert {condition}", **values)
    return pl.DataFrame(found, schema=ALERT_SCHEMA).sort("use_case", "first_batch", "key")


def load_alert_changes(database: Database, use_case: str | None = None) -> pl.DataFrame:
    """Every change of state of the alerts of one use case or of all, oldest first; times in UTC, as text.

    ``batch`` is the last one the alert had when it was changed, ``number`` counts the changes of one alert.

    Examples
    --------
    >>> from driftbook.database import open_database
    >>> load_alert_changes(open_database("sqlite://")).columns
    ['key', 'use_case', 'number', 'state', 'actor', 'note', 'batch', 'at']
    """
    columns = ", ".join(["alert_key AS key", *list(ALERT_CHANGE_SCHEMA)[1:]])
    condition, values = _of(use_case)
    found = database.rows(f"SELECT {columns} FROM alert_change {condition}", **values)
    return pl.DataFrame(found, schema=ALERT_CHANGE_SCHEMA).sort("at", "key", "number")


def states_at(changes: pl.DataFrame, moment: datetime | None) -> pl.DataFrame:
    """The last change of each alert up to a moment (None: until now); an alert that is not there was open.

    Parameters
    ----------
    changes
        As :func:`load_alert_changes` gives them.

    Examples
    --------
    >>> said = {"key": ["a"], "use_case": ["churn"], "number": [1], "state": ["resolved"], "actor": ["ann"]}
    >>> changes = pl.DataFrame({**said, "note": ["Repaired."], "batch": ["2026-06-02"], "at": ["2026-06-03T08:00:00"]})
    >>> states_at(changes, datetime(2026, 6, 3, 7)).height, states_at(changes, None)["state"].to_list()
    (0, ['resolved'])
    """
    until = changes if moment is None else changes.filter(pl.col("at") <= utc_text(moment))
    return until.sort("key", "number").unique("key", keep="last", maintain_order=True)


def _of(use_case: str | None) -> tuple[str, dict[str, str]]:
    return ("", {}) if use_case is None else ("WHERE use_case = :use_case", {"use_case": use_case})


def _change(work: Transaction, key: str, state: AlertState, *, note: str, actor: str, now: datetime) -> None:
    """Put an alert, whose row is held, into a state, and keep that it was."""
    said = {"key": key, "state": state, "note": note}
    work.execute("UPDATE alert SET state = :state, note = :note WHERE key = :key", **said)
    work.execute(_INSERT_CHANGE, **said, actor=actor, at=utc_text(now))


def _refused(work: Transaction, key: str) -> StateError | UnknownNameError:
    found = work.rows("SELECT state, note FROM alert WHERE key = :key", key=key)
    if not found:
        return UnknownNameError("alert", key, (row["key"] for row in work.rows("SELECT key FROM alert")))
    last = work.rows("SELECT actor, at FROM alert_change WHERE alert_key = :key ORDER BY number", key=key)[-1:]
    who = "".join(f" by {each['actor']} on {each['at'][:10]}" for each in last)
    note = f" ({found[0]['note']})" if found[0]["note"] else ""
    return StateError(f"the alert {key} was {found[0]['state']}{who} already{note}; nothing was changed")


_UPSERT_ALERT = """
INSERT INTO alert (key, use_case, severity, subject, message, first_batch, last_batch, state, at)
VALUES (:key, :use_case, :severity, :subject, :message, :first_batch, :last_batch, 'open', :at)
ON CONFLICT (key) DO UPDATE SET
    severity = excluded.severity, subject = excluded.subject, message = excluded.message,
    last_batch = excluded.last_batch
WHERE excluded.last_batch >= alert.last_batch
"""
_HOLD = "UPDATE alert SET state = state WHERE key = :key AND state <> 'resolved' AND state <> :state"
_GROWN = """
SELECT key, last_batch FROM alert WHERE state = 'resolved' AND last_batch > (
    SELECT batch FROM alert_change WHERE alert_key = alert.key ORDER BY number DESC LIMIT 1
)
"""
_INSERT_CHANGE = """
INSERT INTO alert_change (alert_key, number, use_case, state, actor, note, batch, at)
SELECT key, 1 + (SELECT count(*) FROM alert_change WHERE alert_key = :key), use_case,
    :state, :actor, :note, last_batch, :at
FROM alert WHERE key = :key
"""
