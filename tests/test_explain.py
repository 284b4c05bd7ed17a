from __future__ import annotations

import math

import polars as pl
import pytest
from model_samples import binary_case, labelled_rows, multiclass_case

from driftbook.model.explain import BASE, column_shares, contributions, feature_importance
from driftbook.model.training import fit_quickly, train

FLOAT32 = 1e-4


def test_contributions_and_base_add_up_to_the_calibrated_log_odds() -> None:
    rows = labelled_rows(40, seed=3)
    bundle = train(binary_case(), labelled_rows(), seed=1).bundle
    found = contributions(bundle, rows)
    assert found["feature"].unique().sort().to_list() == sorted([*bundle.encoder.features, BASE])
    sums = found.group_by("row_id", maintain_order=True).agg(pl.col("contribution").sum())
    scores = bundle.score(rows)["prediction_score"]
    assert sums["row_id"].to_list() == rows["row_id"].to_list()
    assert sums["contribution"].to_list() == pytest.approx([math.log(p / (1 - p)) for p in scores], abs=FLOAT32)


def test_contributions_of_several_classes_add_up_to_the_margin_of_the_decided_one() -> None:
    rows = labelled_rows(200).with_columns(target=pl.col("plan"))
    bundle = fit_quickly(multiclass_case(), rows, seed=1)
    sums = contributions(bundle, rows).group_by("row_id", maintain_order=True).agg(pl.col("contribution").sum())
    margins = bundle.margins(bundle.encoder.matrix(rows)).max(axis=1)
    assert sums["contribution"].to_list() == pytest.approx(margins.tolist(), abs=FLOAT32)


def test_importance_finds_what_the_target_depends_on() -> None:
    rows = labelled_rows()
    bundle = fit_quickly(binary_case(), rows, seed=1)
    found = feature_importance(bundle, rows)
    assert found["feature"][0] == "age"
    assert found["share"].sum() == pytest.approx(1.0)
    assert found["contribution"].is_sorted(descending=True)
    assert found.filter(feature="age")["gain"][0] > 0


def test_a_derived_features_share_is_split_among_its_columns() -> None:
    bundle = fit_quickly(binary_case(), labelled_rows(), seed=1)
    importance = pl.DataFrame(
        {"feature": ["age", "spend_per_year", "joined_month", "plan"], "share": [0.4, 0.2, 0.1, 0.3]}
    )
    assert column_shares(bundle, importance) == pytest.approx({"age": 0.5, "plan": 0.3, "spend": 0.1, "joined": 0.1})


def test_no_rows_have_no_importance() -> None:
    bundle = fit_quickly(binary_case(), labelled_rows(), seed=1)
    assert feature_importance(bundle, labelled_rows().head(0))["share"].sum() == 0
    assert contributions(bundle, labelled_rows().head(0)).height == 0
