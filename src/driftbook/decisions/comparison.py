"""Champion and challenger on the same rows: sums per day, enough to decide on and small enough to keep.

Both models score every row after the challenger's training, so each row compares them, and a handful of sums a day
holds all that the decision needs. Days are those on which targets became *known*: such a day never changes
afterwards, while a day of events goes on changing as late targets arrive. Evidence as of an earlier day is therefore
a prefix (:meth:`PromotionEvidence.until`), and a replay needs no rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import polars as pl

from driftbook.decisions.costs import Costs, largest_cost
from driftbook.decisions.design_effect import EventDays, PairedSums, effective_sums
from driftbook.decisions.guarded_sums import SEGMENT, Gaps, Segments, SegmentSums, gaps_by_day, segments_by_day
from driftbook.decisions.late_targets import Lying, event_days, lying_by_day
from driftbook.decisions.outcomes import LOG_LOSS_LIMIT, Contender, check_unique, row_outcomes
from driftbook.errors import StateError
from driftbook.storage import canonical_json

__all__ = ["SCALE", "Contender", "LabelledDay", "Metric", "PromotionEvidence", "compare_models"]
Metric = Literal["accuracy", "brier", "log_loss", "cost"]
# differences are scaled to [-1, 1] for the e-process; costs by the largest one
SCALE: dict[str, float] = {"accuracy": 1.0, "brier": 1.0, "log_loss": LOG_LOSS_LIMIT}


@dataclass(frozen=True)
class LabelledDay:
    """Sums over the rows whose targets became known on one day.

    ``wins``: rows only the challenger got right; ``losses``: rows only the champion did. ``brier`` is half the
    squared distance of the probabilities from the truth (0 to 1; for two classes the usual Brier score),
    ``log_loss`` is capped (``decisions.outcomes``); ``cost`` is what the use case declares; ``…_squares`` sum the
    squared differences of the two models. ``segments`` (column, value) and ``…_gaps`` (bins of the calibration curve)
    are what the guardrails are judged by, see ``decisions.guarded_sums``; ``lying`` says how all rows known by then lie
    on days of events, where targets come late (``decisions.late_targets``).
    """

    known_on: date
    batch_id: str
    rows: int
    champion_correct: int
    challenger_correct: int
    wins: int
    losses: int
    champion_brier: float = 0.0
    challenger_brier: float = 0.0
    brier_squares: float = 0.0
    champion_log_loss: float = 0.0
    challenger_log_loss: float = 0.0
    log_loss_squares: float = 0.0
    champion_cost: float = 0.0
    challenger_cost: float = 0.0
    cost_squares: float = 0.0
    champion_gaps: Gaps = field(default_factory=dict)
    challenger_gaps: Gaps = field(default_factory=dict)
    segments: Segments = field(default_factory=dict)
    lying: Lying = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a record holds it; what came later than the first records is left out where there is none of it."""
        content: dict[str, Any] = json.loads(canonical_json(asdict(self)))
        return {name: value for name, value in content.items() if value or name not in _LATER}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> LabelledDay:
        """The day that :meth:`to_json` wrote."""
        segments = {
            column: {value: SegmentSums(*sums) for value, sums in values.items()}
            for column, values in content.get("segments", {}).items()
        }
        return cls(**{**content, "known_on": date.fromisoformat(content["known_on"]), "segments": segments})


@dataclass(frozen=True)
class PromotionEvidence:
    """What is known about champion and challenger, day by day in the order targets became known.

    Examples
    --------
    >>> day = LabelledDay(date(2026, 6, 12), "2026-06-09", 2400, 1900, 1990, 120, 30)
    >>> evidence = PromotionEvidence(champion=1, challenger=2, trained_until=datetime(2026, 6, 5), days=(day,))
    >>> evidence.until(date(2026, 6, 11)).days
    ()
    >>> PromotionEvidence.from_json(evidence.to_json()) == evidence
    True
    """

    champion: int
    challenger: int
    trained_until: datetime
    days: tuple[LabelledDay, ...] = ()
    # of the use case's costs, None where it declares none
    largest_cost: float | None = None
    # of the challenger's files that a service loads; None: not known
    size_mb: float | None = None
    # whether the challenger scores a row within the limit of its time; the time itself is no two times the same
    within_latency: bool | None = None
    latency_limit_ms: float | None = None

    def until(self, as_of: date) -> PromotionEvidence:
        """What was known at the end of ``as_of``."""
        return replace(self, days=tuple(day for day in self.days if day.known_on <= as_of))

    @property
    def is_guarded(self) -> bool:
        """Whether anything is known that a guardrail could be judged by; nothing is in the first records."""
        told = (self.size_mb, self.within_latency)
        return any(each is not None for each in told) or any(day.champion_gaps or day.segments for day in self.days)

    def scale(self, metric: Metric) -> float:
        """The largest difference of a row: what differences are divided by.

        Raises
        ------
        StateError
            If costs are asked for and none were declared when the evidence was taken.
        """
        if metric != "cost":
            return SCALE[metric]
        if not self.largest_cost:
            raise StateError(
                "expected the costs of predictions in the evidence, found none: the use case declared no costs then; "
                "decide by another metric"
            )
        return self.largest_cost

    def sums(self, metric: Metric) -> PairedSums:
        """The paired differences of a metric, better is positive, scaled to [-1, 1] by :meth:`scale`."""
        column = {name: np.array([getattr(day, name) for day in self.days], dtype=np.float64) for name in _NUMBERS}
        rows = column["rows"]
        if metric == "accuracy":
            wins, losses = column["wins"], column["losses"]
            return PairedSums(rows, wins - losses, wins + losses, is_sign=True)
        scale = self.scale(metric)
        total = (column[f"champion_{metric}"] - column[f"challenger_{metric}"]) / scale
        return PairedSums(rows, total, column[f"{metric}_squares"] / scale**2, is_sign=False)

    def effective(self, metric: Metric) -> PairedSums:
        """Cumulative sums after each day, as worth as many independent rows: what the e-process is asked with."""
        return effective_sums(self.sums(metric), self.event_days(metric))

    def event_days(self, metric: Metric) -> EventDays:
        """How the rows known by each day lie on the days on which they happened."""
        lying = [day.lying for day in self.days]
        return event_days(lying, self.sums(metric), metric=metric, scale=self.scale(metric))

    def to_json(self) -> dict[str, Any]:
        """As a record holds it: dates as text, numbers to 12 digits."""
        head: dict[str, Any] = json.loads(canonical_json(asdict(replace(self, days=()))))
        told = {name: value for name, value in head.items() if value is not None}
        return {**told, "days": [day.to_json() for day in self.days]}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> PromotionEvidence:
        """The evidence that :meth:`to_json` wrote."""
        trained_until = datetime.fromisoformat(content["trained_until"])
        days = tuple(LabelledDay.from_json(day) for day in content["days"])
        return cls(**{**content, "trained_until": trained_until, "days": days})


_LATER = ("champion_cost", "challenger_cost", "cost_squares", "champion_gaps", "challenger_gaps", "segments", "lying")
_NUMBERS = tuple(each.name for each in fields(LabelledDay) if each.type in ("int", "float"))


def compare_models(
    champion: Contender,
    challenger: Contender,
    targets: pl.DataFrame,
    *,
    trained_until: datetime,
    segments: pl.DataFrame | None = None,
    costs: Costs | None = None,
) -> PromotionEvidence:
    """Sum up, per day on which targets became known, how the two did on the rows both scored.

    Parameters
    ----------
    champion, challenger
        Who scored what; rows of other versions are ignored.
    targets
        ``row_id, batch_id, known_time, target``; only what is known may be given. Null targets are not known.
    trained_until
        Rows up to this event time trained the challenger and are left out.
    segments
        ``row_id`` and the columns whose values are compared each for itself; a row that is not there counts as
        missing.
    costs
        By actual, then by predicted class; without them the evidence cannot be judged by cost.

    Raises
    ------
    DataError
        If a row was scored twice by one version, or has two targets.
    """
    known = targets.filter(pl.col("target").is_not_null()).select("row_id", "batch_id", "known_time", "target")
    check_unique(known, "targets")
    first, second = (
        row_outcomes(model, known, trained_until=trained_until, costs=costs or {}) for model in (champion, challenger)
    )
    shared = ("row_id", "batch_id", "known_on")
    both = first.rename(lambda name: name if name in shared else f"champion_{name}").join(
        second.drop("batch_id", "known_on").rename(lambda name: name if name in shared else f"challenger_{name}"),
        on="row_id",
        how="inner",
    )
    columns: list[str] = []
    if segments is not None:
        check_unique(segments, "segments")
        columns = [name for name in segments.columns if name != "row_id"]
        named = segments.select("row_id", *(pl.col(name).alias(SEGMENT + name) for name in columns))
        both = both.join(named, on="row_id", how="left")
    # sorted by row: the order of a sum must not decide its last digit
    days = _labelled_days(both.sort("row_id"), columns)
    return PromotionEvidence(champion.version, challenger.version, trained_until, days, largest_cost(costs or {}))


def _labelled_days(both: pl.DataFrame, columns: Sequence[str]) -> tuple[LabelledDay, ...]:
    segments = segments_by_day(both, columns)
    gaps = {model: gaps_by_day(both, model) for model in ("champion", "challenger")}
    lying = lying_by_day(both)
    return tuple(
        LabelledDay(
            **row,
            champion_gaps=gaps["champion"][row["known_on"]],
            challenger_gaps=gaps["challenger"][row["known_on"]],
            segments=segments.get(row["known_on"], {}),
            lying=lying[row["known_on"]],
        )
        for row in _sum_days(both).iter_rows(named=True)
    )


def _sum_days(both: pl.DataFrame) -> pl.DataFrame:
    champion, challenger = pl.col("champion_correct"), pl.col("challenger_correct")
    metrics = ("correct", "brier", "log_loss", "cost")
    sums = [f"{model}_{name}" for model in ("champion", "challenger") for name in metrics]
    squares = [
        ((pl.col(f"champion_{name}") - pl.col(f"challenger_{name}")) ** 2).sum().alias(f"{name}_squares")
        for name in metrics[1:]
    ]
    return (
        both.group_by("known_on", maintain_order=True)
        .agg(
            pl.col("batch_id").max(),
            pl.len().alias("rows"),
            pl.col(sums).sum(),
            (challenger & ~champion).sum().alias("wins"),
            (champion & ~challenger).sum().alias("losses"),
            *squares,
        )
        .sort("known_on")
    )
