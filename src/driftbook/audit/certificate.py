"""Whether a run can be repeated: what it made, beside what its repetition made, and a line of the ledger that says so.

A certificate names the line of the run it is about by number and digest, says what was compared and what differs, and
holds the digest of every file that was made anew. It is chained like every line, so it cannot be made up later without
writing all that follows anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from driftbook.audit.difference import CAUSES
from driftbook.audit.digests import Finding, parts_of
from driftbook.audit.ledger import Ledger, Line, append_line
from driftbook.audit.manifest import DETERMINANTS
from driftbook.audit.replay import differences
from driftbook.config import Settings
from driftbook.storage import canonical_json, read_parquet, sha256_file

KIND = "certificate"
KINDS = {".ipynb": "notebooks", ".json": "records", ".parquet": "tables", ".html": "pages"}
MOST_NAMED = 10
LONGEST_PLACE = 200
_MARKUP = re.compile(r"<style.*?</style>|<[^>]*>", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Where two files differ, and how: only the first goes into the ledger, for the second may be data of a person."""

    where: str
    how: str = ""

    def __str__(self) -> str:
        text = ": ".join(filter(None, [self.where, self.how]))
        return text if len(text) <= LONGEST_PLACE else f"{text[: LONGEST_PLACE - 1]}…"


@dataclass(frozen=True)
class Repetition:
    """A run and its repetition: files compared, those that differ with the first place, what had changed meanwhile."""

    use_case: str
    as_of: str
    made: Mapping[str, str]
    cells: int
    differs: Mapping[str, Place]
    changed: tuple[str, ...]

    @property
    def reproduced(self) -> bool:
        """Whether every file came out the same, byte for byte."""
        return not self.differs

    @property
    def counts(self) -> dict[str, int]:
        """Files compared, by what they are."""
        found = {kind: sum(name.endswith(ending) for name in self.made) for ending, kind in KINDS.items()}
        return {kind: number for kind, number in found.items() if number}

    def summary(self) -> str:
        """The outcome in a few lines, the first difference first."""
        compared = ", ".join(f"{number:,} {kind}" for kind, number in self.counts.items())
        head = f"{self.use_case}, report of {self.as_of}: "
        if self.reproduced:
            head += f"reproduced exactly ({compared}; {self.cells:,} cells)"
        else:
            head += f"NOT reproduced, {len(self.differs):,} of {len(self.made):,} files differ ({compared})"
        lines = [f"  {name}: {place}" for name, place in self.differs.items()]
        hidden = [f"  … and {len(lines) - MOST_NAMED:,} more"] if len(lines) > MOST_NAMED else []
        meanwhile = [f"  changed since that run: {', '.join(self.changed)}"] if self.changed else []
        return "\n".join([head, *lines[:MOST_NAMED], *hidden, *meanwhile])


def compare_repetition(
    recorded: Path, repeated: Path, names: Sequence[str], *, line: Line, altered: int = 0
) -> Repetition:
    """Compare the files of a report with those that its repetition made.

    Parameters
    ----------
    recorded, repeated
        The two report folders; the files of the first are as the ledger has them.
    names
        Files to compare, in the order in which they are made.
    line
        Of the ledger, about the run.
    altered
        Files that the run read and that were edited or removed on purpose since.
    """
    made = {name: sha256_file(repeated / name) if (repeated / name).is_file() else "" for name in names}
    differs = {
        name: first_place(recorded / name, repeated / name)
        for name in names
        if made[name] != line["products"][name]["sha256"]
    }
    notebooks = [json.loads((recorded / name).read_text(encoding="utf-8")) for name in names if name.endswith(".ipynb")]
    then, now = line["run"], _determinants(repeated / "manifest.json")
    changed = [CAUSES.get(key, key) for key in DETERMINANTS if then.get(key) != now.get(key)]
    changed += [f"{altered:,} files edited or removed on purpose"] if altered else []
    cells = sum(len(each["cells"]) for each in notebooks)
    return Repetition(line["use_case"], line["as_of"], made, cells, differs, tuple(changed))


def first_place(recorded: Path, repeated: Path) -> Place:
    """The first place where two files of a report differ: a cell, a key with both values, a column.

    Parameters
    ----------
    recorded, repeated
        Files that differ; the second one may be missing.
    """
    if not repeated.is_file():
        return Place("was not made")
    if recorded.suffix == ".ipynb":
        return _first_cell(*(json.loads(path.read_text(encoding="utf-8")) for path in (recorded, repeated)))
    if recorded.suffix == ".json":
        contents = (json.loads(path.read_text(encoding="utf-8")) for path in (recorded, repeated))
        where, _, how = next(differences(*contents), "its layout, no value").partition(": ")
        return Place(where.strip(), how)
    if recorded.suffix == ".parquet":
        return _first_column(recorded, repeated)
    return Place(f"{recorded.stat().st_size:,} bytes → {repeated.stat().st_size:,} bytes")


def append_certificate(settings: Settings, repetition: Repetition, *, run: Line, by: str, now: datetime) -> Line:
    """Put the outcome of a repetition into the ledger, whichever it is.

    Parameters
    ----------
    run
        The line of the ledger that was repeated.
    by, now
        Who repeated it, and when.
    """
    content = {
        "kind": KIND,
        "as_of": run["as_of"],
        "run": run["number"],
        "run_sha256": run["sha256"],
        "reproduced": repetition.reproduced,
        "compared": {**repetition.counts, "cells": repetition.cells},
        "differs": [[name, place.where] for name, place in repetition.differs.items()],
        "changed_since": list(repetition.changed),
        "made": dict(repetition.made),
    }
    return append_line(settings, repetition.use_case, content, by=by, now=now)


def check_certificates(ledger: Ledger, *, name: str) -> tuple[list[Finding], list[str]]:
    """Findings on certificates that do not fit the run they are about, and what the newest one of each run says.

    Parameters
    ----------
    name
        Of the ledger, for findings.
    """
    runs = {line["number"]: line for line in ledger.lines if line["kind"] == "run"}
    in_force = {line["number"] for line in ledger.runs().values()}
    findings, told = [], {}
    for line in ledger.lines:
        if line["kind"] != KIND:
            continue
        fault = _fault(line, runs.get(line["run"]))
        if fault:
            findings.append(Finding("changed", name, f"line {line['number']}", fault))
        else:
            told[line["run"]] = _told(line, in_force=line["run"] in in_force)
    return findings, list(told.values())


def _fault(line: Line, run: Line | None) -> str:
    """What keeps a certificate from being one of that run."""
    if run is None:
        return f"it is about line {line['run']}, and that is no run"
    if line["run_sha256"] != run["sha256"] or line["as_of"] != run["as_of"]:
        return f"it is about another line {line['run']} than the one that is there"
    same = {file for file, digest in run["products"].items() if line["made"].get(file) == digest["sha256"]}
    if set(run["products"]) - same != {file for file, _ in line["differs"]} or line["reproduced"] == bool(
        line["differs"]
    ):
        return "it does not say what its own digests say"
    return ""


def _told(line: Line, *, in_force: bool) -> str:
    which = f"{line['as_of']}" if in_force else f"{line['as_of']}, an earlier build of it (line {line['run']})"
    when = f"on {line['at'][:10]} by {line['by']} (line {line['number']})"
    if line["reproduced"]:
        return f"{which}: reproduced exactly {when}"
    first, place = line["differs"][0]
    meanwhile = f"; changed since the run: {', '.join(line['changed_since'])}" if line["changed_since"] else ""
    return f"{which}: repeated {when}, {len(line['differs'])} files differ, first {first}, {place}{meanwhile}"


def _first_cell(before: Mapping[str, Any], after: Mapping[str, Any]) -> Place:
    """The first cell that differs, by its number, and whether its text or its output does."""
    for number, (old, new) in enumerate(zip(before["cells"], after["cells"], strict=False), start=1):
        if old != new:
            return _place_of_cell(number, old, new)
    if len(before["cells"]) != len(after["cells"]):
        return Place(f"{len(before['cells'])} cells → {len(after['cells'])} cells")
    parts, now = parts_of(before), parts_of(after)
    return Place(next((name for name in parts if parts[name] != now.get(name)), "its layout, no cell"))


def _place_of_cell(number: int, old: Mapping[str, Any], new: Mapping[str, Any]) -> Place:
    if old["source"] != new["source"]:
        return Place(f"cell {number}, {'code' if old['cell_type'] == 'code' else 'text'}")
    before, after = (list(_lines(cell.get("outputs", []))) for cell in (old, new))
    pair = next(((one, two) for one, two in zip(before, after, strict=False) if one != two), None)
    return Place(f"cell {number}, output", f"{pair[0]} → {pair[1]}" if pair else "")


def _lines(outputs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a person reads of a cell's outputs, line by line; then all of it as digests."""
    for output in outputs:
        shown = {"text/plain": output.get("text", ""), **output.get("data", {})}
        for kind in sorted(shown, reverse=True):
            content = shown[kind]
            text = "".join(content) if isinstance(content, list | str) else ""
            yield from filter(None, (line.strip() for line in _MARKUP.sub("\n", text).splitlines()))
    yield from (f"sha256 {parts_of(output)['value']}" for output in map(canonical_json, outputs))


def _first_column(recorded: Path, repeated: Path) -> Place:
    before, after = read_parquet(recorded), read_parquet(repeated)
    if before.shape != after.shape or before.columns != after.columns:
        sizes = [f"{frame.height:,} rows of {frame.width} columns" for frame in (before, after)]
        return Place(" → ".join(sizes))
    for name in before.columns:
        if not before[name].equals(after[name], null_equal=True):
            pairs = zip(before[name].to_list(), after[name].to_list(), strict=True)
            row, (old, new) = next((row, pair) for row, pair in enumerate(pairs, start=1) if pair[0] != pair[1])
            return Place(f"column {name}, row {row:,}", f"{old} → {new}")
    return Place("its layout, no value")


def _determinants(manifest: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return content
