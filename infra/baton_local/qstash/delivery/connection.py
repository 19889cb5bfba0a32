"""One connection to a destination: a request out, its answer in, and again while both sides keep it.

Written on httptools, because an HTTP client's sessions, streams and timers cost a small delivery more than the
delivery itself.
Invariant: one exchange at a time. Whatever the other side sends, what is kept of it is bounded, and an exchange ends
in time, with an answer or an error.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

import httptools

from baton_local.qstash.core.headers import canonical_map
from baton_local.qstash.core.message import AttemptResult

_MAX_HEAD_BYTES = 65_536
# Silence of 25 s before and while an answer is awaited (10 s, then three questions), or a request that nobody took in
# for 60 s; in seconds, and for the last one in milliseconds.
_DEATH = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
_FIRST_FINAL_STATUS, _SWITCHING_PROTOCOLS = 200, 101


def notice_death(made: socket.socket | None) -> None:
    """Have the kernel end a connection whose other side is gone without a word, as far as the system can.

    A machine that vanished would else keep its slot until the delivery's own limit, minutes later.
    """
    if made is None:
        return
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _DEATH.items():
        option = getattr(socket, name, None)
        if option is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)


class Connection(asyncio.Protocol):
    """Use `exchange` while it is free; `on_free` is called when it is free again."""

    def __init__(self, max_body_bytes: int, on_free: Callable[["Connection"], None]) -> None:
        self._max_body_bytes = max_body_bytes
        self._on_free = on_free
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[AttemptResult] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._status, self._body_bytes, self._head_complete = 0, 0, False
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self.head_bytes = 0  # of the answer, so far
        self.free_since = 0.0
        self.closed = False

    def exchange(self, request: bytes, seconds: float) -> asyncio.Future[AttemptResult]:
        """Send a request; the answer, TimeoutError, or ConnectionError or ValueError if there comes none."""
        self._status, self._body_bytes, self._head_complete = 0, 0, False
        self._headers, self._body, self.head_bytes = [], [], 0
        self._answer = self._loop.create_future()
        self._limit = self._loop.call_later(seconds, self._fail, TimeoutError())
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Give the connection up, and the exchange with it."""
        self.closed = True
        self._take_answer()
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Get ready."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting
        notice_death(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer; bytes that were not requested end the connection."""
        if self._answer is None:
            self.close()
            return
        if not self._head_complete:
            self.head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.close()  # it has answered, and now speaks another protocol
        except httptools.HttpParserError as error:
            self._fail(ValueError(f"the answer is not HTTP/1.1 ({error})"))
        if not self._head_complete and self.head_bytes > _MAX_HEAD_BYTES:
            self._fail(ValueError(f"the head of the answer does not end within {_MAX_HEAD_BYTES} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange: a close by the other side may be how a body ends (RFC 9112 6.3)."""
        self.closed = True
        if self._head_complete and exc is None and not self._declares_length():
            self._finish(keep=False)
        else:
            self._fail(ConnectionError(str(exc) if exc else "the connection was closed before the answer was complete"))

    def on_message_begin(self) -> None:
        """Begin an answer, or the announcement of one; refuse a second answer."""
        if self._answer is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the answer; drop one that comes after its body."""
        if not self._head_complete:
            self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Take the head of the answer, unless it only announces one (1xx)."""
        self._status = self._parser.get_status_code()
        self._head_complete = self._status >= _FIRST_FINAL_STATUS or self._status == _SWITCHING_PROTOCOLS

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; give up the rest at the limit."""
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes >= self._max_body_bytes:
            self._finish(keep=False)

    def on_message_complete(self) -> None:
        """End the answer, or its announcement."""
        if self._head_complete:
            self._finish(keep=self._status != _SWITCHING_PROTOCOLS and self._parser.should_keep_alive())
        else:
            self._headers = []

    def _declares_length(self) -> bool:
        return any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in self._headers)

    def _take_answer(self) -> asyncio.Future[AttemptResult] | None:
        answer, self._answer = self._answer, None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        return None if answer is None or answer.done() else answer

    def _finish(self, *, keep: bool) -> None:
        answer = self._take_answer()
        if answer is None:
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer.set_result(AttemptResult(self._status, canonical_map(self._headers), body[: self._max_body_bytes]))
        if keep and not self._transport.get_write_buffer_size():
            self.free_since = self._loop.time()
            self._on_free(self)
        else:
            self.close()

    def _fail(self, error: Exception) -> None:
        answer = self._take_answer()
        if answer is not None:
            answer.set_exception(error)
        self.close()
