from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from drift_cases import BATCH_ROWS, stream, use_case

from driftbook.config import Policy, load_policy
from driftbook.drift.engine import (
    DRIFT_SCHEMA,
    Reference,
    against_previous,
    analyse_drift,
    batch_verdicts,
    build_reference,
    excess,
)
from driftbook.drift.seasons import WEEKDAYS
from driftbook.errors import ConfigError, DriftError, UnknownNameError


def columns_alone(policy: Policy) -> Policy:
    """The policy with methods on the shape of single columns only."""
    methods = {"numeric": ("kolmogorov_smirnov", "psi"), "categorical": ("psi",), "table": ()}
    return policy.model_copy(update={"drift": policy.drift.model_copy(update=methods)})


CALIBRATED = columns_alone(load_policy("calibrated"))
QUIET, ODD = "2026-06-01", "2026-06-02"


@pytest.fixture(scope="module")
def reference() -> Reference:
    return build_reference(stream(batches=30), case=use_case(), seed=1)


def current(*changes: pl.Expr) -> pl.DataFrame:
    """Two batches: a quiet one, and one with the changes."""
    rows = stream(batches=2, seed=8, prefix="2026-06")
    changed = [
        pl.when(pl.col("batch_id") == ODD).then(each).otherwise(pl.col(each.meta.output_name())).alias(
            each.meta.output_name()
        )
        for each in changes
    ]  # fmt: skip
    return rows.with_columns(changed)


def drifted(table: pl.DataFrame) -> set[tuple[str, str]]:
    return set(table.filter("drifted").select("batch_id", "column").iter_rows())


def with_threshold(**drift: object) -> Policy:
    return CALIBRATED.model_copy(update={"drift": CALIBRATED.drift.model_copy(update=drift)})


def test_the_table_is_long_and_in_order(reference: Reference) -> None:
    table = analyse_drift(reference, current(), policy=CALIBRATED)
    assert dict(table.schema) == DRIFT_SCHEMA
    first = table.filter(pl.col("batch_id") == QUIET).select("column", "method", "role", "rows").rows()
    assert first == [
        ("age", "kolmogorov_smirnov", "feature", BATCH_ROWS),
        ("age", "psi", "feature", BATCH_ROWS),
        ("plan", "psi", "feature", BATCH_ROWS),
        ("prediction_score", "kolmogorov_smirnov", "prediction", BATCH_ROWS),
        ("prediction_score", "psi", "prediction", BATCH_ROWS),
        ("prediction", "psi", "prediction", BATCH_ROWS),
        ("target", "psi", "target", BATCH_ROWS),
    ]
    assert set(table["band"]) <= {"stable", "moderate"}


def test_a_shift_a_new_category_and_missing_values_are_found_in_their_batch(reference: Reference) -> None:
    shifted = current(pl.col("age") + 15, pl.lit("gold").alias("plan"))
    assert drifted(analyse_drift(reference, shifted, policy=CALIBRATED)) == {(ODD, "age"), (ODD, "plan")}
    absent = current(pl.lit(None, dtype=pl.Float64).alias("age"))
    table = analyse_drift(reference, absent, policy=CALIBRATED).filter(
        pl.col("batch_id") == ODD, pl.col("column") == "age"
    )
    assert table.select("method", "band", "note").rows() == [
        ("kolmogorov_smirnov", "cannot_tell", "the batch has no finite value"),
        ("psi", "drifted", None),
    ]


@pytest.mark.parametrize("name", ["calibrated", "psi_bands", "drifted_share"])
def test_every_policy_judges_every_row_or_says_why_not(name: str, reference: Reference) -> None:
    table = analyse_drift(reference, current(pl.col("age") + 60), policy=load_policy(name))
    assert (ODD, "age") in drifted(table)
    assert table.filter((pl.col("band") == "cannot_tell") != pl.col("note").is_not_null()).is_empty()
    assert table.filter((pl.col("band") == "drifted") != pl.col("drifted")).is_empty()
    assert (table.filter("drifted").select(excess()).to_series() > 1).all()
    assert (table.filter(pl.col("band") == "stable").select(excess()).to_series() <= 1).all()


def test_a_limit_on_the_prediction_overrides_its_threshold(reference: Reference) -> None:
    policy = with_threshold(prediction_limit=0.4)
    table = analyse_drift(reference, current(), policy=policy).filter(pl.col("role") == "prediction")
    assert set(table.select("on", "threshold").iter_rows()) == {("drift_score", 0.4)}


@pytest.mark.parametrize(
    ("column", "values", "note"),
    [
        ("age", pl.Series([None] * BATCH_ROWS, dtype=pl.Float64), "the batch has no finite value"),
        ("age", pl.Series([math.inf] * BATCH_ROWS), "the batch has no finite value"),
        ("age", pl.Series([[1]] * BATCH_ROWS), "column 'age': expected numbers, found List(Int64)"),
        ("plan", pl.Series([b"\xff"] * BATCH_ROWS), "column 'plan': expected categories, found Binary"),
        ("target", pl.Series([None] * BATCH_ROWS, dtype=pl.String), "no target is known yet"),
        ("prediction_score", pl.Series([None] * BATCH_ROWS, dtype=pl.Float64), "no prediction is known yet"),
    ],
)
def test_a_fault_in_one_column_is_a_row_with_a_note(
    column: str, values: pl.Series, note: str, reference: Reference
) -> None:
    rows = current().filter(pl.col("batch_id") == QUIET).with_columns(values.alias(column))
    table = analyse_drift(reference, rows, policy=CALIBRATED)
    assert note in table.filter(pl.col("column") == column, pl.col("band") == "cannot_tell")["note"].to_list()
    assert "cannot_tell" not in table.filter(pl.col("column") != column)["band"].to_list()


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([7.0] * BATCH_ROWS),
        pl.Series([1e308, -1e308] * (BATCH_ROWS // 2)),
        pl.Series([2**63] * BATCH_ROWS, dtype=pl.UInt64),
        pl.Series(["many"] * BATCH_ROWS),
        pl.Series([True, None] * (BATCH_ROWS // 2)),
    ],
)
def test_odd_values_are_drift_and_no_error(values: pl.Series, reference: Reference) -> None:
    rows = current().filter(pl.col("batch_id") == QUIET).with_columns(values.alias("age"))
    policy = with_threshold(numeric=("kolmogorov_smirnov", "psi", "wasserstein", "chi_squared", "jensen_shannon"))
    assert (QUIET, "age") in drifted(analyse_drift(reference, rows, policy=policy))


def test_missing_columns_single_rows_and_empty_frames_are_no_error(reference: Reference) -> None:
    lacking = analyse_drift(reference, current().drop("plan"), policy=CALIBRATED)
    assert set(lacking.filter(pl.col("column") == "plan")["note"]) == {"the column is missing in the batch"}
    single = analyse_drift(reference, current().head(1), policy=CALIBRATED)
    assert set(single["note"]) == {"the batch has 1 rows; at least 20 are needed"}
    assert not batch_verdicts(single, CALIBRATED)["alarmed"].any()
    nothing = analyse_drift(reference, current().clear(), policy=CALIBRATED)
    assert nothing.is_empty()
    assert batch_verdicts(nothing, CALIBRATED).is_empty()


def test_a_reference_too_small_to_calibrate_says_how_many_rows_are_needed() -> None:
    small = build_reference(stream(batches=1), case=use_case(), seed=1)
    table = analyse_drift(small, current(pl.col("age") + 30), policy=CALIBRATED)
    assert set(table["band"]) == {"cannot_tell"}
    assert "the reference has 60 rows; to learn what chance does to a batch at least 100 are needed" in set(
        table["note"]
    )


def test_a_reference_of_few_batches_is_calibrated_on_random_rows() -> None:
    few = build_reference(stream(batches=8), case=use_case(), seed=1)
    assert (few.basis.origin, few.basis.chunks, few.basis.chunk_rows) == ("random_rows", 100, BATCH_ROWS)
    assert "random rows of it stand in" in str(few.basis.note)
    found = drifted(analyse_drift(few, current(pl.col("age") + 15), policy=CALIBRATED))
    assert found == {(ODD, "age")}


def test_rows_in_any_order_and_batches_one_by_one_give_the_same_table(reference: Reference) -> None:
    rows = current(pl.col("age") + 4)
    whole = analyse_drift(reference, rows, policy=CALIBRATED)
    assert analyse_drift(reference, rows.sample(fraction=1, shuffle=True, seed=2), policy=CALIBRATED).equals(whole)
    parts = [
        analyse_drift(reference, rows.filter(pl.col("batch_id") == each), policy=CALIBRATED) for each in (QUIET, ODD)
    ]
    assert pl.concat(parts).equals(whole)


def test_a_stored_reference_judges_like_a_fresh_one_and_has_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    fresh = [build_reference(stream(batches=30), case=use_case(), seed=1).save(folder) for folder in folders]
    for name in ("reference.npz", "reference.json"):
        assert (fresh[0] / name).read_bytes() == (fresh[1] / name).read_bytes()
    built = build_reference(stream(batches=30), case=use_case(), seed=1)
    policy = with_threshold(numeric=("kolmogorov_smirnov", "wasserstein"))
    rows = current(pl.col("age") + 3)
    stored = analyse_drift(Reference.load(folders[0]), rows, policy=policy)
    assert stored.equals(analyse_drift(built, rows, policy=policy))


def test_faults_of_reference_and_policy_are_errors(reference: Reference) -> None:
    with pytest.raises(DriftError, match="found none of plan"):
        build_reference(stream(batches=1).drop("plan"), case=use_case(), seed=1)
    with pytest.raises(DriftError, match="found no rows"):
        build_reference(stream(batches=1).clear(), case=use_case(), seed=1)
    with pytest.raises(UnknownNameError, match="did you mean 'psi'"):
        analyse_drift(reference, current(), policy=with_threshold(numeric=("psy",)))
    with pytest.raises(ConfigError, match="'wasserstein' cannot measure categorical"):
        analyse_drift(reference, current(), policy=with_threshold(categorical=("wasserstein",)))


def test_verdicts_follow_the_share_of_features_and_the_prediction(reference: Reference) -> None:
    table = analyse_drift(reference, current(pl.col("age") + 30), policy=CALIBRATED)
    verdicts = batch_verdicts(table, CALIBRATED)
    assert verdicts.drop("top_excess").rows() == [
        (QUIET, 2, 0, 0.0, False, False, False, False, False, False, verdicts["top_column"][0]),
        (ODD, 2, 1, 0.5, False, False, False, False, True, False, "age"),
    ]
    assert verdicts["top_excess"][0] < 1 < verdicts["top_excess"][1]
    tolerant = with_threshold(alarm_share=0.5)
    assert batch_verdicts(table, tolerant)["alarmed"].to_list() == [False, False]
    scored = analyse_drift(reference, current(pl.col("prediction_score") / 10), policy=tolerant)
    assert batch_verdicts(scored, tolerant)["alarmed"].to_list() == [False, True]


def test_more_suspicious_rows_alarm_and_are_told_apart_from_drift() -> None:
    odd = pl.when(pl.int_range(pl.len()) % 20 == 0).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("outlier")
    reference = build_reference(stream(batches=30).with_columns(odd), case=use_case(), seed=1)
    assert reference.roles["outlier"] == "outlier"
    more = pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("yes")).otherwise(pl.lit("no"))
    batches = stream(batches=2, seed=8, prefix="2026-06").with_columns(odd)
    batches = batches.with_columns(outlier=pl.when(pl.col("batch_id") == ODD).then(more).otherwise("outlier"))
    verdicts = batch_verdicts(analyse_drift(reference, batches, policy=CALIBRATED), CALIBRATED)
    told = verdicts.select("outliers_drifted", "drifted_columns", "prediction_drifted", "alarmed", "only_outliers")
    assert told.rows() == [(False, 0, False, False, False), (True, 0, False, True, True)]
    assert verdicts["top_column"][1] == "outlier"
    shifted = batches.with_columns(age=pl.when(pl.col("batch_id") == ODD).then(pl.col("age") + 30).otherwise("age"))
    verdicts = batch_verdicts(analyse_drift(reference, shifted, policy=CALIBRATED), CALIBRATED)
    assert verdicts.select("alarmed", "outliers_drifted", "only_outliers").row(1) == (True, True, False)


def test_the_target_is_shown_and_does_not_alarm(reference: Reference) -> None:
    table = analyse_drift(reference, current(pl.lit("yes").alias("target")), policy=CALIBRATED)
    verdict = batch_verdicts(table, CALIBRATED).row(1, named=True)
    assert verdict["target_drifted"]
    assert not verdict["alarmed"]
    assert verdict["top_column"] != "target"


def test_a_column_that_cannot_matter_is_shown_and_does_not_alarm(reference: Reference) -> None:
    table = analyse_drift(reference, current(pl.col("age") + 60), policy=CALIBRATED, silent=frozenset({"age"}))
    assert drifted(table) == {(ODD, "age")}
    assert table.filter(column="age")["matters"].any() is False
    assert batch_verdicts(table, CALIBRATED)["alarmed"].to_list() == [False, False]


def test_a_step_is_seen_against_the_day_before_on_its_day_only(reference: Reference) -> None:
    rows = stream(batches=6, seed=8, prefix="2026-06")
    stepped = rows.with_columns(pl.when(pl.col("batch_id") > "2026-06-03").then(pl.col("age") + 25).otherwise("age"))
    table = against_previous(reference, stepped, policy=CALIBRATED)
    assert table["batch_id"].unique().sort().to_list() == [f"2026-06-{day:02d}" for day in range(2, 7)]
    assert drifted(table) == {("2026-06-04", "age")}


def test_with_a_season_a_sunday_is_held_against_sundays(tmp_path: Path) -> None:
    def rows(first: int, days: int, seed: int) -> pl.DataFrame:
        parts = []
        for number in range(first, first + days):
            day = date(2026, 1, 1) + timedelta(days=number)
            part = stream(batches=1, seed=seed + number).with_columns(batch_id=pl.lit(day.isoformat()))
            parts.append(part.with_columns(pl.col("age") + (30 if day.weekday() == 6 else 0)))
        return pl.concat(parts)

    built = {
        season: build_reference(rows(0, 70, 100), case=use_case(batch={"rows": BATCH_ROWS, "season": season}), seed=1)
        for season in ("none", "weekday")
    }
    built["weekday"] = Reference.load(built["weekday"].save(tmp_path))
    sundays = rows(70, 14, 500).with_columns(
        pl.when(pl.col("batch_id") > "2026-03-17").then(70.0 - 0.1 * pl.col("age")).otherwise("age").alias("age")
    )
    found = {
        season: {day for day, column in drifted(analyse_drift(each, sundays, policy=CALIBRATED)) if column == "age"}
        for season, each in built.items()
    }
    later = {day for day in sundays["batch_id"].unique() if day > "2026-03-17"}
    assert found["weekday"] == later
    assert sorted(built["weekday"].seasons) == sorted(WEEKDAYS)
    quiet = analyse_drift(built["weekday"], rows(70, 14, 900), policy=CALIBRATED)
    assert drifted(quiet) == set()


def test_whole_batches_are_judged_beside_columns() -> None:
    columns = {"target": "left", "positive_class": "yes", "numeric": ["age"], "categorical": ["plan"]}
    case = use_case(batch={"period": "day"}, columns=columns | {"event_time": "when"})
    reference = build_reference(stream(batches=30), case=case, seed=1)
    policy = with_threshold(table=("row_count", "domain_classifier", "reconstruction_error"))
    rows = pl.concat([current(), stream(batches=1, seed=9, prefix="2026-07", rows=240)])
    table = analyse_drift(reference, rows, policy=policy)
    whole = table.filter(role="table")
    assert whole["column"].unique().to_list() == ["all columns"]
    assert whole.filter("drifted").select("batch_id", "method").rows() == [("2026-07-01", "row_count")]
    assert batch_verdicts(table, policy)["alarmed"].to_list() == [False, False, True]
    few = analyse_drift(reference, rows.group_by("batch_id").head(9), policy=policy).filter(role="table")
    assert set(few["note"]) == {"the batch has 9 rows; at least 20 are needed"}
    with pytest.raises(UnknownNameError, match="did you mean 'row_count'"):
        analyse_drift(reference, rows, policy=with_threshold(table=("row_counts",)))


def test_a_slow_drift_that_no_batch_shows_adds_up(reference: Reference) -> None:
    policy = with_threshold(table=("e_cusum",))
    rows = stream(batches=90, seed=8, prefix="2026")
    later = pl.col("batch_id") > "2026-30"
    slow = rows.with_columns(pl.when(later).then(pl.col("age") + 3.5).otherwise("age").alias("age"))
    quiet, table = (analyse_drift(reference, each, policy=policy) for each in (rows, slow))
    assert drifted(quiet) == set()
    assert {column for _, column in drifted(table)} == {"all columns"}
    assert table.filter(method="e_cusum")["drift_score"].is_between(0, 1).all()
    bands = load_policy("psi_bands").drift.threshold
    with pytest.raises(ConfigError, match="needs a threshold of kind calibrated"):
        analyse_drift(reference, rows, policy=with_threshold(table=("e_cusum",), threshold=bands))


def test_the_reference_itself_raises_no_alarm(reference: Reference) -> None:
    verdicts = batch_verdicts(analyse_drift(reference, stream(batches=30), policy=CALIBRATED), CALIBRATED)
    assert verdicts["alarmed"].sum() == 0


def test_numbers_written_as_text_and_as_other_types_are_the_same(reference: Reference) -> None:
    rows = current().with_columns(pl.col("age").round(1))
    same = [
        analyse_drift(reference, rows.with_columns(pl.col("age").cast(dtype)), policy=CALIBRATED)
        for dtype in (pl.Float64, pl.String)
    ]
    assert same[0].equals(same[1])
    assert np.isfinite(same[0]["statistic"].to_numpy()).all()
