"""Requests that arrive together: one of them has all scored and kept at once, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from served_models import CASE, ROW, appoint, make_models

from driftbook.config import Settings
from driftbook.errors import DataError, StateError
from driftbook.serving.answering import MOST_TOGETHER, answered_by
from driftbook.serving.bodies import Asked
from driftbook.serving.logged import Logged
from driftbook.serving.service import Service, open_service


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_models(tmp_path)


@asynccontextmanager
async def opened(settings: Settings, inserts: list[int]) -> AsyncIterator[Service]:
    """A service, and how many rows each of its transactions had."""
    async with open_service(CASE, settings) as service:
        record = service.log.record

        async def counted(entries: list[Logged]) -> None:
            await record(entries)
            inserts.append(len(entries))

        service.log.record = counted  # type: ignore[assignment,method-assign]
        yield service


async def ask(service: Service, entity: str, rows: int = 1) -> list[Logged]:
    features = {name: value for name, value in ROW.items() if name != "customer"}
    asked = [Asked(dict(features), f"{entity}-{at}" if rows > 1 else entity) for at in range(rows)]
    kept, _ = await service.answering.predict(asked, client=None, began=0.0)
    return kept


def play(settings: Settings, story: Callable[[Service], Awaitable[Any]]) -> tuple[Any, list[int]]:
    inserts: list[int] = []

    async def run() -> Any:
        async with opened(settings, inserts) as service:
            return await asyncio.wait_for(story(service), 30)

    return asyncio.run(run()), inserts


def test_a_request_alone_waits_for_nobody(settings: Settings) -> None:
    async def story(service: Service) -> list[Logged]:
        return [each for at in range(3) for each in await ask(service, f"c-{at}")]

    kept, inserts = play(settings, story)
    assert [each.entity for each in kept] == ["c-0", "c-1", "c-2"]
    assert inserts == [1, 1, 1]


def test_what_arrives_together_is_kept_together_up_to_a_portion(settings: Settings) -> None:
    async def story(service: Service) -> list[list[Logged]]:
        return await asyncio.gather(*(ask(service, f"c-{at}") for at in range(MOST_TOGETHER + 10)))

    kept, inserts = play(settings, story)
    assert [part[0].entity for part in kept] == [f"c-{at}" for at in range(MOST_TOGETHER + 10)]
    assert inserts == [MOST_TOGETHER, 10]


def test_many_rows_go_aside_and_do_not_gather_others(settings: Settings) -> None:
    async def story(service: Service) -> list[list[Logged]]:
        few, many = MOST_TOGETHER // 2 + 1, MOST_TOGETHER + 1
        return await asyncio.gather(ask(service, "a", few), ask(service, "b", many), ask(service, "c", few))

    kept, inserts = play(settings, story)
    assert [len(part) for part in kept] == [MOST_TOGETHER // 2 + 1, MOST_TOGETHER + 1, MOST_TOGETHER // 2 + 1]
    assert sorted(inserts) == sorted(map(len, kept))
    assert [part[-1].entity for part in kept] == [
        f"{name}-{len(part) - 1}" for name, part in zip("abc", kept, strict=True)
    ]


def test_nobody_suffers_for_anothers_row(settings: Settings) -> None:
    async def story(service: Service) -> list[Any]:
        entities = ["c-1", "bad\0", "c-2"]
        return await asyncio.gather(*(ask(service, each) for each in entities), return_exceptions=True)

    (first, bad, last), inserts = play(settings, story)
    assert isinstance(bad, DataError)
    assert (first[0].entity, last[0].entity) == ("c-1", "c-2")
    assert inserts == [1, 1]


def test_what_cannot_be_kept_is_not_tried_again_row_by_row(settings: Settings) -> None:
    tries: list[int] = []

    async def story(service: Service) -> list[Any]:
        async def refuse(entries: list[Logged]) -> None:
            tries.append(len(entries))
            raise StateError("the disk is full")

        service.log.record = refuse  # type: ignore[assignment,method-assign]
        return await asyncio.gather(*(ask(service, f"c-{at}") for at in range(3)), return_exceptions=True)

    found, _ = play(settings, story)
    assert [type(each) for each in found] == [StateError] * 3
    assert tries == [3]


def test_contributions_are_of_the_version_that_answered_though_another_took_over_meanwhile(settings: Settings) -> None:
    row = Asked({name: value for name, value in ROW.items() if name != "customer"}, "c-1")

    async def story(service: Service) -> tuple[list[dict[str, float]], dict[str, float]]:
        kept, duty = await service.answering.predict([row], client=None, began=0.0)
        answered = next(each for each in duty.versions.values() if each.number == answered_by(kept[0]).version)
        appoint(settings, 2 if answered.number == 1 else 1, action="promote")
        assert service.following.refresh()
        return await service.answering.explain([row], kept, duty), answered.model.contributions(row.features)

    ([found], expected), _ = play(settings, story)
    assert found == expected


def test_who_answers_for_others_does_not_leave_them_waiting_when_cancelled(settings: Settings) -> None:
    async def story(service: Service) -> list[Any]:
        tasks = [asyncio.ensure_future(ask(service, f"c-{at}")) for at in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        return [*found, await ask(service, "c-4")]

    (first, *others, after), inserts = play(settings, story)
    assert isinstance(first, asyncio.CancelledError)
    assert [(each.status, each.detail) for each in others] == [(503, "the service is stopping; ask again")] * 2
    assert (after[0].entity, inserts) == ("c-4", [1])


def test_who_leaves_while_another_answers_for_it_changes_nothing(settings: Settings) -> None:
    async def story(service: Service) -> list[Any]:
        tasks = [asyncio.ensure_future(ask(service, f"c-{at}")) for at in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    (first, left, last), inserts = play(settings, story)
    assert isinstance(left, asyncio.CancelledError)
    assert (first[0].entity, last[0].entity, inserts) == ("c-0", "c-2", [3])
