from __future__ import annotations

import numpy as np
import pytest

from driftbook.errors import ModelError
from driftbook.model.splits import batch_folds, sample_rows, split_by_time, split_with_classes


def test_the_last_rows_by_time_are_set_aside() -> None:
    times = np.array([5, 1, 9, 7, 3])
    assert split_by_time(times, np.zeros(5, dtype=np.int64), share=0.4, seed=0).tolist() == [
        False, False, True, True, False
    ]  # fmt: skip


def test_ties_at_the_border_are_stratified_by_class() -> None:
    codes = np.array([0] * 80 + [1] * 20)
    late = split_by_time(np.zeros(100, dtype=np.int64), codes, share=0.25, seed=0)
    assert np.bincount(codes[late]).tolist() == [20, 5]


def test_a_class_of_one_row_stays_on_the_side_that_is_learned_from() -> None:
    codes = np.array([0] * 30 + [1])
    for seed in range(10):
        assert not split_by_time(np.zeros(31, dtype=np.int64), codes, share=0.2, seed=seed)[30]


def test_a_split_is_never_empty_on_either_side() -> None:
    codes = np.zeros(3, dtype=np.int64)
    assert split_by_time(np.arange(3), codes, share=0.01, seed=0).sum() == 1
    assert split_by_time(np.arange(3), codes, share=0.89, seed=0).sum() == 2


def test_time_is_given_up_only_where_the_test_would_hold_one_class() -> None:
    mixed, sorted_by_class = np.array([0, 1] * 50), np.array([0] * 50 + [1] * 50)
    assert split_with_classes(np.arange(100), mixed, share=0.2, seed=0)[1] is False
    late, without_time = split_with_classes(np.arange(100), sorted_by_class, share=0.2, seed=0)
    assert without_time
    assert np.bincount(sorted_by_class[late]).tolist() == [10, 10]


def test_a_batch_is_in_one_fold_and_neighbours_in_different_ones() -> None:
    batches = np.repeat([f"2026-04-{day:02d}" for day in range(1, 9)], 10).astype(object)
    folds = batch_folds(batches, np.tile([0, 1], 40), folds=4, seed=0)
    assert [set(folds[at : at + 10].tolist()) for at in range(0, 80, 10)] == [{0}, {1}, {2}, {3}] * 2


def test_few_batches_or_a_class_in_one_fold_only_give_stratified_folds() -> None:
    codes = np.array([0] * 36 + [1] * 4)
    for batches in (["a"] * 40, [f"b{at // 5}" for at in range(40)]):
        folds = batch_folds(np.array(batches, dtype=object), codes, folds=2, seed=0)
        assert all(np.bincount(codes[folds == fold]).tolist() == [18, 2] for fold in range(2))


def test_fewer_rows_than_folds_are_refused() -> None:
    with pytest.raises(ModelError, match="at least 4 rows"):
        batch_folds(np.array(["a"] * 3, dtype=object), np.array([0, 1, 0]), folds=4, seed=0)


def test_a_sample_is_ascending_seeded_and_never_larger_than_asked() -> None:
    assert sample_rows(5, most=10, seed=0).tolist() == [0, 1, 2, 3, 4]
    chosen = sample_rows(100, most=10, seed=0)
    assert chosen.size == np.unique(chosen).size == 10
    assert (np.diff(chosen) > 0).all()
    assert (chosen == sample_rows(100, most=10, seed=0)).all()
