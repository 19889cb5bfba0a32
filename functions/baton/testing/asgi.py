"""One HTTP request to an ASGI app, without a client library and without a socket."""

from collections.abc import Mapping, MutableMapping, Sequence
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct
from starlette.types import ASGIApp

OK, MULTIPLE_CHOICES = 200, 300


class Answer(Struct, frozen=True):
    """The app's answer."""

    status: int
    raw_headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name, in lower case."""
        return {name.decode(): value.decode() for name, value in self.raw_headers}


async def request(app: ASGIApp, path: str, headers: Mapping[str, str], body: bytes, method: str = "POST") -> Answer:
    """Send the app a request. An exception after its answer (starlette raises errors again) is ignored."""
    sent = list[MutableMapping[str, Any]]()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    try:
        await app(scope_of(path, headers, method), receive, send)
    except Exception:
        if not sent:
            raise
    begin, *rest = sent
    text = rest[0]["body"] if len(rest) == 1 else b"".join(message.get("body", b"") for message in rest)
    return Answer(begin["status"], begin["headers"], text)


@cache
def _wire_name(name: str) -> bytes:
    return name.lower().encode()


@lru_cache(maxsize=4096)
def _wire_value(value: str) -> bytes:
    return value.encode()


def scope_of(path: str, headers: Mapping[str, str], method: str) -> dict[str, Any]:
    """Make the scope of one request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(_wire_name(name), _wire_value(value)) for name, value in headers.items()],
        "client": ("192.0.2.1", 40_000),
        "server": ("baton.test", 443),
    }
