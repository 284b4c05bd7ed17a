"""A use case whose rows come through a prediction service's log, and the log filled as a service would."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import yaml
from workbench import make_workbench

from driftbook.config import Settings, UseCase, load_use_case
from driftbook.data.dealing import before_service
from driftbook.data.simulate import simulate_day
from driftbook.serving.log import PredictionLog, open_log
from driftbook.serving.logged import LateTarget, Logged, Scores

START = date(2026, 5, 17)  # of the stream
SINCE = START + timedelta(days=1)  # the first day that is served


def make_served(folder: Path, *, since: date = SINCE, closes_after_hours: int = 1, **sizes: int) -> Settings:
    """The workbench of :func:`make_workbench` with the churn stream as history of a service."""
    settings = make_workbench(folder, **sizes)
    path = settings.data_folder("churn") / "usecase.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["source"] = {
        "kind": "service",
        "since": since,
        "closes_after_hours": closes_after_hours,
        "history": content["source"],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return settings


def served_case(settings: Settings) -> UseCase:
    return load_use_case("churn", settings=settings)


def log_of(settings: Settings) -> PredictionLog:
    return open_log(settings.prediction_log_url, settings.spill_folder("churn"), use_case="churn")


def simulated_entries(case: UseCase, day: date) -> tuple[list[Logged], list[LateTarget]]:
    """The rows of a simulated day as a service would log them, and their targets with their delay."""
    rows = simulate_day(before_service(case), day)
    return entries_of(rows, case), targets_of(rows, case)


def entries_of(rows: pl.DataFrame, case: UseCase) -> list[Logged]:
    names, columns = case.columns.features, case.columns
    scores = Scores(1, "no", 0.25, (0.75, 0.25))
    return [
        Logged(
            prediction_id=f"p-{row[columns.id]}",
            at=row[columns.event_time],
            received_at=row[columns.event_time],
            entity=row[columns.id],
            features={name: row[name] for name in names},
            champion=scores,
        )
        for row in rows.to_dicts()
    ]


def targets_of(rows: pl.DataFrame, case: UseCase) -> list[LateTarget]:
    columns = case.columns
    return [
        LateTarget(
            target=row[columns.target],
            known_at=row[columns.event_time] + case.label_delay,
            prediction_id=f"p-{row[columns.id]}",
        )
        for row in rows.to_dicts()
    ]


def fill(settings: Settings, days: Sequence[date]) -> None:
    """Everything that happened on these days: their rows, and the targets that belong to them."""
    case = served_case(settings)
    with log_of(settings) as log:
        for day in days:
            entries, targets = simulated_entries(case, day)
            log.add(entries)
            log.add_targets(targets)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """``driftbook serve`` in a process of its own; as a context manager it answers when the block begins."""

    def __init__(self, settings: Settings, *options: str) -> None:
        self.settings, self.port = settings, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        code = "from driftbook.cli import main; main()"
        self._command = [sys.executable, "-c", code, "serve", "--port", str(self.port), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(30) in (0, -signal.SIGTERM)

    def start(self) -> None:
        environment = {**os.environ, "DRIFTBOOK_ROOT": str(self.settings.root)}
        with (self.settings.root / "service.log").open("ab") as said:
            self._process = subprocess.Popen(self._command, env=environment, stdout=said, stderr=said)
        wait_until(lambda: ask(self.port, "/ready")[0] == 200 or self._process.poll() is not None)
        assert self._process.poll() is None, (self.settings.root / "service.log").read_text()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET; status 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def wait_until(reached: Callable[[], bool], *, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
