"""The kernels behind the dashboard: one per visitor, a few heated before anybody comes, none left behind.

A heated kernel has run the notebook already, so that its page is sent at once; who comes when none waits gets one of
their own, started without delay, and the pool is filled again when the rush is over. A kernel ends when no browser was
connected to it for a while: by what it does one cannot tell, since it looks for news by itself, nor by the browser's
good-bye, which may get lost. Each belongs to the visitor it was handed to, which its card says.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Float, Instance, Integer, Unicode
from voila.notebook_renderer import NotebookRenderer

from driftbook.dashboard.access import Door, Entry
from driftbook.dashboard.forked import CAN_FORK, PROVISIONER, Nursery, register
from driftbook.dashboard.visitor import FILE_VARIABLE
from driftbook.errors import BusyError

HEATED_AT_ONCE = 2
LOOK_SECONDS = 3  # between looks at who left
# what a browser may send to a kernel: all that widgets need, no code
MESSAGES = ["comm_open", "comm_close", "comm_msg", "comm_info_request", "kernel_info_request"]
# one page needs one processor; fewer memory arenas and threads make a small kernel
SMALL = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "POLARS_MAX_THREADS": "2",
    "MALLOC_ARENA_MAX": "2",
    "MPLBACKEND": "agg",
}
# no history is kept; what is logged goes where the server's own messages go, not to a browser
LOGGING = (
    "import logging, sys; "
    "logging.basicConfig(level=logging.WARNING, format='%(levelname)s %(message)s', stream=sys.__stderr__); "
    "logging.getLogger('Comm').setLevel(logging.ERROR)"  # a browser that leaves closes what is gone already
)
PLAIN = (
    "--HistoryManager.enabled=False",
    "--IPKernelApp.capture_fd_output=False",
    f"--IPKernelApp.exec_lines={LOGGING}",
    "--IPKernelApp.extensions=ipywidgets",  # it was loaded before there was a kernel to tell of it
)


@dataclass(frozen=True, slots=True)
class Heated:
    """A kernel that has run the notebook, and what a browser shows of it."""

    kernel_id: str
    html: str


class SmallKernels(KernelSpecManager):
    """The one kernel there is: this Python, whatever else a person has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The same for every name."""
        start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        about: dict[str, Any] = {"kernel_provisioner": {"provisioner_name": PROVISIONER}} if CAN_FORK else {}
        named = {"display_name": "driftbook", "language": "python", "name": "python3"}
        return KernelSpec(argv=[*start, *PLAIN], metadata=about, **named)

    def find_kernel_specs(self) -> dict[str, str]:
        """No folder is searched: what a person installed elsewhere does not come in."""
        return {"python3": ""}


class CellRenderer(NotebookRenderer):  # type: ignore[misc]
    """Runs the notebook and makes the page of it; reads the file itself and keeps no list of trusted ones."""

    async def load_notebook(self, path: str) -> Any:
        """The notebook at a path."""
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


class VisitorKernels(AsyncMappingKernelManager):
    """Starts, hands out and ends kernels; ``parent`` is the dashboard's server."""

    pool_size = Integer(2, help="how many heated kernels wait for visitors").tag(config=True)
    most = Integer(20, help="how many visitors there may be at once").tag(config=True)
    most_each = Integer(10, help="how many pages a visitor may have open").tag(config=True)
    grace_seconds = Float(60.0, help="how long a kernel outlives its browser").tag(config=True)
    patience_seconds = Float(300.0, help="how long one waits for a slow browser's first word").tag(config=True)
    fill_delay = Float(2.5, help="seconds of calm before the pool is filled again").tag(config=True)
    cards = Unicode(help="folder of the visitors' cards").tag(config=True)
    door = Instance(Door)

    def __init__(self, **given: Any) -> None:
        given |= {"allowed_message_types": MESSAGES, "cull_idle_timeout": 1, "cull_interval": LOOK_SECONDS}
        super().__init__(door=given["parent"].door, **given)  # type: ignore[no-untyped-call]
        register()
        self.nursery = Nursery({**os.environ, **SMALL, **given["parent"].environment})
        self._pool: deque[asyncio.Task[Heated]] = deque()
        self._entries: dict[str, Entry] = {}
        self._left_at: dict[str, float] = {}
        self._met: set[str] = set()
        self._coming: Counter[str] = Counter()
        self._heating = asyncio.Semaphore(HEATED_AT_ONCE)
        self._filling: asyncio.TimerHandle | None = None

    def fill(self) -> None:
        """Heat kernels until enough wait."""
        self._pool = deque(task for task in self._pool if not (task.done() and (task.cancelled() or task.exception())))
        while len(self._pool) < self.pool_size:
            self._pool.append(asyncio.ensure_future(self._heat()))

    async def take(self, entry: Entry) -> Heated:
        """Hand a kernel to a visitor.

        Raises
        ------
        BusyError
            If as many visitors are there as may be, or this one has as many pages open.
        """
        await self._make_room(entry)
        ready = next((task for task in self._pool if task.done()), self._pool[0] if self._pool else None)
        if ready is not None:
            self._pool.remove(ready)
        self._fill_soon()
        self._coming[entry.visitor.name] += 1
        try:
            heated = await self._alive(ready) or await self._heat()
        finally:
            self._coming[entry.visitor.name] -= 1
        self._write_card(heated.kernel_id, entry)
        self._entries[heated.kernel_id] = entry
        return heated

    def belongs_to(self, kernel_id: str, entry: Entry | None) -> bool:
        """Whether a kernel was handed to this visitor."""
        owner = self._entries.get(kernel_id)
        return owner is not None and entry is not None and owner.visitor == entry.visitor

    def notify_connect(self, kernel_id: str) -> None:
        """A browser has connected to a kernel."""
        self._met.add(kernel_id)
        super().notify_connect(kernel_id)  # type: ignore[no-untyped-call]

    async def end_login(self, login: str) -> None:
        """End the kernels of a login."""
        for kernel_id, entry in list(self._entries.items()):
            if entry.login == login:
                await self.shutdown_kernel(kernel_id)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel whose visitor left or may no longer be here; those that wait for a visitor stay."""
        entry = self._entries.get(kernel_id)
        if entry is None:
            return
        if self.door.still_open_to(entry):
            if self._kernel_connections.get(kernel_id, 0):
                self._left_at.pop(kernel_id, None)
                return
            left_at = self._left_at.setdefault(kernel_id, time.monotonic())
            patience = self.grace_seconds if kernel_id in self._met else self.patience_seconds
            if time.monotonic() - left_at < patience:
                return
        await self.shutdown_kernel(kernel_id)

    async def shutdown_kernel(  # type: ignore[override]
        self, kernel_id: str, now: bool = False, restart: bool = False
    ) -> None:
        """End a kernel and forget whose it was."""
        self._entries.pop(kernel_id, None)
        self._left_at.pop(kernel_id, None)
        self._met.discard(kernel_id)
        self._card(kernel_id).unlink(missing_ok=True)
        if kernel_id in self:
            with suppress(RuntimeError):  # it ended by itself meanwhile
                await super()._async_shutdown_kernel(kernel_id, now=now, restart=restart)  # type: ignore[no-untyped-call]

    async def end_all(self) -> None:
        """End every kernel, also those that are being heated."""
        if self._filling is not None:
            self._filling.cancel()
        for task in self._pool:
            task.cancel()
        await asyncio.gather(*self._pool, return_exceptions=True)
        await asyncio.gather(*(self.shutdown_kernel(kernel_id, now=True) for kernel_id in self.list_kernel_ids()))
        self.nursery.close()

    async def _make_room(self, entry: Entry) -> None:
        """Look whether one more may come; who has many pages open loses those first that no browser shows."""
        name = entry.visitor.name
        mine = [kernel_id for kernel_id, each in self._entries.items() if each.visitor.name == name]
        unseen = [kernel_id for kernel_id in mine if not self._kernel_connections.get(kernel_id, 0)]
        if len(mine) + self._coming[name] >= self.most_each:
            if not unseen:
                raise BusyError(f"you have {self.most_each} pages open, which is as many as may; close one")
            await self.shutdown_kernel(unseen[0], now=True)
        elif len(self._entries) + self._coming.total() >= self.most:
            if not unseen:
                raise BusyError(f"{self.most} pages are open, which is as many as may; try again in a minute")
            await self.shutdown_kernel(unseen[0], now=True)

    async def _alive(self, waiting: asyncio.Task[Heated] | None) -> Heated | None:
        """A heated kernel, unless it could not be heated or has died since."""
        if waiting is None:
            return None
        try:
            heated = await waiting
        except Exception:
            self.log.exception("a kernel could not be heated")
            return None
        if heated.kernel_id not in self:
            return None
        kernel: Any = self.get_kernel(heated.kernel_id)
        return heated if await kernel.is_alive() else None

    async def _heat(self) -> Heated:
        """One more kernel that has run the notebook; few at once, for all of them would be late otherwise."""
        async with self._heating:
            return await self._heat_one()

    async def _heat_one(self) -> Heated:
        server: Any = self.parent
        kernel_id = str(uuid.uuid4())
        environment = {**os.environ, **SMALL, **server.environment, FILE_VARIABLE: str(self._card(kernel_id))}
        await self.start_kernel(kernel_id=kernel_id, kernel_name="python3", env=environment)
        try:
            html = await server.render(kernel_id, self.get_kernel(kernel_id))
        except BaseException:
            await self.shutdown_kernel(kernel_id, now=True)
            raise
        return Heated(kernel_id, html)

    def _fill_soon(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
        self._filling = asyncio.get_running_loop().call_later(self.fill_delay, self.fill)

    def _card(self, kernel_id: str) -> Path:
        return Path(self.cards) / f"{kernel_id}.json"

    def _write_card(self, kernel_id: str, entry: Entry) -> None:
        path = self._card(kernel_id)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"name": entry.visitor.name, "role": entry.visitor.role}), encoding="utf-8")
        fresh.replace(path)
