"""What the history says about each column: the yardstick by which scenarios are sized.

A shift of "half a standard deviation" needs a standard deviation, and taking it from the rows that are shifted
would look into the future and make the size depend on the day. So it is measured once, on rows of the history,
and handed to :mod:`driftbook.data.scenarios`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from driftbook.config import UseCase
from driftbook.errors import DataError

FloatArray = npt.NDArray[np.float64]

UPPER_QUANTILE = 0.85


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A numeric column in the history."""

    mean: float
    std: float
    median: float
    upper: float  # its 0.85 quantile
    lowest: float
    levels: int  # distinct values
    whole: bool  # only whole numbers


@dataclass(frozen=True, kw_only=True)
class Scales:
    """What the history says about each column, and the class that scenarios turn rows into.

    The ``focus_class`` is the positive one of a binary task (the other, should the positive one be the majority)
    and the second most frequent of a multi-class task.
    """

    numeric: Mapping[str, Scale]
    most_frequent: Mapping[str, str]
    focus_class: str


def measure_scales(history: pl.DataFrame, case: UseCase) -> Scales:
    """The statistics that scenarios are scaled by, from labelled rows of the history alone.

    Parameters
    ----------
    history
        Features of the case and ``target``; rows without a target count for the features.

    Raises
    ------
    DataError
        If fewer than two classes occur, as there is then nothing to turn rows into.
    """
    return Scales(
        numeric={name: _scale(history[name]) for name in case.columns.numeric},
        most_frequent={name: values[0] for name in case.columns.categorical if (values := _ranked(history[name]))},
        focus_class=_focus_class(history["target"], case),
    )


def _scale(column: pl.Series) -> Scale:
    values = column.cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Scale(mean=0.0, std=0.0, median=0.0, upper=0.0, lowest=0.0, levels=0, whole=False)
    return Scale(
        mean=float(values.mean()),
        std=float(values.std()),
        median=float(np.median(values)),
        upper=float(np.quantile(values, UPPER_QUANTILE)),
        lowest=float(values.min()),
        levels=int(np.unique(values).size),
        whole=bool((values == np.floor(values)).all()),
    )


def _ranked(column: pl.Series) -> list[str]:
    """Distinct values, the most frequent first, ties by name."""
    counts = column.drop_nulls().cast(pl.String).value_counts(name="rows")
    return counts.sort(["rows", column.name], descending=[True, False])[column.name].to_list()


def _focus_class(target: pl.Series, case: UseCase) -> str:
    classes = _ranked(target)
    if len(classes) < 2:
        found = f"only {classes[0]!r}" if classes else "none"
        raise DataError(
            f"the history should hold at least two classes of {case.columns.target!r} for scenario "
            f"{case.scenario.name!r} to act on, found {found}; use scenario 'stable' or give a longer history"
        )
    positive = case.columns.positive_class
    if case.task == "binary" and positive in classes and classes[0] != positive:
        return positive
    return classes[1]
