"""Which rows a model is fitted on, and which it is judged on.

In use a model predicts the future from the past, so it is tested on the last rows by time, not on random ones: a
random test would let it peek at neighbours of the test rows. Where times tie (tables without a time are dealt to
days), the rows at the border are drawn so that each class goes to both sides by its share. Folds hold whole batches,
because rows of one day resemble each other; neighbouring batches go to different folds, so that each fold sees all
seasons.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from driftbook.errors import ModelError

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def split_by_time(times: Codes, codes: Codes, *, share: float, seed: int) -> Mask:
    """True for the last ``share`` of the rows by time; ties at the border are stratified by class.

    Parameters
    ----------
    times
        Event times as integers.
    codes
        Class of each row.

    Examples
    --------
    >>> split_by_time(np.array([3, 1, 2, 4]), np.zeros(4, dtype=np.int64), share=0.25, seed=0)
    array([False, False, False,  True])
    """
    wanted = min(max(1, round(times.size * share)), times.size - 1)
    border = np.partition(times, times.size - wanted)[times.size - wanted]
    chosen = np.asarray(times > border)
    tied = np.flatnonzero(times == border)
    still = wanted - int(chosen.sum())
    # half a step from the end of its class: a class of one row stays on the side that is learned from
    place = _place_in_class(codes[tied], seed=seed)
    chosen[tied[np.argsort(place, kind="stable")[:still]]] = True
    return chosen


def split_with_classes(times: Codes, codes: Codes, *, share: float, seed: int) -> tuple[Mask, bool]:
    """As :func:`split_by_time`, but stratified without time where a side would hold too few classes to be of use.

    Returns
    -------
    The mask, and whether time had to be given up.
    """
    mask = split_by_time(times, codes, share=share, seed=seed)
    if _has_two_classes(codes[mask], least=1) and _has_two_classes(codes[~mask], least=5):
        return mask, False
    return split_by_time(np.zeros_like(times), codes, share=share, seed=seed), True


def batch_folds(batch_ids: npt.NDArray[np.object_], codes: Codes, *, folds: int, seed: int) -> Codes:
    """Fold of each row: whole batches in turn, or stratified rows where there are too few batches or classes.

    Examples
    --------
    >>> batches = np.array(["a", "a", "b", "b", "c", "d"], dtype=object)
    >>> batch_folds(batches, np.array([0, 1, 0, 1, 1, 0]), folds=2, seed=0)
    array([0, 0, 1, 1, 0, 1])
    """
    if codes.size < folds:
        raise ModelError(f"expected at least {folds} rows for {folds} folds, found {codes.size}; give more history")
    names, batch = np.unique(batch_ids.astype(str), return_inverse=True)
    assigned = (batch % folds).astype(np.int64)
    whole = len(names) >= 2 * folds
    if whole and all(_has_two_classes(codes[assigned != fold], least=1) for fold in range(folds)):
        return assigned
    by_class = np.lexsort((_place_in_class(codes, seed=seed), codes))
    assigned[by_class] = np.arange(codes.size) % folds
    return assigned


def sample_rows(rows: int, *, most: int, seed: int) -> npt.NDArray[np.intp]:
    """At most ``most`` of the row numbers, drawn at random, in ascending order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size=most, replace=False))


def _place_in_class(codes: Codes, *, seed: int) -> npt.NDArray[np.float64]:
    """Each row's place within its class in random order, evenly spread over 0 to 1."""
    shuffled = np.random.default_rng(seed).permutation(codes.size)
    place = np.empty(codes.size)
    for each in np.unique(codes):
        mine = shuffled[codes[shuffled] == each]
        place[mine] = (np.arange(mine.size) + 0.5) / mine.size
    return place


def _has_two_classes(codes: Codes, *, least: int) -> bool:
    return int((np.bincount(codes) >= least).sum()) >= 2 if codes.size else False
