"""Figures of distributions: one column in reference and current rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from driftbook.figures.canvas import Figure, notice
from driftbook.figures.two_sides import Words, draw_bars, draw_histogram

BINS = 36
EMPTY = "Neither side has a value: the column is empty."
MOST_WHOLE = 48  # whole numbers up to so many get a bar each


def reference_vs_current(
    reference: pl.Series,
    current: pl.Series,
    *,
    column: str,
    names: tuple[str, str] = ("reference", "current"),
    effect: str = "",
) -> Figure:
    """The distribution of one column, reference behind and current in front; ``effect`` says how large the change is.

    Numbers give a histogram over the range that holds 99.8 % of both samples, the rest counted in the outer
    bins (a bin a value where they are few whole numbers); texts give bars for the most frequent values. Missing
    values are always a bar of their own.

    Examples
    --------
    >>> reference_vs_current(pl.Series([1.0, 2.0, None]), pl.Series([2.0, 2.0]), column="age")
    Figure: age: reference and current. reference: 3 rows, 33.3 % missing; current: 2 rows, 0 % missing.
    """
    missing = [_missing_share(each) for each in (reference, current)]
    words = Words.of(column, names, [reference.len(), current.len()], missing, effect=effect)
    if reference.dtype.is_numeric() or reference.dtype.is_temporal() or reference.dtype == pl.Null:
        samples = [_finite(each) for each in (reference, current)]
        if sum(sample.size for sample in samples) == 0:
            return notice(words.title, EMPTY)
        return _histogram(samples, missing, column=column, words=words)
    return _bars([reference, current], words=words)


def reference_vs_counts(
    reference: Mapping[str, Any],
    current: Mapping[str, Any],
    *,
    column: str,
    names: tuple[str, str] = ("reference", "current"),
    effect: str = "",
) -> Figure:
    """:func:`reference_vs_current` where rows are not at hand, only their counts in the same bins.

    Parameters
    ----------
    reference, current
        ``kind`` (``numeric`` or ``categorical``), ``rows``, ``missing``, ``counts``; of numbers ``edges`` (of equal
        width) with the rows ``below`` and ``above`` them, of texts ``labels`` with ``others`` and ``unseen``.

    Examples
    --------
    >>> then = {"kind": "numeric", "edges": [0.0, 1.0, 2.0], "counts": [6, 2], "below": 0, "above": 0}
    >>> now = then | {"counts": [1, 2], "above": 1, "rows": 5, "missing": 1}
    >>> reference_vs_counts(then | {"rows": 8, "missing": 0}, now, column="age")
    Figure: age: reference and current. reference: 8 rows, 0 % missing; current: 5 rows, 20 % missing.
    """
    sides = (reference, current)
    rows = [int(each["rows"]) for each in sides]
    missing = [each["missing"] / max(each["rows"], 1) for each in sides]
    words = Words.of(column, names, rows, missing, effect=effect)
    present = [max(each["rows"] - each["missing"], 1) for each in sides]
    if all(each["rows"] == each["missing"] for each in sides):
        return notice(words.title, EMPTY)
    if reference["kind"] == "numeric":
        below, above = (any(each[name] for each in sides) for name in ("below", "above"))
        counts = [[*[each["below"]] * below, *each["counts"], *[each["above"]] * above] for each in sides]
        shares = [[count / total for count in row] for row, total in zip(counts, present, strict=True)]
        outer = (below, above)
        return draw_histogram(reference["edges"], shares, missing, column=column, words=words, outer=outer)
    return draw_bars(_shares_of_values(sides, rows), words=words)


def _histogram(samples: list[np.ndarray], missing: list[float], *, column: str, words: Words) -> Figure:
    edges = _edges([sample for sample in samples if sample.size])
    low, high = float(edges[0]), float(edges[-1])
    counts = [np.histogram(np.clip(each, low, high), edges)[0] for each in samples]
    shares = [[float(count) / max(each.size, 1) for count in row] for row, each in zip(counts, samples, strict=True)]
    return draw_histogram(edges.tolist(), shares, missing, column=column, words=words)


def _edges(samples: list[np.ndarray]) -> np.ndarray:
    """Bins of equal width over what holds nearly all of both sides; around each value where they are few whole ones."""
    low = min(float(np.quantile(sample, 0.001)) for sample in samples)
    high = max(float(np.quantile(sample, 0.999)) for sample in samples)
    whole = all(bool((sample == np.floor(sample)).all()) for sample in samples)
    if whole and high - low < MOST_WHOLE:
        return np.arange(low, high + 2) - 0.5
    low, high = (low, high) if high > low else (low - 0.5, low + 0.5)
    return np.linspace(low, high, BINS + 1)


def _bars(sides: list[pl.Series], *, words: Words) -> Figure:
    counts = [dict(each.cast(pl.String).fill_null("(missing)").value_counts().iter_rows()) for each in sides]
    totals = [max(each.len(), 1) for each in sides]
    values = {value for each in counts for value in each}
    return draw_bars(
        {
            value: tuple(each.get(value, 0) / total for each, total in zip(counts, totals, strict=True))
            for value in values
        },
        words=words,
    )


def _shares_of_values(sides: Sequence[Mapping[str, Any]], rows: Sequence[int]) -> dict[str, tuple[float, ...]]:
    """Share of the rows of each side, value by value; what the reference's bins do not name by what it is."""
    found: dict[str, list[float]] = {}
    for place, (each, total) in enumerate(zip(sides, rows, strict=True)):
        rest = {"(rarer values)": each["others"], "(values never seen)": each["unseen"], "(missing)": each["missing"]}
        named = dict(zip(each["labels"] or [], each["counts"] or [], strict=True))
        for value, count in (named | {name: count for name, count in rest.items() if count}).items():
            found.setdefault(value, [0.0] * len(sides))[place] += count / max(total, 1)
    return {value: tuple(shares) for value, shares in found.items()}


def _finite(column: pl.Series) -> np.ndarray:
    numbers = column.to_physical().cast(pl.Float64, strict=False).drop_nulls().to_numpy()
    finite: np.ndarray = numbers[np.isfinite(numbers)]
    return finite


def _missing_share(column: pl.Series) -> float:
    missing = column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
    return missing / max(column.len(), 1)
