"""Reconstruction error: do rows still lie where the columns' joint structure says they lie?

As in NannyML: rows are standardised by the reference, categories become indicators, and the principal components that
hold 65 % of the reference's variance reconstruct each row; its error is the Euclidean distance to what comes back.
When columns stop moving together the errors grow. A cheap second look beside the domain classifier, blind to changes
along the components and to structure that no straight line describes.

Components describe the rows they were fitted on a little better than others. So the reference's errors come from
components of its other half, and a batch's row gets the mean of both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from driftbook.drift.encoding import RowEncoder, fit_encoder
from driftbook.drift.profile import Floats
from driftbook.errors import DriftError

VARIANCE_SHARE = 0.65
FEWEST_ROWS = 20  # of each side
MOST_INDICATORS = 500  # numeric columns and levels of categories; the work grows with the cube of them
SMALLEST_SPREAD = 1e-3  # of the reference's errors, whose columns are of spread 1


@dataclass(frozen=True, eq=False)
class Components:
    """Centre and principal components (one per row, orthonormal) of encoded rows."""

    encoder: RowEncoder
    centre: Floats
    directions: Floats
    explained: float

    def residuals(self, rows: pl.DataFrame) -> Floats:
        """What reconstruction leaves of each encoded row, shape (rows, indicators)."""
        return self.left_over(_encoded(self.encoder, rows))

    def left_over(self, encoded: Floats) -> Floats:
        """The same of rows that are encoded already."""
        centred = encoded - self.centre
        result: Floats = centred - (centred @ self.directions.T) @ self.directions
        return result


@dataclass(frozen=True, eq=False)
class ReconstructionResult:
    """Change of the mean error in the reference's standard deviations of it.

    ``z`` is the same in standard errors. ``shares``: which columns' errors grew, summing to one (all zero if none).
    """

    statistic: float
    z: float
    standard_error: float
    shares: Mapping[str, float]
    errors: Floats

    @property
    def p_value(self) -> float:
        """Two-sided."""
        return float(2 * special.ndtr(-abs(self.z)))

    @property
    def drift_score(self) -> float:
        """``1 - exp(-|statistic|)``: errors larger by one standard deviation score 0.63."""
        return -math.expm1(-abs(self.statistic))


def fit_components(
    reference: pl.DataFrame, *, numeric: Sequence[str], categorical: Sequence[str], share: float = VARIANCE_SHARE
) -> Components:
    """The fewest principal components of the reference that hold ``share`` of its variance.

    Examples
    --------
    >>> before = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.1, 1.9, 3.1, 3.9]})
    >>> components = fit_components(before, numeric=["a", "b"], categorical=[])
    >>> components.directions.shape, round(components.explained, 3)
    ((1, 2), 0.998)
    >>> apart = pl.DataFrame({"a": [1.0], "b": [4.0]})
    >>> bool(reconstruction_error(components, apart)[0] > 10 * reconstruction_error(components, before).mean())
    True
    """
    encoder = fit_encoder(reference, numeric=numeric, categorical=categorical)
    return _components(encoder, _encoded(encoder, reference), share)


def reconstruction_error(components: Components, rows: pl.DataFrame) -> Floats:
    """Distance of each row to its reconstruction, in standard deviations of a column."""
    errors: Floats = np.linalg.norm(components.residuals(rows), axis=1)
    return errors


def reconstruction_drift(
    reference: pl.DataFrame, current: pl.DataFrame, *, numeric: Sequence[str], categorical: Sequence[str], seed: int
) -> ReconstructionResult:
    """Compare the errors of a batch with those of the reference.

    Parameters
    ----------
    reference, current
        Rows that hold the named columns.
    seed
        Of the halves of the reference.

    Raises
    ------
    DriftError
        If a side has too few rows, or a column is not there or cannot be read.

    Examples
    --------
    >>> first, second = np.random.default_rng(1).normal(size=(2, 800))
    >>> before = pl.DataFrame({"a": first, "b": first + second / 5})
    >>> after = pl.DataFrame({"a": first, "b": second})
    >>> found = reconstruction_drift(before, after, numeric=["a", "b"], categorical=[], seed=1)
    >>> found.statistic > 1, found.p_value < 1e-9
    (True, True)
    """
    if min(reference.height, current.height) < FEWEST_ROWS:
        raise DriftError(
            f"expected at least {FEWEST_ROWS} rows on either side to compare reconstruction errors, "
            f"found {reference.height:,} of the reference and {current.height:,} of the batch; wait for more"
        )
    encoder = fit_encoder(reference, numeric=numeric, categorical=categorical)
    before, after = _encoded(encoder, reference), _encoded(encoder, current)
    half = np.random.default_rng(seed).permutation(len(before)) % 2 == 0
    squares_before, squares_after = np.empty(before.shape), np.zeros(after.shape)
    errors_after = np.zeros(len(after))
    for fitted in (half, ~half):
        components = _components(encoder, before[fitted], VARIANCE_SHARE)
        squares_before[~fitted] = components.left_over(before[~fitted]) ** 2
        squares = components.left_over(after) ** 2
        squares_after += squares / 2
        errors_after += np.sqrt(squares.sum(axis=1)) / 2
    errors_before = np.sqrt(squares_before.sum(axis=1))
    spread = max(float(errors_before.std()), SMALLEST_SPREAD)
    statistic = float(errors_after.mean() - errors_before.mean()) / spread
    standard_error = math.sqrt(1 / len(before) + 1 / len(after))
    grown = squares_after.mean(axis=0) - squares_before.mean(axis=0)
    shares = _shares(encoder, grown)
    return ReconstructionResult(statistic, statistic / standard_error, standard_error, shares, errors_after)


def _encoded(encoder: RowEncoder, rows: pl.DataFrame) -> Floats:
    found = encoder.indicated.size
    if found > MOST_INDICATORS:
        raise DriftError(
            f"expected at most {MOST_INDICATORS} numeric columns and levels of categories to find components of, "
            f"found {found:,}; name the most important columns"
        )
    return encoder.indicators(encoder.matrix(rows)).astype(np.float64)


def _components(encoder: RowEncoder, encoded: NDArray[np.float64], share: float) -> Components:
    if not len(encoded):
        raise DriftError("expected rows to learn components from, found none")
    centre = encoded.mean(axis=0)
    centred = encoded - centre
    _, variances, directions = np.linalg.svd(centred.T @ centred / len(encoded), hermitian=True)
    total = float(variances.sum())
    if total <= 0.0:  # constant columns: any change is an error
        return Components(encoder, centre, np.zeros((0, centre.size)), 1.0)
    held = np.cumsum(variances) / total
    number = int(np.searchsorted(held, share * (1 - 1e-12))) + 1
    return Components(encoder, centre, directions[:number], float(held[min(number, held.size) - 1]))


def _shares(encoder: RowEncoder, grown: Floats) -> dict[str, float]:
    totals = np.bincount(encoder.indicated, weights=grown, minlength=len(encoder.columns))
    totals = np.maximum(totals, 0.0)
    shares = totals / totals.sum() if totals.sum() > 0 else totals
    return dict(zip(encoder.columns, shares.tolist(), strict=True))
