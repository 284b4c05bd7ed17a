"""The same question put to others: bare scipy, Evidently, NannyML, whylogs, each by its own documented way.

Each gets the tables in the form it likes best, prepared off the clock, and is asked for the methods it has.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.tables import name_of, numeric_table

BINS, SMALLEST_SHARE = 10, 1e-4
EVIDENTLY_METHODS = ("ks", "psi", "wasserstein", "jensenshannon")
NANNYML_METHODS = ["kolmogorov_smirnov", "wasserstein", "jensen_shannon"]


def arrays(rows: int, columns: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides as numpy arrays."""
    importlib.import_module("scipy.stats")
    return numeric_table(rows, columns, current=False), numeric_table(rows, columns, current=True)


def with_scipy(data: tuple[dict[str, Any], dict[str, Any]]) -> Mapping[str, float]:
    """``ks_2samp``, ``wasserstein_distance``, numpy's histograms between the reference's deciles, ``jensenshannon``."""
    import numpy as np
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import ks_2samp, wasserstein_distance

    answers: list[dict[str, float]] = []
    for name, before in data[0].items():
        after = data[1][name]
        edges = np.unique(np.quantile(before, np.arange(1, BINS) / BINS))
        edges = np.concatenate([[-np.inf], edges, [np.inf]])
        shares = [np.maximum(np.histogram(side, edges)[0] / side.size, SMALLEST_SHARE) for side in (before, after)]
        answers.append(
            {
                "kolmogorov_smirnov": float(ks_2samp(before, after).statistic),
                "psi": float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum()),
                "wasserstein": float(wasserstein_distance(before, after) / before.std()),
                "jensen_shannon": float(jensenshannon(*shares, base=2)),
            }
        )
    return answers[0]


def pandas_frames(rows: int, columns: int) -> tuple[Any, Any]:
    """Both sides as pandas frames."""
    import pandas as pd

    warnings.simplefilter("ignore")
    before, after = (pd.DataFrame(numeric_table(rows, columns, current=side)) for side in (False, True))
    return before, after


def evidently_data(rows: int, columns: int) -> tuple[Any, Any]:
    """Both sides as Evidently's datasets."""
    from evidently import DataDefinition, Dataset

    definition = DataDefinition(numerical_columns=[name_of(k) for k in range(columns)])
    before, after = (Dataset.from_pandas(each, data_definition=definition) for each in pandas_frames(rows, columns))
    return before, after


def with_evidently(data: tuple[Any, Any]) -> Mapping[str, float]:
    """A report of one ``ValueDrift`` for each column and method: the four tests and nothing else."""
    from evidently import Report
    from evidently.metrics import ValueDrift

    names = data[0].as_dataframe().columns
    report = Report([ValueDrift(column=name, method=method) for name in names for method in EVIDENTLY_METHODS])
    metrics = report.run(data[1], data[0]).dict()["metrics"]
    values = [float(each["value"]) for each in metrics[: len(EVIDENTLY_METHODS)]]
    return dict(zip(("kolmogorov_smirnov p", *EVIDENTLY_METHODS[1:]), values, strict=True))


def with_evidently_presets(data: tuple[Any, Any]) -> Mapping[str, float]:
    """The report its documentation begins with, ``DataDriftPreset``, once for each of the four tests."""
    return _presets(data, EVIDENTLY_METHODS)


def with_evidently_ks(data: tuple[Any, Any]) -> Mapping[str, float]:
    """The same with one test, KS."""
    return _presets(data, EVIDENTLY_METHODS[:1])


def _presets(data: tuple[Any, Any], methods: Sequence[str]) -> Mapping[str, float]:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    report = Report([DataDriftPreset(num_method=method) for method in methods])
    metrics = report.run(data[1], data[0]).dict()["metrics"]
    counts = [each["value"]["count"] for each in metrics if isinstance(each["value"], dict)]
    return {f"columns drifted by {method}": float(count) for method, count in zip(methods, counts, strict=True)}


def with_nannyml(data: tuple[Any, Any]) -> Mapping[str, float]:
    """One chunk; fitting on the reference counts, as it does for us. It has no PSI, and bins KS from 10,000 rows on."""
    import nannyml

    calculator = nannyml.UnivariateDriftCalculator(
        column_names=list(data[0].columns), continuous_methods=NANNYML_METHODS, chunk_number=1
    )
    table = calculator.fit(data[0]).calculate(data[1]).filter(period="analysis").to_df()
    first = data[0].columns[0]
    return {method: float(table[(first, method, "value")].iloc[-1]) for method in NANNYML_METHODS}


def with_whylogs(data: tuple[Any, Any]) -> Mapping[str, float]:
    """Profiles (sketches) of both sides, then its KS and Hellinger of them. It has no PSI, Wasserstein, JS."""
    import whylogs
    from whylogs.viz.drift.column_drift_algorithms import KS, Hellinger

    before, after = (whylogs.log(each).view() for each in data)
    found = [
        (
            KS().calculate(after.get_column(name), before.get_column(name)).statistic,
            Hellinger().calculate(after.get_column(name), before.get_column(name)).statistic,
        )
        for name in data[0].columns
    ]
    return {"kolmogorov_smirnov": float(found[0][0]), "hellinger": float(found[0][1])}
