"""The ledger of a use case: one line a run, each holding the digest of the line before; nothing is ever removed.

A line knows its number, its predecessor's digest and its own, so that an edited, moved or missing line names itself.
What the chain cannot see is a cut at its end: the *head*, kept apart under ``data/state``, remembers how long it was.
Every append rewrites the file beside its place and renames it: a kill leaves the old ledger or the new one, never half
a line. A ledger that was tampered with can still be appended to: the next line follows on what the head remembers,
and the damage stays where it is, to be found by :func:`read_ledger`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from driftbook.audit.digests import Finding, Kind
from driftbook.config import Settings
from driftbook.database import utc_text
from driftbook.storage import canonical_json, sha256_text, write_text, writing

LEDGER = "ledger.jsonl"
SCHEMA = 1
Line = dict[str, Any]


@dataclass(frozen=True)
class Ledger:
    """The lines that are as they were written, in order, and what is wrong with the others."""

    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]

    def runs(self) -> dict[str, Line]:
        """The line in force of each day that was reported: a later one of the same day supersedes it."""
        found = {line["as_of"]: line for line in self.lines if line["kind"] == "run"}
        return dict(sorted(found.items()))


def ledger_path(settings: Settings, use_case: str) -> Path:
    """Where the ledger of a use case lies."""
    return settings.reports_folder / use_case / LEDGER


def head_path(settings: Settings, use_case: str) -> Path:
    """Where it is remembered how long the ledger is."""
    return settings.state_folder / "ledger" / use_case / "head.json"


def append_line(settings: Settings, use_case: str, content: Mapping[str, Any], *, by: str, now: datetime) -> Line:
    """Add a line; only for who holds the build's lock.

    Parameters
    ----------
    content
        ``kind`` and what belongs to it, JSON-able.
    by, now
        Who writes it, and when.
    """
    path = ledger_path(settings, use_case)
    raw = path.read_bytes() if path.exists() else b""
    head = _load_head(head_path(settings, use_case))
    number, before = _end(raw, head)
    if head and number > head["number"]:  # a build was killed before it told: the head is never two lines behind
        write_text(head_path(settings, use_case), _head_text({"number": number, "sha256": before}))
    line: Line = {"schema": SCHEMA, "number": number + 1, "before": before, "use_case": use_case}
    line |= {"by": by, "at": utc_text(now), **content}
    text = canonical_json({**line, "sha256": _own_digest(line)})
    with writing(path) as beside, beside.open("wb") as stream:
        stream.write(raw if not raw or raw.endswith(b"\n") else raw + b"\n")
        stream.write(text.encode("utf-8") + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    written: Line = json.loads(text)
    write_text(head_path(settings, use_case), _head_text(written))
    return written


def read_ledger(settings: Settings, use_case: str) -> Ledger:
    """All lines of a ledger and all that is wrong with them, in order; empty where there is none."""
    path, head_file = ledger_path(settings, use_case), head_path(settings, use_case)
    name = path.relative_to(settings.root).as_posix()
    head = _load_head(head_file)
    if not path.exists():
        what = f"expected {head['number']} lines, and it is not there" if head else "expected it, and it is not there"
        found = head or head_file.exists() or (path.parent.is_dir() and any(path.parent.glob("*/manifest.json")))
        return Ledger((), (Finding("deleted", name, "", what),) if found else ())
    raw = path.read_bytes()
    lines, findings = _follow(raw, name)
    if raw and not raw.endswith(b"\n"):
        findings.append(Finding("truncated", name, f"line {raw.count(10) + 1}", "its end is missing"))
    if head is None:
        kind: Kind = "changed" if head_file.exists() else "deleted"
        what = "it does not say how long the ledger is" if head_file.exists() else "the ledger's end cannot be checked"
        findings.append(Finding(kind, head_file.relative_to(settings.root).as_posix(), "", what))
    else:
        findings += _compare_end(lines, raw, head, name=name, head_name=head_file.relative_to(settings.root).as_posix())
    return Ledger(tuple(lines), tuple(findings))


def _follow(raw: bytes, name: str) -> tuple[list[Line], list[Finding]]:
    """Follow the chain from its first line on."""
    texts = raw.removesuffix(b"\n").split(b"\n") if raw else []
    parsed = [_parse(text) for text in texts]
    numbers = {line["number"] for line in parsed if line}
    lines: list[Line] = []
    findings: list[Finding] = []
    expected, before = 1, ""
    for place, line in enumerate(parsed, start=1):
        where = f"line {place}"
        if line is None:
            findings.append(Finding("changed", name, where, "it does not have the digest it was written with"))
            expected, before = expected + 1, "?"
            continue
        if line["number"] != expected:
            findings.append(_out_of_order(line["number"], expected, numbers, name=name, where=where))
        elif before not in ("?", line["before"]):
            findings.append(Finding("changed", name, where, "it does not follow on the line before it"))
        expected, before = line["number"] + 1, line["sha256"]
        lines.append(line)
    return lines, findings


def _out_of_order(number: int, expected: int, numbers: set[int], *, name: str, where: str) -> Finding:
    missing = sorted(set(range(expected, number)) - numbers)
    if number > expected and missing:
        first, last = missing[0], missing[-1]
        which = f"line {first} is" if first == last else f"lines {first} to {last} are"
        return Finding("deleted", name, f"line {first}", f"{which} missing")
    return Finding("reordered", name, where, f"expected line {expected}, found line {number}")


def _compare_end(lines: list[Line], raw: bytes, head: Line, *, name: str, head_name: str) -> list[Finding]:
    """Compare the ledger's end with what is remembered of it; one line more is a build killed before it told."""
    last = max([raw.count(b"\n"), *(line["number"] for line in lines)])
    if head["number"] > last:
        first = last + 1
        which = f"line {first} is" if first == head["number"] else f"lines {first} to {head['number']} are"
        return [Finding("truncated", name, f"line {first}", f"{which} missing at its end")]
    remembered = next((line for line in lines if line["number"] == head["number"]), None)
    if last > head["number"] + 1 or (remembered and remembered["sha256"] != head["sha256"]):
        return [Finding("changed", head_name, "", f"it does not remember the last line of {name}")]
    return []


def _end(raw: bytes, head: Line | None) -> tuple[int, str]:
    """Number and digest of the line that the next one follows on."""
    texts = raw.removesuffix(b"\n").split(b"\n") if raw else []
    last = _parse(texts[-1]) if texts else None
    known = [(each["number"], each["sha256"]) for each in (head, last) if each]
    if known:
        return max(known)
    return (len(texts), sha256(texts[-1]).hexdigest()) if texts else (0, "")


def _parse(text: bytes) -> Line | None:
    """A line, if it is exactly what was written."""
    try:
        decoded = text.decode("utf-8")
        line = json.loads(decoded)
        intact = canonical_json(line) == decoded and line["sha256"] == _own_digest(line)
        return line if intact else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _load_head(path: Path) -> Line | None:
    try:
        text = path.read_text(encoding="utf-8")
        head: Line = json.loads(text)
        return head if isinstance(head["number"], int) and text == _head_text(head) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _head_text(line: Line) -> str:
    return canonical_json({"number": line["number"], "sha256": line["sha256"]}) + "\n"


def _own_digest(line: Mapping[str, Any]) -> str:
    return sha256_text(canonical_json({key: value for key, value in line.items() if key != "sha256"}))
