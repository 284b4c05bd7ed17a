"""The made-up year for the dashboard's benchmarks holds together: journal, tables, alerts and ledger tell one story."""

from datetime import date

import polars as pl
import pytest
from benchmarks.dashboard_story import DELAY, FIRST, HOURS, ROWS
from benchmarks.dashboard_world import CASE, make_year

from driftbook.audit.verify import verify
from driftbook.dashboard.known import load_known
from driftbook.timeline.day_tables import DAY_TABLES

DAYS = 120  # a change of the world, and the promotion it leads to


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """What is known at the end of the last day."""
    return load_known(make_year(tmp_path_factory.mktemp("year"), days=DAYS), CASE)


def test_the_world_changes_and_a_challenger_that_learned_it_is_promoted(known):
    changes = [change["action"] for entry in known.entries for change in entry["changes"]]
    assert changes == ["appoint", "challenge", "promote"]
    assert (known.office["champion"], known.office["previous"]) == (2, 1)
    assert known.history()["action"].to_list() == changes


def test_every_table_has_its_columns_and_all_days(known):
    for name, schema in DAY_TABLES.items():
        assert dict(known.table(name).schema) == schema, name
    assert known.table("volumes")["day"].to_list() == list(known.days)
    assert known.table("drift_days").height == DAYS * 82
    assert known.table("volumes")["rows"].sum() == DAYS * HOURS * ROWS


def test_the_outcomes_give_the_accuracy_of_the_journal(known):
    outcomes = known.table("outcomes").filter(pl.col("version") == 1)
    accuracy = known.entries[60]["accuracy"]
    newest = (known.days[60 - DELAY - 4], known.days[60 - DELAY])
    rows = outcomes.filter(pl.col("day").is_between(*newest))
    right = rows.filter(pl.col("prediction") == pl.col("target"))["rows"].sum()
    assert right / rows["rows"].sum() == pytest.approx(accuracy["value"])
    assert rows["rows"].sum() == accuracy["rows"]


def test_the_other_outcomes_are_the_same_decisions(known):
    outcomes = known.table("outcomes")
    for name in ("score_outcomes", "segment_outcomes"):
        columns = known.table(name)["column"].n_unique() if name == "segment_outcomes" else 1
        assert known.table(name)["rows"].sum() == columns * outcomes["rows"].sum()


def test_drifted_columns_are_those_of_the_journal(known):
    drifted = known.table("drift_days").filter("drifted")
    for entry in known.entries:
        seen = drifted.filter(pl.col("day") == date.fromisoformat(entry["day"]))["column"]
        assert sorted(seen) == entry["drift"]["drifted_columns"]


def test_the_ledger_holds(known):
    [outcome] = verify(known.settings, use_case=CASE)
    assert outcome.holds, outcome.summary()


def test_an_earlier_day_knows_nothing_of_the_change(known):
    earlier = load_known(known.settings, CASE, FIRST)
    assert earlier.office["champion"] == 1
    assert earlier.table("outcomes").is_empty()
    assert earlier.alerts().is_empty()
