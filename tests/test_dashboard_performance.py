"""The page of performance says what the day tables say, of targets known by the day and of no others."""

import re
from datetime import timedelta

import polars as pl
import pytest
from dashboard_desk import DAYS, entry, five_days, make_desk

from driftbook.dashboard.known import load_known
from driftbook.dashboard.page import render_page
from driftbook.dashboard.pages.performance import METRIC, PAGE, PERIOD, SEGMENT, VERSION
from driftbook.dashboard.served import champions, changes, estimated_over_time, realised_over_time, targets_out
from driftbook.dashboard.state import Selection
from driftbook.model.metrics import wilson
from driftbook.storage import write_json
from driftbook.tables import format_value
from driftbook.timeline.day_tables import DAY_TABLES

TRAINED = {
    "classes": ["no", "yes"],
    "metrics": {
        "accuracy": {"value": 0.86, "low": 0.85, "high": 0.87},
        "roc_auc": {"value": 0.9, "low": 0.88, "high": 0.92},
    },
}


def frame(name, rows):
    return pl.DataFrame(rows, schema=DAY_TABLES[name])


def tables():
    """Of the first three days targets are known, two days later each; of version 2 on the third day too."""
    outcomes = [
        {"version": version, "day": DAYS[number], "known_on": DAYS[number + 2], "prediction": guess}
        | {"target": target, "rows": rows, "brier_sum": rows / 10}
        for version, number, guess, target, rows in (
            (1, 0, "no", "no", 500),
            (1, 0, "no", "yes", 100),
            (1, 1, "no", "no", 400),
            (1, 1, "yes", "no", 200),
            (1, 2, "yes", "yes", 450),
            (1, 2, "no", "yes", 150),
            (2, 2, "yes", "yes", 600),
        )
    ]
    scores = [
        {"version": 1, "known_on": DAYS[2], "score_bin": bin, "positive": positive, "rows": rows}
        for bin, positive, rows in ((90, True, 80), (90, False, 20), (10, True, 20), (10, False, 480))
    ]
    segments = [
        {"version": 1, "known_on": DAYS[2], "column": "contract", "value": value, "rows": rows, "correct": correct}
        for value, rows, correct in (("monthly", 400, 320), ("yearly", 200, 180))
    ]
    estimates = [
        {
            "day": day,
            "version": 1,
            "metric": "accuracy",
            "value": round(0.8 + number / 100, 2),
            "low": 0.7,
            "high": 0.9,
            "rows": 600,
        }
        for number, day in enumerate(DAYS)
    ]
    predicted = [
        {"day": day, "version": 1, "prediction": name, "rows": rows, "mean_score": 0.2}
        for day in DAYS
        for name, rows in (("no", 400), ("yes", 200))
    ]
    return {
        "outcomes": frame("outcomes", outcomes),
        "score_outcomes": frame("score_outcomes", scores),
        "segment_outcomes": frame("segment_outcomes", segments),
        "estimates": frame("estimates", estimates),
        "predicted": frame("predicted", predicted),
    }


def make(folder, *, story=None, given=None):
    desk = make_desk(folder, entries=story, tables={**tables(), **(given or {})})
    for number in (1, 2):
        write_json(desk.models_folder("churn") / f"v{number}" / "training.json", {"version": number, **TRAINED})
    return desk


def shown(known, **chosen):
    return render_page(PAGE, known, Selection("churn", "performance", chosen=chosen))


@pytest.fixture
def desk(tmp_path):
    return make(tmp_path)


def percent(value):
    return format_value(value, format="percent")


def test_every_card_is_drawn_and_none_fails(desk):
    page = shown(load_known(desk, "churn"))
    assert all(f">{card.title}<" in page for card in PAGE.cards)
    assert "cannot be shown" not in page
    assert "■ expected" not in page


def test_accuracy_has_the_interval_of_its_rows(desk):
    page = shown(load_known(desk, "churn"))
    share = wilson(500, 600)
    said = f"2026-06-01, realised: {percent(share.value)} ({percent(share.low)} to {percent(share.high)}), 600 rows"
    assert said in page
    assert "2026-06-05, estimated: 84\u00a0% (70\u00a0% to 90\u00a0%), 600 rows" in page


def test_a_figure_is_compared_with_how_it_was_tested_and_with_its_limit(desk):
    page = shown(load_known(desk, "churn"))
    assert ">v1 tested at 86\u00a0%<" in page
    assert ">limit 81\u00a0%<" in page, "five points less, as the policy says"
    assert "v1 tested at" not in shown(load_known(desk, "churn"), metric="recall"), "training recorded none"


def test_targets_that_are_still_out_are_counted_with_when_they_are_expected(desk):
    known = load_known(desk, "churn")
    delay = known.case.label_delay
    assert targets_out(known).rows() == [
        (day, 600, found, day + delay) for day, found in zip(DAYS, (600, 600, 600, 0, 0), strict=True)
    ]
    page = shown(known)
    assert "<dd>60\u00a0%<small>1,800 of 3,000 rows scored in office</small></dd>" in page
    assert f"<dd>1,200<small>of 2 days; the newest are expected by {DAYS[4] + delay}, " in page
    assert "targets overdue" not in page


def test_a_target_that_should_have_come_is_overdue(tmp_path):
    days = [DAYS[0] + timedelta(days=number) for number in range(12)]
    page = shown(load_known(make(tmp_path, story=[entry(day) for day in days]), "churn"))
    assert "<dt>targets overdue</dt><dd>1,200<small>" in page


def test_decisions_are_counted_by_what_they_turned_out_to_be(desk):
    page = shown(load_known(desk, "churn"))
    assert "target no, decided yes: 200 (18.2\u00a0%)" in page
    assert "target yes, decided yes: 450 (64.3\u00a0%)" in page
    assert "Version 1, 1,800 rows whose targets became known from 2026-06-03 to 2026-06-05." in page


def test_the_time_in_which_targets_became_known_can_be_chosen(desk):
    known = load_known(desk, "churn")
    assert "Version 1, 1,800 rows" in shown(known, window="7")
    newest = known.table("outcomes").filter(pl.col("known_on") == DAYS[4], version=1)
    assert newest["rows"].sum() == 600


def test_the_score_is_judged_by_its_bins(desk):
    page = shown(load_known(desk, "churn"))
    assert "ROC AUC 0.88 (0.840 to 0.920), average precision 0.673 where chance gives 0.167." in page
    assert "Held-out rows in training: ROC AUC 0.9." in page
    assert "predicted 90.5\u00a0%, came true 80\u00a0%" in page


def test_segments_are_compared_with_all_rows(desk):
    page = shown(load_known(desk, "churn"))
    assert SEGMENT.options(load_known(desk, "churn"), Selection("churn")) == [("contract", "contract")]
    assert "monthly: 80\u00a0%" in page
    assert "yearly: 90\u00a0%" in page
    assert "all rows together 83.3\u00a0%" in page


def test_a_version_can_be_looked_at_by_itself(desk):
    known = load_known(desk, "churn")
    options = VERSION.options(known, Selection("churn"))
    assert options == [("champion in office", "champion"), ("version 2", "2"), ("version 1", "1")]
    page = shown(known, version="2")
    assert "Accuracy of version 2, day by day." in page
    assert "Version 2, 600 rows whose targets became known on 2026-06-05." in page
    assert "No target of a row that version 2 decided is known in this time." in page, "of scores and segments"


def test_each_day_is_told_of_the_champion_in_office_on_it(tmp_path):
    story = five_days()
    story[2]["during"] = {"champion": 2, "challenger": None, "previous": 1}
    known = load_known(make(tmp_path, story=story), "churn")
    assert champions(known)["version"].to_list() == [1, 1, 2, 1, 1]
    assert changes(known) == [(DAYS[2], "version 2"), (DAYS[3], "version 1")]
    found = realised_over_time(known, None, weekly=False).filter(metric="accuracy")
    assert found["value"].to_list() == [500 / 600, 400 / 600, 1.0]


def crowned_and_taken_back(folder):
    """Version 2, tested at 90 %, decides on the third day only; then version 1 again."""
    story = five_days()
    story[2]["during"] = {"champion": 2, "challenger": None, "previous": 1}
    desk = make(folder, story=story)
    tested = TRAINED["metrics"] | {"accuracy": {"value": 0.9, "low": 0.89, "high": 0.91}}
    write_json(desk.models_folder("churn") / "v2" / "training.json", {"version": 2, **TRAINED, "metrics": tested})
    return desk


def stretches(page, tip):
    """From where to where the lines with this tip run, in hundredths of the picture over time."""
    runs = re.findall(rf'<line x1="([^"]+)" y1="[^"]+" x2="([^"]+)"[^>]*><title>{tip}</title>', page)
    left, right = 64, 1018
    return [tuple(round(100 * (float(end) - left) / (right - left)) for end in run) for run in runs]


def test_each_champion_is_held_to_its_own_limit_in_its_time(tmp_path):
    page = shown(load_known(crowned_and_taken_back(tmp_path), "churn"))
    assert stretches(page, "v1 tested at 86\u00a0%") == [(0, 40), (60, 100)]
    assert stretches(page, "v1 limit 81\u00a0%") == [(0, 40)]
    assert stretches(page, "v2 limit 85\u00a0%") == [(40, 60)]
    assert stretches(page, "limit 81\u00a0%") == [(60, 100)], "of who decides today"
    assert "before, what held for the champion then" in page


def test_a_version_by_itself_is_held_to_its_own_limit_all_the_time(tmp_path):
    page = shown(load_known(crowned_and_taken_back(tmp_path), "churn"), version="1")
    assert stretches(page, "limit 81\u00a0%") == [(0, 100)]
    assert "v2 limit" not in page
    assert "before, what held for the champion then" not in page


def test_an_earlier_champion_whose_training_record_is_gone_is_drawn_without_limits(tmp_path):
    desk = crowned_and_taken_back(tmp_path)
    (desk.models_folder("churn") / "v2" / "training.json").unlink()
    page = shown(load_known(desk, "churn"))
    assert "v2 limit" not in page
    assert stretches(page, "v1 limit 81\u00a0%") == [(0, 40)]


def test_a_week_sums_its_days(desk):
    known = load_known(desk, "churn")
    found = realised_over_time(known, None, weekly=True).filter(metric="accuracy")
    assert found.select("batch_id", "value", "rows").rows() == [("2026-06-01", 1350 / 1800, 1800)]
    estimated = estimated_over_time(known, None, weekly=True)
    assert estimated["value"].to_list() == [pytest.approx(0.82)]
    assert "week by week, each named by its Monday." in shown(known, period="week")


def test_days_come_first_until_there_are_too_many(tmp_path, desk):
    assert [value for _, value in PERIOD.options(load_known(desk, "churn"), Selection("churn"))] == ["day", "week"]
    days = [DAYS[0] + timedelta(days=number) for number in range(121)]
    long = load_known(make(tmp_path / "long", story=[entry(day) for day in days]), "churn")
    assert [value for _, value in PERIOD.options(long, Selection("churn"))] == ["week", "day"]


@pytest.mark.parametrize("metric", [value for _, value in METRIC.options(None, Selection("churn"))])
def test_every_figure_can_be_drawn(desk, metric):
    page = shown(load_known(desk, "churn"), metric=metric)
    assert "cannot be shown" not in page


def test_estimates_that_targets_contradict_are_taken_off_and_it_is_said(tmp_path):
    story = five_days()
    gone = {"since": "2026-06-04", "known_on": "2026-06-05", "promised": 0.84, "found": 0.6, "rows": 600}
    story[-1]["estimate"] = {"withdrawn": gone}
    desk = make(tmp_path, story=story)
    page = shown(load_known(desk, "churn"))
    assert "2026-06-03, estimated: 82\u00a0%" in page
    assert "2026-06-04, estimated" not in page
    assert "Since 2026-06-04 targets contradict the estimates: of 600 decisions 84\u00a0% were expected" in page
    before = shown(load_known(desk, "churn", DAYS[3]))
    assert "2026-06-04, estimated: 83\u00a0%" in before, "nobody knew then"


def test_targets_that_became_known_later_change_nothing(tmp_path):
    early = {
        name: table.filter(pl.col("known_on" if "known_on" in table.columns else "day") <= DAYS[3])
        for name, table in tables().items()
    }
    short, long = make(tmp_path / "short", given=early), make(tmp_path / "long")
    for chosen in ({}, {"period": "week"}, {"version": "1", "metric": "f1"}):
        assert shown(load_known(short, "churn", DAYS[3]), **chosen) == shown(
            load_known(long, "churn", DAYS[3]), **chosen
        )


def test_before_any_target_is_known_every_card_says_so(desk):
    page = shown(load_known(desk, "churn", DAYS[1]))
    assert "No target of a row that version 1 decided is known in this time." in page
    assert "2026-06-01, estimated: 80\u00a0%" in page
    assert "realised:" not in page
    assert "cannot be shown" not in page


def test_a_use_case_of_many_classes_has_no_cards_of_two(tmp_path):
    known = load_known(make(tmp_path), "churn")
    case = known.case.model_copy(update={"task": "multiclass"})
    from dataclasses import replace

    page = shown(replace(known, case=case))
    assert ">How well the score ranks<" not in page
    assert ">What is taken for what<" in page
