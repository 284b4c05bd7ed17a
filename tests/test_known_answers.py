"""Figures that others published for a public data set and that were computed anew: matched to the digits given.

census_ma: a census of one state, 2015 as the reference, 2016 to 2018 as production, with another model's score and
decision in it. Production is cut into consecutive chunks of 5,000 rows; each is compared with the whole reference.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon

from driftbook.drift.methods import method
from driftbook.drift.profile import column_profile
from driftbook.model.estimation import estimate_performance, fit_estimation, predictions_of
from driftbook.model.metrics import performance_by_batch

CENSUS = Path(__file__).parents[2] / "shared" / "data" / "census_ma"
CHUNK_ROWS, CHUNKS, SHOCK = 5000, 42, "27"
CLASSES = {"classes": ["rest", "1"], "positive": "1"}
GIVEN_DIGITS = 5e-6
Distance = Callable[[pl.DataFrame], float]

needs_census = pytest.mark.skipif(not CENSUS.is_dir(), reason="the census data of shared/data are not on this machine")


def census(name: str) -> pl.DataFrame:
    rows = pl.read_parquet(CENSUS / f"employment_MA_{name}.pq")
    number = pl.int_range(pl.len()) // CHUNK_ROWS
    return rows.with_columns(batch_id=number.cast(pl.String).str.zfill(2))


@pytest.fixture(scope="module")
def reference() -> pl.DataFrame:
    return census("reference")


@pytest.fixture(scope="module")
def production() -> pl.DataFrame:
    targets = pl.read_parquet(CENSUS / "employment_MA_analysis_target.pq")
    return census("analysis").join(targets, on="id", how="left", maintain_order="left")


def predictions(rows: pl.DataFrame) -> pl.DataFrame:
    return predictions_of(rows, score="predicted_probability", decision="prediction", target="employed", positive="1")


def roc_auc(performance: pl.DataFrame) -> dict[str, float]:
    return dict(performance.filter(metric="roc_auc").select("batch_id", "value").iter_rows())


@needs_census
def test_realised_auc_of_the_shock_and_the_limits_of_the_references_own_chunks(reference, production) -> None:
    found = roc_auc(performance_by_batch(predictions(production), **CLASSES))
    assert len(found) == CHUNKS
    assert found[SHOCK] == pytest.approx(0.80347, abs=GIVEN_DIGITS)
    own = np.array(list(roc_auc(performance_by_batch(predictions(reference), **CLASSES)).values()))
    limits = own.mean() - 3 * own.std(ddof=0), own.mean() + 3 * own.std(ddof=0)
    assert limits == pytest.approx((0.89336, 0.91339), abs=GIVEN_DIGITS)


@needs_census
def test_estimated_auc_of_the_shock(reference, production) -> None:
    rows = predictions(reference)
    fitted = fit_estimation(rows, **CLASSES, days=rows["batch_id"])
    found = estimate_performance(predictions(production), **CLASSES, recalibration=fitted)
    assert roc_auc(found)[SHOCK] == pytest.approx(0.83678, abs=GIVEN_DIGITS)


@needs_census
def test_estimated_and_realised_auc_fall_together_and_only_in_the_shock(reference, production) -> None:
    fitted = fit_estimation(predictions(reference), **CLASSES)
    rows = predictions(production)
    below = [
        sorted(name for name, value in roc_auc(frame).items() if value < 0.89336)
        for frame in (
            estimate_performance(rows, **CLASSES, recalibration=fitted),
            performance_by_batch(rows, **CLASSES),
        )
    ]
    assert below == [["27", "28"], ["27", "28"]]


def chunks(rows: pl.DataFrame) -> list[pl.DataFrame]:
    return rows.partition_by("batch_id", maintain_order=True)


def categorical(reference: pl.DataFrame, column: str) -> Distance:
    profile = column_profile(reference[column].cast(pl.String), kind="categorical")
    return lambda rows: (
        method("jensen_shannon")
        .measure(profile, column_profile(rows[column].cast(pl.String), kind="categorical"))
        .statistic
    )


def doane(reference: pl.DataFrame, column: str) -> Distance:
    """Their bins for a numeric column: of equal width by Doane's rule; what lies outside is one more bin."""
    edges = np.histogram_bin_edges(reference[column].to_numpy(), bins="doane")
    before = np.histogram(reference[column], edges)[0] / reference.height

    def distance(rows: pl.DataFrame) -> float:
        after = np.histogram(rows[column], edges)[0] / rows.height
        outside = max(0.0, 1 - float(after.sum()))
        return float(jensenshannon(np.append(before, 0.0), np.append(after, outside), base=2))

    return distance


@needs_census
def test_jensen_shannon_distance_of_the_shock(reference, production) -> None:
    distance = categorical(reference, "RELP")
    assert distance(chunks(production)[int(SHOCK)]) == pytest.approx(0.89691, abs=GIVEN_DIGITS)


@needs_census
@pytest.mark.parametrize(("column", "alerts"), [("ANC", 37), ("AGEP", 29), ("RELP", 28), ("MAR", 28), ("DREM", 28)])
def test_alerts_of_a_column_beyond_three_deviations_of_the_references_own_chunks(
    reference, production, column: str, alerts: int
) -> None:
    distance = (doane if column == "AGEP" else categorical)(reference, column)
    own = np.array([distance(rows) for rows in chunks(reference)])
    limit = own.mean() + 3 * own.std(ddof=0)
    assert sum(distance(rows) > limit for rows in chunks(production)) == alerts
