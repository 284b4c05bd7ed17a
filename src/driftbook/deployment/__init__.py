"""What is in force: who is champion and since when, what each batch led to, what persons ordered, which alerts stand.

One row a use case says who is in office. Builds change it by telling the story of their days, persons by orders, both
by compare-and-swap on the row's revision, and both leave a record whose digest stands in the history.
"""

from driftbook.deployment.alerts import (
    ALERT_SCHEMA,
    ALERT_STATES,
    AlertState,
    change_alert,
    load_alert_changes,
    load_alerts,
    save_alerts,
    states_at,
)
from driftbook.deployment.office import HISTORY_SCHEMA, Office, history, load_office
from driftbook.deployment.orders import Order, carry_out, load_orders
from driftbook.deployment.past import Past, past_of, put_back
from driftbook.deployment.stored import Stored, load_stored
from driftbook.deployment.story import Outcome, commit_story, forget, journal_before, latest_as_of, latest_entries

__all__ = [
    "ALERT_SCHEMA",
    "ALERT_STATES",
    "HISTORY_SCHEMA",
    "AlertState",
    "Office",
    "Order",
    "Outcome",
    "Past",
    "Stored",
    "carry_out",
    "change_alert",
    "commit_story",
    "forget",
    "history",
    "journal_before",
    "latest_as_of",
    "latest_entries",
    "load_alert_changes",
    "load_alerts",
    "load_office",
    "load_orders",
    "load_stored",
    "past_of",
    "put_back",
    "save_alerts",
    "states_at",
]
