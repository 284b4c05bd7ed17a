"""The state as a run found it, put into another store: what a repetition of that run has to begin with.

Journal entries never change once a later day is judged, so those of earlier days are still what they were. Orders count
up to the revision at which the run was sealed: whoever ordered something after it changed nothing in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from driftbook.database import Database
from driftbook.deployment.stored import load_stored

OFFICES = ("champion", "challenger", "previous")


@dataclass(frozen=True)
class Past:
    """Rows of the journal and orders of persons, as they are stored."""

    journal: tuple[Mapping[str, Any], ...]
    orders: tuple[Mapping[str, Any], ...]

    @property
    def revision(self) -> int:
        """Of the last order; a build's own changes are numbered from there on when it is repeated."""
        return max((int(order["revision"]) for order in self.orders), default=0)

    @property
    def office(self) -> dict[str, int | None]:
        """Who was in office: by the last entry, or by an order given since."""
        told: Sequence[Mapping[str, Any]] = [json.loads(row["entry"]) for row in (*self.journal, *self.orders)]
        last = max(told, key=lambda entry: entry["day"], default=None)
        ordered = [entry for entry in told[len(self.journal) :] if last and entry["day"] >= last["day"]]
        office = (ordered or [last])[-1]["office"] if last else {}
        return {name: office.get(name) for name in OFFICES}


def past_of(database: Database, use_case: str, as_of: date, *, revision: int | None, at: str, historic: bool) -> Past:
    """What a run as of a day found when it began.

    Parameters
    ----------
    revision
        Of the deployment when the run was sealed; ``None`` where that was not kept, then ``at`` decides.
    at
        When the run was sealed, as it is stored.
    historic
        Whether a later day had been judged by then: the whole journal lay there.

    Examples
    --------
    >>> from driftbook.database import open_database
    >>> past_of(open_database("sqlite://"), "churn", date(2026, 6, 30), revision=0, at="", historic=False)
    Past(journal=(), orders=())
    """
    stored = load_stored(database, use_case)
    return Past(
        tuple(row for row in stored.journal if historic or row["as_of"] < as_of.isoformat()),
        tuple(row for row in stored.orders if _was_given(row, revision=revision, at=at)),
    )


def put_back(database: Database, use_case: str, past: Past) -> None:
    """Write a past into a store that knows nothing of the use case yet."""
    key = {"use_case": use_case}
    with database.transaction() as work:
        work.execute_each(
            "INSERT INTO journal (use_case, batch_id, as_of, entry, sha256) "
            "VALUES (:use_case, :batch_id, :as_of, :entry, :sha256)",
            [{**row, **key} for row in past.journal],
        )
        work.execute_each(
            "INSERT INTO deployment_order (use_case, revision, day, entry, sha256) "
            "VALUES (:use_case, :revision, :day, :entry, :sha256)",
            [{**row, **key} for row in past.orders],
        )
        if past.journal:
            work.execute(
                "INSERT INTO deployment (use_case, revision, champion, challenger, previous) "
                "VALUES (:use_case, :revision, :champion, :challenger, :previous)",
                **key,
                revision=past.revision,
                **past.office,
            )


def _was_given(order: Mapping[str, Any], *, revision: int | None, at: str) -> bool:
    if revision is not None:
        return bool(order["revision"] <= revision)
    return bool(json.loads(order["entry"])["at"] <= at)
