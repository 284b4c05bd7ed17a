from __future__ import annotations

import numpy as np
import pytest

from driftbook.errors import ModelError
from driftbook.model.calibration import Calibration, fit_calibration


def test_overconfident_margins_are_brought_back_to_the_truth() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 20_000)
    codes = (rng.random(logit.size) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    fitted = fit_calibration(2 * logit + 1, codes, classes=2)
    assert fitted.slope == pytest.approx(0.5, abs=0.02)
    assert fitted.slope * 1 + fitted.offsets[1] - fitted.offsets[0] == pytest.approx(0.0, abs=0.06)


def test_classes_get_the_offsets_their_shares_ask_for() -> None:
    rng = np.random.default_rng(1)
    codes = rng.choice(3, 5000, p=[0.6, 0.3, 0.1])
    fitted = fit_calibration(np.zeros((5000, 3)), codes, classes=3)
    shares = np.bincount(codes) / 5000
    assert fitted.probabilities(np.zeros((1, 3)))[0] == pytest.approx(shares, abs=0.002)


def test_a_class_of_no_rows_keeps_a_small_finite_probability() -> None:
    fitted = fit_calibration(np.zeros((100, 3)), np.array([0, 1] * 50), classes=3)
    assert 0 < fitted.probabilities(np.zeros((1, 3)))[0, 2] < 0.05


def test_two_classes_keep_their_ranking() -> None:
    fitted = fit_calibration([-1.0, 0.0, 1.0, 2.0], np.array([1, 1, 0, 0]), classes=2)  # the model is upside down
    assert (np.diff(fitted.probabilities([-3.0, 0.0, 3.0])[:, 1]) > 0).all()


def test_a_calibration_survives_json() -> None:
    fitted = fit_calibration([-1.0, 0.5, 1.0, 2.0], np.array([0, 1, 0, 1]), classes=2)
    assert Calibration.from_json(fitted.to_json()) == fitted
    with pytest.raises(ModelError, match="train the model again"):
        Calibration.from_json({"slope": 1.0})


def test_margins_of_another_shape_are_refused() -> None:
    with pytest.raises(ModelError, match="4 rows and 2 classes"):
        fit_calibration(np.zeros((4, 3)), np.array([0, 1, 0, 1]), classes=2)
