"""A dashboard in a process of its own, with real kernels, for tests in a browser and without."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN_SECONDS = 120
SOURCES = Path(__file__).parents[1] / "src"
Process = subprocess.Popen[bytes]


def start(root: Path, *options: str, environment: Mapping[str, str] | None = None) -> tuple[Process, str]:
    """Start the dashboard of a workbench on a free port; the process, and the address with a slash at its end."""
    entry = "from driftbook.cli import main; main()"
    own = {"DRIFTBOOK_ROOT": str(root), "PYTHONPATH": str(SOURCES), "OMP_WAIT_POLICY": "PASSIVE"}
    said = root / "dashboard.log"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", entry, "dashboard", "--port", "0", *options],
            env={**os.environ, **own, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return process, _address(process, said)


def _address(process: Process, said: Path) -> str:
    """Where it says it is, as soon as it answers there anything, be it a refusal."""
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while True:
        text = said.read_text(encoding="utf-8")
        assert process.poll() is None, f"the dashboard ended with {process.returncode}: {text}"
        assert time.monotonic() < until, f"the dashboard did not answer in time: {text}"
        found = re.search(r"dashboard on (http://\S+)", text)
        if found:
            try:
                urllib.request.urlopen(f"{found[1]}login", timeout=5).close()
            except urllib.error.HTTPError:
                return found[1]
            except OSError:
                pass
            else:
                return found[1]
        time.sleep(0.05)


def stop(process: Process) -> None:
    """Ask it to end, as Ctrl-C does, and wait until it and its kernels have."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=60)
    finally:
        process.kill()


@contextmanager
def running(root: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a dashboard that runs meanwhile, with a slash at its end."""
    process, url = start(root, *options, environment=environment)
    try:
        yield url
    finally:
        stop(process)
