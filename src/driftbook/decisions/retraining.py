"""Whether to train a challenger: ``retrain`` or ``wait``, from one page of evidence.

Three things call for it: drift that lasts and matters to the model, realised accuracy that fell below its limit, and
age. Three things hold it back even then, because a challenger trained too early learns the old world: one is already
in place, the last one is too recent, or too few targets of the new time are known. A single odd batch retrains nothing,
and drift in columns the model does not use is reported but does not retrain.

The accuracy counts as fallen only when its whole interval lies below the limit: a small batch may be low by chance.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from driftbook.config.policy import RetrainingPolicy
from driftbook.decisions import Decision
from driftbook.storage import canonical_json

# columns that carry less than this share of the model's importance cannot matter to it
LEAST_IMPORTANCE = 0.01


@dataclass(frozen=True)
class Accuracy:
    """A share of right predictions with its interval."""

    value: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        value, low, high = (_percent(each) for each in (self.value, self.low, self.high))
        return f"{value} ({low} to {high}, {self.rows:,} rows)"


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
        With known targets, since the drift set in; without an alarm, since ``trained_until``.
    days_since_challenger
        Since a challenger was last trained (None: never).
    challenger
        Version of a challenger that is already in place.

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

    def to_json(self) -> dict[str, Any]:
        """As a record holds it: dates as text, numbers to 12 digits."""
        content: dict[str, Any] = json.loads(canonical_json(asdict(self)))
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> RetrainingEvidence:
        """The evidence that :meth:`to_json` wrote."""
        return cls(
            **{
                **content,
                "as_of": date.fromisoformat(content["as_of"]),
                "trained_until": date.fromisoformat(content["trained_until"]),
                "realised": Accuracy(**content["realised"]) if content["realised"] else None,
                "tested": Accuracy(**content["tested"]) if content["tested"] else None,
            }
        )

    @property
    def importance_drifted(self) -> float | None:
        """Share of the champion's importance in drifted columns; None where it is not known."""
        shares = [share for share in self.drifted_importance.values() if share is not None]
        return sum(shares) if len(shares) == len(self.drifted_importance) else None


@dataclass(frozen=True)
class _Finding:
    """One condition: whether it holds, and the sentence that says so."""

    holds: bool
    sentence: str


def decide_retraining(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> Decision:
    """Train a challenger now, or wait.

    Parameters
    ----------
    evidence
        What was known by then; nothing else enters.
    policy
        The numbers that count.

    Returns
    -------
    ``retrain`` when drift, accuracy or age calls for it and nothing holds it back, else ``wait``; the reasons name
    first what decided.

    Examples
    --------
    >>> calm = RetrainingEvidence(as_of=date(2026, 6, 8), champion=1, trained_until=date(2026, 5, 16))
    >>> decision = decide_retraining(calm, RetrainingPolicy())
    >>> print(decision.summary())
    **wait**
    <BLANKLINE>
    * The latest batch did not alarm.
    * Realised accuracy is not known yet.
    * The champion (version 1) was trained on data that are 23 days old, 365 are allowed.
    """
    known = RetrainingEvidence.from_json(evidence.to_json())
    calls = [_drift(known, policy), _accuracy(known, policy), _age(known, policy)]
    checks = [_vacancy(known), _cooldown(known, policy), _targets(known, policy)]
    wanted = [call.sentence for call in calls if call.holds]
    obstacles = [check.sentence for check in checks if not check.holds]
    retrain = bool(wanted) and not obstacles
    if retrain:
        reasons = [*wanted, *(check.sentence for check in checks)]
    elif wanted:
        reasons = [*obstacles, *wanted]
    else:
        reasons = [call.sentence for call in calls]
    return Decision(
        action="retrain" if retrain else "wait",
        reasons=tuple(reasons),
        evidence={
            "given": known.to_json(),
            "policy": policy.model_dump(mode="json"),
            "calls": dict(zip(("drift", "accuracy", "age"), (call.holds for call in calls), strict=True)),
            "allowed": dict(zip(("vacancy", "cooldown", "targets"), (check.holds for check in checks), strict=True)),
        },
    )


def _drift(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    count, needed = evidence.alarmed_batches, policy.alarmed_batches
    if count == 0:
        return _Finding(False, "The latest batch did not alarm.")
    run = f"{_counted(count, 'batch', 'batches')} in a row alarmed, since {evidence.first_alarmed_batch}"
    if count < needed:
        return _Finding(False, f"{run}; {needed} are needed.")
    importance = evidence.importance_drifted
    if not evidence.drifted_importance:
        return _Finding(True, f"{run}: {'the predictions' if evidence.prediction_drifted else 'the rows'} drifted.")
    columns = _counted(len(evidence.drifted_importance), "drifted column", "drifted columns")
    known = f", {columns}" + (
        f" with {_percent(importance, decimals=0)} of the model's importance" if importance is not None else ""
    )
    also = " The predictions drifted too." if evidence.prediction_drifted else ""
    matters = importance is None or importance >= LEAST_IMPORTANCE or evidence.prediction_drifted
    verdict = "." if matters else ": it does not matter to the model, and retrains nothing."
    return _Finding(matters, f"{run}{known}{verdict}{also}")


def _accuracy(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    if evidence.realised is None or evidence.tested is None:
        return _Finding(False, "Realised accuracy is not known yet.")
    limit = evidence.tested.value - policy.accuracy_drop
    fallen = evidence.realised.high < limit
    verdict = "lies wholly below" if fallen else "does not lie wholly below"
    return _Finding(
        fallen,
        f"Realised accuracy {evidence.realised} {verdict} the limit of {_percent(limit)}: "
        f"tested {_percent(evidence.tested.value)} less {policy.accuracy_drop * 100:.3g} points.",
    )


def _age(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    age = (evidence.as_of - evidence.trained_until).days
    return _Finding(
        age > policy.max_age_days,
        f"The champion (version {evidence.champion}) was trained on data that are {_counted(age, 'day', 'days')} old, "
        f"{policy.max_age_days} are allowed.",
    )


def _vacancy(evidence: RetrainingEvidence) -> _Finding:
    if evidence.challenger is None:
        return _Finding(True, "No challenger is in place.")
    return _Finding(False, f"A challenger (version {evidence.challenger}) is already in place: it is judged first.")


def _cooldown(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    days = evidence.days_since_challenger
    if days is None:
        return _Finding(True, "No challenger was trained before.")
    return _Finding(
        days >= policy.cooldown_days,
        f"The last challenger was trained {_counted(days, 'day', 'days')} ago, "
        f"{policy.cooldown_days} must lie between two.",
    )


def _targets(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    rows, batches = evidence.new_labelled_rows, evidence.new_labelled_batches
    enough = rows >= policy.min_new_labelled_rows and batches >= policy.min_new_labelled_batches
    since = evidence.first_alarmed_batch or evidence.trained_until.isoformat()
    return _Finding(
        enough,
        f"Targets are known for {_counted(batches, 'batch', 'batches')} ({_counted(rows, 'row', 'rows')}) "
        f"since {since}; {policy.min_new_labelled_batches} ({policy.min_new_labelled_rows:,} rows) are needed.",
    )


def _percent(share: float, *, decimals: int = 1) -> str:
    return f"{100 * share:.{decimals}f} %"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
