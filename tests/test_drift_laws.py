"""The laws that every drift method obeys; a new method is held to them by being in ``METHODS``."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from driftbook.drift.methods import METHODS, method
from driftbook.drift.profile import ColumnProfile, Kind, column_profile

CASES: list[tuple[str, Kind]] = [(name, kind) for name, each in METHODS.items() for kind in each.kinds]
LARGEST_MEAN = {"wasserstein": 2.5}  # its law is that of a shift alone, the area also sees changes of shape
every_method = pytest.mark.parametrize(("name", "kind"), CASES)
RANDOM = np.random.default_rng(11)
NUMBERS = RANDOM.normal(size=600)


def column(kind: Kind, *, shift: float = 0.0, rows: int = 600) -> ColumnProfile:
    """Normal numbers, or the same cut into categories, moved to the right by ``shift``."""
    values = NUMBERS[:rows] + shift
    if kind == "numeric":
        return column_profile(pl.Series(values), kind="numeric")
    return column_profile(pl.Series([f"c{int(value)}" for value in np.clip(np.round(values), -3, 3)]), kind=kind)


@every_method
def test_identical_columns_score_zero(name: str, kind: Kind) -> None:
    measure = method(name).measure(column(kind), column(kind))
    assert (measure.statistic, measure.drift_score) == (0.0, 0.0)


@every_method
@pytest.mark.parametrize("shift", [-9.0, -0.2, 0.0, 0.4, 50.0])
def test_scores_lie_between_zero_and_one_and_p_values_too(name: str, kind: Kind, shift: float) -> None:
    measure = method(name).measure(column(kind), column(kind, shift=shift, rows=90))
    assert measure.statistic >= 0
    assert 0 <= measure.drift_score <= 1
    assert (measure.p_value is not None) == method(name).has_p_value
    assert measure.p_value is None or 0 <= measure.p_value <= 1


@every_method
@pytest.mark.parametrize("shift", [-9.0, 0.4, 50.0])
def test_no_statistic_is_larger_than_the_largest(name: str, kind: Kind, shift: float) -> None:
    before, after = column(kind), column(kind, shift=shift, rows=90)
    largest = method(name).largest(*method(name).sizes(before, after))
    assert method(name).measure(before, after).statistic <= largest + 1e-12


@every_method
def test_the_order_of_rows_does_not_matter(name: str, kind: Kind) -> None:
    values = pl.Series([1.0, 5.0, 3.0, None, 3.0]).cast(pl.String if kind == "categorical" else pl.Float64)
    there, back = column_profile(values, kind=kind), column_profile(values.reverse(), kind=kind)
    assert method(name).measure(there, back).statistic == 0.0


@every_method
def test_a_larger_shift_never_scores_lower(name: str, kind: Kind) -> None:
    shifts = [0.0, 0.25, 0.5, 1.0, 2.0, 3.0]
    scores = [method(name).measure(column(kind), column(kind, shift=each)).drift_score for each in shifts]
    assert scores == sorted(scores)
    assert scores[-1] > 0.5


@every_method
def test_nulls_constants_and_single_rows_are_measured(name: str, kind: Kind) -> None:
    dtype = pl.String if kind == "categorical" else pl.Float64
    constant = column_profile(pl.Series([1.0] * 30).cast(dtype), kind=kind)
    single = column_profile(pl.Series([2.0]).cast(dtype), kind=kind)
    with_nulls = column_profile(pl.Series([1.0, None, None]).cast(dtype), kind=kind)
    assert method(name).measure(constant, constant).statistic == 0.0
    for current in (single, with_nulls):
        for before, after in ((constant, current), (current, constant)):
            measure = method(name).measure(before, after)
            assert math.isfinite(measure.statistic)
            assert 0 <= measure.drift_score <= 1


@pytest.mark.parametrize("name", [name for name, kind in CASES if kind == "categorical"])
def test_unseen_categories_are_drift(name: str) -> None:
    before = column_profile(pl.Series(["a", "b"] * 50), kind="categorical")
    after = column_profile(pl.Series(["a", "b"] * 40 + ["new"] * 20), kind="categorical")
    assert method(name).measure(before, after).drift_score > 0.15


@every_method
def test_a_part_against_the_rest_equals_comparing_the_two(name: str, kind: Kind) -> None:
    values = pl.Series([1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 1.0, 2.0]).cast(
        pl.String if kind == "categorical" else pl.Float64
    )
    whole, part, rest = (column_profile(each, kind=kind) for each in (values, values.head(3), values.tail(5)))
    direct = method(name).measure(rest, part).statistic
    if name == "wasserstein":
        direct *= rest.std / whole.std  # both in standard deviations, of the rest and of the whole
    assert method(name).left_out(whole, part) == pytest.approx(direct, rel=1e-12)


@every_method
def test_amount_and_statistic_are_inverse_to_each_other(name: str, kind: Kind) -> None:
    each = method(name)
    assert each.statistic_at(each.amount(0.3, weight=200.0), weight=200.0) == pytest.approx(0.3)


@every_method
def test_amounts_without_drift_have_their_law_whatever_the_sizes(name: str, kind: Kind) -> None:
    each, random = method(name), np.random.default_rng(5)
    for n, m in ((4_000, 200), (900, 900)):
        amounts = []
        for _ in range(60):
            samples = random.normal(size=n), random.normal(size=m)
            if kind == "categorical":
                samples = tuple(np.digitize(sample, [-1.0, -0.3, 0.3, 1.0]).astype(str) for sample in samples)
            before, after = (column_profile(pl.Series(sample), kind=kind) for sample in samples)
            amounts.append(each.amount(each.measure(before, after).statistic, weight=n * m / (n + m)))
        assert 0.65 < float(np.mean(amounts)) / each.law(before).mean < LARGEST_MEAN.get(name, 1.35)
