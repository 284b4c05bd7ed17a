"""The journal: what each batch led to, told whole by one build, or not at all.

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
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from driftbook.database import Database, Transaction
from driftbook.deployment.office import hold, overtaken, swap
from driftbook.deployment.orders import latest_order
from driftbook.errors import OvertakenError, StateError
from driftbook.storage import canonical_json, sha256_text

Outcome = Literal["committed", "unchanged", "historic"]
Entry = Mapping[str, Any]
OFFICES = ("champion", "challenger", "previous")


def journal_before(
    database: Database, use_case: str, as_of: date, *, parsed: dict[str, dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Entries that builds of an earlier ``as_of`` wrote, in batch order; dates in them are ISO text.

    Parameters
    ----------
    parsed
        Entries of this use case that were read before, by their digests: they are not parsed again. What is read now
        takes their place.

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
    kept = {} if parsed is None else dict(parsed)
    entries = {row["sha256"]: kept.get(row["sha256"]) or json.loads(row["entry"]) for row in found}
    if parsed is not None:
        parsed.clear()
        parsed.update(entries)
    return [entries[row["sha256"]] for row in sorted(found, key=lambda row: str(row["batch_id"]))]


def latest_as_of(database: Database, use_case: str) -> date | None:
    """The latest day a build of this use case has judged up to; ``None`` before the first build."""
    found = database.rows("SELECT max(as_of) AS latest FROM journal WHERE use_case = :use_case", use_case=use_case)
    return date.fromisoformat(found[0]["latest"]) if found[0]["latest"] else None


def latest_entries(
    database: Database, use_case: str, *, parsed: dict[str, dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """All days judged so far, in batch order: the journal as the latest build left it.

    Parameters
    ----------
    parsed
        As for :func:`journal_before`.
    """
    return journal_before(database, use_case, date.max, parsed=parsed)


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
        previous after that day) and ``changes`` (each with action, version, reason; with ``revision`` if it is an order
        that stands in the history already); more keys are kept. The digest of an entry is the record hash of its
        changes, unless they bring another.
    expected_revision
        Of the :func:`load_office` the build started from.

    Returns
    -------
    ``committed``; ``unchanged`` if this very story is recorded already; ``historic`` if a build of a later day is
    recorded: nothing was written then.

    Raises
    ------
    OvertakenError
        If another build or person changed the deployment meanwhile: walk the days anew, then commit again.
    StateError
        If an entry is not as described.
    """
    told = _by_batch(entries)
    with database.transaction() as work:
        revision = hold(work, use_case)
        journal = work.rows("SELECT batch_id, as_of, entry FROM journal WHERE use_case = :u", u=use_case)
        if any(row["as_of"] > as_of.isoformat() for row in journal):
            return "historic"
        recorded = {row["batch_id"]: row["entry"] for row in journal if row["as_of"] == as_of.isoformat()}
        earlier = {row["batch_id"]: row["entry"] for row in journal if row["as_of"] < as_of.isoformat()}
        if recorded == told:
            return "unchanged"
        _require_fresh(use_case, told, earlier)
        if revision != expected_revision:
            raise overtaken(use_case, expected=expected_revision, found=revision)
        _replace_entries(work, use_case, as_of=as_of, told=told)
        changes = _changes_to_record(_changes(recorded), _changes(told), as_of=as_of)
        signed = [{**change, "actor": actor, "at": now} for change in changes]
        order = latest_order(work, use_case)
        swap(work, use_case, office=_office_after({**earlier, **told}, order), changes=signed, expected=revision)
    return "committed"


def forget(database: Database, use_case: str) -> None:
    """Erase what is kept about a use case, its history and alerts included, so that it can begin anew."""
    with database.transaction() as work:
        hold(work, use_case)
        told = "DELETE FROM notification WHERE alert_key IN (SELECT key FROM alert WHERE use_case = :use_case)"
        work.execute(told, use_case=use_case)
        for table in ("alert_change", "alert", "journal", "deployment_order", "deployment_change", "deployment"):
            work.execute(f"DELETE FROM {table} WHERE use_case = :use_case", use_case=use_case)


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
        raise OvertakenError(
            f"builds of an earlier day judged {', '.join(again[:3])} of {use_case} already, and their story stands: "
            f"{OvertakenError.MEANWHILE}; build again, or commit only what journal_before does not hold"
        )


def _replace_entries(work: Transaction, use_case: str, *, as_of: date, told: Mapping[str, str]) -> None:
    key = {"use_case": use_case, "as_of": as_of.isoformat()}
    work.execute("DELETE FROM journal WHERE use_case = :use_case AND as_of = :as_of", **key)
    work.execute_each(
        "INSERT INTO journal (use_case, batch_id, as_of, entry, sha256) "
        "VALUES (:use_case, :batch_id, :as_of, :entry, :sha256)",
        [{**key, "batch_id": batch, "entry": entry, "sha256": sha256_text(entry)} for batch, entry in told.items()],
    )


def _office_after(journal: Mapping[str, str], order: Entry | None) -> dict[str, int | None]:
    """Of the last day, or of an order given since."""
    last: dict[str, Any] = json.loads(journal[max(journal)]) if journal else {"day": "", "office": {}}
    office: dict[str, int | None] = (
        order["office"] if order is not None and order["day"] >= last["day"] else last["office"]
    )
    return {name: office.get(name) for name in OFFICES}


def _changes(journal: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a story adds to the history: its changes in batch order, each with its day and the digest of its entry.

    A person's order that a day took over carries the revision it already has, and is no change of the build.
    """
    told = []
    for batch in sorted(journal):
        entry, digest = json.loads(journal[batch]), sha256_text(journal[batch])
        for change in entry["changes"]:
            if change.get("revision") is None:
                known = {"version": None, "reason": "", **change, "day": entry["day"]}
                told.append({**known, "record_sha256": change.get("record_sha256") or digest})
    return told


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
