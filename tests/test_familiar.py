"""The familiar views see the rows that decided, say how to read themselves, and are the same bytes every time."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from test_promotion import CHALLENGER, CHAMPION, TARGETS, TRAINED_UNTIL

from driftbook.decisions.comparison import Contender, compare_models
from driftbook.decisions.familiar import PairedRows, familiar_views, pair_rows
from driftbook.decisions.split import split_view
from driftbook.errors import DataError
from driftbook.storage import canonical_json

CLASSES = ("no", "yes")


def pairs(champion=CHAMPION, challenger=CHALLENGER, known=TARGETS, classes=CLASSES, answered=None):
    return pair_rows(
        Contender(1, CLASSES, champion),
        Contender(2, classes, challenger),
        known,
        trained_until=TRAINED_UNTIL,
        answered=answered,
    )


def rows_of(*, rows=2400, days=12, better=0.06, seed=1, role=None):
    """Two models that are right on most rows together, the challenger on some more."""
    random = np.random.default_rng(seed)
    truth = (random.random(rows) < 0.4).astype(np.int64)
    champion = np.where(random.random(rows) < 0.2, 1 - truth, truth)
    challenger = np.where(random.random(rows) < better, truth, champion)
    tables = [np.eye(2)[decided] * 0.6 + 0.2 for decided in (champion, challenger)]
    squares = [((table - np.eye(2)[truth]) ** 2).sum(axis=1) / 2 for table in tables]
    gains = {"brier": squares[0] - squares[1]}
    return PairedRows(CLASSES, truth, champion, challenger, *tables, np.arange(rows) * days // rows, gains, role)


def views_by_name(found):
    return {(each.view, each.metric): each for each in found.views}


def test_the_views_see_the_same_rows_and_sums_as_the_evidence():
    evidence = compare_models(
        Contender(1, CLASSES, CHAMPION), Contender(2, CLASSES, CHALLENGER), TARGETS, trained_until=TRAINED_UNTIL
    )
    rows = pairs()
    assert rows.rows == sum(day.rows for day in evidence.days)
    assert rows.correct[0].sum() == sum(day.champion_correct for day in evidence.days)
    assert rows.correct[1].sum() == sum(day.challenger_correct for day in evidence.days)
    for metric in ("brier", "log_loss"):
        summed = sum(getattr(day, f"champion_{metric}") - getattr(day, f"challenger_{metric}") for day in evidence.days)
        assert rows.gains[metric].sum() == pytest.approx(summed), metric


def test_costs_are_those_of_the_evidence():
    costs = {"yes": {"no": 5.0}, "no": {"yes": 1.0}}
    models = Contender(1, CLASSES, CHAMPION), Contender(2, CLASSES, CHALLENGER)
    evidence = compare_models(*models, TARGETS, trained_until=TRAINED_UNTIL, costs=costs)
    rows = pair_rows(*models, TARGETS, trained_until=TRAINED_UNTIL, costs=costs)
    assert rows.gains["cost"].tolist() == [0.0, 5.0, -5.0]
    assert sum(day.champion_cost - day.challenger_cost for day in evidence.days) == 0.0
    views = views_by_name(familiar_views(rows, metric="cost", positive="yes", seed=1))
    assert views["bootstrap", "cost"].difference == 0.0


def test_days_are_those_of_the_events():
    rows = pairs()
    assert (rows.day_count, rows.days.tolist()) == (2, [0, 0, 1])


def test_each_model_may_order_its_classes_in_its_own_way():
    flipped = CHALLENGER.with_columns(pl.col("probabilities").list.reverse())
    assert (pairs(challenger=flipped, classes=("yes", "no")).challenger_table == pairs().challenger_table).all()


def test_a_class_only_one_model_knows_has_no_probability_with_the_other():
    wider = CHALLENGER.with_columns(probabilities=pl.col("probabilities").list.concat(pl.lit([0.0])))
    rows = pairs(challenger=wider, classes=("no", "yes", "maybe"))
    assert rows.classes == ("no", "yes", "maybe")
    assert (rows.champion_table[:, 2] == 0).all()


def test_a_target_nobody_knows_counts_as_wrong_for_both_and_has_a_line_of_its_own():
    odd = TARGETS.with_columns(target=pl.when(row_id="a").then(pl.lit("maybe")).otherwise("target"))
    rows = pairs(known=odd)
    assert not rows.correct[0][0]
    assert not rows.correct[1][0]
    confusion = familiar_views(rows, metric="accuracy", positive="yes", seed=1).confusion["champion"]
    assert confusion == [[0, 0], [1, 1], [1, 0]]


def test_a_row_scored_twice_is_an_error_that_names_it():
    with pytest.raises(DataError, match=r"predictions of version 2: .*'a'"):
        pairs(challenger=pl.concat([CHALLENGER, CHALLENGER.head(1)]))
    with pytest.raises(DataError, match="targets: expected one row per row_id"):
        pairs(known=pl.concat([TARGETS, TARGETS.head(1)]))


def test_all_views_tell_the_same_difference_of_accuracy():
    found = familiar_views(rows_of(), metric="accuracy", positive="yes", seed=1)
    told = [each.difference for each in found.views if each.metric == "accuracy"]
    assert len(told) == 3
    assert told == pytest.approx([told[0]] * 3)
    assert {each.metric for each in found.views} == {"accuracy", "roc_auc"}


def test_the_confusions_hold_all_rows_and_their_diagonals_the_right_ones():
    rows = rows_of()
    found = familiar_views(rows, metric="accuracy", positive="yes", seed=1)
    for name, correct in zip(("champion", "challenger"), rows.correct, strict=True):
        counts = np.array(found.confusion[name])
        assert (counts.sum(), np.trace(counts)) == (rows.rows, correct.sum())


def test_another_metric_of_the_policy_is_added():
    found = views_by_name(familiar_views(rows_of(), metric="brier", positive="yes", seed=1))
    brier = found["bootstrap", "brier"]
    assert 0 < brier.low < brier.difference < brier.high


def test_every_view_says_how_to_read_it_and_that_it_holds_for_one_look_only():
    for each in familiar_views(rows_of(), metric="brier", positive="yes", seed=1).views:
        assert "or one look only" in each.reading, each.view


def test_few_days_are_said_to_be_few():
    few = views_by_name(familiar_views(rows_of(days=3), metric="accuracy", positive="yes", seed=1))
    assert "(days from 8 on, 3 so far)" in few["bootstrap", "accuracy"].reading
    many = views_by_name(familiar_views(rows_of(days=12), metric="accuracy", positive="yes", seed=1))
    assert many["bootstrap", "accuracy"].reading.startswith("12 days drawn anew")


def test_more_classes_are_ranked_each_against_the_rest_and_it_says_so():
    rows = PairedRows(
        ("a", "b", "c"),
        np.tile([0, 1, 2], 40),
        np.tile([0, 1, 1], 40),
        np.tile([0, 1, 2], 40),
        np.tile([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.2, 0.6, 0.2]], (40, 1)),
        np.tile([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]], (40, 1)),
        np.arange(120) // 12,
    )
    delong = views_by_name(familiar_views(rows, metric="accuracy", positive=None, seed=1))["delong", "roc_auc"]
    assert delong.difference > 0
    assert "each of 3 classes against the rest" in delong.reading


def test_the_same_rows_give_the_same_bytes_in_any_order():
    first = familiar_views(pairs(), metric="accuracy", positive="yes", seed=7)
    shuffled = pairs(CHAMPION.reverse(), CHALLENGER.sample(fraction=1, shuffle=True, seed=1), TARGETS.reverse())
    again = familiar_views(shuffled, metric="accuracy", positive="yes", seed=7)
    assert canonical_json(first.to_json()) == canonical_json(again.to_json())


def test_no_rows_at_all_leave_the_differences_open():
    none = pairs(known=TARGETS.clear())
    found = familiar_views(none, metric="brier", positive="yes", seed=1)
    assert (found.rows, found.days, found.split) == (0, 0, None)
    assert {each.difference for each in found.views} == {None}


def test_who_answered_makes_two_arms_of_the_rows():
    answered = pl.DataFrame({"row_id": ["a", "b", "c"], "answered_version": [1, 2, 1]})
    rows = pairs(answered=answered)
    split = familiar_views(rows, metric="accuracy", positive="yes", seed=1).split
    assert (split.routed, split.rows, split.accuracy) == (True, (2, 1), (1.0, 1.0))
    assert rows.rows == 3, "the other views still see every row"


def test_rows_that_neither_answered_are_in_no_arm_and_an_arm_without_rows_is_no_split():
    answered = pl.DataFrame({"row_id": ["a", "b"], "answered_version": [1, 2]})
    assert familiar_views(pairs(answered=answered), metric="accuracy", positive="yes", seed=1).split.rows == (1, 1)
    for others in (answered.with_columns(row_id=pl.Series(["x", "y"])), answered.with_columns(answered_version=7)):
        assert not familiar_views(pairs(answered=others), metric="accuracy", positive="yes", seed=1).split.routed


def test_a_split_by_a_coin_needs_as_many_more_rows_as_it_says():
    """Known truth: over 2,000 coins the spread of the split's difference is what the interval without one promised."""
    rows = rows_of(rows=4000)
    champion, challenger = rows.correct
    promised = split_view(champion, challenger)
    random = np.random.default_rng(11)
    seen = []
    for _ in range(2000):
        drawn = random.integers(0, 4000, 4000)
        role = (random.random(4000) < 0.1).astype(np.int64)
        seen.append(split_view(champion[drawn], challenger[drawn], role=role).result.difference)
    error = (promised.result.high - promised.result.low) / 2 / 1.96
    assert np.std(seen) == pytest.approx(error, rel=0.08)
    paired = np.std([(challenger.astype(float) - champion)[random.integers(0, 4000, 4000)].mean() for _ in range(2000)])
    assert promised.times == pytest.approx((np.std(seen) / paired) ** 2, rel=0.15)


def test_models_that_never_disagree_leave_open_what_shadow_scoring_saves():
    same = np.array([True, False, True])
    assert split_view(same, same).times is None


def test_rows_the_challenger_learnt_from_are_left_out():
    assert (
        pair_rows(
            Contender(1, CLASSES, CHAMPION),
            Contender(2, CLASSES, CHALLENGER),
            TARGETS,
            trained_until=datetime(2026, 6, 6, 23),
        ).rows
        == 1
    )
