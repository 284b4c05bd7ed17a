import json
from dataclasses import replace
from datetime import date, timedelta
from typing import get_args

import pytest

from driftbook.config import load_policy
from driftbook.config.policy import BusinessRule, RetrainingPolicy
from driftbook.decisions.retraining import decide_retraining
from driftbook.decisions.retraining_evidence import (
    Accumulated,
    Accuracy,
    Estimated,
    Figure,
    Request,
    RetrainingEvidence,
    Withdrawn,
)
from driftbook.model.metrics import METRICS
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


# what later records hold beside the first ones: each sign by itself

LATER = replace(CALM, prediction_batches=0, new_labelled_rows=9_600, new_labelled_batches=4)
HELD = {"drift": False, "prediction": False, "accuracy": False, "age": False}


def _called(evidence, policy=POLICY):
    """What called for a challenger, and the reason that stands first."""
    decision = decide_retraining(evidence, policy)
    calls = {name for name, holds in decision.evidence["calls"].items() if holds}
    assert (decision.action == "retrain") == bool(calls)
    return calls, decision.reasons[0]


def test_nothing_wrong_calls_for_nothing():
    assert decide_retraining(LATER, POLICY).evidence["calls"] == HELD


def test_drift_below_the_asked_share_of_importance_warns_and_retrains_nothing():
    drift = {"alarmed_batches": 4, "first_alarmed_batch": "2026-06-02"}
    little = replace(LATER, **drift, drifted_importance={"age": 0.02, "gender": 0.02})
    calls, reason = _called(little)
    assert calls == set()
    assert reason == (
        "4 batches in a row alarmed, since 2026-06-02, 2 drifted columns with 4 % of the model's importance: "
        "that is a warning; 5 % call for a challenger."
    )
    assert _called(replace(little, drifted_importance={"age": 0.02, "gender": 0.03}))[0] == {"drift"}
    assert _called(little, POLICY.model_copy(update={"drifted_importance": 0.04}))[0] == {"drift"}


def test_drift_of_columns_that_mean_little_retrains_where_the_predictions_drift_with_them():
    drift = {"alarmed_batches": 4, "first_alarmed_batch": "2026-06-02", "prediction_drifted": True}
    both = replace(LATER, **drift, drifted_importance={"age": 0.02}, prediction_batches=2)
    both = replace(both, first_prediction_batch="2026-06-04", prediction_excess=3.14159)
    calls, reason = _called(both)
    assert calls == {"prediction"}
    assert reason == "The predictions drifted in 2 batches in a row, since 2026-06-04, at up to 3.14 times the limit."
    calls, _ = _called(replace(both, prediction_batches=1))
    assert calls == set()


def test_evidence_that_adds_up_over_batches_is_enough_by_itself():
    slow = replace(LATER, alarmed_batches=1, first_alarmed_batch="2026-06-06", drift_since="2026-06-06")
    assert _called(slow)[0] == set()
    calls, reason = _called(replace(slow, accumulated=Accumulated("2026-06-06", 1_903.4, 1_460.0)))
    assert calls == {"accumulated"}
    assert reason == (
        "Evidence of drift that adds up over batches passed its limit in 2026-06-06 (1,903, 1,460 are allowed): "
        "that is enough by itself."
    )


def test_an_estimate_retrains_only_when_its_whole_interval_lies_below_the_limit():
    wide = Estimated(0.80, 0.78, 0.83, 7_200, "2026-06-06", "2026-06-08")
    assert _called(replace(LATER, estimated=wide))[0] == set()
    calls, reason = _called(replace(LATER, estimated=replace(wide, high=0.81)))
    assert calls == {"estimate"}
    assert reason == (
        "Without targets since 2026-06-06, estimated accuracy 80.0 % (78.0 % to 81.0 %, 7,200 rows) lies wholly below "
        "the limit of 82.0 %: tested 87.0 % less 5 points."
    )


def test_targets_that_contradict_the_estimates_call_and_the_estimate_no_longer_counts():
    contradicted = Withdrawn("2026-06-01", "2026-06-04", 0.86, 0.78, 2_400)
    low = Estimated(0.7, 0.69, 0.71, 7_200, "2026-06-06", "2026-06-08")
    decision = decide_retraining(replace(LATER, withdrawn=contradicted, estimated=low), POLICY)
    assert decision.action == "retrain"
    assert "estimate" not in decision.evidence["calls"]
    assert decision.reasons[0] == (
        "Targets known on 2026-06-04 contradict the model's probabilities since 2026-06-01: 86.0 % of 2,400 "
        "decisions were to be right, 78.0 % were (each class and the surest decisions are watched too). Its scores no "
        "longer mean what they meant in training: estimates are withdrawn."
    )


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (
            {"metric": "recall", "minimum": 0.65},
            "Recall 60.0 % (56.0 % to 64.0 %, 7,200 rows) lies wholly below 65.0 %",
        ),
        ({"metric": "log_loss", "maximum": 0.3}, "Log loss 0.350 (0.320 to 0.380, 7,200 rows) lies wholly above 0.300"),
    ],
)
def test_a_business_rule_calls_when_it_is_broken_beyond_doubt(rule, reason):
    figures = {"recall": Figure(0.6, 0.56, 0.64, 7_200), "log_loss": Figure(0.35, 0.32, 0.38, 7_200)}
    seen = replace(LATER, figures=figures)
    calls, found = _called(seen, POLICY.model_copy(update={"rules": (BusinessRule(**rule),)}))
    assert calls == {"rules"}
    assert found.startswith(reason)


def test_a_business_rule_that_may_hold_or_cannot_be_measured_calls_for_nothing_and_says_so():
    seen = replace(LATER, figures={"recall": Figure(0.6, 0.56, 0.64, 7_200)})
    rules = (BusinessRule(metric="recall", minimum=0.64), BusinessRule(metric="roc_auc", minimum=0.9))
    decision = decide_retraining(seen, POLICY.model_copy(update={"rules": rules}))
    assert decision.action == "wait"
    [told] = [each for each in decision.reasons if "business rule" in each]
    assert told.endswith(
        "breaks no business rule beyond doubt. ROC AUC, which a business rule limits, cannot be measured yet."
    )


def test_a_business_rule_limits_something_and_a_metric_there_is():
    with pytest.raises(ValueError, match="expects a minimum or a maximum, found neither"):
        BusinessRule(metric="recall")
    with pytest.raises(ValueError, match=r"expects a minimum up to its maximum, found 0.9 above 0.1"):
        BusinessRule(metric="recall", minimum=0.9, maximum=0.1)
    assert set(get_args(BusinessRule.model_fields["metric"].annotation)) == set(METRICS)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"metric": "recall", "minimum": 70}, "a share from 0 to 1, 0.7 for 70 percent, found 70.0"),
        ({"metric": "roc_auc", "maximum": -0.1}, "a share from 0 to 1"),
        ({"metric": "log_loss", "maximum": -0.1}, "should be 0 or more, found -0.1"),
        ({"metric": "brier", "maximum": float("nan")}, "finite number"),
    ],
)
def test_a_business_rule_that_always_or_never_holds_is_refused(rule, expected):
    with pytest.raises(ValueError, match=expected):
        BusinessRule(**rule)
    assert BusinessRule(metric="log_loss", maximum=1.5).maximum == 1.5


ASKED = replace(LATER, request=Request(4, "2026-06-07", "ann", "New prices."))


def test_a_persons_request_needs_no_other_sign_and_waits_for_no_cooldown():
    decision = decide_retraining(replace(ASKED, days_since_challenger=1), POLICY)
    assert decision.action == "retrain"
    assert decision.reasons[0] == "ann asked for a challenger after 2026-06-07: New prices."
    assert "The last challenger was trained 1 day ago; a person's request does not wait for 7." in decision.reasons


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        ({"challenger": 2}, "A challenger (version 2) is already in place"),
        ({"new_labelled_rows": 299}, "Targets are known for 4 batches (299 rows)"),
    ],
)
def test_a_request_overrides_neither_a_challenger_in_place_nor_the_least_targets(obstacle, reason):
    decision = decide_retraining(replace(ASKED, **obstacle), POLICY)
    assert decision.action == "wait"
    assert decision.reasons[0].startswith(reason)
    assert decision.reasons[1].startswith("ann asked")


def test_a_first_record_is_read_decided_and_written_as_it_was():
    """As the first version wrote it: no key of what came later, neither of the evidence nor of the policy."""
    given = {
        "as_of": "2026-06-08", "champion": 1, "trained_until": "2026-05-16", "alarmed_batches": 4,
        "first_alarmed_batch": "2026-06-02", "drifted_importance": {"age": 0.02}, "prediction_drifted": False,
        "realised": None, "tested": None, "new_labelled_rows": 9600, "new_labelled_batches": 4,
        "days_since_challenger": None, "challenger": None,
    }  # fmt: skip
    rules = {
        "alarmed_batches": 2, "min_new_labelled_batches": 3, "min_new_labelled_rows": 300, "cooldown_days": 7,
        "accuracy_drop": 0.05, "max_age_days": 365,
    }  # fmt: skip
    decision = decide_retraining(RetrainingEvidence.from_json(given), RetrainingPolicy.model_validate(rules))
    assert decision.action == "retrain", "two percent of the importance were enough then"
    assert decision.evidence == {
        "given": given,
        "policy": rules,
        "calls": {"drift": True, "accuracy": False, "age": False},
        "allowed": {"vacancy": True, "cooldown": True, "targets": True},
    }


def test_all_that_a_later_record_holds_comes_back_from_it():
    full = replace(
        ASKED,
        accumulated=Accumulated("2026-06-06", 1 / 3, 2 / 3),
        estimated=Estimated(0.8, 0.7, 0.9, 100, "2026-06-06", "2026-06-08"),
        withdrawn=Withdrawn("2026-06-01", "2026-06-04", 0.86, 0.78, 2_400),
        figures={"recall": Figure(1 / 3, 0.1 + 0.2, 0.4, 100)},
        drift_since="2026-06-01",
    )
    policy = POLICY.model_copy(update={"rules": (BusinessRule(metric="recall", maximum=0.9),)})
    decision = decide_retraining(full, policy)
    given, rules = (json.loads(canonical_json(decision.evidence[name])) for name in ("given", "policy"))
    again = decide_retraining(RetrainingEvidence.from_json(given), RetrainingPolicy.model_validate(rules))
    assert canonical_json(again.to_json()) == canonical_json(decision.to_json())
