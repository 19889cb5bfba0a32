"""One request and its answer, as an ASGI application sees them: `receive` and `send`.

Invariant: the answer goes out in one piece, once it is complete.
"""

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from baton_local.stand_in.asgi import App, Event

_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """A request; `feed` and `end` tell it about the body, `lost` that the caller has gone."""

    def __init__(
        self,
        scope: Event,
        write: Callable[[bytes], None],
        on_taken: Callable[[], None],
        *,
        keep_alive: bool,
    ) -> None:
        self.keep_alive = keep_alive
        self.awaits_continue, self.declared_bytes = False, 0
        for name, value in scope["headers"]:
            if name == b"expect":
                self.awaits_continue = value.lower() == b"100-continue"
            elif name == b"content-length" and value.isdigit():
                self.declared_bytes = int(value[:18])
        self.complete = self.answered = False
        self.buffered_bytes = 0
        self._scope = scope
        self._write = write
        self._on_taken = on_taken
        self._lost = False
        self._news: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._answer_start: Event = {}
        self._answer_parts: list[bytes] = []

    def run(self, app: App) -> Coroutine[Any, Any, None]:
        """Let the application answer."""
        return app(self._scope, self._receive, self._send)

    def feed(self, data: bytes) -> None:
        """A piece of the body; nobody wants it after the answer."""
        if not self.answered:
            self._parts.append(data)
            self.buffered_bytes += len(data)
            self._tell()

    def end(self) -> None:
        """The body is complete."""
        self.complete = True
        self._tell()

    def lost(self) -> None:
        """The caller has gone."""
        self._lost = True
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _receive(self) -> Event:
        if self.awaits_continue and not (self._parts or self.complete):
            self._write(_CONTINUE)
        self.awaits_continue = False
        while not (self._parts or self.complete or self._lost):
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if self._lost and not self.complete:
            return {"type": "http.disconnect"}
        body = self._take()
        self._on_taken()
        return {"type": "http.request", "body": body, "more_body": not self.complete}

    def _take(self) -> bytes:
        parts, self._parts, self.buffered_bytes = self._parts, [], 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self._answer_start = event
            return
        self._answer_parts.append(event.get("body", b""))
        if not event.get("more_body", False):
            self._answer()

    def _answer(self) -> None:
        self.answered = True
        self._take()
        if self.awaits_continue and not self.complete:
            self.keep_alive = False  # it is open whether the body still comes (RFC 9110 10.1.1)
        lines = [_STATUS_LINES[self._answer_start["status"]]]
        lines += [b"%b: %b\r\n" % (name, value) for name, value in self._answer_start["headers"]]
        lines.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        if self._scope["method"] != "HEAD":
            lines += self._answer_parts
        self._write(b"".join(lines))
