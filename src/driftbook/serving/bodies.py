"""What may be asked: the bodies of requests, generated from the use case and compiled once.

A row is checked by pydantic's compiled core from bytes to plain values, without a model object in between. What the
model does not know (a new category, a missing value) is no fault: it is scored and flagged. What breaks the schema (a
field nobody declared, a text for a number) is a fault that names its field: silently it would be a missing value.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Required

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from driftbook.config import UseCase
from driftbook.errors import SchemaError, UnknownNameError
from driftbook.serving.encoding import read_text, read_time
from driftbook.serving.logged import LateTarget
from driftbook.serving.security import RefusalError

MOST_FAULTS = 20  # told in one answer
MOST_READ = 10_000  # looked at, some 40 ms; to look at more would hold everybody else up
LONGEST_NAME = 60  # characters that are repeated of a name nobody knows
LONGEST_TEXT = 500
ENTITY_FIELD = "entity_id"  # where the use case names no column with an identifier
TIME_FIELD = "event_time"  # where it names no column with the time
KNOWN_FIELD = "known_at"
_WHOLE = 2**63
_NUMBER = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_TEXT = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_TEXT, pattern=r"^[^\x00]*$")]
_IDENTIFIER = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_TEXT, pattern=r"^[^\x00]*$")
]
_INTEGER = Annotated[int, Field(strict=True, ge=-_WHOLE, lt=_WHOLE)]
_BOOLEAN = Annotated[bool, Field(strict=True)]
_CATEGORY = _TEXT | _INTEGER | _BOOLEAN | _NUMBER
_EXPECTED = {
    "number": "expected a number, or null where it is missing",
    "category": f"expected a text of at most {LONGEST_TEXT} characters, a number or a truth value, or null where it is "
    "missing",
    "identifier": f"expected a text of 1 to {LONGEST_TEXT} characters or a whole number",
    "time": "expected a time in ISO 8601 such as 2026-06-01T12:30:00",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One row of a request; of a played stream with its event time (UTC, without a zone) and an identifier.

    A row that is sent again under its identifier, because its answer was lost, is answered again and logged once.
    """

    features: dict[str, Any]
    entity: str | None = None
    at: datetime | None = None
    prediction_id: str | None = None


class RequestBodies:
    """Reads the bodies of ``/predict`` and ``/targets`` for one use case.

    Parameters
    ----------
    allow_event_time
        Whether callers may give event times of their own; otherwise the time of arrival counts.
    """

    def __init__(self, case: UseCase, *, allow_event_time: bool = False) -> None:
        columns = case.columns
        self.entity_field = columns.id or ENTITY_FIELD
        self.time_field = (columns.event_time or TIME_FIELD) if allow_event_time else None
        times = {columns.event_time or TIME_FIELD, KNOWN_FIELD}
        self._times = set() if allow_event_time else times
        self._categorical = columns.categorical
        self._most = case.service.max_rows
        self._expected = dict.fromkeys((*times, *columns.dates), _EXPECTED["time"])
        self._expected |= dict.fromkeys(columns.numeric, _EXPECTED["number"])
        self._expected |= dict.fromkeys((*columns.categorical, "target"), _EXPECTED["category"])
        self._expected |= dict.fromkeys((self.entity_field, "entity_id"), _EXPECTED["identifier"])
        row, target = _row_type(columns.features, self), _target_type(self.time_field)
        self.row, self.rows = TypeAdapter(row), TypeAdapter(_listed(row, self._most))
        self.target, self.targets = TypeAdapter(target), TypeAdapter(_listed(target, self._most))
        self._fields = {self.row: tuple(row.__annotations__), self.target: tuple(target.__annotations__)}

    def kind_of(self, name: str) -> Any:
        """The type of a feature's values."""
        expected = self._expected.get(name)
        if expected == _EXPECTED["number"]:
            return _NUMBER | None
        if expected == _EXPECTED["category"]:
            return _CATEGORY | None
        return _time_type(name) | None

    def read_rows(self, body: bytes) -> list[Asked]:
        """The rows of a request: one object, or a list of them.

        Raises
        ------
        RefusalError
            422 with every fault by its field, 413 for too many rows.
        """
        return [self._asked(row) for row in self._read(body, self.row, self.rows)]

    def read_targets(
        self, body: bytes, *, classes: Sequence[str], now: datetime, client: str | None
    ) -> list[LateTarget]:
        """The targets of a request: one object, or a list of them.

        Raises
        ------
        RefusalError
            422 with every fault by its field, also for a class that is none of ``classes``; 413 for too many.
        """
        found = self._read(body, self.target, self.targets)
        many = body.lstrip()[:1] == b"["
        faults: list[dict[str, Any]] = []
        targets = []
        for at, each in enumerate(found):
            place = ["body", at] if many else ["body"]
            target, entity = read_text(each["target"]), each.get("entity_id")
            if target not in classes:
                told = f"expected one of the classes {', '.join(classes)}"
                faults.append({"loc": [*place, "target"], "msg": told, "type": "unknown_class"})
            if (entity is None) == (each.get("prediction_id") is None):
                told = "expected either prediction_id or entity_id, found both or none"
                faults.append({"loc": [*place, "prediction_id"], "msg": told, "type": "ambiguous"})
            known_at = read_time(KNOWN_FIELD, each.get(KNOWN_FIELD)) or now
            targets.append(
                LateTarget(
                    target=str(target),
                    known_at=known_at,
                    prediction_id=each.get("prediction_id"),
                    entity=None if entity is None else str(entity),
                    client=client,
                )
            )
        if faults:
            raise RefusalError(422, faults[:MOST_FAULTS])
        return targets

    def _read(self, body: bytes, one: TypeAdapter[Any], many: TypeAdapter[Any]) -> list[dict[str, Any]]:
        try:
            if body.lstrip()[:1] == b"[":
                return list(many.validate_json(body))
            return [one.validate_json(body)]
        except ValidationError as error:
            if (count := error.error_count()) > MOST_READ:
                told = f"expected what /openapi.json describes, found {count} faults; send one row to see its own"
                raise RefusalError(422, [{"loc": ["body"], "msg": told, "type": "too_many_faults"}]) from None
            found = error.errors(include_url=False, include_context=False, include_input=False)
        if any(fault["type"] == "too_long" and len(fault["loc"]) == 0 for fault in found):
            raise RefusalError(
                413, f"expected at most {self._most} rows in one request, found more; send them in parts"
            )
        raise RefusalError(422, self._faults(found, self._fields[one]))

    def _faults(self, found: Sequence[Any], known: Collection[str]) -> list[dict[str, Any]]:
        """One fault a field, in FastAPI's shape; values that were sent are not repeated, they may be about a person."""
        told: dict[tuple[Any, ...], dict[str, Any]] = {}
        for fault in found:
            loc = fault["loc"]
            place = loc[: 2 if loc and isinstance(loc[0], int) else 1]
            if place in told:
                continue
            if len(told) == MOST_FAULTS:
                break
            name = place[-1] if place else None
            where = [shortened(each) if isinstance(each, str) else each for each in place]
            told[place] = {"loc": ["body", *where], "msg": self._message(fault, name, known), "type": fault["type"]}
        return list(told.values())

    def _message(self, fault: Any, name: Any, known: Collection[str]) -> str:
        if fault["type"] == "extra_forbidden":
            if name in self._times:
                return "the time of arrival counts; a service started with --allow-event-time takes others"
            return str(UnknownNameError("field", shortened(str(name)), known))
        if fault["type"] in ("missing", "json_invalid") or name not in self._expected:
            return str(fault["msg"])
        return self._expected[name]

    def _asked(self, row: dict[str, Any]) -> Asked:
        entity = row.pop(self.entity_field, None)
        at = prediction_id = None
        if self.time_field is not None:
            at = read_time(self.time_field, row.pop(self.time_field, None))
            prediction_id = row.pop("prediction_id", None)
        for name in self._categorical:
            value = row.get(name)
            if value is not None and type(value) is not str:
                row[name] = read_text(value)
        return Asked(row, None if entity is None else str(entity), at, prediction_id)


def shortened(name: str) -> str:
    """A name as it is repeated to who sent it.

    Examples
    --------
    >>> shortened("age"), len(shortened("age" * 1_000))
    ('age', 60)
    """
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _row_type(features: Sequence[str], bodies: RequestBodies) -> Any:
    fields: dict[str, Any] = {}
    identifier = _IDENTIFIER | _INTEGER
    fields[bodies.entity_field] = identifier if bodies.entity_field == ENTITY_FIELD else Required[identifier]
    if bodies.time_field is not None:
        fields[bodies.time_field] = _time_type(bodies.time_field)
        fields["prediction_id"] = _IDENTIFIER
    fields |= {name: bodies.kind_of(name) for name in features}
    return _closed("Row", fields)


def _target_type(time_field: str | None) -> Any:
    fields: dict[str, Any] = {"target": Required[_CATEGORY], "prediction_id": _IDENTIFIER}
    fields["entity_id"] = _IDENTIFIER | _INTEGER
    if time_field is not None:
        fields[KNOWN_FIELD] = _time_type(KNOWN_FIELD)
    return _closed("Target", fields)


def _closed(name: str, fields: dict[str, Any]) -> Any:
    """A mapping with these fields and no others; a field that is not ``Required`` may be left out."""
    make: Any = TypedDict  # of fields that are known only now
    kind = make(name, fields, total=False)
    kind.__pydantic_config__ = ConfigDict(extra="forbid", title=name)
    return kind


def _listed(kind: Any, most: int) -> Any:
    return Annotated[list[kind], Field(min_length=1, max_length=most)]


def _time_type(name: str) -> Any:
    def check(text: str) -> str | None:
        """The time as it is kept: the pipeline reads fewer forms, and what is scored must be what it reads."""
        try:
            time = read_time(name, text)
        except (SchemaError, OverflowError):
            raise ValueError("no time") from None
        return None if time is None else time.isoformat()

    return Annotated[_TEXT, AfterValidator(check), Field(json_schema_extra={"format": "date-time"})]
