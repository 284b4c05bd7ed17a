"""``python -m benchmarks.dashboard``: how soon the dashboard is there, how it turns, what it takes, in a real browser.

Of a workbench that was built (``--root``) and of a made-up year of hourly batches on 80 columns. Times are those of the
browser's own clock, from when a visitor asked for the page until its main figure is drawn. Pre-heated: a kernel waits,
as one does unless many come at once. Cold: none does. Memory is the proportional share (PSS) of the server and of its
kernels, after every page was looked at; the browser's is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from browser.visits import FIGURES, Visit, chromium
from live_dashboard import start, stop
from playwright.sync_api import Browser

from benchmarks.dashboard_world import make_year
from benchmarks.machine import facts
from benchmarks.processes import family, shared_bytes, ticks
from driftbook.dashboard.pages import PAGES

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[2]
MAKERS = ("a default build", "a year of hourly batches on 80 columns")
VISITORS = 10
CALM_SECONDS, CALM_SHARE = 1.0, 0.05  # a server is calm when it and its kernels take less of a processor for so long
PATIENCE_SECONDS = 300.0
READY = """title => new Promise(resolve => {
  const there = () => [...document.querySelectorAll(`#rendered_cells section[aria-label="${title}"] svg[role=img]`)]
    .some(each => each.getBoundingClientRect().height > 0);
  const look = () => there() ? requestAnimationFrame(() => resolve(performance.now())) : requestAnimationFrame(look);
  look();
})"""
TURN = """([title, first, figure]) => new Promise(resolve => {
  const began = performance.now();
  const card = name => document.querySelector(`#rendered_cells section[aria-label="${name}"]`);
  const drawn = name => !!card(name)?.querySelector("svg, .dash-note");  // or why there is nothing to draw
  const there = () => card(first) !== null && (figure === null || drawn(figure));
  const look = () => there() ? requestAnimationFrame(() => resolve(performance.now() - began)) : setTimeout(look, 2);
  [...document.querySelectorAll(".dash-nav label")].find(each => each.textContent.trim() === title).click();
  look();
})"""
TIMING = "() => { const at = performance.getEntriesByType('navigation')[0]; return at.responseStart - at.startTime; }"
GOALS = (
    ("first byte within 100 ms", lambda world: world["heated"]["first_byte_ms"] <= 100),
    ("usable within 1 s, pre-heated", lambda world: world["heated"]["usable_ms"] <= 1000),
    ("each page within 200 ms after a click", lambda world: max(world["turns_ms"].values()) <= 200),
    ("10 visitors at once within 2 GB", lambda world: world["at_once"]["memory_bytes"] <= 2e9),
)


class Server:
    """A dashboard in processes of its own."""

    def __init__(self, root: Path, *, pool: int) -> None:
        self._process, self.url = start(root, environment={"DRIFTBOOK_DASHBOARD_POOL": str(pool)})

    def processes(self) -> list[int]:
        """The server's process, its nursery's, then those of its kernels."""
        return family(self._process.pid)

    def wait_until_calm(self) -> None:
        """Until the server and its kernels have nothing to do."""
        until = time.monotonic() + PATIENCE_SECONDS
        before = ticks(self.processes())
        while time.monotonic() < until:
            time.sleep(CALM_SECONDS)
            now = ticks(self.processes())
            if (now - before) / os.sysconf("SC_CLK_TCK") < CALM_SHARE * CALM_SECONDS:
                return
            before = now
        raise TimeoutError(f"the dashboard did not come to rest within {PATIENCE_SECONDS:g} s")

    def memory(self) -> dict[str, Any]:
        """Bytes of the server, of the process its kernels are forked from, and of each kernel."""
        server, nursery, *kernels = [shared_bytes(pid) for pid in self.processes()]
        return {"server": server, "nursery": nursery, "kernels": kernels, "all": server + nursery + sum(kernels)}

    def stop(self) -> None:
        """End it."""
        stop(self._process)


@contextmanager
def _served(root: Path, *, pool: int) -> Iterator[Server]:
    server = Server(root, pool=pool)
    try:
        server.wait_until_calm()
        yield server
    finally:
        server.stop()


def measure(root: Path, browser: Browser, *, repeats: int) -> dict[str, Any]:
    """All figures of one workbench."""
    _say(f"{root.name}: opening it, where no kernel waits and where one does")
    with _served(root, pool=0) as server:
        cold = _opened(server, browser, repeats=1)
    with _served(root, pool=2) as server:
        found: dict[str, Any] = {"cold": cold, "heated": _opened(server, browser, repeats=repeats)}
    _say(f"{root.name}: turning its pages")
    with _served(root, pool=1) as server:
        visit = Visit(browser, server.url)
        found["turns_ms"] = _turned(visit, repeats=repeats)
        server.wait_until_calm()
        found["one"] = server.memory()
        visit.leave()
    _say(f"{root.name}: {VISITORS} visitors at once")
    with _served(root, pool=2) as server:
        found["at_once"] = _at_once(server, browser)
    return found


def _opened(server: Server, browser: Browser, *, repeats: int) -> dict[str, float]:
    """A first visit, nothing in the browser's store, and a second one; the medians."""
    seen: dict[str, list[float]] = {}
    for _ in range(repeats):
        with _counted(browser, server.url) as (page, moved):
            for name in ("", "repeat_"):
                server.wait_until_calm()
                moved.clear()
                page.goto(server.url, wait_until="commit")
                usable = page.evaluate(READY, FIGURES["overview"])
                page.wait_for_timeout(500)  # what still comes belongs to it
                found = {"usable_ms": usable, "first_byte_ms": page.evaluate(TIMING), "bytes": sum(moved)}
                for key, value in found.items():
                    seen.setdefault(f"{name}{key}", []).append(value)
    return {key: median(values) for key, values in seen.items()}


@contextmanager
def _counted(browser: Browser, url: str) -> Iterator[tuple[Any, list[float]]]:
    """A page of a new visitor, and the bytes that came to it: answers as they were packed, messages as they are."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE_SECONDS)
    moved: list[float] = []
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda told: moved.append(told["encodedDataLength"]))
    session.on("Network.webSocketFrameReceived", lambda told: moved.append(len(told["response"]["payloadData"])))
    yield page, moved
    context.close()


def _turned(visit: Visit, *, repeats: int) -> dict[str, float]:
    """Milliseconds from a click to each page's figure: the first time it is asked for, and the median after that."""
    found: dict[str, float] = {}
    order = [*list(PAGES)[1:], next(iter(PAGES))]
    turns: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(repeats + 1):
        for name in order:
            page = PAGES[name]
            asked = [page.title, page.cards[0].title, FIGURES.get(name)]
            turns[name].append(visit.page.evaluate(TURN, asked))
            visit.page.wait_for_timeout(150)
    for name, times in turns.items():
        found[f"{name}, first"] = times[0]
        found[name] = median(times[1:])
    return found


def _at_once(server: Server, browser: Browser) -> dict[str, Any]:
    """Ten visitors who come in the same moment, each of whom then looks at every page."""
    contexts = [browser.new_context(viewport={"width": 1280, "height": 900}) for _ in range(VISITORS)]
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.set_default_timeout(1000 * PATIENCE_SECONDS)
        page.goto(server.url, wait_until="commit")
    usable = sorted(page.evaluate(READY, FIGURES["overview"]) for page in pages)
    for page in pages:
        for name, each in PAGES.items():
            page.evaluate(TURN, [each.title, each.cards[0].title, FIGURES.get(name)])
    server.wait_until_calm()
    memory = server.memory()
    for context in contexts:
        context.close()
    took = {"usable_first_ms": usable[0], "usable_median_ms": median(usable), "usable_last_ms": usable[-1]}
    return {**took, "memory": memory, "memory_bytes": memory["all"]}


def render(results: Mapping[str, Any]) -> str:
    """The figures as a Markdown page."""
    machine = results["machine"]
    lines = [
        "# The dashboard in a browser",
        "",
        f"{results['at']}; {machine['processor']}, {machine['cores']} cores, which the browser shares; load of the "
        f"machine {machine['load'][0]:.1f} before, {results['load_after'][0]:.1f} after. Medians of "
        f"{results['repeats']} visits, from asking for the page until its main figure is drawn.",
        "",
        f"| | {' | '.join(results['worlds'])} |",
        f"|---|{'--:|' * len(results['worlds'])}",
    ]
    worlds = list(results["worlds"].values())
    rows = {
        "first byte, ms": lambda world: f"{world['heated']['first_byte_ms']:.0f}",
        "usable, first visit, ms": lambda world: f"{world['heated']['usable_ms']:,.0f}",
        "usable, repeat visit, ms": lambda world: f"{world['heated']['repeat_usable_ms']:,.0f}",
        "usable, no kernel waits, ms": lambda world: f"{world['cold']['usable_ms']:,.0f}",
        "moved, first visit, kB": lambda world: f"{world['heated']['bytes'] / 1000:,.0f}",
        "moved, repeat visit, kB": lambda world: f"{world['heated']['repeat_bytes'] / 1000:,.0f}",
        **{
            f"turn to {page.title}, first time / later, ms": lambda world, name=name: (
                f"{world['turns_ms'][f'{name}, first']:.0f} / {world['turns_ms'][name]:.0f}"
            )
            for name, page in PAGES.items()
        },
        "memory of the server, MB": lambda world: _mb(world["one"]["server"]),
        "memory of the process kernels are forked from, MB": lambda world: _mb(world["one"]["nursery"]),
        "memory of a visitor who saw every page, MB": lambda world: _mb(max(world["one"]["kernels"])),
        "memory of a kernel that waits, MB": lambda world: _mb(min(world["one"]["kernels"])),
        f"{VISITORS} visitors at once, all memory, MB": lambda world: _mb(world["at_once"]["memory_bytes"]),
        f"{VISITORS} at once, usable for the first / median / last, ms": lambda world: " / ".join(
            f"{world['at_once'][f'usable_{which}_ms']:,.0f}" for which in ("first", "median", "last")
        ),
    }
    lines += [f"| {name} | {' | '.join(map(shown, worlds))} |" for name, shown in rows.items()]
    lines += ["", *(f"* {'holds' if goal['holds'] else 'does not hold'}: {goal['goal']}" for goal in results["goals"])]
    return "\n".join([*lines, ""])


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


def _mb(count: float) -> str:
    return f"{count / 1e6:,.0f}"


def main(arguments: list[str] | None = None) -> int:
    """Measure, judge, save; 1 if a goal does not hold."""
    parser = argparse.ArgumentParser(prog="benchmarks.dashboard", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="a workbench that was built; a copy of it is used")
    parser.add_argument("--days", type=int, default=365, help="of the made-up year")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS)
    wish = parser.parse_args(arguments)
    if not any((wish.root / "reports").glob("*/*/summary.json")):
        parser.error(
            f"expected a workbench that was built, found no report in {wish.root / 'reports'}; run: make build"
        )
    results: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": facts()}
    results["repeats"] = wish.repeats
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        built, year = Path(name) / "built", Path(name) / "year"
        for part in ("data", "reports"):
            shutil.copytree(wish.root / part, built / part)
        shutil.copytree(ROOT / "notebooks", built / "notebooks")
        for part in ("pipeline.yaml", "env.yaml"):
            shutil.copy(wish.root / part, built / part)
        make_year(year, days=wish.days)
        results["worlds"] = {
            maker: measure(root, browser, repeats=wish.repeats)
            for maker, root in zip(MAKERS, (built, year), strict=True)
        }
    results["load_after"] = os.getloadavg()
    results["goals"] = [
        {"goal": f"{goal}, {maker}", "holds": bool(holds(world))}
        for goal, holds in GOALS
        for maker, world in results["worlds"].items()
    ]
    wish.results.mkdir(parents=True, exist_ok=True)
    (wish.results / "dashboard.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (wish.results / "dashboard.md").write_text(render(results), encoding="utf-8")
    sys.stdout.write(render(results))
    return 0 if all(goal["holds"] for goal in results["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
