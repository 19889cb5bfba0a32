"""Serves an ASGI application over HTTP/1.1 in the foreground, until a signal or until it is told to stop.

Such an application reads a body within bounds; its answer is JSON, or lost.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, cast

import uvicorn

from baton_local.stand_in.api_error import ApiError

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Awaitable[None]]

_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


async def read_body(scope: Event, receive: Receive, limit_bytes: int) -> bytes:
    """Return the whole body. Raises ApiError: it is over the limit, or the caller went away."""
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


# Longer than what clients keep connections for, so that none writes into a connection being closed.
_CLIENT_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 2
_BACKLOG = 2_048


# In a part's environment: the number of the socket that its supervisor listens on for it, so that a port is held, and
# callers wait, while the part starts (again).
GIVEN_SOCKET = "LOCAL_PART_SOCKET"


def given_socket() -> socket.socket | None:
    """Return the socket that this process was given; no process that it starts has it."""
    number = os.environ.pop(GIVEN_SOCKET, "")  # noqa: TID251 - no setting of the product
    return socket.socket(fileno=int(number)) if number else None


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Return a socket that takes callers there (the one that was given, if there is one), and its URL.

    Raises OSError: that is not possible; the text says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = given_socket() or socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(f"cannot listen on {host}:{port} ({reason}); choose another port with --port") from error
    return listener, f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


async def serve_until(stopped: asyncio.Event, app: App, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or the event; `on_ready` is called once requests would succeed."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    config = uvicorn.Config(
        cast("Any", app),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_CLIENT_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    config.load()
    server = uvicorn.Server(config)  # whose own loop would look every tenth of a second, and take the signals
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    on_ready()
    await stopped.wait()
    await server.shutdown(sockets=[listener])
