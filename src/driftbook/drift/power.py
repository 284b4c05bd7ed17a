"""What would be seen: the probability that a change of a given size alarms, batch by batch and within some days.

Batches of the usual size are drawn from the reference's own rows, changed, measured by the policy's methods and held
against its limits, so that the answer includes whatever the limits include: the budget, the number of columns, how much
days differ. Three changes: a numeric column shifts by so many of its standard deviations, the largest category of a
categorical column gains so many of all rows, values go missing. Columns of few distinct values keep those and shift by
their weights. Rows are drawn independently, and evidence accumulated over batches is left out: it can only add.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from driftbook.config import Policy
from driftbook.config.policy import DriftPolicy
from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, Floats, Integers, few_distinct
from driftbook.drift.reference import Reference
from driftbook.drift.thresholds import Limits, limits_of
from driftbook.errors import DriftError

Change = Literal["shift", "share", "missing"]
Row = tuple[str, str, float | None, float, float, float]
SIZES: Mapping[Change, float] = {"shift": 0.2, "share": 0.05, "missing": 0.05}
GRID: Mapping[Change, tuple[float, ...]] = {
    "shift": (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0),
    "share": (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5),
    "missing": (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5),
}
DRAWS = 100  # batches drawn for a column and change
FEWEST_DRAWS = 20
MOST_VALUES = 150_000  # drawn for one column and change
MOST_ROWS = 20_000  # of a drawn batch; what is seen in so many rows is seen in more
FEW_VALUES = 100  # a numeric column with no more distinct values keeps them
POWER_SCHEMA: dict[str, pl.DataType] = {
    "column": pl.String(),
    "change": pl.String(),
    "size": pl.Float64(),
    "days": pl.Float64(),
    "per_batch_probability": pl.Float64(),
    "within_days_probability": pl.Float64(),
}


def power(
    reference: Reference, policy: Policy, *, days: float = 3, sizes: Mapping[Change, float] = SIZES, seed: int = 1
) -> pl.DataFrame:
    """How probably a change of each column would alarm.

    Parameters
    ----------
    days
        Counted from the onset; a change that lasts is looked for in every batch of them.
    sizes
        Of the changes: a shift in standard deviations, a category's and the missing values' gain as shares of all rows.

    Returns
    -------
    One row per column and change: ``column``, ``change``, ``size``, ``days``, ``per_batch_probability``,
    ``within_days_probability``. The target is left out, for it does not alarm.

    Raises
    ------
    DriftError
        If a size is not positive.
    """
    if any(size <= 0 for size in sizes.values()):
        raise DriftError(f"expected changes of positive size, found {dict(sizes)}; leave out what is not of interest")
    trials = _trials(reference, policy.drift, seed)
    rows = [
        trial.row(change, size, days) for trial in trials for change, size in sizes.items() if change in trial.changes
    ]
    return pl.DataFrame(rows, schema=POWER_SCHEMA, orient="row")


def column_power(
    reference: Reference, policy: Policy, column: str, *, sizes: Mapping[Change, float], days: float = 3
) -> pl.DataFrame:
    """:func:`power` of one column, in a fraction of its time: what somebody who moves a slider waits for.

    Returns
    -------
    As :func:`power`; empty for a column that raises no alarm.
    """
    rows = [
        trial.row(change, size, days)
        for trial in _trials(reference, policy.drift, seed=1, only=column)
        for change, size in sizes.items()
        if change in trial.changes
    ]
    return pl.DataFrame(rows, schema=POWER_SCHEMA, orient="row")


def smallest_seen(
    reference: Reference, policy: Policy, *, days: float = 3, probability: float = 0.95, seed: int = 1
) -> pl.DataFrame:
    """The smallest change of each column that is seen within ``days`` with at least that probability.

    Returns
    -------
    As :func:`power`; ``size`` is one of :data:`GRID`, and null, with the probabilities of the largest one, where none
    is seen.
    """
    trials = _trials(reference, policy.drift, seed)
    rows = [_smallest(trial, change, days, probability) for trial in trials for change in trial.changes]
    return pl.DataFrame(rows, schema=POWER_SCHEMA, orient="row")


def power_summary(found: pl.DataFrame) -> list[str]:
    """One sentence per kind of change, from what :func:`power` found.

    Examples
    --------
    >>> rows = [("age", "shift", 0.2, 3.0, 0.63, 0.95), ("fee", "shift", 0.2, 3.0, 0.2, 0.488)]
    >>> power_summary(pl.DataFrame(rows, schema=POWER_SCHEMA, orient="row"))
    ['A shift of 0.2 standard deviations would be seen within 3 days with probability .95 (median of 2 columns; least \
in fee: .49).']
    """
    words = {
        "shift": "A shift of {size:g} standard deviations",
        "share": "A gain of {points:g} points by the largest category",
        "missing": "{points:g} points more missing values",
    }
    sentences = []
    for (change, size, days), rows in found.group_by("change", "size", "days", maintain_order=True):
        ranked = rows.sort("within_days_probability", "column")
        least, middle = ranked["within_days_probability"][0], ranked["within_days_probability"].quantile(0.5, "higher")
        what = words[str(change)].format(size=size, points=100 * float(str(size)))
        of = f"median of {rows.height} columns; least in {ranked['column'][0]}: {_short(least)}"
        among = f" ({of})" if rows.height > 1 else f" in {ranked['column'][0]}"
        when = f"within {days:g} day{'' if days == 1 else 's'}"
        sentences.append(f"{what} would be seen {when} with probability {_short(float(str(middle)))}{among}.")
    return sentences


def _short(probability: float) -> str:
    return "above .99" if probability > 0.99 else f"{probability:.2f}".removeprefix("0")


def _smallest(trial: _Trial, change: Change, days: float, probability: float) -> Row:
    """The first size of the grid that is seen; larger ones are seen no less."""
    low, high, found = 0, len(GRID[change]), None
    while low < high:
        middle = (low + high) // 2
        row = trial.row(change, GRID[change][middle], days)
        low, high, found = (low, middle, row) if row[-1] >= probability else (middle + 1, high, found)
    if found is None:
        name, _, _, within, one, several = trial.row(change, GRID[change][-1], days)
        return name, change, None, within, one, several
    return found


def _trials(reference: Reference, drift: DriftPolicy, seed: int, *, only: str | None = None) -> Iterator[_Trial]:
    silent = frozenset(name for name, role in reference.roles.items() if role == "target")
    profile, basis, per_day = reference.profile, reference.basis, reference.batches_per_day
    limits = limits_of(drift, profile=profile, basis=basis, batches_per_day=per_day, silent=silent)
    usual = reference.batch_rows or (basis.chunk_rows,)
    rows = min(int(np.median(usual)), MOST_ROWS)
    for place, name in enumerate(profile):
        methods = drift.numeric if profile[name].kind == "numeric" else drift.categorical
        if name not in silent and rows and only in (None, name):
            random = np.random.default_rng([seed, place])
            yield _Trial(name, reference, limits, methods, rows, int(random.integers(2**32)))


@dataclass(frozen=True, eq=False)
class _Trial:
    """One column, ready to be drawn from."""

    name: str
    reference: Reference
    limits: Limits
    methods: tuple[str, ...]
    rows: int
    seed: int

    @property
    def column(self) -> ColumnProfile:
        return self.reference.profile[self.name]

    @property
    def changes(self) -> tuple[Change, ...]:
        """What can happen to it; a prediction is not missing, it is only not known yet."""
        numeric = self.column.kind == "numeric"
        moves = bool(self.column.std > 0) if numeric else bool(self.column.categories)
        first: tuple[Change, ...] = (("shift" if numeric else "share"),) if moves else ()
        return (*first, "missing") if self.reference.roles[self.name] == "feature" else first

    def row(self, change: Change, size: float, days: float) -> Row:
        """A row of the answer."""
        seen = self.seen(change, size)
        batches = days * self.reference.batches_per_day
        return self.name, change, size, float(days), seen, float(-np.expm1(batches * np.log1p(-min(seen, 1 - 1e-12))))

    def seen(self, change: Change, size: float) -> float:
        """Share of the drawn batches that alarm."""
        pair = Pairing(self.column, self.drawn(change, size))
        alarmed = np.zeros(len(pair.batches), dtype=np.bool_)
        with np.errstate(all="ignore"):
            for each in self.methods:
                chosen = method(each)
                statistics = chosen.statistics(pair)
                limit = self.limits.limit((self.name, each), chosen.scale(pair))
                values = statistics if limit.on == "statistic" else chosen.scores(statistics, pair)
                values = chosen.p_values(statistics, pair) if limit.on == "p_value" else values
                alarmed |= limit.bands(values) == 2
        return float(alarmed.mean())

    def drawn(self, change: Change, size: float) -> Batches:
        """Batches of changed rows; the same rows whatever the size, so that larger changes are seen no less."""
        random = np.random.default_rng(self.seed)
        draws = int(np.clip(MOST_VALUES // self.rows, FEWEST_DRAWS, DRAWS))
        column = self.column
        gone = np.array([column.missing, column.infinite]) / max(column.rows, 1)
        if change == "missing":
            gone = np.append(min(gone[0] + size, 1.0), gone[1] * (1 - size))
        shares = np.append(gone, max(1 - gone.sum(), 0.0))
        missing, infinite, held = random.multinomial(self.rows, shares / shares.sum(), size=draws).T
        if column.kind == "categorical":
            return _categories(column, held, missing, size if change == "share" else 0.0, random)
        values = _numbers(column, held, size if change == "shift" else 0.0, random)
        offsets = np.concatenate([[0], np.cumsum(held)])
        return Batches("numeric", np.full(draws, self.rows), missing, infinite, values, offsets)


def _numbers(column: ColumnProfile, held: Integers, shift: float, random: np.random.Generator) -> Floats:
    """Values of all batches, ascending in each."""
    known, upto = column.values, column.upto
    distinct = known if upto is not None else few_distinct(known, most=FEW_VALUES)
    owner = np.repeat(np.arange(held.size), held)
    places = np.sort(random.random(owner.size) + owner) - owner
    if distinct is None or distinct.size > FEW_VALUES:
        ranks = np.minimum((places * column.finite).astype(np.int64), column.finite - 1)
        found = known[ranks if upto is None else upto.searchsorted(ranks, side="right")] + shift * column.std
        return np.asarray(found, dtype=np.float64)
    weights = np.diff(column.rank(distinct), prepend=0)
    upper = np.cumsum(_tilted(distinct, weights / weights.sum(), shift * column.std))
    drawn: Floats = distinct[np.minimum(upper.searchsorted(places, side="right"), distinct.size - 1)]
    return drawn


def _tilted(values: Floats, shares: Floats, shift: float) -> Floats:
    """Shares of the values with a mean that is larger by ``shift``, as far as they reach: exponential tilting."""
    if not shift:
        return shares
    span = values[-1] - values[0]
    low, high = 0.0, 200.0
    aim, scaled = float(shares @ values) + shift, (values - values[-1]) / span
    found: Floats = shares
    for _ in range(60):
        middle = (low + high) / 2
        found = shares * np.exp(middle * scaled)
        found /= found.sum()
        low, high = (middle, high) if float(found @ values) < aim else (low, middle)
    return found


def _categories(
    column: ColumnProfile, held: Integers, missing: Integers, gain: float, random: np.random.Generator
) -> Batches:
    """The largest category gains from all others alike."""
    labels, counts = tuple(column.categories), np.array([*column.categories.values()], dtype=np.float64)
    known = counts / max(counts.sum(), 1)
    aim = min(known.max(initial=0.0) + gain, 1.0)
    largest = int(known.argmax()) if labels else 0
    shares = known * (1 - aim) / max(1 - known.max(initial=0.0), 1e-12)
    if labels:
        shares[largest] = aim
    drawn = random.multinomial(held, shares / shares.sum()) if labels else np.zeros((held.size, 0), dtype=np.int64)
    part, place = np.nonzero(drawn)
    rows, nothing = drawn.sum(axis=1) + missing, np.zeros_like(missing)
    cells = (part.astype(np.int64), place.astype(np.int64), drawn[part, place].astype(np.int64))
    offsets = np.zeros(held.size + 1, dtype=np.int64)
    return Batches("categorical", rows, missing, nothing, np.empty(0), offsets, None, labels, *cells)
