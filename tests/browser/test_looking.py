"""Whoever looks: each page with its figure and the records' numbers, on any day, at any width, by any hand."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from built_workbench import DAY
from live_dashboard import running
from playwright.sync_api import Browser, expect

from browser.visits import FIGURES, PHONE, WIDE, Visit
from driftbook.config import Settings
from driftbook.dashboard.pages import PAGES
from driftbook.tables import format_value

pytestmark = pytest.mark.browser

LEAST_SHAPES, LEAST_PIXELS = 5, 100
DRIFT_SEEN = "2026-05-24"  # a day after the drift set in and before anything was done about it
TODAY = date.fromisoformat(DAY)


@pytest.fixture(scope="module")
def visit(desk: Settings, browser: Browser) -> Iterator[Visit]:
    """One visitor for all tests of this file."""
    with running(desk.root, environment={"DRIFTBOOK_DASHBOARD_POOL": "1"}) as address:
        visit = Visit(browser, address)
        yield visit
        visit.leave()


@pytest.fixture(autouse=True)
def _newest_day_on_a_wide_light_screen(visit: Visit) -> None:
    visit.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    visit.page.emulate_media(color_scheme="light")
    visit.to_newest_day()


class Records:
    """The files and rows that builds left, read without the dashboard."""

    def __init__(self, desk: Settings) -> None:
        self.desk = desk
        self.report = desk.reports_folder / "churn" / DAY

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.desk.state_folder / "driftbook.db") as database:
            return database.execute(query).fetchall()

    @property
    def entry(self) -> dict[str, Any]:
        """The journal's entry of the newest day."""
        found: dict[str, Any] = json.loads(self.rows("SELECT entry FROM journal ORDER BY batch_id")[-1][0])
        return found

    def table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.report / f"{name}.parquet")

    def ledger(self) -> list[dict[str, Any]]:
        path = self.desk.reports_folder / "churn" / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def percent(share: float) -> str:
    return " ".join(format_value(share, format="percent").split())


def overview_agrees(records: Records, visit: Visit) -> None:
    (champion,) = records.rows("SELECT champion FROM deployment")[0]
    status = json.loads((records.report / "summary.json").read_text(encoding="utf-8"))["status"]
    found, words = visit.tiles("Is the model well?"), visit.text("Is the model well?")
    assert found["model in use"].startswith(f"version {champion} ")
    assert found["right predictions"].startswith(percent(records.entry["accuracy"]["value"]))
    assert found["rows of the day"].startswith(f"{records.table('volumes')['rows'][-1]:,} ")
    assert status in words
    [[waiting]] = records.rows("SELECT count(*) FROM alert WHERE state = 'open'")
    assert found["open alerts"].split()[0] == str(waiting)


def drift_agrees(records: Records, visit: Visit) -> None:
    rows = records.table("drift_days").filter(pl.col("day") == TODAY, pl.col("role") != "table")
    strongest = rows.sort("excess", nulls_last=True, descending=True).row(0, named=True)
    columns = visit.tiles("How far the data lie from what the model learned")
    heard = rows.filter(pl.col("drifted") & pl.col("matters"), role="feature").height
    features = rows.filter(role="feature")["column"].to_list()
    assert columns["features drifted"].startswith(f"{heard} of {len(features)}")
    assert columns["strongest signal"].startswith(f"{strongest['excess']:.3g}×")
    offered = visit.options("Column")
    assert {name for name in features if any(text.startswith(name) for text in offered)} == set(features)


def performance_agrees(records: Records, visit: Visit) -> None:
    found = visit.tiles("How good the decisions are")
    accuracy = records.entry["accuracy"]
    assert found["accuracy, realised"].startswith(percent(accuracy["value"]))
    assert f"{accuracy['rows']:,} rows" in found["accuracy, realised"]
    champions = pl.DataFrame(
        [(date.fromisoformat(entry["day"]), entry["during"]["champion"]) for entry in journal(records)],
        schema={"day": pl.Date, "version": pl.Int64},
        orient="row",
    )
    known = records.table("outcomes").join(champions, on=["day", "version"], how="semi")["rows"].sum()
    scored = records.table("predicted")["rows"].sum()
    assert found["targets still out"].startswith(f"{scored - known:,} ")
    (champion,) = records.rows("SELECT champion FROM deployment")[0]
    own = records.table("outcomes").filter(pl.col("version") == champion)
    right = own.filter(pl.col("prediction") == pl.col("target"))["rows"].sum()
    assert percent(right / own["rows"].sum()) in visit.text("What is taken for what")


def journal(records: Records) -> list[dict[str, Any]]:
    return [json.loads(text) for (text,) in records.rows("SELECT entry FROM journal ORDER BY batch_id")]


def predictions_agree(records: Records, visit: Visit) -> None:
    volumes = records.table("volumes").row(-1, named=True)
    predicted = records.table("predicted").filter(pl.col("day") == TODAY)
    positive = predicted.filter(pl.col("prediction") == "yes")["rows"].sum()
    found = visit.tiles("The day in numbers")
    assert found["rows scored"].startswith(f"{volumes['scored']:,} ")
    assert found["predicted churned = yes"].startswith(percent(positive / predicted["rows"].sum()))
    assert found["missing values"].startswith(percent(volumes["missing_cells"] / volumes["cells"]))


def champion_agrees(records: Records, visit: Visit) -> None:
    ((champion, previous),) = records.rows("SELECT champion, previous FROM deployment")
    found = visit.tiles("Who is in office")
    assert found["champion"] == f"version {champion}"
    assert found["champion before"] == f"version {previous}"
    changes = records.rows("SELECT reason FROM deployment_change")
    history = visit.text("History of deployments")
    assert all(" ".join(reason.split()) in history for (reason,) in changes)
    assert visit.card("History of deployments").locator("tbody tr").count() == len(changes)


def alerts_agree(records: Records, visit: Visit) -> None:
    alerts = records.rows("SELECT severity, last_batch, message FROM alert WHERE state = 'open'")
    found = visit.tiles("How alerts stand")
    critical = sum(severity == "critical" for severity, _, _ in alerts)
    assert found["open"].split()[0] == str(len(alerts))
    assert (f" {critical} critical" in found["open"]) == (critical > 0)
    assert found["open"].split()[-1] == ("on" if any(last >= DAY for _, last, _ in alerts) else "now")
    listed = visit.text("What went wrong, and who cares")
    assert all(" ".join(message.replace("`", "").split()) in listed for _, _, message in alerts)


def audit_agrees(records: Records, visit: Visit) -> None:
    lines = records.ledger()
    expect(visit.card("Is everything as it was recorded?")).not_to_contain_text("checking")
    found = visit.tiles("Is everything as it was recorded?")
    assert found["compared with the ledger"].startswith("as recorded ")
    assert found["lines of the ledger"] == f"{len(lines):,}"
    assert lines[-1]["sha256"] in visit.text("Is everything as it was recorded?")
    pages = [name for name in lines[-1]["products"] if name.endswith(".html")]
    links = visit.card("One report in full").locator("a")
    assert links.count() == len(pages)
    answer = visit.page.request.get(f"{visit.address}{links.first.get_attribute('href')}")
    assert answer.status == 200
    assert answer.text() == (records.report / "01_generate_data.html").read_text(encoding="utf-8")


AGREES: dict[str, Callable[[Records, Visit], None]] = {
    "overview": overview_agrees,
    "drift": drift_agrees,
    "performance": performance_agrees,
    "predictions": predictions_agree,
    "champion": champion_agrees,
    "alerts": alerts_agree,
    "audit": audit_agrees,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_with_its_main_figure_and_the_numbers_of_the_records(desk, visit, name):
    visit.turn_to(name)
    if name in FIGURES:
        figure = visit.figures(FIGURES[name])
        expect(figure).to_have_count(1)
        assert figure.locator("rect, path, circle, polygon").count() >= LEAST_SHAPES
        assert figure.bounding_box()["height"] >= LEAST_PIXELS
    AGREES[name](Records(desk), visit)
    assert not visit.page.locator(".dash-card .dash-is-bad:has-text('cannot be')").count(), visit.text()


def test_the_widgets_scripts_come_as_one_file_and_no_piece_is_asked_for_by_itself(visit):
    asked = visit.page.evaluate("performance.getEntriesByType('resource').map(each => new URL(each.name).pathname)")
    scripts = {name.partition("/assets/")[2].partition("/")[2] for name in asked if name.endswith(".js")}
    entries = {name for name in scripts if "/remoteEntry." in name}
    assert len(entries) == 2
    assert scripts - entries == {"dashboard/page.js", "widgets/scripts.js", "voila/voila.js"}


def test_a_column_is_chosen_and_its_distribution_and_history_are_shown(visit):
    visit.turn_to("drift")
    chosen = next(text for text in visit.options("Column") if text.startswith("support_calls"))
    visit.choose("Column", chosen)
    expect(visit.card("Distribution of the chosen column")).to_contain_text("support_calls")
    assert "support_calls" in visit.figures("Distribution of the chosen column").get_attribute("aria-label")


def test_the_slider_goes_back_to_a_day_and_whatever_came_later_is_gone(desk, visit):
    days = [entry["day"] for entry in journal(Records(desk))]
    visit.turn_to("overview")
    assert visit.days() == len(days)
    visit.slide_to(DRIFT_SEEN)
    assert visit.shown_day() == DRIFT_SEEN
    delay = 3  # days until a target is expected: a page may name that day
    later = [date.fromisoformat(day) for day in days]
    later = [day for day in later if day > date.fromisoformat(DRIFT_SEEN) + timedelta(days=delay)]
    names = "|".join(f"{day}|{day.day} {day:%b}" for day in later)
    faults = {}
    for name in PAGES:
        visit.turn_to(name)
        expect(visit.banner).to_be_visible()
        told = visit.text().replace(f"judged in a later run, of {DAY}", "")
        faults[name] = re.findall(rf"(?<!\d)(?:{names})(?!\w)|[Vv]ersion 2\b", told)
        assert not visit.page.locator(".dash-panel:visible").count(), "nobody acts in the past"
    assert not any(faults.values()), faults


def test_the_page_can_be_used_with_the_keyboard_alone(visit):
    visit.page.reload()
    visit.card().first.wait_for()
    press = visit.page.keyboard.press
    visit.tab_to(".dash-nav input[type=radio]")
    press("ArrowRight")
    visit.wait_for_page("drift")
    visit.tab_to(".dash-choices select")
    press("ArrowDown")
    chosen = visit.field("Column").evaluate("list => list.selectedOptions[0].text").split("\xa0(")[0]
    expect(visit.card("The chosen column over time").locator("svg:visible")).to_have_attribute(
        "aria-label", re.compile(f"^{chosen}")
    )
    visit.tab_to(".dash-head .noUi-handle")
    outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "whoever holds the focus is seen"
    press("ArrowLeft")
    expect(visit.banner).to_be_visible()
    visit.tab_to("button")
    press("Enter")
    expect(visit.banner).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_word_stands_out_from_its_ground(visit, theme):
    """By 4.5 to 1, large letters by 3 to 1, as the accessibility guidelines ask."""
    visit.page.emulate_media(color_scheme=theme)
    assert visit.look_at_all("paleWords") == {}
    ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = map(int, re.findall(r"\d+", ground)[:3])
    assert (red + green + blue > 3 * 200) if theme == "light" else (red + green + blue < 3 * 60)


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1280", "390"])
def test_nothing_is_cut_nor_scrolls_within_the_page(visit, size):
    visit.page.set_viewport_size(size)
    assert visit.look_at_all("tooWide", "cutLetters", "crossedLetters", "smallLetters") == {}
