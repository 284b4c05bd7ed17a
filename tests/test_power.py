from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from driftbook.config import Policy, UseCase, load_policy
from driftbook.drift.engine import Reference, analyse_drift, build_reference
from driftbook.drift.power import GRID, POWER_SCHEMA, power, power_summary, smallest_seen
from driftbook.errors import DriftError

DAYS, ROWS = 30, 400
TOLERANCE = 0.12  # four standard errors of the difference of two shares of 400 and 100 trials, at worst
STREAM = 400
LUCK = 0.03  # by which two shares of 100 trials that share most of their rows may be out of order


def columns(days: int, *, seed: int, shift: float = 0.0, gain: float = 0.0, gone: float = 0.0) -> pl.DataFrame:
    """A normal column, a count and a category; from one place for reference and stream."""
    random = np.random.default_rng(seed)
    rows = days * ROWS
    fee = random.normal(size=rows) + shift
    fee[random.random(rows) < 0.02 + gone] = np.nan
    shares = np.array([0.5 + gain, 0.3 * (1 - 2 * gain), 0.2 * (1 - 2 * gain)])
    plan = pl.Series(["a", "b", "c"]).gather(random.choice(3, size=rows, p=shares))
    calls = random.poisson(3, size=rows)
    days_of = pl.Series("batch_id", np.repeat(np.arange(days), ROWS)).cast(pl.String).str.zfill(4)
    return pl.DataFrame({"fee": fee, "calls": calls, "plan": plan, "batch_id": days_of})


@pytest.fixture(scope="module")
def policy() -> Policy:
    found = load_policy("calibrated")
    methods = {"numeric": ("kolmogorov_smirnov", "psi"), "categorical": ("psi",), "table": ()}
    threshold = found.drift.threshold.model_copy(update={"days_per_false_alarm": 30})
    return found.model_copy(update={"drift": found.drift.model_copy(update={**methods, "threshold": threshold})})


@pytest.fixture(scope="module")
def reference() -> Reference:
    content = {
        "name": "world", "title": "World", "task": "binary", "batch": {"rows": ROWS},
        "columns": {
            "target": "y", "positive_class": "1", "numeric": ["fee", "calls"], "categorical": ["plan"],
        },
        "source": {"kind": "files", "path": "world.csv"},
    }  # fmt: skip
    return build_reference(columns(DAYS, seed=1), case=UseCase.model_validate(content), seed=1)


def probability(found: pl.DataFrame, column: str, change: str) -> float:
    return float(found.row(by_predicate=(pl.col("column") == column) & (pl.col("change") == change), named=True)[
        "per_batch_probability"
    ])  # fmt: skip


CHANGES = {
    "shift": ("fee", "shift", 0.25),
    "larger shift": ("fee", "shift", 0.3),
    "gone": ("fee", "missing", 0.05),
    "gain": ("plan", "share", 0.1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_probability_is_the_share_of_really_changed_batches_that_alarm(
    reference: Reference, policy: Policy, name: str
) -> None:
    column, change, size = CHANGES[name]
    injected = {name.rsplit(maxsplit=1)[-1]: size}
    said = probability(power(reference, policy, sizes={change: size}), column, change)
    table = analyse_drift(reference, columns(STREAM, seed=2, **injected), policy=policy)
    seen = table.filter(pl.col("column") == column).group_by("batch_id").agg(pl.col("drifted").any())["drifted"].mean()
    assert said == pytest.approx(seen, abs=TOLERANCE)
    assert 0.05 < seen < 0.99


def test_within_several_days_a_change_is_seen_with_the_probability_of_any_of_them(
    reference: Reference, policy: Policy
) -> None:
    found = power(reference, policy, days=3, sizes={"shift": 0.25})
    one, three = found.select("per_batch_probability", "within_days_probability").row(0)
    assert 0 < one < three < 1
    assert three == pytest.approx(1 - (1 - one) ** 3)


def test_a_larger_change_is_seen_no_less(reference: Reference, policy: Policy) -> None:
    for column, change in (("fee", "shift"), ("calls", "shift"), ("plan", "share"), ("fee", "missing")):
        sizes = GRID[change][2:8]
        found = [probability(power(reference, policy, sizes={change: size}), column, change) for size in sizes]
        assert (np.diff(found) >= -LUCK).all()
        assert found[-1] > 0.9


def test_the_smallest_change_seen_is_the_first_of_the_grid_that_is(reference: Reference, policy: Policy) -> None:
    for name, _, size, days, _, within in smallest_seen(reference, policy).filter(pl.col("change") == "shift").rows():
        at = GRID["shift"].index(size)
        below = power(reference, policy, days=days, sizes={"shift": GRID["shift"][at - 1]})
        assert within >= 0.95 > below.filter(pl.col("column") == name)["within_days_probability"][0]


def test_the_same_seed_gives_the_same_answer_and_the_schema_is_kept(reference: Reference, policy: Policy) -> None:
    first, second = (power(reference, policy) for _ in range(2))
    assert first.equals(second)
    assert dict(first.schema) == POWER_SCHEMA
    assert first.select("column", "change").rows() == [
        ("fee", "shift"), ("fee", "missing"), ("calls", "shift"), ("calls", "missing"),
        ("plan", "share"), ("plan", "missing"),
    ]  # fmt: skip


def test_a_budget_so_small_that_nothing_is_seen_has_no_smallest_change(reference: Reference, policy: Policy) -> None:
    bands = {"default": {"on": "statistic", "warning": 99.0, "critical": 99.0}}
    blind = policy.drift.model_validate({
        "numeric": ["psi"], "categorical": ["psi"], "threshold": {"kind": "constant", "bands": bands}
    })  # fmt: skip
    found = smallest_seen(reference, policy.model_copy(update={"drift": blind}))
    assert found["size"].null_count() == found.height
    assert found["per_batch_probability"].to_list() == [0.0] * found.height


def test_only_positive_sizes_make_sense(reference: Reference, policy: Policy) -> None:
    with pytest.raises(DriftError, match="changes of positive size"):
        power(reference, policy, sizes={"shift": 0.0})


def test_it_is_said_in_a_sentence(reference: Reference, policy: Policy) -> None:
    found = power(reference, policy, sizes={"shift": 1.0}).filter(pl.col("column") == "fee")
    assert power_summary(found) == [
        "A shift of 1 standard deviations would be seen within 3 days with probability above .99 in fee."
    ]
