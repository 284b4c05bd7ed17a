"""What is answered: the shapes of all answers, as ``/openapi.json`` describes them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from driftbook.serving.answering import answered_by
from driftbook.serving.logged import Logged


class Answer(BaseModel):
    """A base that names its fields as they are, also those that begin with ``model_``."""

    model_config = ConfigDict(protected_namespaces=())


class Prediction(Answer):
    """One row's answer."""

    prediction_id: str = Field(description="Names this prediction, for example when its target becomes known.")
    prediction: str = Field(description="The decided class.")
    prediction_score: float = Field(description="Probability of the positive class, or of the decided one of many.")
    version: int = Field(description="The model version that answered.")
    role: str = Field(description="champion or challenger")
    flags: list[str] = Field(description="What is odd about the row: missing:FIELD, unseen:FIELD, outlier.")
    outlier_score: float | None = Field(default=None, description="Only with ?outlier_score=true.")
    contributions: dict[str, float] | None = Field(
        default=None, description="Only with ?contributions=true: of each feature, to the log-odds."
    )


class TargetsKept(Answer):
    """What became of targets."""

    added: int
    repeated: int = Field(description="They were there before: nothing changed.")
    unmatched: int = Field(description="They name a prediction or entity the log does not know yet; kept.")
    contradicting: int = Field(description="Another class than an earlier target of the same prediction; kept.")
    checked: bool = Field(description="False while the database is away: they wait, and nothing was looked up.")


class Health(Answer):
    """The process is alive."""

    status: str


class Readiness(Answer):
    """Whether predictions are answered, and what is not as it should be."""

    ready: bool
    champion: int | None
    challenger: int | None
    faults: list[str]


class OnDutyVersion(Answer):
    """A version in memory."""

    version: int
    role: str
    since: str | None
    load_seconds: float
    classes: list[str]
    training: dict[str, Any]


class ModelAnswer(Answer):
    """Which models answer."""

    use_case: str
    title: str
    task: str
    revision: int
    challenger_share: float
    versions: list[OnDutyVersion]


class Fault(Answer):
    """One fault of a request."""

    loc: list[str | int]
    msg: str
    type: str


class Faults(Answer):
    """Every fault of a request, by its field."""

    detail: list[Fault]


class Told(Answer):
    """Why a request is not answered."""

    detail: str


def prediction_answer(entry: Logged, *, outlier_score: bool = False) -> dict[str, Any]:
    """What the caller gets of a prediction as it was kept."""
    scores = answered_by(entry)
    answer = {
        "prediction_id": entry.prediction_id,
        "prediction": scores.prediction,
        "prediction_score": scores.score,
        "version": scores.version,
        "role": entry.answered,
        "flags": entry.flags,
    }
    if outlier_score:
        answer["outlier_score"] = entry.outlier_score
    return answer
