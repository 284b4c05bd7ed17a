"""The familiar tests give the numbers of the textbooks, of sklearn, and of each other where they must agree."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from driftbook.decisions.paired_tests import (
    LEAST_DAYS,
    NOTHING,
    Paired,
    bootstrap_auc,
    bootstrap_mean,
    clusters_of,
    delong,
    mcnemar,
    two_arms,
)
from driftbook.errors import DataError

# DeLong, DeLong and Clarke-Pearson (1988), the 43 patients without missing values, as SAS/STAT prints them (PROC
# LOGISTIC, "Comparing Receiver Operating Characteristic Curves"): albumin, total protein, K-G score, surgery helps
PATIENTS = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1
3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0
4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1
4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1
2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1
"""
PRINTED = 5e-5  # SAS prints four decimals


def both_columns(score):
    """A table of two classes from any score; the positive class is the second."""
    return np.column_stack([-score, score])


def patients():
    table = np.array(PATIENTS.split(), dtype=float).reshape(-1, 4)
    albumin, protein, score, helps = table.T
    return helps.astype(np.int64), both_columns(albumin), both_columns(protein), both_columns(10 - score)


def correlated_models(rows, seed, *, better=0.0):
    random = np.random.default_rng(seed)
    truth = (random.random(rows) < 0.3).astype(np.int64)
    shared = truth + random.normal(size=rows)
    first = shared + random.normal(size=rows) * 0.6
    second = shared + better * truth + random.normal(size=rows) * 0.6
    return truth, both_columns(first), both_columns(second)


def test_mcnemar_is_the_exact_binomial_test():
    assert mcnemar(9, 1, rows=50).p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(1, 9, rows=50).difference == -0.16


def test_mcnemar_on_the_prime_ministers_approval():
    """Agresti, Categorical Data Analysis: 1,600 voters asked twice; 150 changed one way and 86 the other."""
    found = mcnemar(86, 150, rows=1600)
    assert found.difference == pytest.approx(-0.04)
    assert found.p_value == pytest.approx(3.716e-05, rel=1e-3)
    assert (found.low, found.high) == pytest.approx((-0.0587, -0.0212), abs=2e-4)


def test_models_that_never_disagree_are_alike_and_no_rows_say_nothing():
    assert mcnemar(0, 0, rows=10).p_value == 1.0
    assert mcnemar(0, 0, rows=0) == NOTHING


def test_more_wins_and_losses_than_rows_are_refused():
    with pytest.raises(DataError, match="expected wins and losses among 5 rows, found 4 and 2"):
        mcnemar(4, 2, rows=5)


@pytest.mark.parametrize(
    ("marker", "difference", "error", "chi_square"), [(1, 0.0108, 0.0953, 0.0127), (2, -0.0780, 0.1046, 0.5554)]
)
def test_delong_gives_the_published_table(marker, difference, error, chi_square):
    truth, *markers, score = patients()
    found = delong(truth, score, markers[marker - 1], chosen=1)
    own_error = (found.high - found.low) / 2 / 1.959963984540054
    assert found.difference == pytest.approx(difference, abs=PRINTED)
    assert own_error == pytest.approx(error, abs=PRINTED)
    assert (found.difference / own_error) ** 2 == pytest.approx(chi_square, abs=PRINTED)


def test_delongs_difference_is_that_of_sklearns_areas_ties_included():
    truth, champion, challenger = correlated_models(3000, 5)
    champion, challenger = champion.round(1), challenger.round(1)
    found = delong(truth, champion, challenger, chosen=1)
    expected = roc_auc_score(truth, challenger[:, 1]) - roc_auc_score(truth, champion[:, 1])
    assert found.difference == pytest.approx(expected, abs=1e-12)


def test_with_more_classes_the_area_is_the_mean_of_each_against_the_rest():
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 900)
    tables = [random.dirichlet(np.ones(3), 900) + np.eye(3)[truth] * weight for weight in (0.3, 0.5)]
    tables = [table / table.sum(axis=1, keepdims=True) for table in tables]
    areas = [roc_auc_score(truth, table, multi_class="ovr", average="macro") for table in tables]
    found = delong(truth, *tables, chosen=None)
    assert found.difference == pytest.approx(areas[1] - areas[0], abs=1e-12)
    assert found.low < found.difference < found.high


def test_delong_holds_its_level_on_models_that_rank_equally_well():
    """Known truth: of equal models one in twenty looks different; 400 pairs, so within three standard errors."""
    found = [delong(*correlated_models(400, seed), chosen=1).p_value for seed in range(400)]
    share = np.mean(np.array(found) < 0.05)
    assert abs(share - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400)


def test_scores_that_rank_alike_are_alike_and_one_class_says_nothing():
    truth, champion, _ = correlated_models(200, 1)
    assert delong(truth, champion, champion * 2, chosen=1) == Paired(0.0, 0.0, 0.0, 1.0)
    assert delong(np.zeros(200, dtype=np.int64), champion, champion, chosen=1) == NOTHING
    assert delong(np.eye(1, 200, dtype=np.int64)[0], champion, champion, chosen=1) == NOTHING, "one row has no spread"


def test_a_faultless_against_a_hopeless_ranking_has_a_difference_and_no_error_to_tell():
    truth = np.array([0, 0, 1, 1])
    assert delong(truth, both_columns(-truth), both_columns(truth), chosen=1) == Paired(1.0)


def test_tables_of_different_shapes_are_refused():
    with pytest.raises(DataError, match=r"found shapes \(2, 2\) and \(3, 2\)"):
        delong(np.array([0, 1]), np.zeros((2, 2)), np.zeros((3, 2)), chosen=1)


def test_newcombes_interval_is_that_of_his_table():
    """Newcombe (1998), table II, contrasts (a) and (b), method 10."""
    first = two_arms((48, 56), (80, 70))
    assert (first.low, first.high) == pytest.approx((0.0524, 0.3339), abs=PRINTED)
    second = two_arms((3, 9), (10, 10))
    assert (second.low, second.high) == pytest.approx((0.1705, 0.8090), abs=PRINTED)


def test_an_arm_without_rows_says_nothing_and_more_hits_than_rows_are_refused():
    assert two_arms((0, 3), (0, 5)) == NOTHING
    with pytest.raises(DataError, match="found \\(6, 3\\) among \\(5, 5\\)"):
        two_arms((6, 3), (5, 5))


def test_arms_without_any_error_are_alike():
    assert two_arms((5, 5), (5, 5)).p_value == 1.0


def test_days_are_drawn_whole_where_there_are_enough_of_them():
    days = np.repeat(np.arange(LEAST_DAYS), 30)
    assert clusters_of(days, seed=1).by == "day"
    assert clusters_of(days[days < LEAST_DAYS - 1], seed=1).by == "row"


def test_by_row_the_bootstrap_agrees_with_what_counts_rows_as_independent():
    truth, champion, challenger = correlated_models(6000, 8, better=0.1)
    clusters = clusters_of(np.repeat(np.arange(3), 2000), seed=4)
    by_sorting = delong(truth, champion, challenger, chosen=1)
    drawn = bootstrap_auc(truth, champion, challenger, clusters, chosen=1, seed=4)
    assert drawn.difference == pytest.approx(by_sorting.difference, abs=1e-12)
    width = (drawn.high - drawn.low) / (by_sorting.high - by_sorting.low)
    assert 0.85 < width < 1.15


def test_by_day_the_bootstrap_sees_that_rows_of_a_day_move_together():
    random = np.random.default_rng(2)
    days = np.repeat(np.arange(30), 200)
    together = np.sign(random.normal(size=30))[days] * (random.random(6000) < 0.1)
    by_day = bootstrap_mean(together, clusters_of(days, seed=3), seed=3)
    by_row = bootstrap_mean(together, clusters_of(np.zeros(6000, dtype=np.int64), seed=3), seed=3)
    assert by_day.difference == by_row.difference
    assert by_day.high - by_day.low > 3 * (by_row.high - by_row.low)


def test_the_bootstrap_of_a_mean_by_day_is_the_mean_of_what_was_drawn():
    days = np.repeat(np.arange(LEAST_DAYS), 10)
    found = bootstrap_mean(days.astype(float), clusters_of(days, seed=5), seed=5)
    assert found.difference == days.mean()
    assert days.min() < found.low < found.difference < found.high < days.max()


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly():
    truth, champion, challenger = correlated_models(1000, 9)
    days = np.arange(1000) // 50
    first, again, other = (
        bootstrap_auc(truth, champion, challenger, clusters_of(days, seed=1), chosen=1, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert other.low == pytest.approx(first.low, abs=0.1 * (first.high - first.low))


def test_a_rare_class_that_a_replication_misses_does_not_spoil_the_interval():
    truth = np.zeros(160, dtype=np.int64)
    truth[[5, 6]] = 1
    score = np.linspace(0, 1, 160)
    days = np.arange(160) // 20
    found = bootstrap_auc(truth, both_columns(score), both_columns(-score), clusters_of(days, seed=1), chosen=1, seed=1)
    assert np.isfinite([found.difference, found.low, found.high]).all()


def test_one_row_has_a_difference_and_no_interval():
    alone = np.array([0])
    assert bootstrap_mean(np.array([1.0]), clusters_of(alone, seed=1), seed=1) == Paired(1.0)
    assert bootstrap_mean(np.array([]), clusters_of(np.array([], dtype=np.int64), seed=1), seed=1) == NOTHING
    table = both_columns(np.array([0.5]))
    assert bootstrap_auc(alone, table, table, clusters_of(alone, seed=1), chosen=1, seed=1) == NOTHING
