"""The process that kernels are forked from: it has loaded all they need, so one more costs little time and memory.

``python -m driftbook.dashboard.nursery FD`` answers on the socket with that number; :mod:`.forked` starts and asks it.
What it loaded is shared by all kernels until one of them changes it. For the same reason it does nothing once it
forks: what it changes is shared no more. Forking is safe only where nothing else runs, so each time it looks whether
another thread does, and refuses rather than make a kernel that may hang. It ends when its server has, and the system
ends its kernels with it.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# what a kernel of the dashboard has loaded when it has run the notebook; a test finds what is missing here
LOADED = (
    "driftbook.dashboard.views",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "numpy.ma",
    "psutil",
    "sqlalchemy.dialects.sqlite",
    "sqlite3",
    "tornado.platform.asyncio",
    "zmq.utils.garbage",
)
# a thread that polars starts with, which sleeps until something is too large for the memory: it holds nothing
HARMLESS = {"polars-ooc-clea"}
SIGNAL_AT_PARENTS_DEATH = 1  # of prctl(2)


def main(arguments: list[str] | None = None) -> None:
    """Answer until the server has ended; in a forked process, be the kernel."""
    [number] = sys.argv[1:] if arguments is None else arguments
    gc.disable()  # what is not moved stays shared
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # large, and no debugger ever reaches these kernels
    for name in LOADED:
        importlib.import_module(name)
    _read_ahead()
    with socket.socket(fileno=int(number)) as channel:
        order = _answer(channel)
    if order is not None:
        _be_kernel(order)


def _answer(channel: socket.socket) -> dict[str, Any] | None:
    """Fork a kernel for each order; gives None at the end, and its order in a new kernel."""
    nursery, kernels = os.getpid(), dict[int, int]()
    waiting = select.poll()
    waiting.register(channel, select.POLLIN)
    with channel.makefile("rb") as orders:
        while True:
            for ready, _ in waiting.poll():
                if ready in kernels:
                    waiting.unregister(ready)
                    os.waitpid(kernels.pop(ready), 0)
                    os.close(ready)
                    continue
                line = orders.readline()
                if not line:
                    return None
                try:
                    pid = _fork()
                except OSError as error:
                    _say(channel, error=f"cannot fork: {error}")
                    continue
                if pid == 0:
                    for each in kernels:
                        os.close(each)
                    return {"nursery": nursery, **json.loads(line)}
                handle = os.pidfd_open(pid)
                _say(channel, handle, pid=pid)
                kernels[handle] = pid
                waiting.register(handle, select.POLLIN)


def _read_ahead() -> None:
    """Read what kernels would each read for themselves; if it cannot be read, they will say so."""
    from driftbook.config import Settings
    from driftbook.dashboard.book import read_ahead

    if "DRIFTBOOK_ROOT" in os.environ:
        with suppress(Exception):
            read_ahead(Settings.find())
    gc.collect()
    gc.freeze()


def _fork() -> int:
    others = other_threads()
    if others:
        raise OSError(f"another thread runs beside, which might hold what a kernel needs: {', '.join(others)}")
    return os.fork()


def other_threads() -> list[str]:
    """Names of the threads of this process, as the system knows them, that could hold something while it is forked."""
    names = {}
    for task in Path("/proc/self/task").iterdir():
        names[int(task.name)] = (task / "comm").read_text(encoding="utf-8").strip()
    return sorted(name for number, name in names.items() if number != os.getpid() and name not in HARMLESS)


def _say(channel: socket.socket, *handles: int, **words: Any) -> None:
    socket.send_fds(channel, [json.dumps(words).encode() + b"\n"], handles)


def _be_kernel(order: dict[str, Any]) -> None:
    """What ``python -m ipykernel_launcher`` would be, in its own session, with its own folder and environment."""
    os.setsid()
    ctypes.CDLL(None).prctl(SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
    if os.getppid() != order["nursery"]:
        sys.exit(1)  # it has ended meanwhile
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    gc.enable()
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance([*order["arguments"], f"--IPKernelApp.parent_handle={order['nursery']}"])


if __name__ == "__main__":
    main()
