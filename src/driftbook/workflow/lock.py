"""One build at a time: the second waits and says who is running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from driftbook.config import Settings
from driftbook.errors import BusyError
from driftbook.storage import locked

LOCK_HELD = "DRIFTBOOK_LOCK_HELD"  # set for the Ploomber process that ``driftbook build`` starts under its own lock
WAIT_SECONDS = 3600.0


@contextmanager
def patient_lock(settings: Settings) -> Iterator[None]:
    """Hold the workbench's lock; if another build has it, say so and wait for it."""
    lock = locked(settings.lock_path)
    try:
        lock.__enter__()
    except BusyError as error:
        click.echo(f"waiting: {error}", err=True)
        lock = locked(settings.lock_path, wait_seconds=WAIT_SECONDS)
        lock.__enter__()
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
