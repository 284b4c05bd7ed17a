"""What a person reads of the long table: the strongest signals, how far something moved, what the limits promise."""

import polars as pl
import pytest

from driftbook.drift.judging import DRIFT_SCHEMA
from driftbook.timeline.describe import moved_most, promise, strongest_signals

ROW = {
    "batch_id": "2026-06-02",
    "column": "fee",
    "kind": "numeric",
    "role": "feature",
    "method": "psi",
    "rows": 100,
    "statistic": 0.2,
    "drift_score": 0.2,
    "effect_size": 0.4,
    "threshold": 0.1,
    "on": "statistic",
    "band": "drifted",
    "drifted": True,
    "matters": True,
    "chance": 1e-9,
    "origin": "1 false alarm in 365 days, learned from 30 batches of the reference",
}
CALM = {"statistic": 0.05, "band": "stable", "drifted": False, "chance": 0.9}
PLAN = {"column": "plan", "kind": "categorical", "effect_size": -0.03, "matters": False}
WHOLE = {
    **{"column": "all columns", "kind": "table", "role": "table", "effect_size": None},
    **{"method": "domain_classifier", "statistic": 0.8, "threshold": 0.6},
}
LOST = {"column": "gone", "statistic": None, "threshold": None, "effect_size": None, "band": "cannot_tell"}
LOST |= {"drifted": False, "chance": None, "note": "the column is missing in the batch"}


def _table(*rows):
    return pl.DataFrame([ROW | row for row in rows], schema=DRIFT_SCHEMA)


def test_the_strongest_signals_of_the_newest_batch_come_first_in_plain_words():
    table = _table({**CALM, "batch_id": "2026-06-03"}, {**WHOLE, "batch_id": "2026-06-03"}, {"statistic": 9.0})
    shown = strongest_signals(table)
    assert shown.columns == ["column", "method", "statistic", "threshold", "times", "effect", "chance", "band"]
    assert shown["method"].to_list() == ["domain classifier", "PSI"]
    assert shown["times"].to_list() == pytest.approx([3.0, 0.5])
    assert shown["effect"].to_list() == [None, "0.4 sd higher"]


def test_what_wakes_nobody_and_what_cannot_be_told_say_so():
    shown = strongest_signals(_table(LOST, PLAN | {"statistic": 9.0}, {})).select("column", "band", "note").rows()
    assert shown == [
        ("fee", "drifted", None),
        ("plan", "wakes nobody", None),
        ("gone", "cannot_tell", "the column is missing in the batch"),
    ]


def test_limits_without_a_budget_have_no_chance_to_show():
    assert "chance" not in strongest_signals(_table({"chance": None, "origin": "fixed by the policy"})).columns


def test_the_promise_is_that_of_the_limits():
    assert promise(_table({})) == f"Limits of all columns and methods together: {ROW['origin']}."
    assert promise(_table({"origin": "fixed by the policy"})) == "Limits: fixed by the policy."
    assert promise(_table(LOST)) == "There is no limit: nothing can be told."


def test_numbers_and_categories_that_moved_most_are_drawn_with_how_far():
    rows = pl.DataFrame({"fee": [1.5, 2.5], "age": [30, 40], "hours": [1, 2], "plan": ["a", "b"]})
    ages, hours = {**CALM, "column": "age"}, {**CALM, "column": "hours", "statistic": 0.01}
    figures = moved_most(_table({}, {"method": "kolmogorov_smirnov", "threshold": 0.19}, ages, hours, PLAN), rows, rows)
    assert [figure.title.partition(":")[0] for figure in figures] == ["fee", "age", "plan"]
    assert "0.4 standard deviations higher; PSI at 2 times its limit." in figures[0].svg
    assert "Largest change of a share: −3 points; PSI at 2 times its limit." in figures[2].svg


def test_a_column_that_is_not_in_the_batch_has_no_picture():
    rows = pl.DataFrame({"fee": [1.5, 2.5]})
    assert moved_most(_table({"column": "gone"}), rows, rows) == []
