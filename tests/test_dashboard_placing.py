"""Where a visitor is comes back from a browser as text: it leads to what is offered, or nowhere."""

from datetime import date

import pytest
from dashboard_desk import make_desk

from driftbook.dashboard.placing import LONGEST, place_text, read_place
from driftbook.dashboard.state import Selection
from driftbook.dashboard.views import Monitor

CHOICES = {"overview": set(), "drift": {"column"}}


@pytest.fixture
def desk(tmp_path):
    return make_desk(tmp_path)


def test_what_is_selected_comes_back_as_it_was():
    selection = Selection("churn", "drift", date(2026, 6, 2)).choosing("column", "age")
    found, day = read_place(place_text(selection), CHOICES)
    assert (found.use_case, found.page, dict(found.chosen), day) == ("churn", "drift", {"column": "age"}, "2026-06-02")


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{", None, 7, "[" * 3_000, '"' + "x" * LONGEST + '"'])
def test_what_is_nothing_of_ours_leads_nowhere(text):
    assert read_place(text, CHOICES) is None


def test_a_page_that_is_not_there_is_the_first_and_unknown_choices_are_dropped():
    found, day = read_place(
        '{"use_case": 3, "page": "../x", "day": ["a"], "chosen": {"evil": "1", "column": 2}}', CHOICES
    )
    assert (found.use_case, found.page, dict(found.chosen), day) == ("", "overview", {}, "")


def test_a_new_kernel_opens_where_the_browser_was_and_tells_the_browser_where_it_is(desk):
    before = Monitor(desk)
    before.nav.value = "drift"
    before.slider.value = before.slider.options[0]
    kept = before.place.box.value
    after = Monitor(desk)
    assert after.place.box.value != kept
    after.place.box.value = kept
    assert after.nav.value == "drift"
    assert after.slider.value == before.slider.options[0]
    assert after.selection == before.selection
    assert after.body.value == before.body.value


@pytest.mark.parametrize("text", ['{"use_case": "nosuch", "page": "drift"}', '{"use_case": "../churn"}', "nonsense"])
def test_a_place_that_is_not_offered_leaves_the_page_as_it_is(desk, text):
    monitor = Monitor(desk)
    before = monitor.selection
    monitor.place.box.value = text
    assert monitor.selection == before
