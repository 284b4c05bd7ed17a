"""A PostgreSQL server that is there but silent keeps nobody waiting for long, and loses and doubles nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from served_models import ROW, make_models, serving
from silent_server import Proxy, proxied
from stores import empty_store
from test_log import NOON, entry, identifiers

from driftbook.errors import StateError
from driftbook.serving import log_server
from driftbook.serving.log import PredictionLog, open_log
from driftbook.serving.log_reader import open_reader
from driftbook.serving.log_server import open_store
from driftbook.serving.log_store import AwayError
from driftbook.serving.logged import LateTarget, prediction_row

LIMIT = 1  # seconds, for the server; and one more here
SOON = LIMIT + 1 + 1.5  # seconds, with room for a busy machine
AT_ONCE = 1.0


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr(log_server, "SERVER_SECONDS", LIMIT)
    with empty_store("postgresql", tmp_path) as url, proxied(url) as proxy:
        yield proxy


def seconds_of(work) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


@pytest.mark.parametrize("rows", [1, 3])
def test_a_silent_server_is_given_up_and_caught_up_with(proxy: Proxy, tmp_path: Path, rows: int) -> None:
    with open_log(proxy.url, tmp_path / "spill", use_case="churn") as log:
        log.add([entry("before")])
        proxy.speaks.clear()
        assert seconds_of(lambda: log.add([entry(f"a-{row}") for row in range(rows)])) < SOON
        assert (log.spilled, log.fault) == (rows, f"no answer within {LIMIT + 1} seconds")
        assert seconds_of(lambda: log.add([entry("b")])) < AT_ONCE
        assert seconds_of(lambda: asyncio.run(log.record([entry("c")]))) < AT_ONCE
        assert seconds_of(log.drain) < 2 + SOON  # connecting takes no less than two
        assert log.fault is not None
        proxy.speaks.set()  # and what it was told before is told to the server, too
        assert log.drain() == rows + 2
        assert log.fault is None
        log.add([entry("d")])
    assert identifiers(proxy.url) == [*(f"a-{row}" for row in range(rows)), "b", "before", "c", "d"]


def test_all_who_ask_a_silent_server_are_free_again_together(proxy: Proxy, tmp_path: Path) -> None:
    with open_log(proxy.url, tmp_path / "spill", use_case="churn") as log:
        log.add([entry("a")])
        proxy.speaks.clear()
        known = [LateTarget("no", NOON, entity=f"c-{number}") for number in range(5)]
        threads = [threading.Thread(target=log.add_targets, args=[[each]]) for each in known]
        assert seconds_of(lambda: [*(each.start() for each in threads), *(each.join() for each in threads)]) < SOON
        assert log.spilled == len(known)
        assert log.waiting_bytes() > 0


def test_a_log_is_closed_while_its_server_is_silent(proxy: Proxy, tmp_path: Path) -> None:
    log = open_log(proxy.url, tmp_path / "spill", use_case="churn")
    proxy.speaks.clear()
    under_way = log._submit("prediction", [prediction_row(entry("a"), "churn")])
    assert seconds_of(log.close) < SOON
    assert under_way.result(0) is None
    proxy.speaks.set()
    with open_log(proxy.url, tmp_path / "spill", use_case="churn") as again:
        again.drain()
    assert identifiers(proxy.url) == ["a"]


def test_a_server_that_falls_silent_while_a_file_is_drained_gets_the_rest_later(proxy: Proxy, tmp_path: Path) -> None:
    with open_log(proxy.url, tmp_path / "spill", use_case="churn") as log:
        _keep_aside(log, rows=250)
        insert = log._store.insert

        def fall_silent(table, rows):
            insert(table, rows)
            proxy.speaks.clear()

        log._store.insert = fall_silent
        assert seconds_of(log.drain) < SOON
        log._store.insert = insert
        assert log.fault is not None
        proxy.speaks.set()
        assert log.drain() == 250
    assert len(identifiers(proxy.url)) == 250


def test_a_silent_server_cannot_be_opened(proxy: Proxy, tmp_path: Path) -> None:
    proxy.speaks.clear()
    with pytest.raises(StateError, match="cannot be opened"):
        open_log(proxy.url, tmp_path, use_case="churn")


def test_a_service_answers_and_tells_while_its_logs_server_is_silent(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTBOOK_LOG_URL", proxy.url)
    told = ["log: the database is away; predictions are kept in the spill file meanwhile"]
    with serving(make_models(tmp_path)) as client:
        answers = []

        def ask(*_given: object) -> None:
            answers.append(client.post("/predict", json=ROW))

        ask()
        proxy.speaks.clear()
        with ThreadPoolExecutor(20) as pool:
            assert seconds_of(lambda: list(pool.map(ask, range(20)))) < SOON
        assert seconds_of(ask) < AT_ONCE
        assert client.get("/ready").json()["faults"] == told
        proxy.speaks.set()
        until = time.monotonic() + 30
        while client.get("/ready").json()["faults"] == told:
            assert time.monotonic() < until, "not found again in time"
            time.sleep(0.1)
        ask()
        assert [answer.status_code for answer in answers] == [200] * 23
        proxy.speaks.clear()
        began = time.monotonic()
    assert time.monotonic() - began < 2 * SOON, "the service did not stop"
    proxy.speaks.set()
    assert identifiers(proxy.url) == sorted(answer.json()["prediction_id"] for answer in answers)


def test_a_build_that_searches_a_long_log_is_given_more_time_than_a_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_server, "SERVER_SECONDS", 1)
    slow = "SELECT 1 FROM pg_sleep(1.5) WHERE ? <> ''"
    with empty_store("postgresql", tmp_path) as url:
        with open_reader(url, tmp_path, use_case="churn") as reader:
            assert reader._ask(slow) == [(1,)]
        store = open_store(url)
        with pytest.raises(AwayError, match="timeout"):
            store.query(slow, ["churn"])
        store.close()


def _keep_aside(log: PredictionLog, *, rows: int) -> None:
    log.fault = "away"
    log.add([entry(f"a-{row}") for row in range(rows)])
