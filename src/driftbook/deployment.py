"""What is in force: who is champion, what each batch led to, which alerts stand.

A build commits its *story*, one journal entry a batch, in one transaction: the entries, the new office holders and
every change between them, or nothing. The revision of a use case counts its changes; a commit names the revision it
started from, and is refused when somebody else moved it meanwhile (compare-and-swap). So of many builds at once one
wins each revision, and a build killed at any moment has either told its whole story or none of it.

Telling the same story again changes nothing. A later build owns the present: a build of an earlier day only reports.
A story told differently for the same day (changed code, changed data) replaces its entries; the changes it no longer
makes are withdrawn in the history by a change of their own, never erased.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from driftbook.database import Database, Transaction, utc_text
from driftbook.errors import StateError
from driftbook.storage import canonical_json, sha256_text

if TYPE_CHECKING:
    from driftbook.decisions.alerts import Alert

Outcome = Literal["committed", "unchanged", "historic"]
Entry = Mapping[str, Any]

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
ALERT_SCHEMA = dict.fromkeys(
    ("key", "use_case", "severity", "subject", "message", "first_batch", "last_batch", "state", "note", "at"),
    pl.String(),
)


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


def journal_before(database: Database, use_case: str, as_of: date) -> list[dict[str, Any]]:
    """Entries that builds of an earlier ``as_of`` wrote, in batch order; dates in them are ISO text.

    Raises
    ------
    StateError
        If an entry no longer has the digest it was written with.
    """
    found = database.rows(
        "SELECT batch_id, entry, sha256 FROM journal WHERE use_case = :use_case AND as_of < :as_of",
        use_case=use_case,
        as_of=as_of.isoformat(),
    )
    for row in found:
        if sha256_text(row["entry"]) != row["sha256"]:
            raise StateError(
                f"the journal entry of {use_case} {row['batch_id']} was changed after it was written: its digest "
                "differs; restore the database from a copy"
            )
    return [json.loads(row["entry"]) for row in sorted(found, key=lambda row: str(row["batch_id"]))]


def latest_as_of(database: Database, use_case: str) -> date | None:
    """The latest day a build of this use case has judged up to; ``None`` before the first build."""
    found = database.rows("SELECT max(as_of) AS latest FROM journal WHERE use_case = :use_case", use_case=use_case)
    return date.fromisoformat(found[0]["latest"]) if found[0]["latest"] else None


def commit_story(
    database: Database,
    use_case: str,
    *,
    as_of: date,
    entries: Sequence[Entry],
    expected_revision: int,
    actor: str,
    now: datetime,
) -> Outcome:
    """Record what a build decided, batch by batch, and put its choices in office.

    Parameters
    ----------
    entries
        One a batch that no earlier build judged, each with ``batch_id``, ``day``, ``office`` (champion, challenger,
        previous after that day) and ``changes`` (each with action, version, reason, record_sha256); more keys are kept.
    expected_revision
        Of the :func:`load_office` the build started from.

    Returns
    -------
    ``committed``; ``unchanged`` if this very story is recorded already; ``historic`` if a build of a later day is
    recorded: nothing was written then.

    Raises
    ------
    StateError
        If another build or person changed the deployment meanwhile, or an entry is not as described.
    """
    told = _by_batch(entries)
    with database.transaction() as work:
        revision = _hold(work, use_case)
        journal = work.rows("SELECT batch_id, as_of, entry FROM journal WHERE use_case = :u", u=use_case)
        if any(row["as_of"] > as_of.isoformat() for row in journal):
            return "historic"
        recorded = {row["batch_id"]: row["entry"] for row in journal if row["as_of"] == as_of.isoformat()}
        earlier = {row["batch_id"]: row["entry"] for row in journal if row["as_of"] < as_of.isoformat()}
        if recorded == told:
            return "unchanged"
        _require_fresh(use_case, told, earlier)
        if revision != expected_revision:
            raise StateError(_overtaken(use_case, expected_revision, revision))
        _replace_entries(work, use_case, as_of=as_of, told=told)
        changes = _changes_to_record(_changes(recorded), _changes(told), as_of=as_of)
        common = {"use_case": use_case, "actor": actor, "at": utc_text(now)}
        numbered = enumerate(changes, start=revision + 1)
        work.execute_each(_INSERT_CHANGE, [{**common, "revision": number, **change} for number, change in numbered])
        office = _office_after({**earlier, **told})
        _swap(work, use_case, office=office, expected=expected_revision, revision=revision + len(changes))
    return "committed"


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


def save_alerts(database: Database, alerts: Iterable[Alert], *, now: datetime) -> None:
    """Keep alerts; one that is known already only grows, and keeps its state, note and time."""
    columns = ("key", "use_case", "severity", "subject", "message", "first_batch", "last_batch")
    values = [{name: getattr(alert, name) for name in columns} | {"at": utc_text(now)} for alert in alerts]
    with database.transaction() as work:
        work.execute_each(_UPSERT_ALERT, values)


def load_alerts(database: Database, use_case: str | None = None) -> pl.DataFrame:
    """Alerts of one use case or of all, in order of their first batch, with ``state`` (``open`` until closed)."""
    condition = "" if use_case is None else "WHERE use_case = :use_case"
    values = {} if use_case is None else {"use_case": use_case}
    found = database.rows(f"SELECT {', '.join(ALERT_SCHEMA)} FROM alert {condition}", **values)
    return pl.DataFrame(found, schema=ALERT_SCHEMA).sort("use_case", "first_batch", "key")


def forget(database: Database, use_case: str) -> None:
    """Erase what is kept about a use case, its history and alerts included, so that it can begin anew."""
    with database.transaction() as work:
        _hold(work, use_case)
        told = "DELETE FROM notification WHERE alert_key IN (SELECT key FROM alert WHERE use_case = :use_case)"
        work.execute(told, use_case=use_case)
        for table in ("alert", "journal", "deployment_change", "deployment"):
            work.execute(f"DELETE FROM {table} WHERE use_case = :use_case", use_case=use_case)


_INSERT_CHANGE = """
INSERT INTO deployment_change (use_case, revision, at, day, action, version, actor, reason, record_sha256)
VALUES (:use_case, :revision, :at, :day, :action, :version, :actor, :reason, :record_sha256)
"""

_UPSERT_ALERT = """
INSERT INTO alert (key, use_case, severity, subject, message, first_batch, last_batch, state, at)
VALUES (:key, :use_case, :severity, :subject, :message, :first_batch, :last_batch, 'open', :at)
ON CONFLICT (key) DO UPDATE SET
    severity = excluded.severity, subject = excluded.subject, message = excluded.message,
    last_batch = excluded.last_batch
WHERE excluded.last_batch >= alert.last_batch
"""


def _hold(work: Transaction, use_case: str) -> int:
    """Take the use case's row until the transaction ends, so that nobody overtakes; its revision."""
    work.execute(
        "INSERT INTO deployment (use_case, revision) VALUES (:u, 0) ON CONFLICT (use_case) DO NOTHING", u=use_case
    )
    work.execute("UPDATE deployment SET revision = revision WHERE use_case = :u", u=use_case)
    return int(work.rows("SELECT revision FROM deployment WHERE use_case = :u", u=use_case)[0]["revision"])


def _swap(work: Transaction, use_case: str, *, office: Mapping[str, Any], expected: int, revision: int) -> None:
    touched = work.execute(
        "UPDATE deployment SET revision = :revision, champion = :champion, challenger = :challenger, "
        "previous = :previous WHERE use_case = :use_case AND revision = :expected",
        use_case=use_case,
        expected=expected,
        revision=revision,
        **office,
    )
    if touched != 1:
        raise StateError(_overtaken(use_case, expected, None))


def _overtaken(use_case: str, expected: int, found: int | None) -> str:
    now = "another" if found is None else f"revision {found}"
    return (
        f"the deployment of {use_case} was at revision {expected} when this build began and is at {now} now: "
        "another build or person changed it meanwhile; build again to decide on the new state"
    )


def _by_batch(entries: Sequence[Entry]) -> dict[str, str]:
    told: dict[str, str] = {}
    for entry in entries:
        lacking = {"batch_id", "day", "office", "changes"} - set(entry)
        if lacking:
            raise StateError(f"a journal entry lacks {', '.join(sorted(lacking))}; found {', '.join(sorted(entry))}")
        if entry["batch_id"] in told:
            raise StateError(f"batch {entry['batch_id']} is told twice; expected one journal entry a batch")
        told[entry["batch_id"]] = canonical_json(dict(entry))
    return told


def _require_fresh(use_case: str, told: Mapping[str, str], earlier: Mapping[str, str]) -> None:
    again = sorted(set(told) & set(earlier))
    if again:
        raise StateError(
            f"builds of an earlier day judged {', '.join(again[:3])} of {use_case} already, and their story stands; "
            "commit only the batches that journal_before does not hold"
        )


def _replace_entries(work: Transaction, use_case: str, *, as_of: date, told: Mapping[str, str]) -> None:
    key = {"use_case": use_case, "as_of": as_of.isoformat()}
    work.execute("DELETE FROM journal WHERE use_case = :use_case AND as_of = :as_of", **key)
    work.execute_each(
        "INSERT INTO journal (use_case, batch_id, as_of, entry, sha256) "
        "VALUES (:use_case, :batch_id, :as_of, :entry, :sha256)",
        [{**key, "batch_id": batch, "entry": entry, "sha256": sha256_text(entry)} for batch, entry in told.items()],
    )


def _office_after(journal: Mapping[str, str]) -> dict[str, int | None]:
    office = json.loads(journal[max(journal)])["office"] if journal else {}
    return {name: office.get(name) for name in ("champion", "challenger", "previous")}


def _changes(journal: Mapping[str, str]) -> list[dict[str, Any]]:
    """The changes of a story in batch order, each with the day it took effect."""
    entries = [json.loads(journal[batch]) for batch in sorted(journal)]
    empty = {"version": None, "reason": "", "record_sha256": None}
    return [{**empty, **change, "day": entry["day"]} for entry in entries for change in entry["changes"]]


def _changes_to_record(old: list[dict[str, Any]], new: list[dict[str, Any]], *, as_of: date) -> list[dict[str, Any]]:
    """What the history lacks: the new changes behind those both stories share, and a word on the withdrawn."""
    shared = 0
    while shared < min(len(old), len(new)) and old[shared] == new[shared]:
        shared += 1
    withdrawn = ", ".join(f"{each['action']} {each['version']} of {each['day']}" for each in old[shared:])
    if not withdrawn:
        return new[shared:]
    reason = f"the build as of {as_of} was repeated and decides otherwise; withdrawn: {withdrawn}"
    word = {"action": "withdraw", "version": None, "reason": reason, "record_sha256": None, "day": as_of.isoformat()}
    return [word, *new[shared:]]
