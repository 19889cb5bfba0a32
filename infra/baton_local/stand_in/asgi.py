"""HTTP/1.1 requests out of received bytes, and each with its answer as an ASGI application sees them.

A body is read within bounds, an answer is JSON. Invariants: a head is bounded, and targets are passed on as sent. An
answer goes out in one piece, once it is complete.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

import httptools

from baton_local.stand_in.api_error import ApiError

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Coroutine[Any, Any, None]]

_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


async def read_body(scope: Event, receive: Receive, limit_bytes: int) -> bytes:
    """Return the whole body.

    Raises:
        ApiError: it is over the limit, or the caller went away.
    """
    too_large = ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: is over the limit of {limit_bytes} bytes")
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared[:18]) > limit_bytes:
        raise too_large
    parts: list[bytes] = []
    size_bytes, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ApiError(HTTPStatus.BAD_REQUEST, "the request ended before its body was complete")
        parts.append(event.get("body", b""))
        size_bytes += len(parts[-1])
        if size_bytes > limit_bytes:
            raise too_large
        more = event.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_json(send: Send, status: int, value: Any, headers: Iterable[tuple[str, str]] = ()) -> None:
    """Answer with a JSON value; None is an empty body."""
    body = b"" if value is None else _dump(value).encode()
    fields = [(b"content-length", str(len(body)).encode())]
    if body:
        fields.append((b"content-type", b"application/json"))
    fields += [(name.lower().encode(), text.encode()) for name, text in headers]
    await send({"type": "http.response.start", "status": int(status), "headers": fields})
    await send({"type": "http.response.body", "body": body})


_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """A request; `feed` and `end` pass it the body, `lost` reports that the caller has gone."""

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
        """Pass on a piece of the body; drop it after the answer."""
        if not self.answered:
            self._parts.append(data)
            self.buffered_bytes += len(data)
            self._notify()

    def end(self) -> None:
        """End the body."""
        self.complete = True
        self._notify()

    def lost(self) -> None:
        """Note that the caller has gone."""
        self._lost = True
        self._notify()

    def _notify(self) -> None:
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


_MAX_HEAD_BYTES = 65_536


class BadRequestError(Exception):
    """Nothing can be read after this."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Requests(Protocol):
    """Who receives what was read."""

    def begin(self, scope: Event, *, keep_alive: bool) -> None:
        """Begin a request, whose body may follow."""
        ...

    def body(self, data: bytes) -> None:
        """Take a piece of the body."""
        ...

    def end(self) -> None:
        """End the request."""
        ...


class RequestReader:
    """The callbacks of httptools' parser."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._parser = httptools.HttpRequestParser(self)
        self._in_head, self._head_bytes, self._target = False, 0, b""
        self._headers: list[tuple[bytes, bytes]] = []

    def feed(self, data: bytes) -> None:
        """Take in received bytes; BadRequestError if they are no requests, or too long a head."""
        if self._in_head:
            self._head_bytes += len(data)
        while data:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:  # an offer that need not be taken (RFC 9110 7.8)
                data = data[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                raise BadRequestError(HTTPStatus.BAD_REQUEST, f"the request is not HTTP/1.1 ({error})") from error
        if self._in_head and self._head_bytes > _MAX_HEAD_BYTES:
            text = f"the head of the request is over {_MAX_HEAD_BYTES} bytes; send less"
            raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._head_bytes, self._target, self._headers = True, 0, b"", []

    def on_url(self, url: bytes) -> None:
        """Keep a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; drop one after the body, which is none of the head (RFC 9110 6.5.1)."""
        if self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """End the head."""
        self._in_head = False
        path, _, query = self._target.partition(b"?")
        if not path.startswith(b"/"):  # the form for proxies (RFC 9112 3.2.2)
            url = httptools.parse_url(self._target)
            path, query = url.path or b"/", url.query or b""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": self._parser.get_http_version(),
            "scheme": "http",
            "method": self._parser.get_method().decode("ascii"),
            "path": unquote_to_bytes(path).decode("utf-8", "replace") if b"%" in path else path.decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "headers": self._headers,
        }
        self._requests.begin(scope, keep_alive=self._parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._requests.body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._requests.end()
