"""The prediction service is asked politely: no redirect, no proxy, no long wait, and only numbers come back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from driftbook.dashboard.service import KEPT_SECONDS, ServedVersion, ServiceWatch, ask
from driftbook.serving.counters import Counters

Answers = Callable[[BaseHTTPRequestHandler], None]
VERSIONS = [
    {"version": 1, "role": "champion", "load_seconds": 0.05},
    {"version": 2, "role": "challenger", "load_seconds": 0.07},
]


def counters() -> Counters:
    """Four requests: three answered within 1, 2 and 3 ms by version 1, one failed."""
    found = Counters(clock=lambda: 100.0)
    found.started = 40.0
    for milliseconds in (1, 2, 3):
        found.add_request("/predict", 200, milliseconds / 1000)
        found.add_latency([1], milliseconds / 1000)
    found.add_request("/predict", 500, 0.1)
    found.predictions[1, "champion", "yes"] = 30
    found.flags["outlier"] = 3
    return found


def told(handler: BaseHTTPRequestHandler, content: Any, *, status: int = 200) -> None:
    body = json.dumps(content).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def as_a_service(handler: BaseHTTPRequestHandler) -> None:
    pages = {"/stats": counters().summary(), "/model": {"use_case": "churn", "versions": VERSIONS}}
    told(handler, pages[handler.path])


@contextmanager
def serving(answers: Answers) -> Iterator[tuple[str, list[Any]]]:
    """A server of this machine that answers as told, and the headers it was asked with."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            answers(self)

        def log_message(self, *words: Any) -> None:
            """Nothing to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_its_own_counters_are_told_version_by_version() -> None:
    with serving(as_a_service) as (address, _):
        found = ask(address)
    assert (found.fault, found.use_case, found.requests, found.rows) == ("", "churn", 4, 30)
    assert (found.error_rate, found.outlier_share, found.uptime_seconds) == (0.25, 0.1, 60.0)
    assert found.per_second == round(4 / 60, 3)
    assert found.versions == (
        ServedVersion(1, "champion", 0.05, requests=3, rows=30, p50_ms=2.0, p95_ms=3.0, p99_ms=3.0),
        ServedVersion(2, "challenger", 0.07),
    )


def test_the_key_is_sent_and_nothing_else_of_this_machine() -> None:
    with serving(as_a_service) as (address, asked):
        ask(address, "secret")
        ask(address)
    assert [path for path, _ in asked] == ["/stats", "/model"] * 2
    assert [headers.get("Authorization") for _, headers in asked] == ["Bearer secret"] * 2 + [None] * 2
    assert "Cookie" not in asked[0][1]


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "wants a key that may read"), (403, "wants a key"), (503, "no champion"), (404, "gave the status 404")],
)
def test_a_refusal_is_a_sentence(status: int, said: str) -> None:
    with serving(lambda handler: told(handler, {}, status=status)) as (address, _):
        found = ask(address)
    assert said in found.fault
    assert found.answered


@pytest.mark.parametrize("content", [{}, [], "x", {"requests": {}}, None])
def test_whatever_else_answers_is_no_service_of_ours(content: Any) -> None:
    with serving(lambda handler: told(handler, content)) as (address, _):
        assert "is no prediction service of driftbook" in ask(address).fault


def test_nobody_there_is_said_without_a_password_that_stands_in_the_address() -> None:
    found = ask("http://ann:secret@127.0.0.1:9/")
    assert found.fault == "No prediction service answers at http://127.0.0.1:9."
    assert not found.answered


def test_no_redirect_is_followed_and_no_proxy_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "http://127.0.0.1:9/")
        handler.end_headers()

    with serving(elsewhere) as (address, asked):
        assert "gave the status 302" in ask(address).fault
        assert len(asked) == 1
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(as_a_service) as (address, _):
        assert ask(address).fault == ""


def test_a_service_that_hangs_holds_nobody_up() -> None:
    with serving(lambda handler: time.sleep(1.5)) as (address, _):
        began = time.monotonic()
        assert not ask(address, seconds=0.2).answered
        assert time.monotonic() - began < 1.0
        watch = ServiceWatch(address, None)
        began = time.monotonic()
        assert watch.answer() is None
        assert watch.mark() == ""
        assert time.monotonic() - began < 0.25


def test_an_answer_counts_for_ten_seconds_and_is_then_asked_anew_in_the_background() -> None:
    now = [0.0]
    with serving(as_a_service) as (address, asked):
        watch = ServiceWatch(address, None, clock=lambda: now[0])
        first = watch.answer()
        assert first is not None
        mark = watch.mark()
        assert watch.answer() is first
        assert len(asked) == 2
        now[0] = KEPT_SECONDS
        assert watch.mark() == mark, "at once"
        until = time.monotonic() + 5
        while len(asked) < 4 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(asked) == 4
        assert watch.mark() == mark, "an idle service is no news"
