"""The first page says in one word and one sentence how the model is, in the numbers of the records."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from dashboard_desk import (
    ALARMED,
    DAYS,
    NOON,
    accuracy,
    add_use_case,
    bare_desk,
    day_tables,
    decision,
    drift,
    entry,
    five_days,
    make_desk,
)

from driftbook.config import load_use_case
from driftbook.config.use_case import Batch, FilesSource, ServiceSource
from driftbook.dashboard.answer import Answer, next_run
from driftbook.dashboard.business import cost_tile, daily_costs, months, restless
from driftbook.dashboard.known import load_known
from driftbook.dashboard.page import render_page
from driftbook.dashboard.pages import PAGES
from driftbook.dashboard.state import Selection
from driftbook.database import open_database
from driftbook.decisions.alerts import Alert
from driftbook.deployment import change_alert, save_alerts

PAGE = PAGES["overview"]
DRIFT, QUALITY = "churn/drift/2026-06-03", "churn/quality/2026-06-03"
COSTS = "costs:\n  'yes': {'no': 5.0}\n  'no': {'yes': 1.0}\n"


def drawn(known):
    return render_page(PAGE, known, Selection("churn"))


def answer_of(tmp_path, day=None, **last):
    """The answer of the story whose last day is changed."""
    entries = five_days()
    entries[-1] |= last
    return Answer(load_known(make_desk(tmp_path, entries=entries), "churn", day))


def tile(answer, label):
    return next(each for each in answer.tiles if each.label == label)


@pytest.mark.parametrize(
    ("day", "status", "word"),
    [(1, "green", "The model is well"), (3, "amber", "Have a look"), (5, "red", "Act now")],
)
def test_the_word_is_the_status_that_the_alerts_of_the_day_give(tmp_path, day, status, word):
    answer = answer_of(tmp_path, DAYS[day - 1])
    assert (answer.status, answer.word) == (status, word)


def test_a_calm_day_says_that_nothing_changed_and_how_often_the_model_is_right(tmp_path):
    entries = [entry(DAYS[0]), entry(DAYS[1], accuracy=accuracy(0.85))]
    desk = make_desk(tmp_path, entries=entries)
    assert Answer(load_known(desk, "churn", DAYS[0])).sentence == (
        "The data look like those the model learned from; no outcomes are known yet."
    )
    assert Answer(load_known(desk, "churn")).sentence == (
        "The data look like those the model learned from, and it is right in 85\u00a0% of its latest 1,200 predictions "
        "with a known outcome."
    )


def test_drift_says_since_when_in_which_columns_and_what_is_done(tmp_path):
    desk = make_desk(tmp_path)
    assert Answer(load_known(desk, "churn", DAYS[2])).sentence == (
        "The data have looked different since 2026-06-03 from those the model learned from, in age, contract."
    )
    assert Answer(load_known(desk, "churn")).sentence == (
        "The data have looked different since 2026-06-03 from those the model learned from, in age; version 2 was "
        "trained on newer data and is being compared with it."
    )


def test_a_fall_of_accuracy_comes_before_drift(tmp_path):
    sentence = answer_of(tmp_path, accuracy=accuracy(0.7, fell=True)).sentence
    assert "in 70\u00a0% of its latest 1,200 predictions" in sentence
    assert "its limit is 80\u00a0%" in sentence


def test_a_fall_that_is_only_estimated_says_so(tmp_path):
    seen = {"value": 0.71, "limit": 0.8, "fell": True, "first_batch": "2026-06-04", "withdrawn": None}
    assert "an estimated 71\u00a0% since 2026-06-04" in answer_of(tmp_path, estimate=seen).sentence


def test_nobody_retrains_after_the_end_of_the_stream(tmp_path):
    known = load_known(make_desk(tmp_path), "churn")
    [action] = PAGES["overview"].actions
    assert action.available(known, Selection("churn")) == ""
    source = known.case.source.model_copy(update={"stream_days": 5, "stream_start": DAYS[0]})
    over = replace(known, case=known.case.model_copy(update={"source": source}))
    assert "no day is left on which a build could train" in action.available(over, Selection("churn"))


def test_a_model_that_was_taken_back_by_itself_is_told_first(tmp_path):
    changes = [{"action": "rollback", "version": 1, "reason": "Worse."}]
    assert answer_of(tmp_path, changes=changes).sentence.endswith("version 1 decides again.")


def test_what_a_person_put_back_is_no_news_to_her(tmp_path):
    order = {"action": "rollback", "version": 1, "reason": "Worse.", "actor": "ann"}
    order |= {"revision": 9, "record_sha256": "5e1f"}
    assert "taken back" not in answer_of(tmp_path, changes=[order]).sentence


def test_an_alert_about_anything_else_speaks_for_itself(tmp_path):
    answer = answer_of(tmp_path, drift=drift(DAYS[4]))
    assert answer.sentence == "Up to 2 of 16 columns drifted until 2026-06-05."


def test_too_few_rows_are_no_all_clear(tmp_path):
    blind = drift(DAYS[0]) | {"top_excess": None}
    desk = make_desk(tmp_path, entries=[entry(DAYS[0], drift=blind)])
    assert Answer(load_known(desk, "churn")).sentence == "Too few rows came to tell whether anything changed."


def test_the_tiles_hold_the_numbers_of_the_records(tmp_path):
    answer = answer_of(tmp_path)
    shown = {each.label: (each.value, each.note) for each in answer.tiles}
    assert shown == {
        "Model in use": ("version 1", "appointed on 2026-06-01"),
        "Right predictions": (
            0.83,
            "of the latest 1,200 with a known outcome; limit 80\u00a0%; 86\u00a0% when it was tested",
        ),
        "Challenger": ("version 2", "compared on 1 day so far"),
        "Drifted features": ("1 of 16", "age"),
        "Open alerts": (1, "1 critical; it goes on"),
        "Rows of the day": (604, "usually 602"),
        "Last run": (date(2026, 6, 5), "run by ann on 2026-06-05 at 12:00 UTC"),
        "Next run": (date(2026, 6, 6), "the next simulated day, at any time"),
    }


def test_a_past_day_shows_the_numbers_of_that_day(tmp_path):
    answer = answer_of(tmp_path, DAYS[2])
    assert tile(answer, "Challenger").value == "none"
    assert tile(answer, "Drifted features").value == "2 of 16"
    assert tile(answer, "Rows of the day").value == 602
    assert tile(answer, "Right predictions").value == 0.85
    assert tile(answer, "Last run").note == "the day was judged in a later run, of 2026-06-05"


def test_the_page_shows_every_number_of_its_tiles(tmp_path):
    known = load_known(make_desk(tmp_path), "churn")
    page = drawn(known)
    assert page.count("<section") == 4
    for text in ("■ red", "Act now", "<dd>version 1<small>", "<dd>83\u00a0%<small>", "<dd>604<small>", "1 of 16"):
        assert text in page
    assert "Decided for 2026-06-05: continue. One day compared." in page


def test_a_broken_table_costs_only_the_cards_that_read_it(tmp_path):
    desk = make_desk(tmp_path)
    (desk.report_folder("churn", DAYS[-1]) / "volumes.parquet").unlink()
    page = drawn(load_known(desk, "churn"))
    assert "volumes.parquet, found no such file" in page
    assert "Act now" in page, "the answer does not rest on it"
    assert "What was found and decided" in page


def test_months_count_incidents_retrainings_and_promotions(tmp_path):
    assert months(five_days()).row(0) == ("2026-06", 5, 1, 1, 0, 0)
    july = entry(date(2026, 7, 1), changes=[{"action": "promote", "version": 2, "reason": "Better."}])
    assert months([*five_days(), july]).rows() == [("2026-07", 1, 0, 0, 1, 0), ("2026-06", 5, 1, 1, 0, 0)]


def test_rates_of_less_than_a_month_are_counts():
    assert [(each.value, each.note) for each in restless(five_days())] == [(1.0, "1 in 5 days"), (1.0, "1 in 5 days")]


def test_cost_per_prediction_is_that_of_whoever_decided(tmp_path):
    desk = make_desk(tmp_path)
    declared = tmp_path / "data" / "churn" / "usecase.yaml"
    declared.write_text(declared.read_text() + COSTS)
    known = load_known(desk, "churn")
    # 100 leavers were missed at 5.0, 200 called in vain at 1.0; version 2's rows count for nobody
    assert daily_costs(known).rows() == [(DAYS[0], 600, 500.0), (DAYS[1], 600, 200.0), (DAYS[2], 600, 0.0)]
    shown = cost_tile(known)
    assert shown.value == pytest.approx(700 / 1800)
    earlier = cost_tile(load_known(desk, "churn", DAYS[2]))
    assert earlier.value == pytest.approx(500 / 600)


def test_where_no_cost_is_declared_the_page_says_how(tmp_path):
    known = load_known(make_desk(tmp_path), "churn")
    assert cost_tile(known) is None
    assert "Declare what a wrong prediction costs" in drawn(known)


def test_the_next_run_is_what_can_be_known_of_it(tmp_path):
    case = load_use_case("churn", settings=bare_desk(tmp_path))
    assert next_run(case, date(2026, 6, 30)).value == "none"
    files = case.model_copy(update={"source": FilesSource(kind="files", path="x.csv")})
    assert next_run(files, date(2026, 6, 30)).note == "expected once the rows of that day have come"
    dealt = files.model_copy(update={"batch": Batch(rows=500)})
    assert next_run(dealt, date(2026, 6, 30)).note == "expected once 500 more rows have come"
    served = ServiceSource(kind="service", history=case.source, since=date(2026, 6, 1))
    told = next_run(case.model_copy(update={"source": served}), date(2026, 6, 30))
    assert (told.value, told.note) == (date(2026, 7, 1), "expected 1 hour after that day has ended (UTC)")


def test_other_use_cases_stand_beside_the_chosen_one(tmp_path):
    desk = make_desk(tmp_path)
    add_use_case(desk, "bank", built=True)
    add_use_case(desk, "later", built=False)
    (tmp_path / "data" / "telco").mkdir()
    (tmp_path / "data" / "telco" / "usecase.yaml").write_text("title: [")
    page = drawn(load_known(desk, "churn"))
    assert "<strong>The model is well</strong>, as of 2026-06-02" in page
    assert "<dd>601<small>usually 600" in page
    assert "Customer churn (simulated): <code>driftbook build --use-case later</code>" in page
    assert "not valid YAML" in page
    assert str(tmp_path) not in page


def test_other_use_cases_are_shown_as_known_on_the_same_day(tmp_path):
    desk = make_desk(tmp_path)
    add_use_case(desk, "bank", built=True)
    page = drawn(load_known(desk, "churn", DAYS[0]))
    assert "as of 2026-06-01" in page
    assert "<dd>601" not in page
    assert "No day was judged by 2026-06-01." not in page


def test_a_broken_record_of_another_use_case_stays_in_its_box(tmp_path):
    desk = make_desk(tmp_path)
    add_use_case(desk, "bank", built=True)
    (desk.report_folder("bank", DAYS[1]) / "alerts_days.parquet").unlink()
    page = drawn(load_known(desk, "churn"))
    assert "reports/bank/2026-06-02/alerts_days.parquet, found no such file" in page
    assert "Act now" in page


def one_lasting_and_one_over():
    """The alert of drift, critical by now, and one of quality that was over on its first day."""
    over = day_tables()["alerts_days"].with_columns(
        key=pl.lit(QUALITY), last_batch=pl.lit("2026-06-03"), known_on=pl.lit(DAYS[2])
    )
    return pl.concat([day_tables()["alerts_days"], over.head(1)])


def say(desk, state, *keys):
    """Let ann say of alerts that she looks into them or that they are settled."""
    with open_database(desk.database_url) as database:
        for key in keys:
            save_alerts(database, [Alert(key, "churn", "warning", "churn", "…", ALARMED[0], ALARMED[0])], now=NOON)
            change_alert(database, key, state, note="Seen.", actor="ann", now=NOON)


def test_an_alert_that_is_over_is_counted_apart(tmp_path):
    desk = make_desk(tmp_path, tables={"alerts_days": one_lasting_and_one_over()})
    answer = Answer(load_known(desk, "churn"))
    shown = tile(answer, "Open alerts")
    assert (shown.value, shown.note) == (2, "1 critical; 1 of them goes on")


@pytest.mark.parametrize(
    ("taken", "value", "said", "tone"),
    [
        ([QUALITY], 1, "1 critical; it goes on. 1 acknowledged: over by now", "bad"),
        ([DRIFT], 1, "over by now. 1 acknowledged: 1 critical; it goes on", "bad"),
        ([DRIFT, QUALITY], 0, "2 acknowledged: 1 critical; 1 of them goes on", "bad"),
    ],
)
def test_an_alert_that_somebody_looks_into_is_told_apart_from_those_that_wait(tmp_path, taken, value, said, tone):
    desk = make_desk(tmp_path, tables={"alerts_days": one_lasting_and_one_over()})
    say(desk, "acknowledged", *taken)
    shown = tile(Answer(load_known(desk, "churn")), "Open alerts")
    assert (shown.value, shown.note, shown.tone) == (value, said, tone)


def test_a_resolved_alert_is_nothing_to_look_at(tmp_path):
    desk = make_desk(tmp_path, tables={"alerts_days": one_lasting_and_one_over()})
    say(desk, "resolved", DRIFT)
    shown = tile(Answer(load_known(desk, "churn")), "Open alerts")
    assert (shown.value, shown.note, shown.tone) == (1, "over by now", "calm")
    say(desk, "resolved", QUALITY)
    shown = tile(Answer(load_known(desk, "churn")), "Open alerts")
    assert (shown.value, shown.note, shown.tone) == (0, "nothing to look at", "calm")


def test_a_failed_training_is_told_in_the_sentence(tmp_path):
    office = {"champion": 1, "challenger": None, "previous": None}
    answer = answer_of(
        tmp_path, office=office, during=office, decision=decision("retraining", "retrain", "Two alarmed batches.")
    )
    assert answer.sentence.endswith("; a new model was trained, and did not pass its test.")
