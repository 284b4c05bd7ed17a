"""A person's request for a challenger, which stands until one was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from driftbook.decisions.retraining_evidence import Request
from driftbook.timeline.journal import Entry


def request_of(order: Mapping[str, Any]) -> Request:
    """The request that an order gives.

    Examples
    --------
    >>> change = {"action": "retrain", "version": None, "actor": "ann", "reason": "New prices."}
    >>> request_of({"revision": 4, "day": "2026-06-05", "changes": [change]})
    Request(revision=4, day='2026-06-05', actor='ann', reason='New prices.')
    """
    change = order["changes"][0]
    return Request(order["revision"], order["day"], change["actor"], change["reason"])


def pending_request(entries: Sequence[Entry]) -> Request | None:
    """The request that no day up to the last has answered by training; of several the latest, None: there is none.

    Examples
    --------
    >>> asked = {"action": "retrain", "actor": "ann", "reason": "New prices."}
    >>> asked |= {"revision": 4, "ordered_on": "2026-06-05"}
    >>> entries = [{"day": "2026-06-06", "changes": [asked], "trained": None}]
    >>> pending_request(entries).day
    '2026-06-05'
    >>> pending_request([*entries, {"day": "2026-06-07", "changes": [], "trained": {"version": 2}}]) is None
    True
    """
    pending = None
    for entry in entries:
        for change in entry["changes"]:
            if change["action"] == "retrain":
                pending = Request(change["revision"], change["ordered_on"], change["actor"], change["reason"])
        if entry["trained"] and entry["trained"]["version"] is not None:
            pending = None
    return pending
