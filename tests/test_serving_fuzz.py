"""Whatever is sent, the service answers as its own description says, and never with a fault of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from live_service import get_json, make_models, running
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = {"/predict": 100, "/targets": 100}  # each is a row, or a list of them
OTHERS = 5
PATHS = ("/predict", "/targets", "/health", "/ready", "/model", "/stats", "/metrics")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("desk")
    with running(make_models(folder, rows_per_day=120, days=6)) as found:
        yield found


def test_every_endpoint_is_described(address: str) -> None:
    described = get_json(f"{address}/openapi.json")
    assert isinstance(described, dict)
    assert sorted(described["paths"]) == sorted(PATHS)


@pytest.mark.parametrize(
    ("path", "mode"),
    [(path, GenerationMode.POSITIVE) for path in PATHS] + [(path, GenerationMode.NEGATIVE) for path in EXAMPLES],
)
def test_whatever_is_sent_is_answered_as_described(address: str, path: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    [operation] = [found.ok() for found in schema.get_all_operations() if found.ok().path == path]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES.get(path, OTHERS),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    ask()


@pytest.mark.parametrize("path", ["/predict", "/targets"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[",
        b"\xff\xfe",
        b'{"a": 1e999}',
        b"[[[[[[]]]]]]",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"[]",
        b'"\\ud800"',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_request_is_refused_without_a_fault(address: str, path: str, body: bytes) -> None:
    import httpx

    answer = httpx.post(f"{address}{path}", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text
    assert answer.json()["detail"]
