"""``python -m benchmarks.kills``: requests while the service is killed and its database goes away; is anything lost?

Callers on many connections ask for predictions, one row a request, and remember what was acknowledged. Meanwhile the
service is killed with signal 9 again and again and started anew, and the database is taken away for a while (SQLite:
somebody holds it exclusively; PostgreSQL: connections are cut and refused). In the end the service is stopped, the
spill files are drained, and every acknowledged prediction must be in the log, once, with the score that was answered.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from live_service import USE_CASE, Process, free_port, make_models, request_rows, start, stop, wait_until_ready
from sqlalchemy.engine import make_url

from driftbook.config import Settings, load_use_case
from driftbook.serving.log import open_log

CALLERS = 8
PAUSE_SECONDS = 0.02  # of a caller whose request failed
Row = Mapping[str, object]


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    requests: int = 100_000
    kills: int = 20
    absences: int = 2
    away_seconds: float = 3.0


@dataclass
class Campaign:
    """What was asked, what came back, and what was done to the service meanwhile."""

    requests: int
    acknowledged: dict[str, float] = field(default_factory=dict)  # prediction id → score that was answered
    unanswered: int = 0
    refused: int = 0
    kills: int = 0
    absences: int = 0

    @property
    def over(self) -> bool:
        """Whether enough was acknowledged."""
        return len(self.acknowledged) >= self.requests


@dataclass(frozen=True)
class Verdict:
    """What the log holds of what was acknowledged; the last four must be 0."""

    acknowledged: int
    kills: int
    absences: int
    unanswered: int
    refused: int
    logged: int
    spilled_files_left: int
    lost: int
    doubled: int
    different: int


def run_campaign(settings: Settings, plan: Plan) -> Verdict:
    """Ask, kill and take away, then compare the log with what was acknowledged."""
    campaign = Campaign(plan.requests)
    rows = request_rows(settings, min(plan.requests, 20_000))
    port = free_port()
    service = [start(settings, port)]
    try:
        wait_until_ready(service[0], port)
        asyncio.run(_campaign(settings, campaign, rows, plan=plan, service=service, port=port))
    finally:
        stop(service[0])
    with open_log(settings.prediction_log_url, settings.spill_folder(USE_CASE), use_case=USE_CASE) as log:
        while log.waiting_bytes():
            log.drain()
    return _compare(settings, campaign)


async def _campaign(
    settings: Settings, campaign: Campaign, rows: Sequence[Row], *, plan: Plan, service: list[Process], port: int
) -> None:
    """``service`` holds the process that runs now."""
    entity = load_use_case(USE_CASE, settings=settings).columns.id or ""
    asking = [
        asyncio.create_task(_call(campaign, _bodies(rows[at::CALLERS], entity, caller=at), port))
        for at in range(CALLERS)
    ]
    blows = [("kill", (at + 1) / (plan.kills + 1)) for at in range(plan.kills)]
    blows += [("take away", (at + 0.5) / plan.absences) for at in range(plan.absences)]
    for blow, share in sorted(blows, key=lambda blow: blow[1]):
        while len(campaign.acknowledged) < share * campaign.requests:
            await asyncio.sleep(0.01)
            for each in asking:
                if each.done():
                    each.result()
        if blow == "kill":
            service[0].send_signal(signal.SIGKILL)
            service[0].wait()
            campaign.kills += 1
            service[0] = start(settings, port)
            await asyncio.to_thread(wait_until_ready, service[0], port)
        else:
            before = len(campaign.acknowledged)
            async with _taken_away(settings):
                await asyncio.sleep(plan.away_seconds)
            campaign.absences += len(campaign.acknowledged) > before
    await asyncio.gather(*asking)


def _bodies(rows: Sequence[Row], entity: str, *, caller: int) -> Iterator[bytes]:
    """One request after another, each with an entity of its own: twice in the log, it was logged twice."""
    for number, row in enumerate(itertools.cycle(rows)):
        yield json.dumps({**row, entity: f"{caller}-{number}"}).encode()


async def _call(campaign: Campaign, bodies: Iterator[bytes], port: int) -> None:
    """One caller: one request after another, on a new connection where an answer failed to come."""
    while not campaign.over:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        try:
            while not campaign.over:
                status, content = await _ask(reader, writer, next(bodies))
                if status == 200:
                    answer = json.loads(content)
                    campaign.acknowledged[answer["prediction_id"]] = answer["prediction_score"]
                elif status >= 500 or status == 429:
                    campaign.refused += 1
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    raise AssertionError(f"{status}: {content!r}")
        except (OSError, asyncio.IncompleteReadError):
            campaign.unanswered += 1
        finally:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> tuple[int, bytes]:
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(head.encode() + b"\r\n\r\n" + body)
    told = await reader.readuntil(b"\r\n\r\n")
    [length] = [int(line[15:]) for line in told.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(told[9:12]), await reader.readexactly(length)


@asynccontextmanager
async def _taken_away(settings: Settings) -> AsyncIterator[None]:
    """The log's database does not take rows meanwhile."""
    address = make_url(settings.prediction_log_url)
    if address.get_backend_name() == "sqlite":
        connection = sqlite3.connect(str(address.database), timeout=30, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()
        return
    with _maintenance(settings) as (server, name):
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def _maintenance(settings: Settings) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """A connection to the server, beside the log's own database."""
    address = make_url(settings.prediction_log_url)
    url = address.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as server:
        yield server, str(address.database)


def _compare(settings: Settings, campaign: Campaign) -> Verdict:
    rows = _logged(settings)
    times = Counter(row[1] for row in rows)
    scores = {row[0]: row[3] if row[2] == "champion" else row[4] for row in rows}
    told = campaign.acknowledged
    folder = settings.spill_folder(USE_CASE)
    return Verdict(
        acknowledged=len(told),
        kills=campaign.kills,
        absences=campaign.absences,
        unanswered=campaign.unanswered,
        refused=campaign.refused,
        logged=len(rows),
        spilled_files_left=sum(path.stat().st_size > 0 for path in folder.glob("*")) if folder.exists() else 0,
        lost=sum(each not in scores for each in told),
        doubled=sum(count > 1 for count in times.values()),
        different=sum(each in scores and scores[each] != score for each, score in told.items()),
    )


def _logged(settings: Settings) -> list[tuple[Any, ...]]:
    sql = "SELECT prediction_id, entity, answered_role, champion_score, challenger_score FROM prediction"
    address = make_url(settings.prediction_log_url)
    if address.get_backend_name() == "sqlite":
        with sqlite3.connect(str(address.database)) as connection:
            return list(connection.execute(sql))
    url = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as server:
        return list(server.execute(sql))


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign of the full size; 1 if anything was lost, doubled or altered, or less was done than planned."""
    parser = argparse.ArgumentParser(prog="benchmarks.kills", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=Plan.requests)
    parser.add_argument("--kills", type=int, default=Plan.kills)
    parser.add_argument("--absences", type=int, default=Plan.absences)
    parser.add_argument("--database", default=None, help="of the log; by default a SQLite file")
    wish = parser.parse_args(arguments)
    if wish.database:
        os.environ["DRIFTBOOK_LOG_URL"] = wish.database
    with tempfile.TemporaryDirectory() as folder:
        settings = make_models(Path(folder))
        began = time.monotonic()
        plan = Plan(wish.requests, wish.kills, wish.absences)
        verdict = run_campaign(settings, plan)
    told = {**asdict(verdict), "seconds": round(time.monotonic() - began)}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    whole = (verdict.kills, verdict.absences) == (plan.kills, plan.absences)
    bad = verdict.lost or verdict.doubled or verdict.different or verdict.spilled_files_left
    return 0 if whole and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
