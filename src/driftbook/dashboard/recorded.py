"""The lines of a ledger as a page shows them: read at once, taken at their word, without the digests of their files.

To follow the chain of digests through a year of runs takes longer than a page may. That is done apart from it
(:mod:`driftbook.dashboard.verifying`), and a line that does not hold is marked as soon as that is known.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from driftbook.audit.ledger import ledger_path
from driftbook.dashboard.known import Known


@dataclass(frozen=True)
class Recorded:
    """A line of a ledger: its number, kind, digest, who wrote it when, and what it says besides.

    ``products`` are names of a run's files, ``files`` counts the data and models it is about.
    """

    number: int
    kind: str
    by: str
    at: str
    sha256: str
    as_of: str = ""
    products: tuple[str, ...] = ()
    files: int = 0
    content: dict[str, Any] = field(default_factory=dict)


def lines_known(known: Known) -> list[Recorded]:
    """Lines about reports up to the shown day; of other things than runs, those written by its evening."""
    day = known.day.isoformat()
    return [
        line for line in _lines(known) if known.is_newest or (line.as_of if line.kind == "run" else line.at[:10]) <= day
    ]


def runs_known(known: Known) -> list[Recorded]:
    """Every run on record about a day up to the shown one, the newest first."""
    return [line for line in reversed(lines_known(known)) if line.kind == "run"]


def has_reports(known: Known) -> bool:
    """Whether any run is on record, whatever day is shown."""
    return any(line.kind == "run" for line in _lines(known))


def _lines(known: Known) -> tuple[Recorded, ...]:
    path = ledger_path(known.settings, known.case.name)
    try:
        stat = path.stat()
    except OSError:
        return ()
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, size: int, changed: int) -> tuple[Recorded, ...]:
    return tuple(filter(None, map(_line, path.read_bytes().splitlines())))


def _line(text: bytes) -> Recorded | None:
    """A line, if it can be read as one; what cannot, the check names."""
    try:
        content = json.loads(text)
        products, files = content.pop("products", {}), content.pop("files", {})
        known = {name: str(content[name]) for name in ("kind", "by", "at", "sha256")}
        return Recorded(
            int(content["number"]),
            **known,
            as_of=str(content.get("as_of", "")),
            products=tuple(products),
            files=len(files),
            content=content,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
