"""Figures from counts are the figures from rows."""

import numpy as np
import polars as pl
import pytest

from driftbook.dashboard.realised import METRICS, calibration, confusion, ranking, realised, right_by_value
from driftbook.model.metrics import measure
from driftbook.model.ranking import placements

EXACT = 1e-12
BIN_WIDE = 0.01  # what a hundred bins may move the area under a curve by


def decided(classes, *, rows=400, seed=3):
    """Made-up decisions with targets, and what they count up to."""
    random = np.random.default_rng(seed)
    table = random.dirichlet(np.ones(len(classes)), size=rows)
    target = [classes[np.searchsorted(np.cumsum(row), random.random())] for row in table]
    prediction = [classes[place] for place in table.argmax(axis=1)]
    counted = pl.DataFrame({"prediction": prediction, "target": target}).group_by("prediction", "target").len("rows")
    return target, prediction, table, counted.with_columns(batch_id=pl.lit("2026-06-01"), brier_sum=pl.lit(1.0))


@pytest.mark.parametrize(
    ("classes", "positive"), [(["no", "yes"], "yes"), (["a", "b", "c"], None), (["a", "b", "c", "never"], None)]
)
def test_figures_from_counts_are_those_of_the_rows_with_their_intervals(classes, positive):
    target, prediction, table, counts = decided(classes[:3])
    if len(classes) > 3:
        table = np.column_stack([table, np.zeros(len(table))])
    expected = measure(target, prediction, table, classes=classes, positive=positive)
    found = {row["metric"]: row for row in realised(counts, classes=classes, positive=positive).iter_rows(named=True)}
    for name in ("accuracy", "precision", "recall", "f1"):
        for end in ("value", "low", "high"):
            assert found[name][end] == pytest.approx(getattr(expected[name], end), abs=EXACT), (name, end)


def test_a_target_outside_the_classes_is_decided_wrongly():
    rows = pl.DataFrame({"batch_id": ["a"] * 3, "prediction": ["a", "b", "b"], "target": ["a", "b", "?"]})
    counts = rows.with_columns(rows=pl.Series([5, 4, 3]), brier_sum=pl.lit(0.0))
    table = np.repeat([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], [5, 4, 3], axis=0)
    expected = measure(
        ["a"] * 5 + ["b"] * 4 + ["?"] * 3, ["a"] * 5 + ["b"] * 7, table, classes=["a", "b"], positive=None
    )
    found = realised(counts, classes=["a", "b"], positive=None)
    for name in ("accuracy", "precision", "recall", "f1"):
        row = found.row(by_predicate=pl.col("metric") == name, named=True)
        assert [row["value"], row["low"], row["high"]] == pytest.approx(
            [expected[name].value, expected[name].low, expected[name].high], abs=EXACT
        )
    assert confusion(counts, ["a", "b"]).tolist() == [[5, 0], [0, 4], [0, 3]]


def test_each_batch_has_its_figures_and_the_brier_score_no_interval():
    rows = {"batch_id": ["b", "a"], "prediction": ["yes"] * 2, "target": ["yes", "no"], "rows": [4, 5]}
    found = realised(pl.DataFrame(rows | {"brier_sum": [1.0, 2.0]}), classes=["no", "yes"], positive="yes")
    assert found.filter(metric="brier").select("batch_id", "value", "low", "rows").rows() == [
        ("a", 0.4, None, 5),
        ("b", 0.25, None, 4),
    ]
    assert set(found["metric"]) <= set(METRICS)


def test_a_figure_that_cannot_be_measured_is_left_out():
    rows = {"batch_id": ["a"], "prediction": ["no"], "target": ["no"], "rows": [4], "brier_sum": [0.0]}
    found = realised(pl.DataFrame(rows), classes=["no", "yes"], positive="yes")
    assert found["metric"].to_list() == ["accuracy", "brier"]
    assert realised(pl.DataFrame(rows).clear(), classes=[], positive=None).is_empty()


def test_the_area_under_the_curve_of_binned_scores_is_that_of_the_bins():
    random = np.random.default_rng(5)
    hit = random.random(3000) < 0.3
    score = np.clip(random.normal(np.where(hit, 0.6, 0.4), 0.15), 0, 1)
    frame = pl.DataFrame({"score_bin": np.minimum(score * 100, 99).astype(int), "positive": hit})
    roc, precision_recall = ranking(frame.group_by("score_bin", "positive").len("rows"))
    exact, deviations = placements(frame["score_bin"].to_numpy().astype(float), hit)
    assert roc.area == pytest.approx(exact, abs=EXACT)
    reach = 1.959963984540054 * np.sqrt((deviations**2).sum())
    assert roc.interval == pytest.approx((exact - reach, exact + reach), abs=EXACT)
    assert abs(roc.area - placements(score, hit)[0]) < BIN_WIDE
    assert precision_recall.without == pytest.approx(hit.mean())
    assert roc.points[0] == (0.0, 0.0)
    assert roc.points[-1] == (1.0, 1.0)


def test_a_score_that_separates_the_classes_has_an_area_of_one():
    roc, precision_recall = ranking(pl.DataFrame({"score_bin": [99, 0], "positive": [True, False], "rows": [3, 7]}))
    assert (roc.area, precision_recall.area) == (1.0, 1.0)
    assert roc.interval is None, "no row is misranked: nothing tells how sure that is"


def test_without_rows_of_both_classes_nothing_can_be_ranked():
    assert ranking(pl.DataFrame({"score_bin": [4], "positive": [True], "rows": [3]})) == (None, None)


def test_calibration_groups_rows_by_ten_percent_of_their_score():
    scores = pl.DataFrame(
        {"score_bin": [0, 9, 10, 99, 100], "positive": [False, True, True, True, True], "rows": [3, 1, 2, 4, 2]}
    )
    found = calibration(scores)
    assert found["rows"].to_list() == [4, 2, 6]
    assert found["observed"].to_list() == [0.25, 1.0, 1.0]
    assert found["predicted"].to_list() == [0.0275, 0.105, 0.995]


def test_values_of_a_segment_come_in_the_order_of_their_rows():
    rows = pl.DataFrame({"value": ["x", "y", "x", "z"], "rows": [1, 5, 1, 0], "correct": [1, 4, 0, 0]})
    assert right_by_value(rows).select("value", "rows", "share").rows() == [("y", 5, 0.8), ("x", 2, 0.5)]
