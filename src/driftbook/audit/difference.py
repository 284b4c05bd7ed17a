"""How two runs differ, on one screen: verdicts, decisions, canonical numbers, and what moved them.

Only records are compared, never pictures or prose about them, so two identical runs differ in nothing. What moved them
is read from the manifests: input, code, packages, parameters, declaration, policy, seed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from driftbook.config import Settings
from driftbook.errors import DataError, StateError
from driftbook.storage import canonical_json, load_json

VERDICTS = ("status", "decision", "champion", "challenger", "drifted_columns")
NUMBERS = ("champion.json", "challenger.json", "drift_status.json")
CAUSES = {
    "parameters": "parameters",
    "seed": "seed",
    "declaration_sha256": "declaration",
    "policy": "policy",
    "policy_sha256": "policy's numbers",
    "source_sha256": "code of driftbook",
    "git": "git commit",
    "lock_sha256": "locked packages",
    "driftbook": "version of driftbook",
}
FILES = {"raw": "raw files", "batches": "batches", "targets": "target files", "models": "model files"}
MOST_LINES = 12  # of a kind: all four together fit a screen
SHORT = 12
_DIGEST = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class Difference:
    """One thing that differs: ``kind`` is ``verdict``, ``day``, ``number`` or ``moved by``."""

    kind: str
    what: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.kind:<9}{self.what}: {_shown(self.before)} → {_shown(self.after)}"


def compare_runs(before: Path, after: Path) -> list[Difference]:
    """What differs between two reports, verdicts first; nothing for two identical runs.

    Parameters
    ----------
    before, after
        Report folders.

    Raises
    ------
    DataError
        If one is no report.
    """
    for folder in (before, after):
        if not (folder / "manifest.json").is_file():
            raise DataError(f"expected a report in {folder}, found no manifest.json there; give a folder or its day")
    return [
        *_verdicts(before, after),
        *_days(_record(before, "story.json") or [], _record(after, "story.json") or []),
        *_numbers(before, after),
        *_moved(_record(before, "manifest.json"), _record(after, "manifest.json")),
    ]


def describe_differences(differences: list[Difference]) -> str:
    """A line each, so many of a kind that all fit a screen; empty for none."""
    lines = []
    for kind in dict.fromkeys(each.kind for each in differences):
        same = [each for each in differences if each.kind == kind]
        lines += [str(each) for each in same[:MOST_LINES]]
        hidden = len(same) - MOST_LINES
        lines += [f"{kind:<9}… and {hidden:,} more"] if hidden > 0 else []
    return "\n".join(lines)


def report_of(text: str, *, use_case: str, settings: Settings) -> Path:
    """The report folder that a person means by a folder or by a day.

    Raises
    ------
    DataError
        If there is no such report.
    """
    try:
        folder = settings.report_folder(use_case, date.fromisoformat(text))
    except ValueError:
        folder = Path(text)
    if not folder.is_dir():
        reports = settings.report_folder(use_case, date.min).parent
        days = sorted(path.parent.name for path in reports.glob("????-??-??/manifest.json"))
        there = f"its latest report is of {days[-1]}" if days else "it has no report yet: build it first"
        raise DataError(f"expected a report folder or a day like 2026-06-30 of {use_case}, found {text!r}; {there}")
    return folder


def _verdicts(before: Path, after: Path) -> Iterator[Difference]:
    old, new = (_record(folder, "summary.json") or {} for folder in (before, after))
    for name in VERDICTS:
        if old.get(name) != new.get(name):
            yield Difference("verdict", name.replace("_", " "), old.get(name), new.get(name))


def _days(old: list[Mapping[str, Any]], new: list[Mapping[str, Any]]) -> Iterator[Difference]:
    """Days that both judged and judged otherwise, then days that only one judged."""
    first, second = ({entry["day"]: entry for entry in story} for story in (old, new))
    for day in sorted({*first} & {*second}):
        for name, value in _judged(first[day]).items():
            other = _judged(second[day])[name]
            if value != other:
                yield Difference("day", f"{day} {name}", value, other)
    for place, only in enumerate((sorted({*first} - {*second}), sorted({*second} - {*first}))):
        if only:
            told = f"{only[0]} to {only[-1]}" if len(only) > 1 else only[0]
            yield Difference("day", "judged", *((told, "not judged") if place == 0 else ("not judged", told)))


def _judged(entry: Mapping[str, Any]) -> dict[str, Any]:
    decision, accuracy, watch = entry["decision"], entry.get("accuracy") or {}, entry.get("watch") or {}
    return {
        "alarm": "yes" if entry["drift"]["alarmed"] else "no",
        "drifted columns": entry["drift"]["drifted_columns"],
        "decision": f"{decision['kind']}: {decision['action']}",
        "watch over the champion": watch.get("action"),
        "changes": [f"{each['action']} {each['version']}" for each in entry["changes"]],
        "in office": entry["office"],
        "accuracy": accuracy.get("value"),
        "largest excess": entry["drift"].get("top_excess"),
    }


def _numbers(before: Path, after: Path) -> Iterator[Difference]:
    """Numbers of the records that differ, those that moved most first."""
    moved = []
    for name in NUMBERS:
        old, new = (dict(_leaves(_record(folder, name))) for folder in (before, after))
        for place in {*old, *new}:
            first, second = old.get(place), new.get(place)
            if first != second:
                moved.append((-_size(first, second), Difference("number", f"{name}, {place}", first, second)))
    for _, difference in sorted(moved, key=lambda each: (each[0], each[1].what)):
        yield difference


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for key, words in CAUSES.items():
        if old.get(key) != new.get(key):
            yield Difference("moved by", words, old.get(key), new.get(key))
    for key, words in FILES.items():
        first, second = (dict(_leaves(each.get(key), texts=True)) for each in (old, new))
        added, lost = sorted({*second} - {*first}), sorted({*first} - {*second})
        changed = sorted(name for name in {*first} & {*second} if first[name] != second[name])
        told = [
            f"{len(names):,} {verb}"
            for names, verb in ((added, "more"), (lost, "fewer"), (changed, "changed"))
            if names
        ]
        if told:
            names = ", ".join([*changed, *added, *lost][:3])
            yield Difference("moved by", words, f"{len(first):,} files", f"{', '.join(told)} ({names})")


def _leaves(value: Any, place: str = "", *, texts: bool = False) -> Iterator[tuple[str, Any]]:
    """Every number of a record (every value with ``texts``) by where it stands."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else str(key), texts=texts)
    elif isinstance(value, list):
        for number, inner in enumerate(value, start=1):
            yield from _leaves(inner, f"{place} {number}", texts=texts)
    elif texts or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield place, value


def _size(first: float | None, second: float | None) -> float:
    """How far a number moved, relative to its size; one that came or went is told last."""
    if first is None or second is None:
        return 0.0
    return abs(second - first) / max(abs(first), abs(second))


def _record(folder: Path, name: str) -> Any:
    try:
        return load_json(folder / name)
    except StateError:
        if name == "manifest.json":
            raise
        return None


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else canonical_json(value)
    return _DIGEST.sub(lambda found: f"{found[0][:SHORT]}…", text)
