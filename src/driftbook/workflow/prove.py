"""What a person does to prove or to explain a record: under the build's lock where the ledger grows."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from driftbook.audit.ledger import Line
from driftbook.config import Policy, Settings, load_use_case
from driftbook.errors import ConfigError, StateError
from driftbook.workflow.lock import patient_lock
from driftbook.workflow.notebook import mask

if TYPE_CHECKING:
    from driftbook.audit.replay import Replay
    from driftbook.data.erasing import Traces


def sign(use_case: str, key: Path, *, settings: Settings) -> Line:
    """Sign the ledger of a use case with a person's key."""
    from driftbook.audit.signature import sign_ledger

    with patient_lock(settings):
        return sign_ledger(settings, use_case, key, by=getpass.getuser(), now=datetime.now(UTC))


def tombstone(use_case: str, files: Sequence[Path], *, reason: str, settings: Settings) -> Line:
    """Record that files of a use case were edited or removed on purpose; secrets in the reason are masked."""
    from driftbook.audit.sealing import seal_tombstone

    told = mask(reason, settings.root)
    with patient_lock(settings):
        return seal_tombstone(settings, use_case, files, reason=told, by=getpass.getuser(), now=datetime.now(UTC))


@dataclass(frozen=True)
class Erased:
    """What was found of a person in one use case or variant, and the ledger's line about its removal."""

    use_case: str
    traces: Traces
    line: Line | None
    dry_run: bool

    def summary(self, root: Path) -> str:
        """Rows by kind of file, then what is not changed and has to be looked at by a person."""
        counts: dict[str, int] = {}
        for path, rows in self.traces.rows.items():
            kind = path.relative_to(root).parts[0 if path.is_relative_to(root / "reports") else 2]
            counts[kind] = counts.get(kind, 0) + rows
        found = ", ".join(f"{kind} {rows:,}" for kind, rows in sorted(counts.items()))
        lines = [
            f"{self.use_case}: {sum(counts.values()):,} rows in {len(self.traces.rows):,} files ({found or 'none'})"
        ]
        if self.traces.log.rows:
            said = "" if self.dry_run else ", erased"
            found = f"{len(self.traces.log.predictions):,} predictions, {self.traces.log.targets:,} targets"
            lines.append(f"  in the log of its prediction service: {found}{said}")
        if self.line:
            lines.append(f"  erased, recorded in line {self.line['number']} of its ledger")
        if self.traces.models:
            lines.append(f"  learned from them, and not changed: {', '.join(self.traces.models)}")
        for what, paths in (("pages that show the identifier", self.traces.pages), ("still in", self.traces.raw)):
            if paths:
                lines.append(f"  {what}, and not changed: {', '.join(_shown(path, root) for path in paths)}")
        return "\n".join(lines)


def erase(use_case: str, identifier: str, *, reason: str, dry_run: bool, settings: Settings) -> list[Erased]:
    """Take a person's rows out of the files and prediction logs of a use case and its variants; tell their ledgers.

    Raises
    ------
    ConfigError
        If there is no reason, or it names the person.
    StateError
        If a build has not ended: its files are not on record yet; or a prediction log cannot be searched.
    """
    from driftbook.data.erasing import erase as rewrite
    from driftbook.data.erasing import find_traces, finish_erasing, is_erasing

    told = mask(reason, settings.root)
    if not told.strip() or identifier in told:
        raise ConfigError("expected a reason that does not name the person, for it stays in the ledger for ever")
    names = [path.name for path in sorted(settings.root.glob(f"data/{use_case}*")) if _is_of(path.name, use_case)]
    done = []
    with patient_lock(settings):
        for name in names or [use_case]:
            case = load_use_case(name, settings=settings)
            traces = find_traces(case, settings, identifier)
            line = None
            if not dry_run:
                _require_ended(settings, name)
                paths = rewrite(case, settings, identifier, traces)
                if is_erasing(case, settings):
                    line = _explain(settings, name, paths, log_rows=traces.log.rows, reason=told)
                    finish_erasing(case, settings)
            done.append(Erased(name, traces, line, dry_run=dry_run))
    return done


def _explain(settings: Settings, use_case: str, paths: Sequence[Path], *, log_rows: int, reason: str) -> Line:
    """A tombstone for those of the files that are on record, and for rows of the prediction log, which is on none."""
    from driftbook.audit.ledger import read_ledger
    from driftbook.audit.sealing import recorded_files, seal_tombstone

    known = recorded_files(read_ledger(settings, use_case))
    files = [path for path in paths if path.relative_to(settings.root).as_posix() in known]
    by, now = getpass.getuser(), datetime.now(UTC)
    return seal_tombstone(settings, use_case, files, log_rows=log_rows, reason=reason, by=by, now=now)


def _is_of(name: str, use_case: str) -> bool:
    return name == use_case or name.startswith(f"{use_case}-")


def _require_ended(settings: Settings, use_case: str) -> None:
    from driftbook.audit.store import running_days

    running = sorted(running_days(settings, use_case))
    if running:
        raise StateError(
            f"the build of {use_case} as of {running[0]} has not ended, so its files are not on record yet; "
            f"end it first: driftbook build --use-case {use_case} --as-of {running[0]}"
        )


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def replay_reports(
    settings: Settings, *, use_case: str | None, as_of: date | None, every: bool, policy: Policy | None
) -> list[Replay]:
    """Replay the reports a person means: of one use case or all, of one day, the latest, or every one."""
    from driftbook.audit.replay import replay, reported_days
    from driftbook.audit.verify import recorded_use_cases

    names = [use_case] if use_case else [name for name in recorded_use_cases(settings) if reported_days(settings, name)]
    if not names:
        raise ConfigError("expected a report to replay, found none; build one first: driftbook build")
    if every and as_of is not None:
        raise ConfigError("--all replays the report of every day and --as-of names one; give one of the two")
    wanted: list[tuple[str, date | None]] = []
    for name in names:
        days: list[date | None] = [*reported_days(settings, name)] if every else []
        wanted += [(name, day) for day in days or [as_of]]
    return [replay(settings, name, as_of=day, policy=policy) for name, day in wanted]
