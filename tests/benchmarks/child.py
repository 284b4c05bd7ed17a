"""One measurement in one process: prepare without the clock, then run a few times with it.

Runs under the Python of any peer, so it needs no more than the standard library until the task asks for it.
``python -m benchmarks.child '{"task": …, "options": {…}, "repeats": 3}'``; the last line of its output is JSON.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
KIB = 1024


def measure(task: str, options: Mapping[str, Any], *, repeats: int) -> dict[str, Any]:
    """Wall and CPU seconds of each run, peak memory above what the prepared data takes, and the answers."""
    from benchmarks.tasks import TASKS

    found = TASKS[task]
    data = found.prepare(**options)
    gc.collect()
    _forget_peak()
    before = _resident()
    wall, cpu, answers = [], [], {}
    for _ in range(repeats):
        start, used = time.perf_counter(), _cpu_seconds()
        answers = found.run(data)
        wall.append(time.perf_counter() - start)
        cpu.append(_cpu_seconds() - used)
    peak = _peak()
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "data_bytes": before,
        "peak_bytes": peak,
        "peak_above_bytes": max(peak - before, 0),
        "answers": dict(answers),
        "load": os.getloadavg(),
    }


def _cpu_seconds() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _forget_peak() -> None:
    """Let the kernel count the peak from now on; where it cannot, the peak of the preparation stays in it."""
    try:
        RESET.write_text("5")
    except OSError:
        return


def _status(key: str) -> int | None:
    if not STATUS.is_file():
        return None
    for line in STATUS.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * KIB
    return None


def _resident() -> int:
    return _status("VmRSS:") or _peak()


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else KIB
    return _status("VmHWM:") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    wish = json.loads(sys.argv[1])
    outcome = measure(wish["task"], wish["options"], repeats=wish["repeats"])
    sys.stdout.write("\n" + json.dumps(outcome) + "\n")
