"""Who is in office: one row per use case, changed by compare-and-swap only, and every change of it kept.

The revision of a use case counts its changes. Whoever changes it, a build or a person, names the revision it looked
at, and is refused when somebody else moved it meanwhile: of many at once one wins each revision, and none is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from driftbook.database import Database, Transaction, utc_text
from driftbook.errors import OvertakenError

HISTORY_SCHEMA = {
    "revision": pl.Int64(),
    "at": pl.Datetime("us"),
    "day": pl.Date(),
    "action": pl.String(),
    "version": pl.Int64(),
    "actor": pl.String(),
    "reason": pl.String(),
    "record_sha256": pl.String(),
}


@dataclass(frozen=True)
class Office:
    """Which version holds which office; ``revision`` counts the changes so far."""

    champion: int | None = None
    challenger: int | None = None
    previous: int | None = None
    revision: int = 0


def load_office(database: Database, use_case: str) -> Office:
    """Who is in office now; nobody at revision 0 where nothing was deployed yet.

    Examples
    --------
    >>> from driftbook.database import open_database
    >>> load_office(open_database("sqlite://"), "churn")
    Office(champion=None, challenger=None, previous=None, revision=0)
    """
    found = database.rows(
        "SELECT champion, challenger, previous, revision FROM deployment WHERE use_case = :use_case", use_case=use_case
    )
    return Office(**found[0]) if found else Office()


def history(database: Database, use_case: str) -> pl.DataFrame:
    """Every change of the deployment, oldest first: one row a revision; times in UTC.

    Examples
    --------
    >>> from driftbook.database import open_database
    >>> history(open_database("sqlite://"), "churn").columns
    ['revision', 'at', 'day', 'action', 'version', 'actor', 'reason', 'record_sha256']
    """
    found = database.rows(
        f"SELECT {', '.join(HISTORY_SCHEMA)} FROM deployment_change WHERE use_case = :use_case ORDER BY revision",
        use_case=use_case,
    )
    rows = [{**row, "at": datetime.fromisoformat(row["at"]), "day": date.fromisoformat(row["day"])} for row in found]
    return pl.DataFrame(rows, schema=HISTORY_SCHEMA)


def hold(work: Transaction, use_case: str) -> int:
    """Take the use case's row until the transaction ends, so that nobody overtakes; its revision."""
    work.execute(
        "INSERT INTO deployment (use_case, revision) VALUES (:u, 0) ON CONFLICT (use_case) DO NOTHING", u=use_case
    )
    work.execute("UPDATE deployment SET revision = revision WHERE use_case = :u", u=use_case)
    return int(work.rows("SELECT revision FROM deployment WHERE use_case = :u", u=use_case)[0]["revision"])


def swap(
    work: Transaction,
    use_case: str,
    *,
    office: Mapping[str, int | None],
    changes: Iterable[Mapping[str, Any]],
    expected: int,
) -> int:
    """Put ``office`` in force and add ``changes`` to the history, one revision each; the revision after it.

    Parameters
    ----------
    changes
        Each with day, action, version, actor, reason, record_sha256 and ``at`` (a time).

    Raises
    ------
    OvertakenError
        If the row is no longer at the ``expected`` revision; nothing may be committed then.
    """
    rows = [
        {**{name: change[name] for name in HISTORY_SCHEMA if name != "revision"}, "revision": number}
        | {"use_case": use_case, "at": utc_text(change["at"])}
        for number, change in enumerate(changes, start=expected + 1)
    ]
    touched = work.execute(
        "UPDATE deployment SET revision = :revision, champion = :champion, challenger = :challenger, "
        "previous = :previous WHERE use_case = :use_case AND revision = :expected",
        use_case=use_case,
        expected=expected,
        revision=expected + len(rows),
        **office,
    )
    if touched != 1:
        raise overtaken(use_case, expected=expected, found=None)
    work.execute_each(_INSERT_CHANGE, rows)
    return expected + len(rows)


def overtaken(use_case: str, *, expected: int, found: int | None) -> OvertakenError:
    """The error of whoever decided on a revision that is no longer the newest."""
    now = "another" if found is None else f"revision {found}"
    return OvertakenError(
        f"the deployment of {use_case} was at revision {expected} when this was decided and is at {now} now: "
        f"{OvertakenError.MEANWHILE}; look at 'driftbook status' and decide anew"
    )


_INSERT_CHANGE = """
INSERT INTO deployment_change (use_case, revision, at, day, action, version, actor, reason, record_sha256)
VALUES (:use_case, :revision, :at, :day, :action, :version, :actor, :reason, :record_sha256)
"""
