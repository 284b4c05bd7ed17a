"""What the service counts: requests, latencies, predictions, oddities, in plain numbers of this process.

One set of counters serves both ``/stats`` and ``/metrics``, so the two cannot contradict each other, and counting costs
a few additions a request. Percentiles are exact over the latest latencies of a version; all latencies since the start
are in the histogram. Only the event loop counts.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

RECENT = 4096  # latencies that percentiles are of
RATE_SECONDS = 60
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
PERCENTILES = (50, 95, 99)


class Latencies:
    """Durations in seconds: a histogram of all, and the latest as they were.

    Examples
    --------
    >>> latencies = Latencies()
    >>> for milliseconds in range(1, 101):
    ...     latencies.add(milliseconds / 1000)
    >>> latencies.percentiles()
    {'p50_ms': 50.0, 'p95_ms': 95.0, 'p99_ms': 99.0}
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)
        self._recent = array("d")

    def add(self, seconds: float) -> None:
        """Count one duration."""
        if len(self._recent) < RECENT:
            self._recent.append(seconds)
        else:
            self._recent[self.count % RECENT] = seconds
        self.count += 1
        self.total += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1

    def percentiles(self) -> dict[str, float | None]:
        """Of the latest durations, in milliseconds, by the nearest rank; ``None`` before the first."""
        ranked = sorted(self._recent)
        found = {}
        for percent in PERCENTILES:
            at = max(0, -(-len(ranked) * percent // 100) - 1)
            found[f"p{percent}_ms"] = round(ranked[at] * 1000, 3) if ranked else None
        return found


class Counters:
    """Everything the service counts since it started."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.started = clock()
        self.requests: Counter[tuple[str, int]] = Counter()
        self.durations: dict[str, Latencies] = {}
        self.latencies: dict[int, Latencies] = {}
        self.predictions: Counter[tuple[int, str, str]] = Counter()
        self.flags: Counter[str] = Counter()
        self.targets: Counter[str] = Counter()
        self.disagreements = 0
        self.compared = 0
        self._seconds: deque[tuple[int, int]] = deque()

    def add_request(self, route: str, status: int, seconds: float) -> None:
        """Count one request as it was answered."""
        self.requests[route, status] += 1
        durations = self.durations.get(route)
        if durations is None:
            durations = self.durations[route] = Latencies()
        durations.add(seconds)
        second = int(self._clock())
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + 1)
        else:
            self._seconds.append((second, 1))
            while self._seconds[0][0] <= second - RATE_SECONDS:
                self._seconds.popleft()

    def add_latency(self, versions: Iterable[int], seconds: float) -> None:
        """Count what a request for predictions took, for each version that answered in it."""
        for version in versions:
            latencies = self.latencies.get(version)
            if latencies is None:
                latencies = self.latencies[version] = Latencies()
            latencies.add(seconds)

    def requests_per_second(self) -> float:
        """Over the latest minute, or since the start if that is less."""
        now = self._clock()
        within = sum(count for second, count in self._seconds if second > now - RATE_SECONDS)
        return round(within / min(RATE_SECONDS, max(1.0, now - self.started)), 3)

    def summary(self) -> dict[str, Any]:
        """The counters as ``/stats`` tells them."""
        total = sum(self.requests.values())
        refused = sum(count for (_, status), count in self.requests.items() if 400 <= status < 500)
        failed = sum(count for (_, status), count in self.requests.items() if status >= 500)
        rows = sum(self.predictions.values())
        return {
            "uptime_seconds": round(self._clock() - self.started, 1),
            "requests": {
                "total": total,
                "refused": refused,
                "failed": failed,
                "error_rate": round(failed / total, 6) if total else 0.0,
                "refusal_rate": round(refused / total, 6) if total else 0.0,
                "per_second": self.requests_per_second(),
                "by_route": self._by_route(),
            },
            "predictions": {
                "rows": rows,
                "flagged": dict(sorted(self.flags.items())),
                "outlier_share": round(self.flags["outlier"] / rows, 6) if rows else 0.0,
                "disagreement_share": round(self.disagreements / self.compared, 6) if self.compared else None,
            },
            "versions": [self._version(number) for number in sorted(self.latencies)],
            "targets": dict(sorted(self.targets.items())),
        }

    def _by_route(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for route, durations in sorted(self.durations.items()):
            statuses = {str(status): count for (name, status), count in sorted(self.requests.items()) if name == route}
            found[route] = {"statuses": statuses, **durations.percentiles()}
        return found

    def _version(self, number: int) -> dict[str, Any]:
        answers: Counter[str] = Counter()
        classes: Counter[str] = Counter()
        for (version, role, label), count in self.predictions.items():
            if version == number:
                answers[role] += count
                classes[label] += count
        latencies = self.latencies[number]
        return {
            "version": number,
            "rows": sum(answers.values()),
            "by_role": dict(sorted(answers.items())),
            "by_class": dict(sorted(classes.items())),
            "requests": latencies.count,
            **latencies.percentiles(),
        }
