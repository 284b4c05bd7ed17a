"""P-values as scipy gives them, without its second of work on a large drifted column."""

from __future__ import annotations

import warnings

import numpy as np

from driftbook.drift.batches import Pairing
from driftbook.drift.profile import Floats, Integers
from driftbook.drift.sorted_columns import EXACT_ROWS

FAST_TAIL_ROWS = 1_000  # from here on the fast sum below agrees with scipy to 5e-13
AT_ONCE = 1_000
FEWEST_TO_COUNT = 300  # rows up to which scipy is fast enough
NEARLY_ALL = 1 - 1e-9  # beyond, scipy may round above 1 and then gives another figure


def ks_p_values(distances: Floats, pair: Pairing) -> Floats:
    """P-values of the two-sample Kolmogorov–Smirnov test, as ``scipy.stats.ks_2samp`` gives them.

    scipy sums as many terms as there are rows, up to a second for a large drifted column; the same sum by the
    trapezoid rule takes a tenth of a millisecond. Samples of at most 10,000 rows are counted exactly, by scipy where
    their sizes differ.

    Parameters
    ----------
    distances
        The two-sided statistics of the batches; NaN gives NaN.
    """
    n, sizes = pair.reference.finite, pair.batches.finite
    found = np.full(distances.size, np.nan)
    exact = np.isfinite(distances) & (np.maximum(sizes, n) <= EXACT_ROWS)
    for number in np.flatnonzero(exact):
        found[number] = _exact(pair, int(number), float(distances[number]))
    rest = np.isfinite(distances) & ~exact
    found[rest] = asymptotic_ks_p_values(distances[rest], n, sizes[rest])
    return found


def asymptotic_ks_p_values(distances: Floats, n: int, sizes: Integers) -> Floats:
    """The same from the distances and sizes alone, for samples of more than 10,000 rows."""
    from scipy import stats

    rows = np.round(n * sizes.astype(np.float64) / (n + sizes))
    scaled = rows * distances * distances
    fast = (rows >= FAST_TAIL_ROWS) & (scaled >= 2.2) & (scaled < 369)
    found = np.empty(distances.size)
    found[~fast] = stats.kstwo.sf(distances[~fast], rows[~fast])
    places = np.flatnonzero(fast)
    for first in range(0, places.size, AT_ONCE):
        some = places[first : first + AT_ONCE]
        found[some] = smirnov_tail(rows[some], distances[some])
    return np.clip(found, 0.0, 1.0)


def smirnov_tail(rows: Floats, distances: Floats, *, points: int = 400) -> Floats:
    """Twice Smirnov's one-sided tail: ``d Σ_j C(n, j) (d + j/n)^(j-1) (1 - d - j/n)^(n-j)``.

    The terms are a smooth bell in ``j`` that vanishes at both ends, where the trapezoid rule converges
    exponentially. Logarithms with Stirling's series avoid overflow and cancellation.
    """
    rows, distances = rows[:, None], distances[:, None]
    share = np.linspace(0.0, 1.0, points)
    coarse = 1.0 + share * (rows * (1 - distances) - 2.0)
    heights = _smirnov_terms(coarse, rows, distances)
    inside = heights > heights.max(axis=1, keepdims=True) - 45
    first = np.maximum(inside.argmax(axis=1) - 1, 0)
    last = np.minimum(points - inside[:, ::-1].argmax(axis=1), points - 1)
    low, high = (np.take_along_axis(coarse, place[:, None], axis=1) for place in (first, last))
    places = low + share * (high - low)
    heights = _smirnov_terms(places, rows, distances)
    top = heights.max(axis=1, keepdims=True)
    terms = np.exp(heights - top)
    area = (terms.sum(axis=1) - 0.5 * (terms[:, 0] + terms[:, -1])) * (places[:, 1] - places[:, 0])
    tail: Floats = 2 * distances[:, 0] * area * np.exp(top[:, 0])
    return tail


def _exact(pair: Pairing, number: int, distance: float) -> float:
    from scipy import stats

    n, m = pair.reference.finite, pair.batches.finite[number]
    if n == m and n >= FEWEST_TO_COUNT:
        share = share_of_paths_outside(n, round(distance * n))
        if share < NEARLY_ALL:
            return share
    first, second = pair.reference, pair.batches.profile(number)
    values = [each.values if each.weights is None else np.repeat(each.values, each.weights) for each in (first, second)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where paths are too many to count it falls back by itself
        return float(stats.ks_2samp(*values).pvalue)


def share_of_paths_outside(rows: int, steps: int) -> float:
    """Share of the paths of two samples of ``rows`` each that ever lie ``steps`` apart or more.

    By reflections: ``2 (A_1 - A_2 + A_3 - …)``, where each term is the one before it times a product of ``steps``
    ratios; factored as Horner's rule does, so that nothing cancels.
    """
    if not steps:
        return 1.0
    times = np.arange(rows // steps)[:, None] * steps
    places = np.arange(steps)
    share = 0.0
    for ratio in np.prod((rows - times - places) / (rows + times + places + 1), axis=1)[::-1]:
        share = float(ratio) * (1.0 - share)
    return 2 * share


def _smirnov_terms(j: Floats, rows: Floats, distance: Floats) -> Floats:
    rest, share = rows - j, j / rows
    stirling = _stirling(rows) - _stirling(j) - _stirling(rest)
    shift = j * np.log1p(distance / share) - np.log(distance + share) + rest * np.log1p(-distance / (1 - share))
    terms: Floats = 0.5 * np.log(rows / (2 * np.pi * j * rest)) + stirling + shift
    return terms


def _stirling(x: Floats) -> Floats:
    series: Floats = 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5)
    return series
