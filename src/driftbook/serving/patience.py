"""How long a connection is waited for, and how long the head of a request may be.

Without it a caller who sends half a request and falls silent holds one of the connections there are for ever, and a
thousand such callers shut everybody out, without any key. A proxy before the service does the same for those it lets
in; this is for who has none.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 20.0  # from the first byte of a request, or from the connection, until all of it is here
LONGEST_HEAD = 65_536  # bytes of the request line and the headers


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP on httptools, which closes a connection whose request does not come to its end in time."""

    _whole = False
    _head = 0
    _reading_head = True
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A caller came, and has to say something."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        self._be_content()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came: a whole request, as nearly always, or a part of one."""
        self._head += len(data)
        super().data_received(data)
        if self._whole:
            self._be_content()
        elif self._patience is None:
            self._wait()
        if self._reading_head and self._head > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(f"expected at most {LONGEST_HEAD} bytes of headers, found more.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._whole = False
        self._reading_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body begins."""
        self._reading_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._whole = True
        self._head = 0
        super().on_message_complete()

    def _wait(self) -> None:
        self._patience = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _be_content(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
