"""The short-cut ``driftbook build``: "up to date" in well under a second, otherwise what ``ploomber build`` does.

Loading Ploomber takes seconds before it can say that there is nothing to do. So after a good build one file
remembers the digest of all it depended on and the marks of its products; if both still hold, nothing is run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click

from driftbook.config import Settings, UseCase, load_use_case
from driftbook.config.use_case import DECLARED_SCENARIO
from driftbook.data.scenarios import scenario as find_scenario
from driftbook.errors import DriftbookError, OvertakenError
from driftbook.storage import canonical_json, load_json, sha256_file, sha256_text, write_json
from driftbook.workflow.bind import load_sources, load_tasks, parse_day
from driftbook.workflow.failure import SIGN
from driftbook.workflow.fingerprint import PACKAGE, input_digest, state_digest
from driftbook.workflow.lock import LOCK_HELD, patient_lock
from driftbook.workflow.progress import begin, end, ending, write_progress

ATTEMPTS = 3  # to judge, when others change who is in office meanwhile


@dataclass(frozen=True)
class Built:
    """Outcome of :func:`build`: whether anything ran, and the report's summary."""

    ran: bool
    summary: dict[str, Any]


def build(
    use_case: str,
    *,
    scenario: str = DECLARED_SCENARIO,
    as_of: str | None = None,
    force: bool = False,
    settings: Settings,
) -> Built:
    """Bring the report of a use case up to date.

    Parameters
    ----------
    as_of
        Day of the report; the last day the source can give unless given.
    force
        Run every task, also those that are up to date.

    Raises
    ------
    DriftbookError
        If the build failed, with what Ploomber printed as the reason.
    """
    with ending(settings):
        return _build(use_case, scenario=scenario, as_of=as_of, force=force, settings=settings)


def _build(use_case: str, *, scenario: str, as_of: str | None, force: bool, settings: Settings) -> Built:
    case = load_use_case(use_case, scenario=scenario, settings=settings)
    find_scenario(case.scenario.name)
    day = parse_day(as_of) if as_of else _last_day(case, settings)
    summary = settings.report_folder(case.name, day) / "summary.json"
    if not force and is_up_to_date(case, settings, as_of=day):
        _set_mirror_right(case, settings)
        return Built(ran=False, summary=load_json(summary))
    base, _, variant = case.name.partition("-")
    command = ploomber_command(base, scenario=variant or DECLARED_SCENARIO, as_of=day.isoformat())
    command += ["--force"] if force else []
    with patient_lock(settings):
        environment = {**os.environ, LOCK_HELD: "1", "DRIFTBOOK_ROOT": str(settings.root)}
        begun = begin(
            settings, case.name, as_of=day.isoformat(), states=dict.fromkeys(load_sources(settings), "waiting")
        )
        for attempt in range(1, ATTEMPTS + 1):
            write_progress(settings, begun)
            done = subprocess.run(
                command, cwd=settings.root, env=environment, check=False, stderr=subprocess.PIPE, text=True
            )
            if attempt == ATTEMPTS or done.returncode == 0 or OvertakenError.MEANWHILE not in done.stderr:
                break
            click.echo(f"{SIGN}who is in office was changed during this build; the days are judged anew", err=True)
        if done.returncode != 0:
            fault = failure_of(done, f"the build of {case.name} as of {day}")
            end(settings, "failed", fault)
            raise DriftbookError(fault)
    click.echo(done.stderr, err=True, nl=False)
    return Built(ran=True, summary=load_json(summary))


def ploomber_command(use_case: str, *, scenario: str, as_of: str) -> list[str]:
    """What brings a report up to date, run in the workbench."""
    command = [str(Path(sys.executable).with_name("ploomber")), "build"]
    return [*command, "--env--use_case", use_case, "--env--scenario", scenario, "--env--as_of", as_of]


def failure_of(done: subprocess.CompletedProcess[str], what: str) -> str:
    """Why a build failed: what it said last, or how it ended."""
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return f"{what} was ended by the system ({name}); nothing is half written: build again"
    said = done.stderr.strip().removeprefix(SIGN)
    return said or f"{what} failed without a word (exit code {done.returncode}); build again"


def is_up_to_date(case: UseCase, settings: Settings, *, as_of: date) -> bool:
    """Whether the last good build depended on exactly what lies here now, and its products are untouched."""
    path = _memory_path(case, settings, as_of)
    if not path.exists():
        return False
    memory = load_json(path)
    products = memory["products"]
    if any(_mark(settings.root / name) != mark for name, mark in products.items()):
        return False
    if memory["sources"] != sources_digest(case, settings):
        return False
    mark = _database_mark(settings)
    if memory["database"] == mark:
        return True
    if memory["state"] != state_digest(case, settings, as_of=as_of):
        return False
    write_json(path, {**memory, "database": mark})  # another use case was built: asked once, not at every call
    return True


def remember(case: UseCase, settings: Settings, *, as_of: date, sources: str) -> None:
    """Note that a build ended well, so that the next one can be told "up to date".

    Parameters
    ----------
    sources
        :func:`sources_digest` taken before the build began.
    """
    base, _, variant = case.name.partition("-")
    scenario = variant or DECLARED_SCENARIO
    tasks = load_tasks(settings, use_case=base, scenario=scenario, as_of=as_of.isoformat())
    paths = [path.as_posix() for products in tasks.values() for path in products.values()]
    write_json(
        _memory_path(case, settings, as_of),
        {
            "sources": sources,
            "state": state_digest(case, settings, as_of=as_of),
            "database": _database_mark(settings),
            "products": {path: _mark(settings.root / path) for path in paths},
        },
    )


def sources_digest(case: UseCase, settings: Settings) -> str:
    """Digest of all a build depends on but the state: code, notebooks, pipeline, declaration, raw files."""
    files = [*sorted(PACKAGE.rglob("*.py")), *sorted(PACKAGE.rglob("*.yaml"))]
    files += [*sorted((settings.root / "notebooks").glob("*.ipynb")), settings.root / "pipeline.yaml"]
    digests = {str(path): sha256_file(path) for path in files}
    return sha256_text(canonical_json({"files": digests, "inputs": input_digest(case, settings)}))


def _set_mirror_right(case: UseCase, settings: Settings) -> None:
    """MLflow's aliases, if somebody moved them since the last build."""
    from driftbook.registry import mirror_aliases, mirror_was_moved

    if not mirror_was_moved(settings, case):
        return
    from driftbook.database import open_database
    from driftbook.deployment import load_office

    with open_database(settings.database_url) as database:
        mirror_aliases(settings, case, load_office(database, case.name))


def _last_day(case: UseCase, settings: Settings) -> date:
    """The last day of the source, remembered under the digest of what it depends on."""
    digest = input_digest(case, settings)
    path = settings.state_folder / "builds" / case.name / "last_day.json"
    if path.exists() and (memory := load_json(path))["inputs"] == digest:
        return date.fromisoformat(memory["last_day"])
    from driftbook.data.batches import last_day

    day = last_day(case, settings)
    write_json(path, {"inputs": digest, "last_day": day})
    return day


def _memory_path(case: UseCase, settings: Settings, as_of: date) -> Path:
    return settings.state_folder / "builds" / case.name / f"{as_of.isoformat()}.json"


def _mark(path: Path) -> list[int] | None:
    if not path.exists():
        return None
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _database_mark(settings: Settings) -> list[Any] | None:
    """Size and time of change of a SQLite store; ``None`` for a server, which has to be asked."""
    kind, _, path = settings.database_url.partition(":///")
    if kind != "sqlite":
        return ["server", settings.database_url.partition(":")[0], os.urandom(8).hex()]
    return [_mark(Path(path)), _mark(Path(f"{path}-wal"))]
