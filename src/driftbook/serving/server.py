"""The process: checks what would fail later, says how it is secured, and runs the app on one event loop."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import time

import uvicorn

from driftbook.config import Settings, UseCase
from driftbook.database import open_database
from driftbook.deployment import load_office
from driftbook.errors import ConfigError, StateError
from driftbook.serving.app import create_app
from driftbook.serving.patience import PatientProtocol
from driftbook.serving.security import LOOPBACK, check_binding, load_keys

KEEP_ALIVE_SECONDS = 75
BACKLOG = 2_048  # connections that wait to be taken
GRACE_SECONDS = 20  # for requests under way when the service is told to stop
MOST_AT_ONCE = 1_000  # connections; while there are as many, every request is answered 503, on older ones too
SWITCH_SECONDS = 0.0005  # between threads, so that work done aside holds up no request for long
SELDOM_SECONDS = 60.0  # between two lines in the log that say the same
_LOGGER = logging.getLogger(__name__)


class Seldom(logging.Filter):
    """Lets the same message through once a minute: a flood of bad requests must not fill the log.

    Examples
    --------
    >>> seldom = Seldom()
    >>> line = logging.makeLogRecord({"levelno": logging.WARNING, "msg": "Invalid HTTP request received."})
    >>> seldom.filter(line), seldom.filter(line)
    (True, False)
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it was not told for a while; an error is told each time."""
        said, now = str(record.msg), time.monotonic()
        if record.levelno < logging.ERROR and now - self._told.get(said, -SELDOM_SECONDS) < SELDOM_SECONDS:
            return False
        self._told[said] = now
        return True


def run(
    case: UseCase, settings: Settings, *, host: str = "127.0.0.1", port: int = 8000, allow_event_time: bool = False
) -> None:
    """Serve a use case until the process is told to stop; requests under way are answered first.

    Raises
    ------
    ConfigError
        If ``host`` is not this machine's own and no key is in force, or nobody can listen there.
    StateError
        If the use case has no champion yet, or the database cannot be opened.
    """
    with open_database(settings.database_url) as database:
        keys = load_keys(database)
        office = load_office(database, case.name)
    check_binding(host, keys)
    if office.champion is None:
        raise StateError(
            f"{case.name} has no champion to serve; make one: driftbook build --use-case {case.name.partition('-')[0]}"
        )
    logging.getLogger("driftbook.serving").setLevel(logging.INFO)
    _LOGGER.info("serving %s on http://%s:%d (try it: /docs)", case.name, host, port)
    if keys:
        _LOGGER.info("keys are needed: %d in force", len(keys))
    else:
        _LOGGER.warning("keys are off: whoever is on this machine may ask; add one with driftbook keys add NAME")
    if allow_event_time:
        _LOGGER.warning("callers give event times of their own: for played streams, not for production")
    logging.getLogger("uvicorn.error").addFilter(Seldom())
    sys.setswitchinterval(SWITCH_SECONDS)
    local = host in LOOPBACK
    app = create_app(
        settings,
        case,
        allow_event_time=allow_event_time,
        keys_required=not local,  # the last key may be revoked before the app has read the keys
        hosts=LOOPBACK if local else None,
    )
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        proxy_headers=False,  # nobody's address is looked at
        lifespan="on",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=MOST_AT_ONCE,
    )
    gc.freeze()  # what was imported is no garbage: collections need not look at it while somebody waits
    with _listening(host, port) as listener:
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections; taken before anything is loaded, so that a mistake is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen on {host}:{port} ({error}); give another --port or --host") from None
