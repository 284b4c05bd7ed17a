"""Puts a run into the ledger: the digests its files had when they were made.

A file's digest is taken the moment its notebook has ended (:func:`note_products`), not when the build ends: a file that
was changed in between, or long ago, is never taken for the truth. What a build did not make anew keeps the digest of
the line before. Batches, targets, predictions and models are written once, so each is recorded once, in the line of the
first run that saw it; whoever removes or edits one on purpose leaves a *tombstone*, and the chain stays whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from driftbook.audit.digests import Digest, digest_file
from driftbook.audit.ledger import Ledger, Line, append_line, ledger_path, read_ledger
from driftbook.audit.manifest import DETERMINANTS
from driftbook.config import Settings
from driftbook.errors import ConfigError, StateError
from driftbook.storage import load_json, write_json

DATA_KINDS = ("batches", "targets", "predictions", "quarantine", "answers")
BEING_WRITTEN: Digest = {}


def note_products(settings: Settings, use_case: str, as_of: date, *, paths: Sequence[Path], ended: bool) -> None:
    """Note that a task writes its products, before it begins, or their digests, once it has ended."""
    pending = load_pending(settings, use_case, as_of)
    for path in paths:
        pending[path.name] = digest_file(path, parts=True) if ended and path.exists() else BEING_WRITTEN
    write_json(_pending_path(settings, use_case, as_of), pending)


def load_pending(settings: Settings, use_case: str, as_of: date) -> dict[str, Digest]:
    """What builds that have not ended yet noted about the report of a day, by file name."""
    path = _pending_path(settings, use_case, as_of)
    noted: dict[str, Digest] = load_json(path) if path.exists() else {}
    return noted


def seal_run(
    settings: Settings,
    use_case: str,
    as_of: date,
    *,
    products: Sequence[Path],
    by: str,
    now: datetime,
    history: Mapping[str, str] | None = None,
) -> Line | None:
    """Append the line of a run that has ended; nothing if no file was made since the last one.

    Parameters
    ----------
    products
        All products of the pipeline for this day.
    by, now
        Who built, and when.
    history
        Digest of every change of the deployment by its revision: those not sealed yet are kept in the line, and the
        last revision, for what persons order later was no part of this run.
    """
    ledger, pending = read_ledger(settings, use_case), load_pending(settings, use_case, as_of)
    earlier = ledger.runs().get(as_of.isoformat())
    if earlier is not None and not pending:
        return None
    recorded = {**(earlier or {"products": {}})["products"], **{name: each for name, each in pending.items() if each}}
    there = [path for path in products if path.exists()]
    line = append_line(
        settings,
        use_case,
        {
            "kind": "run",
            "as_of": as_of.isoformat(),
            "supersedes": earlier["number"] if earlier else None,
            "revision": max(map(int, history), default=0) if history is not None else None,
            "history": {key: each for key, each in (history or {}).items() if key not in sealed_changes(ledger)},
            "run": _determinants(settings.report_folder(use_case, as_of) / "manifest.json"),
            "products": {path.name: recorded.get(path.name) or digest_file(path, parts=True) for path in there},
            "files": _new_files(settings, use_case, sealed_files(ledger)),
        },
        by=by,
        now=now,
    )
    _pending_path(settings, use_case, as_of).unlink(missing_ok=True)
    return line


def sealed_files(ledger: Ledger, *, until: int | None = None) -> dict[str, tuple[Digest | None, int]]:
    """Every data and model file on record: its digest (``None``: removed on purpose) and the line that says so.

    A report's file is among them only where a tombstone explains it and no later build made it anew.

    Parameters
    ----------
    until
        Number of the last line that counts; all of them unless given.
    """
    files: dict[str, tuple[Digest | None, int]] = {}
    for line in ledger.lines:
        if until is not None and line["number"] > until and line["kind"] == "run":
            continue
        if line["kind"] == "reset":
            files.clear()
        for name in line.get("products", {}):
            files.pop(report_name(line, name), None)
        for name, digest in line.get("files", {}).items():
            if line["kind"] == "tombstone" or name not in files:
                files[name] = (digest, line["number"])
    return files


def sealed_changes(ledger: Ledger) -> dict[str, tuple[str, int]]:
    """Digest of every change of the history that is sealed, by its revision, and the line that says so."""
    sealed: dict[str, tuple[str, int]] = {}
    for line in ledger.lines:
        if line["kind"] == "reset":
            sealed.clear()
        sealed |= {revision: (digest, line["number"]) for revision, digest in line.get("history", {}).items()}
    return sealed


def seal_reset(settings: Settings, use_case: str, *, by: str, now: datetime) -> Line | None:
    """Say in the ledger that all data and models of a use case were forgotten; nothing if it has no ledger."""
    for path in _pending_folder(settings, use_case).glob("????-??-??.json"):
        path.unlink()
    if not ledger_path(settings, use_case).exists():
        return None
    return append_line(settings, use_case, {"kind": "reset"}, by=by, now=now)


def seal_tombstone(
    settings: Settings,
    use_case: str,
    paths: Sequence[Path],
    *,
    log_rows: int = 0,
    reason: str,
    by: str,
    now: datetime,
) -> Line:
    """Say in the ledger that files of data, models or reports were edited or removed on purpose, and why.

    Parameters
    ----------
    paths
        Files as they are now, one that is not there any more counts as removed; a folder stands for all its files
        that are on record.
    log_rows
        Rows that were erased from the prediction log.

    Raises
    ------
    ConfigError
        If no reason is given.
    StateError
        If a file is in no line of the ledger: there is nothing to explain then.
    """
    if not reason.strip():
        raise ConfigError("a tombstone needs a reason, found none; say why with --reason")
    known = recorded_files(read_ledger(settings, use_case))
    files: dict[str, Digest | None] = {}
    for path in paths:
        name = _name(settings, path)
        meant = [name] if name in known else [each for each in known if each.startswith(f"{name}/")]
        if not meant:
            raise StateError(
                f"{name} is in no line of the ledger of {use_case}; expected a file of its data, models or reports "
                "that a build has recorded"
            )
        there = {each: settings.root / each for each in meant}
        files |= {each: digest_file(place) if place.is_file() else None for each, place in there.items()}
    before = {name: known[name] for name in files}
    content = {"kind": "tombstone", "reason": reason, "files": files, "files_before": before, "log_rows": log_rows}
    return append_line(settings, use_case, content, by=by, now=now)


def report_name(line: Line, file: str) -> str:
    """A report's file, that a run's line records, relative to the workbench."""
    return f"reports/{line['use_case']}/{line['as_of']}/{file}"


def recorded_files(ledger: Ledger) -> dict[str, Digest | None]:
    """Every file on record, those of the reports in force included."""
    reports = {
        report_name(line, file): {key: digest[key] for key in ("bytes", "sha256")}
        for line in ledger.runs().values()
        for file, digest in line["products"].items()
    }
    return {**reports, **{name: digest for name, (digest, _) in sealed_files(ledger).items()}}


def _determinants(manifest: Path) -> dict[str, Any]:
    """What determined the run, from its manifest; what the manifest lacks is left out."""
    try:
        content: Mapping[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: content[key] for key in DETERMINANTS if key in content}


def _new_files(settings: Settings, use_case: str, known: Mapping[str, Any]) -> dict[str, Digest]:
    found = ((_name(settings, path), path) for path in _files(settings, use_case))
    return {name: digest_file(path) for name, path in found if name not in known}


def _files(settings: Settings, use_case: str) -> Iterator[Path]:
    """Data and model files of a use case that are written once."""
    folders = [settings.data_folder(use_case) / kind for kind in DATA_KINDS]
    for folder in [*folders, settings.models_folder(use_case)]:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
                yield path


def _name(settings: Settings, path: Path) -> str:
    """A file relative to the workbench.

    Raises
    ------
    ConfigError
        If it lies elsewhere.
    """
    absolute = path.absolute()
    full = absolute.parent.resolve() / absolute.name  # a file that is a link is known by its own place
    if not full.is_relative_to(settings.root.resolve()):
        raise ConfigError(f"expected a file of this workbench, found {path}; the ledger speaks of no others")
    return full.relative_to(settings.root.resolve()).as_posix()


def _pending_folder(settings: Settings, use_case: str) -> Path:
    return settings.state_folder / "ledger" / use_case


def _pending_path(settings: Settings, use_case: str, as_of: date) -> Path:
    return _pending_folder(settings, use_case) / f"{as_of.isoformat()}.json"
