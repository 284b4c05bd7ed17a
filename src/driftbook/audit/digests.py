"""What is kept about a file so that a change can be found, and found *where*.

One sha256 finds every change. To name the cell or the key as well, records and notebooks also keep a short digest
of each part: the original is gone by then, so nothing can be compared but digests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from driftbook.storage import canonical_json, sha256_file, sha256_text

Digest = dict[str, Any]
Kind = Literal["changed", "deleted", "reordered", "truncated", "added", "signature"]
IN_PARTS = (".json", ".ipynb")
PART_DIGITS = 12  # a part only has to differ from itself; the file's own digest is whole
MOST_PARTS = 3


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was recorded.

    Examples
    --------
    >>> print(Finding("changed", "reports/churn/2026-06-30/promotion.json", "decision", "differs from ledger line 3"))
    changed: reports/churn/2026-06-30/promotion.json, decision: differs from ledger line 3
    """

    kind: Kind
    path: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(filter(None, [self.path, self.where]))}: {self.what}"


def digest_file(path: Path, *, parts: bool = False) -> Digest:
    """Size and sha256 of a file; with ``parts`` also a short digest of each key or cell of a record or notebook."""
    digest: Digest = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
    if parts and path.suffix in IN_PARTS:
        digest["parts"] = parts_of(json.loads(path.read_text(encoding="utf-8")))
    return digest


def parts_of(content: Any) -> dict[str, str]:
    """A short digest of each part of a record or notebook, by a name a person finds it under.

    Examples
    --------
    >>> list(parts_of({"cells": [{"source": "1 + 1"}], "metadata": {}}))
    ['cell 1', 'metadata']
    >>> list(parts_of([{"day": "2026-06-01"}, 5]))
    ['entry 1 (2026-06-01)', 'entry 2']
    """
    if isinstance(content, Mapping):
        named = {str(key): value for key, value in content.items()}
        cells = named.pop("cells", None)
        if isinstance(cells, list):
            named = {**{f"cell {place}": cell for place, cell in enumerate(cells, start=1)}, **named}
    elif isinstance(content, list):
        named = {_entry(place, item): item for place, item in enumerate(content, start=1)}
    else:
        named = {"value": content}
    return {name: sha256_text(canonical_json(value))[:PART_DIGITS] for name, value in named.items()}


def compare_with(path: Path, recorded: Digest, *, name: str, line: int, known: Mapping[str, str]) -> Finding | None:
    """What happened to a file since it was recorded; nothing if it is the same.

    Parameters
    ----------
    name
        The file as a person knows it, relative to the workbench.
    line
        Of the ledger that recorded it.
    known
        File names by the sha256 they were recorded with: content that belongs elsewhere was moved.
    """
    if not path.is_file():
        return Finding("deleted", name, "", f"ledger line {line} records it, and it is not there")
    size = path.stat().st_size
    found = sha256_file(path)
    if found == recorded["sha256"]:
        return None
    against = f"differs from ledger line {line}"
    if found in known and known[found] != name:
        return Finding("reordered", name, "", f"{against}: it holds what {known[found]} held")
    where, valid = _where(path, recorded)
    if size < recorded["bytes"] and not valid:
        return Finding("truncated", name, where, f"{against}: {size:,} of {recorded['bytes']:,} bytes")
    return Finding("changed", name, where, against)


def _where(path: Path, recorded: Digest) -> tuple[str, bool]:
    """The parts of a file that differ, as far as they can be told, and whether it can still be read as one."""
    if "parts" not in recorded:
        return "", False
    try:
        now = parts_of(json.loads(path.read_text(encoding="utf-8")))
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is no text", False
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno} is no JSON", False
    before = recorded["parts"]
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    more = f" and {len(changed) - MOST_PARTS} more" if len(changed) > MOST_PARTS else ""
    return (", ".join(changed[:MOST_PARTS]) + more) or "its layout, no value", True


def _entry(place: int, item: Any) -> str:
    day = item.get("day") if isinstance(item, Mapping) else None
    return f"entry {place} ({day})" if day else f"entry {place}"
