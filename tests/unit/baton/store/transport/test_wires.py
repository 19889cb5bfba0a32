"""What goes wrong on the wire, in TLS as in HTTP, is an error of ours with an address, whoever speaks HTTP."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import trustme

from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton_events import proxies
from baton_events.errors import PublishError, QueueUnreachableError, StoreError
from baton_events.messages import Outgoing

TRANSPORTS: list[Literal["httpx", "httptools"]] = ["httpx", "httptools"]
MESSAGE = Outgoing(body="{}", url="https://fn.example.com")
ANSWERS = {"/": {"result": "PONG"}, "/v2/publish/https://fn.example.com": {"messageId": "msg_1"}}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is known to this process, as operators make theirs known."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    proxies.tls_context.cache_clear()
    yield
    proxies.tls_context.cache_clear()


def served_by(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@asynccontextmanager
async def server(authority: trustme.CA, host: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Store and queue with a certificate of `host`, at 127.0.0.1; the heads that came, with one of each connection."""
    found: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append(b"connection")
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
                await reader.readexactly(sum(lengths))
                found.append(head)
                body = json.dumps(ANSWERS[head.decode().split(" ", 2)[1]]).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    made = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=served_by(authority, host))
    async with made:
        yield f"https://127.0.0.1:{made.sockets[0].getsockname()[1]}", found
        await asyncio.sleep(0.01)


def settings(url: str, transport: Literal["httpx", "httptools"]) -> Settings:
    return Settings(redis_url=url, redis_token="t", qstash_url=url, qstash_token="t", http_transport=transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_with_a_certificate_that_is_vouched_for_is_asked(
    authority: trustme.CA, trusted: None, transport: Literal["httpx", "httptools"]
) -> None:
    async with server(authority, "127.0.0.1") as (url, found):
        redis, queue = RedisConnection(settings(url, transport)), QStashQueue(settings(url, transport))
        for _ in range(3):
            assert await redis.execute("PING") == "PONG"
            await asyncio.sleep(0.01)
        assert await queue.publish([MESSAGE]) == ["msg_1"]
        await redis.close()
        await queue.close()
    assert found.count(b"connection") == 2


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("host", "vouched_for"), [("127.0.0.1", False), ("other.example.com", True)])
async def test_a_certificate_that_nobody_vouches_for_or_of_another_host_is_refused(
    authority: trustme.CA,
    host: str,
    vouched_for: bool,
    transport: Literal["httpx", "httptools"],
    request: pytest.FixtureRequest,
) -> None:
    """Neither store nor queue is told anything, such as a token."""
    if vouched_for:
        request.getfixturevalue("trusted")
    async with server(authority, host) as (url, found):
        redis, queue = RedisConnection(settings(url, transport)), QStashQueue(settings(url, transport))
        with pytest.raises(StoreError, match="ConnectError"):
            await redis.execute("PING")
        with pytest.raises(QueueUnreachableError, match="ConnectError"):
            await queue.publish([MESSAGE])
        await redis.close()
        await queue.close()
    assert set(found) <= {b"connection"}


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
async def wired(wire: bytes) -> AsyncIterator[str]:
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
    async with wired(WIRES[wire]) as url:
        hasty = replace(settings(url, transport), store_timeout_seconds=1, queue_timeout_seconds=1)
        redis, queue = RedisConnection(hasty), QStashQueue(hasty)
        requests: list[tuple[type[Exception], Callable[[], Awaitable[object]]]] = [
            (StoreError, lambda: redis.execute("GET", "a")),
            (PublishError, lambda: queue.publish([Outgoing(body="{}", url="https://fn.example.com")])),
        ]
        for kind, ask in requests:
            with pytest.raises(kind, match=url):
                await ask()
        await redis.close()
        await queue.close()
