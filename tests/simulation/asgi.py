"""A reader that follows an answer piece by piece, and the app as it is called on Lambda."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from baton.testing.asgi import OK, scope_of


async def follow(
    app: ASGIApp, path: str, headers: Mapping[str, str], received: Callable[[str], bool], body: bytes = b""
) -> int:
    """Read an answer piece by piece, as long as `received` wants more; its status, 0 where it was broken off.

    `body`: of a POST; empty: it is a GET. What escapes from the app after it has begun to answer is the connection that
    breaks.
    """
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)
        text = message.get("body", b"").decode()
        if status == OK and text and not received(text):
            raise OSError("the reader has gone")

    try:
        await app(scope_of(path, headers, "POST" if body else "GET"), receive, send)
    except Exception:
        if not status:
            raise
    return status


def behind_lambda(app: ASGIApp) -> ASGIApp:
    """The app as Mangum calls it, with Lambda's event in the scope: its answers are handed over whole."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "aws.event": {}}, receive, send)

    return called
