"""Whoever speaks HTTP, what goes wrong on the wire is an error of ours with the store's or queue's address."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton.storage.redis.connection import RedisConnection
from baton_events.errors import PublishError, StoreError
from baton_events.messages import Outgoing

TRANSPORTS: list[Literal["httpx", "httptools"]] = ["httpx", "httptools"]
WIRES: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"result":',
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bad encoding": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
    "elsewhere": b"HTTP/1.1 301 Moved\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n",
}


@asynccontextmanager
async def server(wire: bytes) -> AsyncIterator[str]:
    stays = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if wire:
            writer.write(wire)
        else:
            await stays.wait()
        writer.close()

    made = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with made:
        yield f"http://127.0.0.1:{made.sockets[0].getsockname()[1]}"
        stays.set()
        await asyncio.sleep(0)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("wire", WIRES)
async def test_whatever_is_wrong_on_the_wire_is_an_error_by_name(
    transport: Literal["httpx", "httptools"], wire: str
) -> None:
    """Never an exception of a library, and never a wait without end."""
    async with server(WIRES[wire]) as url:
        settings = Settings(
            redis_url=url,
            redis_token="t",
            store_timeout_seconds=1,
            qstash_url=url,
            qstash_token="t",
            queue_timeout_seconds=1,
            http_transport=transport,
        )
        redis, queue = RedisConnection(settings), QStashQueue(settings)
        requests: list[tuple[type[Exception], Callable[[], Awaitable[object]]]] = [
            (StoreError, lambda: redis.execute("GET", "a")),
            (PublishError, lambda: queue.publish([Outgoing(body="{}", url="https://fn.example.com")])),
        ]
        for kind, ask in requests:
            with pytest.raises(kind, match=url):
                await ask()
        await redis.close()
        await queue.close()
