"""Large requests are kept as surely as single ones, and let those in between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from stores import KINDS, empty_store
from test_log import NOON, entry, identifiers, rows_of

from driftbook.serving.log import _GATHERED, PORTION, PredictionLog, open_log
from driftbook.serving.log_store import AwayError
from driftbook.serving.logged import LateTarget, TargetsAdded, prediction_row

MANY = 1_000
LATE = NOON + timedelta(days=3)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_store(request.param, tmp_path) as store:
        yield store


def entries(name: str, count: int) -> list:
    return [entry(f"{name}-{number:04d}") for number in range(count)]


def inserted(log: PredictionLog) -> list[int]:
    """How many rows each transaction from now on has."""
    counts: list[int] = []
    insert = log._store.insert

    def counted(table, rows):
        counts.append(len(rows))
        insert(table, rows)

    log._store.insert = counted
    return counts


def test_single_predictions_get_in_while_a_large_request_is_kept(url: str, tmp_path: Path) -> None:
    with open_log(url, tmp_path / "spill", use_case="churn") as log:

        async def keep_all() -> int:
            large = asyncio.create_task(log.record(entries("large", MANY)))
            singles = 0
            await asyncio.sleep(0)
            while not large.done():
                await asyncio.sleep(0)
                singles += 1
            await log.record([entry("single")])
            return singles

        assert asyncio.run(keep_all()) > 1
    assert len(identifiers(url)) == MANY + 1


def test_many_rows_go_into_sqlite_a_portion_at_a_time_and_what_is_refused_is_put_aside(tmp_path: Path) -> None:
    with empty_store("sqlite", tmp_path) as url, open_log(url, tmp_path / "spill", use_case="churn") as log:
        counts = inserted(log)
        counted = log._store.insert

        def refuse_the_second(table, rows):
            if len(counts) == 1 and log.spilled == 0:
                raise AwayError("busy")
            counted(table, rows)

        log._store.insert = refuse_the_second
        log.add(entries("a", 3 * PORTION + 1))
        assert (counts, log.spilled) == ([PORTION, PORTION, 1], PORTION)
        log.drain()
        assert len(identifiers(url)) == 3 * PORTION + 1


def test_the_writer_of_a_server_gathers_rows_up_to_a_limit(tmp_path: Path) -> None:
    with empty_store("postgresql", tmp_path) as url, open_log(url, tmp_path / "spill", use_case="churn") as log:
        counts = inserted(log)
        with log._storing:  # the writer waits with the first
            under_way = [log._submit("prediction", [prediction_row(entry("first"), "churn")])]
            while not log._queue.empty():
                pass
            for name in "abcdef":
                rows = [prediction_row(each, "churn") for each in entries(name, _GATHERED // 2)]
                under_way.append(log._submit("prediction", rows))
        assert [each.result(10) for each in under_way] == [None] * 7
        assert sum(counts) == 1 + 6 * (_GATHERED // 2)
        assert max(counts) == _GATHERED


def test_what_is_told_of_many_targets_is_what_is_told_of_each(url: str, tmp_path: Path) -> None:
    with open_log(url, tmp_path / "spill", use_case="churn") as log:
        log.add(entries("a", 300))
        log.add([entry("again", entity="c-a-0299"), entry("other's", entity="c-z")])
        before = [LateTarget("yes", NOON, prediction_id=f"a-{number:04d}") for number in range(40)]
        assert log.add_targets(before) == TargetsAdded(40)
        asked = [
            *before[:20],  # repeated
            *(LateTarget("no", LATE, prediction_id=f"a-{number:04d}") for number in range(10, 60)),  # 30 contradict
            *(LateTarget("no", LATE, prediction_id=f"z-{number:04d}") for number in range(70)),  # unmatched
            *(LateTarget("no", LATE, entity=f"c-a-{number:04d}") for number in range(200, 400)),  # 100 unmatched
        ]
        queries = 0
        query = log._store.query

        def counted(*given):
            nonlocal queries
            queries += 1
            return query(*given)

        log._store.query = counted
        told = TargetsAdded(320, repeated=20, unmatched=170, contradicting=30)
        assert log.add_targets(asked) == told
        assert queries <= 4 * (len(asked) // PORTION + 1)
        assert log.add_targets(asked) == TargetsAdded(0, repeated=340)
    assert len(rows_of(url, "SELECT * FROM prediction_target")) == 360


def test_many_targets_of_several_threads_are_each_there_once(url: str, tmp_path: Path) -> None:
    known = [LateTarget("no", LATE, entity=f"c-{number}") for number in range(3 * PORTION)]
    with open_log(url, tmp_path / "spill", use_case="churn") as log:
        threads = [threading.Thread(target=log.add_targets, args=[known]) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(rows_of(url, "SELECT * FROM prediction_target")) == len(known)
