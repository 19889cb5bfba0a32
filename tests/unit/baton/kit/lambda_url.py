"""Lambda function URL events (payload version 2.0), and a thread that invokes handlers with them.

Invariant: the loop that a handler makes belongs to that thread, and is closed with it.
"""

import asyncio
import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self


def url_event(path: str, body: bytes, headers: dict[str, str], *, encoded: bool = True) -> dict[str, Any]:
    """A POST as a function URL hands it over."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "fn.lambda-url.eu-central-1.on.aws", **headers},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "fn",
            "domainName": "fn.lambda-url.eu-central-1.on.aws",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "Upstash-QStash",
            },
            "requestId": "request-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "15/Jan/2027:08:00:00 +0000",
            "timeEpoch": 1_800_000_000_000,
        },
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }


class Invoker:
    """One thread, as the runtime has one."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def invoke(self, handler: Callable[[Any, Any], Any], event: dict[str, Any]) -> Any:
        """One invocation."""
        return self._thread.submit(handler, event, None).result(30)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the loop, then the thread."""
        self._thread.submit(_close_loop).result(30)
        self._thread.shutdown()


def _close_loop() -> None:
    policy = asyncio.get_event_loop_policy()
    try:
        loop = policy.get_event_loop()
    except RuntimeError:
        return  # no handler made one
    loop.close()
    asyncio.set_event_loop(None)
