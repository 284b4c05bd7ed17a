"""The laws that every drift method obeys; a new method is held to them by being in ``METHODS``."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from driftbook.drift.batches import Batches, Pairing, stack_batches
from driftbook.drift.methods import METHODS, method
from driftbook.drift.profile import ColumnProfile, Kind, column_profile

CASES: list[tuple[str, Kind]] = [(name, kind) for name, each in METHODS.items() for kind in each.kinds]
SHARES = {name for name in METHODS if name.endswith("_share")}
SHAPES = [(name, kind) for name, kind in CASES if name not in SHARES]
LARGEST_MEAN = {"wasserstein": 2.5, "wasserstein_raw": 2.5}  # their law is that of a shift, an area also sees shapes
LEAST_MEAN = {"l_infinity": 0.5}  # its law counts every bin on its own
every_method = pytest.mark.parametrize(("name", "kind"), CASES)
of_shape = pytest.mark.parametrize(("name", "kind"), SHAPES)
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
    largest = method(name).largest(method(name).scale(Pairing(before, Batches.of([after]))))[0]
    assert method(name).measure(before, after).statistic <= largest + 1e-12


@every_method
def test_the_order_of_rows_does_not_matter(name: str, kind: Kind) -> None:
    values = pl.Series([1.0, 5.0, 3.0, None, 3.0]).cast(pl.String if kind == "categorical" else pl.Float64)
    there, back = column_profile(values, kind=kind), column_profile(values.reverse(), kind=kind)
    assert method(name).measure(there, back).statistic == 0.0


@of_shape
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


@pytest.mark.parametrize("name", [name for name, kind in CASES if kind == "categorical" and name != "missing_share"])
def test_unseen_categories_are_drift(name: str) -> None:
    before = column_profile(pl.Series(["a", "b"] * 50), kind="categorical")
    after = column_profile(pl.Series(["a", "b"] * 40 + ["new"] * 20), kind="categorical")
    assert method(name).measure(before, after).drift_score > 0.13


EXACT_PARTS = [(name, kind) for name, kind in CASES if METHODS[name].calibrates and name != "cramer_von_mises"]


@pytest.mark.parametrize(("name", "kind"), EXACT_PARTS)
def test_a_part_against_the_rest_equals_comparing_the_two(name: str, kind: Kind) -> None:
    ends = [-7.0, 0.0, 9.0, None] if name in SHARES else []  # what only a part, or only the rest, holds
    values = pl.Series([*ends[:2], 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 1.0, 2.0, *ends[1:]]).cast(
        pl.String if kind == "categorical" else pl.Float64
    )
    part, rest = (
        column_profile(each, kind=kind)
        for each in (values.head(len(values) // 2 - 1), values.slice(len(values) // 2 - 1))
    )
    whole, each = column_profile(values, kind=kind), method(name)
    pair = Pairing(rest, Batches.of([part]))
    direct = float(each.amounts(each.statistics(pair), each.scale(pair))[0])
    if name.startswith("wasserstein"):
        direct *= (rest.std / whole.std) ** 2  # both in standard deviations, of the rest and of the whole
    assert each.null_amounts(Pairing(whole, Batches.of([part])))[0] == pytest.approx(direct, rel=1e-12)


@every_method
def test_amount_and_statistic_are_inverse_to_each_other(name: str, kind: Kind) -> None:
    each = method(name)
    scale = each.scale(Pairing(column(kind), Batches.of([column(kind, shift=0.2, rows=300)])))
    statistics = np.array([0.3])
    assert each.statistics_at(each.amounts(statistics, scale), scale).tolist() == pytest.approx([0.3])


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind in SHAPES if METHODS[name].calibrates])
def test_amounts_without_drift_have_their_law_whatever_the_sizes(name: str, kind: Kind) -> None:
    each, random = method(name), np.random.default_rng(5)
    for n, m in ((4_000, 200), (900, 900)):
        amounts = []
        for _ in range(60):
            samples = random.normal(size=n), random.normal(size=m)
            if kind == "categorical":
                samples = tuple(np.digitize(sample, [-1.0, -0.3, 0.3, 1.0]).astype(str) for sample in samples)
            before, after = (column_profile(pl.Series(sample), kind=kind) for sample in samples)
            pair = Pairing(before, Batches.of([after]))
            amounts.append(each.amounts(each.statistics(pair), each.scale(pair))[0])
        found = float(np.mean(amounts)) / each.law(before).mean
        assert LEAST_MEAN.get(name, 0.65) < found < LARGEST_MEAN.get(name, 1.35)


@pytest.mark.parametrize("name", sorted(SHARES))
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_share_that_only_chance_moves_has_the_law_of_one_degree(name: str, share: float) -> None:
    each, random = method(name), np.random.default_rng(7)
    kind: Kind = "categorical" if each.kinds == ("categorical",) else "numeric"
    whole = random.normal(size=20_000) + 5.0
    if name == "zero_share":
        whole[random.random(whole.size) < share] = 0.0
    values = pl.Series(whole)
    if name == "missing_share":
        values = values.set(pl.Series(random.random(whole.size) < share), None)
    if kind == "categorical":
        values = pl.Series(np.where(random.random(whole.size) < share, "b", "a"))
    parts = stack_batches(values, np.arange(0, 20_001, 500), kind=kind)
    found = each.null_amounts(Pairing(column_profile(values, kind=kind), parts))
    assert float(np.mean(found)) < 1.5
    if name in {"missing_share", "zero_share"}:
        assert float(np.mean(found)) > 0.6
