"""Compares the store with what is sealed: the journal with the story, the history with the ledger, entry by entry.

A report's story is the journal as its build left it, and its digest is in the ledger; the digests of the history's
lines are in the ledger themselves. So an entry that was edited in the database is found even if its own digest was made
to fit. Where no store is at hand, an auditor's copy of the files say, everything else can be verified all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from driftbook.audit.digests import Finding
from driftbook.audit.ledger import Ledger, Line
from driftbook.audit.replay import STORY, differences
from driftbook.audit.sealing import load_pending, report_name, sealed_changes
from driftbook.config import Settings
from driftbook.errors import BusyError, DriftbookError
from driftbook.storage import canonical_json, sha256_file, sha256_text

OFFICES = ("champion", "challenger", "previous")
STORE = "the store"


@dataclass(frozen=True)
class Compared:
    """What the store and the seals disagree on; ``entries`` of the journal were looked at."""

    entries: int = 0
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def compare_store(settings: Settings, use_case: str, ledger: Ledger) -> Compared:
    """Compare the journal, the history and who is in office with what the ledger has sealed.

    A build that has not ended yet is ahead of its seal: what only it can have written is not held against the store.
    """
    name = _name(settings)
    if name is None:
        return Compared()
    from driftbook.database import open_database
    from driftbook.deployment import load_stored

    try:
        with open_database(settings.database_url) as database:
            stored = load_stored(database, use_case)
    except BusyError as error:
        return Compared(notes=(f"journal and history were not compared: {error}",))
    except DriftbookError as error:
        if settings.database_url.startswith("sqlite:///"):
            return Compared(findings=(Finding("changed", name, "", str(error)),))
        return Compared(notes=(f"journal and history were not compared: {error}",))
    last = _last_run(ledger)
    running = running_days(settings, use_case)
    findings = [*_own_digests(stored.journal, name, "journal"), *_own_digests(stored.orders, name, "order")]
    if not findings and last is not None and last["as_of"] not in running:
        findings += _against_story(settings, stored.journal, last, name=name, running=running)
    findings += _against_ledger(stored, ledger, name=name, running=bool(running))
    if not findings and not running:
        findings += _office(stored, name)
    return Compared(len(stored.journal), tuple(findings))


def _own_digests(rows: tuple[Mapping[str, Any], ...], name: str, what: str) -> Iterator[Finding]:
    for row in rows:
        if sha256_text(row["entry"]) != row["sha256"]:
            where = f"{what} {row['batch_id'] if what == 'journal' else row['revision']}"
            yield Finding("changed", name, where, "it does not have the digest it was written with")


def _against_story(
    settings: Settings, journal: tuple[Mapping[str, Any], ...], line: Line, *, name: str, running: set[str]
) -> Iterator[Finding]:
    """The journal with the newest story, where that is as it was sealed."""
    path = settings.root / report_name(line, STORY)
    sealed = line["products"].get(STORY)
    if sealed is None or not path.is_file() or sha256_file(path) != sealed["sha256"]:
        return
    told = {entry["batch_id"]: entry for entry in json.loads(path.read_text(encoding="utf-8")) if "batch_id" in entry}
    kept = {row["batch_id"]: row for row in journal}
    against = f"differs from {report_name(line, STORY)}, sealed in ledger line {line['number']}"
    for batch in sorted({*told, *kept}):
        where = f"journal {batch}"
        if batch not in kept:
            yield Finding("deleted", name, where, f"{report_name(line, STORY)} tells it, and it is not there")
        elif batch not in told:
            if kept[batch]["as_of"] not in running:
                yield Finding("added", name, where, "no sealed report tells it")
        elif canonical_json(told[batch]) != kept[batch]["entry"]:
            place = next(differences(told[batch], json.loads(kept[batch]["entry"])), "its layout, no value")
            yield Finding("changed", name, where, f"{against}: {place}")


def _against_ledger(stored: Any, ledger: Ledger, *, name: str, running: bool) -> Iterator[Finding]:
    """Each change of the history with the digest it was sealed with; later ones must be orders of persons."""
    sealed, kept = sealed_changes(ledger), stored.change_digests
    for revision, (digest, number) in sealed.items():
        if revision not in kept:
            yield Finding("deleted", name, f"history, revision {revision}", f"ledger line {number} records it")
        elif kept[revision] != digest:
            yield Finding("changed", name, f"history, revision {revision}", f"differs from ledger line {number}")
    ordered = {(row["revision"], row["sha256"]): json.loads(row["entry"]) for row in stored.orders}
    for row in stored.changes if sealed else ():
        where = f"history, revision {row['revision']}"
        order = ordered.get((row["revision"], row["record_sha256"]))
        if str(row["revision"]) in sealed:
            continue
        if order is not None:
            place = next(differences(_change_of(order), {part: row[part] for part in _change_of(order)}), None)
            if place is not None:
                yield Finding("changed", name, where, f"differs from the record of the order: {place}")
        elif not running:
            yield Finding("added", name, where, "neither a sealed build nor an order of a person tells it")


def _change_of(order: Mapping[str, Any]) -> dict[str, Any]:
    """The line of the history that a person's order wrote."""
    return {"at": order["at"], "day": order["day"], **order["changes"][0]}


def _office(stored: Any, name: str) -> Iterator[Finding]:
    """Who is in office with the last entry of the journal, or the last order given since."""
    if not stored.journal or stored.office is None:
        if bool(stored.journal) != (stored.office is not None):
            yield Finding("deleted", name, "deployment", "expected a journal and somebody in office, found one of them")
        return
    last = json.loads(stored.journal[-1]["entry"])
    order = json.loads(stored.orders[-1]["entry"]) if stored.orders else None
    expected = order["office"] if order and order["day"] >= last["day"] else last["office"]
    for office in OFFICES:
        if stored.office[office] != expected.get(office):
            what = f"expected {office} {_version(expected.get(office))}, found {_version(stored.office[office])}"
            yield Finding("changed", name, "deployment", what)
    if stored.office["revision"] != len(stored.changes):
        found = f"the history has {len(stored.changes)} revisions, found {stored.office['revision']}"
        yield Finding("changed", name, "deployment", found)


def _version(number: int | None) -> str:
    return "nobody" if number is None else f"version {number}"


def _last_run(ledger: Ledger) -> Line | None:
    """The line in force of the latest day that was reported since all was forgotten last."""
    found: dict[str, Line] = {}
    for line in ledger.lines:
        if line["kind"] == "reset":
            found.clear()
        if line["kind"] == "run":
            found[line["as_of"]] = line
    return found[max(found)] if found else None


def running_days(settings: Settings, use_case: str) -> set[str]:
    """Days whose build has begun and not ended."""
    folder = settings.state_folder / "ledger" / use_case
    days = [path.stem for path in folder.glob("????-??-??.json")]
    return {day for day in days if load_pending(settings, use_case, date.fromisoformat(day))}


def _name(settings: Settings) -> str | None:
    """How the store is called in findings; ``None`` where it is a file that is not there."""
    if not settings.database_url.startswith("sqlite:///"):
        return STORE
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    if not path.is_file():
        return None
    return path.relative_to(settings.root).as_posix() if path.is_relative_to(settings.root) else path.name
