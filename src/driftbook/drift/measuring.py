"""What the methods say about one column of many batches, before anything is judged.

A column that cannot be measured (missing, of the wrong type, too few rows) is measured as "cannot tell" with the
reason; it never stops the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.calibration import FEWEST_ROWS
from driftbook.drift.contract import Scale
from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, Floats, Integers, Kind
from driftbook.errors import DriftError

FAULTS = (DriftError, ArithmeticError, ValueError, TypeError, pl.exceptions.PolarsError)


@dataclass(frozen=True, eq=False)
class Measured:
    """One column by one method: an entry per batch, NaN with a note where it cannot tell."""

    column: str
    kind: str
    role: str
    method: str
    rows: Integers
    statistic: Floats
    p_value: Floats
    drift_score: Floats
    effect_size: Floats
    scale: Scale
    notes: Mapping[int, str] = field(default_factory=dict)


def measure_column(
    name: str, *, reference: ColumnProfile, role: str, batches: Batches, methods: Sequence[str]
) -> list[Measured]:
    """Measure a column by each of the methods.

    Parameters
    ----------
    role
        ``feature``, or ``prediction`` and ``target``, of which missing rows are only not known yet.
    batches
        The same column in the batches.
    """
    if role != "feature":
        reference = replace(reference, rows=reference.rows - reference.missing, missing=0)
        batches = batches.known()
    pair = Pairing(reference, batches)
    few = {int(number): _too_few(int(batches.rows[number]), role) for number in _few(batches)}
    with np.errstate(all="ignore"):
        column = _Column(name, role, pair, effect_sizes(pair), few)
        return [column.measure(each) for each in methods]


def unmeasured(
    name: str, *, kind: Kind, role: str, rows: Integers, methods: Sequence[str], note: str
) -> list[Measured]:
    """A column that cannot be measured in any batch."""
    nothing = np.full(rows.size, np.nan)
    notes = dict.fromkeys(range(rows.size), note)
    scale = Scale(1, np.ones_like(rows))
    return [
        Measured(name, kind, role, each, rows, nothing, nothing, nothing, nothing, scale, notes) for each in methods
    ]


def join_blocks(blocks: Sequence[Sequence[Measured]]) -> list[Measured]:
    """Blocks of batches of one column, one after another."""
    return [_joined(parts) for parts in zip(*blocks, strict=True)] if len(blocks) != 1 else list(blocks[0])


def effect_sizes(pair: Pairing) -> Floats:
    """How much a column changed, in words that do not depend on the number of rows.

    Returns
    -------
    Numeric: the difference of the means in standard deviations of the reference, positive where the batch is higher.
    Categorical: the largest change of the share of a category, unseen or missing ones included.

    Examples
    --------
    >>> from driftbook.drift.profile import column_profile
    >>> before, after = (column_profile(pl.Series(each), kind="numeric") for each in ([0.0, 2.0], [2.0, 4.0]))
    >>> effect_sizes(Pairing(before, Batches.of([after]))).tolist()
    [2.0]
    """
    reference, batches = pair.reference, pair.batches
    if reference.kind == "numeric":
        sums = batches.values if batches.upto is None else batches.values * (batches.stop - batches.start)
        means = pair.total(sums) / np.maximum(batches.finite, 1)
        shift = means - reference.mean
        return np.where(shift == 0, 0.0, shift / reference.std) if reference.finite else np.full(len(batches), np.nan)
    shares = pair.counts / np.maximum(batches.rows, 1)[:, None]
    change = shares - reference.own_counts / max(reference.rows, 1)
    found: Floats = np.take_along_axis(change, np.abs(change).argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(batches.rows > 0, found, np.nan)


@dataclass(frozen=True, eq=False)
class _Column:
    """All that is the same for every method."""

    name: str
    role: str
    pair: Pairing
    effects: Floats
    few: Mapping[int, str]

    def measure(self, by: str) -> Measured:
        chosen, pair, rows = method(by), self.pair, self.pair.batches.rows
        try:
            statistics, scale = chosen.statistics(pair), chosen.scale(pair)
            statistics = np.where(rows < FEWEST_ROWS, np.nan, statistics)
            scores, p_values = chosen.scores(statistics, pair), chosen.p_values(statistics, pair)
        except FAULTS as fault:
            kind = pair.reference.kind
            return unmeasured(self.name, kind=kind, role=self.role, rows=rows, methods=[by], note=str(fault))[0]
        lost = np.flatnonzero(np.isnan(statistics)).tolist()
        notes = {number: self.few.get(number) or chosen.why(pair, number) for number in lost}
        effects = np.where(np.isfinite(self.effects), self.effects, np.nan)
        about = (self.name, pair.reference.kind, self.role, by, rows)
        return Measured(*about, statistics, p_values, scores, effects, scale, notes)


def _joined(parts: Sequence[Measured]) -> Measured:
    starts = np.cumsum([0, *(part.rows.size for part in parts)])
    notes = {
        int(start) + number: note
        for start, part in zip(starts[:-1], parts, strict=True)
        for number, note in part.notes.items()
    }
    scales = [part.scale for part in parts]
    falls = [each.falls for each in scales if each.falls is not None]
    sizes = np.concatenate([each.m for each in scales])
    return replace(
        parts[0],
        rows=np.concatenate([part.rows for part in parts]),
        statistic=np.concatenate([part.statistic for part in parts]),
        p_value=np.concatenate([part.p_value for part in parts]),
        drift_score=np.concatenate([part.drift_score for part in parts]),
        effect_size=np.concatenate([part.effect_size for part in parts]),
        scale=replace(scales[0], m=sizes, falls=np.concatenate(falls) if falls else None),
        notes=notes,
    )


def _few(batches: Batches) -> Integers:
    return np.flatnonzero(batches.rows < FEWEST_ROWS)


def _too_few(rows: int, role: str) -> str:
    """Why a batch of so many rows is not judged.

    Examples
    --------
    >>> _too_few(3, "feature")
    'the batch has 3 rows; at least 20 are needed'
    """
    if not rows and role != "feature":
        return f"no {role} is known yet"
    return f"the batch has {rows} rows; at least {FEWEST_ROWS} are needed"
