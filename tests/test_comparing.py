"""What a comparison rests on in a real story: segments, costs, size and time of the challenger."""

import json
import shutil
from dataclasses import replace
from datetime import date

import pytest
import yaml
from made_once import STORY_UNTIL, told_story
from workbench import build_story, make_workbench, run_of

from driftbook.audit.manifest import folder_digests
from driftbook.config import load_use_case
from driftbook.data.batches import load_targets
from driftbook.decisions.comparison import Contender, PromotionEvidence
from driftbook.errors import ConfigError, UnknownNameError
from driftbook.model.footprint import LATENCY_FILE, load_latency, model_size_mb
from driftbook.timeline.comparing import MOST_SEGMENTS, OTHERS, Comparing, frequent_values
from driftbook.timeline.models import load_versions
from driftbook.timeline.scoring import ensure_predictions

COSTS = {"yes": {"no": 50.0}, "no": {"yes": 4.0}}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A story with a comparison, read only."""
    return told_story(tmp_path_factory)


def compared(story):
    return [each["decision"]["evidence"] for each in story.entries if each["decision"]["kind"] == "promotion"]


def take(run, **options):
    """The evidence of version 2 against version 1, as the walk takes it."""
    versions = load_versions(run)
    pair = [Contender(each, versions[each].bundle.classes, ensure_predictions(run, versions[each])) for each in (1, 2)]
    targets = load_targets(run.case, run.settings, as_of=run.as_of)
    return Comparing(run).evidence(*pair, version=options.get("version", versions[2]), targets=targets)


def test_the_guardrails_are_judged_on_the_declared_segments(told):
    settings, story = told
    case = load_use_case("churn", settings=settings)
    last = PromotionEvidence.from_json(compared(story)[-1]["given"])
    assert [set(day.segments) for day in last.days] == [set(case.columns.segments)] * len(last.days)
    for day in last.days:
        assert {sum(sums.rows for sums in values.values()) for values in day.segments.values()} == {day.rows}
    assert {each["guardrail"] for each in compared(story)[-1]["guardrails"]} == {
        "segment",
        "calibration",
        "latency",
        "size",
    }


def test_the_measured_time_is_beside_the_model_and_in_no_record_and_no_digest(told):
    settings, story = told
    folder = settings.models_folder("churn") / "v2"
    measured = load_latency(folder)
    assert 0 < measured < 1000
    assert LATENCY_FILE not in folder_digests(folder)
    assert str(measured) not in json.dumps(compared(story))
    assert compared(story)[-1]["given"]["within_latency"] is (measured <= 50)


def test_the_size_is_that_of_the_files_a_service_loads(told):
    settings, story = told
    folder = settings.models_folder("churn") / "v2"
    size = sum((folder / name).stat().st_size for name in ("model.ubj", "schema.json"))
    assert compared(story)[-1]["given"]["size_mb"] == size / 1e6 == model_size_mb(folder)


def test_a_model_of_before_it_was_measured_can_still_be_compared(told, tmp_path):
    settings, _ = told
    run = run_of(settings, STORY_UNTIL)
    version = load_versions(run)[2]
    copy = shutil.copytree(version.folder, tmp_path / "v2")
    (copy / LATENCY_FILE).unlink()
    evidence = take(run, version=replace(version, folder=copy))
    assert evidence.within_latency is None
    assert evidence == replace(take(run), within_latency=None, latency_limit_ms=None)


def test_declared_costs_are_summed_up_by_day(told):
    run = run_of(told[0], STORY_UNTIL)
    run = replace(run, case=run.case.model_copy(update={"costs": COSTS}))
    evidence = take(run)
    assert evidence.largest_cost == 50
    first = evidence.days[0]
    wrong = first.rows - first.champion_correct
    assert 4 * wrong <= first.champion_cost <= 50 * wrong


def test_a_cost_of_a_class_that_there_is_not_is_named(told):
    run = run_of(told[0], STORY_UNTIL)
    run = replace(run, case=run.case.model_copy(update={"costs": {"yess": {"no": 1.0}}}))
    with pytest.raises(UnknownNameError, match="did you mean 'yes'"):
        take(run)


def test_before_anything_is_trained_costs_are_held_against_the_classes(tmp_path):
    settings = declared(tmp_path, {"yes": {"noo": 1.0}})
    with pytest.raises(UnknownNameError, match="under costs 'noo'; did you mean 'no'"):
        build_story(settings, STORY_UNTIL)
    assert not list(settings.models_folder("churn").glob("v*"))


def test_a_policy_that_asks_for_costs_finds_none_and_says_what_to_add(tmp_path, monkeypatch):
    settings = make_workbench(tmp_path)
    policy = run_of(settings, STORY_UNTIL).policy
    asking = policy.model_copy(update={"promotion": policy.promotion.model_copy(update={"metric": "cost"})})
    monkeypatch.setattr("driftbook.workflow.bind.load_policy", lambda name: asking)
    with pytest.raises(ConfigError, match="declares no costs; add costs:"):
        run_of(settings, STORY_UNTIL)


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({"yes": {"no": -1.0}}, "costs must be zero or more"),
        ({True: {"no": 5.0}}, "a bare yes, no, on or off means true or false in YAML, found True; put it in quotes"),
        ({"yes": {"no": float("inf")}}, r"costs\.yes\.no: Input should be a finite number, found inf"),
        ({"yes": {"no": 0.0}}, "all zero"),
        ({"yes": {"no": 1.0, "maybe": 2.0}}, "name the classes maybe, no, yes; expected 'yes' and the one other"),
        ({"ja": {"no": 1.0}}, "expected 'yes' and the one other class"),
    ],
)
def test_costs_that_cannot_be_are_refused_where_they_are_declared(tmp_path, costs, message):
    settings = declared(tmp_path, costs)
    with pytest.raises(ConfigError, match=message):
        load_use_case("churn", settings=settings)


def test_costs_are_read_as_declared(tmp_path):
    assert load_use_case("churn", settings=declared(tmp_path, COSTS)).costs == COSTS


def test_of_a_column_of_many_values_the_rare_ones_are_one_segment(told):
    run = run_of(told[0], STORY_UNTIL)
    names = frequent_values({f"v{place:03}": 200 - place for place in range(80)})
    assert names == [f"v{place:03}" for place in range(MOST_SEGMENTS)]
    version = load_versions(run)[2]
    known = version.reference.profile["contract"].categories
    rarest = min(known, key=lambda value: (known[value], value))
    comparing = Comparing(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("driftbook.timeline.comparing.MOST_SEGMENTS", len(known) - 1)
        values = set(comparing._segments(version)["contract"].drop_nulls())
    assert values == {*known, OTHERS} - {rarest}


def test_evidence_as_of_an_earlier_day_is_that_of_a_comparison_made_then(told):
    _, story = told
    records = [PromotionEvidence.from_json(each["given"]) for each in compared(story)]
    assert len(records) > 1
    last = records[-1]
    for earlier in records[:-1]:
        until = max((day.known_on for day in earlier.days), default=date.min)
        assert last.until(until) == earlier


def declared(folder, costs):
    settings = make_workbench(folder)
    path = settings.data_folder("churn") / "usecase.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) | {"costs": costs}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return settings
