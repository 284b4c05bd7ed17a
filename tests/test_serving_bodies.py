"""What may be asked: values as they come, faults by the names of their fields."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from model_samples import binary_case
from served_models import CASE, ROW, case_with

from driftbook.serving.bodies import MOST_FAULTS, Asked, RequestBodies
from driftbook.serving.logged import LateTarget
from driftbook.serving.security import RefusalError

NOW = datetime(2026, 6, 1, 12)
FEATURES = {name: value for name, value in ROW.items() if name != "customer"}


def read(content: Any, **options: Any) -> list[Asked]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return RequestBodies(options.pop("case", CASE), **options).read_rows(body)


def faults(content: Any, **options: Any) -> dict[str, str]:
    with pytest.raises(RefusalError) as caught:
        read(content, **options)
    assert caught.value.status == 422
    return {".".join(map(str, fault["loc"])): fault["msg"] for fault in caught.value.detail}


def targets(content: Any, **options: Any) -> list[LateTarget]:
    bodies = RequestBodies(CASE, **options)
    return bodies.read_targets(json.dumps(content).encode(), classes=("no", "yes"), now=NOW, client="shop")


def test_a_row_comes_through_as_it_was_sent() -> None:
    assert read(ROW) == [Asked(FEATURES, "c-1")]
    assert read([ROW, {**ROW, "customer": 7}]) == [Asked(FEATURES, "c-1"), Asked(FEATURES, "7")]


@pytest.mark.parametrize(
    ("sent", "read_as"),
    [(3, "3"), (2**63, str(2**63)), (3.0, "3"), (2.5, "2.5"), (True, "true"), ("new", "new"), (None, None)],
)
def test_a_category_may_be_any_plain_value_and_a_new_one(sent: Any, read_as: str | None) -> None:
    assert read({"customer": "c", "plan": sent})[0].features == {"plan": read_as}


def test_a_missing_value_is_no_fault_whether_left_out_or_null() -> None:
    assert read({"customer": "c", "age": None, "joined": None})[0].features == {"age": None, "joined": None}


@pytest.mark.parametrize(
    ("changed", "field", "told"),
    [
        ({"age": "61"}, "age", "expected a number, or null where it is missing"),
        ({"age": True}, "age", "expected a number"),
        ({"age": [1]}, "age", "expected a number"),
        ({"plan": {"a": 1}}, "plan", "expected a text"),
        ({"plan": "x" * 501}, "plan", "at most 500 characters"),
        ({"plan": "a\0b"}, "plan", "expected a text"),
        ({"plan": 10**400}, "plan", "expected a text"),
        ({"joined": "last June"}, "joined", "expected a time in ISO 8601"),
        ({"joined": "2026-13-01"}, "joined", "expected a time in ISO 8601"),
        ({"joined": 20260101}, "joined", "expected a time in ISO 8601"),
        ({"customer": ""}, "customer", "expected a text of 1 to 500 characters"),
        ({"customer": None}, "customer", "expected a text of 1 to 500 characters"),
        ({"customer": 1.5}, "customer", "expected a text of 1 to 500 characters"),
        ({"agee": 1}, "agee", "no field 'agee'; did you mean 'age'? Available: age, customer, joined, plan, spend"),
        ({"at": "2026-01-01"}, "at", "--allow-event-time"),
    ],
)
def test_a_row_that_breaks_the_schema_is_told_its_field(changed: dict[str, Any], field: str, told: str) -> None:
    found = faults({**ROW, **changed})
    assert list(found) == [f"body.{field}"]
    assert told in found[f"body.{field}"]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e400"])
def test_numbers_that_are_none_are_faults(number: bytes) -> None:
    assert list(faults(b'{"customer": "c", "age": ' + number + b"}")) == ["body.age"]


def test_every_fault_of_every_row_is_told_by_its_place() -> None:
    found = faults([ROW, {**ROW, "age": "x", "spend": "x"}, {"plan": "pro"}])
    assert list(found) == ["body.1.age", "body.1.spend", "body.2.customer"]


@pytest.mark.parametrize("field", ["age", "plan", "joined", "customer", "at", "prediction_id"])
@pytest.mark.parametrize("value", ["Jane Doe" * 100, ["Jane Doe"], {"Jane Doe": 1}])
def test_values_that_were_sent_are_not_repeated(field: str, value: Any) -> None:
    found = faults({**ROW, field: value}, allow_event_time=True)
    assert list(found) == [f"body.{field}"]
    assert "Jane" not in str(found)


def test_a_target_that_was_sent_is_not_repeated() -> None:
    with pytest.raises(RefusalError) as caught:
        targets({"prediction_id": "a", "target": "Jane Doe"})
    assert "Jane" not in str(caught.value.detail)


def test_a_name_that_nobody_knows_is_repeated_in_short() -> None:
    found = faults({**ROW, "x" * 100_000: 1})
    assert len(str(found)) < 500
    assert list(found) == [f"body.{'x' * 59}…"]


@pytest.mark.parametrize(
    "content", [[{**ROW, "age": "x"}] * 500, {f"n{number}": 1 for number in range(5_000)}], ids=["rows", "names"]
)
def test_faults_are_told_up_to_a_number_of_them_and_no_more_are_worded(
    content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worded = []
    monkeypatch.setattr(RequestBodies, "_message", lambda *given: str(worded.append(given)))
    assert len(faults(content)) == len(worded) == MOST_FAULTS


def test_of_very_many_faults_only_their_number_is_told() -> None:
    found = faults([{f"n{number}": 1 for number in range(200)}] * 100)
    assert list(found) == ["body"]
    assert "20100 faults" in found["body"]


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"7", b'"text"', b"[7]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_row_is_a_fault(body: bytes) -> None:
    assert faults(body)


def test_an_empty_list_is_a_fault_and_too_many_rows_are_told_the_limit() -> None:
    assert faults([])
    case = case_with(max_rows=2)
    assert len(read([ROW, ROW], case=case)) == 2
    with pytest.raises(RefusalError, match="at most 2 rows") as caught:
        read([ROW] * 3, case=case)
    assert caught.value.status == 413


def test_event_times_are_read_where_they_are_allowed() -> None:
    sent = {**ROW, "at": "2026-06-01T14:00:00+02:00"}
    assert read(sent, allow_event_time=True) == [Asked(FEATURES, "c-1", datetime(2026, 6, 1, 12))]
    assert read(ROW, allow_event_time=True) == [Asked(FEATURES, "c-1")]
    assert "ISO 8601" in faults({**ROW, "at": "noon"}, allow_event_time=True)["body.at"]
    assert faults({**ROW, "at": "0001-01-01T00:00:00+14:00"}, allow_event_time=True)


def test_column_names_may_be_any_text_and_an_identifier_may_be_undeclared() -> None:
    columns = {"target": "left", "positive_class": "yes", "numeric": ["capital-gain", "_x", "model_config"]}
    case = binary_case(columns=columns, derived={}, batch={"rows": 20}, source={"kind": "files", "path": "x.csv"})
    sent = {"capital-gain": 1, "_x": 2.5, "model_config": None}
    assert read(sent, case=case) == [Asked({"capital-gain": 1.0, "_x": 2.5, "model_config": None}, None)]
    assert read({**sent, "entity_id": 5}, case=case)[0].entity == "5"


def test_a_target_names_a_prediction_or_an_entity() -> None:
    assert targets([{"prediction_id": "a", "target": "yes"}, {"entity_id": 5, "target": "no"}]) == [
        LateTarget("yes", NOW, prediction_id="a", client="shop"),
        LateTarget("no", NOW, entity="5", client="shop"),
    ]
    sent = {"entity_id": "c", "target": "no", "known_at": "2026-06-04"}
    assert targets(sent, allow_event_time=True)[0].known_at == datetime(2026, 6, 4)


@pytest.mark.parametrize(
    ("sent", "field", "told"),
    [
        ({"prediction_id": "a", "target": "maybe"}, "target", "expected one of the classes no, yes"),
        ({"prediction_id": "a", "target": True}, "target", "expected one of the classes"),
        ({"prediction_id": "a"}, "target", "required"),
        ({"target": "yes"}, "prediction_id", "either prediction_id or entity_id"),
        ({"target": "yes", "prediction_id": "a", "entity_id": "b"}, "prediction_id", "either prediction_id or"),
        ({"target": "yes", "prediction_id": "a", "known_at": "2026-06-04"}, "known_at", "--allow-event-time"),
        ({"target": "yes", "prediction_id": "a", "sure": 1}, "sure", "no field 'sure'"),
    ],
)
def test_a_target_that_cannot_be_joined_is_told_its_field(sent: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(RefusalError) as caught:
        targets([sent])
    [fault] = caught.value.detail
    assert fault["loc"] == ["body", 0, field]
    assert told in fault["msg"]
