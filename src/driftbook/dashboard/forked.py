"""Kernels that are forked instead of started: how the server asks its nursery for one, and looks after it.

Jupyter starts kernels through provisioners; ours asks a :class:`Nursery` and watches the kernel by a handle of the
system's which, unlike a process number, never means another process. Where a nursery cannot fork, a kernel is started
from nothing, as everywhere but on Linux: slower and larger, but the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from driftbook.errors import DriftbookError

PROVISIONER = "driftbook-nursery"
CAN_FORK = sys.platform == "linux"  # elsewhere it is not safe once the system's libraries are loaded
ANSWER_BYTES = 4_096
PATIENCE_SECONDS = 120.0  # for all that it loads, on a machine that does much else
# read when a library is loaded, thus too late in a kernel: polars' memory is given back at once instead of by a thread
# that would look after it and may not be there when a kernel is forked
ALONE = {
    "OPENBLAS_NUM_THREADS": "1",
    "_RJEM_MALLOC_CONF": "background_thread:false,dirty_decay_ms:0,muzzy_decay_ms:0",
}


class NurseryError(DriftbookError):
    """No kernel could be forked."""


class Fork:
    """A forked process, with the few words of ``subprocess.Popen`` that a provisioner uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, handle: int) -> None:
        self.pid, self._handle = pid, handle

    def poll(self) -> int | None:
        """None while it lives; how it ended, only the nursery knows."""
        return 0 if self._ended(timeout=0) else None

    def wait(self) -> int:
        """Until it has ended."""
        self._ended(timeout=None)
        return 0

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, *, timeout: float | None) -> bool:
        look = select.poll()
        look.register(self._handle, select.POLLIN)
        return bool(look.poll(timeout))

    def __del__(self) -> None:
        os.close(self._handle)


class Nursery:
    """The nursery of a server: started with the first kernel, and anew if it died."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {name: value for name, value in environment.items() if name != "JPY_PARENT_PID"} | ALONE
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._asking = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Number of its process; None before the first kernel."""
        return None if self._process is None else self._process.pid

    async def fork(self, arguments: Sequence[str], *, environment: Mapping[str, str], folder: str) -> Fork:
        """A new kernel.

        Parameters
        ----------
        arguments
            What follows ``python -m ipykernel_launcher``.

        Raises
        ------
        NurseryError
            If it refuses, or there is no nursery although it was started anew.
        """
        order = {"arguments": list(arguments), "environment": dict(environment), "folder": folder}
        line = json.dumps(order).encode() + b"\n"
        for _ in range(2):
            channel = self._open()
            with suppress(OSError):
                found, handles = await asyncio.to_thread(self._ask, channel, line)
                if found:
                    return _fork_of(json.loads(found), handles)
            if channel is self._channel:
                self.close()
        raise NurseryError("the process that kernels are forked from ended twice; the log says why")

    def close(self) -> None:
        """End it, and with it the kernels that still live."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._channel is not None:
            with self._asking:  # who waits for an answer is told at once that there will be none
                self._channel.close()
        self._channel = self._process = None

    def _open(self) -> socket.socket:
        """Start it, unless it lives; by the thread that lives as long as the server."""
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._channel is None:
            ours, theirs = socket.socketpair()
            ours.settimeout(PATIENCE_SECONDS)
            command = [sys.executable, "-P", "-m", "driftbook.dashboard.nursery", str(theirs.fileno())]
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    env=self._environment,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            self._channel = ours
        return self._channel

    def _ask(self, channel: socket.socket, line: bytes) -> tuple[bytes, list[int]]:
        with self._asking:
            channel.sendall(line)
            found, handles, _, _ = socket.recv_fds(channel, ANSWER_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
            return found, handles


def _fork_of(answer: Mapping[str, Any], handles: Sequence[int]) -> Fork:
    if "error" in answer:
        raise NurseryError(answer["error"])
    return Fork(answer["pid"], handles[0])


class NurseryProvisioner(LocalProvisioner):
    """Forks a kernel, where Jupyter would start one."""

    async def launch_kernel(self, cmd: list[str], **given: Any) -> KernelConnectionInfo:
        """A kernel with the arguments of a command; one from nothing, if none can be forked."""
        kernel: Any = self.parent
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        folder = str(given.get("cwd") or os.getcwd())
        try:
            self.process = await kernel.parent.nursery.fork(arguments, environment=given["env"], folder=folder)
        except NurseryError:
            self.log.exception("a kernel is started from nothing, since none could be forked")
            return await super().launch_kernel(cmd, **given)
        self.pid, self.cwd = self.process.pid, folder
        return self.connection_info


def register() -> None:
    """Let Jupyter know our provisioner by its name, in this process."""
    place = f"{__name__}:{NurseryProvisioner.__name__}"
    entry = EntryPoint(PROVISIONER, place, KernelProvisionerFactory.GROUP_NAME)
    KernelProvisionerFactory.provisioners[PROVISIONER] = entry
