"""The day loop looks into no future: one build tells the story of daily builds, and the future changes nothing."""

import re
import shutil
from datetime import date, timedelta

import polars as pl
import pytest
from made_once import STORY_UNTIL, told_story
from workbench import ONSET_DAY, build_story, make_workbench, run_of

from driftbook.data.batches import first_stream_day, load_targets
from driftbook.database import open_database
from driftbook.decisions.alerts import alarm_spells
from driftbook.deployment import history, load_office
from driftbook.storage import canonical_json
from driftbook.timeline.causes import Explanation, example_rows, explain, explain_alerts, first_days, ranked_table
from driftbook.timeline.closing import find_breaches, find_doubts
from driftbook.timeline.estimates import Estimates
from driftbook.timeline.models import load_versions
from driftbook.timeline.office import open_journal
from driftbook.timeline.scoring import ensure_predictions
from driftbook.timeline.verdict import describe_changes, describe_drift, headline, printed, verdict_sentences
from driftbook.timeline.walk import walk

pytestmark = pytest.mark.long

FIRST = date(2026, 5, 17)
LAST = date.fromisoformat(STORY_UNTIL)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """One build over the whole stream."""
    return told_story(tmp_path_factory)


def _verdicts(story):
    return pl.DataFrame([row for entry in story.entries for row in entry["drift"]["batches"]], infer_schema_length=None)


def _explained(settings, story):
    return explain_alerts(run_of(settings, LAST.isoformat()), story.entries, _verdicts(story))


def _actions(story):
    return [(entry["day"], change["action"]) for entry in story.entries for change in entry["changes"]]


def test_the_story_is_drift_challenger_promotion(told):
    _, story = told
    onset = (FIRST + timedelta(days=ONSET_DAY - 1)).isoformat()
    alarms = [entry["day"] for entry in story.entries if entry["drift"]["alarmed"]]
    assert onset <= alarms[0] <= (FIRST + timedelta(days=ONSET_DAY + 1)).isoformat()
    assert [action for _, action in _actions(story)][:3] == ["appoint", "challenge", "promote"]


def test_one_build_over_the_stream_tells_the_story_of_daily_builds(told, tmp_path):
    settings, whole = told
    daily = make_workbench(tmp_path)
    for day in range((LAST - FIRST).days + 1):
        story = build_story(daily, (FIRST + timedelta(days=day)).isoformat())
    assert canonical_json(list(story.entries)) == canonical_json(list(whole.entries))
    assert _explained(daily, story) == _explained(settings, whole)
    for version, other in zip(
        load_versions(run_of(settings, "2026-06-03")).values(),
        load_versions(run_of(daily, "2026-06-03")).values(),
        strict=True,
    ):
        assert version.training == other.training
        assert (version.folder / "model.ubj").read_bytes() == (other.folder / "model.ubj").read_bytes()


def test_an_alarm_is_explained_by_the_columns_that_were_moved(told):
    settings, story = told
    day, sentences = next(iter(_explained(settings, story).items()))
    assert day >= (FIRST + timedelta(days=ONSET_DAY - 1)).isoformat()
    moved = {"monthly_charges", "support_calls", "late_payments", "data_usage_gb", "contract"}
    named = {column for sentence in sentences for column in re.findall(r"`(\w+)", sentence)}
    assert named
    assert named <= moved
    assert all("Since " in sentence for sentence in sentences)


def test_an_explanation_does_not_change_as_its_spell_grows(told):
    """Three days are looked at; what comes later adds nothing."""
    settings, story = told
    days = {entry["day"]: entry["drift"] for entry in story.entries}
    batches = max(alarm_spells(_verdicts(story)), key=len)
    run, features = run_of(settings, LAST.isoformat()), run_of(settings, LAST.isoformat()).case.columns.features
    version = load_versions(run)[1]
    early, late = (first_days(days, batches[:length], features=features) for length in (3, 5))
    assert early == late
    found = explain(run, version, early)
    assert found == explain(run, version, late)
    assert found.batches == batches[:3]
    assert ranked_table(found)["column"][0] in found.causes[0]["columns"]
    assert example_rows(found)["row_id"].is_unique().all()


def test_without_an_alarm_there_is_nothing_to_explain():
    assert (Explanation().state, Explanation().period) == ("no alarm", "nothing to explain")
    assert ranked_table(Explanation()).is_empty()
    assert example_rows(Explanation()).is_empty()


def test_deleting_all_data_after_a_day_changes_no_record_as_of_that_day(told, tmp_path):
    settings, _ = told
    shutil.copytree(settings.root, tmp_path / "desk")
    copy = type(settings)(root=tmp_path / "desk")
    day = FIRST + timedelta(days=ONSET_DAY + 6)
    shutil.rmtree(copy.state_folder)
    before = walk(run_of(copy, day.isoformat()), open_journal(run_of(copy, day.isoformat())))
    data = copy.data_folder("churn")
    for partition in [*data.glob("batches/date=*"), *data.glob("targets/date=*"), *data.glob("predictions/*/date=*")]:
        if date.fromisoformat(partition.name.removeprefix("date=")) > day:
            shutil.rmtree(partition)
    shutil.rmtree(copy.state_folder)
    shutil.rmtree(data / "predictions")
    after = walk(run_of(copy, day.isoformat()), open_journal(run_of(copy, day.isoformat())))
    assert canonical_json(list(after.entries)) == canonical_json(list(before.entries))


def test_repeating_a_build_changes_nothing(told):
    settings, story = told
    with open_database(settings.database_url) as database:
        before = load_office(database, "churn"), history(database, "churn")
    again = build_story(settings, LAST.isoformat())
    with open_database(settings.database_url) as database:
        assert load_office(database, "churn") == before[0]
        assert history(database, "churn").equals(before[1])
    assert canonical_json(list(again.entries)) == canonical_json(list(story.entries))


def test_a_build_of_an_earlier_day_reports_and_leaves_the_deployment_alone(told):
    settings, story = told
    with open_database(settings.database_url) as database:
        office = load_office(database, "churn")
    earlier = build_story(settings, (FIRST + timedelta(days=3)).isoformat())
    with open_database(settings.database_url) as database:
        assert load_office(database, "churn") == office
    assert list(earlier.entries) == list(story.entries[:4])


def test_a_challenger_learns_only_what_was_known_on_its_day(told):
    settings, story = told
    trained = next(entry for entry in story.entries if entry["trained"])
    version = load_versions(run_of(settings, LAST.isoformat()))[trained["trained"]["version"]]
    delay = run_of(settings, LAST.isoformat()).case.label_delay
    assert date.fromisoformat(version.trained_until[:10]) + delay <= date.fromisoformat(trained["day"])


def test_the_undrifted_variant_raises_no_alarm_and_waits(tmp_path):
    settings = make_workbench(tmp_path)
    story = build_story(settings, LAST.isoformat(), scenario="stable")
    assert not any(entry["drift"]["alarmed"] for entry in story.entries)
    assert {entry["decision"]["action"] for entry in story.entries} == {"wait"}
    assert settings.data_folder("churn-stable").is_dir()
    assert not settings.data_folder("churn").joinpath("batches").exists()


def test_the_first_stream_day_is_judged_with_the_first_champion(told):
    settings, story = told
    run = run_of(settings, LAST.isoformat())
    assert story.entries[0]["day"] == first_stream_day(run.case, settings).isoformat()
    assert story.entries[0]["during"] == {"champion": 1, "challenger": None, "previous": None}


def _entry(day, *, alarmed=False, columns=(), action="wait", changes=(), office=None):
    return {
        "day": day,
        "drift": {"alarmed": alarmed, "drifted_columns": list(columns)},
        "decision": {"action": action, "reasons": ["Nothing calls for it."]},
        "trained": None,
        "changes": list(changes),
        "office": office or {"champion": 1, "challenger": None},
    }


def test_the_verdict_names_what_drifted_since_when_and_what_was_decided():
    entries = [
        _entry("2026-06-01"),
        _entry("2026-06-02", alarmed=True, columns=["age"]),
        _entry("2026-06-03", alarmed=True, columns=["age", "fee"], changes=[{"action": "challenge", "version": 2}]),
        _entry("2026-06-04", office={"champion": 1, "challenger": 2}),
    ]
    assert headline("Churn", "amber", as_of=date(2026, 6, 4)) == "Churn, 2026-06-04: AMBER, have a look."
    assert verdict_sentences(entries) == [
        "Drift: from 2026-06-02 to 2026-06-03 in age and fee; none since.",
        "Done: challenger version 2 trained on 2026-06-03.",
        "Decided for 2026-06-04: wait. Nothing calls for it.",
        "Model in use: version 1; version 2 is its challenger.",
    ]


def test_a_summary_is_printed_headline_first_and_report_last():
    summary = {"headline": "Churn: GREEN.", "verdict": ["Drift: none.", "Model in use: version 1."], "report": "a.html"}
    assert printed(summary) == "Churn: GREEN.\nDrift: none.\nModel in use: version 1.\nReport: a.html"


def test_a_spell_that_lasts_is_said_to_stand():
    entries = [_entry("2026-06-01", alarmed=True, columns=list("abcdef"))]
    assert describe_drift(entries) == "Drift: since 2026-06-01 (still there) in a, b, c, d and 2 more columns."


def test_predictions_are_no_columns_of_the_customer():
    entries = [_entry("2026-06-01", alarmed=True, columns=["prediction", "prediction_score"])]
    assert describe_drift(entries) == "Drift: since 2026-06-01 (still there) in the predictions."


def test_a_batch_as_a_whole_is_no_column_and_is_told_where_no_column_is():
    both = [_entry("2026-06-01", alarmed=True, columns=["age", "all columns"])]
    assert describe_drift(both) == "Drift: since 2026-06-01 (still there) in age."
    alone = [_entry("2026-06-01", alarmed=True, columns=["all columns"])]
    assert describe_drift(alone) == "Drift: since 2026-06-01 (still there) in the batch as a whole."


def test_of_many_spells_and_changes_the_latest_are_told():
    days = [f"2026-06-{day:02}" for day in range(1, 16)]
    retired = [{"action": "retire", "version": 2}]
    entries = [_entry(day, alarmed=place % 3 == 0, columns=["a"], changes=retired) for place, day in enumerate(days)]
    told = describe_drift(entries)
    assert told == "Drift: on 2026-06-10 in a; on 2026-06-13 in a; none since (3 earlier spells)."
    assert describe_changes(entries).startswith("11 earlier changes; challenger version 2 retired on 2026-06-12; ")


def test_a_challenger_that_failed_its_gate_is_told():
    entries = [_entry("2026-06-01") | {"trained": {"version": None, "passed": False, "reasons": []}}]
    assert verdict_sentences(entries)[1] == "Done: a challenger failed its gate on 2026-06-01."


def _lapsed(day, *, fell=True):
    seen = {"value": 0.5, "low": 0.4, "high": 0.6, "rows": 1200, "limit": 0.65, "fell": fell}
    entry = _entry(day) | {"accuracy": seen}
    entry["drift"]["batches"] = [{"batch_id": f"{day}T{hour}"} for hour in ("08", "09")]
    return entry


def test_accuracy_below_its_limit_is_told_though_nothing_drifted():
    told = verdict_sentences([_lapsed("2026-06-01")])
    sentence = "Accuracy: 50.0\u00a0% on the latest 1,200 rows with known targets, below its limit of 65.0\u00a0%."
    assert told[1] == sentence
    assert len(verdict_sentences([_lapsed("2026-06-01", fell=False)])) == len(told) - 1


def test_every_batch_of_a_day_whose_accuracy_fell_is_a_breach():
    breaches = find_breaches([_entry("2026-05-31"), _lapsed("2026-06-01"), _lapsed("2026-06-02", fell=False)])
    assert breaches["batch_id"].to_list() == ["2026-06-01T08", "2026-06-01T09"]
    assert breaches.row(0) == ("2026-06-01T08", "accuracy", 0.5, 0.65)


def test_targets_that_contradict_the_estimates_withdraw_them_until_another_model_is_in_office(told):
    _, story = told
    onset = (FIRST + timedelta(days=ONSET_DAY - 1)).isoformat()
    doubted = [entry for entry in story.entries if entry["estimate"] and entry["estimate"]["withdrawn"]]
    assert doubted[0]["estimate"]["withdrawn"]["since"] == onset
    assert {entry["during"]["champion"] for entry in doubted} == {1}
    first = date.fromisoformat(doubted[0]["day"])
    assert first - timedelta(days=3) == date.fromisoformat(onset), "the targets of the first changed day were enough"
    assert find_doubts(story.entries)["batch_id"].to_list() == [entry["day"] for entry in doubted]
    assert "withdrawn" in doubted[0]["decision"]["evidence"]["calls"]
    sentences = verdict_sentences(story.entries[: story.entries.index(doubted[0]) + 1])
    assert f"Estimates: withdrawn since {onset}, because targets known on {first} contradict them." in sentences


def test_an_estimate_speaks_of_the_batches_that_have_no_targets_yet(told):
    settings, story = told
    run = run_of(settings, LAST.isoformat())
    version = load_versions(run)[1]
    targets = load_targets(run.case, settings, as_of=LAST)
    estimates = Estimates(version, ensure_predictions(run, version), targets)
    day = FIRST + timedelta(days=3)
    newest = estimates.newest(day, since=FIRST)
    assert (newest.first_batch, newest.last_batch) == ((FIRST + timedelta(days=1)).isoformat(), day.isoformat())
    seen = story.entries[3]["estimate"]
    assert seen["value"] == pytest.approx(newest.value, rel=1e-11)
    assert newest.low < newest.value < newest.high
    known = targets.filter(pl.col("known_time").dt.date() <= day)
    blind = Estimates(version, estimates.predictions.filter(pl.col("event_time").dt.date() <= day), known)
    assert blind.newest(day, since=FIRST) == newest, "the future changed an estimate"
    later = FIRST + timedelta(days=ONSET_DAY + 4)
    assert blind.withdrawn(day) is None
    assert estimates.withdrawn(day) is None
    assert estimates.withdrawn(later).since == (FIRST + timedelta(days=ONSET_DAY - 1)).isoformat()


def test_an_estimate_below_its_limit_is_a_breach_where_targets_do_not_say_so_yet():
    seen = {"value": 0.7, "limit": 0.8, "fell": True, "withdrawn": None, "first_batch": "2026-06-01"}
    entry = {"accuracy": None, "estimate": seen, "drift": {"batches": [{"batch_id": "2026-06-03"}]}}
    assert find_breaches([entry])["metric"].to_list() == ["estimated accuracy"]
    both = {**entry, "accuracy": {"value": 0.71, "limit": 0.8, "fell": True}}
    assert find_breaches([both])["metric"].to_list() == ["accuracy"]
    old = {name: value for name, value in entry.items() if name != "estimate"}
    assert find_breaches([old]).is_empty()
    assert find_doubts([old]).is_empty()
