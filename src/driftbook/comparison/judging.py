"""Columns of two tables through the drift engine, without a use case.

Two tables have no days of their own, so what chance does is learned from random rows of the reference, as many as the
current table has (at most a fifth of the reference, and at most 10,000: differences that so many rows cannot show are
too small to be told of). The budget is one of comparisons: at most one false alarm in so many of them, over all
columns and methods together. Of a column only a few numbers are kept; limits are set when all have been measured, as
they follow from all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from driftbook.comparison.columns import ColumnPair
from driftbook.comparison.shapes import Shape, shape_of
from driftbook.config import Policy, load_policy
from driftbook.config.policy import CalibratedThreshold
from driftbook.drift.batches import Pairing, stack_batches
from driftbook.drift.calibration import FEWEST_ROWS, LARGEST_SHARE, MOST_CHUNKS, Basis, Pair
from driftbook.drift.engine import check_methods
from driftbook.drift.judging import judge
from driftbook.drift.measuring import Measured, measure_column
from driftbook.drift.methods import METHODS, method
from driftbook.drift.null_laws import NullLaw
from driftbook.drift.profile import ColumnProfile, Floats, Integers, Kind, column_profile
from driftbook.drift.thresholds import limits_from_laws
from driftbook.errors import ConfigError

COMPARISONS_PER_FALSE_ALARM = 100
MOST_CHUNK_ROWS = 10_000
MANY_ROWS, FEW_CHUNKS = 2_000, 40  # from so many rows on, so many samples are enough and cost less
SAMPLE_ROWS = 5_000  # of each side, whole rows, for what needs several columns at once
BATCH = "current"
FIXED_ONLY = "this method has no limit of its own here: choose a policy with fixed limits"


def comparison_policy(
    policy: str | Policy | None, *, methods: Sequence[str] | None = None, budget: float | None = None
) -> Policy:
    """The policy of a comparison.

    Parameters
    ----------
    policy
        By default ``calibrated``.
    methods
        Instead of those that the policy names; each is used on the kinds of columns it can measure.
    budget
        At most one false alarm in so many comparisons; 100 where the policy is the default.

    Raises
    ------
    UnknownNameError
        If there is no such policy or method.
    ConfigError
        If a budget is given for a policy of fixed limits, or is less than one.

    Examples
    --------
    >>> chosen = comparison_policy(None, methods=["kolmogorov_smirnov", "psi"])
    >>> chosen.drift.numeric, chosen.drift.categorical, chosen.drift.threshold.days_per_false_alarm
    (('kolmogorov_smirnov', 'psi'), ('psi',), 100.0)
    """
    chosen = policy if isinstance(policy, Policy) else load_policy(policy or "calibrated")
    threshold = chosen.drift.threshold
    if isinstance(threshold, CalibratedThreshold):
        if budget is None and policy is None:
            budget = COMPARISONS_PER_FALSE_ALARM
        if budget is not None and budget < 1:
            raise ConfigError(f"a budget of one false alarm in {budget:g} comparisons is none; give 1 or more")
        if budget is not None:
            threshold = threshold.model_copy(update={"days_per_false_alarm": float(budget)})
    elif budget is not None:
        raise ConfigError(f"policy {chosen.name!r} has fixed limits, which keep no budget; leave the budget out")
    update: dict[str, object] = {"threshold": threshold}
    if methods is not None:
        if not methods:
            raise ConfigError("no method is named; name one or more, or leave the methods out")
        for kind in ("numeric", "categorical"):
            update[kind] = tuple(name for name in dict.fromkeys(methods) if kind in method(name).kinds)
    drift = chosen.drift.model_copy(update=update)
    check_methods(drift)
    return chosen.model_copy(update={"drift": drift})


@dataclass(frozen=True)
class Judged:
    """What is kept of a column once both sides have been let go: a few numbers per method, and its shape."""

    measured: Sequence[Measured]
    laws: Mapping[Pair, NullLaw]
    amounts: Mapping[Pair, Floats]
    shape: Shape
    sample: tuple[pl.Series, pl.Series]
    is_apart: bool  # the sides have no value in common


class Judge:
    """Measures pairs of columns one by one, then says of all of them together which drifted."""

    def __init__(self, policy: Policy, *, reference_rows: int, current_rows: int, seed: int) -> None:
        self.policy = policy
        self._places, self._basis = _random_rows(reference_rows, current_rows, seed=seed)
        random = np.random.default_rng(seed)
        self._sampled = tuple(
            np.sort(random.choice(rows, size=min(rows, SAMPLE_ROWS), replace=False, shuffle=False))
            for rows in (reference_rows, current_rows)
        )

    def methods(self, kind: Kind) -> tuple[str, ...]:
        """Methods that measure this kind of column."""
        return self.policy.drift.numeric if kind == "numeric" else self.policy.drift.categorical

    def measure(self, pair: ColumnPair) -> Judged:
        """Measure one column; its kind is known."""
        with np.errstate(all="ignore"):  # values may be too large to add up
            return self._measured(pair)

    def _measured(self, pair: ColumnPair) -> Judged:
        kind = pair.kind or "categorical"
        before = column_profile(pair.reference, kind=kind)
        after = stack_batches(pair.current, np.array([0, pair.current.len()]), kind=kind)
        methods = self.methods(kind)
        amounts: dict[Pair, Floats] = {}
        if self._places.size:
            offsets = np.arange(len(self._places) + 1) * self._places.shape[1]
            parts = Pairing(before, stack_batches(pair.reference.gather(self._places.ravel()), offsets, kind=kind))
            for name in methods:
                if method(name).calibrates:
                    amounts[pair.name, name] = method(name).null_amounts(parts)
        return Judged(
            measured=measure_column(pair.name, reference=before, role="feature", batches=after, methods=methods),
            laws={(pair.name, name): method(name).law(before) for name in methods},
            amounts=amounts,
            shape=shape_of(before, after.profile(0), family=pair.family),
            sample=(pair.reference.gather(self._sampled[0]), pair.current.gather(self._sampled[1])),
            is_apart=_is_apart(before, after.profile(0)),
        )

    def table(self, columns: Sequence[Judged]) -> pl.DataFrame:
        """The long table of all columns, held against limits that follow from all of them."""
        laws = {pair: law for each in columns for pair, law in each.laws.items()}
        amounts = {pair: values for each in columns for pair, values in each.amounts.items()}
        basis = replace(self._basis, amounts=amounts)
        limits = limits_from_laws(self.policy.drift, laws=laws, basis=basis, batches_per_day=1)
        measured = [each for column in columns for each in column.measured]
        table = judge(measured, [BATCH], limits=limits)
        fixed_only = pl.col("method").is_in([name for name, each in METHODS.items() if not each.calibrates])
        unsaid = fixed_only & pl.col("statistic").is_not_null() & pl.col("threshold").is_null()
        origin = pl.col("origin").str.replace(" days, ", " comparisons, ", literal=True)
        rows = f"random samples of {basis.chunk_rows:,} rows of the reference"
        return table.with_columns(
            origin=origin.str.replace("random samples of the reference", rows, literal=True),
            note=pl.when(unsaid).then(pl.lit(FIXED_ONLY)).otherwise("note"),
        )


def _is_apart(before: ColumnProfile, after: ColumnProfile) -> bool:
    if before.kind == "categorical":
        return before.categories.keys().isdisjoint(after.categories) and bool(before.categories and after.categories)
    if not before.finite or not after.finite:
        return False
    return bool(before.values[-1] < after.values[0] or after.values[-1] < before.values[0])


def _random_rows(total: int, current_rows: int, *, seed: int) -> tuple[Integers, Basis]:
    """Places of the rows of each chunk, shape (chunks, rows), and the basis of calibration without its amounts."""
    rows = min(current_rows, total // LARGEST_SHARE, MOST_CHUNK_ROWS)
    if rows < FEWEST_ROWS:
        needed = FEWEST_ROWS * LARGEST_SHARE
        side = f"the reference has {total} rows; to learn what chance does at least {needed} are needed"
        few = f"the current table has {current_rows} rows; at least {FEWEST_ROWS} are needed"
        note = side if total < needed else few
        return np.empty((0, 0), dtype=np.int64), Basis("none", 0, {}, note)
    random = np.random.default_rng(seed)
    chunks = MOST_CHUNKS if rows < MANY_ROWS else FEW_CHUNKS
    places = [random.choice(total, size=rows, replace=False, shuffle=False) for _ in range(chunks)]
    return np.array(places), Basis("random_rows", rows, {})
