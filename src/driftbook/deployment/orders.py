"""A person's orders: put this version in office, retire the challenger, or train one, with a reason.

An order is recorded as a build's day is: who was in office, the decision with its evidence, who is in office after
it. It counts from the day after the last one judged when it was given: the next build takes it over and says so, and
no entry of an earlier day is touched. What it says of the office is absolute, so that a build which tells those
earlier days anew cannot undo it. An order to retrain moves nobody: it stands until a challenger is trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from driftbook.database import Database, Transaction, utc_text
from driftbook.deployment.office import Office, hold, overtaken, swap
from driftbook.errors import StateError
from driftbook.storage import canonical_json, sha256_text

_LATEST_DAY = "SELECT max(batch_id) AS day FROM journal WHERE use_case = :use_case"


@dataclass(frozen=True)
class Order:
    """What is ordered, by whom and why; ``evidence`` is what the person could know, as plain data.

    ``version`` is the champion to be; of an order to keep the champion, the challenger that is retired; of one to
    retrain, none.
    """

    action: Literal["promote", "rollback", "keep", "retrain"]
    version: int | None
    reason: str
    actor: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def change(self) -> str:
        """What the history calls it, as it calls what builds do: who keeps the champion retires its challenger."""
        return "retire" if self.action == "keep" else self.action


def office_with(office: Office, order: Order) -> dict[str, int | None]:
    """The office once ``order`` is in force; a challenger stays one, unless it is retired or in office now.

    Examples
    --------
    >>> office = Office(champion=2, challenger=3, previous=1)
    >>> office_with(office, Order("rollback", 1, reason="Complaints.", actor="ann"))
    {'champion': 1, 'challenger': 3, 'previous': 2}
    >>> office_with(office, Order("promote", 3, reason="Better.", actor="ann"))
    {'champion': 3, 'challenger': None, 'previous': 2}
    >>> office_with(office, Order("keep", 3, reason="Too slow.", actor="ann"))
    {'champion': 2, 'challenger': None, 'previous': 1}
    """
    champion, challenger, previous = office.champion, office.challenger, office.previous
    if order.action in ("promote", "rollback"):
        champion, previous = order.version, office.champion
    if challenger == order.version:
        challenger = None
    return {"champion": champion, "challenger": challenger, "previous": previous}


def carry_out(
    database: Database, use_case: str, order: Order, *, expected_revision: int, now: datetime
) -> dict[str, Any]:
    """Put what was ordered in force, in one transaction with its record and its line in the history.

    Parameters
    ----------
    expected_revision
        Of the ``load_office`` that the person looked at.

    Returns
    -------
    The record, as :func:`load_orders` gives it.

    Raises
    ------
    OvertakenError
        If a build or another person changed the deployment meanwhile: of two who do the same, one is told so.
    StateError
        If nothing was ever built, so that there is no office to change.
    """
    with database.transaction() as work:
        revision = hold(work, use_case)
        if revision != expected_revision:
            raise overtaken(use_case, expected=expected_revision, found=revision)
        day = work.rows(_LATEST_DAY, use_case=use_case)[0]["day"]
        if day is None:
            raise StateError(
                f"{use_case} was never built, so nobody is in office; build it: driftbook build --use-case {use_case}"
            )
        record = _record(work, use_case, order, day=day[:10], revision=revision + 1, now=now)
        entry = canonical_json(record)
        key = {"use_case": use_case, "revision": revision + 1, "day": record["day"]}
        work.execute(_INSERT_ORDER, **key, entry=entry, sha256=sha256_text(entry))
        change = {"day": record["day"], "action": order.change, "version": order.version, "at": now}
        change |= {"actor": order.actor, "reason": order.reason, "record_sha256": sha256_text(entry)}
        swap(work, use_case, office=record["office"], changes=[change], expected=revision)
    return {**json.loads(entry), "record_sha256": sha256_text(entry)}


def load_orders(database: Database, use_case: str) -> list[dict[str, Any]]:
    """All orders that persons gave, oldest first, each with the digest of its record.

    Raises
    ------
    StateError
        If a record no longer has the digest it was written with.

    Examples
    --------
    >>> from driftbook.database import open_database
    >>> load_orders(open_database("sqlite://"), "churn")
    []
    """
    return [_checked(row, use_case) for row in database.rows(_SELECT_ORDERS, use_case=use_case)]


def latest_order(work: Transaction, use_case: str) -> dict[str, Any] | None:
    """The order given last that says who is in office, if there is one."""
    found = [_checked(row, use_case) for row in work.rows(_SELECT_ORDERS, use_case=use_case)]
    moving = [order for order in found if order["decision"]["action"] != "retrain"]
    return moving[-1] if moving else None


_SELECT_ORDERS = "SELECT revision, entry, sha256 FROM deployment_order WHERE use_case = :use_case ORDER BY revision"
_INSERT_ORDER = """
INSERT INTO deployment_order (use_case, revision, day, entry, sha256)
VALUES (:use_case, :revision, :day, :entry, :sha256)
"""


def _checked(row: Mapping[str, Any], use_case: str) -> dict[str, Any]:
    if sha256_text(row["entry"]) != row["sha256"]:
        raise StateError(
            f"the order at revision {row['revision']} of {use_case} was changed after it was given: its digest "
            "differs; restore the database from a copy"
        )
    return {**json.loads(row["entry"]), "record_sha256": row["sha256"]}


def _record(
    work: Transaction, use_case: str, order: Order, *, day: str, revision: int, now: datetime
) -> dict[str, Any]:
    offices = "SELECT champion, challenger, previous, revision FROM deployment WHERE use_case = :use_case"
    before = Office(**work.rows(offices, use_case=use_case)[0])
    return {
        "schema": 1,
        "use_case": use_case,
        "revision": revision,
        "day": day,
        "at": utc_text(now),
        "during": {name: getattr(before, name) for name in ("champion", "challenger", "previous")},
        "decision": {
            "kind": "order",
            "action": order.action,
            "reasons": [order.reason],
            "evidence": {"given": dict(order.evidence)},
        },
        "office": office_with(before, order),
        "changes": [{"action": order.change, "version": order.version, "reason": order.reason, "actor": order.actor}],
    }
