"""The endpoints: who may ask, what is read, what is answered.

``/predict`` and ``/targets`` take the body as bytes and answer bytes: their checks are compiled once for the use case,
and a framework that looks at every value again would cost more than the two models. They are described in
``/openapi.json`` all the same, by the schemas they are checked with.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from driftbook.errors import DataError, StateError
from driftbook.serving import answers
from driftbook.serving.answering import answered_by
from driftbook.serving.bodies import MOST_FAULTS, shortened
from driftbook.serving.interface import page
from driftbook.serving.metrics import CONTENT_TYPE, render_metrics
from driftbook.serving.security import Key, RefusalError, Scope
from driftbook.serving.service import Service

router = APIRouter()
_LOGGER = logging.getLogger(__name__)
_JSON = "application/json"
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": answers.Told, "description": "No key, or none in force."},
    403: {"model": answers.Told, "description": "The key lacks the scope."},
    429: {"model": answers.Told, "description": "The key asked too often."},
}
_BODY_REFUSALS: dict[int | str, dict[str, Any]] = {
    **_REFUSALS,
    413: {"model": answers.Told, "description": "Too many bytes or rows."},
    415: {"model": answers.Told, "description": "The body is not application/json."},
    422: {"model": answers.Faults, "description": "The body breaks the schema; every fault names its field."},
    503: {"model": answers.Told, "description": "Nobody can answer now, or nothing can be kept."},
}
_SECURED: list[dict[str, list[str]]] = [{"key": []}]


def _described(**more: Any) -> dict[str, Any]:
    body = {"required": True, "content": {_JSON: {"schema": {}}}}
    return {"requestBody": body, "security": _SECURED, **more}


_SWITCHES = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "boolean", "default": False},
        "description": told,
    }
    for name, told in (
        ("contributions", "Also answer what each feature contributed."),
        ("outlier_score", "Also answer how unlike the training rows it is."),
    )
]


def service_of(request: Request) -> Service:
    """The running service that a request came to."""
    service: Service = request.app.state.service
    return service


def _allow(request: Request, scope: Scope) -> Key | None:
    return service_of(request).gate.check(request.headers.get("authorization"), scope)


@router.post(
    "/predict",
    summary="Predict for one row or many",
    response_model=answers.Prediction | list[answers.Prediction],
    responses=_BODY_REFUSALS,
    openapi_extra=_described(parameters=_SWITCHES),
)
async def predict(request: Request) -> Response:
    """Score rows with champion and challenger, keep both scores in the log, and answer with one of them.

    One object is answered by an object, a list by a list in its order. What a model does not know, a new category or a
    missing value, is scored and flagged.
    """
    began = time.perf_counter()
    service = service_of(request)
    key = _allow(request, "predict")
    switches = _switches(request) if request.scope["query_string"] else {}
    body = await _body(request, service)
    asked = service.bodies.read_rows(body)
    try:
        kept, duty = await service.answering.predict(asked, client=None if key is None else key.name, began=began)
    except StateError as error:
        raise _unkept(error) from error
    told = [answers.prediction_answer(each, outlier_score=switches.get("outlier_score", False)) for each in kept]
    if switches.get("contributions"):
        for answer, contributions in zip(told, await service.answering.explain(asked, kept, duty), strict=True):
            answer["contributions"] = contributions
    content = to_json(told if body.lstrip()[:1] == b"[" else told[0])
    service.counters.add_latency({answered_by(each).version for each in kept}, time.perf_counter() - began)
    return Response(content, media_type=_JSON)


# of what is asked most, the endpoints that are called without going through the router; see Surroundings
DIRECT: Mapping[str, Callable[[Request], Awaitable[Response]]] = {"/predict": predict}


@router.post(
    "/targets",
    summary="Tell what was true",
    response_model=answers.TargetsKept,
    responses=_BODY_REFUSALS,
    openapi_extra=_described(),
)
async def targets(request: Request) -> Response:
    """Keep late truth by prediction id or entity id; the same again changes nothing."""
    service = service_of(request)
    key = _allow(request, "targets")
    duty = service.following.on_duty
    if duty is None:
        raise RefusalError(
            503, "there is no champion yet, so its classes are not known; see /ready", {"Retry-After": "5"}
        )
    found = service.bodies.read_targets(
        await _body(request, service),
        classes=duty.champion.model.classes,
        now=datetime.now(UTC).replace(tzinfo=None),
        client=None if key is None else key.name,
    )
    try:
        added = await asyncio.to_thread(service.log.add_targets, found)
    except StateError as error:
        raise _unkept(error) from error
    except DataError as error:
        raise RefusalError(422, [{"loc": ["body"], "msg": str(error), "type": "data"}]) from error
    kept = asdict(added)
    for outcome in ("added", "repeated", "unmatched", "contradicting"):
        service.counters.targets[outcome] += kept[outcome]
    return Response(to_json(kept), media_type=_JSON)


@router.get("/health", summary="Is the process alive?", response_model=answers.Health)
async def health() -> Response:
    """Always the same answer, to whoever asks; whether predictions are answered says ``/ready``."""
    return Response(b'{"status":"ok"}', media_type=_JSON)


@router.get(
    "/ready",
    summary="Are predictions answered?",
    response_model=answers.Readiness,
    responses={
        503: {"model": answers.Readiness, "description": "There is no champion to answer, or nothing can be kept."}
    },
)
async def ready(request: Request) -> Response:
    """200 while predictions are answered, 503 otherwise; faults that do not keep it from answering are told too."""
    answering, told = service_of(request).readiness()
    return Response(to_json(told), status_code=200 if answering else 503, media_type=_JSON)


@router.get(
    "/model",
    summary="Which models answer, and since when?",
    response_model=answers.ModelAnswer,
    responses={**_REFUSALS, 503: _BODY_REFUSALS[503]},
    openapi_extra={"security": _SECURED},
)
async def model(request: Request) -> Response:
    """Versions in memory with their training: when, on what, how good."""
    _allow(request, "read")
    service = service_of(request)
    duty = service.following.on_duty
    if duty is None:
        raise RefusalError(503, "there is no champion to answer yet; see /ready", {"Retry-After": "5"})
    versions = [
        {
            **version.describe(),
            "role": role,
            "since": duty.since.get(version.number),
            "load_seconds": round(version.load_seconds, 4),
        }
        for role, version in duty.versions.items()
    ]
    told = {
        "use_case": service.case.name,
        "title": service.case.title,
        "task": service.case.task,
        "revision": duty.revision,
        "challenger_share": service.case.service.challenger_share if duty.challenger is not None else 0.0,
        "versions": versions,
    }
    return Response(to_json(told), media_type=_JSON)


@router.get("/stats", summary="How busy, how fast, how odd?", responses=_REFUSALS, openapi_extra={"security": _SECURED})
async def stats(request: Request) -> Response:
    """Counted by this process since it started; percentiles are of the latest 4,096 requests."""
    _allow(request, "read")
    return Response(to_json(service_of(request).counters.summary()), media_type=_JSON)


@router.get(
    "/metrics",
    summary="The same for Prometheus",
    responses={**_REFUSALS, 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    openapi_extra={"security": _SECURED},
)
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    _allow(request, "read")
    return Response(render_metrics(service_of(request).collector), media_type=CONTENT_TYPE)


@router.get("/openapi.json", include_in_schema=False)
async def description(request: Request) -> Response:
    """What the service understands; any key that predicts or reads may see it."""
    try:
        _allow(request, "read")
    except RefusalError as refusal:
        if refusal.status != 403:
            raise
        _allow(request, "predict")
    return Response(to_json(request.app.openapi()), media_type=_JSON)


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """A page to try the service; it holds nothing of the use case and asks ``/openapi.json`` with the reader's key."""
    content, headers = page()
    return Response(content, media_type="text/html", headers=headers)


async def _body(request: Request, service: Service) -> bytes:
    """The body, up to the limit."""
    most = service.case.service.max_bytes
    kind = request.headers.get("content-type") or ""
    if kind != _JSON and kind.partition(";")[0].strip().lower() != _JSON:
        raise RefusalError(415, f"expected a body of type {_JSON}")
    declared = request.headers.get("content-length", "0")
    content, size, more = b"", int(declared) if declared.isdecimal() else 0, True
    while more:
        if size > most:
            raise RefusalError(413, f"expected at most {most} bytes, found more; send fewer rows in one request")
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        content += message.get("body", b"")
        size, more = len(content), message.get("more_body", False)
    if size > most:
        raise RefusalError(413, f"expected at most {most} bytes, found more; send fewer rows in one request")
    return content


def _switches(request: Request) -> dict[str, bool]:
    """The boolean query parameters; one that nobody knows, or that is neither true nor false, is a fault."""
    known = {str(each["name"]) for each in _SWITCHES}
    words = {"true": True, "1": True, "false": False, "0": False}
    faults = []
    found = {}
    for name, value in request.query_params.multi_items():
        place = ["query", shortened(name)]
        if name not in known:
            faults.append({"loc": place, "msg": f"expected {' or '.join(sorted(known))}", "type": "unknown"})
        elif value.lower() not in words:
            faults.append({"loc": place, "msg": "expected true or false", "type": "bool_parsing"})
        else:
            found[name] = words[value.lower()]
    if faults:
        raise RefusalError(422, faults[:MOST_FAULTS])
    return found


def _unkept(error: Exception) -> RefusalError:
    _LOGGER.error("nothing can be kept, so nothing is acknowledged: %s", error)
    return RefusalError(503, "this cannot be kept now, so it was not acknowledged; try again", {"Retry-After": "5"})
