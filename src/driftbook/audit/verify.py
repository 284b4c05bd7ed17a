"""Compares everything with the ledger: names the first thing that is not as it was recorded, and where.

The files of the workbench are enough, so an auditor can do it on a copy without a network; the store is compared too
where it is at hand. The order is that of a proof: the ledger itself, signatures, certificates, the reports day by day,
then data and models, then journal and history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from driftbook.audit.certificate import check_certificates
from driftbook.audit.digests import Digest, Finding, compare_with
from driftbook.audit.ledger import Ledger, Line, ledger_path, read_ledger
from driftbook.audit.sealing import load_pending, report_name, sealed_files
from driftbook.audit.signature import check_signatures
from driftbook.audit.store import compare_store
from driftbook.config import Settings
from driftbook.errors import ConfigError, UnknownNameError

SANDBOX = "sandbox"
MOST_FINDINGS = 20


@dataclass(frozen=True)
class Verification:
    """What was compared for one use case, what is not as it was, and what a reader should know besides."""

    use_case: str
    lines: int
    runs: int
    files: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    entries: int = 0

    @property
    def holds(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.findings

    def summary(self) -> str:
        """The outcome in a few lines, the first finding first."""
        store = f", {self.entries:,} journal entries" if self.entries else ""
        counts = {"ledger line": self.lines, "report": self.runs, "file": self.files}
        told = ", ".join(_counted(count, name) for name, count in counts.items())
        compared = f"{told}{store} compared"
        verdict = "as recorded" if self.holds else f"NOT as recorded, {_counted(len(self.findings), 'finding')}"
        hidden = len(self.findings) - MOST_FINDINGS
        shown = [f"  {finding}" for finding in self.findings[:MOST_FINDINGS]]
        more = [f"  … and {hidden:,} more"] if hidden > 0 else []
        return "\n".join(
            [f"{self.use_case}: {verdict} ({compared})", *shown, *more, *(f"  note: {note}" for note in self.notes)]
        )


def recorded_use_cases(settings: Settings) -> list[str]:
    """Use cases that have reports, or had a ledger."""
    reports = (path.parent.parent.name for path in settings.reports_folder.glob("*/????-??-??/*"))
    ledgers = (path.parent.name for path in settings.reports_folder.glob("*/ledger.jsonl"))
    heads = (path.parent.name for path in (settings.state_folder / "ledger").glob("*/head.json"))
    return sorted({*reports, *ledgers, *heads} - {SANDBOX})


def verify(
    settings: Settings, *, use_case: str | None = None, as_of: date | None = None, trusted: Path | None = None
) -> list[Verification]:
    """Compare the reports, data and models of one use case or of all with their ledgers.

    Parameters
    ----------
    as_of
        Only the report of this day, and the data and models it rests on.
    trusted
        File of the public key that must have signed every run.

    Raises
    ------
    ConfigError
        If no such use case, or no report of that day, was ever recorded.
    """
    names = recorded_use_cases(settings)
    if use_case is not None and use_case not in names:
        raise UnknownNameError("recorded use case", use_case, names)
    if not names:
        raise ConfigError("expected a report to verify, found none; build one first: driftbook build")
    return [_verify_one(settings, name, as_of=as_of, trusted=trusted) for name in ([use_case] if use_case else names)]


def _verify_one(settings: Settings, use_case: str, *, as_of: date | None, trusted: Path | None) -> Verification:
    ledger = read_ledger(settings, use_case)
    name = ledger_path(settings, use_case).relative_to(settings.root).as_posix()
    runs = ledger.runs()
    until = None
    if as_of is not None:
        if as_of.isoformat() not in runs and not ledger.findings:
            raise UnknownNameError(f"recorded report of {use_case} as of", as_of.isoformat(), runs)
        runs = {day: line for day, line in runs.items() if day == as_of.isoformat()}
        until = max((line["number"] for line in runs.values()), default=None)
    findings, notes = [*ledger.findings], [*_tombstones(ledger)]
    faults, signed = check_signatures(ledger, name=name, trusted=trusted)
    unfit, repeated = check_certificates(ledger, name=name)
    known = _names_by_digest(ledger)
    files = sealed_files(ledger, until=until)
    findings += [*faults, *unfit]
    for day, line in runs.items():
        noted = load_pending(settings, use_case, date.fromisoformat(day))
        findings += _compare_report(settings, line, noted=noted, known=known, explained=files)
        notes += [f"{day}: a build of this day has not ended yet, {len(noted)} files are not sealed"] if noted else []
    findings += _compare_files(settings, files, known=known)
    if as_of is None:
        unsealed, waiting = _unsealed_reports(settings, use_case, ledger)
        findings, notes = findings + unsealed, notes + waiting
    store = compare_store(settings, use_case, ledger)
    findings += store.findings
    count = len(files) + sum(len(line["products"]) for line in runs.values())
    told = (*signed, *repeated, *notes, *store.notes)
    return Verification(use_case, len(ledger.lines), len(runs), count, tuple(findings), told, store.entries)


def _compare_report(
    settings: Settings,
    line: Line,
    *,
    noted: Mapping[str, Digest],
    known: Mapping[str, str],
    explained: Mapping[str, Any],
) -> Iterator[Finding]:
    """A report's files with the line about it; those that a build is about to replace count as noted meanwhile."""
    for file, digest in line["products"].items():
        recorded, name = noted.get(file, digest), report_name(line, file)
        if recorded and name not in explained:
            found = compare_with(settings.root / name, recorded, name=name, line=line["number"], known=known)
            yield from [found] if found else []


def _compare_files(
    settings: Settings, files: Mapping[str, tuple[Digest | None, int]], *, known: Mapping[str, str]
) -> Iterator[Finding]:
    for name, (digest, number) in files.items():
        path = settings.root / name
        if digest is None:
            if path.exists():
                yield Finding("added", name, "", f"ledger line {number} says that it was removed, and it is there")
            continue
        found = compare_with(path, digest, name=name, line=number, known=known)
        yield from [found] if found else []


def _unsealed_reports(settings: Settings, use_case: str, ledger: Ledger) -> tuple[list[Finding], list[str]]:
    """Reports that no line speaks of: unfinished ones, or ones that nobody recorded."""
    findings, notes = [], []
    for folder in sorted((settings.reports_folder / use_case).glob("????-??-??")):
        if folder.name in ledger.runs() or not any(path.is_file() for path in folder.iterdir()):
            continue
        if _is_day(folder.name) and load_pending(settings, use_case, date.fromisoformat(folder.name)):
            notes.append(f"{folder.name}: its first build has not ended yet, nothing of it is sealed")
            continue
        name = folder.relative_to(settings.root).as_posix()
        findings.append(Finding("added", name, "", "no line of the ledger speaks of this report"))
    return findings, notes


def _tombstones(ledger: Ledger) -> list[str]:
    return [
        f"line {line['number']}: {len(line['files'])} files were edited or removed"
        f"{_erased(line.get('log_rows', 0))} on purpose by {line['by']} on {line['at'][:10]}: {line['reason']}"
        for line in ledger.lines
        if line["kind"] == "tombstone"
    ]


def _erased(rows: int) -> str:
    return f" and {_counted(rows, 'row')} of the prediction log erased" if rows else ""


def _names_by_digest(ledger: Ledger) -> dict[str, str]:
    """Which file each recorded content belongs to."""
    names = {digest["sha256"]: name for name, (digest, _) in sealed_files(ledger).items() if digest}
    for line in ledger.runs().values():
        names |= {digest["sha256"]: report_name(line, file) for file, digest in line["products"].items()}
    return names


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"
