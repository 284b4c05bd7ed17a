"""What no single column shows: whether a classifier tells the two tables apart, and why they differ.

Both are asked of a sample of whole rows of each side. Columns that have no value in common tell the sides apart at
once (a year, a recoded category) and would drown all else, so they are left out here; a finding names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from scipy import special

from driftbook.attribution import Alarm, attribute
from driftbook.comparison.judging import BATCH, Judged
from driftbook.config import Policy
from driftbook.config.policy import CalibratedThreshold
from driftbook.drift.calibration import FEWEST_ROWS, LARGEST_SHARE
from driftbook.drift.domain import DomainResult, domain_classifier
from driftbook.drift.engine import DRIFT_SCHEMA
from driftbook.drift.joint import ALL_COLUMNS
from driftbook.drift.measuring import FAULTS
from driftbook.drift.profile import Kind

METHOD = "domain_classifier"
SHARE = 10  # a tenth of the budget is for the classifier
MODERATE = 10  # times as probable


@dataclass(frozen=True, eq=False)
class Together:
    """The rows that all columns together add to the long table (none or one), and the causes in sentences."""

    table: pl.DataFrame
    why: tuple[str, ...]


def look_together(judged: Mapping[str, Judged], *, drifted: Sequence[str], policy: Policy, seed: int) -> Together:
    """Look at all columns at once.

    Parameters
    ----------
    judged
        Every judged column, with its sample of rows.
    drifted
        Those that drifted by themselves.
    """
    names = [name for name, each in judged.items() if not each.is_apart]
    table = pl.DataFrame(schema=DRIFT_SCHEMA)
    why: tuple[str, ...] = ()
    if not names:
        return Together(table, why)
    sides = [pl.DataFrame([judged[name].sample[side].alias(name) for name in names]) for side in (0, 1)]
    kinds: dict[str, Kind] = {name: judged[name].shape.kind for name in names}
    found = _classified(sides, kinds, policy, seed=seed)
    if found is not None:
        table = _row(found, rows=sides[1].height, policy=policy)
    asked = [name for name in drifted if name in kinds]
    if asked or table["drifted"].any():
        try:
            alarm = Alarm(drifted=asked, domain=found)
            why = tuple(attribute(*sides, kinds=kinds, alarm=alarm).summary())
        except FAULTS as fault:
            why = (f"Why cannot be told: {fault}.",)
    return Together(table, why)


def _classified(
    sides: Sequence[pl.DataFrame], kinds: Mapping[str, Kind], policy: Policy, *, seed: int
) -> DomainResult | None:
    """The classifier's result; None for fixed limits, a single column or too few rows."""
    enough = sides[0].height >= FEWEST_ROWS * LARGEST_SHARE and sides[1].height >= FEWEST_ROWS
    if not isinstance(policy.drift.threshold, CalibratedThreshold) or len(kinds) < 2 or not enough:
        return None
    numeric, categorical = ([name for name in kinds if kinds[name] == kind] for kind in ("numeric", "categorical"))
    try:
        return domain_classifier(sides[0], sides[1], numeric=numeric, categorical=categorical, seed=seed)
    except FAULTS:
        return None


def _row(found: DomainResult, *, rows: int, policy: Policy) -> pl.DataFrame:
    threshold = policy.drift.threshold
    budget = threshold.days_per_false_alarm if isinstance(threshold, CalibratedThreshold) else 1.0
    rate = 1 / (SHARE * budget)
    warning, critical = (0.5 - found.standard_error * float(special.ndtri(each)) for each in (MODERATE * rate, rate))
    band = "drifted" if found.auc > critical else "moderate" if found.auc > warning else "stable"
    record = {
        "batch_id": BATCH,
        "column": ALL_COLUMNS,
        "kind": "table",
        "role": "table",
        "method": METHOD,
        "rows": rows,
        "statistic": found.auc,
        "p_value": found.p_value,
        "drift_score": found.drift_score,
        "threshold": critical,
        "on": "statistic",
        "band": band,
        "drifted": band == "drifted",
        "matters": True,
        "chance": min(SHARE * found.p_value, 1.0),
        "origin": f"1 false alarm in {SHARE * budget:g} comparisons",
    }
    return pl.DataFrame([{name: record.get(name) for name in DRIFT_SCHEMA}], schema=DRIFT_SCHEMA)
