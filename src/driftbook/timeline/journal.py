"""The journal's shape: what a day's entry holds, where a walk starts, what it gives, who is in office.

An entry is plain data, as it is stored and shown: ``batch_id`` and ``day``; ``during`` and ``office`` (who is in
office on that day and after it); ``drift`` (whether the day alarmed, on what, its verdict rows); ``accuracy`` (the
champion's on the latest known targets, its limit, whether it ``fell``); ``decision`` (kind, action, reasons,
evidence); ``trained`` (version and gate of a challenger, if one was trained) and ``changes`` (action, version, reason).
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
    """Where a walk starts: the entries of earlier builds, in order, and the deployment's revision."""

    entries: tuple[Entry, ...] = ()
    revision: int = 0


@dataclass(frozen=True)
class Story:
    """The entries of all days up to the run's day, in order; ``given`` of them stood before this run."""

    entries: tuple[Entry, ...]
    given: int
    revision: int

    @property
    def new(self) -> tuple[Entry, ...]:
        """Entries of the days this run judged."""
        return self.entries[self.given :]

    @property
    def office(self) -> dict[str, int | None]:
        """Who is in office after the last day."""
        office: dict[str, int | None] = self.entries[-1]["office"]
        return office
