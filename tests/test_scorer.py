"""What is answered online is what the pipeline scores later: the same bits, whatever the row holds."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from model_samples import binary_case, labelled_rows, multiclass_case

from driftbook.config import UseCase
from driftbook.errors import ModelError, SchemaError
from driftbook.model.boosting import margins
from driftbook.model.bundle import MODEL_FILE, Bundle
from driftbook.model.calibration import Calibration
from driftbook.model.explain import contributions
from driftbook.model.outliers import OutlierDetector, fit_detector
from driftbook.model.training import fit_quickly
from driftbook.schema import conform
from driftbook.serving.encoding import Flags
from driftbook.serving.grove import Grove
from driftbook.serving.margins import quick_margins
from driftbook.serving.panel import Panel
from driftbook.serving.scorer import ServedModel

EVERY_KIND = {
    "ratio": {"kind": "ratio", "of": ["spend", "age"]},
    "difference": {"kind": "difference", "of": ["spend", "age"]},
    "log": {"kind": "log", "of": ["spend"]},
    **{part: {"kind": "date_part", "of": ["joined"], "part": part} for part in ("month", "weekday", "hour", "day")},
}
NUMBERS = [None, 0.0, -0.0, -1.0, -7.5, 1e39, 1e300, 1e-320, math.inf, -math.inf, math.nan]
PLANS = [None, "basic", "plus", "pro", "never seen", "Pro", "3"]


def odd_rows(rows: int, *, seed: int) -> pl.DataFrame:
    """Rows of which a good part holds what no training row held."""
    random = np.random.default_rng(seed)
    frame = labelled_rows(rows, seed=seed)

    def mixed(values: list[Any], odd: list[Any]) -> list[Any]:
        return [
            odd[at] if strange else each
            for each, at, strange in zip(
                values, random.integers(len(odd), size=rows), random.random(rows) < 0.3, strict=True
            )
        ]

    times = frame["joined"].dt.offset_by("17h").to_list()
    joined = mixed(times, [None, datetime(1900, 1, 1), datetime(2400, 2, 29, 23)])
    return frame.with_columns(
        age=pl.Series(mixed(frame["age"].to_list(), NUMBERS), dtype=pl.Float64),
        spend=pl.Series(mixed(frame["spend"].to_list(), NUMBERS), dtype=pl.Float64),
        plan=pl.Series(mixed(frame["plan"].to_list(), PLANS), dtype=pl.String),
        joined=pl.Series(joined, dtype=pl.Datetime("us")),
    )


@pytest.fixture(scope="module")
def case() -> UseCase:
    return binary_case(derived=EVERY_KIND)


@pytest.fixture(scope="module")
def folder(case: UseCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = fit_quickly(case, labelled_rows(), seed=1)
    detector, _ = fit_detector(labelled_rows(), bundle.encoder, folds=np.arange(600) // 50 % 2, seed=1)
    return detector.save(bundle.save(tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="module")
def model(folder: Path) -> ServedModel:
    return ServedModel.load(folder)


@pytest.mark.parametrize("seed", range(5))
def test_random_rows_score_the_same_bits_as_in_the_pipeline(folder: Path, model: ServedModel, seed: int) -> None:
    rows = odd_rows(400, seed=seed)
    expected = Bundle.load(folder).score(rows)
    scored = model.score(rows.to_dicts())
    assert scored.probabilities == expected["probabilities"].to_list()
    assert scored.prediction == expected["prediction"].to_list()
    assert scored.prediction_score == expected["prediction_score"].to_list()


@pytest.mark.parametrize("seed", range(3))
def test_random_rows_are_as_suspicious_as_in_the_pipeline(folder: Path, model: ServedModel, seed: int) -> None:
    rows, detector = odd_rows(400, seed=seed), OutlierDetector.load(folder)
    assert detector is not None
    expected = detector.columns(detector.scores(Bundle.load(folder).encoder.matrix(rows)))
    scored = model.score(rows.to_dicts())
    assert scored.outlier_score == expected["outlier_score"].to_list()
    assert [each.outlier for each in scored.flags] == (expected["outlier"] == "yes").to_list()
    assert 10 < sum(each.outlier for each in scored.flags) < 400


def test_who_does_not_ask_for_outliers_gets_none(model: ServedModel) -> None:
    scored = model.score([{}], outliers=False)
    assert scored.outlier_score == [None]
    assert not scored.flags[0].outlier


def test_a_row_alone_scores_as_among_others(model: ServedModel) -> None:
    rows = odd_rows(60, seed=9).to_dicts()
    together = model.score(rows)
    for at, row in enumerate(rows):
        alone = model.score([row])
        assert alone.prediction_score == together.prediction_score[at : at + 1]
        assert alone.flags == together.flags[at : at + 1]
        assert alone.outlier_score == together.outlier_score[at : at + 1]


def test_several_classes_score_the_same_bits_too(tmp_path: Path) -> None:
    rows = labelled_rows().with_columns(target=pl.col("plan"))
    bundle = fit_quickly(multiclass_case(), rows, seed=1)
    model = ServedModel.load(bundle.save(tmp_path))
    odd = odd_rows(300, seed=4)
    expected, scored = bundle.score(odd), model.score(odd.to_dicts())
    assert scored.probabilities == expected["probabilities"].to_list()
    assert scored.prediction == expected["prediction"].to_list()
    assert scored.prediction_score == expected["prediction_score"].to_list()
    assert (model.task, model.classes) == ("multiclass", bundle.classes)


def test_values_as_json_brings_them_score_as_the_pipeline_reads_them(
    case: UseCase, folder: Path, model: ServedModel
) -> None:
    sent = [
        {"age": 44, "spend": 20, "plan": " pro ", "joined": "2026-01-05T23:30:00-02:00"},
        {"age": None, "spend": 1e9, "plan": "", "joined": "2026-01-05"},
        {"age": 60.5, "spend": 0, "plan": "never", "joined": "2026/03/01 07:15"},
        {"age": 20, "spend": 3.25, "plan": "basic", "joined": None},
    ]
    texts = [{key: None if value is None else str(value) for key, value in row.items()} for row in sent]
    table = pl.DataFrame(texts).with_columns(left=pl.lit("no"), at=pl.lit("2026-06-01"))
    rows = conform(table, case).rows.with_columns(row_id=pl.lit("r"))
    assert model.score(sent).prediction_score == Bundle.load(folder).score(rows)["prediction_score"].to_list()


def test_what_the_model_does_not_know_is_flagged_by_name(model: ServedModel) -> None:
    known = {"age": 40.0, "spend": 12.0, "plan": "pro", "joined": datetime(2026, 5, 1)}
    odd = [
        known,
        {**known, "plan": "gold"},
        {**known, "plan": None, "age": math.nan},
        {**known, "joined": None, "spend": 10**400},
        {},
    ]
    assert [replace(each, outlier=False) for each in model.score(odd).flags] == [
        Flags(),
        Flags(unseen=("plan",)),
        Flags(missing=("age", "plan")),
        Flags(missing=("spend", "joined")),
        Flags(missing=("age", "spend", "joined", "plan")),
    ]


def test_a_ratio_over_zero_is_no_missing_value(model: ServedModel) -> None:
    row = {"age": 0.0, "spend": 12.0, "plan": "pro", "joined": datetime(2026, 5, 1, tzinfo=UTC)}
    [flags] = model.score([row]).flags
    assert (flags.missing, flags.unseen) == ((), ())


def test_columns_the_model_does_not_read_are_ignored(model: ServedModel) -> None:
    row = {"age": 40.0, "spend": 12.0, "plan": "pro", "joined": "2026-05-01"}
    assert model.columns == ("age", "spend", "joined", "plan")
    assert model.score([{**row, "colour": "red"}]).prediction_score == model.score([row]).prediction_score


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("age", "old", "age: expected a number, found 'old'"),
        ("spend", [1], r"spend: expected a number, found \[1\]"),
        ("joined", "01.05.2026", "joined: expected a time in ISO 8601, found '01.05.2026'"),
        ("joined", "2026-02-30", "joined: expected a time"),
        ("joined", 20260501, "joined: expected a time"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(model: ServedModel, field: str, value: Any, told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        model.score([{"age": 40.0, "spend": 12.0, "plan": "pro", "joined": "2026-05-01", field: value}])


def test_a_number_a_truth_value_and_a_text_are_the_categories_their_text_names(tmp_path: Path) -> None:
    texts = {"basic": "1", "plus": "true", "pro": "2.5"}
    rows = labelled_rows().with_columns(plan=pl.col("plan").replace_strict(texts))
    case = binary_case(derived={})
    model = ServedModel.load(fit_quickly(case, rows, seed=1).save(tmp_path))
    base = {"age": 40.0, "spend": 12.0}
    for value, text in ((1, "1"), (1.0, "1"), (True, "true"), (2.5, "2.5")):
        scored = model.score([{**base, "plan": value}, {**base, "plan": text}])
        assert scored.prediction_score[0] == scored.prediction_score[1], value
        assert scored.flags == [Flags(), Flags()]


def test_no_rows_give_no_scores(model: ServedModel) -> None:
    scored = model.score([])
    assert scored.probabilities == []
    assert (scored.prediction, scored.prediction_score, scored.flags) == ([], [], [])


def test_contributions_are_those_of_the_pipeline(folder: Path, model: ServedModel) -> None:
    rows = odd_rows(20, seed=2)
    expected = contributions(Bundle.load(folder), rows).partition_by("row_id", maintain_order=True)
    for row, frame in zip(rows.to_dicts(), expected, strict=True):
        assert model.contributions(row) == dict(frame.select("feature", "contribution").iter_rows())


def test_contributions_add_up_to_the_log_odds(model: ServedModel) -> None:
    row = {"age": 40.0, "spend": 12.0, "plan": "pro", "joined": "2026-05-01"}
    chance = model.score([row]).prediction_score[0]
    assert sum(model.contributions(row).values()) == pytest.approx(math.log(chance / (1 - chance)), abs=1e-5)


def test_the_quick_way_to_margins_is_the_one_that_is_used(folder: Path) -> None:
    bundle = Bundle.load(folder)
    used = quick_margins(bundle.booster, width=len(bundle.encoder.features), outputs=1)
    assert used.__name__ == "found"
    wrong = quick_margins(bundle.booster, width=len(bundle.encoder.features), outputs=2)
    assert wrong.__name__ == "usual"


def test_a_single_row_goes_the_quick_way_and_many_the_usual_one_to_the_same_bits(folder: Path) -> None:
    bundle, detector = Bundle.load(folder), OutlierDetector.load(folder)
    assert detector is not None
    grove = Grove([(bundle.booster, 1), (detector.booster, 1)], width=len(bundle.encoder.features))
    matrix = bundle.encoder.matrix(odd_rows(300, seed=11))
    for booster, at in ((bundle.booster, 0), (detector.booster, 1)):
        expected = margins(booster, matrix).tolist()
        assert [grove.margins(row)[at] for row in matrix.tolist()] == expected


@pytest.mark.parametrize("also", ["reads alike", "knows other plans", "has three classes"])
def test_models_side_by_side_say_what_each_says_alone(model: ServedModel, case: UseCase, also: str) -> None:
    rows, of = labelled_rows(), case
    if also == "knows other plans":
        rows = rows.filter(pl.col("plan") != "pro")
    if also == "has three classes":
        rows, of = rows.with_columns(target=pl.col("plan")), multiclass_case()
    bundle = fit_quickly(of, rows, seed=2)
    offsets = tuple(0.2 * at for at in range(len(bundle.classes)))
    other = ServedModel(replace(bundle, calibration=Calibration(slope=0.7, offsets=offsets)))
    panel = Panel([model, other])
    asked = odd_rows(100, seed=13).to_dicts()
    alone = [[model.score([row]), other.score([row], outliers=False)] for row in asked]
    assert repr([panel.score([row]) for row in asked]) == repr(alone)
    assert repr(panel.score(asked)) == repr([model.score(asked), other.score(asked, outliers=False)])
    assert repr(Panel([other, model]).score(asked[:1])) == repr(
        [other.score(asked[:1]), model.score(asked[:1], outliers=False)]
    )


@pytest.mark.parametrize("targets", [["basic", "pro"], ["basic", "plus", "pro"]])
def test_models_of_many_classes_side_by_side_are_calibrated_each_by_its_own_map(
    targets: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    rows = labelled_rows().with_columns(target=pl.col("plan")).filter(pl.col("plan").is_in(targets))
    models = []
    for seed in (1, 2):
        bundle = fit_quickly(multiclass_case(), rows, seed=seed)
        offsets = tuple(0.3 * seed * at for at in range(len(targets)))
        models.append(ServedModel(replace(bundle, calibration=Calibration(slope=0.5 + seed, offsets=offsets))))
    panel, asked = Panel(models), odd_rows(100, seed=17).to_dicts()
    alone = [[models[0].score([row]), models[1].score([row], outliers=False)] for row in asked]
    assert alone[0][0].probabilities != alone[0][1].probabilities
    assert repr([panel.score([row]) for row in asked]) == repr(alone)
    assert [each[0].probabilities[0] for each in alone] == models[0].score(asked).probabilities
    assert not caplog.records, "no row is left to XGBoost"


def test_trees_that_are_summed_otherwise_are_refused(folder: Path) -> None:
    bundle = Bundle.load(folder)
    with pytest.raises(ModelError, match=r"margins of XGBoost|trees without"):
        Grove([(bundle.booster, 2)], width=len(bundle.encoder.features))


def test_a_changed_bundle_is_refused(folder: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(folder)
    bundle.save(tmp_path)
    (tmp_path / MODEL_FILE).write_bytes(b"")
    with pytest.raises(ModelError, match="digests differ"):
        ServedModel.load(tmp_path)


def test_the_scorer_imports_what_a_service_needs_and_no_more(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from driftbook.serving.scorer import ServedModel;"
        f"ServedModel.load(Path({str(folder)!r}));"
        "print([name for name in ('mlflow', 'optuna', 'evidently', 'pandas', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
