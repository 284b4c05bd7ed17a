import itertools
import math

import numpy as np
import pytest

from driftbook.decisions.sequential import (
    STAKES,
    PairedSums,
    confidence_sequence,
    design_effects,
    effective_sums,
    log_evidence,
)


def test_the_evidence_of_signs_is_the_wealth_of_the_bets_multiplied_out():
    differences = [1, 0, 1, -1, 1, 0]
    sums = PairedSums.of(6, sum(differences), sum(abs(d) for d in differences), is_sign=True)
    for mean in (-0.3, 0.0, 0.2):
        wealth = np.mean([math.prod(1 + stake / (1 + mean) * (d - mean) for d in differences) for stake in STAKES])
        assert log_evidence(sums, mean=mean) == pytest.approx(math.log(wealth), abs=1e-12)


def test_an_e_value_has_expectation_one_at_most_over_all_outcomes():
    # six rows, each -1 or 1 with equal probability: every outcome counted
    outcomes = [sum(signs) for signs in itertools.product((-1, 1), repeat=6)]
    sums = PairedSums.of([6] * 64, outcomes, [6] * 64, is_sign=True)
    assert np.exp(log_evidence(sums)).mean() == pytest.approx(1.0, abs=1e-12)
    assert np.exp(log_evidence(sums, mean=0.2)).mean() < 1.0


def test_the_bound_for_other_differences_never_exceeds_the_wealth_of_the_bets():
    rng = np.random.default_rng(7)
    for _ in range(50):
        differences = rng.uniform(-1, 1, 30)
        sums = PairedSums.of(30, differences.sum(), (differences**2).sum(), is_sign=False)
        mean = float(rng.uniform(-0.5, 0.5))
        wealth = np.mean([np.prod(1 + stake / (1 + mean) * (differences - mean)) for stake in STAKES])
        assert log_evidence(sums, mean=mean) <= math.log(wealth) + 1e-12


def test_the_confidence_sequence_turns_with_the_models():
    sums = PairedSums.of([500.0], [20.0], [60.0], is_sign=True)
    low, high = confidence_sequence(sums, error_rate=0.01)
    turned_low, turned_high = confidence_sequence(sums.turned(), error_rate=0.01)
    assert (turned_low, turned_high) == (-high, -low)
    assert low < 0.04 < high


def test_more_days_that_agree_narrow_the_confidence_sequence():
    days = PairedSums.of([1000] * 20, [10] * 20, [100] * 20, is_sign=True)
    low, high = confidence_sequence(effective_sums(days), error_rate=0.01)
    assert (np.diff(high - low) < 0).all()


def test_days_that_agree_are_divided_by_the_least_design_effect_only():
    days = PairedSums.of([2401] * 10, [48] * 10, [240] * 10, is_sign=True)
    assert design_effects(days)[-1] == pytest.approx(1.6)
    assert effective_sums(days).total[-1] == pytest.approx(300.0)


def test_days_that_differ_more_than_chance_allows_weaken_the_evidence():
    even = PairedSums.of([2400] * 10, [40] * 10, [240] * 10, is_sign=True)
    uneven = PairedSums.of([2400] * 10, [160, -80] * 5, [240] * 10, is_sign=True)
    assert log_evidence(effective_sums(even))[-1] > 10
    assert log_evidence(effective_sums(uneven))[-1] < 1


def test_models_that_never_differ_give_no_evidence_and_no_exception():
    days = PairedSums.of([100, 100], [0, 0], [0, 0], is_sign=True)
    assert log_evidence(effective_sums(days)).tolist() == [0.0, 0.0]
    low, high = confidence_sequence(effective_sums(days), error_rate=0.01)
    assert (low < 0).all()
    assert (high > 0).all()


def test_one_row_a_day_is_handled():
    days = PairedSums.of([1, 1, 1], [1, -1, 1], [1, 1, 1], is_sign=True)
    assert np.isfinite(log_evidence(effective_sums(days))).all()


def test_an_earlier_day_does_not_depend_on_later_ones():
    days = PairedSums.of([500, 700, 300], [10, 4, 9], [50, 60, 30], is_sign=True)
    first_two = PairedSums.of([500, 700], [10, 4], [50, 60], is_sign=True)
    assert np.array_equal(effective_sums(days).total[:2], effective_sums(first_two).total)
