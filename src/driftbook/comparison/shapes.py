"""How a column is distributed on both sides, small enough to be kept for every column: what an overlay shows.

Numbers: the share of rows in bins over the range that holds 99 % of both sides, the rest counted in the outer bins;
whole numbers of a short range get a bin each. Categories: the shares of the most frequent ones and of the one that
changed most. With it the change in words, on the column's own scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from driftbook.comparison.columns import Family
from driftbook.drift.profile import ColumnProfile, Floats, Integers, Kind
from driftbook.tables import format_value

BINS = 28
TAIL = 0.005
MAX_LABELS = 5
OTHERS = "others"


@dataclass(frozen=True)
class Shape:
    """Shares per bin or label on both sides, what is missing, and the change in words.

    ``edges`` (numeric) are the bounds of the bins, ``labels`` (categorical) name them.
    """

    kind: Kind
    family: Family
    reference: tuple[float, ...]
    current: tuple[float, ...]
    missing: tuple[float, float]
    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    change: str = ""


def shape_of(before: ColumnProfile, after: ColumnProfile, *, family: Family) -> Shape:
    """The shape of a column.

    Examples
    --------
    >>> import polars as pl
    >>> from driftbook.drift.profile import column_profile
    >>> sides = [column_profile(pl.Series(each), kind="categorical") for each in (["a", "b"], ["b", "b"])]
    >>> shape = shape_of(*sides, family="text")
    >>> shape.labels, shape.reference, shape.current, shape.change
    (('b', 'a'), (0.5, 0.5), (1.0, 0.0), "'b' 50 % → 100 %")
    """
    missing = (before.missing / max(before.rows, 1), after.missing / max(after.rows, 1))
    lost = f"missing {_percent(missing[0])} → {_percent(missing[1])}" if abs(missing[1] - missing[0]) > 0.005 else ""
    if before.kind == "categorical":
        labels, shares, change = _categories(before, after)
        words = "; ".join(filter(None, (change, lost)))
        return Shape("categorical", family, shares[0], shares[1], missing, labels=labels, change=words)
    edges = _edges(before, after)
    sides = [_histogram(each, edges) for each in (before, after)]
    words = "; ".join(filter(None, (_moved(before, after, family), lost)))
    return Shape("numeric", family, sides[0], sides[1], missing, edges=tuple(edges.tolist()), change=words)


def value_text(value: float, family: Family) -> str:
    """A number of a numeric column as its family writes it: times as dates, spans in their unit.

    Examples
    --------
    >>> value_text(1.7e15, "time"), value_text(0.5, "number")
    ('2023-11-14 22:13', '0.5')
    """
    if family == "time" and math.isfinite(value):
        try:
            return format_value(datetime.fromtimestamp(value / 1e6, UTC).replace(second=0, microsecond=0))
        except (ValueError, OverflowError, OSError):
            return format_value(value)
    if family == "clock" and math.isfinite(value):
        minutes = int(value // 60_000_000_000)
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    if family == "span" and math.isfinite(value):
        return f"{format_value(value / 1e6)} s"
    return format_value(value)


def _edges(before: ColumnProfile, after: ColumnProfile) -> Floats:
    filled = [side for side in (before, after) if side.values.size]
    if not filled:
        return np.array([0.0, 1.0])
    low = min(_at(side, TAIL) for side in filled)
    high = max(_at(side, 1 - TAIL) for side in filled)
    if high - low < BINS and all(_is_whole(side) for side in filled):
        return np.arange(math.floor(low), math.floor(high) + 2, dtype=np.float64) - 0.5
    if not high > low:
        margin = max(abs(low) * 0.1, 0.5)
        low, high = low - margin, high + margin
    part = np.linspace(0, 1, BINS + 1)
    edges: Floats = low * (1 - part) + high * part  # their difference may be too large for a number
    return edges


def _at(side: ColumnProfile, level: float) -> float:
    """A quantile, also of values that stand for several rows each."""
    points = side.values
    middle = points.size // 2
    low, high = 0, points.size - 1
    total = _rank(side, float(points[-1]))
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _rank(side, float(points[middle])) < level * total else (low, middle)
    return float(points[low])


def _rank(side: ColumnProfile, point: float) -> int:
    return int(_ranks(side, np.array([point]))[0])


def _ranks(side: ColumnProfile, points: Floats) -> Integers:
    """Rows up to each point."""
    return side.rank(points)


def _is_whole(side: ColumnProfile) -> bool:
    """Whether there are whole numbers only, as far as a look at up to 10,000 of them shows."""
    values = side.values[:: max(side.values.size // 10_000, 1)]
    return bool((values % 1 == 0).all())


def _histogram(side: ColumnProfile, edges: Floats) -> tuple[float, ...]:
    if not side.values.size:
        return (0.0,) * (edges.size - 1)
    upto = _ranks(side, edges)
    total = _rank(side, float(side.values[-1]))
    upto[0], upto[-1] = 0, total
    shares: list[float] = (np.diff(upto) / max(total, 1)).tolist()
    return tuple(shares)


def _categories(
    before: ColumnProfile, after: ColumnProfile
) -> tuple[tuple[str, ...], tuple[tuple[float, ...], tuple[float, ...]], str]:
    sides = [{label: rows / max(side.rows, 1) for label, rows in side.categories.items()} for side in (before, after)]
    weights = {label: sides[0].get(label, 0.0) + sides[1].get(label, 0.0) for label in {**sides[0], **sides[1]}}
    ranked = sorted(weights, key=lambda label: (-weights[label], label))
    moved = max(ranked, key=lambda label: abs(sides[1].get(label, 0.0) - sides[0].get(label, 0.0)), default=None)
    shown = ranked[:MAX_LABELS]
    if moved is not None and moved not in shown:
        shown[-1] = moved
    rest = [label for label in ranked if label not in shown]
    shares = [tuple(side.get(label, 0.0) for label in shown) for side in sides]
    labels = tuple(shown)
    if rest:
        labels += (f"{len(rest):,} {OTHERS}",)
        others = [sum(side.get(label, 0.0) for label in rest) for side in sides]
        shares = [(*share, other) for share, other in zip(shares, others, strict=True)]
    if moved is None:
        return labels, (shares[0], shares[1]), ""
    name = moved if len(moved) <= 40 else f"{moved[:39]}…"
    words = f"{name!r} {_percent(sides[0].get(moved, 0.0))} → {_percent(sides[1].get(moved, 0.0))}"
    unseen = sum(share for label, share in sides[1].items() if label not in sides[0])
    if unseen and moved in sides[0]:
        words += f"; never seen before: {_percent(unseen)}"
    return labels, (shares[0], shares[1]), words if sides[0].get(moved, 0.0) != sides[1].get(moved, 0.0) else ""


def _moved(before: ColumnProfile, after: ColumnProfile, family: Family) -> str:
    if not before.values.size or not after.values.size:
        return "no value in the " + ("reference" if not before.values.size else "current table")
    means = [value_text(side.mean, family) for side in (before, after)]
    text = f"mean {means[0]} → {means[1]}"
    spread = after.std / before.std if before.std > 0 else math.nan
    if math.isfinite(spread) and not 0.8 <= spread <= 1.25:
        text += f", spread × {format_value(spread)}"
    return text


def _percent(share: float) -> str:
    return format_value(share, format="percent").replace("\u00a0", " ")
