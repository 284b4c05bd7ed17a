"""What the dashboard answers: its page, its files, report pages, logging in and out, and a visitor's own kernel.

Everything else does not exist, whoever asks. Without a login there are the login page and the files it looks like. A
visitor reaches the own kernel only, and of that only the messages widgets are made of.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.services.kernels.handlers import KernelHandler
from tornado.web import HTTPError
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from driftbook.dashboard.access import Door, Entry, cookie_text
from driftbook.dashboard.assets import Assets
from driftbook.dashboard.doorkeeper import COOKIE, COOKIE_DAYS, slowly
from driftbook.dashboard.kernels import VisitorKernels
from driftbook.dashboard.report_pages import SANDBOX, find_page
from driftbook.errors import BusyError

KERNEL = r"(?P<kernel_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
OPENED = frozenset({"document", "frame", "iframe"})  # how a browser says that a page is opened
SAID = {
    403: "You may not see this.",
    404: "There is no such page.",
    429: "Too many wrong keys came from your address. Wait a moment, then try again.",
    503: "As many visitors are looking as may. Try again in a minute.",
}


class Calm(JupyterHandler):
    """What all our answers share: plain words instead of a traceback, and no request in another page's name."""

    entry: Entry | None = None

    @property
    def kernels(self) -> VisitorKernels:
        """The kernels of all visitors."""
        found: VisitorKernels = self.settings["kernel_manager"]
        return found

    def check_xsrf_cookie(self) -> None:
        """A request that changes something comes from our own page; the login's cookie is sent by no other either."""
        if not self.check_origin():
            raise HTTPError(HTTPStatus.FORBIDDEN)

    def page(self, name: str, **words: Any) -> str:
        """One of our own pages."""
        template = self.settings["pages"].get_template(name)
        assets: Assets = self.settings["assets"]
        text: str = template.render(base_url=self.base_url, assets=f"{self.base_url}assets/{assets.digest}", **words)
        return text

    def write_error(self, status_code: int, **_about: Any) -> None:
        """A page in plain words; what happened is in the server's log."""
        said = SAID.get(status_code, "Something went wrong here. The server's log says what.")
        if self.request.path.startswith(f"{self.base_url}api/"):
            self.finish({"detail": said})
        else:
            self.finish(self.page("error.html", said=said))


class NotThere(Calm):
    """Everything there is not."""

    @allow_unauthenticated
    async def prepare(self) -> None:  # type: ignore[override]
        """The same answer to everybody, whatever was asked."""
        raise HTTPError(HTTPStatus.NOT_FOUND)


class Front(Calm):
    """The dashboard's page: its frame at once, what the kernel shows as soon as there is one."""

    async def prepare(self) -> None:  # type: ignore[override]
        """A key in the address logs in and is taken out of it."""
        if self.get_query_argument("token", None) is not None:
            self.redirect(f"{self.base_url}login?{self.request.query}")
            return
        await super().prepare()

    async def head(self) -> None:
        """Whether the server is there, without a kernel."""
        self.finish()

    async def get(self) -> None:
        """The page, in two pieces."""
        assert self.entry is not None
        if self.request.headers.get("Sec-Fetch-Dest", "document") not in OPENED:
            raise HTTPError(HTTPStatus.FORBIDDEN)  # a picture in somebody's page, that would start a kernel
        self.set_header("Cache-Control", "no-store")
        by_cookie = self.get_cookie(COOKIE) is not None
        self.write(self.page("top.html", visitor=self.entry.visitor, may_leave=by_cookie))
        await self.flush()
        try:
            heated = await self.kernels.take(self.entry)
        except BusyError as error:
            self.finish(self.page("bottom.html", said=str(error)))
        except Exception:
            self.log.exception("no kernel could be started")
            self.finish(self.page("bottom.html", said="The dashboard could not be started; the server's log says why."))
        else:
            self.finish(heated.html)


class Aside(Calm):
    """The address without its last slash leads to the page."""

    @allow_unauthenticated
    def get(self) -> None:
        """To the page."""
        self.redirect(self.base_url)


class Login(Calm):
    """Lets in who brings a key."""

    @allow_unauthenticated
    async def get(self) -> None:
        """The form; or straight in, with a key in the address."""
        token = self.get_query_argument("token", None)
        if token is not None:
            await self._try(token)
        elif self.entry is not None:
            self.redirect(self._next())
        else:
            self.finish(self._form(""))

    @allow_unauthenticated
    async def post(self) -> None:
        """A key from the form."""
        await self._try(self.get_body_argument("key", ""))

    async def _try(self, key: str) -> None:
        door: Door = self.settings["door"]
        entry = None if door.header is not None else door.by_key(key)
        if entry is None:
            await slowly(self)
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self.finish(self._form("No such key, or it was revoked."))
            return
        secure = "https" in (self.request.protocol, self.request.headers.get("X-Forwarded-Proto"))
        kept: dict[str, Any] = {"path": self.base_url, "httponly": True, "samesite": "Lax", "secure": secure}
        self.set_signed_cookie(COOKIE, cookie_text(entry), expires_days=COOKIE_DAYS, **kept)
        self.redirect(self._next(), status=HTTPStatus.SEE_OTHER)

    def _form(self, said: str) -> str:
        door: Door = self.settings["door"]
        return self.page("login.html", next=self._next(), said=said, by_proxy=door.header is not None)

    def _next(self) -> str:
        """Where to go then: a place of ours."""
        wanted = self.get_argument("next", "").replace("\\", "/")
        parts = urlsplit(wanted)
        ours = not parts.scheme and not parts.netloc and wanted.startswith(self.base_url) and "//" not in parts.path
        return parts.path if ours else self.base_url


class Logout(Calm):
    """Forgets a login, and ends its kernels."""

    async def post(self) -> None:
        """Out."""
        if self.entry is not None and self.get_cookie(COOKIE) is not None:
            await self.kernels.end_login(self.entry.login)
        self.clear_cookie(COOKIE, path=self.base_url)
        self.redirect(f"{self.base_url}login", status=HTTPStatus.SEE_OTHER)


class Files(Calm):
    """The files of the page, from the fixed list."""

    @allow_unauthenticated
    async def get(self, name: str) -> None:
        """A file, packed for who can unpack it."""
        assets: Assets = self.settings["assets"]
        asset = assets.files.get(name)
        if asset is None:
            raise HTTPError(HTTPStatus.NOT_FOUND)
        self.set_header("Content-Type", asset.type)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(asset.packed)
        else:
            self.finish(asset.content)


class ReportPage(Calm):
    """An executed notebook, or Evidently's page, in a sandbox."""

    @property
    def content_security_policy(self) -> str:
        """Its scripts run, but reach nothing of ours."""
        return SANDBOX

    async def get(self, use_case: str, day: str, name: str) -> None:
        """The page as it was written."""
        path = find_page(self.settings["driftbook"], use_case, day, name)
        if path is None:
            raise HTTPError(HTTPStatus.NOT_FOUND)
        self.set_header("Cache-Control", "private, no-cache")
        self.finish(path.read_bytes())


class OwnKernel(Calm, KernelHandler):
    """What a visitor's browser may know of the visitor's kernel."""

    SUPPORTED_METHODS = ("GET",)

    async def prepare(self) -> None:  # type: ignore[override]
        """The own one only."""
        await super().prepare()
        if not self._finished and not self.kernels.belongs_to(self.path_kwargs["kernel_id"], self.entry):
            raise HTTPError(HTTPStatus.NOT_FOUND)


class OwnMessages(VoilaKernelWebsocketHandler):  # type: ignore[misc]
    """Messages between a visitor's browser and the visitor's kernel."""

    entry: Entry | None = None
    # tornado's own pings, in seconds; the other ones, which know milliseconds only, are left out
    ping_interval = 30.0
    ping_timeout = 20.0

    def write_error(self, status_code: int, **_about: Any) -> None:
        """The status says it; nobody reads a page here."""
        self.finish()

    def send_ping(self) -> None:
        """Left to tornado."""

    async def open(self, kernel_id: str) -> None:
        """The browser is there."""
        await super().open(kernel_id)
        if self.ping_callback is not None:
            self.ping_callback.stop()

    async def pre_get(self) -> None:
        """The own one only."""
        kernels: VisitorKernels = self.settings["kernel_manager"]
        if not kernels.belongs_to(self.kernel_id, self.entry):
            raise HTTPError(HTTPStatus.FORBIDDEN)
        await super().pre_get()


class GoodBye(Calm):
    """A browser says that it leaves."""

    async def post(self, kernel_id: str) -> None:
        """End the own kernel."""
        if not self.kernels.belongs_to(kernel_id, self.entry):
            raise HTTPError(HTTPStatus.NOT_FOUND)
        await self.kernels.shutdown_kernel(kernel_id)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()
