"""What a service does aside from requests is done again and again, and once more when it stops."""

from __future__ import annotations

import asyncio

from driftbook.serving.service import _again_and_again


def test_work_is_done_once_more_though_the_service_is_stopped_in_the_middle_of_it() -> None:
    async def run() -> list[str]:
        stopping = asyncio.Event()
        done: list[str] = []

        async def work() -> None:
            done.append("began")
            if len(done) == 1:
                stopping.set()
                await asyncio.sleep(0)
                raise ValueError("and nothing that goes wrong prevents it")
            done.append("ended")

        await asyncio.wait_for(_again_and_again(work, 0.01, stopping), 10)
        return done

    assert asyncio.run(run()) == ["began", "began", "ended"]


def test_work_is_done_once_after_the_service_is_stopped() -> None:
    async def run() -> int:
        stopping = asyncio.Event()
        stopping.set()
        done = 0

        async def work() -> None:
            nonlocal done
            done += 1

        await asyncio.wait_for(_again_and_again(work, 60, stopping), 10)
        return done

    assert asyncio.run(run()) == 1
