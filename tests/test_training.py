from __future__ import annotations

import math
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from model_samples import binary_case, labelled_rows, multiclass_case

from driftbook.config.use_case import ModelConfig
from driftbook.errors import ModelError
from driftbook.model.evaluation import calibration_curve, decide_gate, roc_curve
from driftbook.model.metrics import Estimate
from driftbook.model.training import Training, fit_quickly, train
from driftbook.storage import canonical_json


@pytest.fixture(scope="module")
def trained() -> Training:
    return train(binary_case(), labelled_rows(), seed=1)


def saved(training: Training, folder: Path) -> list[bytes]:
    training.bundle.save(folder)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def test_training_twice_gives_the_same_bytes_report_and_scores(trained: Training, tmp_path: Path) -> None:
    again = train(binary_case(), labelled_rows(), seed=1)
    assert saved(again, tmp_path / "b") == saved(trained, tmp_path / "a")
    assert canonical_json(again.report) == canonical_json(trained.report)
    assert again.scores.equals(trained.scores)


def test_the_report_says_what_was_learned_from_and_tested_on(trained: Training) -> None:
    report = trained.report
    assert (report["rows"], report["train_rows"], report["test_rows"]) == (600, 480, 120)
    assert report["classes"] == ["no", "yes"]
    assert report["trained_from"][:10] == "2026-04-01"
    assert report["trained_until"][:10] == "2026-04-12"
    assert report["tested_from"][:10] == "2026-04-10"
    assert [trial["number"] for trial in report["trials"]] == [0, 1]
    assert set(report["baselines"]) == {"majority", "logistic_regression", "random_forest"}
    assert sum(map(sum, report["confusion"])) == 120
    assert len(report["roc"]) <= 50
    assert sum(point["rows"] for point in report["calibration"]) == 120
    assert report["notes"] == []


def test_a_model_that_learned_something_passes_its_gate(trained: Training) -> None:
    assert trained.report["gate"]["passed"]
    assert trained.report["metrics"]["roc_auc"]["value"] > 0.85
    assert trained.report["column_shares"]["age"] == max(trained.report["column_shares"].values())


def test_every_row_has_a_score_by_a_model_that_had_not_seen_it(trained: Training) -> None:
    rows = labelled_rows()
    assert trained.scores["row_id"].to_list() == rows["row_id"].to_list()
    assert trained.scores["part"].value_counts().sort("part").rows() == [("test", 120), ("train", 480)]
    test = trained.scores.filter(part="test")
    served = trained.bundle.score(rows.filter(pl.col("row_id").is_in(test["row_id"].to_list())))
    assert test["prediction_score"].to_list() == served["prediction_score"].to_list()
    seen = trained.bundle.score(rows)["prediction_score"].to_numpy()
    truth = (rows["target"] == "yes").to_numpy()
    known = (trained.scores["part"] == "train").to_numpy()
    out_of_sample = trained.scores["prediction_score"].to_numpy()
    assert np.abs(truth - out_of_sample)[known].mean() > np.abs(truth - seen)[known].mean()


def test_pure_noise_fails_the_gate_and_says_why() -> None:
    noise = labelled_rows(2000).with_columns(pl.col("target").shuffle(seed=3))
    gate = train(binary_case(), noise, seed=1).report["gate"]
    assert not gate["passed"]
    assert any("is below the minimum of 0.6" in reason for reason in gate["reasons"])


def test_rows_without_a_target_are_left_out() -> None:
    rows = labelled_rows(200).with_columns(target=pl.when(pl.int_range(pl.len()) >= 20).then(pl.col("target")))
    assert train(binary_case(), rows, seed=1).scores.height == 180


def test_refit_learns_from_the_newest_rows_too(trained: Training, tmp_path: Path) -> None:
    again = train(binary_case(), labelled_rows(), seed=1, refit=True)
    assert saved(again, tmp_path / "b") != saved(trained, tmp_path / "a")
    assert again.report["metrics"] == trained.report["metrics"]
    assert "fitted once more" in again.report["notes"][0]


def test_a_history_sorted_by_class_is_tested_at_random_and_says_so() -> None:
    rows = labelled_rows(300)
    times = rows["event_time"]
    rows = rows.drop("event_time").sort("target").with_columns(event_time=times)
    assert "drawn at random by class" in train(binary_case(), rows, seed=1).report["notes"][0]


def test_many_classes_with_one_of_a_single_row_and_many_columns_are_trained() -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"n{at}" for at in range(80))
    target = np.array(["a", "b", "c"])[rng.integers(0, 3, 300)].tolist()
    target[5] = "once"
    rows = labelled_rows(300).with_columns(
        pl.Series("target", target),
        *(pl.Series(name, rng.normal(size=300) + np.array([ord(each[0]) for each in target])) for name in names),
    )
    case = multiclass_case()
    columns = case.columns.model_copy(update={"numeric": names})
    report = train(case.model_copy(update={"columns": columns}), rows, seed=1).report
    assert report["classes"] == ["a", "b", "c", "once"]
    assert report["metrics"]["accuracy"]["value"] > 0.9
    assert report["roc"] == []
    assert report["positive"] is None
    canonical_json(report)


def test_empty_constant_and_infinite_columns_do_no_harm() -> None:
    rows = labelled_rows(200).with_columns(
        spend=pl.lit(math.inf), plan=pl.lit(None, dtype=pl.String), joined=pl.lit(None, dtype=pl.Datetime("us"))
    )
    assert train(binary_case(), rows, seed=1).report["gate"]["passed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.head(49), "at least 50 labelled rows .* found 49"),
        (lambda rows: rows.with_columns(target=pl.lit("no")), "at least two classes .* found only 'no'"),
        (lambda rows: rows.with_columns(pl.col("target").replace("yes", "Yes")), "positive_class.*did you mean 'Yes'"),
        (lambda rows: rows.with_columns(pl.col("target").replace("no", None)), "at least two classes"),
        (
            lambda rows: rows.with_columns(
                target=pl.when(pl.int_range(pl.len()) < 9).then(pl.lit("yes")).otherwise(pl.lit("no"))
            ),
            "at least 10 rows of each class, found 9 of 'yes'",
        ),
        (
            lambda rows: rows.with_columns(
                target=pl.when(pl.int_range(pl.len()) < 9).then(pl.lit("maybe")).otherwise("target")
            ),
            r"found 3 \(maybe, no, yes\); declare task: multiclass",
        ),
    ],
)
def test_what_cannot_be_trained_says_what_to_do(change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelError, match=message):
        train(binary_case(), change(labelled_rows(200)), seed=1)


def test_a_quick_fit_is_good_enough_to_compare_windows() -> None:
    bundle = fit_quickly(binary_case(), labelled_rows(), seed=1)
    fresh = labelled_rows(400, seed=9)
    right = (bundle.score(fresh)["prediction"] == fresh["target"]).mean()
    assert right is not None
    assert right > 0.8


def test_a_metric_that_cannot_be_measured_fails_the_gate() -> None:
    nothing, good, bad = (Estimate(each, each, each) for each in (math.nan, 0.9, 0.1))
    gate = decide_gate(
        {"roc_auc": nothing, "log_loss": bad, "accuracy": good},
        {"log_loss": good, "accuracy": bad},
        config=ModelConfig(),
    )
    assert not gate["passed"]
    assert "cannot be measured" in gate["reasons"][1]


def test_better_decisions_with_worse_probabilities_pass_with_a_warning() -> None:
    good, bad = Estimate(0.9, 0.88, 0.92), Estimate(0.6, 0.58, 0.62)
    model = {"roc_auc": good, "log_loss": good, "accuracy": good}
    gate = decide_gate(model, {"log_loss": bad, "accuracy": bad}, config=ModelConfig())
    assert gate["passed"]
    assert "Do not take its probabilities at their word" in gate["reasons"][0]


def test_a_roc_curve_of_tied_scores_runs_straight() -> None:
    points = roc_curve(np.full(10, 0.5), np.array([True, False] * 5))
    assert [tuple(point.values()) for point in points] == [(0.0, 0.0), (1.0, 1.0)]
    assert roc_curve(np.array([0.1]), np.array([True])) == []


def test_a_calibration_curve_counts_every_row_once() -> None:
    chance = np.linspace(0, 1, 500)
    points = calibration_curve(chance, chance > 0.5)
    assert sum(point["rows"] for point in points) == 500
    assert points[0]["observed"] == 0.0
    assert points[-1]["observed"] == 1.0


def test_the_simulated_churn_is_learned_to_within_a_point_of_the_best_possible() -> None:
    from driftbook.config import Settings, load_use_case
    from driftbook.data.simulate import best_accuracy, simulate_day
    from driftbook.schema import conform

    settings = Settings(root=Path(__file__).parents[1])
    case = load_use_case("churn", settings=settings)
    days = [date(2026, 4, day) for day in range(7, 13)]
    rows = pl.concat(
        conform(simulate_day(case, day), case).rows.with_columns(
            batch_id=pl.lit(day.isoformat()), event_time=pl.lit(day).cast(pl.Datetime("us"))
        )
        for day in days
    )
    quick = case.model_copy(update={"model": case.model.model_copy(update={"trials": 2})})
    report = train(quick, rows, seed=case.seed).report
    assert report["metrics"]["accuracy"]["high"] > best_accuracy(case, days[0]) - 0.01
    assert report["metrics"]["accuracy"]["value"] > best_accuracy(case, days[0]) - 0.02


TELCO = Path(__file__).parents[2] / "shared/data/telco_churn/Telco-Customer-Churn.csv"


@pytest.mark.skipif(not TELCO.exists(), reason="needs ../shared/data/telco_churn (licensed apart, not in the project)")
def test_telco_churn_is_ranked_as_well_as_published(tmp_path: Path) -> None:
    from driftbook.config import Settings, load_use_case
    from driftbook.data.batches import first_stream_day, ingest, labelled_rows

    declared = Path(__file__).parents[1] / "data/telco/usecase.yaml"
    raw = tmp_path / "data/telco/raw"
    raw.mkdir(parents=True)
    shutil.copy(declared, raw.parent)
    shutil.copy(TELCO, raw)
    settings = Settings(root=tmp_path)
    case = load_use_case("telco", settings=settings)
    known = date(2026, 5, 20)  # the history and its late targets
    ingest(case, settings, as_of=known)
    rows = labelled_rows(case, settings, as_of=known)
    history = rows.filter(pl.col("event_time").dt.date() < first_stream_day(case, settings))
    report = train(case, history, seed=case.seed).report
    found = report["metrics"]["roc_auc"]["value"]
    assert found >= 0.84
    assert found >= report["baselines"]["logistic_regression"]["roc_auc"]["value"] - 0.005
    assert report["gate"]["passed"]
