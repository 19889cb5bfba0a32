"""One HTTP request to an ASGI app, without a client library and without a socket."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

OK = 200


class Answer(Struct, frozen=True):
    """What the app answered."""

    status: int
    raw_headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """By name, in lower case."""
        return {name.decode(): value.decode() for name, value in self.raw_headers}


async def request(app: ASGIApp, path: str, headers: Mapping[str, str], body: bytes, method: str = "POST") -> Answer:
    """Ask the app. What escapes from it after it has answered (starlette raises errors again) is left out."""
    sent = list[MutableMapping[str, Any]]()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    try:
        await app(_scope(path, headers, method), receive, send)
    except Exception:
        if not sent:
            raise
    begin, *rest = sent
    text = rest[0]["body"] if len(rest) == 1 else b"".join(message.get("body", b"") for message in rest)
    return Answer(begin["status"], begin["headers"], text)


async def follow(app: ASGIApp, path: str, headers: Mapping[str, str], heard: Callable[[str], bool]) -> int:
    """Read an answer piece by piece, as long as `heard` wants more; its status, 0 where it was broken off.

    What escapes from the app after it has begun to answer is the connection that breaks.
    """
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)
        text = message.get("body", b"").decode()
        if status == OK and text and not heard(text):
            raise OSError("the reader has gone")

    try:
        await app(_scope(path, headers, "GET"), receive, send)
    except Exception:
        if not status:
            raise
    return status


def behind_lambda(app: ASGIApp) -> ASGIApp:
    """The app as Mangum calls it, with Lambda's event in the scope: its answers are handed over whole."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "aws.event": {}}, receive, send)

    return called


@cache
def _wire_name(name: str) -> bytes:
    return name.lower().encode()


@lru_cache(maxsize=4096)
def _wire_value(value: str) -> bytes:
    return value.encode()


def _scope(path: str, headers: Mapping[str, str], method: str) -> dict[str, Any]:
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
