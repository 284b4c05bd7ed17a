"""How large a difference is too large: three kinds of threshold behind one question.

``constant``: the same bands for every column, whatever the batch size; customary, and noisy on small batches.
``reference_spread``: mean plus so many standard deviations over the reference's own chunks.
``calibrated``: at most one false alarm in so many days over all columns and methods together, and every limit follows
from that; what cannot be judged at this rate is said to be so instead of being guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from driftbook.config.policy import Band, CalibratedThreshold, ConstantThreshold, DriftPolicy, ReferenceSpread
from driftbook.drift.calibration import FEWEST_ROWS, Basis, Calibration, Pair, calibrate
from driftbook.drift.contract import Measure
from driftbook.drift.methods import method
from driftbook.drift.profile import ColumnProfile, Profile
from driftbook.errors import ConfigError

BandName = Literal["stable", "moderate", "drifted", "cannot_tell"]
BLIND = "the batches of the reference differ so much from each other that no change could be told from that"
MODERATE_FACTOR = 10.0  # a calibrated statistic is moderate where it would alarm at ten times the budgeted rate


@dataclass(frozen=True)
class Limit:
    """Limits for one column of one batch by one method: above ``warning`` moderate, above ``critical`` drifted.

    On a p-value below them. ``critical`` None: cannot tell, and ``note`` says why.

    Examples
    --------
    >>> limit = Limit(on="statistic", warning=0.1, critical=0.25)
    >>> limit.band(Measure(statistic=0.2, p_value=None, drift_score=0.18))
    'moderate'
    """

    on: Literal["statistic", "drift_score", "p_value"]
    warning: float | None
    critical: float | None
    note: str | None = None

    def band(self, measure: Measure) -> BandName:
        """Where a measure lies."""
        value: float | None = getattr(measure, self.on)
        if value is None or self.critical is None or self.warning is None:
            return "cannot_tell"
        sign = -1 if self.on == "p_value" else 1
        if sign * value > sign * self.critical:
            return "drifted"
        return "moderate" if sign * value > sign * self.warning else "stable"


class Limits(Protocol):
    """Gives the limit for a column, a method and a batch."""

    def limit(self, pair: Pair, reference: ColumnProfile, current: ColumnProfile) -> Limit:
        """The limit of ``pair`` (column, method) for this batch."""
        ...


@dataclass(frozen=True)
class ConstantLimits:
    """The policy's bands."""

    bands: Mapping[str, Band]

    def limit(self, pair: Pair, reference: ColumnProfile, current: ColumnProfile) -> Limit:
        """See :class:`Limits`."""
        band = self.bands.get(pair[1], self.bands.get("default"))
        if band is None:
            raise ConfigError(f"the policy has no band for method {pair[1]!r}; give it one, or one named default")
        if band.on == "p_value" and not method(pair[1]).has_p_value:
            raise ConfigError(f"method {pair[1]!r} has no p-value; put its band on statistic or drift_score")
        return Limit(on=band.on, warning=band.warning, critical=band.critical)


@dataclass(frozen=True)
class SpreadLimits:
    """Mean plus so many standard deviations of the statistic over the reference's chunks."""

    basis: Basis
    standard_deviations: float

    def limit(self, pair: Pair, reference: ColumnProfile, current: ColumnProfile) -> Limit:
        """See :class:`Limits`."""
        weight = _weight(pair, reference, current)
        amounts = self.basis.amounts.get(pair, np.empty(0))
        statistics = [method(pair[1]).statistic_at(each, weight=weight) for each in amounts[np.isfinite(amounts)]]
        if len(statistics) < 2:
            return Limit(on="statistic", warning=None, critical=None, note=_too_little(self.basis))
        mean, spread = float(np.mean(statistics)), float(np.std(statistics))
        return Limit(
            on="statistic",
            warning=mean + spread * max(self.standard_deviations - 1, 0),
            critical=mean + spread * self.standard_deviations,
        )


@dataclass(frozen=True)
class CalibratedLimits:
    """Limits from the null distribution of the largest statistic; see ``drift.calibration``."""

    basis: Basis
    calibration: Calibration
    warning: Mapping[Pair, float]
    critical: Mapping[Pair, float]

    def limit(self, pair: Pair, reference: ColumnProfile, current: ColumnProfile) -> Limit:
        """See :class:`Limits`."""
        if pair not in self.critical:
            return Limit(on="statistic", warning=None, critical=None, note=_too_little(self.basis))
        weight = _weight(pair, reference, current)
        # a larger batch is judged as if it had the chunks' size: how days differ is known at that size only
        judged = _weight(pair, reference, current, most_rows=self.basis.chunk_rows)
        chosen = method(pair[1])
        warning, critical = (
            chosen.statistic_at(limits[pair] * weight / judged, weight=weight)
            for limits in (self.warning, self.critical)
        )
        if critical >= chosen.largest(*chosen.sizes(reference, current)):
            return Limit(on="statistic", warning=None, critical=None, note=BLIND)
        return Limit(on="statistic", warning=warning, critical=critical)


def limits_of(
    policy: DriftPolicy, *, profile: Profile, basis: Basis, batches_per_day: int, silent: frozenset[str] = frozenset()
) -> Limits:
    """The policy's threshold, ready for this reference.

    Parameters
    ----------
    profile, basis
        Of the reference.
    batches_per_day
        How often the budget is drawn on.
    silent
        Columns that never raise an alarm themselves (the target): they get limits but use up no budget.
    """
    threshold = policy.threshold
    if isinstance(threshold, ConstantThreshold):
        return ConstantLimits(threshold.bands)
    if isinstance(threshold, ReferenceSpread):
        return SpreadLimits(basis, threshold.standard_deviations)
    return _calibrated(policy, threshold, profile=profile, basis=basis, batches_per_day=batches_per_day, silent=silent)


def too_few_rows(rows: int) -> str | None:
    """Why a batch of so many rows is not judged, or None.

    Examples
    --------
    >>> too_few_rows(3)
    'the batch has 3 rows; at least 20 are needed'
    """
    return None if rows >= FEWEST_ROWS else f"the batch has {rows} rows; at least {FEWEST_ROWS} are needed"


def _calibrated(
    policy: DriftPolicy,
    threshold: CalibratedThreshold,
    *,
    profile: Profile,
    basis: Basis,
    batches_per_day: int,
    silent: frozenset[str],
) -> CalibratedLimits:
    names = {"numeric": policy.numeric, "categorical": policy.categorical}
    pairs = [(column, each) for column, found in profile.items() for each in names[found.kind]]
    laws = {pair: method(pair[1]).law(profile[pair[0]]) for pair in pairs}
    amounts = {pair: basis.amounts[pair] for pair in pairs if pair in basis.amounts}
    calibration = calibrate(amounts, laws, silent=silent)
    rate = 1 / (threshold.days_per_false_alarm * batches_per_day)
    warning, critical = (calibration.amounts(each) for each in (min(MODERATE_FACTOR * rate, 0.5), min(rate, 0.5)))
    return CalibratedLimits(basis, calibration, warning, critical)


def _weight(pair: Pair, reference: ColumnProfile, current: ColumnProfile, *, most_rows: int | None = None) -> float:
    n, m = method(pair[1]).sizes(reference, current)
    m = min(m, most_rows or m)
    return n * m / (n + m)


def _too_little(basis: Basis) -> str:
    if basis.origin == "none" and basis.note:
        return basis.note
    return "too few parts of the reference hold values of this column to learn what chance does"
