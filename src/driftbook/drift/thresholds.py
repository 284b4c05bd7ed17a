"""How large a difference is too large: three kinds of threshold behind one question.

``constant``: the same bands for every column, whatever the batch size; customary, and noisy on small batches.
``reference_spread``: mean plus so many standard deviations over the reference's own chunks.
``calibrated``: at most one false alarm in so many days over all columns and methods together, and every limit follows
from that; what cannot be judged at this rate is said to be so instead of being guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from driftbook.config.policy import Band, CalibratedThreshold, ConstantThreshold, DriftPolicy, ReferenceSpread
from driftbook.drift.calibration import Basis, Calibration, Pair, calibrate
from driftbook.drift.contract import Limited, Scale
from driftbook.drift.joint import ALL_COLUMNS, DEVIATION, joint_method
from driftbook.drift.methods import method
from driftbook.drift.null_laws import NullLaw
from driftbook.drift.profile import Floats, Integers, Profile
from driftbook.errors import ConfigError

On = Literal["statistic", "drift_score", "p_value"]
BANDS = ("stable", "moderate", "drifted", "cannot_tell")
BLIND = "the batches of the reference differ so much from each other that no change could be told from that"
ACCUMULATED_SHARE = 0.25  # of the budget; each batch by itself uses ``calibration.USED_SHARE``
ACCUMULATED = "e_cusum"  # evidence over batches; its limit follows from the budget alone
MODERATE_FACTOR = 10.0  # a calibrated statistic is moderate where it would alarm at ten times the budgeted rate
CHUNKS = {"batches": "batches", "random_rows": "random samples"}


@dataclass(frozen=True, eq=False)
class Limit:
    """Limits of one column by one method, per batch: above ``warning`` moderate, above ``critical`` drifted.

    On a p-value below them. ``critical`` NaN: cannot tell, and ``note`` says why. ``origin`` says where they come from.

    Examples
    --------
    >>> limit = Limit(on="statistic", warning=np.array([0.1]), critical=np.array([0.25]))
    >>> limit.bands(np.array([0.2])).tolist()
    [1]
    """

    on: On
    warning: Floats
    critical: Floats
    note: str | None = None
    origin: str = ""

    def bands(self, values: Floats) -> Integers:
        """Where values lie: places in :data:`BANDS`."""
        sign = -1 if self.on == "p_value" else 1
        judged = np.isfinite(values) & ~np.isnan(self.critical)
        above = (sign * values > sign * self.warning).astype(np.int64) + (sign * values > sign * self.critical)
        return np.where(judged, above, 3)


class Limits(Protocol):
    """Gives the limits of a column by a method."""

    def limit(self, pair: Pair, scale: Scale) -> Limit:
        """The limits of ``pair`` (column, method) for batches of these sizes."""
        ...

    def chance(self, pair: Pair, statistics: Floats, scale: Scale) -> Floats:
        """Probability of so surprising a value anywhere in a batch without drift; NaN where nobody knows."""
        ...


class _WithoutChance:
    def chance(self, pair: Pair, statistics: Floats, scale: Scale) -> Floats:
        """See :class:`Limits`."""
        return np.full(statistics.size, np.nan)


@dataclass(frozen=True)
class ConstantLimits(_WithoutChance):
    """The policy's bands."""

    bands: Mapping[str, Band]

    def limit(self, pair: Pair, scale: Scale) -> Limit:
        """See :class:`Limits`."""
        band = self.bands.get(pair[1], self.bands.get("default"))
        if band is None:
            raise ConfigError(f"the policy has no band for method {pair[1]!r}; give it one, or one named default")
        if band.on == "p_value" and not _limited(pair).has_p_value:
            raise ConfigError(f"method {pair[1]!r} has no p-value; put its band on statistic or drift_score")
        warning, critical = (np.full(scale.m.size, each) for each in (band.warning, band.critical))
        return Limit(band.on, warning, critical, origin="fixed by the policy")


@dataclass(frozen=True)
class SpreadLimits(_WithoutChance):
    """Mean plus so many standard deviations of the statistic over the reference's chunks."""

    basis: Basis
    standard_deviations: float

    def limit(self, pair: Pair, scale: Scale) -> Limit:
        """See :class:`Limits`."""
        amounts = self.basis.amounts.get(pair, np.empty(0))
        amounts = amounts[np.isfinite(amounts)]
        if amounts.size < 2:
            return cannot_tell(scale, _too_little(self.basis))
        statistics = _limited(pair).statistics_at(amounts[:, None], scale)
        mean, spread = statistics.mean(axis=0), statistics.std(axis=0)
        warning = mean + spread * max(self.standard_deviations - 1, 0)
        chunks = f"{amounts.size} {CHUNKS.get(self.basis.origin, '')} of the reference"
        origin = f"mean + {self.standard_deviations:g} standard deviations over {chunks}"
        return Limit("statistic", warning, mean + spread * self.standard_deviations, origin=origin)


@dataclass(frozen=True)
class CalibratedLimits:
    """Limits from the null distribution of the largest statistic; see ``drift.calibration``."""

    basis: Basis
    calibration: Calibration
    warning: Mapping[Pair, float]
    critical: Mapping[Pair, float]
    origin: str
    rate: float = math.nan  # the whole budget, in false alarms per batch

    @property
    def accumulation_rate(self) -> float:
        """The part of the budget, per batch, that evidence accumulated over batches may use."""
        return self.rate * ACCUMULATED_SHARE

    def batches_per_step(self, batches_per_day: int) -> int:
        """Batches that may depend on each other: those of a day, or of more days where the reference's days wander."""
        wandering = self.calibration.chunks / max(self.calibration.independent_chunks, 1)
        return batches_per_day * max(round(wandering), 1)

    def limit(self, pair: Pair, scale: Scale) -> Limit:
        """See :class:`Limits`."""
        if pair not in self.critical:
            return cannot_tell(scale, _too_little(self.basis))
        chosen, tolerance = _limited(pair), self._tolerance(scale)
        warning, critical = (
            chosen.statistics_at(limits[pair] * tolerance, scale) for limits in (self.warning, self.critical)
        )
        blind = critical >= chosen.largest(scale)
        note = BLIND if blind.any() else None
        return Limit("statistic", warning, np.where(blind, np.nan, critical), note, self.origin)

    def chance(self, pair: Pair, statistics: Floats, scale: Scale) -> Floats:
        """See :class:`Limits`."""
        return self.calibration.chance(self.surprise(pair, statistics, scale))

    def surprise(self, pair: Pair, statistics: Floats, scale: Scale) -> Floats:
        """Minus the logarithm of the probability of so large a statistic in this column by this method."""
        if pair not in self.critical:
            return np.full(statistics.size, np.nan)
        amounts = self.amounts(pair, statistics, scale)
        return self.calibration.laws[pair].surprise(amounts / self.calibration.dispersion[pair])

    def amounts(self, pair: Pair, statistics: Floats, scale: Scale) -> Floats:
        """Statistics on one scale with the amounts of the reference's chunks, whatever the sizes of the batches."""
        return _limited(pair).amounts(statistics, scale) / self._tolerance(scale)

    def _tolerance(self, scale: Scale) -> Floats:
        """A larger batch is judged as if it had the chunks' size: how days differ is known at that size only."""
        tolerance: Floats = scale.weight() / scale.weight(most_rows=self.basis.chunk_rows)
        return tolerance


def cannot_tell(scale: Scale, note: str) -> Limit:
    """No limit, and why."""
    nothing = np.full(scale.m.size, np.nan)
    return Limit("statistic", nothing, nothing, note)


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
    names = {"numeric": policy.numeric, "categorical": policy.categorical}
    pairs = [(column, each) for column, found in profile.items() for each in names[found.kind]]
    laws = {pair: method(pair[1]).law(profile[pair[0]]) for pair in pairs}
    laws |= {(ALL_COLUMNS, each): joint_method(each).law() for each in policy.table if each != ACCUMULATED}
    return limits_from_laws(policy, laws=laws, basis=basis, batches_per_day=batches_per_day, silent=silent)


def limits_from_laws(
    policy: DriftPolicy,
    *,
    laws: Mapping[Pair, NullLaw],
    basis: Basis,
    batches_per_day: float,
    silent: frozenset[str] = frozenset(),
) -> Limits:
    """The same where the profiles are no longer at hand: ``laws`` names each column and method with its law."""
    threshold = policy.threshold
    if isinstance(threshold, ConstantThreshold):
        return ConstantLimits(threshold.bands)
    if isinstance(threshold, ReferenceSpread):
        return SpreadLimits(basis, threshold.standard_deviations)
    return _calibrated(threshold, laws=laws, basis=basis, batches_per_day=batches_per_day, silent=silent)


def _calibrated(
    threshold: CalibratedThreshold,
    *,
    laws: Mapping[Pair, NullLaw],
    basis: Basis,
    batches_per_day: float,
    silent: frozenset[str],
) -> CalibratedLimits:
    amounts = {pair: basis.amounts[pair] for pair in laws if pair in basis.amounts}
    calibration = calibrate(amounts, laws, silent=silent)
    rate = 1 / (threshold.days_per_false_alarm * batches_per_day)
    warning, critical = (calibration.amounts(each) for each in (min(MODERATE_FACTOR * rate, 0.5), min(rate, 0.5)))
    chunks = f"{calibration.chunks} {CHUNKS.get(basis.origin, 'parts')} of the reference"
    origin = f"1 false alarm in {threshold.days_per_false_alarm:g} days, learned from {chunks}"
    return CalibratedLimits(basis, calibration, warning, critical, origin, rate)


def _limited(pair: Pair) -> Limited:
    return DEVIATION if pair[0] == ALL_COLUMNS else method(pair[1])


def _too_little(basis: Basis) -> str:
    if basis.origin == "none" and basis.note:
        return basis.note
    return "too few parts of the reference hold values of this column to learn what chance does"
