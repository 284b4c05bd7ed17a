"""What a model has to beat: always the same answer, a straight line, a small forest.

Without them an accuracy says nothing: 0.89 is worthless where 0.89 of the rows are of one class. The majority
baseline gives every row the shares of the classes; logistic regression and a random forest show what customary models
reach with the same features. They are fitted on a bounded sample, for comparison and not to be served.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from driftbook.model.boosting import Rows
from driftbook.model.calibration import Array
from driftbook.model.features import Matrix
from driftbook.model.splits import sample_rows

MAJORITY = "majority"
SAMPLE = 8_000  # rows of the logistic regression
FOREST_SAMPLE = 6_000


def baseline_probabilities(train: Rows, test: Matrix, *, seed: int) -> dict[str, Array]:
    """Probabilities of the test rows by each baseline, shape (rows, classes).

    A baseline that cannot be fitted (its sample holds one class) is left out.
    """
    found = {MAJORITY: majority(train, rows=len(test))}
    for name, most, make in (
        ("logistic_regression", SAMPLE, _logistic_regression),
        ("random_forest", FOREST_SAMPLE, _random_forest),
    ):
        chosen = sample_rows(train.codes.size, most=most, seed=seed)
        codes = train.codes[chosen]
        if np.unique(codes).size < 2:
            continue
        model = make(train.types, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # convergence and unseen categories are no news in a baseline
            model.fit(_finite(train.matrix[chosen]), codes)
            table = np.zeros((len(test), train.classes))
            table[:, model.classes_] = model.predict_proba(_finite(test))
        found[name] = table
    return found


def majority(train: Rows, *, rows: int) -> Array:
    """The shares of the classes, for every row alike."""
    shares = np.bincount(train.codes, minlength=train.classes) / train.codes.size
    return np.tile(shares, (rows, 1))


def _finite(matrix: Matrix) -> Matrix:
    """Numbers a linear model can square."""
    return np.clip(matrix, -1e15, 1e15)


def _logistic_regression(types: tuple[str, ...], *, seed: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = [at for at, kind in enumerate(types) if kind == "q"]
    categorical = [at for at, kind in enumerate(types) if kind == "c"]
    one_hot = OneHotEncoder(handle_unknown="ignore", max_categories=30)
    filled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    columns = ColumnTransformer([("numeric", filled, numeric), ("categorical", one_hot, categorical)])
    return make_pipeline(columns, LogisticRegression(max_iter=200, random_state=seed))


def _random_forest(types: tuple[str, ...], *, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=40, min_samples_leaf=5, random_state=seed)
