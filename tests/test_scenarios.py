"""Scenarios change what they say, from their onset on, and nothing else."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from driftbook.config import UseCase
from driftbook.data.scales import Scale, Scales, measure_scales
from driftbook.data.scenarios import (
    SCENARIOS,
    inject,
    intensity,
    keep_probability,
    moved_columns,
    relabel,
    scenario,
    shift_features,
)
from driftbook.errors import DataError, UnknownNameError

ONSET = 3
ROWS = 4000


TELCO = Path(__file__).parents[2] / "shared" / "data" / "telco_churn"


def make_case(name: str, *, strength: float = 1.0, task: str = "binary", **columns: Any) -> UseCase:
    roles = {"target": "y", "numeric": ["a", "b", "c"], "categorical": ["k", "m"]} | columns
    return UseCase.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "task": task,
            "columns": ({"positive_class": "1"} if task == "binary" else {}) | roles,
            "source": {"kind": "files", "path": "toy.csv", "stream_start": date(2026, 1, 1)},
            "batch": {"rows": 100},
            "scenario": {"name": name, "onset_day": ONSET, "strength": strength},
            "seed": 7,
        }
    )


def make_rows(count: int = ROWS, *, classes: int = 2) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    return pl.DataFrame(
        {
            "row_id": [str(i) for i in range(count)],
            "a": rng.normal(10.0, 2.0, count),
            "b": rng.poisson(3.0, count).astype(float),
            "c": rng.normal(0.0, 1.0, count),
            "k": rng.choice(["x", "y", "z"], count, p=[0.5, 0.3, 0.2]).tolist(),
            "m": rng.choice(["p", "q"], count).tolist(),
            "target": rng.choice(classes, count, p=[0.7, 0.3] if classes == 2 else [0.5, 0.3, 0.2])
            .astype(str)
            .tolist(),
        }
    )


def injected(name: str, *, day: int = ONSET, rows: pl.DataFrame | None = None, strength: float = 1.0) -> pl.DataFrame:
    case = make_case(name, strength=strength)
    rows = make_rows() if rows is None else rows
    return inject(rows, case, day=day, scales=measure_scales(make_rows(), case))


def changed_columns(before: pl.DataFrame, after: pl.DataFrame) -> set[str]:
    return {name for name in before.columns if not before[name].equals(after[name])}


def test_an_unknown_scenario_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'seasonal'"):
        scenario("seasonl")


def test_every_scenario_says_in_one_sentence_what_it_does() -> None:
    assert all(name == spec.name and spec.sentence.endswith(".") for name, spec in SCENARIOS.items())


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_nothing_changes_before_the_onset_nor_at_strength_zero(name: str) -> None:
    rows = make_rows(50)
    for day, strength in ((-5, 1.0), (0, 1.0), (ONSET - 1, 1.0), (ONSET, 0.0)):
        assert_frame_equal(injected(name, day=day, rows=rows, strength=strength), rows)


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"stable"}))
def test_each_scenario_changes_rows_from_its_onset_on_and_alike_each_time(name: str) -> None:
    before = make_rows()
    after = injected(name)
    assert not after.equals(before)
    assert_frame_equal(after, injected(name))
    assert not after.equals(injected(name, day=ONSET + 1))
    assert after.columns == before.columns
    assert after.schema == before.schema
    assert_frame_equal(before, make_rows())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gradual", {"a"}),
        ("seasonal", {"a"}),
        ("concept", {"target"}),
        ("new_category", {"m"}),
        ("missing_values", {"a", "k"}),
        ("sudden", {"a", "k", "target"}),
    ],
)
def test_each_scenario_touches_only_its_columns(name: str, expected: set[str]) -> None:
    assert changed_columns(make_rows(), injected(name)) == expected


def test_intensity_steps_ramps_and_cycles() -> None:
    step, ramp, week = (make_case(name, strength=2.0) for name in ("sudden", "gradual", "seasonal"))
    assert [intensity(step, day=day) for day in (2, 3, 40)] == [0.0, 2.0, 2.0]
    assert [intensity(ramp, day=day) for day in (2, 3, 17, 32, 99)] == [0.0, 2.0 / 30, 1.0, 2.0, 2.0]
    assert [intensity(week, day=day) for day in (3, 9)] == pytest.approx([2 * math.sin(2 * math.pi / 7), 0.0])
    assert sum(intensity(week, day=day) for day in range(3, 10)) == pytest.approx(0.0)


def test_a_shift_has_the_size_it_says_in_standard_deviations_of_the_history() -> None:
    scale = measure_scales(make_rows(), make_case("gradual")).numeric["a"]
    moved = injected("gradual", day=ONSET + 29)["a"] - make_rows()["a"]
    assert moved.to_numpy() == pytest.approx(np.full(ROWS, 0.8 * scale.std))


def test_whole_numbers_stay_whole_and_move_by_the_right_mean() -> None:
    case = make_case("gradual", numeric=["b", "a", "c"])
    scales = measure_scales(make_rows(), case)
    after = inject(make_rows(), case, day=ONSET + 29, scales=scales)["b"]
    assert (after == after.floor()).all()
    assert (after - make_rows()["b"]).mean() == pytest.approx(0.8 * scales.numeric["b"].std, abs=0.03)


def test_a_falling_cycle_stays_above_the_lowest_value_of_the_history() -> None:
    case = make_case("seasonal", numeric=["b", "a", "c"], strength=5.0)
    after = inject(make_rows(), case, day=ONSET + 4, scales=measure_scales(make_rows(), case))["b"]
    assert after.min() == 0.0
    assert after.mean() < make_rows()["b"].mean()


def test_missing_and_infinite_values_stay_what_they_are_under_a_shift() -> None:
    rows = make_rows(4).with_columns(pl.Series("a", [None, math.inf, -math.inf, 1.0]))
    after = injected("gradual", rows=rows)["a"].to_list()
    assert after[:2] == [None, math.inf]
    assert 1.0 < after[3] < math.inf


def test_shares_are_those_of_the_description() -> None:
    lost = injected("missing_values")
    assert lost["a"].null_count() / ROWS == pytest.approx(0.15, abs=0.02)
    assert lost["k"].null_count() / ROWS == pytest.approx(0.15, abs=0.02)
    assert (injected("new_category")["m"] == "new_m").mean() == pytest.approx(0.05, abs=0.01)
    odds = [
        (frame["target"] == "1").sum() / (frame["target"] == "0").sum()
        for frame in (make_rows(), injected("class_balance"))
    ]
    assert odds[1] / odds[0] == pytest.approx(2.0, abs=0.1)


def test_strength_multiplies_and_never_passes_all_rows() -> None:
    assert injected("missing_values", strength=2.0)["a"].null_count() / ROWS == pytest.approx(0.3, abs=0.02)
    assert injected("missing_values", strength=10.0)["a"].null_count() / ROWS == pytest.approx(0.95, abs=0.02)


def test_class_balance_leaves_out_others_and_keeps_each_row_of_the_focus_class() -> None:
    before, after = make_rows(), injected("class_balance")
    assert keep_probability(make_case("class_balance"), day=ONSET) == 0.5
    positive = pl.col("target") == "1"
    assert_frame_equal(after.filter(positive), before.filter(positive))
    assert set(after["row_id"]) < set(before["row_id"])


def test_the_relation_changes_in_one_direction_above_the_upper_quantile() -> None:
    case = make_case("concept")
    scales = measure_scales(make_rows(), case)
    upper = scales.numeric["c"].upper
    rows = make_rows(3).with_columns(pl.Series("c", [upper - 2.0, upper + 2.0, None]))
    change = relabel(rows, case, day=ONSET, scales=scales)
    assert change.label == "1"
    assert change.probability == pytest.approx([0.0, 0.85, 0.0], abs=1e-6)
    before, after = make_rows(), injected("concept")
    turned = before["target"] != after["target"]
    assert set(after.filter(turned)["target"]) == {"1"}


def test_an_unknown_target_stays_unknown() -> None:
    rows = make_rows().with_columns(target=pl.lit(None, dtype=pl.String))
    assert injected("sudden", rows=rows)["target"].null_count() == ROWS


def test_a_multi_class_task_turns_rows_into_its_second_most_frequent_class() -> None:
    case = make_case("concept", task="multiclass")
    rows = make_rows(classes=3)
    assert measure_scales(rows, case).focus_class == "1"
    after = inject(rows, case, day=ONSET, scales=measure_scales(rows, case))
    assert (after["target"] == "1").sum() > (rows["target"] == "1").sum()
    assert after["target"].n_unique() == 3


def test_the_focus_class_is_the_minority_when_the_positive_class_is_common() -> None:
    rows = make_rows().with_columns(target=pl.when(pl.col("target") == "0").then(pl.lit("1")).otherwise(pl.lit("0")))
    assert measure_scales(rows, make_case("concept")).focus_class == "0"


def test_a_history_of_one_class_is_an_error_that_says_what_to_do() -> None:
    rows = make_rows().with_columns(target=pl.lit("1"))
    with pytest.raises(DataError, match=r"at least two classes of 'y'.*found only '1'.*stable"):
        measure_scales(rows, make_case("concept"))


def test_scales_ignore_missing_and_infinite_values() -> None:
    rows = pl.DataFrame({"a": [1.0, 3.0, None, math.inf, math.nan], "target": ["0", "1", "1", "0", "0"]})
    case = make_case("stable", numeric=["a"], categorical=[])
    assert measure_scales(rows, case) == Scales(
        numeric={"a": Scale(mean=2.0, std=1.0, median=2.0, upper=2.7, lowest=1.0, levels=2, whole=True)},
        most_frequent={},
        focus_class="1",
    )


def test_constant_empty_and_two_valued_columns_are_not_moved() -> None:
    case = make_case("gradual")
    rows = make_rows().with_columns(a=pl.lit(1.0), b=(pl.col("b") > 2).cast(pl.Float64))
    assert moved_columns(case, measure_scales(rows, case)) == ("c",)
    nothing = rows.with_columns(c=pl.lit(None, dtype=pl.Float64))
    scales = measure_scales(nothing, case)
    assert moved_columns(case, scales) == ()
    assert_frame_equal(inject(nothing, case, day=ONSET, scales=scales), nothing)


def test_without_a_varying_number_the_relation_changes_for_a_category() -> None:
    case = make_case("concept", numeric=[], categorical=["k", "m"])
    rows = pl.DataFrame({"k": ["x", "x"], "m": ["p", None]})
    scales = Scales(numeric={}, most_frequent={"k": "x", "m": "p"}, focus_class="1")
    assert relabel(rows, case, day=ONSET, scales=scales).probability == pytest.approx([0.85, 0.0])


def test_no_rows_stay_no_rows() -> None:
    empty = make_rows().clear()
    for name in SCENARIOS:
        assert_frame_equal(injected(name, rows=empty), empty)


def test_the_same_generator_state_gives_the_same_features() -> None:
    case = make_case("sudden")
    scales = measure_scales(make_rows(), case)
    first, second = (
        shift_features(make_rows(), case, day=ONSET, scales=scales, rng=np.random.default_rng(1)) for _ in range(2)
    )
    assert_frame_equal(first, second)
    assert first["target"].equals(make_rows()["target"])


@pytest.mark.skipif(not TELCO.is_dir(), reason="needs the real tables in ../shared/data")
@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"stable"}))
def test_each_scenario_works_on_a_real_table(name: str) -> None:
    raw = pl.read_csv(next(TELCO.glob("*.csv")), infer_schema=False)
    case = make_case(
        name,
        target="Churn",
        positive_class="Yes",
        numeric=["MonthlyCharges", "TotalCharges", "tenure"],
        categorical=["Contract", "PaymentMethod"],
    )
    numbers = [pl.col(column).str.strip_chars().cast(pl.Float64, strict=False) for column in case.columns.numeric]
    table = raw.select(*numbers, *case.columns.categorical, target="Churn")
    before = table[4000:]
    after = inject(before, case, day=ONSET, scales=measure_scales(table[:4000], case))
    assert not after.equals(before)
    assert after.schema == before.schema
    assert set(after["target"]) == {"Yes", "No"}
