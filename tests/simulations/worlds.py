"""Dashboards whose truth is known: columns in which nothing drifts, whatever the hours do, until somebody shifts them.

``independent``: every row is drawn alike. ``autocorrelated``: each column's level wanders, half of it in common, with a
memory of ten hours and a spread as large as chance gives the mean of 100 rows. ``seasonal``: a quarter of the columns
follow the hour (where there are hours), another quarter the weekend.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from driftbook.config import UseCase
from driftbook.drift.engine import Reference, build_reference

HOURS = 24
WORLDS = ("independent", "autocorrelated", "seasonal")
MEMORY = 0.9  # of an hour's level in the next
WANDER, TIDE, WEEKEND = 0.1, 0.3, 0.2  # in standard deviations of the rows
SHARES = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
LABELS = pl.Series(["north", "east", "south", "west", "abroad", "new"])
TILT = np.array([1.0, -1.0, 0.5, 0.0, -0.5])
KINDS = ("numeric", "categorical")


@dataclass(frozen=True)
class Change:
    """What happens to a column: its level jumps, climbs every day, or begins to follow the hour; values go."""

    jump: float = 0.0
    climb: float = 0.0
    tide: float = 0.0
    unseen: float = 0.0
    missing: float = 0.0

    def shift(self, batch: np.ndarray, per_day: int) -> np.ndarray:
        """Added to the level of each batch since the onset."""
        day = (batch + 1) / per_day
        return self.jump + self.climb * day + self.tide * np.sin(2 * np.pi * day)


@dataclass(frozen=True)
class World:
    """One dashboard for ``reference_days`` and the ``stream_days`` after them.

    Of ten columns two are categorical, one is skewed, and one misses ``missing`` of its values.
    """

    name: str
    seed: int
    rows: int = 100
    columns: int = 80
    reference_days: int = 60
    stream_days: int = 150
    per_day: int = HOURS
    missing: float = 0.02
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "random", np.random.default_rng([self.seed, WORLDS.index(self.name)]))

    @property
    def names(self) -> list[str]:
        return [f"c{place}" for place in range(self.columns)]

    def kind(self, place: int) -> str:
        return "categorical" if place % 5 == 4 else "numeric"

    @cached_property
    def levels(self) -> np.ndarray:
        """The level of each column in each hour, in standard deviations of its rows."""
        hours = (self.reference_days + self.stream_days) * self.per_day
        found = np.zeros((hours, self.columns))
        if self.name == "autocorrelated":
            for hour in range(hours):
                fresh = (self.random.normal(size=self.columns) + self.random.normal()) / np.sqrt(2)
                before = found[hour - 1] if hour else fresh
                found[hour] = MEMORY * before + np.sqrt(1 - MEMORY**2) * WANDER * fresh
        if self.name == "seasonal":
            hour, column = np.arange(hours), np.arange(self.columns)
            found[:, column % 4 == 0] += TIDE * np.sin(2 * np.pi * hour / self.per_day)[:, None]
            found[np.ix_(hour // self.per_day % 7 >= 5, column % 4 == 1)] += WEEKEND
        return found

    def column(self, place: int, *, first_day: int, days: int, change: Change | None = None) -> pl.Series:
        """Rows of a column, batch by batch, changed from its first to its last."""
        change = change or Change()
        batches = slice(first_day * self.per_day, (first_day + days) * self.per_day)
        levels = self.levels[batches, place]
        levels = levels + change.shift(np.arange(levels.size), self.per_day)
        if self.kind(place) == "categorical":
            shares = SHARES * np.exp(levels[:, None] * TILT)
            shares = shares / shares.sum(axis=1, keepdims=True) * (1 - change.unseen)
            shares = np.column_stack([shares, np.full(levels.size, change.unseen)])
            counts = self.random.multinomial(self.rows, shares)
            return LABELS.gather(np.repeat(np.tile(np.arange(LABELS.len()), levels.size), counts.ravel()))
        values = self.random.standard_normal((levels.size, self.rows)) + levels[:, None]
        if place % 10 == 0:
            np.exp(values, out=values)
        gone = change.missing + (self.missing if place % 10 == 1 else 0.0)
        if gone:
            values[self.random.random(values.shape) < gone] = np.nan
        return pl.Series(values.ravel())

    def reference(self) -> Reference:
        """Built as a model's is."""
        days = self.reference_days
        frame = pl.DataFrame(
            {name: self.column(place, first_day=0, days=days) for place, name in enumerate(self.names)}
        )
        hours = pl.Series("batch_id", np.arange(days * self.per_day)).cast(pl.String).str.zfill(6)
        frame = frame.with_columns(hours.gather(np.repeat(np.arange(days * self.per_day), self.rows)))
        return build_reference(frame, case=self.case, seed=1)

    @property
    def case(self) -> UseCase:
        kinds = {kind: [name for place, name in enumerate(self.names) if self.kind(place) == kind] for kind in KINDS}
        content = {
            "name": "world", "title": "World", "task": "binary",
            "batch": {"period": "hour" if self.per_day > 1 else "day"},
            "columns": {"target": "y", "positive_class": "1", "event_time": "at", **kinds},
            "source": {"kind": "files", "path": "world.csv"},
        }  # fmt: skip
        return UseCase.model_validate(content)
