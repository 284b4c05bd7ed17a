"""A person in JupyterLab: notebooks open, run by themselves, show their figures, and touch no audit record.

One small report is made first, in one process rather than through Ploomber, which other tests run: what is tested
here is what a person does afterwards, with a real server and real kernels.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Page, TimeoutError, sync_playwright
from workbench import make_workbench

from driftbook.database import open_database
from driftbook.deployment import history
from driftbook.workflow.notebook import trust

TOKEN = "a-token-for-this-test"
AS_OF = "2026-06-30"  # what the notebooks say when nobody tells them otherwise
TRIES = 3
PATIENCE = 240_000  # milliseconds for a kernel's answer on a machine that runs the rest of the suite beside it
EXPLORE = "notebooks/explore/explore_data.ipynb"
WHAT_IF = "notebooks/explore/what_if_drift.ipynb"
REPORT = """
import nbformat, sys
sys.modules["evidently"] = None  # its page is written by notebook 05 below; here it would only cost seconds
from driftbook.config import Settings
from driftbook.workflow.bind import load_sources, load_tasks

tasks, sources = load_tasks(Settings.find()), load_sources(Settings.find())
for name, products in tasks.items():
    cells = [cell.source for cell in nbformat.read(sources[name], 4).cells if cell.cell_type == "code"]
    names = {}
    exec(cells[0], names)
    products["nb"].parent.mkdir(parents=True, exist_ok=True)
    upstream = {task: {key: str(path) for key, path in tasks[task].items()} for task in names["upstream"]}
    names |= {"upstream": upstream, "product": {key: str(path) for key, path in products.items()}}
    exec("\\n".join(cells[1:]), names)
"""


@pytest.fixture(scope="module")
def empty_desk(tmp_path_factory):
    """A workbench in which nothing was built."""
    return make_workbench(tmp_path_factory.mktemp("desk"), rows_per_day=120, history_days=20, stream_days=3)


@pytest.fixture(scope="module")
def server(empty_desk):
    """JupyterLab as ``make lab`` starts it, on a free port of this machine: its address, and the starting process."""
    root = empty_desk.root
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    options += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    with (root / "lab.log").open("w") as log:
        process = subprocess.Popen(command, cwd=root, env=_environment(root), stdout=log, stderr=log)
        yield f"http://127.0.0.1:{port}", process
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def desk(empty_desk, server):
    """The same with one report on three days of stream, made while the server starts."""
    settings = empty_desk
    command, environment = [sys.executable, "-c", REPORT], _environment(settings.root)
    done = subprocess.run(command, cwd=settings.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return settings


@pytest.fixture(scope="module")
def lab(desk, server):
    """Address of the server once it answers."""
    address, process = server
    _wait_for(f"{address}/api", process, desk.root / "lab.log")
    return address


def _environment(root: Path) -> dict[str, str]:
    """The environment of a person whose Jupyter data lie in this workbench."""
    own = {f"JUPYTER_{kind}_DIR": str(root / "jupyter" / kind.lower()) for kind in ("DATA", "CONFIG", "RUNTIME")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTBOOK_")}
    return {**kept, **own, "OMP_WAIT_POLICY": "PASSIVE"}


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            return urlopen(Request(address, headers={"Authorization": f"token {TOKEN}"})).close()
        except URLError:
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start: {log.read_text()}")


def _contents(address: str, path: str) -> tuple[int, dict]:
    request = Request(f"{address}/api/contents/{path}", headers={"Authorization": f"token {TOKEN}"})
    with urlopen(request) as answer:
        return answer.status, json.load(answer)


def _run(notebook: Path, root: Path) -> nbformat.NotebookNode:
    nodes = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        nodes, timeout=120, shutdown_kernel="immediate", resources={"metadata": {"path": str(notebook.parent)}}
    )
    return client.execute(env=_environment(root))


def _digests(folder: Path) -> dict[str, tuple[str, int]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def test_every_notebook_opens_in_jupyterlab(desk, lab):
    """Ploomber's plugin answers each of these requests with an error where it is not switched off."""
    for path in sorted((desk.root / "notebooks").rglob("*.ipynb")):
        status, model = _contents(lab, path.relative_to(desk.root).as_posix())
        assert status == 200
        assert model["type"] == "notebook"
        assert model["content"]["cells"], path.name


@pytest.mark.pipeline
def test_every_notebook_runs_by_itself_and_touches_no_record(desk):
    report, sandbox = desk.reports_folder / "churn", desk.reports_folder / "sandbox" / "churn" / AS_OF
    before = _digests(report)
    with open_database(desk.database_url) as database:
        changes = history(database, "churn")
    with ThreadPoolExecutor(max_workers=2) as people:
        list(people.map(partial(_run, root=desk.root), sorted((desk.root / "notebooks").glob("0*.ipynb"))))
    assert _digests(report) == before
    with open_database(desk.database_url) as database:
        assert history(database, "churn").equals(changes), "a decision was recorded by hand"
    made = {path.name for path in report.rglob("*") if path.suffix not in (".ipynb", ".html")}
    assert {path.name for path in sandbox.iterdir()} >= {name for name in made if name != AS_OF}


@pytest.mark.pipeline
def test_a_person_can_explore_on_a_fresh_clone(tmp_path):
    desk = make_workbench(tmp_path, rows_per_day=40, history_days=6, stream_days=4)
    done = _run(desk.root / EXPLORE, desk.root)
    assert "Columns, history beside stream" in str(done.cells)
    widgets = done.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    assert any("<svg" in str(widget["state"].get("value")) for widget in widgets), "no figure beneath the controls"
    assert not any((desk.root / "reports").iterdir()), "exploring writes no report"


@pytest.mark.pipeline
def test_a_person_can_put_drift_into_a_batch_of_a_fresh_clone(tmp_path):
    desk = make_workbench(tmp_path, rows_per_day=60, history_days=12, stream_days=3)
    done = _run(desk.root / WHAT_IF, desk.root)
    assert "This batch would pass" in str(done.cells)
    widgets = done.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    answers = [str(widget["state"].get("value")) for widget in widgets if "<svg" in str(widget["state"].get("value"))]
    assert len(answers) == 1, "the panel's one answer"
    assert "monthly_charges: as it came and with drift" in answers[0]
    assert not any((desk.root / "reports").iterdir()), "exploring writes no report"


def test_what_the_build_executed_is_trusted_and_what_others_executed_is_not(desk, lab, monkeypatch):
    """JupyterLab strips figures from notebooks it does not trust."""
    folder = desk.root / "reports" / "seen"
    folder.mkdir()
    output = nbformat.v4.new_output("display_data", {"text/html": "<svg></svg>"})
    for name in ("ours", "theirs"):
        cell = nbformat.v4.new_code_cell(f"'{name}'", outputs=[output], execution_count=1)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / f"{name}.ipynb")
    for name, value in _environment(desk.root).items():
        monkeypatch.setenv(name, value)
    trust(folder / "ours.ipynb")
    trusted = {
        name: _contents(lab, f"reports/seen/{name}.ipynb")[1]["content"]["cells"][0]["metadata"]["trusted"]
        for name in ("ours", "theirs")
    }
    assert trusted == {"ours": True, "theirs": False}


@pytest.mark.browser
def test_exploring_in_a_browser_shows_figures_and_asks_nothing_of_the_network(lab):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.fail("CI installs Chromium") if os.environ.get("CI") else pytest.skip("no Chromium on this machine")
    abroad: list[str] = []
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1250, "height": 3000})
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: None if _is_local(request.url, lab) else abroad.append(request.url))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        _run_all_cells(page, f"{lab}/lab/tree/{EXPLORE}", heading="Pick a column and a period", shows="history")
        page.locator(".widget-dropdown select:visible").nth(1).select_option("contract (category)")
        page.locator(".widget-html svg[aria-label^='contract: history']").wait_for()
        _run_all_cells(page, f"{lab}/lab/tree/{WHAT_IF}", heading="Put drift in", shows="as it came")
        page.locator(".widget-dropdown select:visible").nth(1).select_option("contract (categorical)")
        page.locator(".widget-html svg[aria-label^='contract: as it came']").wait_for()
        assert not page.locator(".db-untrusted:visible").count(), "figures are here, no need to explain their absence"
        assert not page.get_by_text("Share Notebook").count(), "a button that sends a notebook to a service outside"
        browser.close()
    assert abroad == []
    assert faults == []


def _run_all_cells(page: Page, address: str, *, heading: str, shows: str) -> None:
    """As a person does: once the kernel is there, and again where JupyterLab lost it on its way to a busy kernel."""
    page.goto(f"{address}?reset&token={TOKEN}")
    page.get_by_role("heading", name=heading).wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']:visible").wait_for()
    figure = page.locator(f".widget-html svg[aria-label^='monthly_charges: {shows}']")
    for tries_left in reversed(range(TRIES)):
        page.get_by_text("Run", exact=True).first.click()
        page.get_by_text("Run All Cells", exact=True).first.click()
        try:
            figure.wait_for(timeout=PATIENCE / TRIES)
            return
        except TimeoutError:
            if not tries_left:
                raise


def _is_local(url: str, address: str) -> bool:
    return url.startswith((address, address.replace("http", "ws", 1), "data:", "blob:"))


def test_a_notebook_is_left_untrusted_where_nothing_can_be_signed(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "file" / "data"))
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "any.ipynb")
    before = (tmp_path / "any.ipynb").read_bytes()
    trust(tmp_path / "any.ipynb")
    assert (tmp_path / "any.ipynb").read_bytes() == before
