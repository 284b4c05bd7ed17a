"""What is shown of a comparison and of a watch comes from what decided, and is the same whenever it is shown."""

import shutil
from dataclasses import replace
from datetime import date, datetime

import polars as pl
import pytest
from made_once import STORY_UNTIL, told_story
from test_promotion import evidence_of
from workbench import run_of

from driftbook import figures
from driftbook.config import Settings
from driftbook.config.policy import PromotionPolicy, RollbackPolicy
from driftbook.data.served import IDENTITY
from driftbook.data.served_rows import ANSWER_SCHEMA
from driftbook.decisions.comparison import PromotionEvidence
from driftbook.decisions.promotion import decide_promotion
from driftbook.decisions.rollback import decide_rollback
from driftbook.storage import canonical_json, write_parquet
from driftbook.tables import badge
from driftbook.timeline.duel import guardrails_shown, last_comparison, last_watch
from driftbook.timeline.familiar import familiar
from driftbook.timeline.models import load_versions
from driftbook.timeline.scoring import ensure_predictions


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A run over the whole stream of a small workbench, and its story: drift, a challenger, its promotion, a watch."""
    settings, story = told_story(tmp_path_factory)
    return run_of(settings, STORY_UNTIL), story


@pytest.fixture(scope="module")
def shown(told):
    run, story = told
    duel = last_comparison(story.entries, run.policy)
    return duel, familiar(run, duel)


def promoted_on(story):
    return next(entry["day"] for entry in story.entries if entry["decision"]["action"] == "promote")


def until(story, day):
    return replace(story, entries=tuple(entry for entry in story.entries if entry["day"] <= day))


def entry_of(kind, decision, *, day="2026-06-12", watch=None):
    told = {"kind": kind, "action": decision.action, "reasons": list(decision.reasons), "evidence": decision.evidence}
    return {"day": day, "decision": told, "watch": watch}


def test_the_duel_is_the_comparison_that_decided(told, shown):
    duel, _ = shown
    entry = next(entry for entry in told[1].entries if entry["day"] == duel.as_of)
    assert (duel.action, list(duel.reasons)) == (entry["decision"]["action"], entry["decision"]["reasons"])
    assert duel.record == {"schema": 1, **entry}
    last = duel.days.row(-1, named=True)
    assert last["mean"] == pytest.approx(entry["decision"]["evidence"]["mean_difference"])
    assert duel.days["rows"].sum() == duel.rows


def test_the_familiar_views_see_the_rows_that_decided(shown):
    duel, seen = shown
    assert seen.rows == duel.rows > 0
    gained = sum(day.wins - day.losses for day in duel.evidence.days) / duel.rows
    told = {line["difference"] for line in seen.lines if line["metric"] == "accuracy" and not line["decides"]}
    assert [pytest.approx(value) for value in told] == [gained] * len(told)
    for name in ("champion", "challenger"):
        right = sum(getattr(day, f"{name}_correct") for day in duel.evidence.days)
        assert sum(seen.confusion[name][place][place] for place in range(len(seen.classes))) == right


def test_the_confidence_sequence_stands_first_and_alone_decides(shown):
    _, seen = shown
    assert [line["view"] for line in seen.lines if line["decides"]] == ["confidence_sequence"]
    assert seen.table["view"][0] == "confidence sequence"
    assert seen.table.height == len(seen.lines) == 6
    assert "decides" not in canonical_json(seen.record), "no part of the decision"


def test_what_is_shown_is_the_same_on_the_day_of_the_decision_and_for_ever_after(told, shown):
    run, story = told
    day = promoted_on(story)
    then = run_of(run.settings, day)
    duel = last_comparison(until(story, day).entries, then.policy)
    assert canonical_json(familiar(then, duel).record) == canonical_json(shown[1].record)
    assert duel.days.equals(shown[0].days)


def test_a_watch_begins_after_the_promotion_and_tells_what_is_known_of_it(told):
    run, story = told
    watch = last_watch(story.entries, run.policy)
    last = story.entries[-1]["watch"]
    assert (watch.action, list(watch.reasons)) == (last["action"], last["reasons"])
    assert watch.state == "watched", "no warning as long as all is well"
    assert watch.days["batch_id"].min() > promoted_on(story)
    given = PromotionEvidence.from_json(last["evidence"]["given"])
    lost = [(day.wins - day.losses) / day.rows for day in given.days]
    assert watch.days["difference"].to_list() == pytest.approx(lost)
    assert watch.days["log_evidence"][-1] == pytest.approx(last["evidence"]["log_evidence"])


def test_a_champion_that_is_taken_back_is_shown_with_that_decision(told):
    worse = evidence_of(*[(146, 50)] * 4)
    decision = decide_rollback(worse, RollbackPolicy(), metric="accuracy")
    watch = last_watch((entry_of("rollback", decision),), told[0].policy)
    assert (watch.action, watch.state) == ("rollback", "taken back")
    assert "db-bad" in badge(watch.state)
    assert watch.title == "Version 1 watched against version 2, as of 2026-06-12"
    assert (watch.days["difference"] > 0).all()


def test_before_any_challenger_nothing_is_compared_and_nobody_watched(told):
    run, story = told
    early = until(story, story.entries[0]["day"])
    duel, watch = last_comparison(early.entries, run.policy), last_watch(early.entries, run.policy)
    assert (duel.action, duel.rows, watch.action) == ("not_needed", 0, "not_needed")
    seen = familiar(run, duel)
    assert (seen.rows, seen.record) == (0, {"schema": 1, "status": "not_needed"})
    drawn = (
        figures.comparison(duel.days, duel.days),
        figures.difference_views(seen.lines),
        figures.confusion_pair(seen.confusion, seen.classes),
        figures.champion_watch(watch.days),
    )
    assert not any(figure.drawn for figure in drawn), "a sentence each"


def test_a_comparison_without_a_target_shows_no_differences(told, shown):
    nothing = decide_promotion(shown[0].evidence.until(date(2026, 5, 1)), PromotionPolicy())
    run, entry = told[0], entry_of("promotion", nothing, day="2026-05-20")
    duel = last_comparison([entry], run.policy)
    assert duel.rows == 0
    seen = familiar(run, duel)
    assert {line["difference"] for line in seen.lines} == {None}
    assert not figures.difference_views(seen.lines).drawn


def test_records_from_before_the_guardrails_and_the_watch_are_shown_without(told):
    old = decide_promotion(evidence_of(*[(146, 50)] * 3), PromotionPolicy())
    entry = entry_of("promotion", old)
    del entry["watch"]
    duel = last_comparison([entry], told[0].policy)
    assert (duel.action, duel.guardrails.height) == ("promote", 0)
    assert last_watch([entry], told[0].policy).action == "not_needed"


def test_guardrails_say_what_was_found_and_what_is_allowed(shown):
    duel, _ = shown
    found = {row["guardrail"]: row for row in duel.guardrails.iter_rows(named=True)}
    assert found["calibration error"]["allowed"] == "0.020 worse"
    assert found["calibration error"]["rows"] == duel.rows
    assert found["time to score a row"]["allowed"] == "50 ms"
    assert found["size of the model"]["found"].endswith(" kB")
    assert found["size of the model"]["allowed"] == "200 MB"
    segments = [name for name in found if " = " in name]
    assert segments
    assert all(found[name]["allowed"] == "loses 5.0 points" for name in segments)


@pytest.mark.parametrize(
    ("within", "found", "state"),
    [(True, "within the limit", "holds"), (False, "over the limit", "failed"), (None, None, "cannot_tell")],
)
def test_the_time_to_score_is_told_without_a_time(within, found, state):
    evidence = PromotionEvidence(1, 2, datetime(2026, 6, 5), (), None, 1.0, within, None if within is None else 50.0)
    row = guardrails_shown(evidence, PromotionPolicy()).filter(guardrail="time to score a row").row(0, named=True)
    assert (row["found"], row["state"], row["rows"]) == (found, state, None)


def test_traffic_that_a_service_split_is_seen_as_two_arms(told, tmp_path):
    run, story = told
    shutil.copytree(run.settings.root, tmp_path / "desk")
    split = run_of(Settings(root=tmp_path / "desk"), STORY_UNTIL)
    duel = last_comparison(story.entries, split.policy)
    scored = ensure_predictions(split, load_versions(split)[duel.evidence.challenger])
    answers = scored.select("row_id", "batch_id", "event_time").with_columns(
        answered_version=pl.when(pl.int_range(pl.len()) % 10 == 0)
        .then(duel.evidence.challenger)
        .otherwise(duel.evidence.champion)
    )
    for (batch_id,), part in answers.partition_by("batch_id", as_dict=True).items():
        rest = {name: pl.lit(None, dtype) for name, dtype in ANSWER_SCHEMA.items() if name != "answered_version"}
        path = split.settings.data_folder("churn") / "answers" / f"date={batch_id}" / f"{batch_id}.parquet"
        write_parquet(path, part.with_columns(**rest).select(*IDENTITY, *ANSWER_SCHEMA))
    seen = familiar(split, duel)
    arms = seen.record["split"]
    assert arms["routed"]
    assert sum(arms["rows"]) == seen.rows
    assert arms["rows"][1] == pytest.approx(seen.rows / 10, rel=0.1)
    assert not any(line["expected"] for line in seen.lines if "expected" in line)
    line = next(line for line in seen.lines if line["view"] == "split")
    assert line["p_value"] is not None
    assert line["low"] < line["difference"] < line["high"]
