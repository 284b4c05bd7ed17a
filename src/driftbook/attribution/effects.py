"""What happened to one column, in the words that fit it best.

A column can change in many ways at once; a sentence names one. Which one is not a matter of taste: it is the aspect
that makes up at least half of the column's shift (missing, unseen values, values beyond the reference), else the
mean if it moved by a tenth of a standard deviation, else the spread, else the bin whose share changed most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from driftbook.attribution.coding import CodedColumn, Floats, numbers
from driftbook.attribution.conditions import Mask, condition
from driftbook.attribution.phrases import number, percent

Aspect = Literal["missing", "new", "beyond", "mean", "spread", "share", "none"]
Direction = Literal["higher", "lower", "changed"]

MOST_OF_IT = 0.5  # of the shift: then that aspect is what happened
LEAST_MEAN = 0.1  # standard deviations
LEAST_SPREAD = 1.1  # ratio of standard deviations
MOVED_MIDDLE = 0.2  # standard deviations of the median: then all values moved, not some out of range
NEAR_ZERO = 0.25  # a mean of so few standard deviations is no yardstick
LEAST_PERCENT = 0.05  # a mean far from zero may move much by little of it
TIMES = 3.0  # from here on "3 times as high" reads better than "200 % higher"


@dataclass(frozen=True)
class Effect:
    """How a column changed: ``before`` and ``after`` of the named aspect, and the words for it.

    ``size`` compares columns: standard deviations of the reference (mean), logarithm of the ratio (spread), change
    of a share (all others).
    """

    column: str
    aspect: Aspect
    direction: Direction
    before: float
    after: float
    size: float
    text: str


def describe(coded: CodedColumn, reference: pl.Series, current: pl.Series, *, rows: tuple[Mask, Mask]) -> Effect:
    """The change of one column on some rows.

    Parameters
    ----------
    coded
        The column in bins.
    reference, current
        The same column as it is.
    rows
        Which rows of the reference and which current ones to look at.

    Examples
    --------
    >>> from driftbook.attribution.coding import code_column
    >>> before, after = pl.Series("fee", [8.0, 12.0] * 50), pl.Series("fee", [9.0, 14.6] * 50)
    >>> everywhere = np.ones(100, dtype=bool)
    >>> describe(code_column(before, after, kind="numeric"), before, after, rows=(everywhere, everywhere)).text
    '`fee` is 18 % higher'
    """
    coded = replace(coded, reference=coded.reference[rows[0]], current=coded.current[rows[1]])
    parts = (coded.after - coded.before) * coded.weights
    if parts.sum() <= 0 or not coded.reference.size or not coded.current.size:
        return Effect(coded.name, "none", "changed", 0.0, 0.0, 0.0, f"`{coded.name}` did not change")
    if parts[-1] >= MOST_OF_IT * parts.sum():
        return _missing(coded)
    if coded.kind == "categorical":
        unseen = coded.before[:-1] == 0
        new = parts[:-1][unseen].sum() >= MOST_OF_IT * parts.sum()
        return _new_values(coded, unseen) if new else _share(coded)
    values = numbers(reference)[rows[0]], numbers(current)[rows[1]]
    finite = values[0][np.isfinite(values[0])], values[1][np.isfinite(values[1])]
    with np.errstate(all="ignore"):  # sums of huge numbers overflow; what is not finite is not told
        if parts[0] + parts[-2] >= MOST_OF_IT * parts.sum() and _middle_stayed(*finite):
            return _beyond(coded)
        return _moments(coded, *finite)


def _missing(coded: CodedColumn) -> Effect:
    before, after = float(coded.before[-1]), float(coded.after[-1])
    verb = "rose" if after > before else "fell"
    text = f"missing values of `{coded.name}` {verb} from {percent(before)} to {percent(after)}"
    if after == 1.0:
        text = f"`{coded.name}` is missing on all rows, before on {percent(before)} of them"
    return Effect(coded.name, "missing", _direction(before, after), before, after, after - before, text)


def _new_values(coded: CodedColumn, unseen: Mask) -> Effect:
    share = float(coded.after[:-1][unseen].sum())
    named = [label for label, new in zip(coded.labels, unseen.tolist(), strict=False) if new]
    named = sorted(named, key=lambda label: -coded.after[coded.labels.index(label)])
    alone = bool(named) and coded.after[coded.labels.index(named[0])] >= 0.9 * share
    what = f"a new value `{named[0]}`" if alone else f"new values (`{named[0]}`, …)" if named else "new values"
    text = f"`{coded.name}` has {what} on {percent(share)} of the rows"
    return Effect(coded.name, "new", "higher", 0.0, share, share, text)


def _beyond(coded: CodedColumn) -> Effect:
    above = coded.after[-2] >= coded.after[0]
    share = float(coded.after[-2] if above else coded.after[0])
    limit = float(coded.edges[-1] if above else np.nextafter(coded.edges[0], np.inf))
    where, extreme = ("above", "largest") if above else ("below", "smallest")
    told = f"`{coded.name}` lies {where} {number(limit)}, the reference's {extreme} value,"
    text = f"{told} on {percent(share)} of the rows"
    return Effect(coded.name, "beyond", "higher" if above else "lower", 0.0, share, share, text)


def _middle_stayed(before: Floats, after: Floats) -> bool:
    """Whether some values left the reference's range, not all of them moved."""
    if not before.size or not after.size:
        return False
    return abs(float(np.median(after) - np.median(before))) <= MOVED_MIDDLE * float(before.std())


def _share(coded: CodedColumn) -> Effect:
    """The bin whose share changed most."""
    changes = coded.after - coded.before
    top = int(np.argmax(np.abs(changes)))
    before, after = float(coded.before[top]), float(coded.after[top])
    verb = "rose" if after > before else "fell"
    text = f"`{condition(coded, top, top).text}` {verb} from {percent(before)} to {percent(after)}"
    return Effect(coded.name, "share", _direction(before, after), before, after, after - before, text)


def _moments(coded: CodedColumn, before: Floats, after: Floats) -> Effect:
    """Mean, else spread, else the bin that changed most."""
    if not before.size or not after.size:
        return _missing(coded) if coded.before[-1] != coded.after[-1] else _share(coded)
    means, spreads = (float(before.mean()), float(after.mean())), (float(before.std()), float(after.std()))
    if before[0] == before[-1] and (before == before[0]).all():
        return _constant_no_more(coded, float(before[0]), after)
    if not np.isfinite(means).all() or not np.isfinite(spreads).all() or spreads[0] <= 0:
        return _share(coded)
    moved = (means[1] - means[0]) / spreads[0]
    if abs(moved) >= LEAST_MEAN:
        text = f"`{coded.name}` is {_how_much(means, spreads[0])}"
        return Effect(coded.name, "mean", _direction(*means), *means, float(moved), text)
    ratio = spreads[1] / spreads[0]
    if ratio >= LEAST_SPREAD or ratio <= 1 / LEAST_SPREAD:
        text = f"`{coded.name}` varies {percent(abs(ratio - 1))} {'more' if ratio > 1 else 'less'}"
        size = float(np.log(ratio)) if ratio > 0 else -1.0
        return Effect(coded.name, "spread", _direction(*spreads), *spreads, size, text)
    return _share(coded)


def _constant_no_more(coded: CodedColumn, value: float, after: Floats) -> Effect:
    share = float((after != value).mean())
    text = f"`{coded.name}`, always {number(value)} before, has another value on {percent(share)} of the rows"
    direction = _direction(value, float(np.median(after[after != value]))) if share > 0 else "changed"
    return Effect(coded.name, "new", direction, 0.0, share, share, text)


def _how_much(means: tuple[float, float], spread: float) -> str:
    """``18 % higher`` where the mean is a yardstick, else ``0.4 standard deviations lower``."""
    before, after = means
    word = _direction(before, after)
    both = f" (mean {number(before)} before, {number(after)} now)"
    if before * after > 0 and NEAR_ZERO * spread < abs(before):
        if before > 0 and after / before >= TIMES:
            return f"{number(after / before)} times as high{both}"
        if abs(after - before) >= LEAST_PERCENT * abs(before):
            return f"{percent(abs(after - before) / abs(before))} {word}"
    return f"{number(abs(after - before) / spread)} standard deviations {word}{both}"


def _direction(before: float, after: float) -> Direction:
    return "higher" if after > before else "lower" if after < before else "changed"
