"""The promise of estimated performance, where the truth is known: its interval holds what the targets then show."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from driftbook.model.estimation import ESTIMATED, estimate_performance, fit_estimation
from driftbook.model.metrics import performance_by_batch

pytestmark = pytest.mark.simulation

REPETITIONS, BATCH_ROWS = 250, 1000


def draw(rows: int, *, names: list[str], rng: np.random.Generator) -> pl.DataFrame:
    """Rows of a model that is too sure of itself, with targets drawn by the true probabilities."""
    truth = rng.dirichlet(np.arange(1, len(names) + 1) * 0.7, rows)
    stated = truth**1.6 / (truth**1.6).sum(axis=1, keepdims=True)
    code = (rng.random(rows)[:, None] > truth.cumsum(axis=1)).sum(axis=1).clip(0, len(names) - 1)
    columns = {"prediction": np.take(names, stated.argmax(axis=1)), "target": np.take(names, code)}
    lists = pl.Series(stated, dtype=pl.Array(pl.Float64, len(names))).cast(pl.List(pl.Float64))
    return pl.DataFrame({"batch_id": ["a"] * rows, **columns, "probabilities": lists})


@pytest.mark.parametrize(("classes", "reference_rows"), [(2, 600), (2, 5000), (3, 2000), (5, 5000)])
def test_intervals_hold_where_the_probabilities_had_to_be_put_right_first(classes: int, reference_rows: int) -> None:
    names, rng = [f"c{place}" for place in range(classes)], np.random.default_rng(7)
    positive, held = names[1] if classes == 2 else None, []
    for _ in range(REPETITIONS):
        fitted = fit_estimation(draw(reference_rows, names=names, rng=rng), classes=names, positive=positive)
        assert fitted.maps
        batch = draw(BATCH_ROWS, names=names, rng=rng)
        promised = estimate_performance(batch, classes=names, positive=positive, recalibration=fitted)
        realised = performance_by_batch(batch, classes=names, positive=positive)
        both = promised.join(realised, on="metric", suffix="_realised")
        held.append(both.select("metric", pl.col("value_realised").is_between("low", "high").alias("held")))
    shares = dict(pl.concat(held).group_by("metric").agg(pl.col("held").mean()).iter_rows())
    assert set(shares) == set(ESTIMATED)
    assert min(shares.values()) >= 0.91, shares
    assert np.mean(list(shares.values())) >= 0.93, shares
