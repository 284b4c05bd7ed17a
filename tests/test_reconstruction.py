"""Reconstruction error against scikit-learn's components, and its laws."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from driftbook.drift.encoding import fit_encoder
from driftbook.drift.reconstruction import (
    SMALLEST_SPREAD,
    VARIANCE_SHARE,
    fit_components,
    reconstruction_drift,
    reconstruction_error,
)
from driftbook.errors import DriftError

NUMERIC, CATEGORICAL = ["a", "b", "c", "d"], ["plan"]
GIVEN = {"numeric": NUMERIC, "categorical": CATEGORICAL}
DIGITS = 1e-6  # encoded rows are 32-bit


def rows(number: int = 800, *, seed: int, together: bool = True) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    common, *own = random.normal(size=(5, number))
    values = {name: common * together + 0.4 * each for name, each in zip(NUMERIC, own, strict=True)}
    scale = 1.0 if together else np.sqrt(1.16 / 0.16)
    plan = random.choice(["basic", "plus", "pro"], p=[0.5, 0.3, 0.2], size=number)
    return pl.DataFrame({name: each * scale for name, each in values.items()} | {"plan": plan})


def test_components_and_errors_are_those_of_scikit_learn():
    before, after = rows(seed=1), rows(seed=2, together=False)
    encoder = fit_encoder(before, **GIVEN)
    encoded, changed = (encoder.indicators(encoder.matrix(each)).astype(float) for each in (before, after))
    theirs = PCA(n_components=VARIANCE_SHARE, svd_solver="full").fit(encoded)
    ours = fit_components(before, **GIVEN)
    assert ours.directions.shape == theirs.components_.shape
    assert ours.explained == pytest.approx(theirs.explained_variance_ratio_.sum(), abs=DIGITS)
    back = theirs.inverse_transform(theirs.transform(changed))
    errors = np.linalg.norm(changed - back, axis=1)
    assert reconstruction_error(ours, after) == pytest.approx(errors, abs=DIGITS)


def test_all_components_reconstruct_every_row():
    before = rows(seed=1)
    components = fit_components(before, **GIVEN, share=1.0)
    assert reconstruction_error(components, rows(seed=2)).max() < DIGITS


def test_columns_that_no_longer_move_together_reconstruct_worse():
    found = reconstruction_drift(rows(seed=1), rows(seed=2, together=False), **GIVEN, seed=1)
    assert found.statistic > 0.3
    assert found.p_value < 1e-6
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert found.shares["plan"] < 0.1
    assert found.errors.shape == (800,)
    assert found.drift_score == pytest.approx(1 - np.exp(-found.statistic))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(found.z))
    assert found.z == pytest.approx(found.statistic / np.sqrt(2 / 800))


def test_the_same_rows_differ_only_by_the_halves():
    found = reconstruction_drift(rows(seed=1), rows(seed=1), **GIVEN, seed=1)
    assert abs(found.z) < 0.2
    assert found.drift_score < 0.01


def test_by_chance_it_finds_no_more_than_it_says():
    z = [reconstruction_drift(rows(seed=s), rows(400, seed=900 + s), **GIVEN, seed=s).z for s in range(150)]
    assert np.mean(z) == pytest.approx(0.0, abs=0.25)
    assert np.std(z) == pytest.approx(1.0, abs=0.2)


def test_the_order_of_a_batchs_rows_does_not_matter():
    before, after = rows(seed=1), rows(seed=2)
    first = reconstruction_drift(before, after, **GIVEN, seed=1)
    turned = reconstruction_drift(before, after.reverse(), **GIVEN, seed=1)
    assert turned.statistic == pytest.approx(first.statistic, abs=1e-9)


def test_a_lone_column_is_reconstructed_without_error_and_never_drifts():
    found = reconstruction_drift(rows(seed=1), rows(seed=2), numeric=["a"], categorical=[], seed=1)
    assert (round(found.statistic, 9), round(found.drift_score, 9)) == (0.0, 0.0)


def test_a_constant_column_that_moves_is_an_error_of_its_own():
    before, after = rows(seed=1).with_columns(k=pl.lit(3.0)), rows(seed=2).with_columns(k=pl.lit(9.0))
    found = reconstruction_drift(before, after, numeric=["k"], categorical=[], seed=1)
    assert found.statistic > 1 / SMALLEST_SPREAD
    assert found.drift_score == 1.0
    assert found.shares == {"k": 1.0}


def test_no_rows_have_no_components():
    with pytest.raises(DriftError, match="expected rows to learn components from"):
        fit_components(rows(seed=1)[:0], **GIVEN)
    with pytest.raises(DriftError, match="at least 20 rows"):
        reconstruction_drift(rows(seed=1), rows(1, seed=2), **GIVEN, seed=1)


def test_more_columns_than_it_can_take_are_refused_with_their_number():
    wide = pl.DataFrame(np.zeros((30, 501)))
    with pytest.raises(DriftError, match=r"at most 500 numeric columns.*found 501"):
        fit_components(wide, numeric=wide.columns, categorical=[])


def test_one_row_has_an_error():
    components = fit_components(rows(seed=1), **GIVEN)
    assert reconstruction_error(components, rows(1, seed=2)).shape == (1,)
