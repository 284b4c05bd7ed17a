"""What was known on a day is what a person could have seen then, and what changed is read anew."""

import shutil
from datetime import date

import polars as pl
import pytest
from dashboard_desk import DAYS, LAST, NOON, bare_desk, break_file, day_tables, entry, make_desk, tell, write_report

from driftbook.dashboard.known import find_use_cases, load_known, stamp
from driftbook.database import open_database
from driftbook.deployment import Order, carry_out, load_office
from driftbook.errors import StateError, UnknownNameError
from driftbook.storage import write_json


def order_rollback(desk, reason="Complaints."):
    with open_database(desk.database_url) as database:
        revision = load_office(database, "churn").revision
        order = Order("promote", 2, reason, "ann")
        carry_out(database, "churn", order, expected_revision=revision, now=NOON)


def test_the_newest_day_is_shown_unless_another_is_asked_for(tmp_path):
    known = load_known(make_desk(tmp_path), "churn")
    assert (known.day, known.is_newest, known.days) == (LAST, True, DAYS)
    assert len(known.entries) == 5
    assert known.office == {"champion": 1, "challenger": 2, "previous": None}


def test_a_past_day_knows_only_the_entries_up_to_it(tmp_path):
    known = load_known(make_desk(tmp_path), "churn", DAYS[2])
    assert [each["day"] for each in known.entries] == ["2026-06-01", "2026-06-02", "2026-06-03"]
    assert known.office == {"champion": 1, "challenger": None, "previous": None}
    assert not known.is_newest
    assert known.days == DAYS


def test_a_day_that_nobody_judged_is_the_newest(tmp_path):
    assert load_known(make_desk(tmp_path), "churn", date(1999, 1, 1)).day == LAST


def test_a_table_is_cut_to_the_day(tmp_path):
    known = load_known(make_desk(tmp_path), "churn", DAYS[2])
    assert known.table("volumes")["rows"].to_list() == [600, 601, 602]


def test_the_rows_of_one_column_are_those_of_the_whole_table(tmp_path):
    names = ["tenure", "contract"] * len(DAYS)
    kept = pl.DataFrame({"day": [day for day in DAYS for _ in range(2)], "column": names, "rows": range(2 * len(DAYS))})
    desk = make_desk(tmp_path, tables={"distributions": kept})
    for day in DAYS:
        known = load_known(desk, "churn", day)
        expected = known.table("distributions").filter(pl.col("column") == "contract")
        assert known.table("distributions", column="contract").equals(expected)
        assert expected.height == DAYS.index(day) + 1
    assert known.table("distributions", column="no such").is_empty()


def test_what_was_read_before_a_change_is_forgotten_but_for_the_days_of_the_journal(tmp_path):
    desk = make_desk(tmp_path)
    before = load_known(desk, "churn")
    assert load_known(desk, "churn").book is before.book
    order_rollback(desk)
    after = load_known(desk, "churn")
    assert after.book is not before.book
    assert all(one is other for one, other in zip(after.entries, before.entries, strict=True))
    assert load_known(desk, "churn", mark=before.mark).book is not before.book


def test_outcomes_count_from_the_day_on_which_they_became_known(tmp_path):
    desk = make_desk(tmp_path)
    assert load_known(desk, "churn", DAYS[1]).table("outcomes").height == 0
    assert load_known(desk, "churn", DAYS[2]).table("outcomes")["rows"].to_list() == [500, 100]


def test_a_version_that_was_not_trained_yet_is_not_known(tmp_path):
    outcomes = day_tables()["outcomes"].with_columns(known_on=pl.lit(DAYS[0]))
    desk = make_desk(tmp_path, tables={"outcomes": outcomes})
    assert load_known(desk, "churn", DAYS[2]).table("outcomes")["version"].unique().to_list() == [1]
    assert load_known(desk, "churn", DAYS[3]).table("outcomes")["version"].unique().sort().to_list() == [1, 2]
    assert load_known(desk, "churn", DAYS[3]).versions == {1, 2}


def test_a_table_by_batches_is_cut_by_their_day(tmp_path):
    findings = pl.DataFrame({"batch_id": ["2026-06-02T13", "2026-06-03T00"], "check": ["range", "range"]})
    desk = make_desk(tmp_path, tables={"findings": findings})
    assert load_known(desk, "churn", DAYS[1]).table("findings")["batch_id"].to_list() == ["2026-06-02T13"]


def test_what_becomes_known_later_changes_no_earlier_day(tmp_path):
    desk = make_desk(tmp_path)
    before = {name: load_known(desk, "churn", DAYS[2]).table(name) for name in day_tables()}
    later = {
        name: pl.concat(
            [
                table,
                table.with_columns(pl.col("known_on" if "known_on" in table.columns else "day") + pl.duration(days=9)),
            ]
        )
        for name, table in day_tables().items()
    }
    tell(desk, [entry(date(2026, 6, 6))], as_of=date(2026, 6, 6), revision=2)
    write_report(desk, date(2026, 6, 6), later)
    known = load_known(desk, "churn", DAYS[2])
    assert known.days[-1] == date(2026, 6, 6)
    assert all(known.table(name).equals(before[name]) for name in before)


def test_a_missing_table_names_its_file_and_the_command_that_writes_it(tmp_path):
    desk = make_desk(tmp_path)
    (desk.report_folder("churn", LAST) / "volumes.parquet").unlink()
    known = load_known(desk, "churn")
    expected = (
        "expected reports/churn/2026-06-05/volumes.parquet, .*`driftbook build --use-case churn --as-of 2026-06-05`"
    )
    with pytest.raises(StateError, match=expected):
        known.table("volumes")


def test_a_broken_file_is_named_without_a_path_of_this_machine(tmp_path):
    desk = make_desk(tmp_path)
    break_file(desk.report_folder("churn", LAST) / "volumes.parquet")
    break_file(desk.models_folder("churn") / "v1" / "training.json")
    known = load_known(desk, "churn")
    for read in (lambda: known.table("volumes"), lambda: known.training(1)):
        with pytest.raises(StateError, match="cannot be read") as caught:
            read()
        assert str(tmp_path) not in str(caught.value)


def test_a_record_is_that_of_the_day_or_of_the_last_report_before(tmp_path):
    desk = make_desk(tmp_path)
    write_report(desk, DAYS[1], {})
    write_json(desk.report_folder("churn", DAYS[1]) / "summary.json", {"status": "green"})
    assert load_known(desk, "churn").record("summary")["status"] == "red"
    assert load_known(desk, "churn", DAYS[3]).record("summary")["status"] == "green"
    assert load_known(desk, "churn", DAYS[3]).record_day == DAYS[1]
    with pytest.raises(StateError, match="no report of 2026-06-01 or before; the first is of 2026-06-02"):
        load_known(desk, "churn", DAYS[0]).record("summary")


def test_alerts_read_as_they_did_on_the_day(tmp_path):
    desk = make_desk(tmp_path)
    assert load_known(desk, "churn", DAYS[1]).alerts().height == 0
    then = load_known(desk, "churn", DAYS[2]).alerts().row(0, named=True)
    assert (then["severity"], then["message"], then["state"]) == (
        "warning",
        "Up to 2 of 16 columns drifted until 2026-06-03.",
        "open",
    )
    assert load_known(desk, "churn").alerts()["severity"].to_list() == ["critical"]


def test_an_order_given_since_counts_on_the_newest_day_only(tmp_path):
    desk = make_desk(tmp_path)
    order_rollback(desk)
    newest = load_known(desk, "churn")
    assert newest.office == {"champion": 2, "challenger": None, "previous": 1}
    assert [each["changes"][0]["reason"] for each in newest.orders()] == ["Complaints."]
    assert newest.history()["action"].to_list() == ["appoint", "challenge", "promote"]
    earlier = load_known(desk, "churn", DAYS[3])
    assert earlier.orders() == []
    assert earlier.history()["action"].to_list() == ["appoint", "challenge"]


def test_an_order_given_after_a_day_is_no_part_of_that_day_later(tmp_path):
    desk = make_desk(tmp_path)
    order_rollback(desk)
    tell(desk, [entry(date(2026, 6, 6))], as_of=date(2026, 6, 6), revision=3)
    assert load_known(desk, "churn", LAST).history()["action"].to_list() == ["appoint", "challenge"]


def test_a_report_that_was_not_completed_does_not_hide_the_last_one(tmp_path):
    desk = make_desk(tmp_path)
    tell(desk, [entry(date(2026, 6, 6))], as_of=date(2026, 6, 6), revision=2)
    desk.report_folder("churn", date(2026, 6, 6)).mkdir()
    known = load_known(desk, "churn")
    assert (known.day, known.report_day) == (date(2026, 6, 6), LAST)
    assert known.table("volumes").height == 5


def test_a_use_case_that_was_never_built_says_the_command(tmp_path):
    with pytest.raises(StateError, match="`driftbook build --use-case churn`"):
        load_known(bare_desk(tmp_path), "churn")


def test_a_use_case_there_is_not_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="no use case 'churm'; did you mean 'churn'"):
        load_known(make_desk(tmp_path), "churm")


def test_built_use_cases_are_found_first_and_a_broken_one_is_told(tmp_path):
    desk = make_desk(tmp_path)
    (tmp_path / "data" / "bank").mkdir()
    (tmp_path / "data" / "bank" / "usecase.yaml").write_text("title: [")
    found = find_use_cases(desk)
    assert [(each.name, each.built) for each in found] == [("churn", True), ("bank", False)]
    assert "not valid YAML" in found[1].fault
    assert str(tmp_path) not in found[1].fault


def test_the_stamp_stays_while_nothing_changes(tmp_path):
    desk = make_desk(tmp_path)
    assert stamp(desk) == stamp(desk)


def test_the_stamp_changes_with_all_that_is_shown(tmp_path):
    desk = make_desk(tmp_path)
    marks = [stamp(desk)]
    tell(desk, [entry(date(2026, 6, 6))], as_of=date(2026, 6, 6), revision=2)
    marks.append(stamp(desk))
    order_rollback(desk)
    marks.append(stamp(desk))
    write_report(desk, date(2026, 6, 6), {})
    marks.append(stamp(desk))
    write_json(desk.state_folder / "progress.json", {"state": "running"})
    marks.append(stamp(desk))
    shutil.copytree(tmp_path / "data" / "churn", tmp_path / "data" / "bank")
    marks.append(stamp(desk))
    assert len(set(marks)) == len(marks)


def test_what_changed_is_read_anew(tmp_path):
    desk = make_desk(tmp_path)
    assert load_known(desk, "churn") is load_known(desk, "churn")
    order_rollback(desk)
    assert load_known(desk, "churn").office["champion"] == 2
