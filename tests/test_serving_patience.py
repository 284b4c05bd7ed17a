"""Callers who fall silent in the middle of a request, or never read, lose their connection; slow ones are answered."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn

from driftbook.serving import patience
from driftbook.serving.patience import LONGEST_HEAD, PatientProtocol

PATIENCE = 1.0
HEAD = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
MANY = 8_000_000  # bytes, more than the kernel holds of an answer that nobody reads
Hold = Callable[[socket.socket], None]


async def echo(scope, receive, send):
    """Answers the body it gets, once all of it is there."""
    content, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        content, more = content + message.get("body", b""), message.get("more_body", False)
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(patience, "LOOK_SECONDS", PATIENCE)
    config = uvicorn.Config(echo, http=PatientProtocol, lifespan="off", log_config=None, limit_concurrency=4)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def connect(port: int) -> socket.socket:
    """A caller, with little room for answers that nobody reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(10 * PATIENCE)
    connection.connect(("127.0.0.1", port))
    return connection


def until_closed(connection: socket.socket) -> tuple[bytes, float]:
    """What comes until the other side closes, and how long that takes."""
    began, found = time.monotonic(), b""
    try:
        while more := connection.recv(65_536):
            found += more
    except ConnectionResetError:
        pass
    return found, time.monotonic() - began


@pytest.mark.parametrize("said", [b"", b"POST", HEAD[:-2], HEAD, HEAD + b"abc"])
def test_who_falls_silent_is_let_go(port: int, said: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(said)
        answer, seconds = until_closed(connection)
    assert answer == b""
    assert PATIENCE / 2 < seconds < 5 * PATIENCE


def test_who_drips_is_let_go_all_the_same(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nX-Slow: ")
        began = time.monotonic()
        assert drip(connection, until=began + 10 * PATIENCE) < began + 6 * PATIENCE


def drip(connection: socket.socket, *, until: float) -> float:
    """Send a letter now and then until the other side has enough; when that is."""
    while (now := time.monotonic()) < until:
        try:
            connection.sendall(b"a")
        except OSError:
            break
        time.sleep(PATIENCE / 10)
    return now


def test_a_slow_request_and_an_idle_connection_are_answered(port: int) -> None:
    with connect(port) as connection:
        for pause in (PATIENCE / 4, 2 * PATIENCE):
            for part in (HEAD[:20], HEAD[20:], b"ab", b"cd"):
                connection.sendall(part)
                time.sleep(PATIENCE / 20)
            assert connection.recv(65_536).endswith(b"\r\n\r\nabcd")
            time.sleep(pause)


@pytest.mark.parametrize("length", [4, MANY])
def test_a_request_in_large_chunks_is_answered(port: int, length: int) -> None:
    with connect(port) as connection:
        connection.sendall(CHUNKED + b"%x\r\n" % length + b"a" * length + b"\r\n0\r\nX-Sum: 1\r\n\r\n")
        found = b""
        while len(found) < length:
            found += connection.recv(1_000_000)
    assert found.startswith(b"HTTP/1.1 200")


def test_a_request_in_many_chunks_is_answered(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(CHUNKED + b"1\r\na\r\n" * LONGEST_HEAD + b"0\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("parts", [[b"abcd"], [b"", b"abcd"], [b"ab", b"cd"]], ids=["at once", "after", "in halves"])
def test_javas_client_which_asks_for_http_2_keeps_its_body(port: int, parts: list[bytes]) -> None:
    asks = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAA\r\nUpgrade: h2c\r\n\r\n"
    first, *later = parts
    with connect(port) as connection:
        connection.sendall(HEAD[:-2] + asks + first)
        for part in later:
            time.sleep(PATIENCE / 10)
            connection.sendall(part)
        assert answer_of(connection) == b"abcd"
        connection.sendall(HEAD + b"next")
        assert answer_of(connection) == b"next"


def answer_of(connection: socket.socket) -> bytes:
    """The four bytes of an answer's body."""
    found = b""
    while b"\r\n\r\n" not in found or len(found.partition(b"\r\n\r\n")[2]) < 4:
        more = connection.recv(65_536)
        assert more, found
        found += more
    assert found.startswith(b"HTTP/1.1 200"), found
    return found.partition(b"\r\n\r\n")[2]


def test_pipelined_requests_cut_in_half_are_answered(port: int) -> None:
    request = HEAD + b"abcd"
    with connect(port) as connection:
        connection.sendall(request[:20])
        for _ in range(8):
            time.sleep(PATIENCE / 2)
            connection.sendall(request[20:] + request[:20])
            assert connection.recv(65_536).endswith(b"\r\n\r\nabcd")


def silent(connection: socket.socket) -> None:
    connection.sendall(HEAD)


def deaf(connection: socket.socket) -> None:
    connection.sendall(HEAD.replace(b"4", str(MANY).encode()) + b"a" * MANY)


def deaf_at_the_end(connection: socket.socket) -> None:
    connection.sendall(HEAD.replace(b"4", str(MANY).encode() + b"\r\nConnection: close") + b"a" * MANY)


@pytest.mark.parametrize("hold", [silent, deaf, deaf_at_the_end])
def test_who_neither_sends_nor_reads_does_not_keep_others_out_for_long(port: int, hold: Hold) -> None:
    held = [connect(port) for _ in range(3)]
    for connection in held:
        hold(connection)
    with connect(port) as connection:
        connection.sendall(HEAD + b"abcd")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 503")
    until = time.monotonic() + 10 * PATIENCE
    answer = b""
    while not answer.startswith(b"HTTP/1.1 200"):
        assert time.monotonic() < until, answer
        with connect(port) as connection:
            connection.sendall(HEAD + b"abcd")
            answer = connection.recv(65_536)
        time.sleep(PATIENCE / 10)
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: here\r\nX-Long: ", CHUNKED + b"4\r\nabcd\r\n0\r\nX-Long: "],
    ids=["headers", "trailers"],
)
def test_endless_headers_are_refused(port: int, said: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(said)
        connection.settimeout(PATIENCE / 2)
        sent = 0
        try:
            while sent < 1_000 * LONGEST_HEAD:
                sent += connection.send(b"a" * 10_000)
        except OSError:
            pass
        answer, seconds = until_closed(connection)
    assert seconds < 5 * PATIENCE
    assert sent < 100 * LONGEST_HEAD
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
