"""An alarm is explained by its true cause: the columns, the rows, the score, in one sentence per cause."""

from __future__ import annotations

import math
import time
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from customers_drifting import CURRENT, KINDS, REFERENCE, customers, some, where
from model_samples import binary_case, labelled_rows, multiclass_case

from driftbook.attribution import Alarm, Attribution, attribute
from driftbook.attribution.coding import code_columns
from driftbook.attribution.conditions import condition
from driftbook.attribution.score_change import score_change
from driftbook.attribution.warrant import keep_warranted
from driftbook.attribution.weights import column_weights
from driftbook.data.scales import measure_scales
from driftbook.data.scenarios import inject
from driftbook.drift.domain import domain_classifier
from driftbook.errors import ModelError
from driftbook.model.training import fit_quickly

FLOAT32 = 1e-6
CPU_SECONDS = 1.0
CENSUS = Path(__file__).parents[2] / "shared" / "data" / "census_ma"
MONTHLY = pl.col("contract") == "month-to-month"


def explained(current: pl.DataFrame, *drifted: str) -> Attribution:
    return attribute(REFERENCE, current, kinds=KINDS, alarm=Alarm(drifted, since="2026-05-12"))


def causes(current: pl.DataFrame, *drifted: str) -> list[set[str]]:
    return [set(cause.columns) for cause in explained(current, *drifted).causes]


def test_the_sentence_names_day_column_size_and_rows() -> None:
    current = where(MONTHLY, "monthly_charges", pl.col("monthly_charges") * 1.18)
    answer = explained(current, "monthly_charges")
    assert answer.sentence.startswith(
        "Since 12 May, `monthly_charges` is 17.1 % higher for `contract = month-to-month` ("
    )
    assert answer.segment is not None
    assert answer.segment.text == "contract = month-to-month"
    assert answer.ranked["column"][0] == "monthly_charges"
    assert answer.ranked.row(0, named=True)["direction"] == "higher"


@pytest.mark.parametrize(
    ("current", "column", "told"),
    [
        (where(some(0.05), "plan", pl.lit("gold")), "plan", "`plan` has a new value `gold` on 5 % of the rows"),
        (where(some(0.05), "age", pl.lit(None)), "age", "missing values of `age` rose from 0 % to 5 %"),
        (
            where(some(0.05), "age", pl.col("age") * 100),
            "age",
            "`age` lies above 89, the reference's largest value, on 5 % of the rows",
        ),
        (where(some(0.3), "plan", pl.lit("basic")), "plan", "`plan = basic` rose from 20.5 % to 4"),
        (CURRENT.with_columns(pl.col("alone_2") * 1.5), "alone_2", "`alone_2` varies 50"),
        (CURRENT.with_columns(pl.col("alone_2") - 0.5), "alone_2", "standard deviations lower"),
        (CURRENT.drop("region"), "region", "`region` is missing on all rows, before on 0 % of them"),
    ],
)
def test_each_kind_of_change_has_its_words(current: pl.DataFrame, column: str, told: str) -> None:
    answer = explained(current, column)
    assert told in answer.sentence
    assert answer.ranked.filter(column=column)["cause"].to_list() == [1]


def test_a_unit_error_in_one_region_is_told_in_times() -> None:
    current = where(pl.col("region") == "north", "monthly_charges", pl.col("monthly_charges") * 100)
    sentence = explained(current, "monthly_charges").sentence
    assert "times as high (mean 64" in sentence
    assert "for `region = north`" in sentence


def test_a_step_of_all_rows_is_told_for_all_rows() -> None:
    answer = explained(CURRENT.with_columns(pl.col("monthly_charges") + 5), "monthly_charges")
    assert " for `" not in answer.sentence


def test_columns_that_hang_together_are_one_cause() -> None:
    together = CURRENT.with_columns(pl.col("tax", "bill", "fee") + 5)
    assert causes(together, "tax", "bill", "fee") == [{"tax", "bill", "fee"}]
    assert "and `" in explained(together, "tax", "bill", "fee").sentence


def test_columns_that_lose_the_same_rows_are_one_cause() -> None:
    lost = CURRENT
    for name in ("age", "plan", "alone_1"):
        lost = where(some(0.06), name, pl.lit(None), rows=lost)
    assert causes(lost, "age", "plan", "alone_1") == [{"age", "plan", "alone_1"}]


def test_columns_that_lose_other_rows_are_causes_of_their_own() -> None:
    lost = where(some(0.06, seed=1), "age", pl.lit(None))
    lost = where(some(0.06, seed=2), "plan", pl.lit(None), rows=lost)
    assert sorted(causes(lost, "age", "plan"), key=str) == [{"age"}, {"plan"}]


def test_columns_that_move_in_the_same_rows_are_one_cause() -> None:
    current = where(MONTHLY, "alone_3", pl.col("alone_3") + 1)
    current = where(MONTHLY, "alone_4", pl.col("alone_4") - 1, rows=current)
    answer = explained(current, "alone_3", "alone_4")
    assert len(answer.causes) == 1
    assert "for `contract = month-to-month`" in answer.sentence


def test_two_independent_causes_stay_two_although_they_began_together() -> None:
    both = CURRENT.with_columns(pl.col("alone_3") + 0.5, pl.col("alone_4") - 0.35)
    assert causes(both, "alone_3", "alone_4") == [{"alone_3"}, {"alone_4"}]


def test_a_third_column_that_hangs_on_neither_is_told_apart_from_those_that_do() -> None:
    moved = where(pl.col("contract") == "one year", "plan", pl.lit("basic"))
    moved = moved.with_columns(pl.col("tax", "bill", "fee") + 5)
    answer = explained(moved, "plan", "tax", "bill", "fee")
    assert sorted(sorted(cause.columns) for cause in answer.causes) == [["bill", "fee", "tax"], ["plan"]]
    [plan] = [cause for cause in answer.causes if cause.lead == "plan"]
    assert plan.segment is not None
    assert plan.segment.text == "contract = one year"


def test_new_customers_with_two_things_in_common_are_one_cause() -> None:
    ring = customers(9_000, seed=8).filter((pl.col("region") == "north") & (pl.col("contract") == "one year")).head(600)
    answer = explained(pl.concat([CURRENT.head(1_800), ring]), "region", "contract")
    assert len(answer.causes) == 1
    assert "rows with `contract = one year and region = north` went from 7.2 % to 30.5 %" in answer.sentence


def test_each_cause_has_its_own_day() -> None:
    both = CURRENT.with_columns(pl.col("alone_3") + 0.5, pl.col("alone_4") - 0.35)
    since = {"alone_3": date(2026, 5, 12), "alone_4": date(2026, 6, 3)}
    answer = attribute(REFERENCE, both, kinds=KINDS, alarm=Alarm(list(since), since=since))
    assert [cause.sentence.split(",")[0] for cause in answer.causes] == ["Since 12 May", "Since 3 June"]


def test_examples_are_rows_of_the_segment() -> None:
    current = where(MONTHLY, "monthly_charges", pl.col("monthly_charges") * 1.4)
    answer = explained(current, "monthly_charges")
    assert answer.examples.columns == ["cause", "row_id", "monthly_charges", "contract"]
    assert set(answer.examples["contract"]) == {"month-to-month"}
    assert answer.examples["row_id"].to_list() == list(answer.causes[0].row_ids)


def test_a_change_of_how_columns_go_together_is_told_though_none_drifted() -> None:
    joint = CURRENT.with_columns(alone_2=0.8 * pl.col("alone_1") + 0.6 * pl.col("alone_2"))
    answer = explained(joint)
    assert answer.sentence == (
        "No single column drifted since 12 May, but how `alone_1` and `alone_2` go together changed."
    )


def test_a_classifier_that_was_trained_already_is_used() -> None:
    current = CURRENT.with_columns(pl.col("alone_3") + 0.5)
    kinds = ("numeric", "categorical")
    numeric, categorical = ([name for name in KINDS if KINDS[name] == kind] for kind in kinds)
    domain = domain_classifier(REFERENCE, current, numeric=numeric, categorical=categorical, seed=4)
    answer = attribute(REFERENCE, current, kinds=KINDS, alarm=Alarm(["alone_3"], domain=domain))
    assert answer.domain is domain
    assert answer.causes[0].domain_share == domain.shares["alone_3"]
    assert answer.summary()[-1].startswith("A classifier tells current from reference rows with an AUC of 0.6")


def test_the_same_rows_give_the_same_answer() -> None:
    current = where(MONTHLY, "monthly_charges", pl.col("monthly_charges") * 1.18)
    first, second = (explained(current, "monthly_charges", "age") for _ in range(2))
    assert first.summary() == second.summary()
    assert first.ranked.equals(second.ranked)
    assert first.examples.equals(second.examples)


def test_the_changes_of_margin_and_score_are_split_without_rest() -> None:
    rows = labelled_rows()
    bundle = fit_quickly(binary_case(), rows, seed=1)
    older = rows.with_columns(pl.col("age") + 8)
    split = score_change(bundle, rows, older)
    scores = [bundle.score(each)["prediction_score"] for each in (rows, older)]
    margins = [float((score / (1 - score)).log().mean()) for score in scores]  # type: ignore[arg-type]
    assert split.of == "yes"
    assert split.after - split.before == pytest.approx(scores[1].mean() - scores[0].mean(), abs=FLOAT32)
    assert split.columns["score_change"].sum() == pytest.approx(split.after - split.before, abs=FLOAT32)
    assert split.columns["margin_change"].sum() == pytest.approx(margins[1] - margins[0], abs=10 * FLOAT32)
    assert split.columns["score_share"].sum() == pytest.approx(1.0, abs=FLOAT32)
    assert split.columns["column"][0] == "age"


def test_a_derived_feature_is_told_by_its_raw_columns() -> None:
    rows = labelled_rows()
    split = score_change(fit_quickly(binary_case(), rows, seed=1), rows, rows.with_columns(pl.col("spend") * 9))
    assert set(split.columns["column"]) == {"age", "spend", "plan", "joined"}


def test_the_score_of_several_classes_is_split_without_rest() -> None:
    rows = labelled_rows(900).with_columns(target=pl.col("plan"))
    rows = rows.with_columns(spend=pl.when(pl.col("plan") == "pro").then(pl.col("spend") + 60).otherwise("spend"))
    bundle = fit_quickly(multiclass_case(), rows, seed=1)
    after = rows.with_columns(plan=pl.lit("pro"))
    split = score_change(bundle, rows, after)
    place = bundle.classes.index(split.of)
    means = [bundle.probabilities(each).mean(axis=0)[place] for each in (rows, after)]
    assert split.columns["score_change"].sum() == pytest.approx(means[1] - means[0], abs=FLOAT32)
    assert split.columns["column"][0] == "plan"


def test_the_sentence_says_what_it_means_for_the_score() -> None:
    rows = labelled_rows(1_500)
    bundle = fit_quickly(binary_case(), rows, seed=1)
    older = labelled_rows(1_500, seed=2).with_columns(pl.col("age") + 8)
    kinds = {"age": "numeric", "spend": "numeric", "plan": "categorical"}
    alarm = Alarm(["age"], since=datetime(2026, 5, 12))
    answer = attribute(rows, older, kinds=kinds, alarm=alarm, bundle=bundle)  # type: ignore[arg-type]
    assert answer.score is not None
    share = answer.score.share(["age"])
    assert share is not None
    assert share > 0.9
    assert answer.sentence.startswith("Since 12 May, `age` is 1")
    assert " % of the change of the score" in answer.sentence
    assert any(line.startswith("The mean score of `yes` rose from ") for line in answer.summary())


def test_a_drift_that_the_model_does_not_see_is_said_not_to_matter() -> None:
    rows = labelled_rows(1_500)
    bundle = fit_quickly(binary_case(derived={}), rows, seed=1)
    dearer = labelled_rows(1_500).with_columns(pl.col("joined").dt.offset_by("90d"))
    answer = attribute(rows, dearer, kinds={"joined": "numeric"}, alarm=Alarm(["joined"]), bundle=bundle)
    assert answer.sentence.endswith("; the score has hardly changed.")


def test_rows_that_the_model_cannot_read_are_explained_without_it() -> None:
    rows = labelled_rows()
    bundle = fit_quickly(binary_case(), rows, seed=1)
    answer = attribute(rows, rows.drop("plan"), kinds={"plan": "categorical"}, alarm=Alarm(["plan"]), bundle=bundle)
    assert answer.causes[0].effect.aspect == "missing"
    assert answer.score_fault is not None
    assert "plan" in answer.score_fault
    assert any("cannot be told" in line for line in answer.summary())


def test_scores_of_no_rows_cannot_be_compared() -> None:
    rows = labelled_rows()
    with pytest.raises(ModelError, match="expected rows on both sides"):
        score_change(fit_quickly(binary_case(), rows, seed=1), rows, rows.head(0))


@pytest.mark.parametrize(
    ("reference", "current", "drifted", "told"),
    [
        (REFERENCE, CURRENT.head(0), ["age"], "Nothing to explain: there are no current rows."),
        (REFERENCE.head(0), CURRENT, ["age"], "Nothing to explain: there are no reference rows."),
        (REFERENCE, CURRENT, [], "Nothing to explain: no column drifted."),
        (REFERENCE, REFERENCE, ["age"], "Nothing to explain: `age` looks the same on both sides when cut into bins."),
        (
            REFERENCE,
            CURRENT,
            ["score"],
            "Nothing to explain: `score` drifted, but is not among the columns to look at.",
        ),
    ],
)
def test_where_there_is_nothing_to_explain_it_says_so(
    reference: pl.DataFrame, current: pl.DataFrame, drifted: list[str], told: str
) -> None:
    answer = attribute(reference, current, kinds=KINDS, alarm=Alarm(drifted))
    assert answer.summary() == [told]
    assert answer.causes == ()
    assert answer.segment is None


STRANGE: dict[str, pl.Series] = {
    "nested": pl.Series([[1, 2], [], None, [3]]),
    "structured": pl.Series([{"a": 1}, {"a": None}, {"a": 2}, {"a": 3}]),
    "nothing": pl.Series([None, None, None, None]),
    "infinite": pl.Series([math.inf, -math.inf, math.nan, 1e308]),
    "huge": pl.Series([2**63 - 1, -(2**63), 0, 1]),
    "words": pl.Series(["", " ", "ünïcode ✓", None]),
    "truths": pl.Series([True, False, None, True]),
    "days": pl.Series([date(2026, 1, 1), None, date(1, 1, 1), date(9999, 12, 31)]),
    "bytes": pl.Series([b"\xff", b"", None, b"a"]),
}


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
@pytest.mark.parametrize("rows", [1, 400])
@pytest.mark.parametrize("name", list(STRANGE))
def test_strange_columns_are_explained_or_said_to_be_unexplained(name: str, rows: int, kind: str) -> None:
    usual = pl.DataFrame({"x": ["1", "2", "3", "4"] * (rows // 4 or 1)}).head(rows)
    strange = pl.DataFrame({"x": pl.concat([STRANGE[name]] * (rows // 4 or 1))}).head(rows)
    for reference, current in ((usual, strange), (strange, usual), (strange, strange)):
        answer = attribute(reference, current, kinds={"x": kind}, alarm=Alarm(["x"]))  # type: ignore[dict-item]
        assert answer.sentence
        assert all(line.endswith(".") for line in answer.summary())


def test_it_takes_less_than_a_second() -> None:
    current = where(MONTHLY, "monthly_charges", pl.col("monthly_charges") * 1.18)
    current = current.with_columns(pl.col("alone_3") + 0.5, pl.col("tax", "bill", "fee") + 5)
    begin = time.process_time()
    explained(current, "monthly_charges", "alone_3", "tax", "bill", "fee")
    assert time.process_time() - begin < CPU_SECONDS


@pytest.mark.skipif(not CENSUS.is_dir(), reason="needs ../shared/data/census_ma, which is not part of the project")
def test_the_shock_of_the_census_is_named() -> None:
    reference = pl.read_parquet(CENSUS / "employment_MA_reference.pq")
    current = pl.read_parquet(CENSUS / "employment_MA_analysis.pq").slice(27 * 5_000, 5_000)
    left_out = {"id", "year", "employed", "prediction", "predicted_probability"}
    kinds = {name: "numeric" if name == "AGEP" else "categorical" for name in set(reference.columns) - left_out}
    alarm = Alarm(["ANC", "AGEP", "RELP", "MAR", "DREM"], since="2018-03-01")
    answer = attribute(reference, current, kinds=kinds, alarm=alarm)  # type: ignore[arg-type]
    [cause] = answer.causes
    assert cause.lead == "RELP"
    assert answer.segment is not None
    assert answer.segment.text == "RELP = 17"
    assert answer.sentence.startswith("Since 1 March, `RELP = 17` rose from 5.23 % to 69.6 %, and `AGEP`")
    assert answer.ranked["column"][0] == "RELP"


def test_a_part_of_the_score_that_is_chance_is_nobodys() -> None:
    rows = labelled_rows()
    bundle = fit_quickly(binary_case(), rows, seed=1)
    split = score_change(bundle, rows, rows)
    assert not split.is_certain
    assert split.share(["age"]) is None
    assert np.allclose(split.columns["score_change"], 0.0)


def scenario_rows(name: str) -> pl.DataFrame:
    """The current customers under a scenario of ours, two days after its onset."""
    content = {
        "columns": {
            "target": "left",
            "positive_class": "yes",
            "numeric": ["monthly_charges", "age", "calls"],
            "categorical": ["plan", "region"],
        },
        "derived": {},
        "scenario": {"name": name, "onset_day": 1, "strength": 1.0},
    }
    case = binary_case(**content)
    random = np.random.default_rng(3)
    reference, current = (
        rows.with_columns(target=pl.Series(random.choice(["yes", "no"], rows.height))) for rows in (REFERENCE, CURRENT)
    )
    return inject(current, case, day=3, scales=measure_scales(reference, case))


@pytest.mark.parametrize(
    ("scenario", "drifted", "truth"),
    [
        ("missing_values", ["monthly_charges", "plan"], {"monthly_charges": "missing", "plan": "missing"}),
        ("new_category", ["region"], {"region": "new"}),
        ("sudden", ["monthly_charges", "plan"], {"monthly_charges": "mean", "plan": "share"}),
    ],
)
def test_what_a_scenario_injects_is_named(scenario: str, drifted: list[str], truth: dict[str, str]) -> None:
    answer = explained(scenario_rows(scenario), *drifted)
    assert {cause.lead: cause.effect.aspect for cause in answer.causes} == truth


def test_a_condition_that_luck_suggests_is_dropped() -> None:
    current = where(MONTHLY, "monthly_charges", pl.col("monthly_charges") * 1.18)
    coded = code_columns(REFERENCE, current, kinds=KINDS)
    weights = column_weights([coded["monthly_charges"]])
    contract = coded["contract"]
    place = contract.labels.index("month-to-month")
    true = condition(contract, place, place)
    lucky = condition(coded["alone_7"], 0, 9)
    assert keep_warranted((lucky, true), coded, weights, change="within") == (true,)
    assert keep_warranted((lucky,), coded, weights, change="within") == ()
