"""``python -m benchmarks.load``: sends requests at a fixed rate from a process of its own, and times the answers.

The load is open: request number ``i`` is due at ``i / rate`` seconds whether or not earlier ones were answered, and its
time counts from when it was due. A client that waits for the answer before it sends the next one measures a slow
service as a less busy one ("coordinated omission").
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
import uvloop

LEAD_SECONDS = 0.2
SPIN_SECONDS = 0.003  # before a request is due; timers, good to a millisecond, would send it late
DRAIN_SECONDS = 10.0
MARKS = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}


class Line(asyncio.Protocol):
    """One keep-alive connection, a request at a time; what is due meanwhile waits in its queue."""

    def __init__(self, times: list[float], statuses: list[int]) -> None:
        self._times, self._statuses = times, statuses
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._due: float | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None

    def send(self, due: float, request: bytes) -> None:
        self._waiting.append((due, request))
        if self._due is None:
            self._next()

    @property
    def idle(self) -> bool:
        return self._due is None and not self._waiting

    def _next(self) -> None:
        self._due = None
        while self._waiting and self._due is None:
            self._due, request = self._waiting.popleft()
            if self._transport is None:
                self._count(0)
            else:
                self._transport.write(request)

    def _count(self, status: int) -> None:
        assert self._due is not None
        self._times.append(time.perf_counter() - self._due)
        self._statuses.append(status)
        self._due = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(rest) >= length:
            self._buffer = rest[length:]
            self._count(int(head[9:12]))
            self._next()


async def send(
    port: int, path: str, bodies: list[bytes], *, rate: float, seconds: float, lines: int
) -> dict[str, float]:
    """Send and time; percentiles in milliseconds, from when a request was due."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    statuses: list[int] = []
    made = [await loop.create_connection(lambda: Line(times, statuses), "127.0.0.1", port) for _ in range(lines)]
    connections = [line for _, line in made]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    requests = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]
    total = int(rate * seconds)
    began = time.perf_counter() + LEAD_SECONDS
    late = 0.0
    for number in range(total):
        due = began + number / rate
        while (ahead := due - time.perf_counter()) > 0:
            waiting = len(times) < number  # for an answer: busily, or waking up would count as the service's time
            await asyncio.sleep(0 if waiting or ahead < SPIN_SECONDS else ahead - SPIN_SECONDS)
        late = max(late, -ahead)
        free = next((line for line in connections if line.idle), connections[number % lines])
        free.send(due, requests[number % len(requests)])
        if number % 16 == 0:
            await asyncio.sleep(0)
    until = time.perf_counter() + DRAIN_SECONDS
    while len(times) < total and time.perf_counter() < until:
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    found = np.array([*times, *[np.inf] * (total - len(times))]) * 1000
    good = sum(status == 200 for status in statuses)
    counts = {"offered": rate, "answered": good / took, "failed": total - good, "requests": total, "late_s": late}
    marks = np.quantile(found, tuple(MARKS.values()), method="higher").tolist()
    return {**counts, **dict(zip(MARKS, marks, strict=True))}


def main() -> int:
    """One burst; the result as JSON on standard output."""
    parser = argparse.ArgumentParser(prog="benchmarks.load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/predict")
    parser.add_argument("--bodies", type=Path, required=True, help="a request's body on each line")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--lines", type=int, default=8, help="keep-alive connections")
    wish = parser.parse_args()
    bodies = wish.bodies.read_bytes().splitlines()
    found = uvloop.run(send(wish.port, wish.path, bodies, rate=wish.rate, seconds=wish.seconds, lines=wish.lines))
    sys.stdout.write(json.dumps(found, allow_nan=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
