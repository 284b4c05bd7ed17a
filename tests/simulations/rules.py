"""One month of a dashboard under our policy and under the customary rules, from the same measurements.

The rules of others: Evidently 0.7 (a reference of more than 1,000 rows: Wasserstein in standard deviations, or
Jensen–Shannon of categories, from 0.1; dataset drift from half of the columns), NannyML (Jensen–Shannon beyond mean +
3 standard deviations of the reference's chunks, any column), the Kolmogorov–Smirnov or chi-squared test at .05
(any column, and with Bonferroni's correction), and PSI above 0.25 (any column).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from driftbook.config.policy import DriftPolicy
from driftbook.drift.accumulation import accumulate
from driftbook.drift.batches import Batches, Pairing
from driftbook.drift.engine import Reference
from driftbook.drift.methods import method
from driftbook.drift.null_laws import ChiSquare
from driftbook.drift.p_values import asymptotic_ks_p_values
from driftbook.drift.thresholds import CalibratedLimits, limits_of

SHARES = ("missing_share",)
NUMERIC = ("kolmogorov_smirnov", "psi", *SHARES, "out_of_range_share")
CATEGORICAL = ("psi", *SHARES, "unseen_share")
BATCH, EVIDENCE, BOTH = "driftbook, each batch", "driftbook, evidence", "driftbook"
OTHERS = (
    "Evidently: half of the columns",
    "Evidently: any column",
    "NannyML: any column",
    "KS p < .05: any column",
    "KS p < .05, Bonferroni",
    "PSI > .25: any column",
)


def policy(days: float) -> DriftPolicy:
    threshold = {"kind": "calibrated", "days_per_false_alarm": days}
    return DriftPolicy.model_validate({"numeric": NUMERIC, "categorical": CATEGORICAL, "threshold": threshold})


@dataclass(frozen=True)
class Rules:
    """Limits of all rules, learned from one reference."""

    reference: Reference
    days: float
    per_day: int
    family: int  # columns that Bonferroni counts

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", self._limits(policy(self.days)))
        spread = {"numeric": ["jensen_shannon"], "categorical": ["jensen_shannon"]}
        spread["threshold"] = {"kind": "reference_spread", "standard_deviations": 3.0}
        object.__setattr__(self, "spread", self._limits(DriftPolicy.model_validate(spread)))

    def alarms(self, columns: Iterable[tuple[str, Batches]]) -> dict[str, np.ndarray]:
        """Alarmed batches by rule, from the columns of a stream one after another; those not given are quiet."""
        amounts, verdicts = {}, []
        for name, batches in columns:
            pair = Pairing(self.reference.profile[name], batches)
            with np.errstate(all="ignore"):
                ours, own = self._ours(name, pair)
                verdicts.append({BATCH: ours, **self._others(name, pair)})
            amounts |= own
        found = {rule: np.any([each[rule] for each in verdicts], axis=0) for rule in (BATCH, *OTHERS[1:])}
        found[OTHERS[0]] = np.sum([each[OTHERS[1]] for each in verdicts], axis=0) >= self.family / 2
        known = {pair: self.reference.basis.amounts[pair] for pair in self.limits.critical}
        unknown = np.full(
            found[BATCH].size, np.nan
        )  # a quiet column's evidence grows by 1 a step, as it does on average
        amounts = {pair: amounts.get(pair, unknown) for pair in known}
        rate, together = self.limits.accumulation_rate, self.limits.batches_per_step(self.per_day)
        found[EVIDENCE] = accumulate(amounts, known, rate=rate, batches_per_step=together).alarmed
        found[BOTH] = found[BATCH] | found[EVIDENCE]
        return found

    def _ours(self, name: str, pair: Pairing) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
        alarmed, amounts = np.zeros(len(pair.batches), dtype=bool), {}
        for by in NUMERIC if pair.reference.kind == "numeric" else CATEGORICAL:
            statistics, scale = method(by).statistics(pair), method(by).scale(pair)
            alarmed |= self.limits.limit((name, by), scale).bands(statistics) == 2
            amounts[name, by] = self.limits.amounts((name, by), statistics, scale)
        return alarmed, amounts

    def _others(self, name: str, pair: Pairing) -> dict[str, np.ndarray]:
        numeric = pair.reference.kind == "numeric"
        distances = method("jensen_shannon").statistics(pair)
        scale = method("jensen_shannon").scale(pair)
        evidently = method("wasserstein" if numeric else "jensen_shannon_evidently").statistics(pair)
        tested = method("kolmogorov_smirnov" if numeric else "chi_squared").statistics(pair)
        values = (
            evidently >= 0.1,
            self.spread.limit((name, "jensen_shannon"), scale).bands(distances) == 2,
            *(tested > significant(pair, level) for level in (0.05, 0.05 / self.family)),
            method("psi").statistics(pair) > 0.25,
        )
        return dict(zip(OTHERS[1:], values, strict=True))

    def _limits(self, drift: DriftPolicy) -> CalibratedLimits:
        profile, basis = self.reference.profile, self.reference.basis
        return limits_of(drift, profile=profile, basis=basis, batches_per_day=self.per_day)


def significant(pair: Pairing, level: float) -> np.ndarray:
    """The statistic above which a test rejects, by batch."""
    if pair.reference.kind == "categorical":
        degrees = int((pair.reference.own_counts > 0).sum()) - 1
        return np.full(len(pair.batches), ChiSquare(degrees).amount_at(-np.log(level)))
    sizes, place = np.unique(pair.batches.finite, return_inverse=True)
    return np.array([ks_limit(pair.reference.finite, int(size), level) for size in sizes])[place]


@lru_cache(maxsize=10_000)
def ks_limit(n: int, m: int, level: float) -> float:
    """The distance whose p-value is ``level``."""
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        rejects = asymptotic_ks_p_values(np.array([middle]), n, np.array([m]))[0] < level
        low, high = (low, middle) if rejects else (middle, high)
    return high
