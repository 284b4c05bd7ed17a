"""The alerts as they read on each day on which one was raised or grew.

An alert is one spell of batches; as of a day it is what ``raise_alerts`` says of its batches up to that day. On the
last day the alerts stand as this build raised them, so that those about no batch (a column that is constant in
training, data that stays away) are among them as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from driftbook.decisions.alerts import Alert, raise_alerts
from driftbook.timeline.causes import FIRST_DAYS
from driftbook.timeline.day_tables import DAY_TABLES

COLUMNS = tuple(name for name in DAY_TABLES["alerts_days"] if name != "known_on")
BATCH = pl.col("batch_id")


def alerts_by_day(
    evidence: Mapping[str, pl.DataFrame],
    *,
    use_case: str,
    days: Sequence[date],
    raised: Sequence[Mapping[str, Any]],
    causes: Mapping[str, Sequence[str]],
) -> pl.DataFrame:
    """``alerts_days`` of a story.

    Parameters
    ----------
    evidence
        What alerts are raised from, by the name that :func:`driftbook.decisions.alerts.raise_alerts` gives it.
    days
        All judged days, oldest first.
    raised
        The alerts as this build raised them.
    causes
        Why batches drifted, by the first batch of a spell.
    """
    dated = {name: rows.filter(BATCH.is_not_null()) for name, rows in evidence.items()}
    last = days[-1]
    lines = [{"known_on": last, **alert} for alert in raised if alert["last_batch"][:10] >= last.isoformat()]
    then: dict[tuple[str, date], dict[str, Alert]] = {}
    for alert in raise_alerts(**dated, use_case=use_case, causes={}):
        for day in days[:-1]:
            if alert.first_batch[:10] <= day.isoformat() <= alert.last_batch[:10]:
                window = (alert.first_batch, day)
                if window not in then:
                    then[window] = _as_of(dated, use_case, *window, causes=_told(causes, alert, day))
                known = then[window].get(alert.key)
                lines += [{"known_on": day, **vars(known)}] if known else []
    rows = [{name: line[name] for name in ("known_on", *COLUMNS)} for line in lines]
    return pl.DataFrame(rows, schema=DAY_TABLES["alerts_days"]).sort("known_on", "first_batch", "key")


def _as_of(
    evidence: Mapping[str, pl.DataFrame], use_case: str, first: str, day: date, *, causes: Mapping[str, Sequence[str]]
) -> dict[str, Alert]:
    """The alerts of the batches from ``first`` to the end of a day, by key."""
    window = (first <= BATCH) & (BATCH.str.slice(0, 10) <= day.isoformat())
    known = {name: rows.filter(window) for name, rows in evidence.items()}
    return {alert.key: alert for alert in raise_alerts(**known, use_case=use_case, causes=causes)}


def _told(causes: Mapping[str, Sequence[str]], alert: Alert, day: date) -> dict[str, Sequence[str]]:
    """Why a spell drifted, as far as that was settled on a day: its first days tell, or its last day if sooner."""
    settled = date.fromisoformat(alert.first_batch[:10]) + timedelta(days=FIRST_DAYS - 1)
    over = min(settled.isoformat(), alert.last_batch[:10])
    return {alert.first_batch: causes.get(alert.first_batch, ())} if day.isoformat() >= over else {}
