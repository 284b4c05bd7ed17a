"""The figure of a model's quality with many classes: the common ones are drawn, numbered, and the rest is told.

And the figure of its performance: where estimates are withdrawn the stretch is shaded, and nothing is drawn for them.
"""

import numpy as np
import polars as pl

from driftbook.figures import metric_over_time, model_quality

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


def _performance(values, withdrawn):
    count = len(values)
    return pl.DataFrame(
        {
            "batch_id": [f"2026-06-{day:02}" for day in range(1, count + 1)],
            "metric": ["accuracy"] * count,
            "value": values,
            "low": values,
            "high": values,
            "rows": [100] * count,
            "withdrawn": withdrawn,
        },
        schema_overrides=dict.fromkeys(("value", "low", "high"), pl.Float64),
    )


def test_a_stretch_of_withdrawn_estimates_is_shaded_to_the_end_and_named():
    realised = _performance([0.9, 0.9, 0.7], [False] * 3)
    estimated = _performance([0.9, 0.9, None, None], [False, False, True, True])
    figure = metric_over_time(realised, "accuracy", estimated=estimated)
    assert "Estimates withdrawn from 2026-06-03 on." in figure.description
    assert figure.svg.count("estimates withdrawn") == 2  # the name, and the tip of the shade
    assert figure.svg.count("<circle") == 2
    assert ">4 Jun<" in figure.svg, "batches without any figure keep their place"


def test_nothing_is_shaded_where_estimates_stand():
    realised = _performance([0.9, 0.8], [False] * 2)
    assert "withdrawn" not in metric_over_time(realised, "accuracy", estimated=realised).svg
