"""The transport of requests: over httpx's client for asyncio, or over its blocking one.

Calls are written once, as coroutines. Over `BlockingExchange` they never wait for an event loop, so such a coroutine
runs to its end in one step: `blocking` and `iterating` make plain methods of it. Must not: know a path of the API.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import httpx

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class Exchange(Protocol):
    """Sends requests, and pauses between them."""

    build: Callable[..., httpx.Request]  # makes a request

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Send the request. `stream`: the body is left unread."""
        ...

    async def read(self, response: httpx.Response) -> None:
        """Read an unread body."""
        ...

    def texts(self, response: httpx.Response) -> AsyncIterator[str]:
        """Yield the body as it comes."""
        ...

    async def hang_up(self, response: httpx.Response) -> None:
        """End a stream."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class AsyncExchange:
    """On the event loop."""

    def __init__(self, timeout_seconds: float, transport: httpx.AsyncBaseTransport | None) -> None:
        if transport is None:
            from baton_events.proxies import AsyncEnvironmentTransport  # noqa: PLC0415 - whoever has its own needs none

            transport = AsyncEnvironmentTransport(limit_bytes=None)  # its server is the caller's own
        self._http = httpx.AsyncClient(timeout=timeout_seconds, transport=transport)
        self.build: Callable[..., httpx.Request] = self._http.build_request

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        return await self._http.send(request, stream=stream)

    async def read(self, response: httpx.Response) -> None:
        """Read an unread body."""
        await response.aread()

    def texts(self, response: httpx.Response) -> AsyncIterator[str]:
        """Yield the body as it comes."""
        return response.aiter_text()

    async def hang_up(self, response: httpx.Response) -> None:
        """End a stream."""
        await response.aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        await self._http.aclose()


class BlockingExchange:
    """In the caller's thread; its coroutines never suspend."""

    def __init__(self, timeout_seconds: float, transport: httpx.BaseTransport | None) -> None:
        if transport is None:
            from baton_events.proxies import EnvironmentTransport  # noqa: PLC0415 - as above

            transport = EnvironmentTransport()
        self._http = httpx.Client(timeout=timeout_seconds, transport=transport)
        self.build: Callable[..., httpx.Request] = self._http.build_request

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        return self._http.send(request, stream=stream)

    async def read(self, response: httpx.Response) -> None:
        """Read an unread body."""
        response.read()

    async def texts(self, response: httpx.Response) -> AsyncIterator[str]:
        """Yield the body as it comes."""
        for text in response.iter_text():
            yield text

    async def hang_up(self, response: httpx.Response) -> None:
        """End a stream."""
        response.close()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - it runs on no event loop

    async def close(self) -> None:
        self._http.close()


def finished(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine that never suspends, and return its result."""
    try:
        work.send(None)
    except StopIteration as end:
        result: Answer = end.value
        return result
    work.close()
    raise RuntimeError("a call over a blocking exchange waited for an event loop")


def blocking(
    method: Callable[Concatenate[Any, Arguments], Coroutine[Any, Any, Answer]],
) -> Callable[Concatenate[Any, Arguments], Answer]:
    """Make a plain method of a call: it runs over the client's `_calls`."""

    def call(self: Any, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return finished(method(self._calls, *args, **kwargs))

    update_wrapper(call, method)
    return call


def iterating(
    method: Callable[Concatenate[Any, Arguments], AsyncGenerator[Answer, None]],
) -> Callable[Concatenate[Any, Arguments], Generator[Answer, None, None]]:
    """Make a plain generator of a call that yields one answer after another."""

    def call(self: Any, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Generator[Answer, None, None]:
        found = method(self._calls, *args, **kwargs)
        try:
            while True:
                try:
                    answer = finished(anext(found))
                except StopAsyncIteration:
                    return
                yield answer
        finally:
            finished(found.aclose())

    update_wrapper(call, method)
    return call
