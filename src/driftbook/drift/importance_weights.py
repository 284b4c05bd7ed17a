"""Two ways to weigh: drift by what a column means to the model, and reference rows by how current they look.

A large shift of a column the model ignores changes no prediction, so one number per batch weighs each column's drift
score by its importance. And where only the inputs drifted, the labelled rows of the reference still tell how well the
model does today, if each counts as often as rows like it occur now; the effective number of rows says how many are left
to say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from driftbook.drift.domain import NINETY_FIVE, DomainResult
from driftbook.drift.profile import Floats, Integers
from driftbook.errors import DriftError
from driftbook.model.metrics import Estimate

LARGEST_RATIO = 100.0  # a single row stands for no more than so many
SCORE_SCHEMA = {"batch_id": pl.String(), "weighted_score": pl.Float64(), "judged_share": pl.Float64()}


def importance_weighted_drift(table: pl.DataFrame, shares: Mapping[str, float]) -> pl.DataFrame:
    """One drift score per batch: the mean over features, weighed by what they mean to the model.

    Parameters
    ----------
    table
        Long drift table; of several methods on a column the largest ``drift_score`` counts.
    shares
        Importance of each column, see ``model.explain.column_shares``; a column that is not there has none.

    Returns
    -------
    ``batch_id``, ``weighted_score`` (0 to 1; null if no important column could be judged), ``judged_share`` (the share
    of importance that could be).

    Examples
    --------
    >>> row = {"batch_id": "1", "role": "feature", "method": "psi"}
    >>> table = pl.DataFrame([row | {"column": "a", "drift_score": 0.5}, row | {"column": "b", "drift_score": 1.0}])
    >>> importance_weighted_drift(table, {"a": 0.75, "b": 0.25}).row(0)
    ('1', 0.625, 1.0)
    """
    total = sum(max(share, 0.0) for share in shares.values())
    weights = pl.DataFrame(
        {
            "column": list(shares),
            "weight": [max(share, 0.0) / total if total > 0 else 0.0 for share in shares.values()],
        },
        schema={"column": pl.String(), "weight": pl.Float64()},
    )
    largest = (
        table.filter(pl.col("role") == "feature")
        .group_by("batch_id", "column", maintain_order=True)
        .agg(pl.col("drift_score").cast(pl.Float64).max())
        .join(weights, on="column", how="left", maintain_order="left")
        .with_columns(weight=pl.when(pl.col("drift_score").is_not_null()).then(pl.col("weight")).fill_null(0.0))
    )
    judged = pl.col("weight").sum()
    score = pl.when(judged > 0).then((pl.col("weight") * pl.col("drift_score")).sum() / judged)
    summed = largest.group_by("batch_id", maintain_order=True).agg(weighted_score=score, judged_share=judged)
    return summed.cast(SCORE_SCHEMA)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class DensityRatios:
    """How much more often rows like these occur now; mean 1.

    ``rows`` are positions in the reference. ``effective_rows`` is how many rows of equal weight would tell as much.
    """

    rows: Integers
    weights: Floats

    @property
    def effective_rows(self) -> float:
        """``(sum w)² / sum w²`` (Kish)."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())

    def mean(self, values: Floats) -> Estimate:
        """Self-normalised mean of a value per row of the reference: correct or not, the loss.

        Parameters
        ----------
        values
            One per row of the reference the ratios were learned on, in its order.
        """
        if self.rows.size and len(values) <= int(self.rows.max()):
            raise DriftError(f"expected a value for each row of the reference, found {len(values):,}")
        chosen = np.asarray(values, dtype=np.float64)[self.rows]
        share = self.weights / self.weights.sum()
        mean = float(share @ chosen)
        reach = NINETY_FIVE * math.sqrt(float((share**2) @ (chosen - mean) ** 2))
        return Estimate(mean, mean - reach, mean + reach)


def density_ratios(result: DomainResult) -> DensityRatios:
    """Weights that make the reference look like the batch, from the domain classifier's out-of-fold probabilities.

    Examples
    --------
    >>> from driftbook.drift.domain import domain_classifier
    >>> random = np.random.default_rng(1)
    >>> before, after = pl.DataFrame({"x": random.normal(size=3000)}), pl.DataFrame({"x": random.normal(1, 1, 3000)})
    >>> ratios = density_ratios(domain_classifier(before, after, numeric=["x"], categorical=[], seed=1))
    >>> abs(ratios.mean(before["x"].to_numpy()).value - 1) < 0.2, ratios.effective_rows < 2000
    (True, True)
    """
    scores = np.clip(result.reference_scores, 1e-9, 1 - 1e-9)
    ratios = np.minimum(scores / (1 - scores), LARGEST_RATIO)
    return DensityRatios(result.reference_rows, ratios / ratios.mean())
