"""What the store holds about a use case, row by row as it is stored: for whoever checks it, not for who decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driftbook.database import Database
from driftbook.storage import canonical_json, sha256_text

Row = Mapping[str, Any]
ATTEMPTS = 5
_JOURNAL = "SELECT batch_id, as_of, entry, sha256 FROM journal WHERE use_case = :u ORDER BY batch_id"
_ORDERS = "SELECT revision, day, entry, sha256 FROM deployment_order WHERE use_case = :u ORDER BY revision"
_CHANGES = """
SELECT revision, at, day, action, version, actor, reason, record_sha256
FROM deployment_change WHERE use_case = :u ORDER BY revision
"""
_OFFICE = "SELECT champion, challenger, previous, revision FROM deployment WHERE use_case = :u"


@dataclass(frozen=True)
class Stored:
    """Rows of the journal, of persons' orders and of the history, each in order, and the row that is in force."""

    journal: tuple[Row, ...]
    orders: tuple[Row, ...]
    changes: tuple[Row, ...]
    office: Row | None

    @property
    def change_digests(self) -> dict[str, str]:
        """sha256 of every change of the history, by its revision as text."""
        return {str(row["revision"]): sha256_text(canonical_json(dict(row))) for row in self.changes}


def load_stored(database: Database, use_case: str) -> Stored:
    """All rows about a use case; read again if somebody changed who is in office meanwhile.

    Examples
    --------
    >>> from driftbook.database import open_database
    >>> load_stored(open_database("sqlite://"), "churn")
    Stored(journal=(), orders=(), changes=(), office=None)
    """
    for _ in range(ATTEMPTS):
        before = database.rows(_OFFICE, u=use_case)
        journal, orders, changes = (tuple(database.rows(sql, u=use_case)) for sql in (_JOURNAL, _ORDERS, _CHANGES))
        office = database.rows(_OFFICE, u=use_case)
        if office == before:
            break
    return Stored(journal, orders, changes, office[0] if office else None)
