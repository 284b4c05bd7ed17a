"""Suspicious rows are told from others, online as in a build, and their share is what was promised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from model_samples import binary_case, labelled_rows

from driftbook.errors import ModelError
from driftbook.model.contrast import contrast_rows
from driftbook.model.features import Encoder
from driftbook.model.outliers import (
    DETECTOR_FILE,
    FLAGGED_SHARE,
    THRESHOLD_FILE,
    OutlierDetector,
    fit_detector,
)
from driftbook.model.training import train

ROWS = 4_000


def related_rows(rows: int = ROWS, *, seed: int = 1) -> pl.DataFrame:
    """Rows in which spending follows age, up to a fifth."""
    frame = labelled_rows(rows, seed=seed)
    noise = np.random.default_rng(seed).uniform(0.9, 1.1, rows)
    return frame.with_columns(spend=pl.col("age").fill_null(40.0) * 3.0 * pl.Series(noise))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.from_rows(related_rows(), binary_case())


@pytest.fixture(scope="module")
def fitted(encoder: Encoder) -> tuple[OutlierDetector, np.ndarray]:
    return fit_detector(related_rows(), encoder, folds=np.arange(ROWS) // 400 % 2, seed=1)


def flagged(detector: OutlierDetector, encoder: Encoder, rows: pl.DataFrame) -> float:
    return float((detector.scores(encoder.matrix(rows)) > detector.threshold).mean())


def test_the_share_of_new_rows_that_is_flagged_is_the_promised_one(
    fitted: tuple[OutlierDetector, np.ndarray], encoder: Encoder
) -> None:
    detector, out_of_fold = fitted
    assert detector.flagged_share == pytest.approx(FLAGGED_SHARE, abs=0.001)
    assert detector.flagged_share == (out_of_fold > detector.threshold).mean()
    assert flagged(detector, encoder, related_rows(20_000, seed=7)) == pytest.approx(FLAGGED_SHARE, abs=0.006)


@pytest.mark.parametrize(
    ("told", "changed", "least"),
    [
        ("a wrong unit", pl.col("age") * 100, 0.95),
        ("a wrong sign", -pl.col("spend"), 0.99),
        ("two columns exchanged", pl.col("spend").alias("age"), 0.6),
        ("a combination that never was", pl.col("age").reverse(), 0.5),
        ("an unknown category", pl.lit("gold").alias("plan"), 0.95),
    ],
)
def test_rows_that_cannot_be_right_are_flagged(
    fitted: tuple[OutlierDetector, np.ndarray], encoder: Encoder, told: str, changed: pl.Expr, least: float
) -> None:
    fresh = related_rows(2_000, seed=9).filter(pl.col("age").is_not_null())
    assert flagged(fitted[0], encoder, fresh.with_columns(changed)) >= least, told


def test_a_loaded_detector_gives_the_same_bits_and_saves_the_same_bytes(
    fitted: tuple[OutlierDetector, np.ndarray], encoder: Encoder, tmp_path: Path
) -> None:
    detector, matrix = fitted[0], encoder.matrix(related_rows(300, seed=3))
    loaded = OutlierDetector.load(detector.save(tmp_path / "a"))
    assert loaded is not None
    assert loaded.scores(matrix).tolist() == detector.scores(matrix).tolist()
    assert loaded.threshold == detector.threshold
    loaded.save(tmp_path / "b")
    for name in (DETECTOR_FILE, THRESHOLD_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_same_rows_and_seed_give_the_same_detector(
    fitted: tuple[OutlierDetector, np.ndarray], encoder: Encoder
) -> None:
    again, out_of_fold = fit_detector(related_rows(), encoder, folds=np.arange(ROWS) // 400 % 2, seed=1)
    assert bytes(again.booster.save_raw("ubj")) == bytes(fitted[0].booster.save_raw("ubj"))
    assert out_of_fold.tolist() == fitted[1].tolist()


def test_a_folder_without_a_detector_has_none_and_a_broken_one_is_refused(
    fitted: tuple[OutlierDetector, np.ndarray], tmp_path: Path
) -> None:
    assert OutlierDetector.load(tmp_path) is None
    fitted[0].save(tmp_path)
    raw = bytearray((tmp_path / DETECTOR_FILE).read_bytes())
    raw[-5] ^= 1
    (tmp_path / DETECTOR_FILE).write_bytes(raw)
    with pytest.raises(ModelError, match="is not the one"):
        OutlierDetector.load(tmp_path)
    (tmp_path / DETECTOR_FILE).unlink()
    with pytest.raises(ModelError, match="no usable outlier detector"):
        OutlierDetector.load(tmp_path)


def test_training_gives_a_detector_and_scores_every_row_out_of_sample() -> None:
    training = train(binary_case(), labelled_rows(), seed=1)
    rows = labelled_rows()
    verdicts = training.detector.columns(training.detector.scores(training.bundle.encoder.matrix(rows)))
    assert training.scores["outlier_score"].to_list() != verdicts["outlier_score"].to_list()
    shares = training.scores["outlier"].value_counts()
    assert dict(shares.iter_rows())["yes"] / rows.height == training.report["outliers"]["flagged_share"]


def test_made_up_rows_hold_what_can_go_wrong() -> None:
    rows = related_rows().select("age", "spend", "plan", "joined").drop_nulls()
    made = contrast_rows(rows, derived=binary_case().derived, seed=1)
    assert made.schema == rows.schema
    changed = pl.sum_horizontal(*(made[name].ne_missing(rows[name]) for name in rows.columns))
    assert 0.5 < float(made.select(changed.cast(pl.Int64).alias("n"))["n"].clip(0, 1).mean()) < 1.0
    assert made["age"].max() > 10 * rows["age"].max()
    assert made["age"].min() < 0
    assert made["plan"].null_count() > 0
    assert set(made["plan"].drop_nulls()) == set(rows["plan"])
    assert set(made["joined"].drop_nulls()) <= set(rows["joined"])


def test_empty_and_constant_columns_are_no_obstacle() -> None:
    rows = pl.DataFrame(
        {"a": [None] * 9, "b": [1.0] * 9, "c": ["x"] * 9, "d": [None] * 9},
        schema={"a": pl.Float64, "b": pl.Float64, "c": pl.String, "d": pl.String},
    )
    made = contrast_rows(rows, derived={}, seed=3)
    assert made.schema == rows.schema
    assert made["a"].null_count() == 9
    assert made["d"].null_count() == 9
