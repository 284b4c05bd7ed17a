"""Where a shift sits: the rows, named by up to three conditions, that hold most of it.

Every row has a weight that says how much it speaks for "current" (:mod:`driftbook.attribution.weights`). The shift is
``Δ = E_c[w] - E_r[w]``, a mean over current rows less one over reference rows, and the rows of a segment S
bring this part of it::

    share(S) = (E_c[(w - w̄) 1_S] - E_r[(w - w̄) 1_S]) / Δ,        w̄ = E_r[w]

Shares of segments that do not overlap add up, to 1 over all rows. The share has two sources (Kitagawa 1955)::

    share(S) = P_c(S) (E_c[w|S] - E_r[w|S]) / Δ   +   (P_c(S) - P_r(S)) (E_r[w|S] - w̄) / Δ
               change within the segment              the segment has become more, or less, frequent

All rows hold 100 % of every shift, so a search for the largest share is no search: what is wanted holds much more
than its size. ``within`` asks for the change inside comparable rows: its first part, less the larger of the
segment's two sizes and their difference ("charges are higher for monthly contracts"). ``frequency`` asks for rows
that came or went: its share, less the smaller size ("students in halls rose from 5 % to 70 %"). Two standard errors
are taken off, so that small segments do not win by chance, and a little for every further condition; conditions that
luck explains are dropped in the end, and a shift that is itself within chance has no segment. A beam search over
conditions at the reference's quantiles and categories finds it; the same rows give the same segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from driftbook.attribution.coding import CodedColumn, Codes, Floats
from driftbook.attribution.conditions import Condition, Mask, condition, spans
from driftbook.attribution.warrant import Change, keep_warranted
from driftbook.attribution.weights import Weights

MOST_CONDITIONS = 3
BEAM = 8
PER_COLUMN = 2  # extensions of one segment by the same column that stay in the beam
LEAST_GAIN = 0.2  # a segment must hold so much more than its size
PRICE = 0.02  # of a further condition, in shares
ERRORS = 2.0  # standard errors taken off
MOST_COLUMNS = 24  # that may join a segment; of more, those that tell most by themselves
LEAST_ROWS = 10
LEAST_SIZE = 0.01
LEAST_HELD = 0.5  # of the shift: most of it


@dataclass(frozen=True)
class Segment:
    """Rows that meet all conditions, with the share of the shift that they hold.

    ``before`` and ``after`` are its sizes: its share of the reference and of the current rows. ``gain`` is what the
    search maximised.
    """

    conditions: tuple[Condition, ...]
    change: Change
    share: float
    before: float
    after: float
    gain: float

    @property
    def text(self) -> str:
        """``contract = month-to-month and age ≤ 30``."""
        return " and ".join(condition.text for condition in self.conditions)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that its conditions speak of."""
        return tuple(condition.column for condition in self.conditions)

    def rows(self, columns: Mapping[str, CodedColumn]) -> tuple[Mask, Mask]:
        """Which reference rows and which current rows it holds."""
        sides = []
        for side in ("reference", "current"):
            masks = [each.holds(getattr(columns[each.column], side)) for each in self.conditions]
            sides.append(np.logical_and.reduce(masks))
        return sides[0], sides[1]


def find_segment(
    columns: Mapping[str, CodedColumn], weights: Weights, *, change: Change, most_conditions: int = MOST_CONDITIONS
) -> Segment | None:
    """The segment that holds most of a shift for its size, or None if the shift is spread over all rows.

    Parameters
    ----------
    columns
        Columns that conditions may speak of. For ``within``, leave out those whose shift is searched for.
    weights
        One per row, in the order of the codes.
    change
        What is looked for: change ``within`` comparable rows, or rows whose ``frequency`` changed.

    Examples
    --------
    >>> import polars as pl
    >>> from driftbook.attribution.coding import code_columns
    >>> from driftbook.attribution.weights import column_weights
    >>> plans = ["a"] * 1000 + ["b"] * 1000
    >>> reference = pl.DataFrame({"fee": [1.0, 2.0] * 1000, "plan": plans})
    >>> current = pl.DataFrame({"fee": [1.0, 2.0] * 500 + [2.0] * 1000, "plan": plans})
    >>> coded = code_columns(reference, current, kinds={"fee": "numeric", "plan": "categorical"})
    >>> fee = column_weights([coded["fee"]])
    >>> found = find_segment({"plan": coded["plan"]}, fee, change="within")
    >>> found.text, round(found.share, 3), found.after
    ('plan = b', 1.0, 0.5)
    """
    if not columns or not weights.is_beyond_chance:
        return None
    search = _search(tuple(columns.values()), weights, change).narrowed(weights)
    best: Segment | None = None
    beam: list[Segment] = []
    for depth in range(most_conditions):
        found = [each for parent in (beam if depth else [None]) for each in search.extensions(parent)]
        beam = _best_of(found)
        if not beam:
            break
        if best is None or beam[0].gain > best.gain:
            best = beam[0]
    if best is None:
        return None
    warranted = keep_warranted(best.conditions, columns, weights, change=change)
    if warranted != best.conditions:
        best = search.segment(warranted) if warranted else None
    return best if best is not None and best.gain >= LEAST_GAIN else None


def _best_of(found: Sequence[Segment]) -> list[Segment]:
    """The best few, each set of conditions once."""
    once = {frozenset(each.conditions): each for each in found}
    return sorted(once.values(), key=lambda each: (-each.gain, each.conditions))[:BEAM]


@dataclass(frozen=True, eq=False)
class _Side:
    """Rows of one side: codes per column, made distinct among columns, and their weights less ``w̄``."""

    codes: Codes
    weights: Floats

    def counted(self, mask: Mask | None, bins: int) -> Floats:
        """Running sums over bins of rows, weights and squared weights, as shares of all rows; shape (3, bins + 1)."""
        codes = self.codes if mask is None else self.codes[:, mask]
        weights = self.weights if mask is None else self.weights[mask]
        flat, width = codes.ravel(), codes.shape[0]
        sums = np.zeros((3, bins + 1))
        np.cumsum(np.bincount(flat, minlength=bins), out=sums[0, 1:])
        np.cumsum(np.bincount(flat, np.tile(weights, width), minlength=bins), out=sums[1, 1:])
        np.cumsum(np.bincount(flat, np.tile(weights**2, width), minlength=bins), out=sums[2, 1:])
        return sums / self.weights.size


@dataclass(frozen=True, eq=False)
class _Search:
    """All that is the same for every segment; ``candidates`` has column, start, stop (in distinct bins)."""

    columns: tuple[CodedColumn, ...]
    starts: Codes
    candidates: Codes
    sides: tuple[_Side, _Side]
    change: Change
    shift: float

    def extensions(self, parent: Segment | None) -> list[Segment]:
        """The best segments with one condition more, a few per column."""
        known = () if parent is None else parent.conditions
        judged = self._judged(parent)
        taken = [at for at, column in enumerate(self.columns) if any(each.column == column.name for each in known)]
        gain = np.where(np.isin(self.candidates[:, 0], taken), -np.inf, judged.gain - PRICE * len(known))
        return [self._extended(known, judged, at) for at in _leaders(gain, self.candidates[:, 0])]

    def segment(self, conditions: tuple[Condition, ...]) -> Segment:
        """The segment of given conditions."""
        *known, last = conditions
        parent = Segment(tuple(known), self.change, 0.0, 0.0, 0.0, 0.0) if known else None
        place = next(at for at, column in enumerate(self.columns) if column.name == last.column)
        first = int(self.starts[place])
        span = (place, first + last.first, first + last.last + 1)
        [at] = np.flatnonzero((self.candidates == span).all(axis=1)).tolist()
        return self._extended(tuple(known), self._judged(parent), at)

    def _extended(self, known: tuple[Condition, ...], judged: _Judged, at: int) -> Segment:
        return Segment(
            conditions=tuple(sorted((*known, self._condition(at)))),
            change=self.change,
            share=float(judged.share[at]),
            before=float(judged.before[at]),
            after=float(judged.after[at]),
            gain=float(judged.gain[at]) - PRICE * len(known),
        )

    def narrowed(self, weights: Weights) -> _Search:
        """The same search among the columns that tell most by themselves, where there are many."""
        if len(self.columns) <= MOST_COLUMNS:
            return self
        best = np.full(len(self.columns), -np.inf)
        np.maximum.at(best, self.candidates[:, 0], self._judged(None).promise)
        kept = sorted(np.argsort(-best, kind="stable")[:MOST_COLUMNS].tolist())
        return _search(tuple(self.columns[place] for place in kept), weights, self.change)

    def _condition(self, at: int) -> Condition:
        place, start, stop = self.candidates[at].tolist()
        first = int(self.starts[place])
        return condition(self.columns[place], start - first, stop - 1 - first)

    def _judged(self, parent: Segment | None) -> _Judged:
        """All candidates, joined to the conditions there are."""
        masks: tuple[Mask | None, Mask | None] = (None, None)
        if parent is not None:
            masks = parent.rows({column.name: column for column in self.columns})
        start, stop = self.candidates[:, 1], self.candidates[:, 2]
        sums = [side.counted(mask, int(self.starts[-1])) for side, mask in zip(self.sides, masks, strict=True)]
        before, after = (each[:, stop] - each[:, start] for each in sums)
        n, m = (side.weights.size for side in self.sides)
        share = (after[1] - before[1]) / self.shift
        if self.change == "frequency":
            variance = _spread(before, whole=True) / n + _spread(after, whole=True) / m
            held, size = share, np.minimum(before[0], after[0])
            rows, part = np.maximum(before[0] * n, after[0] * m), np.maximum(before[0], after[0])
        else:
            held = after[0] * (_mean(after) - _mean(before)) / self.shift
            errors = _spread(before) / np.maximum(before[0] * n, 1) + _spread(after) / np.maximum(after[0] * m, 1)
            variance = after[0] ** 2 * errors
            size = np.maximum(before[0], after[0]) + np.abs(after[0] - before[0])
            rows, part = np.minimum(before[0] * n, after[0] * m), np.minimum(before[0], after[0])
        enough = (rows >= LEAST_ROWS) & (part >= LEAST_SIZE)
        promise = np.where(enough, np.minimum(held, 1.0) - ERRORS * np.sqrt(variance) / self.shift - size, -np.inf)
        gain = np.where(share >= LEAST_HELD, promise, -np.inf)
        return _Judged(share, promise, gain, before[0], after[0])


@dataclass(frozen=True, eq=False)
class _Judged:
    """Of each candidate: share of the shift, what is maximised (without and with the least share), sizes."""

    share: Floats
    promise: Floats
    gain: Floats
    before: Floats
    after: Floats


def _mean(sums: Floats) -> Floats:
    """Mean weight of the rows of each candidate."""
    return np.asarray(np.divide(sums[1], sums[0], out=np.zeros_like(sums[0]), where=sums[0] > 0))


def _spread(sums: Floats, *, whole: bool = False) -> Floats:
    """Variance of the weights within each candidate's rows, or of their parts of the ``whole`` mean."""
    if whole:
        return np.asarray(np.maximum(sums[2] - sums[1] ** 2, 0))
    squares = np.divide(sums[2], sums[0], out=np.zeros_like(sums[0]), where=sums[0] > 0)
    return np.asarray(np.maximum(squares - _mean(sums) ** 2, 0))


def _search(columns: tuple[CodedColumn, ...], weights: Weights, change: Change) -> _Search:
    starts = np.cumsum([0, *(column.bins for column in columns)])
    candidates = [
        (place, int(starts[place]) + first, int(starts[place]) + last + 1)
        for place, column in enumerate(columns)
        for first, last in spans(column)
    ]
    centre = float(weights.reference.mean())
    distinct = starts[:-1, None]
    sides = (
        _Side(np.stack([column.reference for column in columns]) + distinct, weights.reference - centre),
        _Side(np.stack([column.current for column in columns]) + distinct, weights.current - centre),
    )
    return _Search(columns, starts, np.array(candidates, dtype=np.int64), sides, change, weights.shift)


def _leaders(gain: Floats, place: Codes) -> list[int]:
    """The best candidates, not too many of one column: neighbouring ranges are nearly the same rows."""
    leaders: list[int] = []
    per_column: dict[int, int] = {}
    for at in np.argsort(-gain, kind="stable").tolist():
        if len(leaders) == BEAM or not np.isfinite(gain[at]):
            break
        column = int(place[at])
        if per_column.get(column, 0) < PER_COLUMN:
            per_column[column] = per_column.get(column, 0) + 1
            leaders.append(at)
    return leaders
