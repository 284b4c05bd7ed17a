"""The journal's shape: what a day's entry holds, where a walk starts, what it gives, who is in office.

An entry is plain data, as it is stored and shown: ``batch_id`` and ``day``; ``during`` and ``office`` (who is in
office on that day and after it); ``drift`` (whether the day alarmed, on what, its verdict rows); ``accuracy`` (the
champion's on the latest known targets, its limit, whether it ``fell``); ``decision`` (kind, action, reasons,
evidence); ``trained`` (version and gate of a challenger, if one was trained) and ``changes`` (action, version, reason).

A person's order, given after a day was judged, counts from the next day on. That day takes it over: its office begins
with what was ordered, and its changes begin with the order, which has ``actor`` and ``revision`` too.
"""

from __future__ import annotations

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
        office: dict[str, int | None] = (standing or self.entries)[-1]["office"]
        return office


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
    return {**order["changes"][0], "revision": order["revision"], "record_sha256": order["record_sha256"]}
