"""What champion and challenger are compared by on a day: targets, segments, costs, and what serving would cost.

Everything here is either known on that day or fixed when the challenger was trained, so that evidence as of an
earlier day is the same whenever it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import polars as pl

from driftbook.data.batches import load_batches
from driftbook.decisions.comparison import Contender, PromotionEvidence, compare_models
from driftbook.decisions.costs import check_costs, check_metric
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run

MOST_SEGMENTS = 50  # of a column; the values that are rarest in training are one segment together
OTHERS = "(other)"


@dataclass(frozen=True, eq=False)
class Comparing:
    """Takes the evidence of a run's comparisons; the segments of the stream's rows are read once, when first needed."""

    run: Run

    def evidence(
        self, champion: Contender, challenger: Contender, *, version: Version, targets: pl.DataFrame
    ) -> PromotionEvidence:
        """How the two did on the rows that both scored, after the challenger's training.

        Parameters
        ----------
        version
            The challenger's: until when it was trained, what its training data looked like, how large and fast it is.
        targets
            Those known on the day of the comparison: ``row_id, batch_id, known_time, target``.

        Raises
        ------
        ConfigError
            If the policy decides by cost and the use case declares none, or a cost names a class that neither knows.
        """
        costs = self.run.case.costs
        check_metric(self.run.policy.promotion.metric, costs)
        check_costs(costs, {*champion.classes, *challenger.classes})
        evidence = compare_models(
            champion,
            challenger,
            targets,
            trained_until=datetime.fromisoformat(version.trained_until),
            segments=self._segments(version),
            costs=costs,
        )
        limit = self.run.policy.promotion.guardrails.max_latency_ms
        latency = version.latency_ms
        if latency is not None:
            evidence = replace(evidence, within_latency=latency <= limit, latency_limit_ms=limit)
        return replace(evidence, size_mb=version.size_mb)

    @cached_property
    def _rows(self) -> pl.DataFrame:
        rows = load_batches(self.run.case, self.run.settings, as_of=self.run.as_of, part="stream")
        return rows.select("row_id", *self.run.case.columns.segments)

    def _segments(self, version: Version) -> pl.DataFrame | None:
        """Each row's segments; nothing where the use case declares none."""
        columns = self.run.case.columns.segments
        if not columns:
            return None
        known = {name: frequent_values(version.reference.profile[name].categories) for name in columns}
        return self._rows.select("row_id", *(_segment(name, values) for name, values in known.items()))


def frequent_values(categories: Mapping[str, int]) -> list[str]:
    """The most frequent values of a column in training, of equally frequent ones the first.

    Examples
    --------
    >>> frequent_values({"monthly": 600, "yearly": 300})
    ['monthly', 'yearly']
    """
    counted = sorted(categories.items(), key=lambda item: (-item[1], item[0]))
    return [value for value, _ in counted[:MOST_SEGMENTS]]


def _segment(name: str, values: list[str]) -> pl.Expr:
    """A column's value where it is among the frequent ones; missing stays missing."""
    text = pl.col(name).cast(pl.String)
    return pl.when(text.is_null() | text.is_in(values)).then(text).otherwise(pl.lit(OTHERS)).alias(name)
