"""The few pieces of ASGI that the server uses: a bounded body in, a JSON answer out."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from baton_local.vector.core.errors import ApiError, malformed

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


async def read_body(scope: Scope, receive: Receive, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        ApiError: it is over the limit, or the caller went away.
    """
    too_large = ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: is over the limit of {limit_bytes} bytes")
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if declared.isdigit() and int(declared[:18]) > limit_bytes:
        raise too_large
    parts: list[bytes] = []
    size_bytes, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise malformed("the request ended before its body was complete")
        parts.append(event.get("body", b""))
        size_bytes += len(parts[-1])
        if size_bytes > limit_bytes:
            raise too_large
        more = event.get("more_body", False)
    return b"".join(parts)


async def send_json(send: Send, status: int, value: Any) -> None:
    """Answer."""
    body = _dump(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, status: int, message: str) -> None:
    """Answer in the service's form of an error (vector-rest.md 1)."""
    await send_json(send, status, {"error": message, "status": int(status)})
