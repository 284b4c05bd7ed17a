"""The figure of a model's quality with many classes: the common ones are drawn, numbered, and the rest is told."""

import numpy as np

from driftbook.figures import model_quality

CLASSES = [f"attack_{each:02}" for each in range(23)]


def _report(rows):
    """Each class decided rightly, with so many held-out rows."""
    return {"classes": CLASSES, "confusion": np.diag(rows).tolist(), "roc": [], "calibration": []}


def test_of_many_classes_those_with_the_most_rows_are_drawn_by_number():
    rows = [1] * 13 + [50] * 10
    svg = model_quality(_report(rows)).svg
    assert ">attack_13  1<" in svg
    assert ">attack_22  10<" in svg
    assert "attack_12" not in svg
    assert "13 rarer classes are not drawn" in svg


def test_what_is_said_to_be_healthy_is_about_what_is_drawn():
    assert "Ranking" not in model_quality(_report([5] * 23)).svg
