"""What a decision to retrain rests on: one page of plain values, as a record holds it and reads it back.

What came later than the first records is left out where there is none of it, so that an old page reads back as it was
written, byte by byte.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from driftbook.storage import canonical_json


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval, and the rows it was measured on."""

    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Accuracy(Figure):
    """A share of right predictions with its interval.

    Examples
    --------
    >>> str(Accuracy(0.8, 0.79, 0.81, 7_200))
    '80.0 % (79.0 % to 81.0 %, 7,200 rows)'
    """

    def __str__(self) -> str:
        value, low, high = (f"{100 * each:.1f} %" for each in (self.value, self.low, self.high))
        return f"{value} ({low} to {high}, {self.rows:,} rows)"


@dataclass(frozen=True)
class Estimated(Accuracy):
    """What calibrated probabilities promise of the newest batches, of whose targets none is known yet."""

    first_batch: str
    last_batch: str


@dataclass(frozen=True)
class Withdrawn:
    """Targets contradict the probabilities since a batch: shares of right decisions ``promised`` and ``found``."""

    since: str
    known_on: str
    promised: float
    found: float
    rows: int


@dataclass(frozen=True)
class Accumulated:
    """Evidence of drift that added up over batches and passed its limit in ``batch_id``."""

    batch_id: str
    evidence: float
    limit: float


@dataclass(frozen=True)
class Request:
    """A person's order to train a challenger, given after ``day`` was judged."""

    revision: int
    day: str
    actor: str
    reason: str


@dataclass(frozen=True)
class RetrainingEvidence:
    """What was known at the end of ``as_of``.

    Parameters
    ----------
    as_of
        The day of the decision.
    champion, trained_until
        Version in place, and the last day of its training data.
    alarmed_batches, first_alarmed_batch
        Length of the run of alarmed batches that ends with the last batch of ``as_of`` (0: it did not alarm), and
        where the run began.
    drifted_importance
        The features that drifted in that run, each with its share of the champion's importance (0 to 1; None: unknown).
    prediction_drifted
        Whether the predictions themselves drifted in that run.
    realised, tested
        Accuracy on the latest known targets (None: no targets yet), and that of the champion on its test rows.
    new_labelled_rows, new_labelled_batches
        With known targets, since the drift set in; without any sign of drift, since ``trained_until``.
    days_since_challenger
        Since a challenger was last trained (None: never).
    challenger
        Version of a challenger that is already in place.
    prediction_batches, first_prediction_batch, prediction_excess
        Length of the run of batches whose predictions drifted, where it began, and the largest ratio of a statistic
        to its limit in it. None in the first records, which knew only what stands above.
    accumulated
        Evidence over batches that passed its limit since a challenger was last trained.
    estimated, withdrawn
        Accuracy promised of the newest batches without targets; or why that promise is no longer believed.
    figures
        Realised figures of the latest labelled batches, by metric.
    request
        A person's order that no training has answered yet.
    drift_since
        The first batch of what drifted, by whichever sign; None: there is no sign.

    Examples
    --------
    >>> evidence = RetrainingEvidence(as_of=date(2026, 6, 8), champion=1, trained_until=date(2026, 5, 16))
    >>> RetrainingEvidence.from_json(evidence.to_json()) == evidence
    True
    """

    as_of: date
    champion: int
    trained_until: date
    alarmed_batches: int = 0
    first_alarmed_batch: str | None = None
    drifted_importance: dict[str, float | None] = field(default_factory=dict)
    prediction_drifted: bool = False
    realised: Accuracy | None = None
    tested: Accuracy | None = None
    new_labelled_rows: int = 0
    new_labelled_batches: int = 0
    days_since_challenger: int | None = None
    challenger: int | None = None
    prediction_batches: int | None = None
    first_prediction_batch: str | None = None
    prediction_excess: float | None = None
    accumulated: Accumulated | None = None
    estimated: Estimated | None = None
    withdrawn: Withdrawn | None = None
    figures: dict[str, Figure] = field(default_factory=dict)
    request: Request | None = None
    drift_since: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a record holds it: dates as text, numbers to 12 digits."""
        content: dict[str, Any] = json.loads(canonical_json(asdict(self)))
        return {name: value for name, value in content.items() if name not in _LATER or value not in (None, {})}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> RetrainingEvidence:
        """The evidence that :meth:`to_json` wrote."""
        built = {name: kind(**content[name]) for name, kind in _BUILT.items() if content.get(name)}
        figures = {name: Figure(**figure) for name, figure in content.get("figures", {}).items()}
        days = {name: date.fromisoformat(content[name]) for name in ("as_of", "trained_until")}
        return cls(**{**content, **built, **days, "figures": figures})

    @property
    def importance_drifted(self) -> float | None:
        """Share of the champion's importance in drifted columns; None where it is not known."""
        shares = [share for share in self.drifted_importance.values() if share is not None]
        return sum(shares) if len(shares) == len(self.drifted_importance) else None

    @property
    def is_of_the_first_kind(self) -> bool:
        """Whether it was written before predictions, estimates, rules and requests were looked at by themselves."""
        return self.prediction_batches is None

    @property
    def changed_since(self) -> str | None:
        """The first batch of what drifted."""
        return self.drift_since or self.first_alarmed_batch

    @property
    def drift_day(self) -> date | None:
        """Its day."""
        return date.fromisoformat(self.changed_since[:10]) if self.changed_since else None


_BUILT: dict[str, type[Any]] = {
    "realised": Accuracy,
    "tested": Accuracy,
    "accumulated": Accumulated,
    "estimated": Estimated,
    "withdrawn": Withdrawn,
    "request": Request,
}
_LATER = frozenset(
    {
        *("prediction_batches", "first_prediction_batch", "prediction_excess", "accumulated"),
        *("estimated", "withdrawn", "figures", "request", "drift_since"),
    }
)
