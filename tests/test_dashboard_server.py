"""The real server: what it answers to whom, and that nothing else is there, whoever asks."""

import asyncio
import os
import re
import signal
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import httpx
import pytest
from live_dashboard import running, start, stop
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from workbench import make_workbench

from driftbook.dashboard.server import NOTEBOOK, run, run_folder
from driftbook.database import open_database
from driftbook.errors import ConfigError
from driftbook.serving.security import add_key, revoke_key

DAY = "2026-06-30"
PATIENCE = 60  # seconds for a kernel on a busy machine
WAITING = {"DRIFTBOOK_DASHBOARD_POOL": "1"}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A workbench in which nothing was built, but for a few files in a report."""
    settings = make_workbench(tmp_path_factory.mktemp("desk"))
    report = settings.report_folder("churn", date.fromisoformat(DAY))
    report.mkdir(parents=True)
    (report / "05_analyse_drift.html").write_text("<p>drift</p><script>1</script>", encoding="utf-8")
    for name in ("05_analyse_drift.ipynb", "drift.json", "drift_days.parquet", "manifest.json"):
        (report / name).write_text("secret", encoding="utf-8")
    return settings


@pytest.fixture(scope="module")
def keys(desk):
    with open_database(desk.database_url) as database:
        made = {"ada": ["operate"], "bob": ["read"], "eve": ["read"], "shop": ["predict"]}
        return {name: add_key(database, name, scopes) for name, scopes in made.items()}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A dashboard without keys, on its own machine."""
    with running(make_workbench(tmp_path_factory.mktemp("open")).root, environment=WAITING) as url:
        yield url


@pytest.fixture(scope="module")
def closed(desk, keys):
    """A dashboard that wants keys, under a path of its own."""
    with running(desk.root, "--base-url", "/models", environment=WAITING) as url:
        yield url


@pytest.fixture(scope="module")
def operator(closed, keys):
    with visit(closed, "ada", keys) as client:
        yield client


@contextmanager
def visit(url, name, keys):
    """A browser in which somebody logged in."""
    with httpx.Client(base_url=url, timeout=PATIENCE, follow_redirects=True) as client:
        answer = client.post("login", data={"key": keys[name]}, follow_redirects=False)
        assert answer.status_code == 303
        yield client


def kernel_of(client):
    [found] = re.findall(r'"kernelId": "([0-9a-f-]{36})"', client.get("").text)
    return found


def connect(url, kernel_id, headers):
    """The answer to opening the websocket of a kernel: 101, or why not."""

    async def opening():
        address = url.replace("http", "ws", 1) + f"api/kernels/{kernel_id}/channels?session_id=x"
        try:
            (await websocket_connect(HTTPRequest(address, headers=headers, request_timeout=PATIENCE))).close()
        except HTTPClientError as error:
            return error.code
        return 101

    return asyncio.run(opening())


def cookie_of(client):
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}


def test_the_page_is_there_for_the_local_user_and_loads_nothing_from_elsewhere(opened):
    with httpx.Client(timeout=PATIENCE) as client:
        answer = client.get(opened)
        assert answer.status_code == 200
        page = answer.text
        assert page.index('id="loading"') < page.index('id="rendered_cells"')
        assert 'data-role="operator"' in page
        assert '<html lang="en">' in page
        assert "The dashboard needs JavaScript" in page
        assert "application/vnd.jupyter.widget-view+json" in page
        assert "Log out" not in page
        assert re.findall(r"https?://(?!www\.w3\.org)[^\s\"'<]+", page) == []
        own = re.findall(r'(?:src|href)="([^"#]+)"', page)
        assert all(place.startswith(("/", "data:,")) for place in own)
        for place in own:
            if place.startswith("/assets/"):
                found = client.get(httpx.URL(opened).join(place))
                assert found.status_code == 200
                assert "immutable" in found.headers["Cache-Control"]
                if "/dashboard/" in place:
                    assert "http" not in found.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe-inline" not in re.findall(r"script-src ([^;]*)", policy)[0]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Server"] == "driftbook"


def test_no_source_of_the_notebook_is_in_the_page(opened):
    page = httpx.get(opened, timeout=PATIENCE).text
    assert "import" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "Monitor(" not in page


@pytest.mark.parametrize(
    "path",
    [
        "api/contents",
        "api/contents/notebooks/dashboards/monitor.ipynb",
        "api/kernels",
        "api/kernelspecs",
        "api/sessions",
        "api/terminals",
        "api/config/x",
        "api/me",
        "voila/files/monitor.ipynb",
        "voila/files/data/churn/usecase.yaml",
        "voila/render/monitor.ipynb",
        "voila/tree",
        "voila/static/voila.js",
        "voila/templates/lab/static/voila.js",
        "voila/query/00000000-0000-0000-0000-000000000000",
        "files/monitor.ipynb",
        "notebooks/dashboards/monitor.ipynb",
        "monitor.ipynb",
        "data/churn/usecase.yaml",
        "data/state/driftbook.db",
        f"reports/churn/{DAY}/drift.json",
        f"report/churn/{DAY}/drift.json",
        f"report/churn/{DAY}/05_analyse_drift.ipynb",
        f"report/churn/{DAY}/drift_days.parquet",
        f"report/churn/{DAY}/manifest.html",
        f"report/churn/{DAY}/..%2f..%2f..%2fdata%2fchurn%2fusecase.html",
        "assets/000000000000/../template/login.html",
        "assets/000000000000/%2e%2e/server.py",
        "assets/000000000000/dashboard/login.html",
        "static/style/style.min.css",
        "logout",
        "metrics",
    ],
)
def test_everything_else_does_not_exist_for_anybody(opened, closed, operator, path):
    assert httpx.get(opened + path).status_code in (404, 405)
    assert operator.get(path).status_code in (404, 405)
    assert httpx.get(closed + path).status_code in (302, 404, 405)  # 302: to the login


def test_a_kernel_cannot_be_started_run_restarted_or_listed_over_the_wire(opened):
    with httpx.Client(base_url=opened, timeout=PATIENCE) as client:
        kernel = kernel_of(client)
        assert client.get(f"api/kernels/{kernel}").json()["id"] == kernel
        assert client.delete(f"api/kernels/{kernel}").status_code == 405
        for path in ("api/kernels", f"api/kernels/{kernel}/restart", f"api/kernels/{kernel}/interrupt", "api/sessions"):
            assert client.post(path, json={}).status_code in (404, 405)
        assert client.get(f"api/kernels/{kernel}").status_code == 200


def test_another_name_for_this_machine_is_not_answered_without_keys(opened):
    assert httpx.get(opened, headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(opened + "login", headers={"Host": "evil.example"}).status_code == 403


def test_a_page_of_somebody_else_s_may_not_act(opened):
    with httpx.Client(base_url=opened, timeout=PATIENCE) as client:
        kernel = kernel_of(client)
        foreign = {"Origin": "http://evil.example"}
        assert client.post(f"voila/api/shutdown/{kernel}", headers=foreign).status_code == 403
        assert connect(opened, kernel, foreign) == 403
        assert connect(opened, kernel, {"Origin": opened.rstrip("/")}) == 101


def test_without_a_key_there_is_the_login_page_and_nothing_else(closed):
    answer = httpx.get(closed)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/models/login?next=%2Fmodels%2F")
    page = httpx.get(closed + "login")
    assert page.status_code == 200
    assert 'action="/models/login"' in page.text
    assert httpx.get(f"{closed}report/churn/{DAY}/05_analyse_drift.html").status_code == 302
    assert httpx.post(closed + "logout").status_code in (302, 403)
    assert httpx.get(closed.replace("/models/", "/")).status_code == 404
    assert httpx.get(closed.rstrip("/")).headers["Location"] == "/models/"


def test_a_wrong_key_is_refused_and_takes_its_time(closed, keys):
    began = time.monotonic()
    for key in ("dbk_wrong", "", keys["shop"]):
        answer = httpx.post(closed + "login", data={"key": key}, timeout=PATIENCE)
        assert answer.status_code == 401
        assert "No such key" in answer.text
        assert "set-cookie" not in answer.headers
    assert time.monotonic() - began >= 3
    assert httpx.get(closed, headers={"Authorization": "Bearer dbk_wrong"}, timeout=PATIENCE).status_code == 302
    assert httpx.get(closed, headers={"Cookie": "driftbook-login=0a1b ada"}).status_code == 302


def test_the_login_s_cookie_is_for_this_server_only(closed, keys):
    answer = httpx.post(closed + "login", data={"key": keys["ada"], "next": "/models/"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/models/")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "Path=/models/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert keys["ada"] not in cookie
    secure = httpx.post(closed + "login", data={"key": keys["ada"]}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in secure.headers["Set-Cookie"]


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/models//evil", "/other", "\\\\x"])
def test_the_login_leads_to_no_place_of_somebody_else_s(closed, keys, place):
    answer = httpx.post(closed + "login", data={"key": keys["bob"], "next": place})
    assert answer.headers["Location"] == "/models/"


def test_a_key_in_the_address_logs_in_and_is_taken_out_of_it(closed, keys):
    with httpx.Client(follow_redirects=True, timeout=PATIENCE) as client:
        page = client.get(closed, params={"token": keys["bob"]})
        assert page.status_code == 200
        assert str(page.url) == closed
        assert 'data-visitor="bob" data-role="viewer"' in page.text
        assert "Log out" in page.text


def test_a_key_in_the_header_opens_a_single_request(closed, keys):
    answer = httpx.get(f"{closed}report/churn/{DAY}/05_analyse_drift.html", headers=bearer(keys["bob"]))
    assert answer.text == "<p>drift</p><script>1</script>"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts")
    assert "set-cookie" not in answer.headers


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def test_a_kernel_is_reached_by_its_visitor_only(desk, closed, keys):
    with visit(closed, "bob", keys) as bob, visit(closed, "eve", keys) as eve, visit(closed, "ada", keys) as ada:
        kernel = kernel_of(bob)
        assert connect(closed, kernel, cookie_of(bob)) == 101
        for stranger in (eve, ada):
            assert connect(closed, kernel, cookie_of(stranger)) == 403
            assert stranger.get(f"api/kernels/{kernel}").status_code == 404
            assert stranger.post(f"voila/api/shutdown/{kernel}").status_code == 404
        assert connect(closed, kernel, {}) == 403
        assert "Traceback" not in (desk.root / "dashboard.log").read_text(encoding="utf-8")
        assert bob.get(f"api/kernels/{kernel}").status_code == 200
        assert bob.post(f"voila/api/shutdown/{kernel}").status_code == 204
        assert bob.get(f"api/kernels/{kernel}").status_code == 404


def test_a_kernel_knows_whose_it_is_by_a_card_nobody_else_may_read(desk, closed, keys):
    folder = run_folder(desk, httpx.URL(closed).port)
    assert folder.stat().st_mode & 0o777 == 0o700
    with visit(closed, "bob", keys) as bob, visit(closed, "ada", keys) as ada:
        cards = {name: (folder / f"{kernel_of(client)}.json").read_text() for name, client in (("b", bob), ("a", ada))}
    assert cards == {"b": '{"name": "bob", "role": "viewer"}', "a": '{"name": "ada", "role": "operator"}'}


def test_logging_out_ends_what_was_open(closed, keys):
    with visit(closed, "bob", keys) as bob:
        kernel, cookie = kernel_of(bob), cookie_of(bob)
        assert bob.post("logout", follow_redirects=False).headers["Location"] == "/models/login"
        assert bob.get("", follow_redirects=False).status_code == 302
        assert connect(closed, kernel, cookie) == 403


def test_a_revoked_key_ends_what_was_open(desk, closed, keys):
    with open_database(desk.database_url) as database:
        keys["mallory"] = add_key(database, "mallory", ["operate"])
        time.sleep(2.1)
        with visit(closed, "mallory", keys) as mallory:
            kernel = kernel_of(mallory)
            card = run_folder(desk, httpx.URL(closed).port) / f"{kernel}.json"
            assert card.exists()
            revoke_key(database, "mallory")
            until = time.monotonic() + 30
            while card.exists():
                assert time.monotonic() < until
                time.sleep(0.2)
            assert mallory.get("", follow_redirects=False).status_code == 302


def test_behind_a_proxy_visitors_are_whom_it_names(tmp_path):
    settings = make_workbench(tmp_path)
    options = ["--base-url", "x/", "--user-header", "X-Remote-User", "--operators", "ada, grace"]
    with (
        running(settings.root, *options, environment=WAITING) as url,
        httpx.Client(base_url=url, timeout=PATIENCE) as client,
    ):
        assert 'data-visitor="ada" data-role="operator"' in client.get("", headers={"X-Remote-User": "ada"}).text
        bob = client.get("", headers={"X-Remote-User": "bob", "Host": "models.example.org"})
        assert 'data-visitor="bob" data-role="viewer"' in bob.text
        assert client.get("").status_code == 302
        assert "did not say who you are" in client.get("login").text
        assert client.get("", headers=[("X-Remote-User", "bob"), ("X-Remote-User", "ada")]).status_code == 302
        assert client.post("login", data={"key": "dbk_x"}).status_code == 401


def test_it_refuses_to_listen_to_others_without_keys_and_says_how(tmp_path):
    settings = make_workbench(tmp_path)
    with pytest.raises(ConfigError, match=r"driftbook keys add NAME --scope operate.*--user-header"):
        run(settings, host="0.0.0.0", port=0)


def test_a_taken_port_is_told_and_no_other_taken(opened, tmp_path):
    with pytest.raises(ConfigError, match="give another --port"):
        run(make_workbench(tmp_path), port=httpx.URL(opened).port)


def test_it_says_where_it_is_and_who_may_what_and_ends_with_all_its_kernels(tmp_path):
    settings = make_workbench(tmp_path)
    process, url = start(settings.root, environment={"DRIFTBOOK_DASHBOARD_POOL": "2"})
    kernel_of(httpx.Client(base_url=url, timeout=PATIENCE))
    children = children_of(process.pid)
    assert len(children) >= 2
    stop(process)
    assert process.returncode == 0
    assert not run_folder(settings, httpx.URL(url).port).exists()
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    said = (settings.root / "dashboard.log").read_text(encoding="utf-8")
    assert f"dashboard on {url} (Ctrl-C ends it)" in said
    assert "keys are off: whoever is on this machine acts as" in said
    assert "Traceback" not in said


def test_kernels_end_when_the_server_is_killed(tmp_path):
    settings = make_workbench(tmp_path)
    process, url = start(settings.root, environment=WAITING)
    kernel_of(httpx.Client(base_url=url, timeout=PATIENCE))
    children = children_of(process.pid)
    assert len(children) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 30
    while any(map(lives, children)):
        assert time.monotonic() < until
        time.sleep(0.2)


def lives(pid):
    """Whether a process runs; one that has ended may wait for whoever adopted it to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid):
    """Its children and theirs: the nursery, and the kernels that were forked from it."""
    found = []
    for each in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += [int(each), *children_of(int(each))]
    return found


def test_a_page_that_shows_nothing_is_handed_to_nobody(tmp_path):
    root = make_workbench(tmp_path).root
    notebook = root / NOTEBOOK
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("display(monitor.box)", "None"), encoding="utf-8")
    with running(root, environment=WAITING) as url:
        answer = httpx.get(url, timeout=PATIENCE)
    assert "The dashboard could not be started; the server&#39;s log says why." in answer.text
    assert "showed no dashboard" in (root / "dashboard.log").read_text(encoding="utf-8")


def test_a_picture_in_somebodys_page_starts_no_kernel(opened):
    answer = httpx.get(opened, headers={"Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "cross-site"}, timeout=PATIENCE)
    assert answer.status_code == 403
    assert httpx.get(opened, headers={"Sec-Fetch-Dest": "document"}, timeout=PATIENCE).status_code == 200
