"""The page of drift says what the day tables say, and nothing of later days."""

from datetime import date, timedelta

import polars as pl
import pytest
from dashboard_desk import DAYS, day_tables, entry, make_desk

from driftbook.config import load_policy
from driftbook.dashboard.known import load_known
from driftbook.dashboard.page import render_page
from driftbook.dashboard.pages.drift import COLUMN, PAGE, promise
from driftbook.dashboard.state import Selection
from driftbook.timeline.day_tables import DAY_TABLES

EVIL = "<b>tenure</b>"
START = date(2025, 6, 1)


def drift_row(day, column, statistic, **changed):
    row = {"day": day, "version": 1, "column": column, "kind": "numeric", "role": "feature", "method": "psi"}
    row |= {"on": "statistic", "statistic": statistic, "p_value": None, "drift_score": statistic, "threshold": 0.1}
    drifted = statistic is not None and statistic > 0.1
    row |= {"excess": None if statistic is None else round(statistic / 0.1, 12), "drifted": drifted, "matters": True}
    row |= {"band": "cannot_tell" if statistic is None else "drifted" if drifted else "stable"}
    return row | {"drifted_batches": int(drifted), "batches": 1, "importance": 0.25, "note": None} | changed


def drift_days(days=DAYS):
    """Age drifts from the third day on, what cannot matter on all of them, a number cannot be told of."""
    rows = []
    for number, day in enumerate(days):
        rows += [
            drift_row(day, "age", 0.05 if number < 2 else 0.25, importance=0.4),
            drift_row(day, "hair", 0.3, matters=False, importance=0.001),
            drift_row(day, EVIL, 0.02),
            drift_row(day, "income", None, note="the batch is too small"),
            drift_row(day, "prediction_score", 0.06, role="prediction", importance=None),
            drift_row(day, "all columns", 0.04, role="table", method="row_count", importance=None),
        ]
    return pl.DataFrame(rows, schema=DAY_TABLES["drift_days"])


def distributions(days=DAYS):
    common = {"version": 1, "column": "age", "kind": "numeric", "edges": [20.0, 40.0, 60.0], "labels": None}
    common |= {"below": 0, "others": 0, "unseen": 0}
    first = {"known_on": days[0], "day": None, "counts": [60, 30], "above": 0, "missing": 10, "rows": 100}
    rows = [common | first]
    for number, day in enumerate(days):
        rows.append(
            common
            | {"known_on": day, "day": day, "counts": [30, 10 + number], "above": 10, "missing": 0, "rows": 50 + number}
        )
    return pl.DataFrame(rows, schema=DAY_TABLES["distributions"])


def tables():
    return {"drift_days": drift_days(), "distributions": distributions()}


def shown(known, **chosen):
    return render_page(PAGE, known, Selection("churn", "drift", chosen=chosen))


@pytest.fixture
def desk(tmp_path):
    return make_desk(tmp_path, tables=tables())


def test_every_card_is_drawn_and_none_fails(desk):
    page = shown(load_known(desk, "churn"))
    assert all(f">{card.title}<" in page for card in PAGE.cards)
    assert "cannot be shown" not in page
    assert "■ expected" not in page


def test_the_numbers_are_those_of_the_day_table(desk):
    page = shown(load_known(desk, "churn"))
    assert "<dd>1 of 4<small>and 1 that hardly matters to the model</small></dd>" in page
    assert "<dd>3×<small>hair: PSI 0.3 (limit 0.1)</small></dd>" in page
    assert "<dd>40\u00a0%<small>" in page, "the importance of what drifted and matters"
    assert "PSI 0.25 (limit 0.1)" in page
    assert "2.5× the threshold" in page


def test_the_limits_come_with_what_they_promise(desk):
    page = shown(load_known(desk, "churn"))
    assert "The limits of all columns and methods together allow 1 false alarm in 365 days." in page
    assert "5 days were judged: by chance about 0.0137 of them would alarm, 3 did." in page


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("psi_bands", ["The limits are fixed by the policy psi_bands", "1 day was judged, 1 alarmed."]),
        ("drifted_share", ["1 day was judged"]),
    ],
)
def test_a_policy_without_a_budget_says_so(policy, words):
    said = " ".join(promise(load_policy(policy), [True]))
    assert all(each in said for each in words)
    assert "not known" in said


def test_the_strongest_column_that_matters_is_chosen_first_and_another_may_be(desk):
    known = load_known(desk, "churn")
    options = COLUMN.options(known, Selection("churn"))
    assert [value for _, value in options] == ["age", "hair", "prediction_score", EVIL, "income"]
    assert options[0] == ("age (◆ 2.5×)", "age")
    assert options[-1] == ("income (cannot tell)", "income")
    assert "age: PSI at 2.5× its limit, drifted." in shown(known)
    assert "predicted score: PSI at 0.6× its limit, not drifted." in shown(known, column="prediction_score")
    assert shown(known, column="../../etc") == shown(known)


def test_the_distribution_of_the_chosen_column_is_that_of_the_day(desk):
    page = shown(load_known(desk, "churn"))
    assert "20 to 40: reference 66.7\u00a0%, 2026-06-05 55.6\u00a0%" in page
    assert "above 60: reference 0\u00a0%, 2026-06-05 18.5\u00a0%" in page
    assert "missing, reference: 10\u00a0%" in page


def test_a_week_adds_the_days_up(desk):
    page = shown(load_known(desk, "churn"), span="7")
    assert "20 to 40: reference 66.7\u00a0%, 2026-06-01 to 2026-06-05 57.7\u00a0%" in page


def test_a_column_without_a_distribution_says_so(desk):
    assert "No distribution of hair was recorded for 2026-06-05." in shown(load_known(desk, "churn"), column="hair")


def test_a_past_day_shows_what_was_known_then(desk):
    page = shown(load_known(desk, "churn", DAYS[1]))
    assert "<dd>0 of 4<small>" in page
    assert "2 days were judged: by chance about 0.00548 of them would alarm, 0 did." in page
    assert "2026-06-03" not in page


def test_later_days_change_nothing_of_an_earlier_one(tmp_path):
    early = {
        name: table.filter(pl.col("day").is_null() | (pl.col("day") <= DAYS[2])) for name, table in tables().items()
    }
    short = make_desk(tmp_path / "short", tables=early)
    long = make_desk(tmp_path / "long", tables=tables())
    assert shown(load_known(short, "churn", DAYS[2])) == shown(load_known(long, "churn", DAYS[2]))


def test_what_comes_from_data_is_escaped(desk):
    assert EVIL not in shown(load_known(desk, "churn"), column=EVIL)


def test_a_day_table_that_is_missing_costs_its_cards_and_says_how_to_write_it(tmp_path):
    desk = make_desk(tmp_path, tables=tables())
    (desk.report_folder("churn", DAYS[-1]) / "distributions.parquet").unlink()
    page = shown(load_known(desk, "churn"))
    assert "distributions.parquet, found no such file" in page
    assert "<dd>1 of 4<small>" in page, "the rest lives"


def test_a_long_history_is_drawn_by_weeks(tmp_path):
    days = [START + timedelta(days=number) for number in range(200)]
    story = [entry(day) for day in days]
    late = {"drift_days": drift_days(days), "distributions": distributions(days)}
    page = shown(load_known(make_desk(tmp_path, entries=story, tables=day_tables() | late), "churn"))
    assert "By weeks, named by their Monday: the worst day of a week stands for it." in page
    assert "Drifted in 29 of 30 weeks, at most 2.5× its threshold." in page
