"""The classifier two-sample test, its encoder, what weighs by it, and the contract of methods on whole tables."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from driftbook.drift.domain import ENOUGH_ROWS, FEWEST_ROWS, FOLDS, MOST_ROWS, domain_classifier
from driftbook.drift.encoding import FARTHEST, fit_encoder
from driftbook.drift.importance_weights import density_ratios, importance_weighted_drift
from driftbook.drift.table_methods import (
    TABLE_METHODS,
    DomainClassifier,
    PositiveHalf,
    ReconstructionError,
    Usual,
    table_amounts,
    table_deviations,
    table_method,
    usual,
)
from driftbook.errors import DriftError, UnknownNameError

ROWS = 600
NUMERIC, CATEGORICAL = ["a", "b", "c"], ["plan"]
KINDS = {"a": "numeric", "b": "numeric", "c": "numeric", "plan": "categorical"}
CLEARLY = 1e-6  # a p-value below it is no chance


def rows(number: int = ROWS, *, seed: int, together: float = 0.0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    a, b, c = random.normal(size=(3, number))
    return pl.DataFrame(
        {
            "a": a,
            "b": together * a + np.sqrt(1 - together**2) * b,
            "c": c,
            "plan": random.choice(["basic", "plus", "pro"], p=[0.5, 0.3, 0.2], size=number),
        }
    )


def told_apart(before: pl.DataFrame, after: pl.DataFrame, *, seed: int = 1, **changes):
    return domain_classifier(before, after, **({"numeric": NUMERIC, "categorical": CATEGORICAL} | changes), seed=seed)


def test_the_auc_is_the_mean_of_what_scikit_learn_finds_on_the_rows_of_each_half():
    found = told_apart(rows(seed=1), rows(400, seed=2, together=0.8))
    scores = np.concatenate([found.reference_scores, found.current_scores])
    truth = np.arange(scores.size) >= ROWS
    by_fold = [roc_auc_score(truth[found.folds == fold], scores[found.folds == fold]) for fold in range(FOLDS)]
    assert found.auc == pytest.approx(np.mean(by_fold), abs=1e-12)
    assert found.drift_score == pytest.approx(2 * (found.auc - 0.5))
    assert found.low < found.auc < found.high
    assert found.p_value == pytest.approx(stats.norm.sf((found.auc - 0.5) / found.standard_error))


def test_the_standard_error_is_mann_and_whitneys():
    found = told_apart(rows(seed=1), rows(400, seed=2), categorical=[])
    n, m = ROWS // FOLDS, 400 // FOLDS
    assert found.standard_error == pytest.approx(np.sqrt((n + m + 1) / (12 * n * m)), rel=1e-3)  # ties take a little


def test_the_same_rows_on_both_sides_cannot_be_told_apart():
    found = told_apart(rows(seed=1), rows(seed=1))
    assert found.auc < 0.53  # below a half even: the twin of a row is learned as the other side
    assert found.p_value > 0.05


def test_another_correlation_is_found_and_put_down_to_its_two_columns():
    found = told_apart(rows(2_000, seed=1), rows(1_000, seed=2, together=0.6))
    assert found.p_value < CLEARLY
    assert found.shares["a"] + found.shares["b"] > 0.9
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert min(found.shares.values()) >= 0.0


def test_a_shift_a_new_category_and_missing_values_are_found_and_named():
    before, after = rows(2_000, seed=1), rows(1_000, seed=2)
    rare, often = (pl.int_range(pl.len()) % each == 0 for each in (4, 3))
    changes = {
        "a": after.with_columns(pl.col("a") + 0.5),
        "b": after.with_columns(b=pl.when(~often).then("b")),
        "plan": after.with_columns(plan=pl.when(rare).then(pl.lit("new")).otherwise("plan")),
        "c": after.with_columns(c=pl.when(rare).then(50.0).otherwise("c")),
    }
    for column, changed in changes.items():
        found = told_apart(before, changed)
        assert found.p_value < CLEARLY, column
        assert max(found.shares, key=found.shares.get) == column


def test_an_association_of_two_categories_is_found():
    random = np.random.default_rng(1)
    first, second = random.integers(0, 3, size=(2, 2_000)).astype(str)
    before = pl.DataFrame({"first": first, "second": second})
    after = pl.DataFrame(
        {"first": first[:1000], "second": np.where(random.random(1000) < 0.4, first[:1000], second[:1000])}
    )
    found = domain_classifier(before, after, numeric=[], categorical=["first", "second"], seed=1)
    assert found.p_value < CLEARLY


def test_rows_that_look_current_score_higher():
    found = told_apart(rows(2_000, seed=1), rows(1_000, seed=2, together=0.9))
    after = rows(1_000, seed=2, together=0.9)
    typical = (after["a"] * after["b"] > 1).to_numpy()
    assert found.current_rows.tolist() == list(range(1_000))
    assert found.current_scores[typical].mean() > found.current_scores[~typical].mean() + 0.1
    assert found.current_scores.mean() > found.reference_scores.mean()


def test_the_same_seed_gives_the_same_answer_and_column_order_says_little():
    before, after = rows(seed=1), rows(seed=2, together=0.5)
    first, again = told_apart(before, after), told_apart(before, after)
    assert (first.auc, first.shares) == (again.auc, again.shares)
    assert np.array_equal(first.current_scores, again.current_scores)
    turned = told_apart(before, after, numeric=NUMERIC[::-1])
    assert turned.auc == pytest.approx(first.auc, abs=0.02)


def test_the_order_of_rows_changes_no_more_than_another_seed_would():
    before, after = rows(seed=1), rows(seed=2, together=0.5)
    found = told_apart(before, after)
    shuffled = told_apart(before.sample(fraction=1.0, shuffle=True, seed=3), after.reverse())
    assert shuffled.auc == pytest.approx(found.auc, abs=2 * found.standard_error)


def test_no_more_rows_are_looked_at_than_wanted():
    found = told_apart(rows(seed=1), rows(seed=2), most_rows=100)
    assert found.reference_scores.size == found.current_scores.size == found.current_rows.size == 100
    assert np.unique(found.current_rows).size == 100
    assert MOST_ROWS == 5_000


def test_of_a_very_wide_table_fewer_rows_are_looked_at():
    random = np.random.default_rng(1)
    before, after = (pl.DataFrame(random.normal(size=(510, 1_001)).astype(np.float32)) for _ in range(2))
    found = domain_classifier(before, after, numeric=before.columns, categorical=[], seed=1, explain=False)
    assert found.current_rows.size == ENOUGH_ROWS


def test_by_chance_it_finds_no_more_than_it_says():
    found = [told_apart(rows(300, seed=seed), rows(150, seed=1_000 + seed), seed=seed) for seed in range(60)]
    assert np.mean([each.p_value < 0.1 for each in found]) <= 0.1
    assert np.mean([each.low <= 0.5 <= each.high for each in found]) >= 0.95


def test_told_apart_without_error_has_an_interval_that_ends_at_one():
    found = told_apart(rows(seed=1).with_columns(a=pl.lit(0)), rows(seed=2).with_columns(a=pl.lit(1)))
    assert (found.auc, found.high, found.drift_score) == (1.0, 1.0, 1.0)
    assert 0.9 < found.low < 1.0


@pytest.mark.parametrize("few", [0, 1, FEWEST_ROWS - 1])
@pytest.mark.parametrize("method", TABLE_METHODS.values(), ids=TABLE_METHODS)
def test_too_few_rows_on_either_side_are_refused_with_their_number(method, few):
    for before, after in ((rows(seed=1), rows(few, seed=2)), (rows(few, seed=2), rows(seed=1))):
        with pytest.raises(DriftError, match=rf"at least {FEWEST_ROWS} rows on either side.*found"):
            method.measure(before, after, kinds=KINDS, seed=1)


@pytest.mark.parametrize("method", TABLE_METHODS.values(), ids=TABLE_METHODS)
def test_a_column_that_is_not_there_or_cannot_be_read_is_named(method):
    before, after = rows(seed=1), rows(seed=2)
    with pytest.raises(DriftError, match="expected columns b"):
        method.measure(before, after.drop("b"), kinds=KINDS, seed=1)
    with pytest.raises(DriftError, match="column 'plan': expected categories, found List"):
        method.measure(before, after.with_columns(plan=pl.concat_list("plan")), kinds=KINDS, seed=1)
    with pytest.raises(DriftError, match="column 'a': expected numbers, found List"):
        method.measure(before, after.with_columns(a=pl.concat_list("a")), kinds=KINDS, seed=1)
    with pytest.raises(DriftError, match="at least one numeric or categorical column"):
        method.measure(before, after, kinds={}, seed=1)


START = datetime(2026, 5, 1, tzinfo=UTC)
ODD = {
    "all null": lambda n: pl.Series([None] * n, dtype=pl.Float64),
    "no type at all": lambda n: pl.Series([None] * n, dtype=pl.Null),
    "constant": lambda n: pl.Series([3.0] * n),
    "constant and huge": lambda n: pl.Series([1.7e308] * n),
    "infinite": lambda n: pl.Series([np.inf, -np.inf] * (n // 2) + [np.nan] * (n % 2)),
    "huge and tiny": lambda n: pl.Series(np.geomspace(1e-300, 1e300, n)),
    "one far out": lambda n: pl.Series([1e300] + [1.0] * (n - 1)),
    "unsigned": lambda n: pl.Series([2**63 + each for each in range(n)], dtype=pl.UInt64),
    "booleans": lambda n: pl.Series([True, False] * (n // 2) + [None] * (n % 2)),
    "dates": lambda n: pl.Series([date(2026, 5, 1) + timedelta(days=each % 7) for each in range(n)]),
    "times": lambda n: pl.Series([START + timedelta(minutes=each) for each in range(n)]),
    "durations": lambda n: pl.Series([timedelta(seconds=each) for each in range(n)]),
    "decimals": lambda n: pl.Series([Decimal(each) / 100 for each in range(n)]),
    "texts": lambda n: pl.Series([f"käse 🧀 {each}" for each in range(n)]),
    "numbers as texts": lambda n: pl.Series([str(each % 5) for each in range(n)]),
    "empty texts": lambda n: pl.Series([""] * n),
    "categories": lambda n: pl.Series(["x", "y"] * n, dtype=pl.Categorical)[:n],
    "an enum": lambda n: pl.Series(["x", "y"] * n, dtype=pl.Enum(["x", "y", "z"]))[:n],
    "bytes": lambda n: pl.Series([b"\xff\x00"] * n),
    "objects": lambda n: pl.Series([object()] * n, dtype=pl.Object),
    "structs": lambda n: pl.Series([{"inner": 1}] * n),
    "lists": lambda n: pl.Series([[1.0, 2.0]] * n),
}
NEITHER_NUMBER_NOR_TEXT = {"bytes", "objects", "structs", "lists"}


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
@pytest.mark.parametrize("odd", ODD)
def test_whatever_a_column_holds_the_answer_is_finite_or_a_clear_refusal(odd, kind):
    usual_values = pl.Series(np.arange(60.0))
    kinds = {"x": kind, "plan": "categorical"}
    plan = rows(60, seed=1)["plan"]
    for before, after in (
        (ODD[odd](60), ODD[odd](41)),
        (usual_values, ODD[odd](41)),
        (ODD[odd](60), usual_values[:41]),
    ):
        tables = [pl.DataFrame({"x": each, "plan": plan[: each.len()]}) for each in (before, after)]
        for method in TABLE_METHODS.values():
            if odd in NEITHER_NUMBER_NOR_TEXT:
                with pytest.raises(DriftError, match="column 'x': expected"):
                    method.measure(*tables, kinds=kinds, seed=1)
                continue
            found = method.measure(*tables, kinds=kinds, seed=1)
            values = [found.statistic, found.p_value, found.drift_score, found.z, found.standard_error]
            assert np.isfinite(values).all()
            assert 0.0 <= found.p_value <= 1.0
            assert 0.0 <= found.drift_score <= 1.0
            assert sum(found.shares.values()) == pytest.approx(1.0) or not any(found.shares.values())


def test_moments_keep_their_digits_in_the_matrix():
    moments = pl.DataFrame({"at": [START + timedelta(seconds=each) for each in range(100)]})
    matrix = fit_encoder(moments, numeric=["at"], categorical=[]).matrix(moments)
    assert np.unique(matrix).size == 100


def test_unseen_and_missing_categories_have_codes_of_their_own():
    before = pl.DataFrame({"plan": ["pro", "basic", "basic", None]})
    encoder = fit_encoder(before, numeric=[], categorical=["plan"])
    codes = encoder.matrix(pl.DataFrame({"plan": ["basic", "pro", "new", None]}))[:, 0]
    assert codes[:3].tolist() == [0.0, 1.0, 2.0]
    assert np.isnan(codes[3])


def test_indicators_are_bounded_whatever_was_rare_or_constant_in_the_reference():
    before = pl.DataFrame({"x": [0.0, 1.0] * 50, "rare": ["a"] * 99 + ["b"], "one": ["a"] * 100})
    after = pl.DataFrame({"x": [1e9], "rare": ["b"], "one": ["b"]})
    encoder = fit_encoder(before, numeric=["x"], categorical=["rare", "one"])
    assert encoder.indicators(encoder.matrix(after)).tolist() == [[FARTHEST, -FARTHEST, -1.0]]
    assert encoder.indicated.tolist() == [0, 1, 2]


def test_the_law_of_the_positive_half_is_that_of_normal_values():
    law, normal = PositiveHalf(), stats.norm
    z = np.array([0.5, 1.0, 3.0, 8.0])
    assert law.surprise(z**2) == pytest.approx(-normal.logsf(z), rel=1e-9)
    assert [law.amount_at(float(each)) for each in law.surprise(z**2)] == pytest.approx((z**2).tolist())
    assert law.amount_at(0.1) == 0.0
    positive = np.maximum(normal.rvs(size=200_000, random_state=1), 0.0) ** 2
    assert positive.mean() == pytest.approx(law.mean, abs=0.01)
    assert positive.var() == pytest.approx(law.variance, abs=0.05)


def test_days_that_always_differ_are_usual_and_a_day_beyond_them_is_not():
    deviations = np.random.default_rng(1).normal(6.0, 1.5, size=40)
    found = usual(deviations, method=DomainClassifier())
    assert found.centre == pytest.approx(6.0, abs=0.6)
    assert found.amount(6.0) < 1.0
    assert found.amount(12.0) > 10.0
    assert found.amount(-3.0) == 0.0
    amounts = table_amounts(deviations, method=DomainClassifier())
    assert amounts.mean() == pytest.approx(PositiveHalf().mean, abs=0.3)


def test_too_few_chunks_leave_what_chance_does():
    deviations = np.array([5.0, np.nan, 7.0])
    assert usual(deviations, method=ReconstructionError()) == Usual(ReconstructionError())
    assert table_amounts(deviations, method=ReconstructionError()) == pytest.approx([25.0, np.nan, 49.0], nan_ok=True)


def test_the_threshold_is_the_statistic_of_that_amount_on_its_side():
    for method in TABLE_METHODS.values():
        measure = method.measure(rows(seed=1), rows(seed=2), kinds=KINDS, seed=1)
        known = Usual(method, centre=0.2, spread=1.3)
        if known.amount(measure.z) > 0:
            assert known.statistic_at(known.amount(measure.z), measure) == pytest.approx(measure.statistic)


def test_chunks_are_compared_without_their_own_rows_of_the_sample():
    sample = rows(seed=1)
    places = [np.arange(start, start + 100) for start in range(0, ROWS, 100)]
    chunks = [sample[each] for each in places] + [sample[:0]]
    method = DomainClassifier(explain=False)
    given = {"method": method, "kinds": KINDS, "seed": 5}
    found = table_deviations(sample, chunks, own=[*places, np.empty(0, dtype=int)], **given)
    rest = method.measure(sample[100:], chunks[0], kinds=KINDS, seed=5)
    assert found[0] == rest.z
    assert np.isnan(found[-1])
    assert np.abs(found[:-1]).max() < 4


def test_an_unknown_method_is_answered_with_the_known_ones():
    assert table_method("domain_classifier") == DomainClassifier()
    with pytest.raises(UnknownNameError, match="domain_classifier, reconstruction_error"):
        table_method("domain")


def test_drift_of_a_column_the_model_ignores_weighs_nothing():
    table = pl.DataFrame(
        {
            "batch_id": ["1"] * 4 + ["2"] * 3 + ["3"],
            "column": ["a", "a", "b", "score", "a", "b", "c", "c"],
            "role": ["feature"] * 3 + ["prediction"] + ["feature"] * 4,
            "drift_score": [0.1, 0.3, 1.0, 1.0, None, 0.5, 0.9, 0.9],
        }
    )
    found = importance_weighted_drift(table, {"a": 3.0, "b": 1.0, "c": 0.0})
    assert found.rows() == [("1", pytest.approx(0.475), 1.0), ("2", 0.5, 0.25), ("3", None, 0.0)]


def test_reference_rows_weighed_by_how_current_they_look_tell_todays_figure():
    before, after = rows(4_000, seed=1), rows(4_000, seed=2).with_columns(pl.col("a") + 0.7)
    ratios = density_ratios(told_apart(before, after))
    hit = (before["a"] > 0.5).to_numpy().astype(float)
    now = float((after["a"] > 0.5).mean())
    found = ratios.mean(hit)
    assert ratios.weights.mean() == pytest.approx(1.0)
    assert abs(found.value - now) < 0.05 < abs(hit.mean() - now)
    assert found.low < found.value < found.high
    assert ratios.effective_rows < 4_000
    with pytest.raises(DriftError, match="a value for each row of the reference"):
        ratios.mean(hit[:10])


def test_without_drift_nearly_every_row_counts():
    ratios = density_ratios(told_apart(rows(2_000, seed=1), rows(2_000, seed=2)))
    assert ratios.effective_rows > 1_500
