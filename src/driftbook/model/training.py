"""From labelled rows to a bundle and an honest report about it.

The order of work decides how honest the figures are. The last rows by time are set aside as the test part and touched
once. On the part before them, parameters are searched on a bounded sample, rounds counted by early stopping, and
cross-fitting gives every row a score by a model that had not seen it: from these the calibration is learned, and they
are the reference of prediction drift. The served model is the one that was tested, unless ``refit`` asks for one more
fit on all rows, for when the newest rows carry what is to be learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from driftbook.config import UseCase
from driftbook.errors import ModelError, UnknownNameError
from driftbook.model import boosting
from driftbook.model.baselines import MAJORITY, baseline_probabilities
from driftbook.model.boosting import Found, Rows
from driftbook.model.bundle import Bundle, as_predictions
from driftbook.model.calibration import Array, Calibration, fit_calibration
from driftbook.model.evaluation import calibration_curve, confusion, decide_gate, judge, roc_curve
from driftbook.model.explain import column_shares, feature_importance
from driftbook.model.features import Encoder, Matrix
from driftbook.model.outliers import FOLDS as DETECTOR_FOLDS
from driftbook.model.outliers import OutlierDetector, fit_detector
from driftbook.model.splits import Codes, Mask, batch_folds, sample_rows, split_with_classes

if TYPE_CHECKING:
    import xgboost

LEAST_ROWS = 50
LEAST_OF_CLASS = 10
EXPLAINED_ROWS = 500
VALIDATION_SHARE = 0.25
FEW_ROWS = 8_000  # the search cross-validates below: a quarter of them tells trials apart by luck only
GROWTH_OF_ROUNDS = 0.15  # five times the rows bear a quarter more rounds (measured on the simulated churn)


@dataclass(frozen=True, eq=False)
class Training:
    """What training gives.

    ``report`` holds only plain values (its keys are documented at :func:`train`); ``scores`` has one row per labelled
    row: row_id, batch_id, prediction, prediction_score, probabilities, part (``train``, ``test``), outlier_score,
    outlier.
    """

    bundle: Bundle
    detector: OutlierDetector
    report: dict[str, Any]
    scores: pl.DataFrame


def train(case: UseCase, rows: pl.DataFrame, *, seed: int, refit: bool = False) -> Training:
    """Search, fit, calibrate and judge a model.

    Parameters
    ----------
    rows
        Labelled frame: the columns of a batch, ``batch_id`` and ``target``; rows without a target are left out.
    refit
        Fit once more on all rows after the test; the report then describes the model before.

    Returns
    -------
    The bundle, the scores and the report: task, classes, positive, features, rows, train_rows, test_rows,
    trained_from, trained_until, tested_from (ISO times of rows), params, rounds, trials, calibration_map,
    metrics (name → value, low, high), baselines (name → metrics), gate (passed, reasons), confusion (true class down,
    predicted across), roc and calibration (points of curves), importance (feature, gain, contribution, share),
    column_shares (raw column → share), outliers (threshold, flagged_share), refit, notes.

    Raises
    ------
    ModelError
        If there are too few rows, one class only, or classes that do not fit the task.
    """
    rows, classes, codes = _labelled(case, rows)
    times = _times(rows)
    test, without_time = split_with_classes(times, codes, share=case.model.test_share, seed=seed)
    encoder = Encoder.from_rows(rows if refit else rows.filter(~test), case)
    encoded = _encoded(encoder, rows, codes, classes=len(classes))
    known = encoded.take(~test)
    folds = batch_folds(rows["batch_id"].to_numpy()[~test], known.codes, folds=case.model.folds, seed=seed)
    found = _tune(known, times[~test], folds, case=case, seed=seed)
    booster, out_of_fold, baselines = _fit_all(known, folds, encoded.matrix[test], found=found, seed=seed)
    calibration = fit_calibration(out_of_fold, known.codes, classes=len(classes))
    bundle = Bundle(booster=booster, encoder=encoder, calibration=calibration, classes=classes, task=case.task)
    table = np.empty((rows.height, len(classes)))
    table[~test] = calibration.probabilities(out_of_fold)
    table[test] = calibration.probabilities(bundle.margins(encoded.matrix[test]))
    report = {
        **_provenance(case, rows, test, found=found, bundle=bundle),
        **_judgement(case, codes[test], table[test], baselines=baselines, classes=classes),
        **_explanation(bundle, rows.filter(test), seed=seed),
        "refit": refit,
        "notes": _notes(without_time=without_time, refit=refit),
    }
    folds = batch_folds(rows["batch_id"].to_numpy(), codes, folds=DETECTOR_FOLDS, seed=seed)
    detector, oddness = fit_detector(rows, encoder, folds=folds, seed=seed)
    report["outliers"] = {"threshold": detector.threshold, "flagged_share": detector.flagged_share}
    if refit:
        newest = boosting.fit(encoded, params=found.params, rounds=found.rounds, seed=seed)
        bundle = replace(bundle, booster=newest)
    scores = _scores(rows, table, test, classes=classes, task=case.task).hstack(detector.columns(oddness))
    return Training(bundle=bundle, detector=detector, report=report, scores=scores)


def fit_quickly(case: UseCase, rows: pl.DataFrame, *, seed: int) -> Bundle:
    """A rough model of at most ``search_rows`` rows: no search, no calibration, no test.

    Good enough to compare training windows by, in a tenth of the time of :func:`train`; never to be served.
    """
    rows, classes, _ = _labelled(case, rows)
    rows = rows[sample_rows(rows.height, most=case.model.search_rows, seed=seed)]
    codes = _coded(rows["target"], classes)
    encoder = Encoder.from_rows(rows, case)
    encoded = _encoded(encoder, rows, codes, classes=len(classes))
    late, _ = split_with_classes(_times(rows), codes, share=VALIDATION_SHARE, seed=seed)
    most = boosting.rounds_within(case.model.max_rounds, classes=len(classes))
    params = boosting.FIRST_GUESS
    rounds = boosting.count_rounds(encoded.take(~late), encoded.take(late), params=params, max_rounds=most, seed=seed)
    booster = boosting.fit(encoded, params=params, rounds=rounds, seed=seed)
    unchanged = Calibration(slope=1.0, offsets=(0.0,) * len(classes))
    return Bundle(booster=booster, encoder=encoder, calibration=unchanged, classes=classes, task=case.task)


def _labelled(case: UseCase, rows: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...], Codes]:
    rows = rows.filter(pl.col("target").is_not_null())
    classes = _classes(rows["target"], case)
    return rows, classes, _coded(rows["target"], classes)


def _coded(target: pl.Series, classes: tuple[str, ...]) -> Codes:
    return target.replace_strict(classes, range(len(classes)), return_dtype=pl.Int64).to_numpy()


def _times(rows: pl.DataFrame) -> Codes:
    return rows["event_time"].dt.epoch("us").to_numpy()


def _encoded(encoder: Encoder, rows: pl.DataFrame, codes: Codes, *, classes: int) -> Rows:
    return Rows(matrix=encoder.matrix(rows), codes=codes, types=encoder.feature_types, classes=classes)


def _classes(target: pl.Series, case: UseCase) -> tuple[str, ...]:
    """Classes in order, the positive one of two last; an error where no model could be trained."""
    counts = dict(target.value_counts(name="n").iter_rows())
    names = sorted(counts)
    if target.len() < LEAST_ROWS:
        raise ModelError(
            f"expected at least {LEAST_ROWS} labelled rows to train on, found {target.len()}; give more history"
        )
    if len(names) < 2:
        raise ModelError(
            f"expected at least two classes in the target {case.columns.target!r}, found only {names[0]!r}; "
            "choose another target or give history that holds both"
        )
    if case.task == "multiclass":
        return tuple(names)
    positive = case.columns.positive_class or ""
    if positive not in counts:
        raise ModelError(f"columns.positive_class: {UnknownNameError('class', positive, names)}")
    if len(names) > 2:
        shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
        raise ModelError(
            f"a binary task needs two classes in {case.columns.target!r}, found {len(names)} ({shown}); "
            "declare task: multiclass"
        )
    rarest = min(names, key=lambda name: counts[name])
    if counts[rarest] < LEAST_OF_CLASS:
        raise ModelError(
            f"expected at least {LEAST_OF_CLASS} rows of each class, found {counts[rarest]} of {rarest!r}; "
            "give more history"
        )
    return (*(name for name in names if name != positive), positive)


def _tune(known: Rows, times: Codes, folds: Codes, *, case: UseCase, seed: int) -> Found:
    """Parameters and rounds from a bounded sample, validated on its latest quarter; few rows are cross-validated."""
    most = boosting.rounds_within(case.model.max_rounds, classes=known.classes)
    chosen = sample_rows(known.codes.size, most=case.model.search_rows, seed=seed)
    sample = Rows(matrix=known.matrix[chosen], codes=known.codes[chosen], types=known.types, classes=known.classes)
    if chosen.size < FEW_ROWS:
        helds = [folds[chosen] == fold for fold in np.unique(folds[chosen])]
    else:
        helds = [split_with_classes(times[chosen], sample.codes, share=VALIDATION_SHARE, seed=seed)[0]]
    pairs = [(sample.take(~held), sample.take(held)) for held in helds]
    found = boosting.search(pairs, trials=case.model.trials, max_rounds=most, seed=seed)
    more = (known.codes.size / pairs[0][0].codes.size) ** GROWTH_OF_ROUNDS  # more rows bear more rounds
    return replace(found, rounds=min(most, round(found.rounds * more)))


def _fit_all(
    known: Rows, folds: Codes, test: Matrix, *, found: Found, seed: int
) -> tuple[xgboost.Booster, Array, dict[str, Array]]:
    """The model of all known rows, their margins by models fitted without their fold, and the baselines' answers."""
    helds = [folds == fold for fold in np.unique(folds)]

    def fit_without(held: Mask) -> xgboost.Booster:
        return boosting.fit(known.take(~held), params=found.params, rounds=found.rounds, seed=seed)

    jobs: list[Callable[[], Any]] = [partial(boosting.fit, known, params=found.params, rounds=found.rounds, seed=seed)]
    jobs += [partial(fit_without, held) for held in helds]
    jobs += [partial(baseline_probabilities, known, test, seed=seed)]
    whole, *partly, baselines = boosting.side_by_side(jobs)
    out_of_fold = np.empty((known.codes.size,) if known.classes == 2 else (known.codes.size, known.classes))
    for held, booster in zip(helds, partly, strict=True):
        out_of_fold[held] = boosting.margins(booster, known.matrix[held])
    return whole, out_of_fold, baselines


def _provenance(case: UseCase, rows: pl.DataFrame, test: Mask, *, found: Found, bundle: Bundle) -> dict[str, Any]:
    times = rows["event_time"]
    return {
        "task": case.task,
        "classes": list(bundle.classes),
        "positive": bundle.positive,
        "features": list(bundle.encoder.features),
        "rows": rows.height,
        "train_rows": int((~test).sum()),
        "test_rows": int(test.sum()),
        "trained_from": _iso(times.min()),
        "trained_until": _iso(times.max()),
        "tested_from": _iso(times.filter(pl.Series(test)).min()),
        "params": found.params,
        "rounds": found.rounds,
        "trials": found.trials,
        "calibration_map": bundle.calibration.to_json(),
    }


def _judgement(
    case: UseCase, codes: Codes, probabilities: Array, *, baselines: dict[str, Array], classes: tuple[str, ...]
) -> dict[str, Any]:
    positive = classes[1] if case.task == "binary" else None
    figures = judge(codes, probabilities, classes=classes, positive=positive)
    others = {name: judge(codes, each, classes=classes, positive=positive) for name, each in baselines.items()}
    decided = probabilities.argmax(axis=1)
    binary = case.task == "binary"
    confidence = probabilities[:, 1] if binary else probabilities.max(axis=1)
    return {
        "metrics": {name: asdict(each) for name, each in figures.items()},
        "baselines": {name: {metric: asdict(each) for metric, each in found.items()} for name, found in others.items()},
        "gate": decide_gate(figures, others[MAJORITY], config=case.model),
        "confusion": confusion(codes, probabilities),
        "roc": roc_curve(probabilities[:, 1], codes == 1) if binary else [],
        "calibration": calibration_curve(confidence, codes == 1 if binary else codes == decided),
    }


def _explanation(bundle: Bundle, rows: pl.DataFrame, *, seed: int) -> dict[str, Any]:
    chosen = rows[sample_rows(rows.height, most=EXPLAINED_ROWS, seed=seed)]
    importance = feature_importance(bundle, chosen)
    return {"importance": importance.to_dicts(), "column_shares": column_shares(bundle, importance)}


def _notes(*, without_time: bool, refit: bool) -> list[str]:
    notes = []
    if without_time:
        notes.append(
            "The last rows by time hold too few classes to be a test, so the test part was drawn at random by class: "
            "the figures may flatter the model, because neighbouring rows were learned from."
        )
    if refit:
        notes.append("After the test the model was fitted once more on all rows; the figures are of the fit before.")
    return notes


def _scores(rows: pl.DataFrame, table: Array, test: Mask, *, classes: tuple[str, ...], task: str) -> pl.DataFrame:
    scored = as_predictions(rows["row_id"], table, classes=classes, task=task)
    return scored.select(
        "row_id",
        rows["batch_id"],
        "prediction",
        "prediction_score",
        "probabilities",
        pl.Series("part", np.where(test, "test", "train").tolist(), dtype=pl.String),
    )


def _iso(time: Any) -> str | None:
    return None if time is None else str(time.isoformat())
