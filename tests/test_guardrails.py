from dataclasses import replace
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from test_promotion import CHALLENGER, CHAMPION, TARGETS, TRAINED_UNTIL, evidence_of

from driftbook.config.policy import Guardrails, PromotionPolicy
from driftbook.decisions.comparison import Contender, LabelledDay, PromotionEvidence, compare_models
from driftbook.decisions.guarded_sums import MISSING, SegmentSums
from driftbook.decisions.guardrails import guardrail_table, judge_guardrails
from driftbook.decisions.promotion import decide_promotion
from driftbook.errors import DataError, StateError
from driftbook.storage import canonical_json

POLICY = PromotionPolicy()


@pytest.mark.parametrize("numbers", [{"margin": 2}, {"guardrails": {"max_segment_loss": 5}}])
def test_points_of_accuracy_are_declared_as_shares(numbers):
    with pytest.raises(ValueError, match=r"should be a share of accuracy from 0 to 1, 0.02 for 2 points, found"):
        PromotionPolicy(**numbers)
    assert PromotionPolicy(metric="cost", **numbers).metric == "cost"


CONVINCING = ((160, 80), (158, 82), (161, 79))
COSTS = {"yes": {"no": 5.0}, "no": {"yes": 1.0}}
PLANS = pl.DataFrame({"row_id": ["a", "b", "c"], "plan": ["basic", None, "basic"]})


def with_segment(evidence, value, *days):
    """The evidence, with a segment of the given sums on each day."""
    sums = [SegmentSums(*each) for each in days]
    told = [replace(day, segments={"plan": {value: each}}) for day, each in zip(evidence.days, sums, strict=True)]
    return replace(evidence, days=tuple(told))


def with_gaps(evidence, *, champion, challenger):
    told = [replace(day, champion_gaps={"8": champion}, challenger_gaps={"8": challenger}) for day in evidence.days]
    return replace(evidence, days=tuple(told))


def compare(**options):
    champion, challenger = Contender(1, ("no", "yes"), CHAMPION), Contender(2, ("no", "yes"), CHALLENGER)
    return compare_models(champion, challenger, TARGETS, trained_until=TRAINED_UNTIL, **options)


def states(evidence, policy=POLICY):
    return {each.subject or each.guardrail: each.state for each in judge_guardrails(evidence, policy)}


def test_each_segment_is_summed_up_by_itself_and_missing_is_one():
    first, second = compare(segments=PLANS).days
    assert first.segments["plan"]["basic"][:3] == (1, 0, 0)
    assert first.segments["plan"][MISSING][:3] == (1, 1, 0)
    assert second.segments["plan"] == {"basic": SegmentSums(1, 0, 1, 0.0, 0.0, 0.0)}


def test_the_segments_of_a_day_add_up_to_the_day():
    (first, _) = compare(segments=PLANS, costs=COSTS).days
    segments = first.segments["plan"].values()
    assert sum(each.rows for each in segments) == first.rows
    assert sum(each.brier for each in segments) == pytest.approx(first.champion_brier - first.challenger_brier)
    assert sum(each.cost for each in segments) == pytest.approx(first.champion_cost - first.challenger_cost)


def test_a_segment_may_have_the_name_of_a_sum():
    days = compare(segments=PLANS.rename({"plan": "champion_cost"})).days
    assert set(days[0].segments) == {"champion_cost"}


def test_a_row_with_two_segments_is_an_error():
    with pytest.raises(DataError, match="segments: expected one row per row_id"):
        compare(segments=pl.concat([PLANS, PLANS.head(1)]))


def test_gaps_are_hits_minus_what_was_promised():
    first, _ = compare().days
    assert first.champion_gaps == {"6": pytest.approx(-0.6), "8": pytest.approx(0.2)}
    assert first.challenger_gaps == {"8": pytest.approx(0.2), "9": pytest.approx(0.1)}


def test_costs_are_those_of_the_matrix_and_absent_cells_cost_nothing():
    first, second = compare(costs={"yes": {"no": 5.0}}).days
    assert (first.champion_cost, first.challenger_cost, first.cost_squares) == (5.0, 0.0, 25.0)
    assert (second.champion_cost, second.challenger_cost) == (0.0, 5.0)
    assert compare(costs={"yes": {"no": 5.0}}).largest_cost == 5.0


def test_a_challenger_is_promoted_by_what_it_saves():
    policy = PromotionPolicy(metric="cost", margin=0.1)
    sums = {"champion_cost": 1200.0, "challenger_cost": 720.0, "cost_squares": 4800.0}
    cheap = replace(evidence_of(*[(80, 80)] * 6, **sums), largest_cost=5.0)
    decision = decide_promotion(cheap, policy)
    assert decision.action == "promote"
    assert decision.evidence["mean_difference"] == pytest.approx(0.2)
    assert decide_promotion(cheap, PromotionPolicy()).action == "keep"


def test_the_unit_of_the_costs_does_not_matter():
    sums = {"champion_cost": 1200.0, "challenger_cost": 1000.0, "cost_squares": 4800.0}
    euros = replace(evidence_of(*[(0, 0)] * 6, **sums), largest_cost=5.0)
    cents = {name: value * (100 if name != "cost_squares" else 10_000) for name, value in sums.items()}
    small = replace(evidence_of(*[(0, 0)] * 6, **cents), largest_cost=500.0)
    one = decide_promotion(euros, PromotionPolicy(metric="cost", margin=0.05)).evidence
    other = decide_promotion(small, PromotionPolicy(metric="cost", margin=5.0)).evidence
    assert other["log_evidence"] == pytest.approx(one["log_evidence"])
    assert other["low"] == pytest.approx(100 * one["low"])


def test_evidence_without_costs_cannot_be_judged_by_cost_and_says_so():
    with pytest.raises(StateError, match="found none: the use case declared no costs then"):
        decide_promotion(evidence_of(*CONVINCING), PromotionPolicy(metric="cost"))


def test_a_segment_that_loses_too_much_holds_a_promotion_up_until_it_heals():
    sinking = with_segment(evidence_of(*CONVINCING), "basic", (120, 2, 12), (110, 3, 12), (130, 3, 10))
    blocked = decide_promotion(sinking, POLICY)
    assert blocked.action == "continue"
    assert blocked.evidence["statistical_condition"]
    assert blocked.evidence["business_condition"]
    assert "plan = basic loses 7.2 points on 360 rows (a loss of 5.0 points allowed)" in blocked.reasons[0]
    healing = evidence_of(*CONVINCING, (162, 78))
    healed = with_segment(healing, "basic", (120, 2, 12), (110, 3, 12), (130, 3, 10), (140, 20, 1))
    assert decide_promotion(healed, POLICY).action == "promote"


def test_a_segment_that_does_not_heal_keeps_the_champion_in_the_end():
    evidence = with_segment(evidence_of(*[(160, 80)] * 30), "basic", *[(100, 1, 9)] * 30)
    decision = decide_promotion(evidence, POLICY)
    assert (decision.action, decision.reasons[0]) == (
        "keep",
        "After 30 labelled days (30 allowed) the champion is kept, because a guardrail did not heal.",
    )


def test_a_segment_of_few_rows_stands_against_nothing():
    few = with_segment(evidence_of(*CONVINCING), "basic", (33, 0, 20), (33, 0, 20), (33, 0, 20))
    assert states(few)["plan = basic"] == "cannot_tell"
    assert decide_promotion(few, POLICY).action == "promote"
    least = POLICY.model_copy(update={"guardrails": Guardrails(min_segment_rows=99)})
    assert decide_promotion(few, least).action == "continue"


def test_a_loss_exactly_at_the_limit_is_allowed():
    edge = with_segment(evidence_of((160, 80)), "basic", (200, 0, 10))
    assert states(edge)["plan = basic"] == "holds"


def test_a_segment_is_judged_in_the_metric_of_the_policy():
    evidence = with_segment(evidence_of((160, 80)), "basic", (200, 0, 40, 30.0))
    assert states(evidence, PromotionPolicy(metric="brier"))["plan = basic"] == "holds"
    assert states(evidence)["plan = basic"] == "failed"


def test_probabilities_that_no_longer_keep_their_word_hold_a_promotion_up():
    # the errors of two days with opposite signs cancel: what counts is the curve over all rows
    worse = with_gaps(evidence_of(*CONVINCING), champion=12.0, challenger=-90.0)
    decision = decide_promotion(worse, POLICY)
    assert decision.action == "continue"
    calibration = next(each for each in decision.evidence["guardrails"] if each["guardrail"] == "calibration")
    assert calibration["loss"] == pytest.approx((90 - 12) / 2400)
    first, *others = worse.days
    mended = replace(worse, days=(replace(first, challenger_gaps={"8": 180.0}), *others))
    assert decide_promotion(mended, POLICY).action == "promote"


def test_a_model_that_is_too_large_is_kept_out_at_once():
    large = replace(PromotionEvidence(1, 2, TRAINED_UNTIL), size_mb=240.0)
    decision = decide_promotion(large, POLICY)
    assert decision.action == "keep"
    assert decision.reasons[0].startswith("The champion is kept: the model takes 240 MB (200 MB allowed)")
    assert decide_promotion(replace(large, size_mb=199.0), POLICY).action == "continue"


def test_a_model_that_is_too_slow_is_kept_out_at_once_however_good():
    slow = replace(evidence_of(*CONVINCING), within_latency=False, latency_limit_ms=50.0)
    decision = decide_promotion(slow, POLICY)
    assert decision.action == "keep"
    assert "a row is scored not within 50 ms" in decision.reasons[0]
    assert decide_promotion(replace(slow, within_latency=True), POLICY).action == "promote"


@pytest.mark.parametrize(
    ("within", "limit", "state"),
    [(True, 80, "holds"), (True, 20, "cannot_tell"), (False, 80, "cannot_tell"), (False, 20, "failed")],
)
def test_under_another_limit_of_time_only_what_follows_is_said(within, limit, state):
    evidence = replace(evidence_of(*CONVINCING), within_latency=within, latency_limit_ms=50.0)
    policy = POLICY.model_copy(update={"guardrails": Guardrails(max_latency_ms=limit)})
    assert states(evidence, policy)["latency"] == state


def test_a_challenger_that_is_worse_is_kept_out_early():
    losing = evidence_of(*[(80, 128)] * 30)
    actions = [decide_promotion(losing.until(day.known_on), POLICY).action for day in losing.days]
    assert actions.index("keep") <= 2
    assert "the challenger is worse" in decide_promotion(losing, POLICY).reasons[0]


def test_the_days_still_needed_are_said_beside_a_guardrail_that_has_to_heal():
    evidence = with_segment(evidence_of((160, 80), (158, 82)), "basic", (120, 2, 12), (110, 3, 12))
    decision = decide_promotion(evidence, POLICY)
    told = "About 1 more labelled day needed if it goes on like this, and a guardrail has to heal."
    assert decision.reasons[0] == told
    assert decision.evidence["days_needed"] == 1


def test_a_record_names_what_failed_and_the_worst_of_what_holds():
    day = evidence_of((160, 80)).days[0]
    sums = {"a": (500, 40, 70), "b": (500, 40, 50), "c": (500, 90, 20), "d": (50, 0, 50)}
    segments = {"plan": {name: SegmentSums(*each) for name, each in sums.items()}}
    evidence = PromotionEvidence(1, 2, TRAINED_UNTIL, (replace(day, segments=segments),))
    told = [each["subject"] for each in decide_promotion(evidence, POLICY).evidence["guardrails"]]
    assert told == ["", "", "", "plan = a"]
    table = guardrail_table(evidence, POLICY).filter(guardrail="segment")
    assert table["subject"].to_list() == ["plan = a", "plan = b", "plan = c", "plan = d"]
    assert table["state"].to_list() == ["failed", "holds", "holds", "cannot_tell"]
    assert table["loss"][0] == pytest.approx(0.06)


def test_evidence_with_everything_in_it_survives_its_record():
    evidence = replace(compare(segments=PLANS, costs=COSTS), size_mb=1.25, within_latency=True, latency_limit_ms=50.0)
    assert evidence.until(date(2026, 6, 9)) == replace(evidence, days=evidence.days[:1])
    rounded = PromotionEvidence.from_json(evidence.to_json())
    assert PromotionEvidence.from_json(rounded.to_json()) == rounded
    decision = decide_promotion(evidence, POLICY)
    again = decide_promotion(
        PromotionEvidence.from_json(decision.evidence["given"]), PromotionPolicy(**decision.evidence["policy"])
    )
    assert canonical_json(again.to_json()) == canonical_json(decision.to_json())


def test_a_record_of_before_the_guardrails_is_derived_again_word_by_word():
    old = [
        {
            "batch_id": f"2026-06-{9 + place:02}",
            "brier_squares": 60.0,
            "challenger_brier": 216.0,
            "challenger_correct": 1996,
            "challenger_log_loss": 700.0,
            "champion_brier": 288.0,
            "champion_correct": 1900,
            "champion_log_loss": 900.0,
            "known_on": f"2026-06-{12 + place:02}",
            "log_loss_squares": 90.0,
            "losses": 50,
            "rows": 2400,
            "wins": 146,
        }
        for place in range(3)
    ]
    given = {"champion": 1, "challenger": 2, "trained_until": "2026-06-05T00:00:00", "days": old}
    policy = {"metric": "accuracy", "false_promotion_rate": 0.01, "margin": 0.02, "stable_days": 3, "give_up_days": 30}
    decision = decide_promotion(PromotionEvidence.from_json(given), PromotionPolicy(**policy))
    assert decision.action == "promote"
    assert decision.evidence["given"] == given
    assert decision.evidence["policy"] == policy
    assert "guardrails" not in decision.evidence
    assert len(decision.reasons) == 3


def test_days_without_anything_to_guard_keep_their_place():
    day = LabelledDay(date(2026, 6, 12), "2026-06-09", 10, 8, 9, 2, 1)
    later = replace(
        day, known_on=day.known_on + timedelta(days=1), challenger_gaps={"9": 0.2}, champion_gaps={"9": 0.1}
    )
    evidence = PromotionEvidence(1, 2, datetime(2026, 6, 5), (day, later))
    [calibration] = [each for each in judge_guardrails(evidence, POLICY) if each.guardrail == "calibration"]
    assert (calibration.rows, calibration.loss) == (10, pytest.approx(0.01))
