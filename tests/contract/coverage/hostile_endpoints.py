"""Destinations that behave badly, each on a port of its own in one thread."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

_HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
_PAUSE_SECONDS = 0.01

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def _never_answer(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _stream_for_ever(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD + b"\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def _drip_for_ever(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD + b"Content-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await asyncio.sleep(_PAUSE_SECONDS)


async def _headers_for_ever(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD)
    while True:
        writer.write(b"X-More: " + b"x" * 1_000 + b"\r\n")
        await writer.drain()


async def _redirect(writer: asyncio.StreamWriter) -> None:
    # It closes, so it says so: a client that took the connection for a kept one would lose its next request on it.
    writer.write(b"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")


async def _garbage(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff not HTTP at all\r\n\r\n")


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


BEHAVIOURS: dict[str, Behaviour] = {
    "never answers": _never_answer,
    "streams for ever": _stream_for_ever,
    "drips for ever": _drip_for_ever,
    "sends headers for ever": _headers_for_ever,
    "redirects to itself": _redirect,
    "answers garbage": _garbage,
    "hangs up": _hang_up,
}


class HostileEndpoints:
    """All of them; `url(name)` is the address of one, `calls` counts how often each was called."""

    def __init__(self) -> None:
        self.calls = dict.fromkeys(BEHAVIOURS, 0)
        self._ports: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._servers: list[asyncio.Server] = []
        self._handlers: set[asyncio.Task[None]] = set()

    def url(self, name: str) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._ports[name]}/"

    async def _start(self) -> None:
        for name, behave in BEHAVIOURS.items():
            server = await asyncio.start_server(self._serving(name, behave), "127.0.0.1", 0)
            self._servers.append(server)
            self._ports[name] = server.sockets[0].getsockname()[1]

    def _serving(
        self, name: str, behave: Behaviour
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._handlers.add(task)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await reader.readuntil(b"\r\n\r\n")
                self.calls[name] += 1
                await behave(writer)
                await writer.drain()
            writer.close()
            self._handlers.discard(task)

        return serve

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._handlers):
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
