"""How far the build has come, for whoever looks: one small file, written anew by rename at every step.

Every build writes it, whoever began it: a person, cron or the dashboard. It is a courtesy and no record: nothing is
decided from it, a build never fails because it cannot be written, and a broken one counts as none. A build that was
killed cannot say so itself; it is *interrupted* when its process is gone and nobody holds the lock.
"""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from driftbook.config import Settings
from driftbook.database import utc_text
from driftbook.errors import BusyError, StateError
from driftbook.storage import is_locked, load_json, locked, write_json
from driftbook.words import plain
from driftbook.workflow.failure import SIGN
from driftbook.workflow.lock import LOCK_HELD
from driftbook.workflow.notebook import mask

BUILD_LOG = "build.log"
LONGEST_MESSAGE = 1000
INTERRUPTED = (
    "The build was stopped before it ended: its process is gone. Nothing is half written; start it again. "
    f"What it printed last is in data/state/{BUILD_LOG} if it was started from the dashboard."
)
State = Literal["running", "done", "failed", "interrupted"]
TaskState = Literal["waiting", "running", "done", "failed", "skipped"]
_WAIT_SECONDS = 5.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskProgress:
    """One task of a build: ``skipped`` is one that was up to date, ``since`` when a running one began (UTC)."""

    name: str
    title: str
    state: TaskState = "waiting"
    seconds: float | None = None
    since: str | None = None


@dataclass(frozen=True)
class Progress:
    """A build as it stands: of which use case and day, begun by whom, why and when, and each of its tasks.

    Examples
    --------
    >>> tasks = (TaskProgress("check_quality", "Check quality", "done"), TaskProgress("write_audit", "Write audit"))
    >>> Progress("churn", by="ann", reason="", started="2026-07-01T06:30:00", pid=4711, tasks=tasks).share
    0.5
    """

    use_case: str
    by: str
    reason: str
    started: str
    pid: int
    born: int | None = None
    as_of: str | None = None
    tasks: tuple[TaskProgress, ...] = ()
    state: State = "running"
    message: str = ""
    ended: str | None = None

    @property
    def share(self) -> float:
        """Share of the tasks that have ended."""
        over = sum(task.state in ("done", "skipped", "failed") for task in self.tasks)
        return over / len(self.tasks) if self.tasks else float(self.state == "done")

    @property
    def step(self) -> str:
        """Which task is at work, as a person reads it."""
        for number, task in enumerate(self.tasks, start=1):
            if task.state == "running":
                return f"task {number} of {len(self.tasks)}, {task.title.lower()}"
        return "getting ready" if self.share < 1.0 else "writing the ledger"

    @property
    def sentence(self) -> str:
        """How the build stands, in one sentence."""
        why = f" ({self.reason.rstrip('.')})" if self.reason else ""
        begun = f"{self.by} started a build of {self.use_case} on {self.started[:10]} at {self.started[11:16]} UTC{why}"
        if self.state == "running":
            return f"{begun}; it is {'at ' if self.step.startswith('task') else ''}{self.step}."
        if self.state == "done":
            return f"{begun}; it has ended. {self.message}".rstrip()
        return f"{begun}; it {'failed' if self.state == 'failed' else 'was interrupted'}. {self.message}"


def progress_path(settings: Settings) -> Path:
    """Where the progress of the build lies."""
    return settings.state_folder / "progress.json"


def load_progress(settings: Settings) -> Progress | None:
    """How the latest build stands; nothing where none was begun, or what lies there cannot be read."""
    told = _read(settings)
    if told is None or told.state != "running" or _is_at_work(told, settings):
        return told
    now = _read(settings)  # it may have ended while we looked
    if now is None or (now.state, now.pid) != ("running", told.pid):
        return now
    return replace(now, state="interrupted", message=INTERRUPTED)


def task_title(name: str) -> str:
    """The name of a task as its notebook is titled.

    Examples
    --------
    >>> task_title("analyse_drift")
    'Analyse drift'
    """
    return plain(name).capitalize()


def waiting_tasks(names: Iterable[str]) -> tuple[TaskProgress, ...]:
    """Tasks that have not begun, in order."""
    return tuple(TaskProgress(name, task_title(name)) for name in names)


@contextmanager
def changing(settings: Settings) -> Iterator[None]:
    """Only one at a time begins a build or says that it began."""
    with locked(settings.state_folder / "progress.lock", wait_seconds=_WAIT_SECONDS):
        yield


def begin(settings: Settings, use_case: str, *, as_of: str | None, states: Mapping[str, TaskState]) -> Progress:
    """Note that a build is at work in this process; only for who holds the build's lock.

    What a process began that it belongs to (the one that started it, or the short-cut around Ploomber) keeps its name,
    reason and time.

    Parameters
    ----------
    states
        Of every task, in order: ``waiting``, or ``skipped`` where it is up to date.
    """
    with _courtesy(), changing(settings):
        pass  # whoever starts a build in the background notes it first
    told, pid = _read(settings), os.getpid()
    own = {pid, os.getppid() if LOCK_HELD in os.environ else pid}
    begun = Progress(use_case, by=getpass.getuser(), reason="", started=_now(), pid=pid)
    if told is not None and told.state == "running" and told.pid in own and told.use_case == use_case:
        begun = told
    tasks = tuple(TaskProgress(name, task_title(name), state) for name, state in states.items())
    begun = replace(begun, pid=pid, born=process_mark(pid), as_of=as_of, tasks=tasks)
    write_progress(settings, begun)
    return begun


def note_task(settings: Settings, name: str, state: TaskState, *, seconds: float | None = None) -> None:
    """Note that a task of the running build began or ended."""
    told = _read(settings)
    if told is None or told.state != "running":
        return
    since = _now() if state == "running" else None
    tasks = (
        replace(task, state=state, seconds=seconds, since=since) if task.name == name else task for task in told.tasks
    )
    write_progress(settings, replace(told, tasks=tuple(tasks)))


def end(settings: Settings, state: Literal["done", "failed"], message: str, *, pid: int | None = None) -> None:
    """Note that the running build has ended; nothing if it said so itself.

    Parameters
    ----------
    message
        What a person reads: of a report that begins with our sign only what follows it; without paths and secrets.
    pid
        Only if the build that runs is noted as this process.
    """
    told = _read(settings)
    if told is None or told.state != "running" or pid not in (None, told.pid):
        return
    said = mask(message.rpartition(SIGN)[2].strip(), settings.root)[:LONGEST_MESSAGE]
    tasks = tuple(replace(task, state="failed", since=None) if task.state == "running" else task for task in told.tasks)
    write_progress(settings, replace(told, state=state, message=said, ended=_now(), tasks=tasks))


@contextmanager
def ending(settings: Settings) -> Iterator[None]:
    """Whatever ends this process's build before its tasks told so is noted, too."""
    try:
        yield
    except BaseException as error:
        end(settings, "failed", str(error) or f"the build was stopped ({type(error).__name__})", pid=os.getpid())
        raise
    end(settings, "done", "It was up to date already.", pid=os.getpid())


def write_progress(settings: Settings, progress: Progress) -> None:
    """Write it anew; a place that cannot be written to is no reason to fail."""
    with _courtesy():
        write_json(progress_path(settings), asdict(progress))


def process_mark(pid: int) -> int | None:
    """When a process began, as the system counts it; None: it is gone.

    A number alone is given to another process one day. Where the system does not tell when (only Linux does), zero
    stands for every process that is there.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() or not _answers(pid) else 0
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(rest[18])


def _now() -> str:
    return utc_text(datetime.now(UTC))


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _is_at_work(told: Progress, settings: Settings) -> bool:
    """Its process is there; or it is one of another machine or container that shares the folder, and holds the lock."""
    found = process_mark(told.pid)
    return (found is not None and found == told.born) or is_locked(settings.lock_path)


def _read(settings: Settings) -> Progress | None:
    try:
        content = load_json(progress_path(settings))
        tasks: Sequence[Mapping[str, Any]] = content.pop("tasks")
        known = {field.name for field in fields(Progress)}
        parts = {name: value for name, value in content.items() if name in known}
        return Progress(**parts, tasks=tuple(TaskProgress(**task) for task in tasks))
    except (StateError, OSError, TypeError, KeyError, AttributeError):
        return None


@contextmanager
def _courtesy() -> Iterator[None]:
    try:
        yield
    except (OSError, BusyError) as error:
        _logger.warning("the progress of the build is not told: %s", error)
