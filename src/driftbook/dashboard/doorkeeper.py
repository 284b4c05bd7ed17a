"""Who asks, as Jupyter's server wants to know it: from a request to a visitor, by the door's rules."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from jupyter_server.auth.identity import IdentityProvider, User
from tornado.web import HTTPError, RequestHandler

from driftbook.dashboard.access import Door, Entry, Patience
from driftbook.serving.security import bearer_token

COOKIE = "driftbook-login"
COOKIE_DAYS = 7


class Doorkeeper(IdentityProvider):
    """Tells the server who asks; the door decides, see ``access``."""

    def get_handlers(self) -> list[tuple[str, object]]:
        """None of its own: logging in and out is ours."""
        return []

    @property
    def auth_enabled(self) -> bool:
        """Always: nobody is let in without a name."""
        return True

    def should_check_origin(self, handler: Any) -> bool:
        """Always: a page of somebody else's may not act in a visitor's name."""
        return True

    def is_token_authenticated(self, handler: Any) -> bool:
        """Never, so that no check is left out for it."""
        return False

    async def get_user(self, handler: Any) -> User | None:
        """Who asks; ``handler.entry`` says how this visitor came in."""
        handler.entry = entry = await _entry_of(handler)
        return None if entry is None else User(username=entry.visitor.name)


async def _entry_of(handler: RequestHandler) -> Entry | None:
    door: Door = handler.settings["door"]
    headers = handler.request.headers
    if door.header is not None:
        return door.by_header(headers.get_list(door.header))
    if door.is_open:
        return door.open_entry()
    authorization = headers.get("Authorization", "")
    if bearer_token(authorization) is not None:
        entry = door.by_bearer(authorization)
        if entry is None:
            await slowly(handler)
        return entry
    cookie = handler.get_signed_cookie(COOKIE, max_age_days=COOKIE_DAYS)
    return None if cookie is None else door.by_cookie(cookie.decode("utf-8"))


async def slowly(handler: RequestHandler) -> None:
    """Make a wrong key take its time."""
    patience: Patience = handler.settings["patience"]
    address = handler.request.remote_ip or ""
    if patience.is_busy(address):
        raise HTTPError(HTTPStatus.TOO_MANY_REQUESTS)
    await patience.wait(address)
