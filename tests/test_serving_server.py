"""The service as a process: started from the command line, asked over the network, stopped and killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from playwright.sync_api import sync_playwright
from served_models import CASE, ROW, appoint, make_models, make_version

from driftbook.config import Settings
from driftbook.database import open_database
from driftbook.serving.security import add_key

COMMAND = [sys.executable, "-c", "from driftbook.cli import main; main()"]
STARTS_WITHIN = 60.0
STOPS_WITHIN = 30.0
BROWSER_PATIENCE = 30_000.0  # milliseconds
ACKNOWLEDGED = 100  # before the service is killed


def declare(settings: Settings) -> Settings:
    """What the command line needs of a workbench."""
    path = settings.data_folder(CASE.name) / "usecase.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = CASE.model_dump(mode="json", exclude={"name"}, exclude_none=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return declare(make_models(tmp_path))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(settings: Settings, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DRIFTBOOK_ROOT": str(settings.root)}
    return subprocess.Popen(
        [*COMMAND, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def told(settings: Settings, *words: str) -> tuple[int, str, str]:
    process = command(settings, *words)
    out, err = process.communicate(timeout=STARTS_WITHIN)
    return process.returncode, out, err


@contextmanager
def served(settings: Settings, *words: str, port: int | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running service and its address; killed at the end if it still runs."""
    chosen = port or free_port()
    address = f"http://127.0.0.1:{chosen}"
    process = command(settings, "serve", "--use-case", CASE.name, "--port", str(chosen), *words)
    try:
        until = time.monotonic() + STARTS_WITHIN
        while True:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            try:
                if httpx.get(f"{address}/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process, address
    finally:
        process.kill()
        process.communicate()


def logged(settings: Settings) -> list[str]:
    with sqlite3.connect(settings.prediction_log_url.removeprefix("sqlite:///")) as connection:
        return [row[0] for row in connection.execute("SELECT prediction_id FROM prediction")]


def test_it_answers_says_that_keys_are_off_and_stops_when_told_to(settings: Settings) -> None:
    with served(settings) as (process, address):
        answer = httpx.post(f"{address}/predict", json=ROW)
        assert (answer.status_code, answer.json()["version"] in (1, 2)) == (200, True)
        assert "server" not in answer.headers
        assert httpx.get(f"{address}/docs").status_code == 200
        assert httpx.get(f"{address}/health", headers={"Host": "evil.example"}).status_code == 421
        for _ in range(3):
            with socket.create_connection((httpx.URL(address).host, httpx.URL(address).port or 0)) as connection:
                connection.sendall(b"no HTTP\r\n\r\n")
                assert b"400" in connection.recv(1_000)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=STOPS_WITHIN)
    assert "keys are off: whoever is on this machine may ask" in err
    assert err.count("Invalid HTTP request received.") == 1  # a flood of them does not fill the log
    assert "Traceback" not in err
    assert logged(settings) == [answer.json()["prediction_id"]]


def test_what_was_acknowledged_outlives_a_kill_once_each(settings: Settings) -> None:
    acknowledged: list[str] = []
    with served(settings) as (process, address), ThreadPoolExecutor(4) as pool:

        def ask(at: int) -> None:
            with httpx.Client() as client:
                while True:
                    try:
                        answer = client.post(f"{address}/predict", json={**ROW, "customer": f"c-{at}"})
                    except httpx.TransportError:
                        return
                    acknowledged.append(answer.json()["prediction_id"])

        asking = [pool.submit(ask, at) for at in range(4)]
        while len(acknowledged) < ACKNOWLEDGED:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert [each.exception() for each in asking] == [None] * 4
    with served(settings) as (process, _):  # takes over what waits in spill files
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=STOPS_WITHIN)
    kept = logged(settings)
    assert len(set(kept)) == len(kept)
    assert set(acknowledged) <= set(kept)


def test_no_request_is_dropped_while_models_change_and_while_it_stops(settings: Settings) -> None:
    statuses: list[int] = []
    versions: set[int] = set()
    with served(settings) as (process, address), ThreadPoolExecutor(4) as pool:
        stopping = False

        def ask(at: int) -> None:
            with httpx.Client() as client:
                while not stopping:
                    answer = client.post(f"{address}/predict", json={**ROW, "customer": f"c-{at}"})
                    statuses.append(answer.status_code)
                    versions.add(answer.json()["version"])

        asking = [pool.submit(ask, at) for at in range(4)]
        for number in (3, 4, 5):
            make_version(settings, number)
            appoint(settings, number, number - 1, action="promote")
            until = time.monotonic() + STOPS_WITHIN
            while number not in versions:
                assert time.monotonic() < until, f"version {number} never answered"
                time.sleep(0.05)
        stopping = True
        assert [each.exception() for each in asking] == [None] * 4
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=STOPS_WITHIN)
    assert set(statuses) == {200}
    assert len(logged(settings)) == len(statuses)


def test_elsewhere_than_on_this_machine_it_listens_only_with_keys(settings: Settings) -> None:
    code, _, err = told(settings, "serve", "--use-case", CASE.name, "--host", "0.0.0.0", "--port", str(free_port()))
    assert (code, "add a key first" in err) == (1, True)
    code, key, err = told(settings, "keys", "add", "shop", "--scope", "predict", "--scope", "read")
    assert (code, len(key.strip()) > 40, "shown this once" in err) == (0, True, True)
    with served(settings, "--host", "0.0.0.0") as (_, address):
        assert httpx.post(f"{address}/predict", json=ROW).status_code == 401
        head = {"Authorization": f"Bearer {key.strip()}"}
        assert httpx.post(f"{address}/predict", json=ROW, headers=head).status_code == 200
    _, out, _ = told(settings, "keys", "list")
    assert out.startswith("shop: predict read, since ")
    assert key.strip() not in out
    assert told(settings, "keys", "revoke", "shop")[:2] == (0, "revoked shop\n")
    assert "revoked 2" in told(settings, "keys", "list")[1]


@pytest.mark.browser
def test_the_page_to_try_it_asks_for_the_key_and_answers_without_the_network(settings: Settings) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.fail("CI installs Chromium") if os.environ.get("CI") else pytest.skip("no Chromium on this machine")
    with open_database(settings.database_url) as database:
        key = add_key(database, "browser", ["predict"])
    asked: list[str] = []
    faults: list[str] = []
    with served(settings) as (_, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(BROWSER_PATIENCE)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{address}/docs")
        page.get_by_text("expected a header 'Authorization: Bearer KEY'").wait_for()
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Use it").click()
        box = page.locator("#endpoints > details").first
        box.get_by_label("Example").select_option("2")
        box.get_by_label("contributions").check()
        box.get_by_role("button", name="Send").click()
        box.get_by_role("status").filter(has_text="200 in").wait_for()
        answer = json.loads(box.locator("pre").last.inner_text())
        browser.close()
    assert {"missing:age", "unseen:plan"} <= set(answer["flags"])
    assert set(answer["contributions"]) > {"age", "plan"}
    assert {url.startswith(address) for url in asked} == {True}
    assert faults == []


def test_before_a_build_made_a_champion_it_says_what_to_do(tmp_path: Path) -> None:
    settings = declare(Settings(root=tmp_path))
    code, _, err = told(settings, "serve", "--use-case", CASE.name)
    assert code == 1
    assert "has no champion to serve; make one: driftbook build --use-case sample" in err
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_said(settings: Settings) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        code, _, err = told(settings, "serve", "--use-case", CASE.name, "--port", port)
    assert code == 1
    assert f"127.0.0.1:{port}" in err
    assert "Traceback" not in err
