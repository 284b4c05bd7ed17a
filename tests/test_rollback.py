"""A promoted champion is watched by the test that promoted it, turned round: also one that turns bad later."""

import copy
import json
import math
import re
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from driftbook.audit.replay import RULES, replay_decision, rules_of
from driftbook.config import load_policy
from driftbook.config.policy import PromotionPolicy, RollbackPolicy
from driftbook.decisions.comparison import LabelledDay, PromotionEvidence
from driftbook.decisions.promotion import decide_promotion
from driftbook.decisions.rollback import daily_watch, decide_rollback
from driftbook.errors import StateError
from driftbook.storage import canonical_json

FIRST = date(2026, 6, 12)
EVENTS = date(2026, 6, 9)  # targets are known three days later
POLICY = RollbackPolicy()


def evidence(*lost, rows=2400, disagreement=240, metric="accuracy"):
    """A labelled day for each entry: so many rows more were right with version 1, the one before version 2."""
    days = []
    for place, more in enumerate(lost):
        wins, losses = (disagreement + more) // 2, (disagreement - more) // 2
        known = FIRST + timedelta(days=place)
        day = LabelledDay(known, str(known - timedelta(days=3)), rows, 1900, 1900 + wins - losses, wins, losses)
        days.append(day)
    return PromotionEvidence(champion=2, challenger=1, trained_until=datetime(2026, 6, 8), days=tuple(days))


def decide(known, **numbers):
    return decide_rollback(known, RollbackPolicy(**numbers), metric="accuracy")


def test_without_targets_there_is_nothing_to_see_yet():
    decision = decide(evidence())
    assert decision.action == "continue"
    assert decision.reasons == (
        "Version 2 is watched against version 1 before it; no targets are known yet since then.",
    )


def test_a_champion_that_is_worse_from_its_first_day_is_taken_back():
    decision = decide(evidence(*[72] * 5))
    assert decision.action == "rollback"
    assert decision.evidence["since"] == EVENTS.isoformat()
    assert decision.evidence["mean_difference"] == pytest.approx(0.03)
    assert decision.reasons[0].startswith("Version 2 is taken back: on 12,000 rows since 2026-06-09 ")
    assert [reason.split(" holds")[0] for reason in decision.reasons[1:]] == [
        "The statistical condition",
        "The business condition",
    ]


def test_a_champion_that_is_better_stays_and_is_watched_on():
    decision = decide(evidence(*[-72] * 20))
    assert decision.action == "continue"
    assert "on 48,000 rows since 2026-06-09 it gained 3.0 points of accuracy" in decision.reasons[0]
    smaller, larger = re.search(r"between a gain of ([\d.]+) and a gain of ([\d.]+)", decision.reasons[0]).groups()
    assert float(smaller) < 3.0 < float(larger)
    assert decision.reasons[0].endswith("20 of 90 labelled days seen.")


def test_one_that_was_good_for_a_month_and_turns_bad_is_seen_as_soon_and_since_when():
    turning = evidence(*[-48] * 30, *[96] * 5)
    decision = decide(turning)
    assert decision.action == "rollback"
    assert decision.evidence["since"] == (EVENTS + timedelta(days=30)).isoformat()
    assert decision.evidence["days_since"] == 5
    assert decision.evidence["mean_difference"] == pytest.approx(0.04)


def test_the_test_that_promotes_would_not_see_the_turn():
    """All days together still speak for the champion: only a gambler who starts late wins."""
    turning = evidence(*[-48] * 30, *[96] * 5)
    looked_at_once = decide_promotion(turning, PromotionPolicy(margin=0.01, give_up_days=90))
    assert looked_at_once.evidence["statistical_condition"] is False
    assert decide(turning).evidence["statistical_condition"] is True


def test_both_conditions_are_needed():
    by_little = decide(evidence(*[19] * 40))
    assert by_little.evidence["statistical_condition"] is True
    assert by_little.evidence["business_condition"] is False
    assert by_little.action == "continue"
    few_rows = decide(evidence(2, 2, 2, rows=100, disagreement=10))
    assert few_rows.evidence["business_condition"] is True
    assert few_rows.evidence["statistical_condition"] is False
    assert few_rows.action == "continue"


def test_the_margin_must_be_lost_over_the_stable_days_at_least():
    assert decide(evidence(240, 240)).evidence["business_condition"] is False
    assert decide(evidence(240, 240, 240)).evidence["business_condition"] is True


def test_the_margin_itself_is_enough():
    assert decide(evidence(*[24] * 30)).evidence["business_condition"] is True
    assert decide(evidence(*[23] * 30)).evidence["business_condition"] is False


def test_the_watch_ends_after_its_labelled_days_and_the_champion_stays():
    decision = decide(evidence(*[0] * 10), watch_days=10)
    assert decision.action == "keep"
    assert decision.reasons[0].startswith("The watch over version 2 is over after 10 labelled days: it stays; ")
    assert decide(evidence(*[0] * 9), watch_days=10).action == "continue"


def test_a_champion_found_bad_on_the_last_day_is_still_taken_back():
    assert decide(evidence(*[72] * 10), watch_days=10).action == "rollback"


def test_two_equal_models_give_less_evidence_than_none():
    found = decide(evidence(*[0] * 30)).evidence
    assert found["log_evidence"] < 0
    assert found["low"] < 0 < found["high"]


def test_models_that_always_agree_are_handled():
    decision = decide(evidence(0, 0, 0, disagreement=0))
    assert decision.action == "continue"
    assert decision.evidence["log_evidence"] == pytest.approx(0.0, abs=1e-12)


def test_a_single_row_a_day_is_handled():
    assert math.isfinite(decide(evidence(1, 1, 1, rows=1, disagreement=1)).evidence["log_evidence"])


@pytest.mark.parametrize("metric", ["brier", "log_loss", "cost"])
def test_other_metrics_are_judged_in_their_own_unit(metric):
    days = []
    for place in range(8):
        known = FIRST + timedelta(days=place)
        loss = {f"champion_{metric}": 288.0, f"challenger_{metric}": 216.0, f"{metric}_squares": 24.0}
        days.append(LabelledDay(known, str(known), 2400, 1900, 1900, 0, 0, **loss))
    known = PromotionEvidence(
        champion=2, challenger=1, trained_until=datetime(2026, 6, 8), days=tuple(days), largest_cost=5.0
    )
    decision = decide_rollback(known, POLICY, metric=metric)
    assert decision.evidence["mean_difference"] == pytest.approx(0.03)
    assert "it lost 0.0300 in " in decision.reasons[0]
    assert decision.evidence["days_since"] == 8


def test_a_decision_is_derived_again_from_its_record_word_by_word():
    record = json.loads(canonical_json({"decision": {"kind": "rollback", **decide(evidence(*[72] * 5)).to_json()}}))
    again = replay_decision(record)
    assert canonical_json(again.to_json()) == canonical_json(decide(evidence(*[72] * 5)).to_json())
    forged = copy.deepcopy(record)
    forged["decision"]["evidence"]["given"]["days"][0]["wins"] = 0
    assert replay_decision(forged).to_json() != again.to_json()
    del forged["decision"]["evidence"]["policy"]["metric"]
    with pytest.raises(StateError, match="cannot be read by this version"):
        replay_decision(forged)


def test_another_policy_is_asked_with_the_metric_it_promotes_by():
    record = {"during": {"champion": 2}, "decision": {"kind": "rollback", **decide(evidence(*[72] * 5)).to_json()}}
    policy = load_policy("calibrated")
    strict = policy.model_copy(update={"rollback": RollbackPolicy(margin=0.05)})
    assert replay_decision(record, policy=policy).action == "rollback"
    assert replay_decision(record, policy=strict).action == "continue"
    for kind in RULES:
        assert set(getattr(policy, kind).model_dump()) <= set(rules_of(policy, kind))


def test_the_daily_watch_is_what_was_decided_on_each_day():
    turning = evidence(*[-24] * 6, *[72] * 6)
    frame = daily_watch(turning, POLICY, metric="accuracy")
    for row in frame.iter_rows(named=True):
        then = decide(turning.until(row["known_on"])).evidence
        assert row["since"].isoformat() == then["since"]
        for column in ("mean_difference", "low", "high", "log_evidence", "log_evidence_needed"):
            assert row[column] == pytest.approx(then[column])
    assert frame["difference"].to_list() == pytest.approx([-0.01] * 6 + [0.03] * 6)
    assert frame["previous"][-1] == pytest.approx(1972 / 2400)


def test_the_watch_before_its_first_labelled_day_is_an_empty_table():
    frame = daily_watch(evidence(), POLICY, metric="accuracy")
    assert frame.is_empty()
    assert frame.schema["since"] == pl.Date
