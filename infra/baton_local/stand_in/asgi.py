"""What a stand-in's ASGI application does with a request: a body is read within bounds, an answer is JSON or lost."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

from baton_local.stand_in.api_error import ApiError

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Awaitable[None]]

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


async def lose_answer(send: Send) -> None:
    """Begin an answer and leave it: the server breaks the connection off."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
