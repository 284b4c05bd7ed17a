"""Plain words for the codes that records hold, in one place.

Data keep their codes (``since_drift``, ``kolmogorov_smirnov``), because programs compare them and files must not
change with a wording. What a person reads, in a table, a figure or a verdict, goes through :func:`plain`.
"""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    # drift methods
    "chi_squared": "chi-squared",
    "cramer_von_mises": "Cramér–von Mises",
    "e_cusum": "evidence over days",
    "jensen_shannon": "Jensen–Shannon",
    "kolmogorov_smirnov": "Kolmogorov–Smirnov",
    "kullback_leibler": "Kullback–Leibler",
    "l_infinity": "L-infinity",
    "psi": "PSI",
    "row_count": "number of rows",
    "wasserstein": "Wasserstein",
    "wasserstein_raw": "Wasserstein, raw",
    # metrics
    "brier": "Brier",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    # views of a comparison
    "delong": "DeLong",
    "mcnemar": "McNemar",
    "split": "A/B split",
    # scenarios
    "class_balance": "shift of the classes",
    "concept": "change of the relation to the target",
    "gradual": "gradual shift",
    "missing_values": "broken feed",
    "seasonal": "weekly cycle",
    "sudden": "market shock",
    # columns of frames
    "batch_id": "batch",
    "event_time": "time",
    "first_batch": "first batch",
    "outlier": "suspicious rows",
    "outlier_score": "outlier score",
    "prediction": "predicted class",
    "prediction_score": "predicted score",
    "row_id": "row",
    # training windows
    "all": "all rows with known targets",
    "since_drift": "only rows since the drift set in",
    # outcomes
    "failed_gate": "failed its gate",
    "trained": "may compete",
}
# what happened to a version, as its history tells it
CHANGES: Mapping[str, str] = {
    "appoint": "appointed",
    "challenge": "challenger",
    "promote": "promoted",
    "retrain": "retraining asked for",
    "retire": "retired",
    "rollback": "put back",
}

SHARES = frozenset({"accuracy", "precision", "recall", "f1"})  # metrics that are told in percent


def plain(code: str) -> str:
    """A code in plain words; one without words of its own loses its underscores.

    Examples
    --------
    >>> plain("kolmogorov_smirnov"), plain("not_needed")
    ('Kolmogorov–Smirnov', 'not needed')
    """
    return WORDS.get(code, code.replace("_", " "))


def metric_text(metric: str, value: float) -> str:
    """A metric's value as a sentence tells it.

    Examples
    --------
    >>> metric_text("accuracy", 0.7491), metric_text("log_loss", 0.4)
    ('74.9 %', '0.400')
    """
    return f"{100 * value:.1f} %" if metric in SHARES else f"{value:.3f}"
