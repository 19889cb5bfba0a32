"""The official SDK, synchronous or asynchronous, behind one way to call it: `await sdk.message.publish(...)`."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from qstash import AsyncQStash, QStash

RESOURCES = ("message", "url_group", "queue", "schedule", "signing_key", "log", "dlq", "flow_control")
RETRY_FAST: Any = {"retries": 200, "backoff": lambda _attempt: 50}


class _Resource:
    """One resource class of the SDK; calls of the synchronous one run in a thread."""

    def __init__(self, real: object) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._real, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            if inspect.iscoroutinefunction(method):
                return await method(*arguments, **options)
            return await asyncio.to_thread(method, *arguments, **options)

        return call


class EitherClient:
    message: Any
    url_group: Any
    queue: Any
    schedule: Any
    signing_key: Any
    log: Any
    dlq: Any
    flow_control: Any

    def __init__(self, kind: str, token: str, url: str, retry: Any = False) -> None:
        make = QStash if kind == "sync" else AsyncQStash
        self._client: Any = make(token, base_url=url, retry=retry)
        for name in RESOURCES:
            setattr(self, name, _Resource(getattr(self._client, name)))

    async def close(self) -> None:
        transport = self._client.http._client
        if isinstance(self._client, AsyncQStash):
            await transport.aclose()
        else:
            transport.close()
