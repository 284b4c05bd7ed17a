"""Named ways the world changes, injected alike into simulated and into real rows.

A scenario is a value (:class:`ScenarioSpec`), not code: which effects it has and how they develop. One set of
functions applies any of them, so that what a method finds on simulated rows can be tried on one's own table.
Sizes are relative to statistics of the *history* (``Scales``), never to the rows that are changed, so that nothing
looks into the future; randomness is seeded by (seed, day), so that a day is the same whoever asks first.

The relation to the target changes in one direction only, towards one class: a row becomes that class with
probability ``q(x)``, so ``P'(class | x) = p + (1 - p) q(x)``. That can be done to a row whose ``p`` nobody
knows, by a coin, and it leaves the simulator with an exact truth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import polars as pl

from driftbook.config import UseCase
from driftbook.data.scales import FloatArray, Scale, Scales
from driftbook.errors import UnknownNameError

RAMP_DAYS = 30
WEEK_DAYS = 7
MOVED_SHARE = 1 / 3  # of the numeric columns, the first ones declared
EDGE = 0.1  # softness of that boundary, in standard deviations
MOST = 0.95  # no probability is scaled beyond this


@dataclass(frozen=True, kw_only=True)
class ScenarioSpec:
    """What a scenario does at strength 1; an effect that is not named is zero.

    ``course`` says how it develops from the onset on: at once and for good (``step``), linearly over 30 days
    (``ramp``), or up and down every seven days (``week``).
    """

    name: str
    sentence: str
    course: Literal["step", "ramp", "week"] = "step"
    mean_shift: float = 0.0  # of the moved numeric columns, in standard deviations
    mix_shift: float = 0.0  # share of rows moved into the most frequent value of the first categorical column
    new_category: float = 0.0  # share of rows with a value of the last categorical column never seen before
    missing: float = 0.0  # share of values lost in the moved numeric and the first categorical column
    relation: float = 0.0  # probability q of the focus class, above the upper quantile of the last numeric column
    odds_growth: float = 0.0  # growth of the odds of the focus class, by leaving out rows of the others


_SPECS = (
    ScenarioSpec(name="stable", sentence="Nothing is changed: on simulated rows every alarm is a false one."),
    ScenarioSpec(
        name="gradual",
        sentence="The means of a third of the numeric columns move by 0.8 standard deviations over 30 days.",
        course="ramp",
        mean_shift=0.8,
    ),
    ScenarioSpec(
        name="sudden",
        sentence="A market shock: a third of the numeric columns jump by 0.35 standard deviations, "
        "rows crowd into the most frequent category, and high values of the last numeric column, safe until then, "
        "turn to the focus class.",
        mean_shift=0.35,
        mix_shift=0.1,
        relation=0.85,
    ),
    ScenarioSpec(
        name="seasonal",
        sentence="A weekly cycle that the history did not have moves a third of the numeric columns up and down "
        "by 0.5 standard deviations.",
        course="week",
        mean_shift=0.5,
    ),
    ScenarioSpec(
        name="concept",
        sentence="Only the relation to the target changes; no feature moves, so only targets can show it.",
        relation=0.85,
    ),
    ScenarioSpec(
        name="new_category",
        sentence="Five percent of the rows carry a category that nobody has seen before.",
        new_category=0.05,
    ),
    ScenarioSpec(
        name="class_balance",
        sentence="The odds of the focus class double while each class keeps its look.",
        odds_growth=1.0,
    ),
    ScenarioSpec(
        name="missing_values",
        sentence="A broken feed loses 15 percent of the values of a third of the numeric and one categorical column.",
        missing=0.15,
    ),
)

SCENARIOS: Mapping[str, ScenarioSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})


@dataclass(frozen=True)
class Relabelling:
    """Each row becomes ``label`` with its ``probability``, else it stays what it is."""

    label: str
    probability: FloatArray


def scenario(name: str) -> ScenarioSpec:
    """The scenario of that name.

    Raises
    ------
    UnknownNameError
        Listing the scenarios there are.

    Examples
    --------
    >>> scenario("sudden").course
    'step'
    >>> scenario("suden")
    Traceback (most recent call last):
    ...
    driftbook.errors.UnknownNameError: no scenario 'suden'; did you mean 'sudden'? Available: class_balance, ...
    """
    if name not in SCENARIOS:
        raise UnknownNameError("scenario", name, SCENARIOS)
    return SCENARIOS[name]


def intensity(case: UseCase, *, day: int) -> float:
    """How far the case's scenario has developed on a day of the stream, times its strength.

    Parameters
    ----------
    day
        Day of the stream, the first being 1; a day of the history is 0 or less.

    Returns
    -------
    Zero before the onset; negative only in the falling half of a weekly cycle.
    """
    spec = scenario(case.scenario.name)
    since = day - case.scenario.onset_day + 1
    if day < 1 or since < 1:
        return 0.0
    if spec.course == "ramp":
        return case.scenario.strength * min(1.0, since / RAMP_DAYS)
    if spec.course == "week":
        return case.scenario.strength * math.sin(2 * math.pi * since / WEEK_DAYS)
    return case.scenario.strength


def inject(rows: pl.DataFrame, case: UseCase, *, day: int, scales: Scales) -> pl.DataFrame:
    """Apply the case's scenario to real rows of one day of the stream.

    Features change while each row keeps its target; then targets change by a coin, and rows are left out where
    the balance of the classes shifts. Equal (seed, day, rows) give equal rows.

    Parameters
    ----------
    rows
        Features of the case and ``target`` (may be null: an unknown target stays unknown).
    day
        Day of the stream, the first being 1.
    scales
        From :func:`driftbook.data.scales.measure_scales` on the history.

    Returns
    -------
    The rows in their order, fewer of them under ``class_balance``.
    """
    if intensity(case, day=day) == 0.0 or rows.is_empty():
        return rows
    rng = np.random.default_rng([abs(case.seed), day])
    rows = shift_features(rows, case, day=day, scales=scales, rng=rng)
    change = relabel(rows, case, day=day, scales=scales)
    turned = pl.Series(rng.random(rows.height) < change.probability)
    target = pl.when(turned & pl.col("target").is_not_null()).then(pl.lit(change.label)).otherwise(pl.col("target"))
    rows = rows.with_columns(target.alias("target"))
    kept = rng.random(rows.height) < keep_probability(case, day=day)
    return rows.filter(pl.Series(kept) | pl.col("target").eq_missing(scales.focus_class))


def shift_features(
    rows: pl.DataFrame, case: UseCase, *, day: int, scales: Scales, rng: np.random.Generator
) -> pl.DataFrame:
    """The features as the case's scenario makes them on a day of the stream; targets stay.

    Columns that hold whole numbers keep doing so (the shift is rounded at random, true to its mean), and nothing
    falls below the history's lowest value. A moved column is a float column.
    """
    now = intensity(case, day=day)
    if now == 0.0 or rows.is_empty():
        return rows
    spec = scenario(case.scenario.name)
    changed: list[pl.Series] = []
    for name in moved_columns(case, scales):
        values = rows[name].cast(pl.Float64)
        if spec.mean_shift:
            changed.append(_move(values, scales.numeric[name], by=spec.mean_shift * now, rng=rng))
        elif spec.missing:
            changed.append(_lose(values, share=spec.missing * now, rng=rng))
    categorical = list(scales.most_frequent)
    if categorical:
        first, last = rows[categorical[0]], rows[categorical[-1]]
        if spec.mix_shift:
            changed.append(_replace(first, scales.most_frequent[first.name], share=spec.mix_shift * now, rng=rng))
        elif spec.missing:
            changed.append(_lose(first, share=spec.missing * now, rng=rng))
        elif spec.new_category:
            changed.append(_replace(last, f"new_{last.name}", share=spec.new_category * now, rng=rng))
    return rows.with_columns(changed)


def relabel(rows: pl.DataFrame, case: UseCase, *, day: int, scales: Scales) -> Relabelling:
    """The change of the relation to the target on a day of the stream, for each row.

    The probability rises softly from zero to its peak where the last numeric column that varies passes the upper
    quantile it had in the history; rows that miss the value do not change. Without such a column the rows with
    the most frequent value of the last categorical column change.
    """
    spec = scenario(case.scenario.name)
    peak = min(MOST, spec.relation * max(0.0, intensity(case, day=day)))
    probability = np.zeros(rows.height)
    varying = [name for name in case.columns.numeric if scales.numeric[name].levels > 2]
    if peak > 0.0 and varying:
        scale = scales.numeric[varying[-1]]
        values = rows[varying[-1]].cast(pl.Float64).fill_null(math.nan).to_numpy()
        beyond = np.clip((values - scale.upper) / (EDGE * scale.std), -30.0, 30.0)
        probability = np.nan_to_num(peak / (1.0 + np.exp(-beyond)), nan=0.0)
    elif peak > 0.0 and scales.most_frequent:
        name, value = list(scales.most_frequent.items())[-1]
        probability = peak * (rows[name] == value).fill_null(False).to_numpy().astype(np.float64)
    return Relabelling(label=scales.focus_class, probability=probability)


def keep_probability(case: UseCase, *, day: int) -> float:
    """The share of rows outside the focus class that stay: one over the growth of its odds."""
    growth = scenario(case.scenario.name).odds_growth * max(0.0, intensity(case, day=day))
    return 1.0 / (1.0 + growth)


def moved_columns(case: UseCase, scales: Scales) -> tuple[str, ...]:
    """The numeric columns that scenarios move: the first third of those that take more than two values."""
    varying = [name for name in case.columns.numeric if scales.numeric[name].levels > 2]
    return tuple(varying[: math.ceil(len(varying) * MOVED_SHARE)])


def _move(values: pl.Series, scale: Scale, *, by: float, rng: np.random.Generator) -> pl.Series:
    """Shift by so many standard deviations, not below the lowest value; infinite and missing ones stay."""
    before = values.fill_null(math.nan).to_numpy()
    after = before + by * scale.std
    if scale.whole:
        after = np.floor(after + rng.random(before.size))
    after = np.maximum(after, np.minimum(before, scale.lowest))
    return pl.Series(values.name, after).fill_nan(None)


def _lose(values: pl.Series, *, share: float, rng: np.random.Generator) -> pl.Series:
    return _replace(values, None, share=share, rng=rng)


def _replace(values: pl.Series, value: str | None, *, share: float, rng: np.random.Generator) -> pl.Series:
    """Replace a share of the values at random; missing ones stay missing."""
    chosen = pl.Series("chosen", rng.random(values.len()) < min(MOST, max(0.0, share)))
    replaced = pl.when(chosen & values.is_not_null()).then(pl.lit(value)).otherwise(values)
    return pl.select(replaced.alias(values.name)).to_series()
