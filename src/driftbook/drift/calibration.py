"""What chance alone does to this reference: the null distribution behind calibrated thresholds.

Chunks of the reference of a batch's size are compared with the rest of it, method by method, column by column.
Where the reference has enough batches, these are the chunks: season and harmless differences from day to day are then
part of the null and do not alarm. Otherwise rows are drawn at random, which knows only chance, and we say so.

An alarm is raised by the *largest* of many statistics, so its rate is controlled there: each amount is divided by its
column's own dispersion (1 for independent rows, more where days differ), turned into a surprise, and the maxima over
columns and methods of the chunks, each left out of its own dispersion, give a Gumbel law: surprises have exponential
tails, and the largest of many such is about Gumbel. Its quantile is a *prediction* limit, wide enough for being
estimated from a few dozen chunks, so that the budget holds on average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.methods import METHODS
from driftbook.drift.null_laws import NullLaw
from driftbook.drift.profile import ColumnProfile, Floats

Pair = tuple[str, str]  # column, method

FEWEST_ROWS = 20  # of a batch or chunk; below, no statement
FEWEST_CHUNKS = 20  # batches of the reference; below, rows are drawn at random
MOST_CHUNKS = 100
LARGEST_SHARE = 5  # a chunk holds at most one fifth of the reference
REPLICATES = 4_000
SMALLEST_MEAN = 1e-12
# What a few dozen chunks cannot tell about the tail: a quarter of the budget is held back for it (half is used here, a
# quarter by ``drift.accumulation``), and the maxima spread no less than those of independent rows in small batches: of
# 100 rows the surprises' tail is a quarter heavier than the laws' (``tests/simulations`` show the effect)
USED_SHARE = 0.5
SMALLEST_SCALE = 1.25
LARGEST_MEMORY = 0.8  # correlation of neighbouring chunks; beyond, they tell nothing
FEWEST_INDEPENDENT = 4
EULER = 0.5772156649015329


@dataclass(frozen=True, eq=False)
class Basis:
    """Amounts of the reference's own chunks: one row per chunk, per column and method.

    ``origin`` says what the chunks are: the reference's own ``batches``, ``random_rows``, or ``none`` with ``note``
    telling what is missing. ``chunk_rows`` is the size up to which batches are judged at their own size.
    """

    origin: Literal["batches", "random_rows", "none"]
    chunk_rows: int
    amounts: Mapping[Pair, Floats]
    note: str | None = None

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return max((amounts.size for amounts in self.amounts.values()), default=0)


@dataclass(frozen=True, eq=False)
class Calibration:
    """The Gumbel law of a chunk's largest surprise, and each column's and method's own dispersion.

    ``independent_chunks`` is the number of independent chunks that tell as much as these.
    """

    location: float
    scale: float
    chunks: int
    dispersion: Mapping[Pair, float]
    laws: Mapping[Pair, NullLaw]
    independent_chunks: int

    def limit(self, rate: float, *, seed: int = 1) -> float:
        """The surprise that the largest of a batch without drift exceeds with probability ``rate``."""
        factor = prediction_factor(self.independent_chunks, rate * USED_SHARE, seed)
        return max(self.location + factor * max(self.scale, SMALLEST_SCALE), -math.log(rate))

    def chance(self, surprises: Floats, *, seed: int = 1) -> Floats:
        """The other way round: how probable so large a surprise is anywhere in a batch without drift.

        Counted as the limits are, so that a row beyond its limit has a chance below the budgeted rate.
        """
        factors = (surprises - self.location) / max(self.scale, SMALLEST_SCALE)
        by_law = np.minimum(exceedance(self.independent_chunks, factors, seed) / USED_SHARE, 1.0)
        return np.minimum(np.maximum(by_law, np.exp(-surprises)), 1.0)

    def amounts(self, rate: float) -> dict[Pair, float]:
        """The amount each column and method may reach at this rate of false alarms per batch."""
        limit = self.limit(rate) if self.dispersion else math.inf
        return {pair: each * self.laws[pair].amount_at(limit) for pair, each in self.dispersion.items()}


def chunks_missing(held: int, *, unit: str = "batches") -> str:
    """What a reference of so few batches lacks.

    Examples
    --------
    >>> chunks_missing(12, unit="days")
    'the reference has 12 days; 20 are needed to learn how much they differ by themselves, 8 more'
    """
    needed = f"{FEWEST_CHUNKS} are needed to learn how much they differ by themselves"
    return f"the reference has {held} {unit}; {needed}, {max(FEWEST_CHUNKS - held, 1)} more"


def null_amounts(reference: ColumnProfile, parts: Batches) -> dict[str, Floats]:
    """Amounts of parts of a column against the rest of it, by method; NaN where a method cannot tell."""
    pair = Pairing(reference, parts)
    with np.errstate(all="ignore"):
        return {
            name: method.null_amounts(pair)
            for name, method in METHODS.items()
            if method.calibrates and reference.kind in method.kinds
        }


def calibrate(
    amounts: Mapping[Pair, Floats], laws: Mapping[Pair, NullLaw], *, silent: frozenset[str] = frozenset()
) -> Calibration:
    """Learn what the largest statistic of a batch does by chance.

    Parameters
    ----------
    amounts
        Per column and method one amount per chunk.
    laws
        The law of each when rows are independent.
    silent
        Columns that raise no alarm and so do not count for the largest.
    """
    dispersion: dict[Pair, float] = {}
    surprises: list[Floats] = []
    for pair, values in amounts.items():
        if np.isfinite(values).sum() < FEWEST_CHUNKS:
            continue
        law = laws[pair]
        dispersion[pair], others = _dispersion(values, law)
        if pair[0] not in silent:
            surprises.append(law.surprise(values / others))
    if not surprises:
        return Calibration(location=math.inf, scale=0.0, chunks=0, dispersion={}, laws=laws, independent_chunks=0)
    table = np.vstack(surprises)
    maxima = np.nanmax(table[:, np.isfinite(table).any(axis=0)], axis=0)
    location, scale = _gumbel(maxima)
    independent = max(min(independent_chunks(table), maxima.size), 2)
    # the rest of the reference, which a chunk is compared with, holds its likes; a batch of the stream is further off
    further = (1 + 1 / independent) / (1 - 1 / independent) * (1 - 1 / maxima.size) / (1 + 1 / maxima.size)
    wider = {pair: each * further for pair, each in dispersion.items()}
    return Calibration(float(location), float(scale), maxima.size, wider, laws, independent)


def independent_chunks(surprises: Floats) -> int:
    """How many independent chunks tell as much as these, which follow each other in time; one row per pair.

    Days that wander resemble their neighbours. Their memory ``m`` shows in the correlation of neighbouring surprises,
    about its square; ``n`` chunks then tell as much about the level as ``n (1 - m) / (1 + m)`` independent ones.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> alike = random.exponential(size=(30, 40))
    >>> independent_chunks(alike), independent_chunks(np.repeat(alike, 3, axis=1))
    (40, 12)
    """
    number = surprises.shape[1]
    centred = np.nan_to_num(surprises - np.nanmean(surprises, axis=1, keepdims=True))
    squares = (centred * centred).sum(axis=1)
    products = (centred[:, 1:] * centred[:, :-1]).sum(axis=1)
    resemblance = float(np.mean(products[squares > 0] / squares[squares > 0])) if squares.any() else 0.0
    memory = math.sqrt(min(max(resemblance + 1 / number, 0.0), LARGEST_MEMORY))
    found: int = round(number * (1 - memory) / (1 + memory))
    return max(found, FEWEST_INDEPENDENT)


@lru_cache(maxsize=64)
def prediction_factor(chunks: int, rate: float, seed: int) -> float:
    """How many estimated scales above the estimated location a new Gumbel value exceeds with probability ``rate``.

    With location and scale known it would be ``-log(-log(1 - rate))``; the fewer chunks they are estimated from, the
    larger. Found by simulation: for a family of location and scale it depends on ``chunks`` and ``rate`` alone.

    Examples
    --------
    >>> round(prediction_factor(40, 1 / 365, 1), 1), round(prediction_factor(100, 1 / 365, 1), 1)
    (6.3, 6.1)
    """
    low, high = 0.0, 200.0
    for _ in range(60):
        factor = (low + high) / 2
        low, high = (factor, high) if _exceeded(chunks, factor, seed) > rate else (low, factor)
    return high


def exceedance(chunks: int, factors: Floats, seed: int) -> Floats:
    """The inverse of :func:`prediction_factor`, between its values on a grid.

    Examples
    --------
    >>> round(1 / float(exceedance(40, np.array([prediction_factor(40, 1 / 365, 1)]), 1)[0]))
    365
    """
    places, logs = _exceedance_curve(chunks, seed)
    held: Floats = np.exp(np.interp(np.nan_to_num(factors, nan=-9.0, posinf=1e9, neginf=-9.0), places, logs))
    return held


@lru_cache(maxsize=64)
def _exceedance_curve(chunks: int, seed: int) -> tuple[Floats, Floats]:
    places = np.concatenate([np.linspace(-5, 30, 141), np.geomspace(31, 1e4, 60)])
    return places, np.log([max(_exceeded(chunks, float(place), seed), 1e-300) for place in places])


def _exceeded(chunks: int, factor: float, seed: int) -> float:
    location, scale = _replicates(chunks, seed)
    return float(-np.expm1(-np.exp(-(location + factor * scale))).mean())


@lru_cache(maxsize=64)
def _replicates(chunks: int, seed: int) -> tuple[Floats, Floats]:
    """Location and scale as estimated from samples of a Gumbel law of location 0 and scale 1."""
    return _gumbel(np.random.default_rng(seed).gumbel(size=(REPLICATES, max(chunks, 2))))


def _gumbel(maxima: Floats) -> tuple[Floats, Floats]:
    """Location and scale by L-moments, along the last axis."""
    ordered = np.sort(maxima, axis=-1)
    number = ordered.shape[-1]
    mean = ordered.mean(axis=-1)
    second = 2 * (ordered * (np.arange(number) / (number - 1))).mean(axis=-1) - mean
    scale = second / math.log(2)
    return mean - EULER * scale, scale


def _dispersion(values: Floats, law: NullLaw) -> tuple[float, Floats]:
    """Dispersion from all chunks, and from all but each one."""
    held = np.isfinite(values)
    filled = np.where(held, values, 0.0)
    total, squares, number = filled.sum(), (filled**2).sum(), held.sum()
    every = _ratio(total, squares, number, law)
    return float(every), _ratio(total - filled, squares - filled**2, number - held, law)


def _ratio(total: Floats, squares: Floats, number: Floats, law: NullLaw) -> Floats:
    """How much larger than chance: by the mean, or by the variance over the mean, and never less than 1.

    The variance sees days that differ in one direction only, which hardly raises the mean of a statistic over many
    bins and yet stretches its tail.
    """
    mean = total / number
    variance = np.maximum(squares / number - mean**2, 0.0)
    by_spread = (variance / np.maximum(mean, SMALLEST_MEAN)) / (law.variance / law.mean)
    result: Floats = np.maximum(np.maximum(mean / law.mean, by_spread), 1.0)
    return result
