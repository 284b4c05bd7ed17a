"""A segment names the rows that hold a shift, whatever the shift is, and none where it is spread over all rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from customers_drifting import CURRENT, KINDS, REFERENCE, customers, some, where

from driftbook.attribution.coding import CodedColumn, code_column, code_columns
from driftbook.attribution.segments import Change, Segment, find_segment
from driftbook.attribution.weights import Weights, column_weights

NEARLY_ALL = 0.9
ROUNDING = 1e-12


def found(current: pl.DataFrame, column: str, *, change: Change = "within") -> Segment | None:
    coded = code_columns(REFERENCE, current, kinds=KINDS)
    others = {name: each for name, each in coded.items() if name != column or change == "frequency"}
    return find_segment(others, column_weights([coded[column]]), change=change)


def certainly(segment: Segment | None) -> Segment:
    assert segment is not None
    return segment


def test_a_change_within_one_category_is_found_with_all_of_its_shift() -> None:
    current = where(pl.col("contract") == "month-to-month", "monthly_charges", pl.col("monthly_charges") * 1.18)
    segment = certainly(found(current, "monthly_charges"))
    assert segment.text == "contract = month-to-month"
    assert segment.change == "within"
    assert segment.share > NEARLY_ALL
    assert segment.after == (CURRENT["contract"] == "month-to-month").mean()


def test_a_change_within_a_range_is_found_at_the_nearest_quantiles() -> None:
    segment = certainly(found(where(pl.col("age") > 60, "calls", pl.col("calls") + 2), "calls"))
    [condition] = segment.conditions
    assert condition.column == "age"
    assert condition.text == "age > 60"  # the reference's quantile .6


def test_a_segment_between_two_values_is_found() -> None:
    current = where(pl.col("age").is_between(33, 54), "alone_3", pl.col("alone_3") + 1.5)
    assert certainly(found(current, "alone_3")).text == "32 < age ≤ 53"


def test_three_conditions_are_found_together() -> None:
    truth = (pl.col("contract") == "one year") & (pl.col("region") == "east") & (pl.col("alone_9") > 0)
    segment = certainly(found(where(truth, "alone_3", pl.col("alone_3") + 3), "alone_3"))
    assert segment.columns == ("alone_9", "contract", "region")
    inside = CURRENT.select(truth).to_series().to_numpy()
    mask = segment.rows(code_columns(REFERENCE, CURRENT, kinds=KINDS))[1]
    assert (mask & inside).sum() >= NEARLY_ALL * (mask | inside).sum()


def test_rows_that_miss_another_value_can_be_the_segment() -> None:
    without = {
        name: pl.when(some(0.3, rows=rows)).then(None).otherwise(pl.col("age"))
        for name, rows in (("reference", REFERENCE), ("current", CURRENT))
    }
    before, after = (
        rows.with_columns(age=without[name]) for name, rows in (("reference", REFERENCE), ("current", CURRENT))
    )
    after = where(pl.col("age").is_null(), "calls", pl.col("calls") + 3, rows=after)
    coded = code_columns(before, after, kinds=KINDS)
    weights = column_weights([coded.pop("calls")])
    assert certainly(find_segment(coded, weights, change="within")).text == "age is missing"


def test_rows_that_came_are_found_by_what_they_share() -> None:
    ring = customers(9_000, seed=8).filter((pl.col("region") == "north") & (pl.col("contract") == "one year")).head(600)
    current = pl.concat([CURRENT.head(1_800), ring])
    coded = code_columns(REFERENCE, current, kinds=KINDS)
    weights = column_weights([coded["region"], coded["contract"]])
    segment = certainly(find_segment(coded, weights, change="frequency"))
    assert segment.text == "contract = one year and region = north"
    assert segment.after > 3 * segment.before


def test_a_new_value_is_a_segment_of_its_own() -> None:
    segment = certainly(found(where(some(0.1), "plan", pl.lit("gold")), "plan", change="frequency"))
    assert (segment.text, segment.before) == ("plan = gold", 0.0)
    assert segment.share > NEARLY_ALL


def test_a_shift_of_all_rows_has_no_segment_within() -> None:
    assert found(CURRENT.with_columns(pl.col("alone_3") + 0.5), "alone_3") is None


@pytest.mark.parametrize("change", ["within", "frequency"])
@pytest.mark.parametrize("column", ["alone_3", "region", "age"])
def test_chance_has_no_segment(change: Change, column: str) -> None:
    assert found(CURRENT, column, change=change) is None


def test_few_rows_have_no_segment() -> None:
    assert found(where(pl.col("region") == "north", "calls", pl.lit(9.0)).head(12), "calls") is None
    coded = code_columns(REFERENCE, CURRENT, kinds=KINDS)
    nothing = Weights(np.empty(0), np.empty(0))
    assert find_segment(coded, nothing, change="within") is None
    assert find_segment({}, column_weights([coded["age"]]), change="within") is None


def test_the_share_is_what_its_formula_says() -> None:
    current = where(pl.col("contract") == "month-to-month", "monthly_charges", pl.col("monthly_charges") * 1.18)
    coded = code_columns(REFERENCE, current, kinds=KINDS)
    weights = column_weights([coded["monthly_charges"]])
    segment = certainly(found(current, "monthly_charges"))
    before, after = segment.rows(coded)
    centre = weights.reference.mean()
    gained = ((weights.current - centre) * after).mean() - ((weights.reference - centre) * before).mean()
    assert segment.share == pytest.approx(gained / weights.shift, abs=ROUNDING)
    rest = ((weights.current - centre) * ~after).mean() - ((weights.reference - centre) * ~before).mean()
    assert (gained + rest) / weights.shift == pytest.approx(1.0, abs=ROUNDING)


def test_the_order_of_rows_and_of_columns_does_not_matter() -> None:
    current = where(pl.col("contract") == "one year", "alone_3", pl.col("alone_3") + 1)
    shuffled = current.sample(fraction=1.0, shuffle=True, seed=3)
    turned = dict(reversed(KINDS.items()))
    segments = []
    for rows, kinds in ((current, KINDS), (shuffled, turned)):
        coded = code_columns(REFERENCE, rows, kinds=kinds)
        weights = column_weights([coded.pop("alone_3")])
        segments.append(certainly(find_segment(coded, weights, change="within")))
    assert segments[0].conditions == segments[1].conditions
    assert segments[0].share == pytest.approx(segments[1].share, abs=ROUNDING)


def coded(reference: list[object], current: list[object], kind: str) -> CodedColumn:
    series = (pl.Series("x", reference, strict=False), pl.Series("x", current, strict=False))
    return code_column(*series, kind=kind)  # type: ignore[arg-type]


def test_values_beyond_the_reference_and_missing_ones_have_bins_of_their_own() -> None:
    column = coded([1.0, 2.0, 3.0, None], [0.0, 1.0, 3.0, 9.0, float("inf"), float("nan")], "numeric")
    assert column.current.tolist() == [0, 1, 3, 4, 4, 5]
    assert column.reference.tolist() == [1, 2, 3, 5]


def test_weights_and_shift_are_those_of_the_triangular_discrimination() -> None:
    column = coded(["a"] * 3 + ["b"], ["a"] + ["b"] * 3, "categorical")
    assert dict(zip(column.labels, column.weights.tolist(), strict=False)) == {"a": -0.5, "b": 0.5}
    assert column.shift == 0.25


def test_rare_values_share_a_bin_and_unseen_ones_another() -> None:
    column = coded([f"known {place}" for place in range(99)], [f"new {place}" for place in range(99)], "categorical")
    assert len(column.labels) == 40
    assert column.bins == 43
    assert set(column.reference.tolist()) <= set(range(41))
    assert column.shift == 1.0
