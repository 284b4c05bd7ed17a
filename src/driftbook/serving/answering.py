"""From rows to answers: score with both models, choose who answers, keep it in the log, then answer.

Requests that arrive while others are being answered are scored together and kept in one transaction, so a busy service
spends less on each; one that comes alone waits for nobody. An answer is given only after the log has it. A request with
many rows is worked on aside from the event loop, so that those with one do not wait behind it. What is odd about a row
is told as the champion sees it, whoever answers: the share of odd rows must not move with the routing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from driftbook.config import UseCase
from driftbook.errors import StateError
from driftbook.serving.bodies import Asked
from driftbook.serving.cache import ScoreCache
from driftbook.serving.counters import Counters
from driftbook.serving.log import PredictionLog
from driftbook.serving.logged import Logged, Scores, new_prediction_id
from driftbook.serving.models import Following, LoadedVersion, OnDuty
from driftbook.serving.router import choose
from driftbook.serving.scorer import Scored
from driftbook.serving.security import RefusalError

MOST_TOGETHER = 64  # rows that are scored at once on the event loop
MOST_EXPLAINED = 8  # rows whose contributions are computed there


@dataclass(frozen=True, slots=True)
class _Job:
    """One request for predictions on its way."""

    asked: Sequence[Asked]
    client: str | None
    began: float
    done: asyncio.Future[tuple[list[Logged], OnDuty]]


class Answering:
    """Answers requests for predictions of one use case, on one event loop."""

    def __init__(
        self,
        case: UseCase,
        *,
        following: Following,
        log: PredictionLog,
        counters: Counters,
        cache: ScoreCache | None = None,
    ) -> None:
        self._share = case.service.challenger_share
        self._seed = case.seed
        self._following = following
        self._log = log
        self._counters = counters
        self._cache = cache
        self._gathering: list[_Job] = []

    async def predict(self, asked: Sequence[Asked], *, client: str | None, began: float) -> tuple[list[Logged], OnDuty]:
        """Score rows, keep them, and say what was kept, in their order, and who was on duty.

        Raises
        ------
        RefusalError
            503 before there is a champion, and while nothing can be kept.
        """
        job = _Job(asked, client, began, asyncio.get_running_loop().create_future())
        if len(asked) > MOST_TOGETHER:
            await self._answer([job], aside=True)
        elif self._gathering and sum(len(each.asked) for each in self._gathering) + len(asked) <= MOST_TOGETHER:
            self._gathering.append(job)
        else:
            self._gathering = [job]
            await self._answer(self._gathering)
        kept, duty = await job.done
        self._count(kept)
        return kept, duty

    async def explain(self, asked: Sequence[Asked], kept: Sequence[Logged], duty: OnDuty) -> list[dict[str, float]]:
        """Contribution of each feature to each answer, by the version that gave it."""
        versions = {version.number: version for version in duty.versions.values()}
        pairs = [(versions[answered_by(each).version], row.features) for row, each in zip(asked, kept, strict=True)]
        if len(pairs) > MOST_EXPLAINED:
            return await asyncio.to_thread(_contributions, pairs)
        return _contributions(pairs)

    async def _answer(self, jobs: list[_Job], *, aside: bool = False) -> None:
        """Answer all that came together; who came first does it for the others.

        It is stopped only when the service is, and then the others are told so.
        """
        try:
            if not aside:
                await asyncio.sleep(0)  # what else has arrived by now comes along
                self._close(jobs)
            duty = self._on_duty()
            entries = await asyncio.to_thread(self._score, jobs, duty) if aside else self._score(jobs, duty)
            await self._log.record([each for part in entries for each in part])
        except BaseException as error:
            self._close(jobs)
            stopped = not isinstance(error, Exception)
            if len(jobs) > 1 and not stopped and not isinstance(error, RefusalError | StateError):
                for job in jobs:  # so that nobody suffers for another's row
                    await self._answer([job])
                return
            for job in jobs:
                if not job.done.done():
                    told = RefusalError(503, "the service is stopping; ask again", {"Retry-After": "5"})
                    job.done.set_exception(told if stopped and job is not jobs[0] else error)
        else:
            for job, part in zip(jobs, entries, strict=True):
                if not job.done.done():
                    job.done.set_result((part, duty))

    def _close(self, jobs: list[_Job]) -> None:
        if self._gathering is jobs:
            self._gathering = []

    def _on_duty(self) -> OnDuty:
        duty = self._following.on_duty
        if duty is None:
            raise RefusalError(503, "there is no champion to answer yet; see /ready", {"Retry-After": "5"})
        return duty

    def _score(self, jobs: Sequence[_Job], duty: OnDuty) -> list[list[Logged]]:
        """What is to be kept of each job."""
        rows = [asked.features for job in jobs for asked in job.asked]
        now = datetime.now(UTC).replace(tzinfo=None)
        found = duty.panel.score(rows) if self._cache is None else self._cache.score(duty.panel.models, rows)
        champion, challenger = found[0], found[1] if len(found) > 1 else None
        champion_scores = _scores(duty.champion, champion)
        challenger_scores = _scores(duty.challenger, challenger) if duty.challenger and challenger else None
        number = duty.challenger.number if duty.challenger is not None else None
        entries: list[list[Logged]] = []
        at = 0
        for job in jobs:
            part = []
            for asked in job.asked:
                prediction_id = asked.prediction_id or new_prediction_id()
                entity = asked.entity or prediction_id
                answered = choose(entity, share=self._share, seed=self._seed, challenger=number)
                part.append(
                    Logged(
                        prediction_id=prediction_id,
                        at=asked.at or now,
                        received_at=asked.at or now,
                        entity=entity,
                        features=asked.features,
                        champion=champion_scores[at],
                        challenger=None if challenger_scores is None else challenger_scores[at],
                        answered=answered,
                        latency_ms=round((time.perf_counter() - job.began) * 1000, 3),
                        flags=_flags(champion, at),
                        outlier_score=champion.outlier_score[at],
                        client=job.client,
                    )
                )
                at += 1
            entries.append(part)
        return entries

    def _count(self, kept: Sequence[Logged]) -> None:
        counters = self._counters
        for each in kept:
            answer = answered_by(each)
            counters.predictions[answer.version, each.answered, answer.prediction] += 1
            for kind in {flag.partition(":")[0] for flag in each.flags}:
                counters.flags[kind] += 1
            if each.challenger is not None:
                counters.compared += 1
                counters.disagreements += each.champion.prediction != each.challenger.prediction


def answered_by(entry: Logged) -> Scores:
    """The scores of the version whose answer the caller got."""
    return entry.challenger if entry.answered == "challenger" and entry.challenger is not None else entry.champion


def _scores(version: LoadedVersion, scored: Scored) -> list[Scores]:
    return [
        Scores(version.number, prediction, score, probabilities)
        for prediction, score, probabilities in zip(
            scored.prediction, scored.prediction_score, scored.probabilities, strict=True
        )
    ]


def _flags(scored: Scored, at: int) -> tuple[str, ...]:
    """What is odd about a row, in words: ``missing:age``, ``unseen:plan``, ``outlier``."""
    flags = scored.flags[at]
    if not (flags.missing or flags.unseen or flags.outlier):
        return ()
    named = [f"missing:{name}" for name in flags.missing] + [f"unseen:{name}" for name in flags.unseen]
    return (*named, "outlier") if flags.outlier else tuple(named)


def _contributions(pairs: Sequence[tuple[LoadedVersion, dict[str, Any]]]) -> list[dict[str, float]]:
    return [version.model.contributions(row) for version, row in pairs]
