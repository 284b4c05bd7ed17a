"""The server of the dashboard: Voila, reduced to one notebook, our own pages and what a visitor needs.

Voila runs the notebook and brings its widgets to the browser. What it serves besides, we do not: its file routes, its
tree, its themes from elsewhere. Configuration files of Voila or Jupyter that lie on a machine are not read, so that
nobody opens by accident what is closed here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from jupyter_core.paths import jupyter_path
from jupyterlab_server.config import get_federated_extensions
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import RequestHandler
from traitlets.config import Config
from voila._version import __version__ as voila_version
from voila.app import Voila
from voila.utils import get_voila_labextensions_path

from driftbook.config import Settings
from driftbook.dashboard import handlers
from driftbook.dashboard.access import Door, Patience
from driftbook.dashboard.assets import TEMPLATE, load_assets
from driftbook.dashboard.doorkeeper import Doorkeeper
from driftbook.dashboard.kernels import CellRenderer, SmallKernels, VisitorKernels
from driftbook.dashboard.living import LivingKernel
from driftbook.dashboard.scripts import asked_for_early, bundled, pack
from driftbook.dashboard.style import STYLE
from driftbook.database import open_database
from driftbook.errors import ConfigError, StateError
from driftbook.serving.security import load_keys

NOTEBOOK = Path("notebooks") / "dashboards" / "monitor.ipynb"
POOL_VARIABLE = "DRIFTBOOK_DASHBOARD_POOL"
EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8")
# parts of JupyterLab that would load more for nothing
SWITCHED_OFF = ["@jupyterlab/mathjax-extension", "@jupyterlab/markdownviewer-extension"]
VIEW = "application/vnd.jupyter.widget-view+json"  # what a page holds that shows widgets
MOST_BYTES = 64_000  # of a request; of a message of a widget
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Server": "driftbook",
    "X-Content-Type-Options": "nosniff",
}


def run(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8866,
    base_url: str = "/",
    user_header: str | None = None,
    operators: Sequence[str] = (),
    told: Callable[[str], None] = print,
) -> None:
    """Serve the dashboard until the process is told to stop; its kernels end with it.

    Raises
    ------
    ConfigError
        If it would listen to others without knowing who they are, or nobody can listen there.
    StateError
        If the workbench has no dashboard notebook.
    """
    if not (settings.root / NOTEBOOK).is_file():
        raise StateError(f"expected the dashboard's notebook at {NOTEBOOK.as_posix()}, found none; restore it")

    def keys() -> Any:
        with open_database(settings.database_url) as database:
            return load_keys(database)

    door = Door(keys, host=host, header=user_header, operators=operators)
    try:
        sockets = bind_sockets(port, host)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen on {host}:{port} ({error}); give another --port or --host") from None
    port = sockets[0].getsockname()[1]  # 0 was any that is free
    base_url = f"/{base_url.strip('/')}/".replace("//", "/")
    server = DashboardServer(config=_config(settings, host=host, port=port, base_url=base_url))
    server.settings, server.door, server.sockets = settings, door, sockets
    shown = f"[{host}]" if ":" in host else host
    for line in (f"dashboard on http://{shown}:{port}{base_url} (Ctrl-C ends it)", *door.lines()):
        told(line)
    server.initialize([])
    server.start()


class DashboardServer(Voila):  # type: ignore[misc]
    """Voila for one notebook, with our own door, pages and kernels."""

    settings: Settings
    door: Door
    sockets: Sequence[Any]

    @property
    def environment(self) -> dict[str, str]:
        """What a kernel finds in its environment besides ours."""
        return {"DRIFTBOOK_ROOT": str(self.settings.root), "IPYTHONDIR": str(run_folder(self.settings, self.port))}

    def setup_template_dirs(self) -> None:
        """Our own template, wherever Jupyter would look."""
        self.template_paths = self.static_paths = [str(TEMPLATE)]

    def init_settings(self) -> dict[str, Any]:
        """What handlers share."""
        pages = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True)
        self.assets = bundled(load_assets(_folders()))
        pages.globals |= {"style": STYLE, "early": asked_for_early(self.assets)}
        found: dict[str, Any] = super().init_settings()
        return found | {
            "allow_remote_access": not self.door.is_open,
            "assets": self.assets,
            "default_handler_class": handlers.NotThere,
            "door": self.door,
            "driftbook": self.settings,
            "headers": HEADERS,
            "log_function": _log,
            "login_url": f"{self.base_url}login",
            "pages": pages,
            "patience": Patience(),
            "websocket_max_message_size": MOST_BYTES,
        }

    def init_handlers(self) -> list[tuple[str, type[RequestHandler]]]:
        """All there is; what is not here does not exist."""
        found: list[tuple[str, type[RequestHandler]]] = [
            ("", handlers.Front),
            ("login", handlers.Login),
            ("logout", handlers.Logout),
            (r"assets/[0-9a-f]+/(.+)", handlers.Files),
            (r"report/([^/]+)/([^/]+)/([^/]+)\.html", handlers.ReportPage),
            (f"api/kernels/{handlers.KERNEL}", LivingKernel),
            (f"api/kernels/{handlers.KERNEL}/channels", handlers.OwnMessages),
            (f"voila/api/shutdown/{handlers.KERNEL}", handlers.GoodBye),
        ]
        bare = self.base_url.rstrip("/")
        return [
            *((f"{self.base_url}{path}", handler) for path, handler in found),
            *([(bare, handlers.Aside)] if bare else []),
        ]

    async def render(self, kernel_id: str, kernel: Any) -> str:
        """Run the notebook in a kernel; what a browser shows of it.

        Raises
        ------
        StateError
            If it shows no widgets.
        """
        renderer = CellRenderer(
            voila_configuration=self.voila_configuration,
            traitlet_config=self.config,
            notebook_path=str(self.settings.root / NOTEBOOK),
            template_paths=self.template_paths,
            base_url=self.base_url,
            page_config=self._page_config(kernel_id),
        )
        await renderer.initialize()
        html: str = await renderer.generate_content_str(kernel_id, kernel)
        if VIEW not in html:
            raise StateError(f"{NOTEBOOK.as_posix()} was run and showed no dashboard; restore it, or see the log")
        return html

    def listen(self) -> None:
        """Answer until told to stop, then end all kernels."""
        server = HTTPServer(self.app, max_body_size=MOST_BYTES)
        server.add_sockets(self.sockets)
        loop = asyncio.get_event_loop()
        for told in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(told, loop.stop)
        IOLoop.current().add_callback(self.kernel_manager.fill)
        loop.run_in_executor(None, pack, self.assets)
        try:
            loop.run_forever()
        finally:
            logging.disable(logging.CRITICAL)  # a kernel that is ended while it is heated is no fault
            server.stop()
            loop.run_until_complete(self.kernel_manager.end_all())
            shutil.rmtree(self.connection_dir, ignore_errors=True)
            shutil.rmtree(run_folder(self.settings, self.port), ignore_errors=True)

    def _page_config(self, kernel_id: str) -> dict[str, Any]:
        assets = f"{self.base_url}assets/{self.assets.digest}"
        known = get_federated_extensions(get_voila_labextensions_path())
        return {
            "appUrl": "voila/",
            "appVersion": voila_version,
            "assets": assets,
            "baseUrl": self.base_url,
            "disabledExtensions": SWITCHED_OFF,
            "extensionConfig": {},
            "federated_extensions": [{"name": name, **known[name]["jupyterlab"]["_build"]} for name in EXTENSIONS],
            "fullLabextensionsUrl": f"{assets}/extensions",
            "fullMathjaxUrl": None,
            "fullStaticUrl": f"{assets}/voila",
            "kernelId": kernel_id,
            "mathjaxConfig": None,
            "progressiveRendering": False,
            "terminalsAvailable": False,
        }


def run_folder(settings: Settings, port: int) -> Path:
    """What a running server keeps: whose kernel is whose; nobody else may look."""
    return settings.state_folder / "dashboard" / str(port)


def _config(settings: Settings, *, host: str, port: int, base_url: str) -> Config:
    folder = run_folder(settings, port)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    folder.parent.chmod(0o700)
    said = "The dashboard could not be shown; the server's log says why."
    return Config(
        {
            "Voila": {
                "base_url": base_url,
                "config_file_paths": [],
                "cookie_secret": _cookie_secret(folder.parent / "cookie_secret"),
                "identity_provider_class": Doorkeeper,
                "ip": host,
                "log_level": "WARN",
                "notebook_path": str(settings.root / NOTEBOOK),
                "open_browser": False,
                "port": port,
            },
            "VoilaConfiguration": {
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "file_allowlist": [],
                "kernel_spec_manager_class": SmallKernels,
                "multi_kernel_manager_class": VisitorKernels,
                "show_tracebacks": False,
                "strip_sources": True,
                "template": "dashboard",
                "theme": "light",
            },
            # on a busy machine what a cell shows may come late
            "VoilaExecutor": {"cell_error_instruction": said, "iopub_timeout": 60},
            "VisitorKernels": {"cards": str(folder), "pool_size": int(_number(POOL_VARIABLE, 2, least=0))},
            "KernelManager": {"transport": "ipc", "autorestart": False},
        }
    )


def _folders() -> dict[str, Path]:
    """Where the files lie that a browser loads."""
    places = [Path(place) for place in get_voila_labextensions_path()]
    static = next(
        path for each in jupyter_path("voila") if (path := Path(each) / "templates" / "base" / "static").is_dir()
    )
    found = {"dashboard/": TEMPLATE, "voila/": static}
    for name in EXTENSIONS:
        found[f"extensions/{name}/"] = next(place / name for place in places if (place / name).is_dir())
    return found


def _cookie_secret(path: Path) -> bytes:
    """What signs the logins: kept, so that they outlive a restart."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    return path.read_bytes()


def _number(variable: str, default: float, *, least: float) -> float:
    text = os.environ.get(variable, "")
    try:
        found = float(text) if text else default
    except ValueError:
        found = least - 1
    if found < least:
        raise ConfigError(f"expected a number of at least {least:g} in {variable}, found {text!r}")
    return found


def _log(_handler: RequestHandler) -> None:
    """No list of requests is kept: addresses may hold keys."""
