"""Figures of shares: an interval on every point, the period tinted, and words where there is nothing to draw."""

from xml.etree import ElementTree

import polars as pl

from driftbook.figures import share_by_value, share_over_time

DAYS = ["2026-05-16", "2026-05-17T09", "2026-05-17T10", "2026-05-18"]
SHARES = pl.DataFrame(
    {
        "batch_id": DAYS,
        "rows": [100, 100, 100, 0],
        "share": [0.1, 0.2, 0.3, None],
        "low": [0.05, 0.13, 0.22, None],
        "high": [0.17, 0.25, 0.4, None],
    }
)
BY_VALUE = pl.DataFrame(
    {
        "value": ["basic", "basic", "<b>pro</b>", "new"],
        "side": ["history", "17 May", "history", "17 May"],
        "rows": [100, 50, 100, 10],
        "share": [0.1, 0.4, 0.3, 0.5],
        "low": [0.05, 0.28, 0.22, 0.24],
        "high": [0.17, 0.53, 0.4, 0.76],
    }
)


def _svg(figure):
    return ElementTree.fromstring(figure.svg)


def test_every_batch_with_a_share_has_its_point_and_interval_in_words():
    figure = share_over_time(SHARES, title="Missing age")
    _svg(figure)
    assert figure.description == "3 batches, between 10 % and 30 %."
    assert "2026-05-17T09: 20\u00a0% (13\u00a0% to 25\u00a0%) of 100 rows" in figure.svg
    assert "2026-05-18:" not in figure.svg


def test_a_period_of_days_takes_in_all_their_hours():
    figure = share_over_time(SHARES, title="Missing age", period=("2026-05-17", "2026-05-17"))
    assert "the period: 17 May 09h to 17 May 10h" in figure.svg


def test_a_period_without_a_batch_is_not_tinted():
    assert "the period:" not in share_over_time(SHARES, title="x", period=("2026-07-01", "2026-07-02")).svg


def test_the_share_compared_with_is_drawn_even_when_it_is_zero():
    assert "compared with: 0\u00a0%" in share_over_time(SHARES, title="x", level=0.0).svg


def test_without_any_share_it_says_so():
    assert "No batch has a figure yet" in share_over_time(SHARES.tail(1), title="x").description
    assert "No target is known yet" in share_by_value(BY_VALUE.head(0), title="x", names=("a", "b")).description


def test_each_value_shows_both_sides_and_the_widest_gap_is_named():
    figure = share_by_value(BY_VALUE, title="Left, by plan", names=("history", "17 May"))
    _svg(figure)
    assert figure.description == "3 values; basic: 10 % history, 40 % 17 May."
    assert "10\u00a0% → 40\u00a0%" in figure.svg
    assert "– → 50\u00a0%" in figure.svg
    assert "<b>pro</b>" not in figure.svg


def test_one_side_alone_is_said():
    figure = share_by_value(BY_VALUE.filter(side="history"), title="x", names=("history", "17 May"))
    assert figure.description == "2 values; only history has targets."
