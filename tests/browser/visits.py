"""A visitor with a real browser, who notes every fault in its console and every request that leaves the machine."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from driftbook.dashboard.pages import PAGES

PATIENCE = 240_000  # milliseconds for an answer on a machine that runs the rest of the suite beside it
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SCRIPT = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
MOST_TABS = 60
FIGURES = {  # the card with a page's main figure
    "overview": "The story so far",
    "drift": "All columns over time",
    "performance": "Over time",
    "predictions": "What is predicted",
    "champion": "The comparison, day by day",
    "alerts": "When they stood",
}
expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.fail("CI installs Chromium") if os.environ.get("CI") else pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


class Visit:
    """One visitor: a browser of their own, with its cookies."""

    def __init__(self, browser: Browser, address: str, *, key: str = "", width: dict[str, int] = WIDE) -> None:
        self.address = address
        self.abroad: list[str] = []
        self.faults: list[str] = []
        self.context: BrowserContext = browser.new_context(viewport=width, reduced_motion="reduce")  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE)
        self.context.route(re.compile("."), self._only_at_home)
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.add_init_script(SCRIPT)
        self.page.goto(f"{address}?token={key}" if key else address)
        self.card().first.wait_for()

    def _only_at_home(self, route: Any) -> None:
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.abroad.append(route.request.url)
            route.abort()

    def turn_to(self, name: str) -> None:
        """Turn to a page by its name, and wait until it is there."""
        tab = self.page.locator(".dash-nav label").filter(has_text=re.compile(f"^{PAGES[name].title}$"))
        tab.click()
        self.wait_for_page(name)

    def wait_for_page(self, name: str) -> None:
        """Until the first card of a page is there."""
        self.card(PAGES[name].cards[0].title).wait_for()

    def card(self, title: str | None = None) -> Locator:
        """A card by its title."""
        cards = self.page.locator("#rendered_cells section.dash-card")
        return cards if title is None else cards.and_(self.page.locator(f'[aria-label="{title}"]'))

    def figures(self, title: str) -> Locator:
        """The drawings of a card that are shown at this width."""
        return self.card(title).locator("svg[role=img]:visible")

    def tiles(self, title: str) -> dict[str, str]:
        """The large numbers of a card by their labels in small letters, each with the words below it."""
        found: dict[str, str] = self.card(title).evaluate(
            "card => Object.fromEntries([...card.querySelectorAll('.dash-tiles > div')].map(tile =>"
            " [tile.querySelector('dt').innerText, tile.querySelector('dd').innerText]))"
        )
        return {_plain(label).lower(): _plain(text) for label, text in found.items()}

    def text(self, title: str | None = None) -> str:
        """All words of a card, or of the page below the controls."""
        if title is not None:
            return _plain(self.card(title).inner_text())
        return _plain(self.page.locator("#rendered_cells .dash-grid:visible").inner_text())

    def choose(self, label: str, value: str) -> None:
        """Choose in a list by its label."""
        self.field(label).select_option(label=value)

    def field(self, label: str) -> Locator:
        """A list by its label."""
        row = self.page.locator(".widget-dropdown:visible").filter(has_text=re.compile(f"^\\s*{label}"))
        return row.locator("select")

    def options(self, label: str) -> list[str]:
        """What a list offers, once it is drawn: a page's first card comes before its lists."""
        found = self.field(label).locator("option")
        found.first.wait_for(state="attached")
        return found.all_inner_texts()

    def days(self) -> int:
        """How many steps the slider has."""
        return int(float(self.handle().get_attribute("aria-valuemax") or 0)) + 1

    def handle(self) -> Locator:
        """What is moved on the slider."""
        return self.page.locator(".dash-head .noUi-handle:visible").first

    def shown_day(self) -> str:
        """The day beside the slider."""
        return self.page.locator(".dash-head .widget-readout:visible").inner_text()

    @property
    def banner(self) -> Locator:
        """What says that the past is shown."""
        return self.page.locator("[role=status]").filter(has_text="As known at the end of")

    def slide_to(self, day: str) -> None:
        """Move the slider to an earlier day, by the keyboard."""
        self.handle().focus()
        while day < self.shown_day():
            before = self.shown_day()
            self.page.keyboard.press("ArrowLeft")
            expect(self.page.locator(".dash-head .widget-readout:visible")).not_to_have_text(before)
            expect(self.banner).to_contain_text(f"As known at the end of {self.shown_day()}")

    def to_newest_day(self) -> None:
        """Back from the past."""
        if self.banner.is_visible():
            self.page.get_by_role("button", name="Newest day").click()
            expect(self.banner).to_be_hidden()

    def act(self, button: str, words: str, *, which: str | None = None) -> None:
        """Do what an operator may do: open the form, fill it in, say yes."""
        self.page.get_by_role("button", name=button, exact=True).click()
        form = self.page.locator(".dash-form:visible")
        if which is not None:
            form.locator("select").select_option(label=which)
        form.locator("input[type=text]").fill(words)
        form.locator("button", has_text="Yes").click()
        self.page.locator(".dash-panel [role=status]").wait_for()

    def said(self) -> str:
        """What came of an act."""
        return _plain(self.page.locator(".dash-panel [role=status]").inner_text())

    def tab_to(self, selector: str) -> None:
        """Press the tabulator until something is focused."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{MOST_TABS} presses of the tabulator do not lead to {selector}")

    def look(self, what: str) -> list[str]:
        """What is wrong to the eye: one of the functions of ``look.js``."""
        found: list[str] = self.page.evaluate(f"() => driftbookLook.{what}()")
        return found

    def look_at_all(self, *what: str) -> dict[str, list[str]]:
        """The same on every page, by its name; those without a fault are left out."""
        faults = {}
        for name in PAGES:
            self.turn_to(name)
            faults[name] = [each for one in what for each in self.look(one)]
        return {name: found for name, found in faults.items() if found}

    def leave(self) -> None:
        """Close the browser; nothing was asked of others, and its console told of no fault."""
        self.context.close()
        assert self.abroad == []
        assert self.faults == []


def _plain(text: str) -> str:
    """With ordinary spaces, each word once apart."""
    return " ".join(text.split())
