"""Whether everything is as it was recorded: checked apart from the page, once for all visitors.

To compare a workbench with its ledger may take longer than a page may, so a process of its own does it and leaves what
it found in a file that every kernel reads. It is done anew when the ledger has changed, and after a while, because
files can change without it. The file is a convenience; the proof is ``driftbook verify``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from driftbook.audit.digests import Finding
from driftbook.audit.ledger import LEDGER, ledger_path
from driftbook.config import Settings
from driftbook.database import utc_text
from driftbook.errors import BusyError, DriftbookError, StateError
from driftbook.storage import load_json, locked, sha256_file, write_json
from driftbook.workflow.notebook import mask

AGAIN_SECONDS = 1800.0
TRY_SECONDS = 5.0
MOST_FINDINGS = 20
_started: dict[tuple[Path, str], tuple[subprocess.Popen[bytes], float]] = {}


@dataclass(frozen=True)
class Checked:
    """What a comparison with the ledger found; ``fault`` says why there was none to make.

    ``ledger`` is the digest of the ledger's file, ``at`` when it was compared (UTC), ``findings`` are the first of
    ``found`` ones, as sentences, ``reports`` the days of all reports that are
    concerned, ``at_fault`` the ledger's own lines that are.
    """

    ledger: str
    at: str
    lines: int = 0
    runs: int = 0
    files: int = 0
    entries: int = 0
    found: int = 0
    findings: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    at_fault: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    fault: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.found and not self.fault


def checked_path(settings: Settings, use_case: str) -> Path:
    """Where the outcome of a use case's last check lies."""
    return settings.state_folder / "verified" / f"{use_case}.json"


def last_check(settings: Settings, use_case: str) -> Checked | None:
    """What the last check found; nothing if there was none, or the ledger has changed since."""
    found = _load(checked_path(settings, use_case))
    return found if found is not None and found.ledger == _digest(settings, use_case) else None


def ensure_checked(settings: Settings, use_case: str) -> str:
    """Have a check made where one is due; returns at once, with a text that changes when a new outcome is there."""
    path = checked_path(settings, use_case)
    try:
        stat = path.stat()
        mark, age = f"{stat.st_mtime_ns}", time.time() - stat.st_mtime
    except OSError:
        mark, age = "", AGAIN_SECONDS
    current = last_check(settings, use_case) is not None
    if not current or age >= AGAIN_SECONDS:
        _start(settings, use_case)
    return f"{mark} {current}"


def check(settings: Settings, use_case: str) -> Checked:
    """Compare a use case with its ledger and leave the outcome for all; only one at a time does.

    Raises
    ------
    BusyError
        If another process is at it.
    """
    from driftbook.audit.verify import MOST_FINDINGS, verify

    path = checked_path(settings, use_case)
    with locked(path.with_suffix(".lock")):
        told = Checked(_digest(settings, use_case), utc_text(datetime.now(UTC)))
        try:
            [outcome] = verify(settings, use_case=use_case)
        except DriftbookError as error:
            told = replace(told, fault=mask(str(error), settings.root))
        else:
            told = replace(
                told,
                lines=outcome.lines,
                runs=outcome.runs,
                files=outcome.files,
                entries=outcome.entries,
                found=len(outcome.findings),
                findings=tuple(mask(str(each), settings.root) for each in outcome.findings[:MOST_FINDINGS]),
                reports=tuple(sorted(_reports(outcome.findings))),
                at_fault=tuple(sorted(_ledger_lines(outcome.findings))),
                notes=tuple(mask(each, settings.root) for each in outcome.notes),
            )
        write_json(path, asdict(told))
    return told


def _start(settings: Settings, use_case: str) -> None:
    """Begin a check in a process of its own, unless this kernel has one at work or tried a moment ago."""
    key, now = (settings.root, use_case), time.monotonic()
    process, tried = _started.get(key, (None, -TRY_SECONDS))
    if (process is not None and process.poll() is None) or now - tried < TRY_SECONDS:
        return
    command = [sys.executable, "-m", __name__, use_case]
    environment = {**os.environ, "DRIFTBOOK_ROOT": str(settings.root)}
    quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    begun = subprocess.Popen(command, env=environment, start_new_session=True, **quiet)
    threading.Thread(target=begun.wait, daemon=True).start()  # the system forgets an ended child once it is asked for
    _started[key] = (begun, now)


def _reports(findings: Sequence[Finding]) -> set[str]:
    """Days of the reports that findings are about."""
    parts = [each.path.split("/") for each in findings]
    return {each[2] for each in parts if each[0] == "reports" and len(each) > 3}


def _ledger_lines(findings: Sequence[Finding]) -> set[int]:
    """Numbers of the ledger's lines that findings are about."""
    found = [each.where.removeprefix("line ") for each in findings if each.path.endswith(f"/{LEDGER}")]
    return {int(each) for each in found if each.isdecimal()}


def _digest(settings: Settings, use_case: str) -> str:
    path = ledger_path(settings, use_case)
    try:
        stat = path.stat()
    except OSError:
        return ""
    return _digest_of(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _digest_of(path: Path, size: int, changed: int) -> str:
    return sha256_file(path)


def _load(path: Path) -> Checked | None:
    try:
        content: Mapping[str, Any] = load_json(path)
        known: dict[str, Any] = {field.name: content[field.name] for field in fields(Checked)}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return Checked(**{**known, **lists})
    except (StateError, OSError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    os.nice(10)
    try:
        check(Settings.find(), sys.argv[1])
    except BusyError:
        sys.exit(0)  # another visitor's kernel had the same thought
