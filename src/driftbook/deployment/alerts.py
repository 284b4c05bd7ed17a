"""Alerts as they are kept: each once, growing while its spell lasts, until somebody closes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from driftbook.database import Database, utc_text

if TYPE_CHECKING:
    from driftbook.decisions.alerts import Alert

ALERT_SCHEMA = dict.fromkeys(
    ("key", "use_case", "severity", "subject", "message", "first_batch", "last_batch", "state", "note", "at"),
    pl.String(),
)


def save_alerts(database: Database, alerts: Iterable[Alert], *, now: datetime) -> None:
    """Keep alerts; one that is known already only grows, and keeps its state, note and time."""
    columns = ("key", "use_case", "severity", "subject", "message", "first_batch", "last_batch")
    values = [{name: getattr(alert, name) for name in columns} | {"at": utc_text(now)} for alert in alerts]
    with database.transaction() as work:
        work.execute_each(_UPSERT_ALERT, values)


def load_alerts(database: Database, use_case: str | None = None) -> pl.DataFrame:
    """Alerts of one use case or of all, in order of their first batch, with ``state`` (``open`` until closed)."""
    condition = "" if use_case is None else "WHERE use_case = :use_case"
    values = {} if use_case is None else {"use_case": use_case}
    found = database.rows(f"SELECT {', '.join(ALERT_SCHEMA)} FROM alert {condition}", **values)
    return pl.DataFrame(found, schema=ALERT_SCHEMA).sort("use_case", "first_batch", "key")


_UPSERT_ALERT = """
INSERT INTO alert (key, use_case, severity, subject, message, first_batch, last_batch, state, at)
VALUES (:key, :use_case, :severity, :subject, :message, :first_batch, :last_batch, 'open', :at)
ON CONFLICT (key) DO UPDATE SET
    severity = excluded.severity, subject = excluded.subject, message = excluded.message,
    last_batch = excluded.last_batch
WHERE excluded.last_batch >= alert.last_batch
"""
