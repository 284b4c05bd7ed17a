"""Runs a reported run once more, in a scratch folder, from what it had then: does the same come out?

A scratch workbench is laid out with the notebooks as the report holds them, the batches and targets that were on record
when the run was sealed, its declaration, and a store with the journal and the orders from before it. Models that it
trained are trained anew; those of earlier runs are given, as they were then. Nobody is notified, no store of the
workbench is written, and of the workbench itself only the ledger grows, by the certificate. The code is the code of
today: if it is not that of the run, the outcome says so.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from driftbook.audit.certificate import Repetition, append_certificate, compare_repetition
from driftbook.audit.ledger import Ledger, Line, read_ledger
from driftbook.audit.sealing import sealed_files
from driftbook.audit.verify import recorded_use_cases, verify
from driftbook.config import Settings
from driftbook.config.use_case import DECLARED_SCENARIO
from driftbook.data.ingestion import KINDS, close_folder, partition_date
from driftbook.database import open_database
from driftbook.deployment import past_of, put_back
from driftbook.errors import DriftbookError, StateError, UnknownNameError
from driftbook.notify import CHANNELS
from driftbook.storage import load_json, write_text
from driftbook.workflow.bind import load_tasks
from driftbook.workflow.build import failure_of, ploomber_command
from driftbook.workflow.lock import LOCK_HELD, patient_lock
from driftbook.workflow.notebook import before_execution

PIPELINE = ("pipeline.yaml", "env.yaml", "requirements.lock")
OWN_STORES = ("DRIFTBOOK_DATABASE_URL", "DRIFTBOOK_MLFLOW_URL")


def rerun(
    settings: Settings, *, use_case: str | None, as_of: date, keep: Path | None = None
) -> tuple[Repetition, Line]:
    """Repeat the run of a day and append a certificate to the ledger; what differed, and the certificate's line.

    Parameters
    ----------
    use_case
        The one whose report it is; may be left out where only one has a report of that day.
    keep
        Where the scratch workbench shall stay to be looked at; removed unless given.

    Raises
    ------
    StateError
        If the report is not as recorded, or what it was made from is gone: there is nothing to repeat then.
    DriftbookError
        If the notebooks cannot be executed any more.
    """
    name = use_case or _only_case(settings, as_of)
    with _scratch(keep) as folder:
        scratch = Settings(root=folder)
        with patient_lock(settings):
            [outcome] = verify(settings, use_case=name, as_of=as_of)
            if not outcome.holds:
                raise StateError(f"only a report that is as recorded can be repeated. {outcome.summary()}")
            ledger = read_ledger(settings, name)
            line = ledger.runs()[as_of.isoformat()]
            altered = _lay_out(settings, ledger, line, scratch)
        _execute(scratch, settings, line)
        repetition = compare_repetition(
            settings.report_folder(name, as_of),
            scratch.report_folder(name, as_of),
            _in_order(settings, line),
            line=line,
            altered=altered,
        )
        with patient_lock(settings):
            by, now = getpass.getuser(), datetime.now(UTC)
            return repetition, append_certificate(settings, repetition, run=line, by=by, now=now)


@contextmanager
def _scratch(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="driftbook-rerun-") as folder:
            yield Path(folder).resolve()
        return
    if keep.exists():
        raise StateError(f"{keep} is there already; expected a new folder: give another to --keep")
    keep.mkdir(parents=True)
    yield keep.resolve()


def _only_case(settings: Settings, as_of: date) -> str:
    """The use case that has a report of that day, if there is just one."""
    names = [name for name in recorded_use_cases(settings) if as_of.isoformat() in read_ledger(settings, name).runs()]
    if len(names) > 1:
        raise StateError(f"{', '.join(names)} have a report of {as_of}; say which with --use-case")
    if not names:
        raise UnknownNameError("recorded report as of", as_of.isoformat(), _recorded_days(settings))
    return names[0]


def _recorded_days(settings: Settings) -> set[str]:
    return {day for name in recorded_use_cases(settings) for day in read_ledger(settings, name).runs()}


def _lay_out(settings: Settings, ledger: Ledger, line: Line, scratch: Settings) -> int:
    """Fill a scratch folder with what the run had; the number of files that were edited or removed on purpose since."""
    name, as_of = line["use_case"], date.fromisoformat(line["as_of"])
    for file in PIPELINE:
        if (settings.root / file).is_file():
            shutil.copyfile(settings.root / file, scratch.root / file)
    for file in line["products"]:
        if file.endswith(".ipynb"):
            notebook = before_execution(load_json(settings.report_folder(name, as_of) / file))
            text = json.dumps(notebook, indent=1, ensure_ascii=False)
            write_text(scratch.root / "notebooks" / file, f"{text}\n")
    scratch.reports_folder.mkdir()
    _declare(settings, line, scratch)
    altered = _link_files(settings, ledger, line, scratch)
    earlier = [each for each in ledger.lines if each["kind"] == "run" and each["number"] < line["number"]]
    historic = any(each["as_of"] > line["as_of"] for each in earlier)
    with open_database(settings.database_url) as database:
        past = past_of(database, name, as_of, revision=line.get("revision"), at=line["at"], historic=historic)
    with open_database(f"sqlite:///{scratch.state_folder / 'driftbook.db'}") as database:
        put_back(database, name, past)
    return altered


def _declare(settings: Settings, line: Line, scratch: Settings) -> None:
    """The use case as it was declared for the run; as it is now, where the manifest does not hold it."""
    base, _, variant = line["use_case"].partition("-")
    manifest = load_json(settings.report_folder(line["use_case"], date.fromisoformat(line["as_of"])) / "manifest.json")
    path = scratch.data_folder(base) / "usecase.yaml"
    path.parent.mkdir(parents=True)
    declared = dict(manifest.get("declaration") or {})
    if not declared:
        shutil.copyfile(settings.data_folder(base) / "usecase.yaml", path)
        return
    del declared["name"]
    declared["title"] = declared["title"].removesuffix(f", scenario {variant}")
    write_text(path, yaml.safe_dump(declared, sort_keys=False, allow_unicode=True))


def _link_files(settings: Settings, ledger: Ledger, line: Line, scratch: Settings) -> int:
    """Batches and targets that were on record then, up to the day, the raw files, models that earlier runs trained.

    Links, not copies: files are only ever replaced by renaming, which replaces the link.

    Returns
    -------
    How many of them were edited or removed on purpose since.

    Raises
    ------
    StateError
        If the run's batches are on record no more.
    """
    recorded = sealed_files(ledger, until=line["number"])
    wanted = [file for file in recorded if _had(settings, ledger, file, line)]
    folder = settings.data_folder(line["use_case"])
    if not any((settings.root / file).is_relative_to(folder / "batches") for file in wanted):
        raise StateError(
            f"the batches of {line['use_case']} that the run of {line['as_of']} read are on record no more "
            "(a reset has forgotten them, or they were removed on purpose), so it cannot be repeated"
        )
    for file in wanted:
        if (settings.root / file).is_file():
            (scratch.root / file).parent.mkdir(parents=True, exist_ok=True)
            (scratch.root / file).symlink_to((settings.root / file).resolve())
    close_folder(scratch.data_folder(line["use_case"]))
    raw, there = settings.raw_folder(line["use_case"]), scratch.raw_folder(line["use_case"])
    if raw.is_dir():
        there.symlink_to(raw.resolve(), target_is_directory=True)
    return sum(recorded[file][1] > line["number"] for file in wanted)


def _had(settings: Settings, ledger: Ledger, file: str, line: Line) -> bool:
    """Whether a recorded file was there for the run to read; it makes predictions and models of its own anew."""
    path = settings.root / file
    if path.is_relative_to(settings.models_folder(line["use_case"])):
        return _sealed_before(ledger, file, line)
    folder = settings.data_folder(line["use_case"])
    is_data = path.is_relative_to(folder) and path.relative_to(folder).parts[0] in KINDS
    return is_data and partition_date(path) <= date.fromisoformat(line["as_of"])


def _sealed_before(ledger: Ledger, file: str, line: Line) -> bool:
    """Whether a model file was made by a run of an earlier day, before this run."""
    makers = [each for each in ledger.lines if each["kind"] == "run" and file in each["files"]]
    return any(each["number"] < line["number"] and each["as_of"] < line["as_of"] for each in makers)


def _execute(scratch: Settings, settings: Settings, line: Line) -> None:
    base, _, variant = line["use_case"].partition("-")
    command = ploomber_command(base, scenario=variant or DECLARED_SCENARIO, as_of=line["as_of"])
    done = subprocess.run(
        command, cwd=scratch.root, env=_environment(scratch, settings), check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        what = f"the repetition of {line['use_case']} as of {line['as_of']}"
        raise DriftbookError(f"{what} failed: {failure_of(done, what)}")


def _environment(scratch: Settings, settings: Settings) -> dict[str, str]:
    """Of this process, without stores of its own and without channels; what git says is said of the workbench."""
    left_out = {LOCK_HELD, *OWN_STORES, *(variable for variable, _ in CHANNELS.values())}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "DRIFTBOOK_ROOT": str(scratch.root), **_git_of(settings.root)}


def _git_of(root: Path) -> Mapping[str, str]:
    told = {}
    for variable, question in (("GIT_DIR", "--absolute-git-dir"), ("GIT_WORK_TREE", "--show-toplevel")):
        try:
            done = subprocess.run(
                ["git", "-C", str(root), "rev-parse", question], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            return {}
        if done.returncode != 0:
            return {}
        told[variable] = done.stdout.strip()
    return told


def _in_order(settings: Settings, line: Line) -> list[str]:
    """File names of the report in the order in which its tasks make them, notebooks before their pages."""
    parameters: dict[str, Any] = line["run"].get("parameters") or {}
    tasks = load_tasks(settings, **parameters)
    made = [path.name for products in tasks.values() for path in products.values()]
    return [*(name for name in made if name in line["products"]), *sorted(set(line["products"]) - set(made))]
