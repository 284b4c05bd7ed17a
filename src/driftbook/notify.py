"""Who is told of an alert, and how: the log always, mail, Slack and any webhook where the environment names them.

Each alert is sent once per channel; a message that failed is tried again by the next build, because an alert that is
told twice is better than one that is lost. A channel that fails is left alone for the rest of the run and never fails
the run. Addresses are secrets (a Slack address is a password): they come from environment variables only, and appear
in no message, log or file, not even in that of a fault.

``DRIFTBOOK_SMTP_URL`` (``smtp://``, ``smtp+starttls://`` or ``smtps://user:password@host:port``) with
``DRIFTBOOK_MAIL_FROM`` and ``DRIFTBOOK_MAIL_TO`` (comma-separated); ``DRIFTBOOK_SLACK_URL``; ``DRIFTBOOK_WEBHOOK_URL``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from driftbook.database import Database, utc_text
from driftbook.errors import ConfigError, DriftbookError

if TYPE_CHECKING:
    from driftbook.decisions.alerts import Alert

ALERT_LOG = "alerts.log"
TIMEOUT_SECONDS = 5.0
LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}
SLACK_SIGNS = {"info": ":information_source:", "warning": ":warning:", "critical": ":rotating_light:"}
SMTP_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}

_logger = logging.getLogger(__name__)
Channel = Callable[["Alert", Mapping[str, str]], None]


@dataclass(frozen=True)
class Failure:
    """A channel that could not be reached in this run, and why; it holds no address."""

    channel: str
    fault: str


def send(
    database: Database, alerts: Sequence[Alert], *, now: datetime, environment: Mapping[str, str] | None = None
) -> tuple[Failure, ...]:
    """Tell every channel in use what it has not been told yet.

    Parameters
    ----------
    now
        Noted as the time of sending.
    environment
        Where the addresses are; by default the environment variables of this process.

    Returns
    -------
    The channels that failed; what they were not told is sent by the next call.

    Examples
    --------
    >>> from driftbook.database import open_database
    >>> from driftbook.decisions.alerts import Alert
    >>> alert = Alert("churn/drift/2026-06-01", "churn", "info", "churn drifts", "…", "2026-06-01", "2026-06-02")
    >>> with open_database("sqlite://") as database:
    ...     send(database, [alert], now=datetime(2026, 7, 1), environment={})
    ...     database.rows("SELECT channel, at FROM notification")
    ()
    [{'channel': 'log', 'at': '2026-07-01T00:00:00'}]
    """
    found = os.environ if environment is None else environment
    failures = []
    for channel, deliver in channels_in_use(found).items():
        told = {row["alert_key"] for row in database.rows(_TOLD, channel=channel)}
        for alert in alerts:
            if alert.key in told:
                continue
            fault = _fault(deliver, alert, found)
            if fault is not None:
                _logger.warning("the %s channel could not be told of %s: %s", channel, alert.key, fault)
                failures.append(Failure(channel, fault))
                break
            with database.transaction() as work:
                work.execute(_NOTE, key=alert.key, channel=channel, at=utc_text(now))
    return tuple(failures)


@contextmanager
def alert_log(path: Path) -> Iterator[None]:
    """Let the log channel write to a file meanwhile: the output of a notebook is a record, and no place for it.

    Parameters
    ----------
    path
        Lines are added at its end; a build shows those that it added.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(message)s"))
    level, propagate = _logger.level, _logger.propagate
    _logger.addHandler(file)
    _logger.setLevel(logging.INFO)
    _logger.propagate = False
    try:
        yield
    finally:
        _logger.removeHandler(file)
        _logger.setLevel(level)
        _logger.propagate = propagate
        file.close()


def channels_in_use(environment: Mapping[str, str]) -> dict[str, Channel]:
    """The channels whose address the environment names, and the log.

    Examples
    --------
    >>> list(channels_in_use({"DRIFTBOOK_SLACK_URL": "https://…"}))
    ['log', 'slack']
    """
    return {
        name: deliver for name, (variable, deliver) in CHANNELS.items() if not variable or environment.get(variable)
    }


def _to_log(alert: Alert, _environment: Mapping[str, str]) -> None:
    _logger.log(LEVELS[alert.severity], "%s, %s: %s", alert.severity, alert.use_case, _one_line(alert.message))


def _to_mail(alert: Alert, environment: Mapping[str, str]) -> None:
    url = _split(environment, "DRIFTBOOK_SMTP_URL", schemes=tuple(SMTP_PORTS))
    lacking = [name for name in ("DRIFTBOOK_MAIL_FROM", "DRIFTBOOK_MAIL_TO") if not environment.get(name)]
    if lacking:
        raise ConfigError(f"DRIFTBOOK_SMTP_URL is set, but {' and '.join(lacking)} not; set both addresses")
    message = EmailMessage()
    message["Subject"] = _one_line(f"[{alert.severity}] {alert.subject}")
    message["From"] = environment["DRIFTBOOK_MAIL_FROM"]
    message["To"] = environment["DRIFTBOOK_MAIL_TO"]
    message["X-Driftbook-Alert"] = _one_line(alert.key)
    message.set_content(f"{alert.message}\n\n{_batches(alert)}\nUse case: {alert.use_case}\n")
    _mail(message, url)


def _mail(message: EmailMessage, url: SplitResult) -> None:
    import smtplib
    import ssl

    host, port = url.hostname or "", url.port or SMTP_PORTS[url.scheme]
    context = ssl.create_default_context()
    client: smtplib.SMTP
    if url.scheme == "smtps":
        client = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        client = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    with client:
        if url.scheme == "smtp+starttls":
            client.starttls(context=context)
        if url.username:
            client.login(unquote(url.username), unquote(url.password or ""))
        client.send_message(message)


def _to_slack(alert: Alert, environment: Mapping[str, str]) -> None:
    lines = [f"{SLACK_SIGNS[alert.severity]} *{_for_slack(alert.subject)}*", _for_slack(alert.message), _batches(alert)]
    _post(environment, "DRIFTBOOK_SLACK_URL", {"text": "\n".join(lines)})


def _to_webhook(alert: Alert, environment: Mapping[str, str]) -> None:
    _post(environment, "DRIFTBOOK_WEBHOOK_URL", asdict(alert))


def _post(environment: Mapping[str, str], variable: str, content: dict[str, Any]) -> None:
    import httpx

    _split(environment, variable, schemes=("http", "https"))
    with _silent("httpx", "httpcore"):
        answer = httpx.post(environment[variable], json=content, timeout=TIMEOUT_SECONDS)
    if not answer.is_success:
        raise DriftbookError(f"expected an answer of success, found {answer.status_code} {answer.reason_phrase}")


CHANNELS: dict[str, tuple[str, Channel]] = {
    "log": ("", _to_log),
    "mail": ("DRIFTBOOK_SMTP_URL", _to_mail),
    "slack": ("DRIFTBOOK_SLACK_URL", _to_slack),
    "webhook": ("DRIFTBOOK_WEBHOOK_URL", _to_webhook),
}

_TOLD = "SELECT alert_key FROM notification WHERE channel = :channel"
_NOTE = "INSERT INTO notification (alert_key, channel, at) VALUES (:key, :channel, :at) ON CONFLICT DO NOTHING"


def _fault(deliver: Channel, alert: Alert, environment: Mapping[str, str]) -> str | None:
    """What went wrong, in words that hold no address: of foreign errors only the kind is told."""
    try:
        deliver(alert, environment)
    except DriftbookError as error:
        return str(error)
    except Exception as error:  # whatever a channel does, the run goes on
        return type(error).__name__
    return None


def _split(environment: Mapping[str, str], variable: str, *, schemes: tuple[str, ...]) -> SplitResult:
    try:
        url = urlsplit(environment[variable])
        usable = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"{variable} is not an address of the kind {' or '.join(f'{each}://host' for each in schemes)}"
        )
    return url


@contextmanager
def _silent(*names: str) -> Iterator[None]:
    """Keep libraries from logging the address that they call."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _batches(alert: Alert) -> str:
    if alert.first_batch == alert.last_batch:
        return f"Batch {alert.first_batch}"
    return f"Batches {alert.first_batch} to {alert.last_batch}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
