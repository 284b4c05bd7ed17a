"""What Ploomber calls: our executor, the notebook engine, and the hooks after each task.

``pipeline.yaml`` names :func:`make_executor`, which Ploomber calls before it looks at any task. That is the
moment to take the workbench's lock and to write the fingerprints the tasks refer to. Each notebook runs in a
fresh kernel; nothing reaches the disk before it has run to its end, then normalised and whole.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import click
from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import LocalHandler, papermill_io
from ploomber.executors import Serial

from driftbook.config import Settings, UseCase, load_use_case
from driftbook.data.scenarios import scenario as find_scenario
from driftbook.storage import load_json, sweep
from driftbook.workflow.bind import load_sources, parse_day
from driftbook.workflow.build import remember, sources_digest
from driftbook.workflow.fingerprint import write_fingerprints
from driftbook.workflow.lock import LOCK_HELD, patient_lock
from driftbook.workflow.notebook import mask, write_normalised


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


class NotebookExecutor(Serial):  # type: ignore[misc]
    """Ploomber's serial executor in this process, with plain progress lines and the verdict at the end."""

    def __init__(self, case: UseCase, settings: Settings, as_of: date, held: ExitStack) -> None:
        super().__init__(build_in_subprocess=False)
        self.case, self.settings, self.as_of, self.held = case, settings, as_of, held
        self.sources = sources_digest(case, settings)

    def __call__(self, dag: Any, show_progress: bool) -> Any:
        """Run the outdated tasks, in order."""
        with self.held:
            started = time.monotonic()
            result = super().__call__(dag, False)
            if len(dag) == len(load_sources(self.settings)):
                remember(self.case, self.settings, as_of=self.as_of, sources=self.sources)
            self._say_verdict(time.monotonic() - started)
            return result

    def _say_verdict(self, seconds: float) -> None:
        summary = self.settings.report_folder(self.case.name, self.as_of) / "summary.json"
        if summary.exists():
            click.echo("\n" + "\n".join(load_json(summary)["verdict"]))
        click.echo(f"({seconds:.0f} s)")


def make_executor(use_case: str, scenario: str, as_of: str) -> NotebookExecutor:
    """Check the names, take the lock, write the fingerprints; called by Ploomber while it loads the DAG."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    settings = Settings.find()
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


def finish(product: Any) -> None:
    """After a task: write its notebook as HTML, say that it is done."""
    from driftbook.reports import notebook_html

    notebook = Path(str(product["nb"]))
    notebook_html(notebook, Path(str(product["html"])))
    (notebook.parent / "failed" / notebook.name).unlink(missing_ok=True)
    click.echo(f"done in {time.monotonic() - WholeNotebookEngine.started:4.1f} s")


def quarantine(product: Any) -> None:
    """After a failure: move the broken notebook aside and forget that the task ever ran."""
    notebook = Path(str(product["nb"]))
    failed = notebook.parent / "failed" / notebook.name
    if notebook.exists():
        failed.parent.mkdir(parents=True, exist_ok=True)
        os.replace(notebook, failed)
    for key in product.to_json_serializable():
        path = Path(str(product[key]))
        path.with_name(f".{path.name}.metadata").unlink(missing_ok=True)
    shown = mask(str(failed), Settings.find().root)
    click.echo(f"FAILED; the notebook lies in {shown}")
