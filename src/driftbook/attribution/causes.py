"""Columns whose shift goes together are one cause: a person is told of causes, not of columns.

Three columns that hang together drift together, and three alerts would be two too many. Column ``A`` accounts for
this part of the shift of column ``B``: how much of it follows from the changed shares of ``A``'s bins alone, with
``B`` as it is at each of them (the mean of both sides)::

    part(A, B) = Σ_a (P_c(a) - P_r(a)) E[w_B | a] / Δ_B

It is near 1 if ``B`` only moves along with ``A``, and near 0 if both moved independently of each other, even on the
same day. Columns that lose their values in the same rows, or that came with the same new customers, have no other
cause than each other either. The column that accounts for most of all shifts leads the first cause; what it accounts
for joins it, and the rest is asked again. Two causes that sit in the same segment of rows are one, and so are two whose
values came with the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from driftbook.attribution.coding import CodedColumn, Codes, Floats
from driftbook.attribution.segments import Segment, find_segment
from driftbook.attribution.weights import column_weights

ACCOUNTED = 0.4  # of a column's shift: then it has no cause of its own
LEAD_POOL = 40  # columns that may lead a cause, those that shifted most
FEWEST = 5  # rows of a bin, to say how another column behaves there
SAME_ROWS = 0.8  # of two segments in both: then they are one
TOGETHER = 0.25  # of a segment's growth that its parts' growth does not explain: then they came together


def group_columns(columns: Mapping[str, CodedColumn], drifted: Sequence[str]) -> list[tuple[str, ...]]:
    """Drifted columns by cause; the leading column of each comes first, causes by the size of their shifts.

    Examples
    --------
    >>> import polars as pl
    >>> from driftbook.attribution.coding import code_columns
    >>> random = np.random.default_rng(1)
    >>> a, b = random.normal(size=(2, 3000))
    >>> before, now = pl.DataFrame({"a": a, "twice": 2 * a, "b": b}), pl.DataFrame({"a": a + 1, "twice": 2 * a + 2,
    ...     "b": random.normal(size=3000) - 1})
    >>> kinds = {"a": "numeric", "twice": "numeric", "b": "numeric"}
    >>> group_columns(code_columns(before, now, kinds=kinds), ["b", "twice", "a"])
    [('a', 'twice'), ('b',)]
    """
    shifts = {name: columns[name].shift for name in sorted(set(drifted)) if columns[name].shift > 0}
    left = sorted(shifts, key=lambda name: (-shifts[name], name))
    pool = left[:LEAD_POOL]
    parts = {(a, b): accounted(columns[a], columns[b]) for a in pool for b in left}
    groups: list[list[str]] = []
    while left:
        leads = [name for name in pool if name in left] or left[:1]
        covered = {a: sum(shifts[b] * min(max(parts.get((a, b), 0.0), 0.0), 1.0) for b in left) for a in leads}
        lead = max(leads, key=lambda name: (round(covered[name], 9), shifts[name]))
        group = [lead, *(name for name in left if name != lead and parts.get((lead, name), 0.0) >= ACCOUNTED)]
        groups.append(group)
        left = [name for name in left if name not in group]
    sizes = [sum(shifts[name] for name in group) for group in groups]
    order = sorted(range(len(groups)), key=lambda place: (-sizes[place], place))
    return [tuple(groups[place]) for place in _without_sums(groups, order, parts)]


def _without_sums(groups: list[list[str]], order: list[int], parts: Mapping[tuple[str, str], float]) -> list[int]:
    """Fold a lone column that several other causes account for together into the one that does most."""
    for place in [each for each in order if len(groups[each]) == 1]:
        [alone] = groups[place]
        others = [other for other in order if other != place]
        by = {other: parts.get((groups[other][0], alone), 0.0) for other in others}
        if sum(max(part, 0.0) for part in by.values()) >= 2 * ACCOUNTED:
            groups[max(by, key=lambda other: by[other])].append(alone)
            order = others
    return order


def accounted(lead: CodedColumn, other: CodedColumn) -> float:
    """The part of ``other``'s shift that follows from the changed shares of ``lead``'s bins; see the module."""
    if lead is other:
        return 1.0
    before, after = _behaviour(lead, other, "reference"), _behaviour(lead, other, "current")
    both = np.where(np.isnan(before), after, np.where(np.isnan(after), before, (before + after) / 2))
    change = float((lead.after - lead.before) @ np.nan_to_num(both))
    return change / (2 * other.shift) if other.shift > 0 else 0.0


def _behaviour(lead: CodedColumn, other: CodedColumn, side: str) -> Floats:
    """Mean weight of ``other`` in each bin of ``lead``; NaN where there are too few rows."""
    codes: Codes = getattr(lead, side)
    weights = other.weights[getattr(other, side)]
    rows = np.bincount(codes, minlength=lead.bins)
    sums = np.bincount(codes, weights, minlength=lead.bins)
    means: Floats = np.divide(sums, rows, out=np.full(lead.bins, np.nan), where=rows >= FEWEST)
    return means


def merge(
    groups: Sequence[tuple[str, ...]], are_one: Callable[[tuple[str, ...], tuple[str, ...]], bool]
) -> list[tuple[str, ...]]:
    """Join groups that are one cause, each to the first it belongs to.

    Examples
    --------
    >>> merge([("a",), ("b",), ("c",)], lambda one, other: {*one, *other} <= {"a", "c"})
    [('a', 'c'), ('b',)]
    """
    merged: list[tuple[str, ...]] = []
    leads: list[tuple[str, ...]] = []
    for group in groups:
        place = next((at for at, other in enumerate(leads) if are_one(other, group)), None)
        if place is None:
            merged.append(group)
            leads.append(group)
        else:
            merged[place] = (*merged[place], *group)
    return merged


def sit_in_the_same_rows(one: Segment | None, other: Segment | None, columns: Mapping[str, CodedColumn]) -> bool:
    """Whether two segments hold nearly the same current rows."""
    if one is None or other is None:
        return False
    first, second = one.rows(columns)[1], other.rows(columns)[1]
    either = int((first | second).sum())
    return either > 0 and int((first & second).sum()) >= SAME_ROWS * either


def came_together(one: Sequence[str], other: Sequence[str], columns: Mapping[str, CodedColumn]) -> bool:
    """Whether two causes are rows that came (or went) with the values of both.

    The rows that hold most of both shifts are searched for. Had each column moved by itself, their share would have
    grown by the product of what its conditions grew; what it grew beyond is what came together.
    """
    names = (*one, *other)
    found = find_segment(
        {name: columns[name] for name in names}, column_weights([columns[name] for name in names]), change="frequency"
    )
    if found is None or not (set(one) & set(found.columns) and set(other) & set(found.columns)):
        return False
    expected = found.before
    for part in (one, other):
        mine = [each for each in found.conditions if each.column in part]
        before, after = (
            float(np.logical_and.reduce([each.holds(getattr(columns[each.column], side)) for each in mine]).mean())
            for side in ("reference", "current")
        )
        expected *= after / before if before > 0 else 1.0
    return abs(found.after - expected) >= TOGETHER * abs(found.after - found.before)
