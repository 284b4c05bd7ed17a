"""Everything a running service holds, and what it does aside from requests: follow the deployment, drain the log.

One object per app, made by :func:`open_service` when the app starts and closed when it stops, so that nothing is kept
in module variables and two services in one process do not meet.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from driftbook.config import Settings, UseCase
from driftbook.database import Database, open_database
from driftbook.errors import DriftbookError
from driftbook.serving.answering import Answering
from driftbook.serving.bodies import RequestBodies
from driftbook.serving.cache import open_cache
from driftbook.serving.counters import Counters
from driftbook.serving.log import PredictionLog, open_log
from driftbook.serving.metrics import ServiceCollector
from driftbook.serving.models import Following
from driftbook.serving.security import Gate, load_keys

FOLLOW_SECONDS = 2.0  # between looks at deployment and keys, each of which may hold up a request for a millisecond
DRAIN_SECONDS = 1.0
REFUSED_SECONDS = 10.0  # after a row could be kept nowhere; then it is worth another try
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """The parts of a running service of one use case."""

    case: UseCase
    settings: Settings
    bodies: RequestBodies
    following: Following
    log: PredictionLog
    gate: Gate
    counters: Counters
    answering: Answering
    collector: ServiceCollector
    database: Database

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether predictions are answered, and what to say of it; paths stay in the service's own log."""
        duty = self.following.on_duty
        told = [f"{subject}: see the service's log" for subject in sorted(self.following.faults)]
        if duty is None and "champion" in self.following.faults:
            told = ["there is no champion to answer yet: build the use case, or see the service's log"]
        refused_at = self.log.refused_at
        keeping = refused_at is None or time.monotonic() - refused_at > REFUSED_SECONDS
        if not keeping:
            told.append("log: neither the database nor the spill file takes predictions, so none is answered")
        elif self.log.fault is not None:
            told.append("log: the database is away; predictions are kept in the spill file meanwhile")
        answering = duty is not None and keeping
        return answering, {
            "ready": answering,
            "champion": duty.champion.number if duty is not None else None,
            "challenger": duty.challenger.number if duty is not None and duty.challenger is not None else None,
            "faults": told,
        }

    async def look_after(self, stopping: asyncio.Event) -> None:
        """Keep models, keys and log up to date until the service stops; none of them waits for another's database."""
        cares = ((self._follow, FOLLOW_SECONDS), (self._admit, FOLLOW_SECONDS), (self._drain, DRAIN_SECONDS))
        await asyncio.gather(*(_again_and_again(work, seconds, stopping) for work, seconds in cares))

    async def _follow(self) -> None:
        await asyncio.to_thread(self.following.refresh)

    async def _admit(self) -> None:
        self.gate.replace(await asyncio.to_thread(load_keys, self.database))

    async def _drain(self) -> None:
        await asyncio.to_thread(self.log.drain)


async def _again_and_again(work: Callable[[], Awaitable[None]], seconds: float, stopping: asyncio.Event) -> None:
    """Do it every so many seconds, and once more at the end; whatever goes wrong is told once, and tried again."""
    told, last = "", False
    while not last:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), seconds)
        last = stopping.is_set()  # asked before the work: who stops during it wants it once more
        try:
            await work()
            told = ""
        except Exception as error:
            if str(error) != told:
                _LOGGER.warning("%s", error, exc_info=not isinstance(error, DriftbookError))
            told = str(error)


@asynccontextmanager
async def open_service(
    case: UseCase, settings: Settings, *, allow_event_time: bool = False, keys_required: bool = False
) -> AsyncIterator[Service]:
    """Open database, log and models, and look after them until the block ends.

    Raises
    ------
    ConfigError, StateError
        If the database or the log cannot be opened.
    """
    with contextlib.ExitStack() as held:
        database = held.enter_context(open_database(settings.database_url))
        log = held.enter_context(
            open_log(settings.prediction_log_url, settings.spill_folder(case.name), use_case=case.name)
        )
        address = settings.cache_url or case.service.cache
        cache = held.enter_context(contextlib.closing(open_cache(address))) if address else None
        following = Following(case, settings, database)
        await asyncio.to_thread(following.refresh)
        counters = Counters()
        service = Service(
            case=case,
            settings=settings,
            bodies=RequestBodies(case, allow_event_time=allow_event_time),
            following=following,
            log=log,
            gate=Gate(load_keys(database), rate_limit=case.service.rate_limit, required=keys_required),
            counters=counters,
            answering=Answering(case, following=following, log=log, counters=counters, cache=cache),
            collector=ServiceCollector(counters, following, log, use_case=case.name, cache=cache),
            database=database,
        )
        stopping = asyncio.Event()
        caring = asyncio.create_task(service.look_after(stopping))
        try:
            yield service
        finally:
            stopping.set()
            await caring  # which drains the log once more
