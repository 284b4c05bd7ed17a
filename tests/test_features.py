from __future__ import annotations

import json
import math
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from model_samples import binary_case, labelled_rows

from driftbook.config.use_case import Derived
from driftbook.errors import ModelError, SchemaError
from driftbook.model.features import MAX_CATEGORIES, Encoder
from driftbook.storage import canonical_json


def encoder_of(**derived: Derived) -> Encoder:
    return Encoder(numeric=("a", "b"), derived=derived, categories={})


def column(rows: pl.DataFrame, **derived: Derived) -> list[float]:
    return encoder_of(**derived).matrix(rows)[:, -1].tolist()


ROWS = pl.DataFrame({"a": [6.0, 1.0, -5.0, None], "b": [2.0, 0.0, 1.0, 1.0]})


def test_a_ratio_over_zero_is_missing() -> None:
    found = column(ROWS, r=Derived(kind="ratio", of=("a", "b")))
    assert found[0] == 3.0
    assert math.isnan(found[1])
    assert found[2] == -5.0
    assert math.isnan(found[3])


def test_a_difference_subtracts_the_second_from_the_first() -> None:
    assert column(ROWS, d=Derived(kind="difference", of=("a", "b")))[:3] == [4.0, 1.0, -6.0]


def test_a_log_takes_one_more_and_is_missing_below_minus_one() -> None:
    found = column(ROWS, g=Derived(kind="log", of=("a",)))
    assert found[0] == pytest.approx(math.log(7), abs=1e-6)
    assert math.isnan(found[2])


@pytest.mark.parametrize(("part", "value"), [("month", 5), ("weekday", 7), ("hour", 13), ("day", 17)])
def test_a_date_part_is_a_number(part: str, value: float) -> None:
    rows = ROWS.head(1).with_columns(when=pl.lit(datetime(2026, 5, 17, 13)))
    assert column(rows, p=Derived.model_validate({"kind": "date_part", "of": ["when"], "part": part})) == [value]


def test_infinite_and_too_large_numbers_are_missing() -> None:
    rows = pl.DataFrame({"a": [math.inf, -math.inf, 1e300, 1.0], "b": [0.0] * 4})
    assert np.isnan(encoder_of().matrix(rows)[:, 0]).tolist() == [True, True, True, False]


def test_an_unseen_category_and_a_missing_one_are_missing_and_never_a_neighbour() -> None:
    case = binary_case()
    encoder = Encoder.from_rows(labelled_rows(60), case)
    rows = labelled_rows(3).with_columns(plan=pl.Series(["pro", "pq", None]))
    codes = encoder.matrix(rows)[:, -1]
    assert codes[0] == 2.0
    assert np.isnan(codes[1:]).all()


def test_codes_follow_numbers_within_texts_and_not_the_order_of_rows() -> None:
    case = binary_case()
    rows = labelled_rows(4).with_columns(plan=pl.Series(["10", "9", "1", "x"]))
    assert Encoder.from_rows(rows, case).categories["plan"] == ("1", "9", "10", "x")
    assert Encoder.from_rows(rows.reverse(), case) == Encoder.from_rows(rows, case)


def test_only_the_most_frequent_of_very_many_categories_are_kept() -> None:
    many = [f"c{at}" for at in range(MAX_CATEGORIES + 5)] + ["c1004", "c1003"]
    rows = labelled_rows(len(many)).with_columns(plan=pl.Series(many))
    known = Encoder.from_rows(rows, binary_case()).categories["plan"]
    assert len(known) == MAX_CATEGORIES
    assert {"c1004", "c1003"} <= set(known)


def test_an_all_null_category_gives_a_column_of_missing_codes() -> None:
    rows = labelled_rows(5).with_columns(plan=pl.lit(None, dtype=pl.String))
    encoder = Encoder.from_rows(rows, binary_case())
    assert np.isnan(encoder.matrix(rows)[:, -1]).all()


def test_an_encoder_survives_canonical_json_with_the_order_of_its_features() -> None:
    encoder = Encoder.from_rows(labelled_rows(60), binary_case())
    again = Encoder.from_json(json.loads(canonical_json(encoder.to_json())))
    assert again == encoder
    assert again.features == ("age", "spend", "spend_per_year", "joined_month", "plan")
    assert again.feature_types == ("q", "q", "q", "q", "c")


def test_a_broken_description_says_to_train_again() -> None:
    with pytest.raises(ModelError, match="train the model again"):
        Encoder.from_json({"numeric": []})


def test_a_missing_column_is_named_with_the_nearest_one() -> None:
    rows = labelled_rows(5)
    encoder = Encoder.from_rows(rows, binary_case())
    with pytest.raises(SchemaError, match=r"lack: spend; .*did you mean 'spent'"):
        encoder.matrix(rows.rename({"spend": "spent"}))


def test_an_encoder_knows_the_raw_columns_of_a_feature() -> None:
    encoder = Encoder.from_rows(labelled_rows(60), binary_case())
    assert encoder.sources("spend_per_year") == ("spend", "age")
    assert encoder.sources("plan") == ("plan",)


def test_no_rows_give_an_empty_matrix() -> None:
    rows = labelled_rows(60)
    assert Encoder.from_rows(rows, binary_case()).matrix(rows.head(0)).shape == (0, 5)
