"""How often an explanation names the true cause, over populations drawn anew: batches of 2,400 and of 1,000 rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import polars as pl
import pytest
from customers_drifting import KINDS, REFERENCE_ROWS, customers

from driftbook.attribution import Alarm
from driftbook.attribution.evidence import gather
from driftbook.attribution.explain_drift import _causes
from driftbook.attribution.sentences import Cause

pytestmark = pytest.mark.simulation

WORLDS = 40
SIZES = (2_400, 1_000)
MONTHLY, EAST = pl.col("contract") == "month-to-month", pl.col("region") == "east"
Drift = Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]


@cache
def world(place: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    return customers(REFERENCE_ROWS, seed=1_000 + place), customers(SIZES[place % 2], seed=2_000 + place)


def found(drift: Drift, drifted: Sequence[str]) -> list[tuple[Cause, ...]]:
    answers = []
    for place in range(WORLDS):
        reference, current = world(place)
        current = drift(current, np.random.default_rng(place))
        evidence = gather(reference, current, kinds=KINDS, alarm=Alarm(drifted), bundle=None)
        answers.append(_causes(evidence, drifted))
    return answers


def only(where: pl.Expr, column: str, changed: pl.Expr) -> pl.Expr:
    return pl.when(where).then(changed).otherwise(pl.col(column)).alias(column)


def lost(rows: pl.DataFrame, random: np.random.Generator, columns: Sequence[str], *, together: bool) -> pl.DataFrame:
    draws = [random.random(rows.height) < 0.05 for _ in columns]
    picked = [draws[0] if together else draw for draw in draws]
    return rows.with_columns(
        only(pl.lit(pl.Series(draw)), name, pl.lit(None)) for name, draw in zip(columns, picked, strict=True)
    )


@pytest.mark.parametrize(
    ("drift", "drifted", "causes", "least"),
    [
        (lambda rows, _: rows.with_columns(pl.col("alone_3") + 0.35, pl.col("alone_4") - 0.35),
         ["alone_3", "alone_4"], 2, 1.0),
        (lambda rows, _: rows.with_columns(pl.col("tax", "bill", "fee") + 3.5), ["tax", "bill", "fee"], 1, 1.0),
        (lambda rows, random: lost(rows, random, ["age", "plan"], together=False), ["age", "plan"], 2, 1.0),
        (lambda rows, random: lost(rows, random, ["age", "plan"], together=True), ["age", "plan"], 1, 1.0),
        (lambda rows, _: rows.with_columns(only(MONTHLY, name, pl.col(name) + 0.8) for name in ("alone_3", "alone_4")),
         ["alone_3", "alone_4"], 1, 0.95),
    ],
    ids=["two alone", "three that hang together", "missing elsewhere", "missing in the same rows", "one segment"],
)  # fmt: skip
def test_as_many_causes_are_told_as_there_are(drift: Drift, drifted: list[str], causes: int, least: float) -> None:
    right = [len(answer) == causes for answer in found(drift, drifted)]
    assert np.mean(right) >= least


@pytest.mark.parametrize(
    ("drift", "column", "truth", "least"),
    [
        (lambda rows, _: rows.with_columns(only(MONTHLY, "monthly_charges", pl.col("monthly_charges") * 1.18)),
         "monthly_charges", "contract = month-to-month", 0.95),
        (lambda rows, random: rows.with_columns(
            only(EAST & pl.lit(pl.Series(random.random(rows.height) < 0.5)), "plan", pl.lit("basic"))),
         "plan", "region = east", 0.95),
        (lambda rows, _: rows.with_columns(only(EAST & MONTHLY, "alone_3", pl.col("alone_3") + 1.5)),
         "alone_3", "contract = month-to-month and region = east", 0.9),
    ],
    ids=["one category", "categories within one", "two conditions"],
)  # fmt: skip
def test_the_segment_is_exactly_the_true_one(drift: Drift, column: str, truth: str, least: float) -> None:
    segments = [answer[0].segment for answer in found(drift, [column])]
    assert np.mean([segment is not None and segment.text == truth for segment in segments]) >= least


def test_no_segment_is_made_up_where_nothing_drifted() -> None:
    answers = found(lambda rows, _: rows, ["alone_1", "region", "age"])
    assert not any(cause.segment is not None for answer in answers for cause in answer)


def test_no_segment_is_made_up_where_all_rows_moved() -> None:
    answers = found(lambda rows, _: rows.with_columns(pl.col("alone_3") + 0.35), ["alone_3"])
    segments = [answer[0].segment for answer in answers]
    assert not any(segment is not None and segment.change == "within" for segment in segments)
