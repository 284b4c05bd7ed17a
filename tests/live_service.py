"""A prediction service in a process of its own, with two trained versions in office, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from workbench import ROOT, make_workbench

from driftbook.config import Settings, UseCase, load_use_case
from driftbook.data.simulate import simulate_day
from driftbook.database import open_database
from driftbook.deployment import load_office
from driftbook.deployment.office import hold, swap
from driftbook.drift.reference import SAMPLE_ROWS
from driftbook.model.outliers import fit_detector
from driftbook.model.training import fit_quickly, train
from driftbook.schema import conform
from driftbook.storage import write_json, write_parquet

FIRST_DAY = date(2026, 5, 17)
STARTS_WITHIN_SECONDS = 120
USE_CASE = "churn"
Process = subprocess.Popen[bytes]


def history(case: UseCase, days: int) -> pl.DataFrame:
    """Labelled rows of the days before the stream."""
    parts = []
    for day in [FIRST_DAY - timedelta(days=back) for back in range(days, 0, -1)]:
        raw = simulate_day(case, day).with_columns(event_time=pl.col(case.columns.event_time or ""))
        rows = conform(raw, case).rows
        parts.append(rows.with_columns(batch_id=pl.lit(day.isoformat())))
    return pl.concat(parts)


def make_models(folder: Path, *, rows_per_day: int = 300, days: int = 10, searched: bool = False) -> Settings:
    """Versions 1 and 2 in office; quickly fitted, or by the whole training with its search."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = make_workbench(folder, rows_per_day=rows_per_day, history_days=max(days, 24))
    case = load_use_case(USE_CASE, settings=settings)
    rows = history(case, days)
    for number in (1, 2):
        versions = settings.models_folder(USE_CASE) / f"v{number}"
        if searched:
            training = train(case, rows, seed=number)
            training.detector.save(training.bundle.save(versions))
        else:
            bundle = fit_quickly(case, rows, seed=number)
            detector, _ = fit_detector(rows, bundle.encoder, folds=np.arange(rows.height) % 2, seed=number)
            detector.save(bundle.save(versions))
        write_parquet(versions / "reference_rows.parquet", rows.head(SAMPLE_ROWS).drop("target"))
        write_json(versions / "training.json", {"version": number, "rows": rows.height})
    appoint(settings, champion=1, challenger=2)
    return settings


def appoint(settings: Settings, *, champion: int, challenger: int | None, action: str = "appoint") -> None:
    """Put versions into office, as a build does."""
    change = {"at": datetime(2026, 5, 17, tzinfo=UTC), "day": "2026-05-17", "action": action, "version": champion}
    change |= {"actor": "test", "reason": "", "record_sha256": None}
    with open_database(settings.database_url) as database:
        expected = load_office(database, USE_CASE).revision
        with database.transaction() as work:
            hold(work, USE_CASE)
            office = {"champion": champion, "challenger": challenger, "previous": None}
            swap(work, USE_CASE, office=office, changes=[change], expected=expected)


def request_rows(settings: Settings, count: int, *, seed: int = 0) -> list[dict[str, object]]:
    """Bodies of requests for predictions, a row each, of the first days of the stream."""
    case = load_use_case(USE_CASE, settings=settings)
    names = [case.columns.id or "", *case.columns.features]
    found: list[dict[str, object]] = []
    day = FIRST_DAY
    while len(found) < count:
        found += simulate_day(case, day).select(names).to_dicts()
        day += timedelta(days=1)
        if day > FIRST_DAY + timedelta(days=15):
            found = [{**row, names[0]: f"{row[names[0]]}-{at}"} for at, row in enumerate(found * 10)]
    order = np.random.default_rng(seed).permutation(len(found))[:count]
    return [found[at] for at in order]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def start(settings: Settings, port: int, *, core: int | None = None, more: Mapping[str, str] | None = None) -> Process:
    """Start the service; it may not answer yet."""
    entry = "from driftbook.cli import main; main()"
    command = [sys.executable, "-c", entry, "serve", "--use-case", USE_CASE, "--port", str(port)]
    environment = {
        **os.environ,
        **(more or {}),
        "DRIFTBOOK_ROOT": str(settings.root),
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": "1",
    }
    told = settings.root / "serve.log"
    with told.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    return process


def wait_until_ready(process: Process, port: int, *, path: str = "/ready") -> None:
    """Until the service answers."""
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while True:
        assert process.poll() is None, f"the service ended with {process.returncode}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        assert time.monotonic() < until, "the service did not answer in time"
        time.sleep(0.05)


def stop(process: Process) -> None:
    """Ask the service to end, and wait for it."""
    process.terminate()
    try:
        process.wait(timeout=60)
    finally:
        process.kill()


@contextmanager
def running(settings: Settings, *, core: int | None = None, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a service that runs meanwhile."""
    port = free_port()
    process = start(settings, port, core=core, more=more)
    try:
        wait_until_ready(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def get_json(url: str) -> object:
    """What a service answers."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())
