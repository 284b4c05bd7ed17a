"""From raw margins to probabilities one may take at their word.

A class's probability is ``softmax(slope * margin + offset of the class)``. With two classes this is Platt's map of
the log-odds: strictly increasing, so that no ranking changes and no two rows are tied by it, as they would be by
isotonic steps. With more it is a temperature with an offset per class. Boosted trees that were fitted on the log
loss are off by little, and few parameters are learned well from few rows. They are fitted on margins of models that
had not seen the row (out of fold), with a weak pull towards no change, so that classes of one row do not run away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from driftbook.errors import ModelError

SMALLEST_SLOPE = 0.05
PULL = 1.0  # weight of the pull towards no change, in rows
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """The fitted map; ``offsets`` has one entry per class."""

    slope: float
    offsets: tuple[float, ...]

    def probabilities(self, margins: npt.ArrayLike) -> Array:
        """Probabilities per row and class, shape (rows, classes).

        Parameters
        ----------
        margins
            Shape (rows,): log-odds of the second of two classes; or shape (rows, classes).

        Examples
        --------
        >>> Calibration(slope=1.0, offsets=(0.0, 0.0)).probabilities([0.0, 1.0]).round(3)
        array([[0.5  , 0.5  ],
               [0.269, 0.731]])
        """
        logits = self.slope * _columns(margins) + np.asarray(self.offsets)
        return _shares(logits - logits.max(axis=1, keepdims=True))

    def to_json(self) -> dict[str, Any]:
        """Plain values that :meth:`from_json` reads back."""
        return {"slope": self.slope, "offsets": list(self.offsets)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Calibration:
        """The map that :meth:`to_json` wrote."""
        try:
            return cls(slope=float(content["slope"]), offsets=tuple(float(each) for each in content["offsets"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the calibration's description is broken ({error}); train the model again") from error


def calibrate_each(margins: Sequence[Sequence[float]], calibrations: Sequence[Calibration]) -> list[list[float]]:
    """The same bits as :meth:`Calibration.probabilities`, for one row of each of several calibrations.

    For so few numbers numpy takes longer to begin than to compute. It does the exponential and the sum, which plain
    numbers may round otherwise.

    Parameters
    ----------
    margins
        By calibration: the log-odds of the second of two classes, else one per class; as many for all.

    Returns
    -------
    By calibration, the probability of every class.

    Examples
    --------
    >>> maps = [Calibration(slope=1.0, offsets=(0.0, 0.0)), Calibration(slope=2.0, offsets=(0.0, 0.5))]
    >>> found = calibrate_each([[1.0], [0.3]], maps)
    >>> found == [*maps[0].probabilities([1.0]).tolist(), *maps[1].probabilities([0.3]).tolist()]
    True
    """
    logits = []
    for given, calibration in zip(margins, calibrations, strict=True):
        columns = given if len(given) > 1 else (0.0, *given)
        each = [
            calibration.slope * margin + offset for margin, offset in zip(columns, calibration.offsets, strict=True)
        ]
        largest = max(each)
        logits.append([logit - largest for logit in each])
    found: list[list[float]] = _shares(np.array(logits)).tolist()
    return found


def _shares(logits: Array) -> Array:
    """Softmax by row, shape (rows, classes), of logits of which the largest in a row is 0."""
    weights = np.exp(logits)
    return np.asarray(weights / np.add.reduce(weights, axis=1, keepdims=True))


def fit_calibration(margins: npt.ArrayLike, codes: npt.NDArray[np.int64], *, classes: int) -> Calibration:
    """Fit the map by maximum likelihood, weakly pulled towards slope 1 and offsets 0.

    Parameters
    ----------
    margins
        Out-of-fold margins, as for :meth:`Calibration.probabilities`.
    codes
        Class of each row, 0 to ``classes - 1``.

    Examples
    --------
    >>> overconfident = [-4.0] * 4 + [4.0] * 4
    >>> fitted = fit_calibration(overconfident, np.array([0, 0, 0, 1, 1, 1, 1, 0]), classes=2)
    >>> 0.2 < fitted.slope < 0.4
    True
    """
    from scipy.optimize import minimize

    columns = _columns(margins)
    if columns.shape[1] != classes or columns.shape[0] != codes.size:
        raise ModelError(f"expected margins of {codes.size} rows and {classes} classes, found {columns.shape}")
    rows = np.arange(codes.size)
    observed = columns[rows, codes].sum()
    counts = np.bincount(codes, minlength=classes)

    def loss(free: Array) -> tuple[float, Array]:
        slope, offsets = free[0], free[1:]
        logits = slope * columns + offsets
        logits -= logits.max(axis=1, keepdims=True)
        weights = np.exp(logits)
        total = weights.sum(axis=1, keepdims=True)
        value = float(np.log(total).sum() - logits[rows, codes].sum())
        weights /= total
        gradient = np.empty_like(free)
        gradient[0] = (weights * columns).sum() - observed + PULL * (slope - 1.0)
        gradient[1:] = weights.sum(axis=0) - counts + PULL * offsets
        value += 0.5 * PULL * float((slope - 1.0) ** 2 + (offsets**2).sum())
        return value / codes.size, gradient / codes.size

    start = np.concatenate([[1.0], np.zeros(classes)])
    bounds = [(SMALLEST_SLOPE, None)] + [(None, None)] * classes
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200}).x
    exact = [float(f"{each:.12g}") for each in fitted]  # as JSON keeps them: a loaded bundle scores the same bits
    return Calibration(slope=exact[0], offsets=tuple(exact[1:]))


def _columns(margins: npt.ArrayLike) -> Array:
    """Margins per class: log-odds of two classes become (0, log-odds)."""
    array = np.asarray(margins, dtype=np.float64)
    if array.ndim > 1:
        return array
    columns = np.zeros((array.size, 2))
    columns[:, 1] = array
    return columns
