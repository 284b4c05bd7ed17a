from __future__ import annotations

import numpy as np
import pytest

from driftbook.model.ranking import placements


def delong_by_pairs(score: np.ndarray, hit: np.ndarray) -> tuple[float, float]:
    """DeLong's AUC and variance as defined, over all pairs."""
    pairs = (score[hit][:, None] > score[~hit]) + 0.5 * (score[hit][:, None] == score[~hit])
    variance = pairs.mean(1).var(ddof=1) / hit.sum() + pairs.mean(0).var(ddof=1) / (~hit).sum()
    return float(pairs.mean()), float(variance)


def test_placements_give_delongs_auc_and_variance_with_ties() -> None:
    rng = np.random.default_rng(0)
    hit = rng.random(120) < 0.3
    score = np.round(rng.normal(size=120) + hit, 1)
    auc, deviations = placements(score, hit)
    expected = delong_by_pairs(score, hit)
    assert (auc, float((deviations**2).sum())) == pytest.approx(expected, abs=1e-14)


def test_a_single_positive_row_has_the_largest_spread_there_is() -> None:
    _, deviations = placements(np.array([0.1, 0.2, 0.9]), np.array([False, False, True]))
    assert deviations[2] == 0.5
