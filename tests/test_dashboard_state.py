"""What comes from a browser is never trusted: it is one of what is offered, or the default."""

from datetime import date

import pytest

from driftbook.dashboard.state import Selection, offered, offered_day

DAYS = (date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3))


@pytest.mark.parametrize("value", ["../../etc", "", None, 3, ["drift"], {"page": "drift"}, b"drift"])
def test_what_is_not_offered_becomes_the_first_or_the_default(value):
    assert offered(value, ["overview", "drift"]) == "overview"
    assert offered(value, ["overview", "drift"], "drift") == "drift"


def test_where_nothing_is_offered_nothing_is_chosen():
    assert offered("drift", []) == ""


@pytest.mark.parametrize("value", ["2026-06-04", "2026-6-1", "", None, 0, "newest", date(1999, 1, 1)])
def test_a_day_that_was_not_judged_is_the_newest(value):
    assert offered_day(value, DAYS) is None


def test_the_newest_day_is_no_fixed_day_so_that_it_moves_on():
    assert offered_day("2026-06-03", DAYS) is None
    assert offered_day("2026-06-02", DAYS) == date(2026, 6, 2)


def test_a_selection_is_changed_by_making_another():
    first = Selection("churn")
    second = first.choosing("column", "age").choosing("period", "week")
    assert first.chosen == {}
    assert second.key == ("churn", "overview", None, (("column", "age"), ("period", "week")))
