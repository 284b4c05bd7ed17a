"""The journal's shape: what a day's entry holds, where a walk starts, what it gives, who is in office.

An entry is plain data, as it is stored and shown: ``batch_id`` and ``day``; ``during`` and ``office`` (who is in
office on that day and after it); ``drift`` (whether the day alarmed, on what, its verdict rows); ``accuracy`` (the
champion's on the latest known targets, its limit, whether it ``fell``); ``estimate`` (the same of batches without
targets, or since when targets contradict them; entries of earlier versions lack it); ``decision`` (kind, action,
reasons, evidence); ``watch`` (the same shape: what was decided about a promoted champion that is watched; None where
nobody is, and where that *is* the day's decision, a rollback; entries of earlier versions lack it); ``trained``
(version and gate of a challenger, if one was trained) and ``changes`` (action, version, reason).

A person's order, given after a day was judged, counts from the next day on. That day takes it over: its office begins
with what was ordered, and its changes begin with the order, which has ``actor`` and ``revision`` too. A request for a
challenger (``retrain``) moves nobody, has no version, says when it was ``ordered_on``, and stands until one is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Entry = dict[str, Any]


@dataclass(frozen=True)
class Office:
    """Version numbers in office."""

    champion: int
    challenger: int | None = None
    previous: int | None = None

    def as_dict(self) -> dict[str, int | None]:
        """For the journal."""
        return {"champion": self.champion, "challenger": self.challenger, "previous": self.previous}


@dataclass(frozen=True)
class Journal:
    """Where a walk starts: the entries of earlier builds, orders that none of them took over, the revision."""

    entries: tuple[Entry, ...] = ()
    revision: int = 0
    orders: tuple[Entry, ...] = ()

    @property
    def office(self) -> dict[str, int | None] | None:
        """Who is in office when the first new day begins; nobody before the first build."""
        if not self.entries:
            return None
        standing = [order for order in self.orders if order["day"] == self.entries[-1]["day"]]
        return office_in_force(self.entries[-1], standing)


@dataclass(frozen=True)
class Story:
    """The entries of all days up to the run's day, in order; ``given`` of them stood before this run.

    ``orders`` are those given since the last day: the next one takes them over.
    """

    entries: tuple[Entry, ...]
    given: int
    revision: int
    orders: tuple[Entry, ...] = ()

    @property
    def new(self) -> tuple[Entry, ...]:
        """Entries of the days this run judged."""
        return self.entries[self.given :]

    @property
    def office(self) -> dict[str, int | None]:
        """Who is in office after the last day."""
        office: dict[str, int | None] = self.entries[-1]["office"]
        return office


def change_ordered(order: Entry) -> dict[str, Any]:
    """An order as the change of the day that takes it over.

    Examples
    --------
    >>> change = {"action": "rollback", "version": 1, "reason": "Complaints.", "actor": "ann"}
    >>> change_ordered({"revision": 4, "changes": [change], "record_sha256": "5e1f"})["revision"]
    4
    """
    ordered = {"ordered_on": order["day"]} if order["changes"][0]["action"] == "retrain" else {}
    known = {"revision": order["revision"], "record_sha256": order["record_sha256"]}
    return {**order["changes"][0], **known, **ordered}


def office_in_force(last: Entry, orders: Sequence[Entry]) -> dict[str, int | None]:
    """Who is in office after ``last`` and the orders given since; a request for a challenger moves nobody.

    Examples
    --------
    >>> last = {"office": {"champion": 2, "challenger": None, "previous": 1}}
    >>> asked = {"changes": [{"action": "retrain"}], "office": {"champion": 1}}
    >>> office_in_force(last, [asked])["champion"]
    2
    """
    moving = [order for order in orders if order["changes"][0]["action"] != "retrain"]
    office: dict[str, int | None] = (moving[-1] if moving else last)["office"]
    return office
