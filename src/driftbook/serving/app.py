"""The app: endpoints, what surrounds them, and how it starts and stops.

Around the endpoints stands one thin layer that counts every request, turns refusals and faults into answers without a
stack trace, and, where no key is needed, answers only to who named this machine as its own: otherwise a page in a
browser could reach the service under a name that was bent to the loopback address.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import driftbook
from driftbook.config import Settings, UseCase
from driftbook.serving.bodies import RequestBodies
from driftbook.serving.interface import describe_bodies, example_rows, example_targets
from driftbook.serving.routes import DIRECT, router
from driftbook.serving.security import RefusalError
from driftbook.serving.service import Service, open_service

# /metrics is for who comes to read it; the service itself sends nothing anywhere, whatever the environment says
_NO_TELEMETRY: Any = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}
_LOGGER = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    case: UseCase,
    *,
    allow_event_time: bool = False,
    keys_required: bool = False,
    hosts: Collection[str] | None = None,
) -> FastAPI:
    """The prediction service of a use case.

    Parameters
    ----------
    allow_event_time
        Whether rows and targets may bring times of their own (to play a recorded or simulated stream).
    keys_required
        Whether nobody is answered without a key, also while there is none.
    hosts
        Names under which it answers while no key is needed; by default any.

    Returns
    -------
    An app whose parts are opened when it starts (``app.state.service``) and closed when it stops.
    """

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        options = {"allow_event_time": allow_event_time, "keys_required": keys_required}
        async with open_service(case, settings, **options) as service:
            app.state.service = service
            yield

    app = ServiceApp(
        title=f"driftbook: {case.title}",
        version=driftbook.__version__,
        lifespan=running,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.include_router(router)
    paths = frozenset(getattr(route, "path", "") for route in router.routes)
    app.add_middleware(Surroundings, owner=app, paths=paths, hosts=hosts)
    app.shortcut = Surroundings(app, owner=app, paths=paths, hosts=hosts)
    app.add_exception_handler(RefusalError, _refused)
    bodies = RequestBodies(case, allow_event_time=allow_event_time)
    app.openapi = lambda: _description(app, case, bodies)  # type: ignore[method-assign]
    return app


class ServiceApp(FastAPI):
    """FastAPI, past whose own layers, each a few tens of microseconds, what is asked most goes straight on."""

    shortcut: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the start and end of the service."""
        if scope["type"] == "http" and scope["path"] in DIRECT and scope["method"] == "POST":
            await self.shortcut(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Surroundings:
    """Counts requests, and answers what went wrong without telling more than it should.

    It stands between the app's layers and its router; around the app itself, as its shortcut, it calls what is DIRECT.
    """

    def __init__(
        self, app: ASGIApp, *, owner: FastAPI, paths: Collection[str], hosts: Collection[str] | None = None
    ) -> None:
        self._app = app
        self._owner = owner
        self._paths = frozenset(paths)
        self._hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = self._owner.state.service
        began, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self._hosts is not None and not service.gate.required and _host(scope) not in self._hosts:
                told = f"expected a request to {', '.join(sorted(self._hosts))}"
                await _answer(RefusalError(421, told))(scope, receive, watch)
            elif self._app is self._owner:
                # the shortcut: past FastAPI's router, which would take as long as scoring a row does
                scope["app"] = self._owner
                try:
                    response = await DIRECT[scope["path"]](Request(scope, receive))
                except RefusalError as refusal:
                    response = _answer(refusal)
                status = response.status_code
                await response(scope, receive, send)
            else:
                await self._app(scope, receive, watch)
        except ClientDisconnect:
            pass  # nobody is left to answer to
        except Exception:
            incident = secrets.token_hex(4)
            _LOGGER.exception("incident %s: %s %s", incident, scope["method"], scope["path"])
            if status:
                raise
            await _answer(RefusalError(500, f"something went wrong here, incident {incident}"))(scope, receive, watch)
        finally:
            route = scope["path"] if scope["path"] in self._paths else "other"
            service.counters.add_request(route, status or 499, time.perf_counter() - began)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    return _answer(error)


def _answer(refusal: RefusalError) -> Response:
    content = to_json({"detail": refusal.detail})
    return Response(content, status_code=refusal.status, headers=refusal.headers, media_type="application/json")


def _host(scope: Scope) -> str:
    """The name a request was sent to, without its port."""
    text: str = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()
    return text.partition("]")[0][1:] if text.startswith("[") else text.rpartition(":")[0] or text


def _description(app: FastAPI, case: UseCase, bodies: RequestBodies) -> dict[str, Any]:
    """The OpenAPI document, made when it is asked for under another champion, from whose rows its examples come."""
    service: Service | None = getattr(app.state, "service", None)
    duty = service.following.on_duty if service is not None else None
    if app.openapi_schema is None or app.state.described is not duty:
        document = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
        folder = duty.champion.folder if duty is not None else None
        classes = duty.champion.model.classes if duty is not None else ()
        label = classes[-1] if classes else case.columns.positive_class or "example"
        scheme = {"type": "http", "scheme": "bearer", "description": "driftbook keys add NAME --scope predict"}
        document.setdefault("components", {})["securitySchemes"] = {"key": scheme}
        examples = {"/predict": example_rows(case, folder, bodies), "/targets": example_targets(bodies, label)}
        for path, found in examples.items():
            document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"] = found
        document = describe_bodies(document, bodies, max_rows=case.service.max_rows, classes=classes)
        app.openapi_schema, app.state.described = document, duty
    return app.openapi_schema


_ABOUT = (
    "Predictions of the model in office, with a challenger beside it in shadow. Every answer is in the log before it "
    "is given; tell later what was true, by the prediction's id or the entity's."
)
