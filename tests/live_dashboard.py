"""A dashboard in a process of its own, with real kernels, for tests in a browser and without."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN_SECONDS = 120
SOURCES = Path(__file__).parents[1] / "src"
Process = subprocess.Popen[bytes]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def start(root: Path, port: int, *options: str, environment: Mapping[str, str] | None = None) -> Process:
    """Start the dashboard of a workbench; it may not answer yet. What it says is in ``dashboard.log`` there."""
    entry = "from driftbook.cli import main; main()"
    own = {"DRIFTBOOK_ROOT": str(root), "PYTHONPATH": str(SOURCES), "OMP_WAIT_POLICY": "PASSIVE"}
    with (root / "dashboard.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-c", entry, "dashboard", "--port", str(port), *options],
            env={**os.environ, **own, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def wait_until_it_answers(process: Process, url: str) -> None:
    """Until it answers anything, be it a refusal."""
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while True:
        assert process.poll() is None, f"the dashboard ended with {process.returncode}"
        try:
            urllib.request.urlopen(f"{url}login", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            pass
        assert time.monotonic() < until, "the dashboard did not answer in time"
        time.sleep(0.05)


def stop(process: Process) -> None:
    """Ask it to end, as Ctrl-C does, and wait until it and its kernels have."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=60)
    finally:
        process.kill()


@contextmanager
def running(
    root: Path, *, base_url: str = "/", options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The address of a dashboard that runs meanwhile, with a slash at its end."""
    port = free_port()
    process = start(root, port, "--base-url", base_url, *options, environment=environment)
    url = f"http://127.0.0.1:{port}{base_url}"
    try:
        wait_until_it_answers(process, url)
        yield url
    finally:
        stop(process)
