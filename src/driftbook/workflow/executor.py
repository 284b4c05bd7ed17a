"""What Ploomber calls: our executor, the notebook engine, and the hooks after each task.

``pipeline.yaml`` names :func:`make_executor`, which Ploomber calls before it looks at any task. That is the
moment to take the workbench's lock and to write the fingerprints the tasks refer to. Each notebook runs in a
fresh kernel; nothing reaches the disk before it has run to its end, then normalised and whole.
"""

from __future__ import annotations

import getpass
import os
import time
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import LocalHandler, papermill_io
from ploomber.constants import TaskStatus
from ploomber.exceptions import BaseException as PloomberMessage
from ploomber.exceptions import DAGBuildError
from ploomber.executors import Serial

from driftbook.audit.sealing import note_products, seal_run
from driftbook.config import Settings, UseCase, load_use_case
from driftbook.data.scenarios import scenario as find_scenario
from driftbook.database import open_database
from driftbook.deployment import load_stored
from driftbook.errors import DriftbookError
from driftbook.notify import ALERT_LOG
from driftbook.processor import choose_sort
from driftbook.storage import load_json, sweep
from driftbook.timeline.verdict import printed
from driftbook.workflow.bind import load_sources, parse_day
from driftbook.workflow.build import remember, sources_digest
from driftbook.workflow.failure import SIGN, describe_failure, describe_refusal
from driftbook.workflow.fingerprint import state_digest, write_fingerprints
from driftbook.workflow.lock import LOCK_HELD, patient_lock
from driftbook.workflow.notebook import mask, trust, write_normalised
from driftbook.workflow.progress import TaskState, begin, end, ending, note_task

STATES: dict[Any, TaskState] = {TaskStatus.Skipped: "skipped"}  # Ploomber's word for a task that is up to date


class WholeNotebookEngine(NBClientEngine):  # type: ignore[misc]
    """Executes a notebook without saving it after each cell: papermill saves it once, at the end."""

    started = 0.0

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str | None = None, **options: Any) -> Any:
        """As papermill's own, without the path to save to meanwhile."""
        cls.started = time.monotonic()
        click.echo(f"  {Path(output_path or 'notebook').stem.replace('_', ' '):<26}", nl=False)
        # nothing is left to do in a kernel whose last cell has run: it need not be asked to end politely
        return super().execute_notebook(nb, kernel_name, output_path=None, shutdown_kernel="immediate", **options)


class NormalisingHandler(LocalHandler):  # type: ignore[misc]
    """Writes notebooks normalised and atomically, below one workbench."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, buf: str, path: str) -> None:
        """Write a notebook's text."""
        write_normalised(buf, Path(path), self.root)


class BuildFailedError(DAGBuildError):  # type: ignore[misc]
    """Ends a build with our message: Ploomber prints it as it is."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)


class RefusedError(PloomberMessage):  # type: ignore[misc]
    """Refuses to load the pipeline, with our message and no traceback."""

    def get_message(self) -> str:
        """What Ploomber prints."""
        return f"{SIGN}{self.message}"


class NotebookExecutor(Serial):  # type: ignore[misc]
    """Ploomber's serial executor in this process: plain progress lines, at the end the verdict or what went wrong."""

    def __init__(self, case: UseCase, settings: Settings, as_of: date, held: ExitStack) -> None:
        super().__init__(build_in_subprocess=False)
        self.case, self.settings, self.as_of, self.held = case, settings, as_of, held
        self.sources, self.state = sources_digest(case, settings), state_digest(case, settings, as_of=as_of)

    def __call__(self, dag: Any, show_progress: bool) -> Any:
        """Run the outdated tasks, in order."""
        with self.held, ending(self.settings):
            started, told = time.monotonic(), len(self._alerts_told())
            states = {name: STATES.get(dag[name].exec_status, "waiting") for name in dag}
            begin(self.settings, self.case.name, as_of=self.as_of.isoformat(), states=states)
            result = self._run(dag)
            if len(dag) == len(load_sources(self.settings)):
                self._seal(dag)
                if state_digest(self.case, self.settings, as_of=self.as_of) == self.state:  # else it was not about this
                    remember(self.case, self.settings, as_of=self.as_of, sources=self.sources)
            self._say_verdict(time.monotonic() - started, alerts=self._alerts_told()[told:])
            return result

    def _run(self, dag: Any) -> list[Any]:
        """Run task by task; what follows a failed task is left out (Ploomber marks it), the others still run."""
        reports, failures = [], []
        for name in dag:
            task = dag[name]
            if task.exec_status in (TaskStatus.Skipped, TaskStatus.Aborted):
                continue
            note_products(self.settings, self.case.name, self.as_of, paths=_paths(task.product), ended=False)
            began = time.monotonic()
            note_task(self.settings, name, "running")
            try:
                reports.append(task._build(catch_exceptions=True)[0])
                note_task(self.settings, name, "done", seconds=time.monotonic() - began)
            except Exception as error:
                note_task(self.settings, name, "failed", seconds=time.monotonic() - began)
                click.echo()  # the line of the task may not have ended
                notebook = set_aside(Path(str(task.product["nb"])))
                failures.append(describe_failure(error, task=name, notebook=notebook, root=self.settings.root))
        if failures:
            raise BuildFailedError("\n\n".join(failures))
        return reports

    def _seal(self, dag: Any) -> None:
        """Put the run into the ledger, unless this build made nothing."""
        products = [self.settings.root / path for name in dag for path in _paths(dag[name].product)]
        with open_database(self.settings.database_url) as database:
            history = load_stored(database, self.case.name).change_digests
        by, now = getpass.getuser(), datetime.now(UTC)
        seal_run(self.settings, self.case.name, self.as_of, products=products, by=by, now=now, history=history)

    def _say_verdict(self, seconds: float, *, alerts: list[str]) -> None:
        path = self.settings.report_folder(self.case.name, self.as_of) / "summary.json"
        summary = load_json(path) if path.exists() else {}
        if summary:
            click.echo(f"\n{printed(summary)}")
        end(self.settings, "done", summary.get("headline", ""))
        if alerts:
            click.echo("Alerts raised for the days of this build:\n  " + "\n  ".join(alerts))
        click.echo(f"({seconds:.0f} s)")

    def _alerts_told(self) -> list[str]:
        """The lines of the alert log so far."""
        path = self.settings.state_folder / ALERT_LOG
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def make_executor(use_case: str, scenario: str, as_of: str) -> NotebookExecutor:
    """Check the names, take the lock, write the fingerprints; called by Ploomber while it loads the DAG."""
    try:
        return _make_executor(Settings.find(), use_case=use_case, scenario=scenario, as_of=as_of)
    except (DriftbookError, OSError) as error:
        message = str(error) if isinstance(error, DriftbookError) else describe_refusal(str(error))
        if message is None:
            raise
        raise RefusedError(message) from None


def finish(product: Any) -> None:
    """After a task: write its notebook as HTML, note the digests of its products, say that it is done."""
    from driftbook.reports import EVIDENTLY_PAGE, notebook_html

    notebook, settings = Path(str(product["nb"])), Settings.find()
    pages = [f"{source.stem}.html" for source in load_sources(settings).values()]
    notebook_html(notebook, Path(str(product["html"])), pages=[*pages, EVIDENTLY_PAGE])
    trust(notebook)
    set_aside(notebook).unlink(missing_ok=True)
    use_case, as_of = notebook.absolute().parts[-3:-1]
    note_products(settings, use_case, parse_day(as_of), paths=_paths(product), ended=True)
    click.echo(f"done in {time.monotonic() - WholeNotebookEngine.started:4.1f} s")


def quarantine(product: Any) -> None:
    """After a failure: move the broken notebook aside and forget that the task ever ran."""
    notebook = Path(str(product["nb"]))
    failed = set_aside(notebook)
    if notebook.exists():
        failed.parent.mkdir(parents=True, exist_ok=True)
        os.replace(notebook, failed)
    for path in _paths(product):
        path.with_name(f".{path.name}.metadata").unlink(missing_ok=True)
    shown = mask(str(failed), Settings.find().root)
    click.echo(f"FAILED; the notebook lies in {shown}")


def set_aside(notebook: Path) -> Path:
    """Where the notebook of a failed task is moved to."""
    return notebook.parent / "failed" / notebook.name


def _paths(product: Any) -> list[Path]:
    return [Path(str(product[key])) for key in product.to_json_serializable()]


def _make_executor(settings: Settings, *, use_case: str, scenario: str, as_of: str) -> NotebookExecutor:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    choose_sort()  # for the kernels
    case, day = load_use_case(use_case, scenario=scenario, settings=settings), parse_day(as_of)
    find_scenario(case.scenario.name)
    papermill_engines.register(None, WholeNotebookEngine)
    papermill_io.register(f"{settings.reports_folder}{os.sep}", NormalisingHandler(settings.root))
    held = ExitStack()
    if LOCK_HELD not in os.environ:
        held.enter_context(patient_lock(settings))
    for folder in (settings.root / "data", settings.reports_folder):
        sweep(folder)
    write_fingerprints(case, settings, as_of=day, notebooks=load_sources(settings))
    return NotebookExecutor(case, settings, day, held)
