"""How long a connection is waited for, and how long the head of a request may be.

Without it a caller who sends half a request and falls silent, or asks and never reads what is answered, holds one of
the connections there are for ever, and a thousand such callers shut everybody out, without any key. A proxy before the
service does the same for those it lets in; this is for who has none.

A connection is looked at now and then, not timed from each request: that costs a request nothing.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOOK_SECONDS = 20.0  # who is waited for at one look, and for the same at the next, loses the connection
LONGEST_HEAD = 65_536  # bytes of a request that are not its body: request line, headers, trailers

# Java's client asks to go on in HTTP/2 in its first request; the parser takes what follows for that, and loses the body
H2C = re.compile(rb"(?i)(?<=\r\n)upgrade(?=:[ \t]*h2c\b)")


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP on httptools, which drops a connection whose caller neither sends nor takes what is due."""

    _begun = 0  # requests
    _whole = False
    _head = 0
    _seen: Any = None
    _next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A caller came, and has to say something."""
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came: a whole request, as nearly always, or a part of one."""
        self._head += len(data)
        if b"h2c" in data:
            data = H2C.sub(b"Ignored", data)
        super().data_received(data)
        if self._head > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(f"expected at most {LONGEST_HEAD} bytes of headers, found more.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begun += 1
        self._whole = False
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._head -= len(body)
        super().on_body(body)

    def on_chunk_header(self) -> None:
        """A part of its body begins whose length was not told before, or the trailers do; few requests have them."""
        self._head = 0

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._whole = True
        self._head = 0
        super().on_message_complete()

    def _look(self) -> None:
        deaf = self.flow.write_paused or self.transport.is_closing()  # closing waits for what was not taken yet
        found = (self._begun, self._whole, deaf)
        if found == self._seen and (deaf or not self._whole):
            self.transport.abort()
            return
        self._seen = found
        self._next_look = self.loop.call_later(LOOK_SECONDS, self._look)
