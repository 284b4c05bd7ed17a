"""Whether a visitor's kernel still lives: asked by the visitor's page every few seconds.

A kernel that was killed leaves its connection open, and what is sent there is lost without a word. So the page asks
the server, which looks at the process; of one that has ended it says what it says of one that never was.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError

from driftbook.dashboard.handlers import OwnKernel


class LivingKernel(OwnKernel):
    """What a visitor's browser may know of the visitor's kernel, as long as that lives."""

    async def prepare(self) -> None:  # type: ignore[override]
        """A kernel whose process has ended is forgotten."""
        await super().prepare()
        kernel_id = self.path_kwargs["kernel_id"]
        if self._finished or kernel_id not in self.kernels:
            return
        kernel: Any = self.kernels.get_kernel(kernel_id)
        if not await kernel.is_alive():
            self.log.warning("the kernel of a visitor has died")
            await self.kernels.shutdown_kernel(kernel_id, now=True)
            raise HTTPError(HTTPStatus.NOT_FOUND)
