"""HTTP/1.1 requests out of received bytes.

Invariant: a request is passed on once it is complete, with its target still percent-encoded and its body as raw bytes.
A request whose body is over the size limit is passed on too, marked and without it, so that the client can be told (an
answer in the middle of an upload would be lost with the connection). It writes nothing and knows nothing of Redis.
"""

from collections.abc import Callable

import httptools


class Request:
    """A complete request. A plain class with slots: one is made per command."""

    __slots__ = ("body", "headers", "keep_alive", "method", "size_bytes", "target", "too_large")

    def __init__(self, method: bytes, target: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.size_bytes = 0
        self.too_large = False
        self.keep_alive = True


class RequestReader:
    """The callbacks of httptools' parser."""

    def __init__(
        self, limit_bytes: int, on_request: Callable[[Request], None], on_expect_continue: Callable[[], None]
    ) -> None:
        self._limit_bytes = limit_bytes
        self._on_request = on_request
        self._on_expect_continue = on_expect_continue
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def feed(self, data: bytes) -> None:
        """Take in received bytes.

        Raises:
            httptools.HttpParserError: this is not HTTP/1.x, or its head has no end.
        """
        rest = data
        while rest:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                # An offer to switch protocols (h2c, say) may be ignored (RFC 9110 7.8); the request itself is complete.
                rest = rest[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            else:
                break
        if self._url and not self._head_complete:
            self._head_bytes += len(data)
            if self._head_bytes > self._limit_bytes:
                raise httptools.HttpParserError(f"no end of the head within {self._limit_bytes} bytes")

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._head_complete = False

    def on_url(self, url: bytes) -> None:
        """Keep a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of a repeated one the last counts."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Prepare for the body, if there is one."""
        self._head_complete = True
        if b"expect" in self._headers and self._headers[b"expect"].lower() == b"100-continue":
            self._on_expect_continue()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; over the limit count it only."""
        self._body_bytes += len(body)
        if self._body_bytes <= self._limit_bytes:
            self._body.append(body)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        """Complete the request."""
        body = self._body
        request = Request(
            self._parser.get_method(), self._url, self._headers, body[0] if len(body) == 1 else b"".join(body)
        )
        request.size_bytes = self._body_bytes
        request.too_large = self._body_bytes > self._limit_bytes
        request.keep_alive = self._parser.should_keep_alive()
        self._begin()
        self._on_request(request)
