"""Known answers of Evidently 0.7: its own tests and ours on the same columns."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from driftbook.drift.methods import method
from driftbook.drift.profile import column_profile

SAME = 1e-9  # of the figure, or absolute below 1
TESTS = {  # our name: their module and function
    "psi_evidently": ("psi", "_psi"),
    "jensen_shannon_evidently": ("jensenshannon", "_jensenshannon"),
    "kullback_leibler_evidently": ("kl_div", "_kl_div"),
    "hellinger_evidently": ("hellinger_distance", "_hellinger_distance"),
    "wasserstein": ("wasserstein_distance_norm", "_wasserstein_distance_norm"),
    "kolmogorov_smirnov": ("ks_stattest", "_ks_stat_test"),
}
P_VALUES = {"kolmogorov_smirnov"}  # Evidently gives the p-value where it has one
CASES = ["normal", "shifted", "skewed", "few values", "few become many", "many become few", "whole numbers", "binary"]
CASES += ["missing", "outlier", "constant", "constant moved", "nothing in common", "categories", "rare category"]


@pytest.fixture(scope="module")
def theirs() -> dict[str, Callable[..., Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = "evidently.legacy.calculations.stattests"
        return {
            name: getattr(importlib.import_module(f"{package}.{file}"), test) for name, (file, test) in TESTS.items()
        }


def columns(case: str, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(n + m)
    x, y = random.normal(size=n), random.normal(size=m)
    return {
        "normal": (x, y),
        "shifted": (x, y + 0.7),
        "skewed": (np.exp(2 * x), np.exp(2 * y) * 1.2),
        "few values": (np.round(x), np.round(y)),
        "few become many": (np.round(x), y),
        "many become few": (x, np.round(y)),
        "whole numbers": (np.round(x * 40).astype(np.int64), np.round(y * 50).astype(np.int64)),
        "binary": ((x > 0).astype(np.float64), (y > 0.2).astype(np.float64)),
        "missing": (np.where(random.random(n) < 0.2, np.nan, x), np.where(random.random(m) < 0.5, np.nan, y)),
        "outlier": (x, np.append(y, 1e9)),
        "constant": (np.full(n, 3.0), np.full(m, 3.0)),
        "constant moved": (np.full(n, 3.0), np.full(m, 4.0)),
        "nothing in common": (x, y + 100),
        "categories": (random.choice(list("abcdefgh"), n), random.choice(list("bcdefghz"), m)),
        "rare category": (random.choice(["a", "b"], n, p=[0.999, 0.001]), random.choice(["a", "b", "c"], m)),
    }[case]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("n", "m"), [(50, 30), (1_000, 400), (60_000, 3_000)])
@pytest.mark.parametrize("case", CASES)
def test_every_figure_is_evidentlys(case: str, n: int, m: int, theirs: dict[str, Callable[..., Any]]) -> None:
    from evidently.legacy.core import ColumnType

    before, after = columns(case, n, m)
    kind, their_kind = "numeric", ColumnType.Numerical
    if before.dtype.kind == "U":
        kind, their_kind = "categorical", ColumnType.Categorical
    for name, test in theirs.items():
        if kind in method(name).kinds:
            sides = (pd.Series(each).dropna() for each in (before, after))  # as its report hands them over
            expected = float(test(*sides, their_kind, 0.1)[0])
            ours = (column_profile(pl.Series(each), kind=kind) for each in (before, after))  # type: ignore[arg-type]
            found = method(name).measure(*ours)
            figure = found.p_value if name in P_VALUES else found.statistic
            assert figure == pytest.approx(expected, rel=SAME, abs=SAME), name


@pytest.mark.filterwarnings("ignore")
def test_evidentlys_chi_squared_takes_the_reference_for_the_truth_and_ours_does_not() -> None:
    """Theirs is a test of one sample; of our counts it comes out the same, and with a long reference so does ours."""
    from evidently.legacy.calculations.stattests.chisquare_stattest import _chi_stat_test
    from evidently.legacy.core import ColumnType
    from scipy import stats

    random = np.random.default_rng(4)
    before, after = random.choice(list("abcd"), 2_000_000), random.choice(list("abcd"), 400, p=[0.3, 0.25, 0.25, 0.2])
    expected = _chi_stat_test(pd.Series(before), pd.Series(after), ColumnType.Categorical, 0.05)[0]
    ours = [column_profile(pl.Series(each), kind="categorical") for each in (before, after)]
    counts = ours[0].own_counts[:4], ours[0].counts(ours[1])[:4]
    by_counts = stats.chisquare(counts[1], counts[0] / counts[0].sum() * counts[1].sum()).pvalue
    assert by_counts == pytest.approx(expected, abs=SAME)
    assert method("chi_squared").measure(*ours).p_value == pytest.approx(expected, rel=2e-3)
