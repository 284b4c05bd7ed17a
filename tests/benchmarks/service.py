"""``python -m benchmarks.service``: the prediction service beside ``mlflow models serve``, the same model, in one run.

Each has one worker that is pinned to one core; the client, a process of its own, has another; both go before whatever
else runs on the machine. Single rows over keep-alive connections, at fixed rates (:mod:`benchmarks.load`). The service
logs every prediction and scores it with a challenger too; MLflow's server does neither. A rate is sustained if 99 % of
it is answered, nothing fails, and the 99th percentile stays below :data:`LONGEST_MS`; rates are tried upwards until one
is not.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from live_service import (
    USE_CASE,
    Process,
    free_port,
    make_models,
    request_rows,
    start,
    stop,
    wait_until_ready,
)

from benchmarks.machine import facts
from benchmarks.processes import family
from driftbook.config import Settings, load_use_case

RESULTS = Path(__file__).parent / "results"
RATE = 200.0
LONGEST_MS = 100.0
STEP = 1.3  # from one rate to the next
FIRST_RATES = {"driftbook": 600.0, "mlflow": 40.0}
PRIORITY = 10  # real-time, where that is allowed: other work on the machine then costs neither server anything
NICENESS = -15  # of the client, which waits busily: a real-time process that does is stopped for 50 ms each second
REDIS = os.environ.get("DRIFTBOOK_TEST_REDIS_URL") or "redis://127.0.0.1:6379/0"
GOALS = (
    ("p50 at 200 requests a second below 1 ms", lambda found: found["driftbook"]["at_rate"]["p50_ms"] < 1),
    ("p99 at 200 requests a second below 10 ms", lambda found: found["driftbook"]["at_rate"]["p99_ms"] < 10),
    ("ten times the rate that mlflow sustains", lambda found: found["ratios"]["rate"] >= 10),
    ("p99 five times lower at a rate that mlflow sustains", lambda found: found["ratios"]["p99"] >= 5),
)


def measure(settings: Settings, folder: Path, *, seconds: float, cores: Sequence[int]) -> dict[str, Any]:
    """All figures; the two servers never run at once."""
    rows = request_rows(settings, 5_000)
    ours, theirs, few = folder / "rows.jsonl", folder / "records.jsonl", folder / "few.jsonl"
    entity = load_use_case(USE_CASE, settings=settings).columns.id
    ours.write_bytes(b"\n".join(json.dumps(row).encode() for row in rows))
    few.write_bytes(b"\n".join(json.dumps(row).encode() for row in rows[:50]))
    bare = [{name: value for name, value in row.items() if name != entity} for row in rows]
    theirs.write_bytes(b"\n".join(json.dumps({"dataframe_records": [row]}).encode() for row in bare))
    found: dict[str, Any] = {}
    with _mlflow(settings, folder, core=cores[0]) as port:
        call = _Caller(port, theirs, seconds=seconds, core=cores[1], path="/invocations")
        found["mlflow"] = {"sustained": call.sustained(FIRST_RATES["mlflow"])}
        calm = max(1.0, found["mlflow"]["sustained"]["offered"] / 2)
        found["mlflow"]["calm"] = call(calm)
    with _ours(settings, core=cores[0]) as port:
        call = _Caller(port, ours, seconds=seconds, core=cores[1])
        found["driftbook"] = {
            "at_rate": call(RATE),
            "calm": call(calm),
            "sustained": call.sustained(FIRST_RATES["driftbook"]),
        }
    for name, more in (("without cache", {}), ("with cache", {"DRIFTBOOK_CACHE_URL": REDIS})):
        with _ours(settings, core=cores[0], more=more) as port:
            found[f"50 rows again and again, {name}"] = {
                "at_rate": _Caller(port, few, seconds=seconds, core=cores[1])(RATE)
            }
    rates = [found[who]["sustained"]["offered"] for who in ("driftbook", "mlflow")]
    p99 = [found[who]["calm"]["p99_ms"] for who in ("mlflow", "driftbook")]
    found["ratios"] = {"rate": rates[0] / rates[1], "p99": p99[0] / p99[1]}
    return found


class _Caller:
    """Sends requests to one server from the client's core."""

    def __init__(self, port: int, bodies: Path, *, seconds: float, core: int, path: str = "/predict") -> None:
        self._command = [sys.executable, "-m", "benchmarks.load", "--port", str(port), "--path", path]
        self._command += ["--bodies", str(bodies)]
        self._seconds, self._core = seconds, core
        self(20.0)  # warm

    def __call__(self, rate: float) -> dict[str, float]:
        process = subprocess.Popen(
            [*self._command, "--rate", str(rate), "--seconds", str(self._seconds)], stdout=subprocess.PIPE
        )
        _prefer(process.pid, self._core, busy=True)
        told, _ = process.communicate()
        return dict(json.loads(told))

    def sustained(self, rate: float) -> dict[str, float]:
        """The highest rate that is sustained."""
        best: dict[str, float] = {"offered": math.nan}
        while True:
            found = self(rate)
            good = not found["failed"] and found["answered"] >= 0.99 * rate and found["p99_ms"] <= LONGEST_MS
            if not good and not math.isnan(best["offered"]):
                return best
            if good:
                best = found
            rate = rate * STEP if good else rate / 2
            if rate < 1:
                raise RuntimeError(f"expected a server that sustains a request a second, found {found}")


@contextmanager
def _ours(settings: Settings, *, core: int, more: Mapping[str, str] | None = None) -> Iterator[int]:
    port = free_port()
    process = start(settings, port, core=core, more=more)
    with _served(process, port, core=core, ready="/ready"):
        yield port


@contextmanager
def _mlflow(settings: Settings, folder: Path, *, core: int) -> Iterator[int]:
    """MLflow's own server of the champion, as the registry stores it, in this environment."""
    port, stored = free_port(), folder / "stored"
    code = (
        "import sys, mlflow.pyfunc; from driftbook.config import Settings, load_use_case;"
        "from driftbook.registry.mlflow_store import LOADER, _signature; from pathlib import Path;"
        f"case = load_use_case({USE_CASE!r}, settings=Settings(root=Path({str(settings.root)!r})));"
        f"mlflow.pyfunc.save_model({str(stored)!r}, loader_module=LOADER, signature=_signature(case),"
        f"data_path={str(settings.models_folder(USE_CASE) / 'v1')!r}, pip_requirements=[])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    command = [str(Path(sys.executable).parent / "mlflow"), "models", "serve", "--model-uri", str(stored)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "mlflow.log").open("wb") as told:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], env=environment, stdout=told, stderr=told, start_new_session=True
        )
    with _served(process, port, core=core, ready="/ping"):
        yield port


@contextmanager
def _served(process: Process, port: int, *, core: int, ready: str) -> Iterator[None]:
    try:
        wait_until_ready(process, port, path=ready)
        for pid in family(process.pid):
            _prefer(pid, core)
        yield
    finally:
        members = family(process.pid)
        stop(process)
        for pid in members[1:]:
            subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)


def _prefer(pid: int, core: int, *, busy: bool = False) -> None:
    """Pin a process to its core, ahead of what else runs there."""
    for task in Path(f"/proc/{pid}/task").glob("*"):
        os.sched_setaffinity(int(task.name), {core})
        try:
            if busy:
                os.setpriority(os.PRIO_PROCESS, int(task.name), NICENESS)
            else:
                os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(PRIORITY))
        except PermissionError:
            return


def render(found: Mapping[str, Any]) -> str:
    """The figures as a Markdown page."""
    machine = found["machine"]
    lines = [
        "# The prediction service beside mlflow models serve",
        "",
        f"{found['at']}; {machine['processor']}, {machine['cores']} cores of which each server had one; load of the "
        f"machine {machine['load'][0]:.1f} before, {found['load_after'][0]:.1f} after. Single rows, keep-alive, time "
        "from when a request was due.",
        "",
        "| | requests/s | answered/s | p50 ms | p95 ms | p99 ms |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for who, figures in found["figures"].items():
        for what, figure in figures.items() if who != "ratios" else ():
            numbers = [figure["offered"], figure["answered"], figure["p50_ms"], figure["p95_ms"], figure["p99_ms"]]
            lines.append(f"| {who}, {WORDS[what]} | {' | '.join(f'{each:.3g}' for each in numbers)} |")
    ratios = found["figures"]["ratios"]
    lines += ["", f"Rates sustained: {ratios['rate']:.3g} to 1. p99 at the calm rate: {ratios['p99']:.3g} times lower."]
    lines += ["", *(f"* {'holds' if goal['holds'] else 'does not hold'}: {goal['goal']}" for goal in found["goals"])]
    return "\n".join([*lines, ""])


WORDS = {"at_rate": "at 200/s", "calm": "at half of what mlflow sustains", "sustained": "highest rate sustained"}


def main(arguments: list[str] | None = None) -> int:
    """Measure, judge, save; 1 if a goal does not hold."""
    parser = argparse.ArgumentParser(prog="benchmarks.service", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each rate")
    parser.add_argument("--days", type=int, default=40, help="of history that the models are trained on")
    parser.add_argument("--cores", type=int, nargs=2, default=sorted(os.sched_getaffinity(0))[:2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    wish = parser.parse_args(arguments)
    results: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": facts()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = make_models(folder / "desk", rows_per_day=2400, days=wish.days, searched=True)
        results["figures"] = measure(settings, folder, seconds=wish.seconds, cores=wish.cores)
    results["load_after"] = os.getloadavg()
    results["goals"] = [{"goal": goal, "holds": bool(holds(results["figures"]))} for goal, holds in GOALS]
    wish.results.mkdir(parents=True, exist_ok=True)
    (wish.results / "service.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (wish.results / "service.md").write_text(render(results), encoding="utf-8")
    sys.stdout.write(render(results))
    return 0 if all(each["holds"] for each in results["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
