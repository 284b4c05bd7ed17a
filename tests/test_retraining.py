from dataclasses import replace
from datetime import date, timedelta

import pytest

from driftbook.config import load_policy
from driftbook.decisions.retraining import Accuracy, RetrainingEvidence, decide_retraining
from driftbook.storage import canonical_json

POLICY = load_policy("calibrated").retraining
CALM = RetrainingEvidence(
    as_of=date(2026, 6, 8),
    champion=1,
    trained_until=date(2026, 5, 16),
    tested=Accuracy(0.87, 0.865, 0.875, 19_000),
)
DRIFTED = replace(
    CALM,
    alarmed_batches=7,
    first_alarmed_batch="2026-06-02",
    drifted_importance={"monthly_charges": 0.25, "tenure": 0.1},
    new_labelled_rows=9_600,
    new_labelled_batches=4,
)


def test_nothing_wrong_means_wait_and_says_what_was_looked_at():
    decision = decide_retraining(CALM, POLICY)
    assert decision.action == "wait"
    assert decision.reasons[0] == "The latest batch did not alarm."
    assert len(decision.reasons) == 3


def test_lasting_drift_with_enough_targets_retrains_and_says_so_with_numbers():
    decision = decide_retraining(DRIFTED, POLICY)
    assert decision.action == "retrain"
    assert decision.reasons[0] == (
        "7 batches in a row alarmed, since 2026-06-02, 2 drifted columns with 35 % of the model's importance."
    )
    assert decision.reasons[-1] == (
        "Targets are known for 4 batches (9,600 rows) since 2026-06-02; 3 (300 rows) are needed."
    )


def test_a_single_odd_batch_retrains_nothing():
    decision = decide_retraining(replace(DRIFTED, alarmed_batches=1), POLICY)
    assert decision.action == "wait"
    assert decision.reasons[0].startswith("1 batch in a row alarmed")


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        ({"challenger": 2}, "A challenger (version 2) is already in place"),
        ({"days_since_challenger": 6}, "The last challenger was trained 6 days ago, 7 must lie between"),
        ({"new_labelled_batches": 2}, "Targets are known for 2 batches"),
        ({"new_labelled_rows": 299}, "Targets are known for 4 batches (299 rows)"),
    ],
)
def test_each_obstacle_alone_holds_retraining_back_and_is_named_first(obstacle, reason):
    decision = decide_retraining(replace(DRIFTED, **obstacle), POLICY)
    assert decision.action == "wait"
    assert decision.reasons[0].startswith(reason)


def test_the_cooldown_ends_on_its_last_day():
    assert decide_retraining(replace(DRIFTED, days_since_challenger=7), POLICY).action == "retrain"


def test_drift_in_columns_the_model_does_not_use_retrains_nothing():
    unused = replace(DRIFTED, drifted_importance={"favourite_colour": 0.004})
    decision = decide_retraining(unused, POLICY)
    assert decision.action == "wait"
    assert "does not matter to the model" in decision.reasons[0]


def test_unused_columns_retrain_when_the_predictions_drifted_too():
    unused = replace(DRIFTED, drifted_importance={"favourite_colour": 0.004}, prediction_drifted=True)
    assert decide_retraining(unused, POLICY).action == "retrain"


def test_unknown_importance_counts_as_drift_that_matters():
    unknown = replace(DRIFTED, drifted_importance={"monthly_charges": None})
    assert decide_retraining(unknown, POLICY).action == "retrain"


def test_drift_of_the_predictions_alone_retrains():
    decision = decide_retraining(replace(DRIFTED, drifted_importance={}, prediction_drifted=True), POLICY)
    assert decision.action == "retrain"
    assert decision.reasons[0].endswith("the predictions drifted.")


def test_accuracy_retrains_only_when_its_whole_interval_lies_below_the_limit():
    labelled = replace(CALM, new_labelled_rows=7_200, new_labelled_batches=3)
    low_by_chance = replace(labelled, realised=Accuracy(0.80, 0.77, 0.83, 300))
    assert decide_retraining(low_by_chance, POLICY).action == "wait"
    fallen = replace(labelled, realised=Accuracy(0.80, 0.79, 0.81, 7_200))
    decision = decide_retraining(fallen, POLICY)
    assert decision.action == "retrain"
    assert decision.reasons[0] == (
        "Realised accuracy 80.0 % (79.0 % to 81.0 %, 7,200 rows) lies wholly below the limit of 82.0 %: "
        "tested 87.0 % less 5 points."
    )


def test_an_old_champion_is_retrained_the_day_after_its_age_limit():
    labelled = replace(CALM, new_labelled_rows=7_200, new_labelled_batches=3)
    at_limit = replace(labelled, as_of=CALM.trained_until + timedelta(days=365))
    assert decide_retraining(at_limit, POLICY).action == "wait"
    assert decide_retraining(replace(at_limit, as_of=at_limit.as_of + timedelta(days=1)), POLICY).action == "retrain"


def test_a_replay_from_the_record_gives_the_same_bytes():
    exact = replace(DRIFTED, realised=Accuracy(1 / 3, 0.1 + 0.2, 2 / 3, 7_200))
    decision = decide_retraining(exact, POLICY)
    again = decide_retraining(RetrainingEvidence.from_json(decision.evidence["given"]), POLICY)
    assert canonical_json(again.to_json()) == canonical_json(decision.to_json())
    assert again == decision
