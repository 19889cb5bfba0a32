"""A request byte by byte: what no well-behaved client would send."""

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_LIMIT_SECONDS = 120
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class RawAnswer:
    """What came back until the server closed; status 0 if that was no HTTP answer."""

    status: int
    body: bytes

    @property
    def error(self) -> Any:
        """The text of the error that the body tells as JSON; None if it tells none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return None
        return content.get("error") if isinstance(content, dict) else None


def raw_request(
    url: str,
    method: str = "POST",
    target: str = "/",
    body: bytes = b"",
    headers: tuple[str, ...] = (),
    *,
    token: str = "",
) -> RawAnswer:
    """Send a request, whatever is in its parts."""
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"Content-Length: {len(body)}",
        f"Authorization: Bearer {token}",
        *headers,
    ]
    return raw_bytes(url, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def raw_bytes(url: str, data: bytes) -> RawAnswer:
    """Send bytes and read until the end; a server may answer and close before it has read everything."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port), timeout=_LIMIT_SECONDS) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(_CHUNK_BYTES):
                received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return RawAnswer(0, received)
    return RawAnswer(int(words[1]), body)


@contextlib.contextmanager
def held_open(url: str, data: bytes, count: int) -> Iterator[None]:
    """Connections that have sent this and send nothing more."""
    parts = urlsplit(url)
    with contextlib.ExitStack() as connections:
        for _ in range(count):
            connection = socket.create_connection((parts.hostname, parts.port), timeout=_LIMIT_SECONDS)
            connections.enter_context(connection)
            connection.sendall(data)
        yield
