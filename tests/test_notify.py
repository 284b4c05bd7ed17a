"""Notifications, against real servers on the loopback interface."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from driftbook.database import Database, open_database
from driftbook.decisions.alerts import Alert
from driftbook.notify import CHANNELS, Failure, alert_log, send

NOW = datetime(2026, 7, 1, 6, 30)
SECRET = "s3cret-path"
ALERT = Alert(
    key="churn/drift/2026-06-01",
    use_case="churn",
    severity="critical",
    subject="churn: drift",
    message="monthly_charges <b>& 3 more</b> drifted – größer",
    first_batch="2026-06-01",
    last_batch="2026-06-03",
)
LATER = replace(
    ALERT, key="churn/drift/2026-06-20", severity="warning", first_batch="2026-06-20", last_batch="2026-06-20"
)


class WebServer(ThreadingHTTPServer):
    """Answers with ``status`` and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _WebHandler)
        self.status = 200
        self.received: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class _WebHandler(BaseHTTPRequestHandler):
    server: WebServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """Enough of SMTP to take mail; remembers how its clients logged in."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.received: list[EmailMessage] = []
        self.logins: list[str] = []

    def url(self, user: str = "") -> str:
        return f"smtp://{user}127.0.0.1:{self.server_address[1]}"


class _MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.say("220 ready")
        for line in self.rfile:
            verb = line.decode().strip()
            if verb.upper().startswith("EHLO"):
                self.say("250-localhost\r\n250 AUTH PLAIN")
            elif verb.upper().startswith("AUTH"):
                self.server.logins.append(verb)
                self.say("235 welcome")
            elif verb.upper() == "DATA":
                self.say("354 go on")
                self.server.received.append(self.message())
                self.say("250 taken")
            elif verb.upper() == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def message(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        return message_from_bytes(b"".join(lines), policy=policy.default)


def _served(server: socketserver.BaseServer) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    with server:
        yield server
        server.shutdown()
    thread.join()


@pytest.fixture
def web() -> Iterator[WebServer]:
    yield from _served(WebServer())


@pytest.fixture
def mail() -> Iterator[MailServer]:
    yield from _served(MailServer())


@pytest.fixture
def database() -> Iterator[Database]:
    with open_database("sqlite://") as store:
        yield store


def by_mail(url: str) -> dict[str, str]:
    return {
        "DRIFTBOOK_SMTP_URL": url,
        "DRIFTBOOK_MAIL_FROM": "driftbook@example.org",
        "DRIFTBOOK_MAIL_TO": "a@x.org, b@x.org",
    }


def told(database: Database) -> list[tuple[str, str]]:
    rows = database.rows("SELECT channel, alert_key FROM notification ORDER BY channel, alert_key")
    return [(row["channel"], row["alert_key"]) for row in rows]


def test_a_webhook_gets_the_alert_as_json_once(database: Database, web: WebServer) -> None:
    environment = {"DRIFTBOOK_WEBHOOK_URL": web.url}
    assert send(database, [ALERT], now=NOW, environment=environment) == ()
    assert send(database, [ALERT, LATER], now=NOW, environment=environment) == ()
    assert [each["key"] for each in web.received] == [ALERT.key, LATER.key]
    assert web.received[0] == {
        "key": "churn/drift/2026-06-01", "use_case": "churn", "severity": "critical", "subject": "churn: drift",
        "message": "monthly_charges <b>& 3 more</b> drifted – größer",
        "first_batch": "2026-06-01", "last_batch": "2026-06-03",
    }  # fmt: skip


def test_slack_gets_escaped_text(database: Database, web: WebServer) -> None:
    send(database, [LATER], now=NOW, environment={"DRIFTBOOK_SLACK_URL": web.url})
    assert web.received == [
        {
            "text": ":warning: *churn: drift*\n"
            "monthly_charges &lt;b&gt;&amp; 3 more&lt;/b&gt; drifted – größer\nBatch 2026-06-20"
        }
    ]


def test_mail_goes_to_all_recipients(database: Database, mail: MailServer) -> None:
    broken_line = replace(ALERT, subject="churn:\r\nBcc: somebody@else.org")
    assert send(database, [broken_line], now=NOW, environment=by_mail(mail.url("user:p%40ss@"))) == ()
    [message] = mail.received
    assert message["Subject"] == "[critical] churn: Bcc: somebody@else.org"
    assert message["Bcc"] is None
    assert message["To"] == "a@x.org, b@x.org"
    assert message["X-Driftbook-Alert"] == ALERT.key
    text = message.get_content().replace("\r\n", "\n")
    assert text == f"{ALERT.message}\n\nBatches 2026-06-01 to 2026-06-03\nUse case: churn\n"
    assert mail.logins == ["AUTH PLAIN AHVzZXIAcEBzcw=="]


def test_every_channel_there_is_can_be_told(database: Database, web: WebServer, mail: MailServer) -> None:
    addresses = {"DRIFTBOOK_SLACK_URL": web.url, "DRIFTBOOK_WEBHOOK_URL": web.url}
    assert send(database, [ALERT], now=NOW, environment={**by_mail(mail.url("")), **addresses}) == ()
    assert [channel for channel, _ in told(database)] == sorted(CHANNELS)


def test_a_channel_that_refuses_is_named_and_told_by_the_next_call(database: Database, web: WebServer) -> None:
    environment = {"DRIFTBOOK_WEBHOOK_URL": web.url}
    web.status = 503
    failures = send(database, [ALERT, LATER], now=NOW, environment=environment)
    assert failures == (Failure("webhook", "expected an answer of success, found 503 Service Unavailable"),)
    assert len(web.received) == 1
    assert told(database) == [("log", ALERT.key), ("log", LATER.key)]
    web.status = 200
    assert send(database, [ALERT, LATER], now=NOW, environment=environment) == ()
    assert len(told(database)) == 4


def test_a_channel_that_fails_does_not_keep_others_from_being_told(database: Database, web: WebServer) -> None:
    environment = {**by_mail("smtp://127.0.0.1:1"), "DRIFTBOOK_SLACK_URL": web.url}
    assert send(database, [ALERT], now=NOW, environment=environment) == (Failure("mail", "ConnectionRefusedError"),)
    assert told(database) == [("log", ALERT.key), ("slack", ALERT.key)]


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        (
            {"DRIFTBOOK_SLACK_URL": f"hooks.slack.com/{SECRET}"},
            "DRIFTBOOK_SLACK_URL is not an address",
        ),
        ({"DRIFTBOOK_WEBHOOK_URL": f"http://[{SECRET}"}, "DRIFTBOOK_WEBHOOK_URL is not an address"),
        ({"DRIFTBOOK_WEBHOOK_URL": f"http://127.0.0.1:1/{SECRET}"}, "ConnectError"),
        ({"DRIFTBOOK_SMTP_URL": f"smtp://user:{SECRET}@127.0.0.1:1"}, "DRIFTBOOK_MAIL_FROM and DRIFTBOOK_MAIL_TO not"),
        (by_mail(f"http://{SECRET}"), "kind smtp://host or smtp.starttls://host or smtps://host"),
    ],
)
def test_a_wrong_address_is_a_failure_that_does_not_show_it(
    database: Database, caplog: pytest.LogCaptureFixture, environment: dict[str, str], fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    [failure] = send(database, [ALERT], now=NOW, environment=environment)
    assert fault in failure.fault.replace("+", ".")
    assert SECRET not in failure.fault + caplog.text


def test_the_address_of_a_channel_is_never_logged(
    database: Database, web: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    send(database, [ALERT], now=NOW, environment={"DRIFTBOOK_SLACK_URL": web.url})
    assert len(web.received) == 1
    assert SECRET not in caplog.text


def test_a_server_that_cannot_encrypt_gets_no_password(database: Database, mail: MailServer) -> None:
    url = mail.url("user:secret@").replace("smtp://", "smtp+starttls://")
    assert send(database, [ALERT], now=NOW, environment=by_mail(url)) == (Failure("mail", "SMTPNotSupportedError"),)
    assert mail.logins == mail.received == []


def test_the_log_channel_can_write_to_a_file_and_to_nobody_else(
    database: Database, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "alerts.log"
    for _ in range(2):
        with alert_log(path):
            send(database, [ALERT], now=NOW, environment={})
    assert (
        path.read_text(encoding="utf-8") == f"{ALERT.severity}, {ALERT.use_case}: {' '.join(ALERT.message.split())}\n"
    )
    assert caplog.text == ""
