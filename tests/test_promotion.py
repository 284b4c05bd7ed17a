import math
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from driftbook.config import load_policy
from driftbook.config.policy import PromotionPolicy
from driftbook.decisions.promotion import (
    Contender,
    LabelledDay,
    PromotionEvidence,
    compare_models,
    daily_comparison,
    decide_promotion,
)
from driftbook.errors import DataError
from driftbook.storage import canonical_json

POLICY = load_policy("calibrated").promotion
TRAINED_UNTIL = datetime(2026, 6, 5)
FIRST = date(2026, 6, 12)


def evidence_of(*wins_losses, rows=2400, **sums):
    days = [
        LabelledDay(
            known_on=FIRST + timedelta(days=day),
            batch_id=(FIRST + timedelta(days=day - 3)).isoformat(),
            rows=rows,
            champion_correct=rows - 300 + losses,
            challenger_correct=rows - 300 + wins,
            wins=wins,
            losses=losses,
            **sums,
        )
        for day, (wins, losses) in enumerate(wins_losses)
    ]
    return PromotionEvidence(champion=1, challenger=2, trained_until=TRAINED_UNTIL, days=tuple(days))


def predictions(version, rows):
    """Rows of (row_id, event day of June, prediction, P(no), P(yes))."""
    return pl.DataFrame(
        {
            "row_id": [row[0] for row in rows],
            "batch_id": [f"2026-06-{row[1]:02}" for row in rows],
            "event_time": [datetime(2026, 6, row[1], 12) for row in rows],
            "version": [version] * len(rows),
            "prediction": [row[2] for row in rows],
            "prediction_score": [row[4] for row in rows],
            "probabilities": [[row[3], row[4]] for row in rows],
        }
    )


def targets(rows):
    """Rows of (row_id, day of June on which it became known, target)."""
    return pl.DataFrame(
        {
            "row_id": [row[0] for row in rows],
            "batch_id": [f"2026-06-{row[1] - 3:02}" for row in rows],
            "known_time": [datetime(2026, 6, row[1]) for row in rows],
            "target": [row[2] for row in rows],
        },
        schema_overrides={"target": pl.String},
    )


CHAMPION = predictions(
    1, [("a", 6, "no", 0.8, 0.2), ("b", 6, "no", 0.6, 0.4), ("c", 7, "yes", 0.5, 0.5), ("z", 4, "no", 1.0, 0.0)]
)
CHALLENGER = predictions(
    2, [("a", 6, "no", 0.9, 0.1), ("b", 6, "yes", 0.2, 0.8), ("c", 7, "no", 0.5, 0.5), ("z", 4, "no", 1.0, 0.0)]
)
TARGETS = targets([("a", 9, "no"), ("b", 9, "yes"), ("c", 10, "yes"), ("z", 9, "no")])


def compare(champion=CHAMPION, challenger=CHALLENGER, known=TARGETS, classes=("no", "yes")):
    return compare_models(
        Contender(1, ("no", "yes"), champion), Contender(2, classes, challenger), known, trained_until=TRAINED_UNTIL
    )


def test_models_are_compared_row_by_row_and_summed_by_the_day_of_the_target():
    first, second = compare().days
    assert (first.known_on, first.batch_id, first.rows) == (date(2026, 6, 9), "2026-06-06", 2)
    assert (first.champion_correct, first.challenger_correct, first.wins, first.losses) == (1, 2, 1, 0)
    assert (second.champion_correct, second.challenger_correct, second.wins, second.losses) == (1, 0, 0, 1)


def test_brier_and_log_loss_are_those_of_the_textbook():
    first = compare().days[0]
    assert first.champion_brier == pytest.approx(0.2**2 + 0.6**2)
    assert first.challenger_brier == pytest.approx(0.1**2 + 0.2**2)
    assert first.brier_squares == pytest.approx((0.04 - 0.01) ** 2 + (0.36 - 0.04) ** 2)
    assert first.champion_log_loss == pytest.approx(-math.log(0.8) - math.log(0.4))
    assert first.challenger_log_loss == pytest.approx(-math.log(0.9) - math.log(0.8))


def test_rows_that_trained_the_challenger_are_left_out():
    assert sum(day.rows for day in compare().days) == 3


def test_rows_without_a_target_or_scored_by_one_model_only_do_not_count():
    known = targets([("a", 9, "no"), ("b", 9, None), ("c", 10, "yes")])
    evidence = compare(challenger=CHALLENGER.filter(pl.col("row_id") != "c"), known=known)
    assert [(day.known_on, day.rows) for day in evidence.days] == [(date(2026, 6, 9), 1)]


def test_each_model_may_order_its_classes_in_its_own_way():
    flipped = CHALLENGER.with_columns(pl.col("probabilities").list.reverse())
    assert compare(challenger=flipped, classes=("yes", "no")) == compare()


def test_a_class_a_model_never_saw_costs_it_the_largest_log_loss_and_not_an_exception():
    (day,) = compare(known=targets([("a", 9, "maybe")])).days
    assert day.champion_correct == 0
    assert day.champion_brier == pytest.approx((0.8**2 + 0.2**2 + 1) / 2)
    assert day.champion_log_loss == pytest.approx(math.log(1000))


def test_the_order_of_rows_does_not_matter():
    shuffled = compare(CHAMPION.reverse(), CHALLENGER.sample(fraction=1, shuffle=True, seed=1), TARGETS.reverse())
    assert shuffled == compare()


def test_a_row_scored_twice_is_an_error_that_names_it():
    with pytest.raises(DataError, match=r"predictions of version 2: .*'a'"):
        compare(challenger=pl.concat([CHALLENGER, CHALLENGER.head(1)]))


def test_a_row_with_two_targets_is_an_error():
    with pytest.raises(DataError, match="targets: expected one row per row_id"):
        compare(known=pl.concat([TARGETS, TARGETS.head(1)]))


def test_without_targets_the_comparison_goes_on():
    evidence = compare(known=TARGETS.clear())
    assert evidence.days == ()
    assert daily_comparison(evidence, POLICY).height == 0
    assert decide_promotion(evidence, POLICY).action == "continue"


def test_evidence_as_of_an_earlier_day_is_that_of_a_comparison_made_then():
    assert compare().until(date(2026, 6, 9)) == compare(known=TARGETS.filter(pl.col("known_time").dt.day() <= 9))


def test_a_clearly_better_challenger_is_promoted_on_the_third_labelled_day():
    evidence = evidence_of((160, 80), (158, 82), (161, 79))
    actions = [decide_promotion(evidence.until(day.known_on), POLICY).action for day in evidence.days]
    assert actions == ["continue", "continue", "promote"]


def test_the_business_condition_alone_promotes_nothing():
    decision = decide_promotion(evidence_of((14, 10), (15, 11), (13, 9), rows=200), POLICY)
    assert decision.evidence["business_condition"]
    assert not decision.evidence["statistical_condition"]
    assert decision.action == "continue"


def test_the_statistical_condition_alone_promotes_nothing():
    decision = decide_promotion(evidence_of(*[(160, 80)] * 4, (150, 110)), POLICY)
    assert decision.evidence["statistical_condition"]
    assert decision.evidence["days_above_margin"] == 0
    assert decision.action == "continue"


def test_a_day_exactly_at_the_margin_counts():
    decision = decide_promotion(evidence_of(*[(48, 0)] * 3), POLICY)
    assert decision.evidence["days_above_margin"] == 3
    assert decision.action == "promote"


def test_the_champion_is_kept_once_the_margin_is_out_of_reach():
    decision = decide_promotion(evidence_of(*[(100, 110)] * 5), POLICY)
    assert decision.action == "keep"
    assert decision.evidence["high"] < POLICY.margin
    assert decision.reasons[0].startswith("Even the upper bound")


def test_the_champion_is_kept_when_the_time_is_over():
    undecided = evidence_of(*[(13, 10)] * 30, rows=200)
    assert decide_promotion(undecided.until(FIRST + timedelta(days=28)), POLICY).action == "continue"
    last = decide_promotion(undecided.until(FIRST + timedelta(days=29)), POLICY)
    assert (last.action, last.reasons[0]) == ("keep", "After 30 labelled days (30 allowed) the champion is kept.")


def test_the_days_still_needed_come_true_if_it_goes_on_like_that():
    evidence = evidence_of(*[(34, 20)] * 30, rows=600)
    start = decide_promotion(evidence.until(FIRST + timedelta(days=3)), POLICY)
    needed = start.evidence["days_needed"]
    assert start.action == "continue"
    actions = [decide_promotion(evidence.until(day.known_on), POLICY).action for day in evidence.days[: 4 + needed]]
    assert actions.index("promote") == pytest.approx(3 + needed, abs=1)


def test_a_hopeless_rate_is_said_to_decide_nothing():
    decision = decide_promotion(evidence_of((11, 10), (11, 10), rows=200), POLICY)
    assert decision.evidence["days_needed"] is None
    assert decision.reasons[0].startswith("At this rate nothing is decided")


@pytest.mark.parametrize("metric", ["brier", "log_loss"])
def test_probability_metrics_decide_on_their_own_sums(metric):
    policy = PromotionPolicy(metric=metric, margin=0.01)
    sums = {f"champion_{metric}": 288.0, f"challenger_{metric}": 216.0, f"{metric}_squares": 60.0}
    decision = decide_promotion(evidence_of(*[(0, 0)] * 12, **sums), policy)
    assert decision.action == "promote"
    assert decision.evidence["mean_difference"] == pytest.approx(0.03)
    assert decision.evidence["low"] > 0
    turned = {f"champion_{metric}": 216.0, f"challenger_{metric}": 288.0, f"{metric}_squares": 60.0}
    assert decide_promotion(evidence_of(*[(0, 0)] * 12, **turned), policy).action == "keep"


def test_the_lower_bound_passes_zero_exactly_when_the_evidence_suffices():
    table = daily_comparison(evidence_of(*[(75, 55)] * 20), POLICY)
    enough = table["log_evidence"] >= table["log_evidence_needed"]
    assert ((table["low"] > 0) == enough).all()
    assert enough.any()
    assert not enough.all()


def test_a_replay_from_the_record_gives_the_same_bytes():
    sums = {"champion_brier": 100 / 3, "challenger_brier": 0.1 + 0.2, "brier_squares": 1 / 7}
    decision = decide_promotion(evidence_of((160, 80), (158, 82), (161, 79), **sums), POLICY)
    again = decide_promotion(PromotionEvidence.from_json(decision.evidence["given"]), POLICY)
    assert canonical_json(again.to_json()) == canonical_json(decision.to_json())
    assert again == decision
