"""Decisions with known targets, counted by the day on which the targets became known, and estimates without them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from driftbook.drift.column_values import as_text
from driftbook.model.estimation import estimate_performance
from driftbook.model.metrics import matrix_of
from driftbook.timeline.day_tables import DAY_TABLES
from driftbook.timeline.days.bins import MOST_LABELS
from driftbook.timeline.days.rows import DayRows
from driftbook.timeline.models import Version

SCORE_BINS = 100
MISSING, RARER = "(missing)", "(others)"
COUNTED = ("outcomes", "score_outcomes", "segment_outcomes")
SUMS = ("rows", "correct", "brier_sum")


class Outcomes:
    """Gathers the outcomes of each day and version, and the estimates of those in office.

    Parameters
    ----------
    segments
        Columns by whose values decisions are counted apart.
    """

    def __init__(self, segments: tuple[str, ...]) -> None:
        self.segments = segments
        self.parts: dict[str, list[pl.DataFrame]] = {
            name: [pl.DataFrame(schema=DAY_TABLES[name])] for name in (*COUNTED, "estimates")
        }
        self.shown: dict[tuple[int, str], pl.Series] = {}

    def add(self, day: DayRows, version: Version, predictions: pl.DataFrame, *, first_day: date) -> None:
        """The decisions of one version on one day, as far as their targets are known.

        Parameters
        ----------
        first_day
            The version's first in office: what was known of it before counts from then on, nobody having asked.
        """
        unseen = predictions.filter(pl.col("event_time") > datetime.fromisoformat(version.trained_until))
        known = unseen.join(day.targets, on="row_id", how="inner", maintain_order="left")
        if known.is_empty():
            return
        known = known.with_columns(
            version=pl.lit(version.number, dtype=pl.Int64),
            day=pl.lit(day.day),
            known_on=pl.max_horizontal("known_on", pl.lit(first_day)),
            correct=(pl.col("prediction") == pl.col("target")).cast(pl.Int64),
            brier_sum=squared_errors(known, classes=version.bundle.classes, positive=version.bundle.positive),
        )
        self._count("outcomes", known, brier_sum=pl.col("brier_sum").sum())
        if version.bundle.positive is not None:
            bins = (pl.col("prediction_score") * SCORE_BINS).floor().clip(0, SCORE_BINS - 1).cast(pl.Int64)
            positive = pl.col("target") == version.bundle.positive
            self._count("score_outcomes", known.with_columns(score_bin=bins, positive=positive))
        for column in self.segments:
            values = day.rows.select("row_id", value=self._values(version, column, day.rows[column]))
            by_value = known.join(values, on="row_id", how="left").with_columns(column=pl.lit(column))
            self._count("segment_outcomes", by_value, correct=pl.col("correct").sum())

    def estimate(self, day: DayRows, version: Version, predictions: pl.DataFrame) -> None:
        """What a version in office promises of one day; nothing where its probabilities never met targets."""
        if not version.recalibration.maps or predictions.is_empty():
            return
        whole = predictions.with_columns(batch_id=pl.lit(day.day.isoformat()))
        bundle, recalibration = version.bundle, version.recalibration
        found = estimate_performance(
            whole, classes=bundle.classes, positive=bundle.positive, recalibration=recalibration
        ).filter(pl.col("value").is_not_null())
        found = found.with_columns(day=pl.lit(day.day), version=pl.lit(version.number, dtype=pl.Int64))
        digits = (pl.col(name).round_sig_figs(12) for name in ("value", "low", "high"))
        found = found.with_columns(*digits, pl.col("rows").cast(pl.Int64)).select(list(DAY_TABLES["estimates"]))
        self.parts["estimates"].append(found.sort("metric"))

    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables of all days so far."""
        found = {"estimates": pl.concat(self.parts["estimates"])}
        for name in COUNTED:
            schema = DAY_TABLES[name]
            keys, sums = [key for key in schema if key not in SUMS], [key for key in schema if key in SUMS]
            whole = pl.concat(self.parts[name]).group_by(keys, maintain_order=True).agg(pl.col(sums).sum())
            if "brier_sum" in sums:
                whole = whole.with_columns(pl.col("brier_sum").round_sig_figs(12))
            found[name] = whole.select(list(schema)).sort(keys)
        return found

    def _count(self, name: str, rows: pl.DataFrame, **sums: pl.Expr) -> None:
        keys = [key for key in DAY_TABLES[name] if key not in SUMS]
        counts = rows.group_by(keys, maintain_order=True).agg(rows=pl.len().cast(pl.Int64), **sums)
        self.parts[name].append(counts.select(list(DAY_TABLES[name])))

    def _values(self, version: Version, column: str, values: pl.Series) -> pl.Series:
        """A segment's values by name; those that are rare in the version's training together."""
        key = (version.number, column)
        if key not in self.shown:
            seen = version.reference.profile[column].categories
            most = sorted(seen, key=lambda label: (-seen[label], label))[:MOST_LABELS]
            self.shown[key] = pl.Series(most, dtype=pl.String)
        text = as_text(values).alias("value")
        named = pl.when(pl.col("value").is_in(self.shown[key].implode())).then(pl.col("value"))
        return text.to_frame().select(
            pl.when(pl.col("value").is_null()).then(pl.lit(MISSING)).otherwise(named.otherwise(pl.lit(RARER)))
        )["literal"]


def squared_errors(rows: pl.DataFrame, *, classes: tuple[str, ...], positive: str | None) -> pl.Series:
    """Squared error of each row's probabilities: of the positive class's, else summed over the classes.

    Examples
    --------
    >>> rows = pl.DataFrame({"target": ["yes", "no"], "probabilities": [[0.5, 0.5], [1.0, 0.0]]})
    >>> squared_errors(rows, classes=("no", "yes"), positive="yes").to_list()
    [0.25, 0.0]
    """
    table: Any = matrix_of(rows["probabilities"], classes=len(classes))
    hits = rows["target"].to_numpy()[:, None] == np.array(classes, dtype=object)
    squares = (table - hits) ** 2
    if positive is not None:
        return pl.Series("brier_sum", squares[:, classes.index(positive)])
    return pl.Series("brier_sum", squares.sum(axis=1) + ~hits.any(axis=1))
