"""Probabilities put right by what was seen: the map that estimates without targets rest on.

An estimate of performance takes probabilities at their word, so they are first compared with the reference: scores
given out of sample, with their targets. Isotonic regression finds the rising step function closest to the targets
(pool adjacent violators; Zadrozny & Elkan 2002), straight lines lead from step to step, beyond the ends the map is
level, as scikit-learn and NannyML have it. It assumes no shape, which a figure nobody is ranked by can afford (the
served probabilities keep Platt's map, which makes no ties), but it needs rows: with too few the map would be luck, and
the probabilities are taken as they are, with a note that says so.

More than two classes have a map each (class against the rest), the results are divided by their sum. Each step
knows the rows it rests on, so that its own error can enter an interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from driftbook.errors import ModelError

LEAST_ROWS = 300
LEAST_OF_CLASS = 20
LEAST_DAYS = 5
Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Variance = Callable[[Array], float]


@dataclass(frozen=True)
class IsotonicMap:
    """Where the map bends: the score, the share of hits there, and the rows of the step it belongs to."""

    score: tuple[float, ...]
    share: tuple[float, ...]
    rows: tuple[float, ...]

    def apply(self, scores: Array) -> Array:
        """The share of hits to expect at each score.

        Examples
        --------
        >>> IsotonicMap(score=(0.0, 0.5), share=(0.25, 0.75), rows=(8, 8)).apply(np.array([0.0, 0.25, 0.9]))
        array([0.25, 0.5 , 0.75])
        """
        return np.asarray(np.interp(scores, self.score, self.share))

    def cautious(self, scores: Array) -> Array:
        """The same, half a hit and half a miss added to each step: no finite number of rows proves a zero or a one."""
        share, rows = np.asarray(self.share), np.asarray(self.rows)
        return np.asarray(np.interp(scores, self.score, (share * rows + 0.5) / (rows + 1)))

    def variance(self, scores: Array) -> Variance:
        """For weights of these scores: the variance of the weighted sum of what they are mapped to.

        By chance in the rows that the map was fitted on; several sums of the same scores share the search.
        """
        at, share, rows = (np.asarray(each) for each in (self.score, self.share, self.rows))
        place = np.clip(np.searchsorted(at, scores, side="right") - 1, 0, max(share.size - 2, 0))
        above = np.minimum(place + 1, share.size - 1)
        width = at[above] - at[place]
        along = np.clip((scores - at[place]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
        starts = np.concatenate([[0], np.flatnonzero(np.diff(share) > 0) + 1])  # both ends of a step are one share
        cautious = ((share * rows + 0.5) / (rows + 1))[starts]
        spread = cautious * (1 - cautious) / rows[starts]

        def of(weights: Array) -> float:
            upper = weights * along
            each = np.bincount(place, weights - upper, minlength=share.size)
            each += np.bincount(above, upper, minlength=share.size)
            return float((np.add.reduceat(each, starts) ** 2 * spread).sum())

        return of


@dataclass(frozen=True)
class Recalibration:
    """What makes stated probabilities into ones to estimate by; JSON-able, kept with a model version.

    Parameters
    ----------
    maps
        One for the second of two classes, else one per class; empty where probabilities are taken as they are.
    rows
        Rows of the reference.
    days
        Days of the reference, with the correlation of two rows of one day that their hits showed
        beyond chance (zero where there are too few days to tell).
    note
        Why there are no maps, else empty.
    optimism
        By how much each figure comes out higher, estimated on the reference itself, than its targets show: a
        fitted step function flatters (:func:`driftbook.model.estimation.fit_estimation`).
    """

    maps: tuple[IsotonicMap, ...] = ()
    rows: int = 0
    days: int = 0
    day_correlation: float = 0.0
    note: str = ""
    optimism: Mapping[str, float] = field(default_factory=dict)

    def probabilities(self, stated: Array, *, cautious: bool = False) -> Array:
        """Probabilities to estimate by, shape (rows, classes), each row summing to one."""
        if not self.maps:
            return stated
        columns = [1] if len(self.maps) == 1 else range(len(self.maps))
        each = [
            map.cautious(stated[:, place]) if cautious else map.apply(stated[:, place])
            for map, place in zip(self.maps, columns, strict=True)
        ]
        if len(each) == 1:
            return np.column_stack([1 - each[0], each[0]])
        table = np.column_stack(each)
        total = table.sum(axis=1, keepdims=True)
        return np.asarray(np.where(total > 0, table / np.where(total > 0, total, 1.0), stated))

    def variance(self, stated: Array) -> Variance:
        """For weights (rows, classes): variance, by chance in the reference, of the sum of weighted probabilities."""
        if len(self.maps) == 1:
            only = self.maps[0].variance(stated[:, 1])
            return lambda weights: only(weights[:, 1] - weights[:, 0])
        each = [map.variance(stated[:, place]) for place, map in enumerate(self.maps)]
        return lambda weights: sum((of(weights[:, place]) for place, of in enumerate(each)), 0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain values that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Recalibration:
        """What :meth:`to_json` wrote.

        Examples
        --------
        >>> fitted = Recalibration((IsotonicMap((0.5,), (0.25,), (4.0,)),), rows=4)
        >>> Recalibration.from_json(fitted.to_json()) == fitted
        True
        """
        try:
            maps = tuple(
                IsotonicMap(**{name: tuple(map[name]) for name in ("score", "share", "rows")})
                for map in content["maps"]
            )
            return cls(**{**content, "maps": maps})
        except (KeyError, TypeError) as error:
            raise ModelError(f"the map for estimates is broken ({error}); train the model again") from error


def fit_isotonic(scores: Array, hits: Array) -> IsotonicMap:
    """The rising map from score to share of hits that lies closest to the hits.

    Examples
    --------
    >>> fitted = fit_isotonic(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0, 1.0]))
    >>> fitted.score, fitted.share
    ((0.1, 0.2, 0.3, 0.4), (0.0, 0.5, 0.5, 1.0))
    """
    from scipy.optimize import isotonic_regression

    values, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    fitted = isotonic_regression(np.bincount(place, hits) / counts, weights=counts.astype(np.float64))
    share, starts = np.clip(fitted.x, 0.0, 1.0), fitted.blocks[:-1]
    rows = np.repeat(np.add.reduceat(counts, starts), np.diff(fitted.blocks))
    bends = np.ones(share.size, dtype=bool)
    bends[1:-1] = (share[1:-1] != share[:-2]) | (share[1:-1] != share[2:])
    return IsotonicMap(
        tuple(values[bends].tolist()), tuple(share[bends].tolist()), tuple(rows[bends].astype(np.float64).tolist())
    )


def fit_recalibration(
    probabilities: Array, target: Sequence[str] | pl.Series, *, classes: Sequence[str], days: pl.Series | None = None
) -> Recalibration:
    """Learn from a reference how far its probabilities may be taken at their word.

    Parameters
    ----------
    probabilities
        Shape (rows, classes), given by a model that had not seen the row.
    target
        True class per row; rows whose target is none of ``classes`` are left out.
    days
        The day (or batch) of each row, to learn how much days differ; unknown where not given.

    Examples
    --------
    >>> stated = np.column_stack([[0.1, 0.9] * 500, [0.9, 0.1] * 500])
    >>> fitted = fit_recalibration(stated, ["yes", "no", "no", "no"] * 250, classes=["no", "yes"])
    >>> fitted.probabilities(np.array([[0.1, 0.9]])).tolist()
    [[0.5, 0.5]]
    """
    known = pl.Series(target, dtype=pl.String) if not isinstance(target, pl.Series) else target.cast(pl.String)
    codes = known.replace_strict(list(classes), range(len(classes)), default=-1, return_dtype=pl.Int64).to_numpy()
    held = (codes >= 0) & np.isfinite(probabilities).all(axis=1)
    codes, stated = codes[held], probabilities[held]
    if note := _too_few(codes, classes):
        return Recalibration(rows=int(codes.size), note=note)
    columns = [1] if len(classes) == 2 else range(len(classes))
    maps = tuple(fit_isotonic(stated[:, place], (codes == place).astype(np.float64)) for place in columns)
    fitted = Recalibration(maps, rows=int(codes.size))
    if days is None:
        return fitted
    number, correlation = _day_correlation(fitted.probabilities(stated), codes, days.filter(pl.Series(held)))
    return Recalibration(maps, rows=fitted.rows, days=number, day_correlation=correlation)


def _too_few(codes: Codes, classes: Sequence[str]) -> str:
    if codes.size < LEAST_ROWS:
        return (
            f"the reference has {codes.size:,} rows with targets, at least {LEAST_ROWS:,} are needed to put "
            "probabilities right: they are taken as they are"
        )
    counts = np.bincount(codes, minlength=len(classes))
    rarest = int(counts.argmin())
    if counts[rarest] < LEAST_OF_CLASS:
        return (
            f"the reference has {counts[rarest]:,} rows of class {classes[rarest]!r}, at least {LEAST_OF_CLASS} are "
            "needed to put probabilities right: they are taken as they are"
        )
    return ""


def _day_correlation(table: Array, codes: Codes, days: pl.Series) -> tuple[int, float]:
    """Number of days, and how much more they differ than chance allows, as the correlation of two rows of one day.

    The largest over the classes, each day's sum of hits less probabilities being compared with its binomial variance.
    """
    place = days.rank("dense").cast(pl.Int64).to_numpy() - 1
    number = int(place.max()) + 1
    if number < LEAST_DAYS:
        return number, 0.0
    rows = np.bincount(place).astype(np.float64)
    found = 0.0
    for each in range(table.shape[1]):
        chance = table[:, each]
        sums = np.bincount(place, (codes == each) - chance)
        spread = np.bincount(place, chance * (1 - chance))
        # E sums² = spread (1 + (rows - 1) correlation), solved over all days at once
        pairs = float((spread * (rows - 1)).sum())
        found = max(found, float((sums**2 - spread).sum()) / pairs if pairs > 0 else 0.0)
    return number, min(found, 1.0)
