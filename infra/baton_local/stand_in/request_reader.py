"""HTTP/1.1 requests out of received bytes, as ASGI scopes and pieces of bodies.

Invariant: a head is bounded, and targets are passed on as sent. It writes nothing and answers nothing.
"""

from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote_to_bytes

import httptools

from baton_local.stand_in.asgi import Event

_MAX_HEAD_BYTES = 65_536


class BadRequestError(Exception):
    """Nothing can be read after this."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Requests(Protocol):
    """Who is told what was read."""

    def begin(self, scope: Event, *, keep_alive: bool) -> None:
        """A request, whose body may follow."""
        ...

    def body(self, data: bytes) -> None:
        """A piece of its body."""
        ...

    def end(self) -> None:
        """It is complete."""
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
        """A request."""
        self._in_head, self._head_bytes, self._target, self._headers = True, 0, b"", []

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one after the body, which is not taken for one of the head (RFC 9110 6.5.1)."""
        if self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The end of its head."""
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
        """A piece of its body."""
        self._requests.body(body)

    def on_message_complete(self) -> None:
        """Its end."""
        self._requests.end()
