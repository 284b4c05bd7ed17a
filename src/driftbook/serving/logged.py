"""What the prediction log holds: predictions as they were made and answered, and targets as they became known.

A row is laid out once, here, for both databases and for the spill file: texts, numbers and JSON, times as ISO text
in UTC to the microsecond, so that they sort as text and no driver has ideas of its own about them. What could not
be kept in every one of these places (a NUL, half a surrogate pair) is refused before anything is written.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic_core import PydanticSerializationError, to_json

from driftbook.errors import DataError

Role = Literal["champion", "challenger"]
Row = tuple[Any, ...]

PREDICTION_COLUMNS = (
    "prediction_id",
    "use_case",
    "at",
    "received_at",
    "entity",
    "features",
    "champion_version",
    "champion_prediction",
    "champion_score",
    "champion_probabilities",
    "challenger_version",
    "challenger_prediction",
    "challenger_score",
    "challenger_probabilities",
    "answered_role",
    "answered_version",
    "latency_ms",
    "flags",
    "outlier_score",
    "client",
)
TARGET_COLUMNS = ("target_id", "use_case", "prediction_id", "entity", "known_at", "target", "client")


@dataclass(frozen=True, slots=True)
class Scores:
    """What one version said of a row: decided class, its score, and the probability of every class."""

    version: int
    prediction: str
    score: float
    probabilities: Sequence[float]


@dataclass(frozen=True, slots=True)
class Logged:
    """One prediction as it was made and answered.

    ``at`` is the time of the event: it decides which batch the row belongs to. ``received_at`` is when the service got
    it, the clock by which days close; where clients give event times of their own and with them the clock of a
    simulated world, both are the event's. Times without a zone are UTC. ``features`` is the row as it was asked, in
    JSON's types (dates as ISO text); ``flags`` are words such as ``outlier``; ``client`` is the name of the key.
    """

    prediction_id: str
    at: datetime
    received_at: datetime
    entity: str
    features: Mapping[str, Any]
    champion: Scores
    challenger: Scores | None = None
    answered: Role = "champion"
    latency_ms: float = 0.0
    flags: Sequence[str] = ()
    outlier_score: float | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True)
class LateTarget:
    """The truth about a prediction, named by its id or by its entity; ``known_at`` is when it became known.

    By entity it belongs to the entity's latest prediction that is at least the use case's label delay old by then, or
    to its latest prediction if none is.
    """

    target: str
    known_at: datetime
    prediction_id: str | None = None
    entity: str | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True)
class TargetsAdded:
    """What became of targets: ``added`` are in the log now, ``repeated`` were there before.

    ``unmatched`` ones name a prediction or an entity the log does not know (yet), ``contradicting`` ones another class
    than an earlier target of the same prediction; both are kept, the first known target counts. Neither is looked for
    (``checked`` is false) while the database is away.
    """

    added: int
    repeated: int = 0
    unmatched: int = 0
    contradicting: int = 0
    checked: bool = True


def new_prediction_id() -> str:
    """An identifier nobody can guess, which sorts by the time it was made (so that it is added at an index's end).

    Examples
    --------
    >>> first, second = new_prediction_id(), new_prediction_id()
    >>> len(first), first != second, first[:8] <= second[:8]
    (32, True, True)
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def moment_text(moment: datetime) -> str:
    """A time as the log keeps it.

    Examples
    --------
    >>> moment_text(datetime(2026, 6, 30, 18, 5))
    '2026-06-30T18:05:00.000000'
    """
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds")


def prediction_row(logged: Logged, use_case: str) -> Row:
    """A prediction in the order of ``PREDICTION_COLUMNS``.

    Raises
    ------
    DataError
        If a text cannot be kept in every database.

    Examples
    --------
    >>> moment, scores = datetime(2026, 6, 30, 18, 5), Scores(1, "yes", 0.75, [0.25, 0.75])
    >>> row = prediction_row(Logged("a", moment, moment, "c-1", {"age": 31}, scores), "churn")
    >>> dict(zip(PREDICTION_COLUMNS, row))["features"]
    '{"age":31}'
    """
    champion, challenger = logged.champion, logged.challenger
    answered = challenger if logged.answered == "challenger" else champion
    if answered is None:
        raise DataError(f"prediction {logged.prediction_id}: answered by the challenger, but its scores are not given")
    return (
        _storable(logged.prediction_id, "prediction_id"),
        use_case,
        moment_text(logged.at),
        moment_text(logged.received_at),
        _storable(logged.entity, "entity"),
        _json(logged.features),
        *_scores_row(champion),
        *((None, None, None, None) if challenger is None else _scores_row(challenger)),
        logged.answered,
        answered.version,
        float(logged.latency_ms),
        _json(tuple(logged.flags)),
        None if logged.outlier_score is None else float(logged.outlier_score),
        None if logged.client is None else _storable(logged.client, "client"),
    )


def target_row(target: LateTarget, use_case: str) -> Row:
    """A target in the order of ``TARGET_COLUMNS``; the same target of the same prediction has the same identifier.

    Raises
    ------
    DataError
        If it names neither or both of prediction and entity, or a text cannot be kept in every database.
    """
    if (target.prediction_id is None) == (target.entity is None):
        raise DataError("a target names either a prediction_id or an entity, found both or none; give one of them")
    known_at = moment_text(target.known_at)
    named = ["prediction", target.prediction_id] if target.entity is None else ["entity", target.entity, known_at]
    identity = json.dumps([use_case, *named, target.target])
    return (
        hashlib.sha256(identity.encode()).hexdigest()[:32],
        use_case,
        None if target.prediction_id is None else _storable(target.prediction_id, "prediction_id"),
        None if target.entity is None else _storable(target.entity, "entity"),
        known_at,
        _storable(target.target, "target"),
        None if target.client is None else _storable(target.client, "client"),
    )


def _scores_row(scores: Scores) -> Row:
    probabilities = [float(each) for each in scores.probabilities]
    return int(scores.version), _storable(scores.prediction, "prediction"), float(scores.score), _json(probabilities)


def _json(value: Any) -> str:
    """Compact JSON in ASCII, which any database keeps; numbers in full."""
    try:
        text = to_json(value).decode("ascii")
    except (PydanticSerializationError, UnicodeDecodeError):  # letters that the quicker writer does not escape
        return json.dumps(value, separators=(",", ":"))
    return text


def _storable(text: str, name: str) -> str:
    if text.isascii() and "\0" not in text:
        return text
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise DataError(f"{name}: expected text without NUL and lone surrogates, found {text[:40]!r}; send it clean")
    return text
