"""How the prediction service does right now: asked over HTTP, and never in the way of a page.

The service counts for itself and tells it at ``/stats`` and ``/model``. It is asked beside the kernel's
work, at most every ten seconds and only while a page shows it, and a page waits a tenth of a second for it. Only this
machine is asked unless ``DRIFTBOOK_SERVICE_URL`` names another; no proxy is used and no redirect followed, and what
comes back is taken for numbers or for nothing.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from driftbook.config import Settings

SECONDS = 0.3  # for each of the two questions
PATIENCE_SECONDS = 0.1  # of a page: what comes later is shown a second later
KEPT_SECONDS = 10.0
MOST_BYTES = 1_000_000
REFUSED, UNREADY = (401, 403), 503


@dataclass(frozen=True)
class ServedVersion:
    """A version the service holds: who it is, how much it answered, how long that took, in milliseconds."""

    version: int
    role: str
    load_seconds: float | None = None
    requests: int = 0
    rows: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True)
class ServiceAnswer:
    """What the service said since it started; ``fault`` is a sentence where it said nothing of use."""

    address: str
    fault: str = ""
    answered: bool = True
    use_case: str = ""
    uptime_seconds: float = 0.0
    requests: int = 0
    per_second: float = 0.0
    error_rate: float = 0.0
    refusal_rate: float = 0.0
    rows: int = 0
    outlier_share: float = 0.0
    versions: tuple[ServedVersion, ...] = ()


class ServiceWatch:
    """Asks one service, and keeps its latest answer."""

    def __init__(self, address: str, key: str | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._address, self._key, self._clock = address, key, clock
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._latest: ServiceAnswer | None = None
        self._asked_at = 0.0

    def answer(self) -> ServiceAnswer | None:
        """The latest answer; one that no longer counts is asked anew and waited for a moment. None: not yet."""
        if self._is_old():
            self._ask().join(PATIENCE_SECONDS)
        return self._latest

    def mark(self) -> str:
        """A text that changes with the answer, at once; what no longer counts is asked anew meanwhile."""
        if self._latest is None:
            return ""
        if self._is_old():
            self._ask()
        return str(hash(replace(self._latest, uptime_seconds=0.0)))  # time alone is no news

    def _is_old(self) -> bool:
        return self._latest is None or self._clock() - self._asked_at >= KEPT_SECONDS

    def _ask(self) -> threading.Thread:
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._asking = threading.Thread(target=self._keep, name="ask-service", daemon=True)
                self._asking.start()
            return self._asking

    def _keep(self) -> None:
        answer = ask(self._address, self._key)
        self._asked_at = self._clock()
        self._latest = answer


def service_of(settings: Settings) -> ServiceWatch:
    """The watch over the service that the environment names, or of this machine."""
    return _watch(settings.service_url, settings.service_key)


def ask(address: str, key: str | None = None, *, seconds: float = SECONDS) -> ServiceAnswer:
    """Ask a service how it does; whatever goes wrong is a sentence in the answer.

    Examples
    --------
    >>> ask("ftp://127.0.0.1").fault
    'Expected an address http://host:port, found ftp://127.0.0.1.'
    """
    shown = _shown(address)
    if urlsplit(address).scheme not in ("http", "https"):
        return ServiceAnswer(shown, f"Expected an address http://host:port, found {shown}.", answered=False)
    try:
        stats = _get(f"{address.rstrip('/')}/stats", key, seconds=seconds)
        model = _get(f"{address.rstrip('/')}/model", key, seconds=seconds)
    except HTTPError as error:
        return ServiceAnswer(shown, _refusal(shown, error.code))
    except (OSError, ValueError):  # nobody there, too slow, cut off, or no JSON
        return ServiceAnswer(shown, f"No prediction service answers at {shown}.", answered=False)
    try:
        return _told(shown, stats, model)
    except (TypeError, KeyError, ValueError, AttributeError):
        return ServiceAnswer(shown, f"What answers at {shown} is no prediction service of driftbook.")


class _NoRedirect(HTTPRedirectHandler):
    """Whoever is asked answers, or nobody does."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        """Follow nobody."""


@lru_cache(maxsize=4)
def _watch(address: str, key: str | None) -> ServiceWatch:
    return ServiceWatch(address, key)


@lru_cache(maxsize=1)
def _opener() -> OpenerDirector:
    return build_opener(ProxyHandler({}), _NoRedirect())


def _get(url: str, key: str | None, *, seconds: float) -> Any:
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    until, content = time.monotonic() + seconds, b""
    with _opener().open(Request(url, headers=headers), timeout=seconds) as response:
        while piece := response.read1(MOST_BYTES):
            content += piece
            if len(content) > MOST_BYTES or time.monotonic() > until:
                raise ValueError("too much, or too slow")
    return json.loads(content)


def _told(address: str, stats: Mapping[str, Any], model: Mapping[str, Any]) -> ServiceAnswer:
    requests, predictions = stats["requests"], stats["predictions"]
    counted = {int(each["version"]): each for each in stats["versions"]}
    return ServiceAnswer(
        address=address,
        use_case=str(model["use_case"]),
        uptime_seconds=float(stats["uptime_seconds"]),
        requests=int(requests["total"]),
        per_second=float(requests["per_second"]),
        error_rate=float(requests["error_rate"]),
        refusal_rate=float(requests["refusal_rate"]),
        rows=int(predictions["rows"]),
        outlier_share=float(predictions["outlier_share"]),
        versions=tuple(_version(each, counted.get(int(each["version"]), {})) for each in model["versions"]),
    )


def _version(held: Mapping[str, Any], counted: Mapping[str, Any]) -> ServedVersion:
    return ServedVersion(
        version=int(held["version"]),
        role=str(held["role"]),
        load_seconds=float(held["load_seconds"]),
        requests=int(counted.get("requests", 0)),
        rows=int(counted.get("rows", 0)),
        **{name: _number(counted.get(name)) for name in ("p50_ms", "p95_ms", "p99_ms")},
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _refusal(shown: str, status: int) -> str:
    if status in REFUSED:
        return (
            f"The prediction service at {shown} wants a key that may read. `driftbook keys add dashboard --scope read` "
            "makes one; give it to the dashboard as `DRIFTBOOK_SERVICE_KEY`."
        )
    if status == UNREADY:
        return f"The prediction service at {shown} has no champion to answer with yet."
    return f"What answers at {shown} gave the status {status}, as no prediction service of driftbook does."


def _shown(address: str) -> str:
    """An address without a password somebody may have put into it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
