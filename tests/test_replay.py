"""Every decision of a story is derived again from its record, word by word; another policy is asked about all of it."""

import copy
import shutil
from datetime import date

import pytest
from made_once import STORY_UNTIL, told_story
from workbench import run_of

from driftbook.audit.replay import MOST_LINES, replay, replay_decision, reported_days
from driftbook.audit.what_if import alarms_under
from driftbook.config import Settings, load_policy
from driftbook.config.policy import Policy, PromotionPolicy, RetrainingPolicy
from driftbook.data.batches import batch_index
from driftbook.errors import ConfigError, StateError, UnknownNameError
from driftbook.storage import load_json, write_json, write_parquet
from driftbook.timeline.evidence import Reign
from driftbook.timeline.models import champion_version
from driftbook.workflow.prove import replay_reports

AS_OF = date.fromisoformat(STORY_UNTIL)
MOST_SECONDS_A_DECISION = 0.05


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A workbench that tells a story with a retraining and a comparison, and the records of its report."""
    desk, story = told_story(tmp_path_factory)
    run = run_of(desk, AS_OF.isoformat())
    folder, version = desk.report_folder("churn", AS_OF), champion_version(run)
    reign = Reign.of(run, version, since=date(2026, 5, 17))
    write_json(folder / "story.json", list(story.entries))
    write_json(folder / "champion.json", version.training)
    write_parquet(folder / "drift.parquet", reign.table)
    write_parquet(folder / "batches.parquet", batch_index(run.case, desk, as_of=AS_OF))
    for kind in ("retraining", "promotion"):
        entry = next(each for each in story.entries if each["decision"]["kind"] == kind)
        write_json(folder / f"{kind}.json", entry)
    return desk, story


@pytest.fixture
def desk(told, tmp_path):
    shutil.copytree(told[0].reports_folder, tmp_path / "reports")
    return Settings(root=tmp_path)


def story_path(desk):
    return desk.report_folder("churn", AS_OF) / "story.json"


def test_every_decision_is_identical_and_takes_milliseconds(told):
    desk, story = told
    found = replay(desk, "churn")
    assert found.identical, found.summary()
    assert {each.kind for each in found.decisions} == {"retraining", "promotion", "rollback"}
    watched = sum(entry["watch"] is not None for entry in story.entries)
    assert watched > 1
    assert len(found.decisions) == len(story.entries) + watched + 2
    seconds = min(found.seconds, *(replay(desk, "churn").seconds for _ in range(4)))  # others use the machine, too
    assert seconds / len(found.decisions) < MOST_SECONDS_A_DECISION
    assert found.summary().endswith("identical")
    assert reported_days(desk, "churn") == [AS_OF]


def test_a_changed_record_says_what_differs(desk):
    entries = load_json(story_path(desk))
    forged = copy.deepcopy(entries)
    forged[3]["decision"]["action"] = "retrain"
    forged[4]["decision"]["evidence"]["given"]["alarmed_batches"] = 9
    write_json(story_path(desk), forged)
    found = replay(desk, "churn")
    assert not found.identical
    told = {each.day: each.differs for each in found.decisions if each.differs}
    assert list(told) == [entries[3]["day"], entries[4]["day"]]
    assert told[entries[3]["day"]] == "story.json: action: retrain → wait"
    assert "2 differ" in found.summary().splitlines()[0]
    assert len(found.summary().splitlines()) == 4 <= MOST_LINES


def test_a_record_of_another_form_cannot_be_replayed_and_says_so(desk):
    entries = load_json(story_path(desk))
    entries[0]["decision"]["kind"] = "rollout"
    del entries[1]["decision"]["evidence"]["given"]["champion"]
    write_json(story_path(desk), entries)
    first, second = replay(desk, "churn").decisions[:2]
    assert first.now == second.now == "cannot tell"
    assert "decisions of kind 'rollout' cannot be replayed" in first.differs
    assert "cannot be read by this version" in second.differs
    with pytest.raises(StateError):
        replay_decision(entries[0])


def test_without_a_report_there_is_nothing_to_replay(desk):
    with pytest.raises(UnknownNameError, match="no report of churn as of '2026-05-01'"):
        replay(desk, "churn", as_of=date(2026, 5, 1))
    with pytest.raises(StateError, match="no report of telco yet; build it: driftbook build --use-case telco"):
        replay(desk, "telco")


def test_all_reports_of_a_use_case_without_any_are_no_silent_success(desk):
    with pytest.raises(StateError, match="no report of telco yet"):
        replay_reports(desk, use_case="telco", as_of=None, every=True, policy=None)
    with pytest.raises(ConfigError, match="give one of the two"):
        replay_reports(desk, use_case="churn", as_of=date(2026, 5, 17), every=True, policy=None)


def test_another_policy_says_which_days_it_would_have_decided_otherwise(told):
    desk, story = told
    calm = load_policy("calibrated")
    stricter = Policy(
        name="stricter",
        title="stricter",
        drift=calm.drift,
        retraining=RetrainingPolicy(min_new_labelled_rows=100_000),
        promotion=PromotionPolicy(margin=0.9),
    )
    found = replay(desk, "churn", policy=stricter)
    trained = next(entry["day"] for entry in story.entries if entry["trained"])
    changed = {each.day: (each.then, each.now) for each in found.decisions if each.then != each.now}
    assert changed[trained] == ("retrain", "wait")
    assert "learned from the reference: alarms stand as recorded" in found.notes[0]
    assert f"{len(changed)} would differ" in found.summary().splitlines()[0]
    assert replay(desk, "churn", policy=calm).identical


def test_fixed_limits_are_held_against_the_statistics_on_record_as_the_engine_holds_them(told):
    desk, story = told
    policy, run = load_policy("psi_bands"), run_of(desk, AS_OF.isoformat())
    bands = type(run)(run.case, policy, run.settings, run.as_of, run.sandbox, run.inputs, run.products)
    engine = Reign.of(bands, champion_version(run), since=date(2026, 5, 17)).verdicts.sort("batch_id")
    alarms = alarms_under(desk.report_folder("churn", AS_OF), policy)
    assert alarms.verdicts.sort("batch_id")["alarmed"].to_list() == engine["alarmed"].to_list()
    found = replay(desk, "churn", policy=policy)
    first = story.entries[0]["during"]["champion"]
    told_by = dict(zip(engine["batch_id"], engine["alarmed"], strict=True))
    of_the_day = [each for each in found.decisions if each.kind != "rollback"]
    for each, entry in zip(of_the_day, story.entries, strict=True):
        anew = entry["during"]["champion"] == first
        assert each.alarm_now == (told_by[each.day] if anew else each.alarm_then)


def test_methods_that_were_not_measured_are_named(told):
    desk, _ = told
    found = replay(desk, "churn", policy=load_policy("drifted_share"))
    assert found.notes == ("not measured then, so not judged: jensen_shannon: alarms stand as recorded",)
    assert all(each.alarm_then == each.alarm_now for each in found.decisions)


def test_evidence_follows_the_alarms_there_would_have_been(told):
    desk, story = told
    alarms = alarms_under(desk.report_folder("churn", AS_OF), load_policy("psi_bands"))
    entry = next(
        each for each in story.entries if each["decision"]["kind"] == "retraining" and each["drift"]["alarmed"]
    )
    given = entry["decision"]["evidence"]["given"]
    changed = alarms.evidence(given, entry["during"])
    assert changed["as_of"] == given["as_of"]
    assert changed["alarmed_batches"] >= 1
    assert changed["first_alarmed_batch"] <= entry["batch_id"]
    assert alarms.evidence(given, {"champion": 99}) == given


def test_a_report_without_its_long_table_keeps_its_alarms(desk):
    (desk.report_folder("churn", AS_OF) / "drift.parquet").unlink()
    found = replay(desk, "churn", policy=load_policy("psi_bands"))
    assert "the report lacks drift.parquet" in found.notes[0]
