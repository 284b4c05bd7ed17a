"""Evidence that adds up over batches: the slow drift that no single batch shows.

Beside the limit of each batch stands a Shiryaev–Roberts e-detector (Shin, Ramdas & Rinaldo 2023) on conformal ranks
(Vovk 2021). A batch's amount is ranked among those of the reference's own chunks and of all batches before it: where
they are exchangeable the ranks are uniform and independent, whatever the law of the statistic, so that nothing has to
be estimated. Small ranks are bet on at several stakes ``kappa p ** (kappa - 1)``, whose mean is at most 1 by chance;
evidence grows as ``(1 + evidence) * bet``. Then evidence minus the number of steps is a supermartingale, for each
column and for their average: alarming at ``A`` and starting again from zero gives at most one false alarm in ``A``
steps on average, for any number of columns and methods and however they depend on each other.

Hours of a day resemble each other. So sub-daily batches make one step a day, by the average of their bets, which holds
however they depend on each other; where the reference's days wander a step is longer. What is asked is that steps be
exchangeable; a drift that is there from the first batch on is learned along, and found later. See
``tests/simulations/test_quiet_months.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from driftbook.drift.calibration import FEWEST_CHUNKS, Pair, chunks_missing
from driftbook.drift.contract import Scale
from driftbook.drift.joint import ALL_COLUMNS
from driftbook.drift.measuring import Measured
from driftbook.drift.profile import Booleans, Floats
from driftbook.drift.thresholds import ACCUMULATED, MODERATE_FACTOR, CalibratedLimits, Limit

STAKES: Floats = np.array([0.2, 0.4, 0.6, 0.8])
TILE = 1_000  # batches compared with each other at once


@dataclass(frozen=True, eq=False)
class Accumulated:
    """Evidence against "nothing drifted" after each batch, and the batches where it passed ``limit``.

    ``shares`` is the part of each of ``columns``, shape (k, columns), summing to the evidence. It starts from zero with
    the first batch, and again after an alarm; NaN where no column can be ranked.
    """

    evidence: Floats
    limit: float
    alarmed: Booleans
    columns: tuple[str, ...]
    shares: Floats

    @property
    def leading(self) -> list[str | None]:
        """The column that holds most of the evidence after each batch."""
        if not self.columns:
            return [None] * self.evidence.size
        return [self.columns[place] for place in self.shares.argmax(axis=1)]

    @property
    def score(self) -> Floats:
        """Evidence as a drift score: 0 for none, 0.5 at the limit, on a logarithmic scale."""
        grown = np.log1p(self.evidence)
        found: Floats = grown / (grown + math.log1p(self.limit))
        return found


def accumulate(
    amounts: Mapping[Pair, Floats], known: Mapping[Pair, Floats], *, rate: float, batches_per_step: int = 1
) -> Accumulated:
    """Accumulate evidence over batches.

    Parameters
    ----------
    amounts
        Per column and method one amount (or surprise: only the order counts) per batch, in order of time; NaN where
        it cannot tell.
    known
        The same of the reference's own chunks.
    rate
        False alarms per batch that evidence may raise on average.
    batches_per_step
        Batches that may depend on each other: those of a day. Evidence moves with the last of them.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> known, quiet = random.chisquare(9, size=60), random.chisquare(9, size=40)
    >>> drifting = np.append(quiet, 1.7 * random.chisquare(9, size=20))
    >>> found = accumulate({("age", "psi"): drifting}, {("age", "psi"): known}, rate=1 / 365)
    >>> np.flatnonzero(found.alarmed).tolist(), found.leading[-1]
    ([44], 'age')
    """
    number = max((each.size for each in amounts.values()), default=0)
    pairs = [pair for pair in amounts if np.isfinite(known.get(pair, np.empty(0))).sum() >= FEWEST_CHUNKS]
    columns = tuple(dict.fromkeys(column for column, _ in pairs))
    steps, limit = number // batches_per_step, 1 / (rate * batches_per_step)
    evidence, shares = np.zeros(number), np.zeros((number, len(columns)))
    alarmed = np.zeros(number, dtype=np.bool_)
    if not pairs:
        return Accumulated(np.full(number, np.nan), limit, alarmed, columns, shares)
    bets = np.stack([step_bets(amounts[pair], known[pair], batches_per_step) for pair in pairs], axis=1)
    weights, state = _weights(pairs, columns), np.zeros((len(pairs), STAKES.size))
    for step in range(steps):
        state = (1 + state) * bets[step]
        last = (step + 1) * batches_per_step - 1
        held = slice(last, last + batches_per_step)
        shares[held] = weights @ state.mean(axis=1)
        evidence[held] = shares[last].sum()
        if evidence[last] > limit:
            alarmed[last] = True
            shares[last + 1 : held.stop], evidence[last + 1 : held.stop] = 0.0, 0.0
            state = np.zeros_like(state)
    return Accumulated(evidence, limit, alarmed, columns, shares)


def measure_evidence(
    measured: Sequence[Measured],
    limits: CalibratedLimits,
    *,
    batches_per_day: int,
    silent: frozenset[str] = frozenset(),
) -> tuple[Measured, Limit]:
    """Evidence over all batches since a champion's first, as one more row per batch, with its limit.

    Parameters
    ----------
    measured
        Every column by every method, an entry per batch in order of time.
    batches_per_day
        Evidence moves once a day, or more rarely where the reference's own days wander.
    silent
        Columns that raise no alarm.

    Returns
    -------
    What was measured, and the limit to judge it by; where the reference has too few batches both say so.
    """
    rows = measured[0].rows if measured else np.empty(0, dtype=np.int64)
    scale, nothing = Scale(1, rows), np.full(rows.size, np.nan)
    heard = [each for each in measured if each.column not in silent]
    amounts, basis = {}, limits.basis
    with np.errstate(all="ignore"):
        for each in heard if basis.origin == "batches" else []:
            pair = each.column, each.method
            if pair in limits.critical:
                amounts[pair] = limits.amounts(pair, each.statistic, each.scale)
    together = limits.batches_per_step(batches_per_day)
    found = accumulate(amounts, basis.amounts, rate=limits.accumulation_rate, batches_per_step=together)
    evidence, score = (found.evidence, found.score) if amounts else (nothing, nothing)
    note = None if amounts else basis.note or chunks_missing(basis.chunks)
    notes = {} if note is None else dict.fromkeys(range(rows.size), note)
    row = Measured(ALL_COLUMNS, "table", "table", ACCUMULATED, rows, evidence, nothing, score, nothing, scale, notes)
    critical = np.full(rows.size, found.limit)
    return row, Limit("statistic", critical / MODERATE_FACTOR, critical, note, limits.origin)


def step_bets(amounts: Floats, known: Floats, batches_per_step: int) -> Floats:
    """What the stakes have become in each step, shape (steps, stakes): by chance at most 1 on average."""
    ranks = conformal_p_values(amounts, known, batches_per_step=batches_per_step)[:, None]
    bets = np.where(np.isnan(ranks), 1.0, STAKES * ranks ** (STAKES - 1))
    steps = amounts.size // batches_per_step
    found: Floats = bets[: steps * batches_per_step].reshape(steps, batches_per_step, -1).mean(axis=1)
    return found


def conformal_p_values(amounts: Floats, known: Floats, *, batches_per_step: int = 1) -> Floats:
    """The share of what was seen before that is at least as large; NaN stays NaN.

    "Before" is what is ``known``, and the batches of earlier steps. Tied amounts count as larger.

    Examples
    --------
    >>> conformal_p_values(np.array([5.0, 2.5, 7.0]), np.array([1.0, 2.0, 3.0]))
    array([0.25      , 0.6       , 0.16666667])
    """
    held = np.isfinite(amounts)
    history, found = np.sort(known[np.isfinite(known)]), np.full(amounts.size, np.nan)
    size = max(TILE // batches_per_step, 1) * batches_per_step
    step = np.arange(size) // batches_per_step
    for first in range(0, amounts.size, size):
        tile, usable = amounts[first : first + size], held[first : first + size]
        earlier = (step[: tile.size, None] > step[: tile.size]) & usable
        larger = history.size - history.searchsorted(tile) + (earlier & (tile >= tile[:, None])).sum(axis=1)
        found[first : first + size] = np.where(usable, (1 + larger) / (1 + history.size + earlier.sum(axis=1)), np.nan)
        history = np.sort(np.concatenate([history, tile[usable]]))
    return found


def _weights(pairs: Sequence[Pair], columns: Sequence[str]) -> Floats:
    """Every column counts alike, and within it every method; shape (columns, pairs)."""
    owned = np.array([[column == pair[0] for pair in pairs] for column in columns], dtype=np.float64)
    weights: Floats = owned / owned.sum(axis=1, keepdims=True) / len(columns)
    return weights
