"""Plays the simulator's stream through a running service: rows at their event times, targets when they become known.

One row a request, as an application would ask, at a steady rate whatever the answers take (what cannot be sent in time
is sent as soon as possible). What the service did not take (busy, restarting, too many requests) is sent again until it
is taken; each row carries an identifier of its own, so that a row whose answer was lost on the way is in the log once.
The targets that become known on a day follow its rows, those still open at the end follow the last day: their times say
when they were known, so a build as of any day sees what it would have seen.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from driftbook.config import UseCase
from driftbook.config.use_case import ServiceSource, SimulateSource
from driftbook.data.dealing import before_service
from driftbook.data.scenarios import scenario as find_scenario
from driftbook.data.simulate import first_day, last_day, simulate_day
from driftbook.errors import ConfigError, DataError, DriftbookError
from driftbook.storage import canonical_json, sha256_text

CONNECTIONS = 8
TARGETS_AT_ONCE = 500
PATIENCE_SECONDS = 60.0  # for a service that is away, or takes no more
ANSWER_SECONDS = 30.0
_RETRIED = frozenset({429, 502, 503, 504})


@dataclass
class Sent:
    """What was sent and what became of it; ``latencies_ms`` are as the sender saw them, of requests that succeeded."""

    rows: int = 0
    targets: int = 0
    again: int = 0
    seconds: float = 0.0
    answered: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    def summary(self) -> str:
        """What a person wants to know, in a few lines."""
        ordered = sorted(self.latencies_ms) or [0.0]
        p50, p99 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.99))
        by = ", ".join(f"{name} {count:,}" for name, count in sorted(self.answered.items()))
        return (
            f"sent {self.rows:,} rows, {self.targets:,} targets in {self.seconds:.0f} s, {self.again:,} of them again\n"
            f"answered by {by or 'nobody'}; half of the answers within {p50:.1f} ms, 99 % within {p99:.1f} ms"
        )


def played_case(case: UseCase, scenario: str) -> UseCase:
    """The simulated use case whose stream is played: the one declared, or the one a service was put behind.

    Raises
    ------
    ConfigError
        If its rows do not come from the simulator.
    UnknownNameError
        If there is no such scenario.
    """
    played = before_service(case)
    if not isinstance(played.source, SimulateSource):
        raise ConfigError(
            f"only simulated streams can be played, but use case {case.name!r} has source.kind {played.source.kind!r}"
        )
    if played.columns.id is None or played.columns.event_time is None:
        raise ConfigError(f"to be played, the stream of {case.name!r} needs columns.id and columns.event_time")
    changed = played.scenario.model_copy(update={"name": find_scenario(scenario).name})
    return played.model_copy(update={"scenario": changed})


def days_to_play(case: UseCase, *, start: date | None, count: int) -> list[date]:
    """Days of the stream: from ``start``, or from the first day that the service's log is read from.

    Raises
    ------
    DataError
        If the stream does not have them.
    """
    played = before_service(case)
    begin = start or (case.source.since if isinstance(case.source, ServiceSource) else _stream_start(played))
    days = [begin + timedelta(days=number) for number in range(count)]
    if not days or days[0] < first_day(played) or days[-1] > last_day(played):
        until = last_day(played)
        raise DataError(
            f"expected days from {first_day(played)} to {until}, found {count} from {begin} on; from there the stream "
            f"has {max(0, (until - begin).days + 1)}: give fewer, or raise source.stream_days in usecase.yaml"
        )
    return days


def play(
    case: UseCase,
    days: Sequence[date],
    *,
    url: str,
    key: str | None = None,
    rate: float | None = None,
    told: Callable[[date, Sent], None] = lambda _day, _sent: None,
) -> Sent:
    """Send the rows of days in order, and every target that belongs to them.

    Parameters
    ----------
    case
        As of :func:`played_case`.
    url
        Of the service, which was started with ``--allow-event-time``.
    key
        With the scopes predict and targets, where the service wants one.
    rate
        Rows a second; as many as the service takes unless given.
    told
        Called after each day.

    Raises
    ------
    DriftbookError
        If the service refuses a row, or takes none for a minute.
    """
    sent, began = Sent(), time.perf_counter()
    known: dict[date, list[dict[str, Any]]] = {}
    with (
        contextlib.closing(_Clients(url, key=key, sent=sent)) as clients,
        ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="traffic") as pool,
    ):
        for day in days:
            asked = _requests(case, day)
            answers = pool.map(clients.predict, _paced([body for body, _ in asked], rate))
            for answer, (_, target) in zip(answers, asked, strict=True):
                sent.answered[f"{answer['role']} (version {answer['version']})"] += 1
                target["prediction_id"] = answer["prediction_id"]
                known.setdefault(datetime.fromisoformat(target["known_at"]).date(), []).append(target)
            sent.rows += len(asked)
            clients.tell(known.pop(day, []))
            told(day, sent)
        for day in sorted(known):
            clients.tell(known[day])
    sent.seconds = time.perf_counter() - began
    return sent


class _Clients:
    """One connection a thread, kept open; what is not taken is sent again for as long as it is worth waiting."""

    def __init__(self, url: str, *, key: str | None, sent: Sent) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"expected the address of a service such as http://127.0.0.1:8000, found {url!r}")
        self._url = url.rstrip("/")
        self._parts = parts
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._sent = sent
        self._counting = threading.Lock()
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close every connection."""
        for connection in self._open:
            connection.close()

    def predict(self, row: dict[str, Any]) -> dict[str, Any]:
        """The answer to one row."""
        began = time.perf_counter()
        answer = self._ask("/predict", row)
        self._sent.latencies_ms.append((time.perf_counter() - began) * 1000)
        return dict(answer)

    def tell(self, targets: list[dict[str, Any]]) -> None:
        """Targets that became known."""
        for begin in range(0, len(targets), TARGETS_AT_ONCE):
            self._ask("/targets", targets[begin : begin + TARGETS_AT_ONCE])
        self._sent.targets += len(targets)

    def _ask(self, path: str, content: Any) -> Any:
        body = json.dumps(content).encode()
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.05
        while True:
            try:
                status, headers, answer = self._post(path, body)
                if status == http.HTTPStatus.OK:
                    return json.loads(answer)
                fault = f"it answered {status}: {answer[:500].decode(errors='replace')}"
                if status not in _RETRIED:
                    raise DriftbookError(f"{self._url}{path} refused: {fault}{_ADVICE.get(status, '')}")
                pause = max(pause, float(headers.get("Retry-After") or 0.0))
            except (OSError, http.client.HTTPException) as error:
                self._local.connection.close()  # and made anew by the next request
                fault = f"it does not answer ({type(error).__name__}: {error})"
            if time.monotonic() + pause > deadline:
                raise DriftbookError(
                    f"{self._url}{path}: {fault}, for {PATIENCE_SECONDS:g} s; start it with 'driftbook serve "
                    "--allow-event-time', or give its address with --url"
                )
            with self._counting:
                self._sent.again += 1
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _post(self, path: str, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            name, port = self._parts.hostname or "", self._parts.port
            secure = self._parts.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            connection = self._local.connection = kind(name, port, timeout=ANSWER_SECONDS)
            self._open.append(connection)
        connection.request("POST", f"{self._parts.path.rstrip('/')}{path}", body=body, headers=self._headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


_ADVICE: dict[int, str] = {
    http.HTTPStatus.UNAUTHORIZED: "; give a key with --key, made with 'driftbook keys add'",
    http.HTTPStatus.FORBIDDEN: "; the key needs the scopes predict and targets",
    http.HTTPStatus.UNPROCESSABLE_ENTITY: "; is it the service of this use case, started with --allow-event-time?",
}


def _requests(case: UseCase, day: date) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The rows of a day as they are asked, each with its target as it is told later.

    A row's identifier names the stream it is of, and sorts by time as those do that the service makes.
    """
    identifier, time_name = str(case.columns.id), str(case.columns.event_time)
    world = case.model_dump(mode="json", include={"name", "seed", "source", "scenario"})
    stream = sha256_text(canonical_json(world))[:12]
    asked = []
    for row in simulate_day(case, day).to_dicts():
        target, at = row.pop(case.columns.target), row[time_name]
        named = f"{stream}-{at:%Y%m%d%H%M%S}-{row[identifier]}"
        body = {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
        known_at = (at + case.label_delay).isoformat()
        asked.append(({**body, "prediction_id": named}, {"target": target, "known_at": known_at}))
    return asked


def _paced(rows: Iterable[dict[str, Any]], rate: float | None) -> Iterator[dict[str, Any]]:
    """Rows at their time: the next is not held back because an answer took long."""
    began = time.perf_counter()
    for number, row in enumerate(rows):
        wait = began + number / rate - time.perf_counter() if rate else 0.0
        if wait > 0.0:
            time.sleep(wait)
        yield row


def _stream_start(case: UseCase) -> date:
    assert isinstance(case.source, SimulateSource)
    return case.source.stream_start
