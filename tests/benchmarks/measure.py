"""Each run in a process of its own, under the Python it needs; what cannot be had is recorded with the reason."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import environment
from benchmarks.peers import NotInstallableError, python_of

REPEATS = 5
LONGEST_S = 7_200


@dataclass(frozen=True)
class Run:
    """A task with its options; ``peer`` names the environment it needs if ours does not do."""

    who: str
    task: str
    options: Mapping[str, Any] = field(default_factory=dict)
    peer: str = ""
    repeats: int = REPEATS


def measured(run: Run, *, folder: Path, plain_sort: bool, most_repeats: int = REPEATS) -> dict[str, Any]:
    """One run as a record: seconds, bytes, answers, load; or ``failed`` with the reason."""
    record = {"who": run.who, "task": run.task, "options": dict(run.options)}
    try:
        python = python_of(run.peer, folder) if run.peer else Path(sys.executable)
    except NotInstallableError as error:
        return {**record, "failed": f"not installable: {error}"}
    wish = {"task": run.task, "options": dict(run.options), "repeats": min(run.repeats, most_repeats)}
    command = [str(python), "-m", "benchmarks.child", json.dumps(wish)]
    surroundings = environment(plain_sort=plain_sort)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, env=surroundings, check=False)
    except subprocess.TimeoutExpired:
        return {**record, "failed": f"not done after {LONGEST_S} s"}
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return {**record, "failed": said[-1] if said else f"ended with {done.returncode} (killed for memory?)"}
    return {**record, **json.loads(done.stdout.splitlines()[-1])}
