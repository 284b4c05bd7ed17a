"""Drift of an embeddings column: every row a vector of the same width, as a list or an array of numbers.

The maximum mean discrepancy compares all pairs of vectors by a Gaussian kernel: zero when both sides come from one
distribution, positive whatever else differs (Gretton et al. 2012). The kernel is as wide as the median distance of the
reference's own vectors, so that all batches are held against one measure and a larger shift scores higher. The p-value
comes from dealing the vectors out to the two sides anew. For thousands of rows, or to learn *which* dimensions moved,
give :func:`dimensions` to the domain classifier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from driftbook.drift.profile import Floats
from driftbook.errors import DriftError

MOST_ROWS = 1_000  # of each side; the kernel holds the square of them
FEWEST_ROWS = 20
PERMUTATIONS = 500


@dataclass(frozen=True)
class EmbeddingResult:
    """The unbiased squared discrepancy (may be a little below zero), its p-value, and the kernel's width.

    ``drift_score`` is its ratio to the mean similarity within the sides: 0 alike, 1 nothing in common.
    """

    statistic: float
    p_value: float
    drift_score: float
    bandwidth: float
    rows: int


def embedding_drift(
    reference: pl.Series,
    current: pl.Series,
    *,
    seed: int,
    most_rows: int = MOST_ROWS,
    permutations: int = PERMUTATIONS,
) -> EmbeddingResult:
    """Compare two columns of vectors.

    Parameters
    ----------
    reference, current
        Lists or arrays of finite numbers, all of one width; no nulls.
    seed
        Of the rows drawn where there are more than ``most_rows`` on a side, and of the permutations.

    Raises
    ------
    DriftError
        If a column holds anything else, or fewer than 20 rows.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> before, alike = (pl.Series("vector", random.normal(size=(200, 8))) for _ in range(2))
    >>> embedding_drift(before, alike, seed=1).p_value > 0.05
    True
    >>> embedding_drift(before, pl.Series("vector", random.normal(0.5, size=(200, 8))), seed=1).p_value < 0.01
    True
    """
    before, after = _vectors(reference), _vectors(current)
    if before.shape[1] != after.shape[1]:
        raise DriftError(
            f"column {current.name!r}: expected vectors of width {before.shape[1]} as in the reference, "
            f"found width {after.shape[1]}; were they made by another model?"
        )
    if min(len(before), len(after)) < FEWEST_ROWS:
        raise DriftError(
            f"expected at least {FEWEST_ROWS} vectors on either side, found {len(before)} and {len(after)}"
        )
    random = np.random.default_rng(seed)
    before, after = (_drawn(vectors, most_rows, random) for vectors in (before, after))
    distances = _squared_distances(np.vstack([before, after]))
    bandwidth = _median_distance(distances[: len(before), : len(before)])
    kernel = np.exp(-distances / (2 * bandwidth**2))
    np.fill_diagonal(kernel, 0.0)  # unbiased: no row with itself
    sides = np.zeros((permutations + 1, len(kernel)))
    sides[:, len(before) :] = 1.0
    sides[1:] = random.permuted(sides[1:], axis=1)
    within, statistics = _discrepancies(kernel, sides)
    statistic, similar = float(statistics[0]), float(within[0])
    reached = int((statistics[1:] >= statistic * (1 - 1e-9)).sum())
    score = float(np.clip(statistic / similar, 0.0, 1.0)) if similar > 0 else 0.0
    return EmbeddingResult(statistic, (1 + reached) / (1 + permutations), score, bandwidth, len(after))


def dimensions(vectors: pl.Series) -> pl.DataFrame:
    """One numeric column per dimension, for the domain classifier.

    Examples
    --------
    >>> dimensions(pl.Series("v", [[1.0, 2.0], [3.0, 4.0]])).to_dict(as_series=False)
    {'v[0]': [1.0, 3.0], 'v[1]': [2.0, 4.0]}
    """
    numbers = _vectors(vectors)
    return pl.DataFrame({f"{vectors.name}[{place}]": numbers[:, place] for place in range(numbers.shape[1])})


def _vectors(series: pl.Series) -> Floats:
    """The column as a matrix; every fault says where it is and what was expected."""
    wanted = f"column {series.name!r}: expected a list of finite numbers in every row, all of one width"
    dtype = series.dtype
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else None
    if inner is None or not inner.is_numeric():
        raise DriftError(f"{wanted}; found {dtype}")
    if series.null_count():
        raise DriftError(f"{wanted}; found {series.null_count():,} rows without one, drop them first")
    if series.is_empty():
        raise DriftError(f"{wanted}; found no rows")
    lists = series.cast(pl.List(pl.Float64))
    widths = lists.list.len()
    low, high = widths.min(), widths.max()
    if low != high or not high:
        raise DriftError(f"{wanted}; found between {low!r} and {high!r} numbers")
    matrix = lists.explode().to_numpy().reshape(series.len(), -1).astype(np.float64)
    faulty = int((~np.isfinite(matrix)).any(axis=1).sum())
    if faulty:
        raise DriftError(f"{wanted}; found {faulty:,} rows with a missing or infinite number")
    return matrix


def _drawn(vectors: Floats, most: int, random: np.random.Generator) -> Floats:
    return vectors[np.sort(random.choice(len(vectors), size=most, replace=False))] if len(vectors) > most else vectors


def _squared_distances(vectors: Floats) -> Floats:
    centred = vectors - vectors.mean(axis=0)  # less cancellation
    squares = (centred**2).sum(axis=1)
    result: Floats = np.maximum(squares[:, None] + squares[None, :] - 2 * centred @ centred.T, 0.0)
    return result


def _median_distance(distances: Floats) -> float:
    """Of different rows; 1 where most are alike."""
    median = float(np.sqrt(np.median(distances[np.triu_indices(len(distances), 1)])))
    return median if median > 0.0 else 1.0


def _discrepancies(kernel: Floats, sides: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Mean similarity within the sides (both added up), and the discrepancy, for every row of 0 and 1 in ``sides``."""
    after = sides.sum(axis=1)
    before = sides.shape[1] - after
    both = ((sides @ kernel) * sides).sum(axis=1)
    crossed = sides @ kernel.sum(axis=1) - both
    neither = kernel.sum() - both - 2 * crossed
    within = neither / (before * (before - 1)) + both / (after * (after - 1))
    return within, within - 2 * crossed / (before * after)
