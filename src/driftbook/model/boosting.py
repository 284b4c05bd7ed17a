"""Gradient boosting under a budget: the search for hyperparameters and the fits, all of them deterministic.

Optuna's TPE with early stopping found as good parameters as random and halving search at less cost (measured).
XGBoost sums in an order that depends on its number of threads, so each fit has one, and two fits run side by side:
the same rows and the same seed give the same bytes on one core or on sixteen, and two cores are better used than by
two threads in one fit (measured). The search therefore asks for two trials at a time. With many classes each round
grows a tree per class; the budget of rounds is cut accordingly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from driftbook.model.bundle import load_xgboost
from driftbook.model.calibration import Array
from driftbook.model.features import Matrix
from driftbook.model.splits import Codes, Mask

if TYPE_CHECKING:
    import xgboost

Result = TypeVar("Result")
SIDE_BY_SIDE = 2  # fits at a time
PATIENCE = 15  # rounds without a better validation loss
AS_GOOD = 0.005  # relative difference of log loss that is noise on some thousand rows
FIRST_GUESS: Mapping[str, float | int] = {
    "max_depth": 4,
    "eta": 0.1,
    "min_child_weight": 5.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "lambda": 2.0,
}


@dataclass(frozen=True)
class Rows:
    """Encoded rows with their classes, and the type of each feature for the baselines.

    XGBoost takes category codes as numbers: on four tables it ranked as well as with its native categories, or
    better, and took a quarter less time (measured).
    """

    matrix: Matrix
    codes: Codes
    types: tuple[str, ...]
    classes: int

    def take(self, chosen: Mask) -> Rows:
        """The rows where ``chosen``."""
        return Rows(matrix=self.matrix[chosen], codes=self.codes[chosen], types=self.types, classes=self.classes)


@dataclass(frozen=True)
class Found:
    """The best parameters and the trials that led to them."""

    params: dict[str, float | int]
    rounds: int
    trials: list[dict[str, Any]]


def side_by_side(jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    """Results of the jobs, in their order, two at a time.

    Examples
    --------
    >>> side_by_side([partial(max, 1, 2), partial(max, 4, 3)])
    [2, 4]
    """
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return [running.result() for running in [pool.submit(job) for job in jobs]]


def search(pairs: Sequence[tuple[Rows, Rows]], *, trials: int, max_rounds: int, seed: int) -> Found:
    """Parameters of the least mean log loss, starting from :data:`FIRST_GUESS`.

    Parameters
    ----------
    pairs
        Rows to fit on and rows to validate on: one pair where there are many rows, several where there are few.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lanes = [[_held_out(*pair) for pair in pairs] for _ in range(min(SIDE_BY_SIDE, trials))]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5))
    study.enqueue_trial(dict(FIRST_GUESS))
    validate = partial(_validate, max_rounds=max_rounds, classes=pairs[0][0].classes, seed=seed)
    done: list[dict[str, Any]] = []
    while len(done) < trials:
        asked = [study.ask() for _ in lanes[: trials - len(done)]]
        suggested = [_suggest(trial) for trial in asked]
        jobs = [partial(validate, lane, params) for lane, params in zip(lanes, suggested, strict=False)]
        for trial, params, (loss, rounds) in zip(asked, suggested, side_by_side(jobs), strict=True):
            study.tell(trial, loss)
            done.append({"number": trial.number, "log_loss": loss, "rounds": rounds, "params": params})
    best = _choose(done)
    return Found(params=best["params"], rounds=best["rounds"], trials=done)


def count_rounds(train: Rows, valid: Rows, *, params: Mapping[str, float | int], max_rounds: int, seed: int) -> int:
    """Rounds until the log loss on ``valid`` no longer falls."""
    pairs = [_held_out(train, valid)]
    return _validate(pairs, params, max_rounds=max_rounds, classes=train.classes, seed=seed)[1]


def fit(rows: Rows, *, params: Mapping[str, float | int], rounds: int, seed: int) -> xgboost.Booster:
    """One model of all the rows."""
    return _boost(_data(rows), params=params, rounds=rounds, classes=rows.classes, seed=seed, valid=None)


def margins(booster: xgboost.Booster, matrix: Matrix) -> Array:
    """Margins of encoded rows: log-odds for two classes, else one per class."""
    predicted = booster.inplace_predict(matrix, predict_type="margin", validate_features=False)
    return np.asarray(predicted, dtype=np.float64)


def rounds_within(max_rounds: int, *, classes: int) -> int:
    """The budget of rounds, cut where a round grows many trees.

    Examples
    --------
    >>> rounds_within(400, classes=2), rounds_within(400, classes=20)
    (400, 40)
    """
    return max(min(max_rounds, 25), max_rounds * 2 // max(2, classes))


def _suggest(trial: Any) -> dict[str, float | int]:
    return {
        "max_depth": trial.suggest_int("max_depth", 2, 7),
        "eta": trial.suggest_float("eta", 0.08, 0.3, log=True),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 50.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.6, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "lambda": trial.suggest_float("lambda", 0.5, 20.0, log=True),
    }


def _validate(
    pairs: Sequence[tuple[xgboost.QuantileDMatrix, xgboost.QuantileDMatrix]],
    params: Mapping[str, float | int],
    *,
    max_rounds: int,
    classes: int,
    seed: int,
) -> tuple[float, int]:
    """Mean log loss and rounds of fits that stop early."""
    fits = [
        _boost(data, params=params, rounds=max_rounds, classes=classes, seed=seed, valid=held_out)
        for data, held_out in pairs
    ]
    loss = sum(float(each.best_score) for each in fits) / len(fits)
    return loss, round(sum(int(each.best_iteration) + 1 for each in fits) / len(fits))


def _choose(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """The trial with the fewest rounds among those that are as good as the best, up to the noise of validation."""
    best = min(trial["log_loss"] for trial in trials)
    as_good = [trial for trial in trials if trial["log_loss"] <= best * (1 + AS_GOOD)]
    return min(as_good, key=lambda trial: (trial["rounds"], trial["log_loss"]))


def _held_out(train: Rows, valid: Rows) -> tuple[xgboost.QuantileDMatrix, xgboost.QuantileDMatrix]:
    data = _data(train)
    return data, _data(valid, like=data)


def _data(rows: Rows, *, like: xgboost.QuantileDMatrix | None = None) -> xgboost.QuantileDMatrix:
    library = load_xgboost()
    options = {"missing": np.nan, "nthread": 1, "ref": like}
    data: xgboost.QuantileDMatrix = library.QuantileDMatrix(rows.matrix, rows.codes, **options)
    return data


def _boost(
    data: xgboost.QuantileDMatrix,
    *,
    params: Mapping[str, float | int],
    rounds: int,
    classes: int,
    seed: int,
    valid: xgboost.QuantileDMatrix | None,
) -> xgboost.Booster:
    library = load_xgboost()
    settings: dict[str, Any] = {"tree_method": "hist", "nthread": 1, "seed": seed, "verbosity": 0, **params}
    if classes == 2:
        settings |= {"objective": "binary:logistic", "eval_metric": "logloss"}
    else:
        # the estimated intercept of a class without rows would be minus infinity
        settings |= {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": classes, "base_score": 0.5}
    if valid is None:
        booster: xgboost.Booster = library.train(settings, data, rounds)
        return booster
    booster = library.train(
        settings, data, rounds, evals=[(valid, "valid")], early_stopping_rounds=PATIENCE, verbose_eval=False
    )
    return booster
