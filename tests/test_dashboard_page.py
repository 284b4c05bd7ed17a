"""A page is a value; each card is drawn on its own, and what comes from data is escaped."""

import pytest
from dashboard_desk import LAST, break_file, make_desk

from driftbook.dashboard.known import load_known
from driftbook.dashboard.page import Card, Choice, Page, render_page
from driftbook.dashboard.pages import PAGES
from driftbook.dashboard.parts import Tile, card, columns, error_card, note, sentences, show, tiles
from driftbook.dashboard.state import Selection
from driftbook.figures import story
from driftbook.tables import STYLE, verdict_card

ORDER = ["overview", "drift", "performance", "predictions", "champion", "alerts", "audit"]
PERIOD = Choice("period", "Period", lambda known, selection: [("by day", "day"), ("by week", "week")])


@pytest.fixture
def known(tmp_path):
    return load_known(make_desk(tmp_path), "churn")


def _volume(known, selection):
    return f"<p>{known.table('volumes')['rows'].sum()} rows</p>"


def _fault(known, selection):
    raise ZeroDivisionError("secret detail")


def test_the_pages_stand_in_the_order_in_which_they_are_read():
    assert list(PAGES) == [name for name in ORDER if name in PAGES]
    assert all(page.name == name for name, page in PAGES.items())


def test_each_card_is_drawn_under_its_title(known):
    drawn = render_page(Page("p", "P", cards=(Card("Volume", _volume),)), known, Selection("churn"))
    assert '<section class="dash-card" aria-label="Volume"><h2>Volume</h2><p>3010 rows</p></section>' in drawn


def test_a_card_that_has_nothing_to_show_is_left_out(known):
    drawn = render_page(
        Page("p", "P", cards=(Card("Nothing", lambda known, selection: ""),)), known, Selection("churn")
    )
    assert drawn == '<div class="dash-grid"></div>'


def test_a_broken_table_costs_its_card_and_nothing_else(tmp_path):
    desk = make_desk(tmp_path)
    break_file(desk.report_folder("churn", LAST) / "volumes.parquet")
    cards = (Card("Volume", _volume), Card("Alerts", lambda known, selection: f"<p>{known.alerts().height}</p>"))
    drawn = render_page(Page("p", "P", cards=cards), load_known(desk, "churn"), Selection("churn"))
    assert "reports/churn/2026-06-05/volumes.parquet cannot be read" in drawn
    assert "<h2>Alerts</h2><p>1</p>" in drawn


def test_a_fault_of_ours_names_the_card_and_no_detail(known, caplog):
    drawn = render_page(Page("p", "P", cards=(Card("Odd", _fault), Card("Volume", _volume))), known, Selection("churn"))
    assert "<h2>Odd</h2>" in drawn
    assert "3010 rows" in drawn
    assert "secret detail" not in drawn
    assert "'Odd' of churn" in caplog.text


@pytest.mark.parametrize(("chosen", "expected"), [("week", "week"), ("month", "day"), ("<script>", "day")])
def test_a_choice_is_one_of_what_is_offered(known, chosen, expected):
    assert PERIOD.value(known, Selection("churn").choosing("period", chosen)) == expected


def test_what_comes_from_data_is_escaped():
    evil = "<script>alert(1)</script>"
    for drawn in (
        tiles([Tile(evil, evil, note=evil)]),
        note(evil),
        sentences([evil]),
        card(evil, ""),
        error_card(evil, evil),
    ):
        assert "<script>" not in drawn
        assert "&lt;script&gt;" in drawn


def test_columns_leave_out_what_is_empty():
    assert columns("", "<p>a</p>") == '<div class="dash-columns"><div><p>a</p></div></div>'


def test_a_table_brings_no_style_sheet_of_its_own_into_a_page():
    drawn = show(verdict_card("green", ["Well."], title="Churn"), story([]))
    assert STYLE not in drawn
    assert "Churn" in drawn
    assert "The story so far" in drawn
