"""Starts a build that outlives whoever asked for it: a browser, a kernel, the dashboard's server.

The build is a process of a session of its own. It does what ``driftbook build`` does, under the same lock, and tells
how far it has come as every build does (:mod:`driftbook.workflow.progress`). Of two who ask at once one starts it, and
the other is told who did.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from driftbook.config import Settings
from driftbook.database import utc_text
from driftbook.errors import BusyError, StateError
from driftbook.storage import locked
from driftbook.workflow.bind import load_sources
from driftbook.workflow.lock import LOCK_HELD
from driftbook.workflow.progress import (
    BUILD_LOG,
    Progress,
    changing,
    load_progress,
    process_mark,
    waiting_tasks,
    write_progress,
)


def start_build(settings: Settings, use_case: str, *, reason: str, by: str) -> str:
    """Ask for a challenger and start a build that takes the order over; what was done, in sentences.

    Parameters
    ----------
    reason
        Why, in a person's words: it stands in the history and in the report.
    by
        Who asks.

    Raises
    ------
    BusyError
        If a build runs already, or somebody else needs the workbench to himself; the message says who.
    StateError
        If the use case was never built, the reason is none, or the build cannot be started.
    """
    from driftbook.timeline.orders import ask_for_challenger

    with changing(settings):
        _require_idle(settings)
        ordered = ask_for_challenger(use_case, reason=reason, actor=by, settings=settings)
        process = _start(settings, ordered.case.name)
        begun = Progress(
            ordered.case.name,
            by=by,
            reason=ordered.record["changes"][0]["reason"],
            started=utc_text(datetime.now(UTC)),
            pid=process.pid,
            born=process_mark(process.pid),
            tasks=waiting_tasks(load_sources(settings)),
        )
        write_progress(settings, begun)
    threading.Thread(target=process.wait, daemon=True).start()  # the system forgets an ended child once it is asked for
    return f"{ordered.sentence} A build was started."


def _require_idle(settings: Settings) -> None:
    running = load_progress(settings)
    if running is not None and running.state == "running":
        raise BusyError(f"{running.sentence} Wait until it has ended.")
    with locked(settings.lock_path):
        pass


def _start(settings: Settings, use_case: str) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).with_name("driftbook")), "build", "--use-case", use_case]
    environment = {name: value for name, value in os.environ.items() if name != LOCK_HELD}
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    try:
        with (settings.state_folder / BUILD_LOG).open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=settings.root,
                env={**environment, "DRIFTBOOK_ROOT": str(settings.root)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise StateError(
            f"the order was given, but the build cannot be started ({error.strerror}); "
            f"start it by hand: driftbook build --use-case {use_case}"
        ) from error
