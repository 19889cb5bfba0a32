"""Over TLS: a certificate that nobody vouches for, or of another host, is refused by either transport."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest
import trustme

from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton.storage.redis.connection import RedisConnection
from baton.transport import http_transport
from baton_events.errors import QueueUnreachableError, StoreError
from baton_events.messages import Outgoing

TRANSPORTS: list[Literal["httpx", "httptools"]] = ["httpx", "httptools"]
MESSAGE = Outgoing(body="{}", url="https://fn.example.com")
ANSWERS = {
    "/": {"result": "PONG"},
    "/v2/publish/https://fn.example.com": {"messageId": "msg_1"},
}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whom nobody knows yet."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is known to this process, as operators make theirs known."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    http_transport.tls_context.cache_clear()
    yield
    http_transport.tls_context.cache_clear()


def served_by(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """A server's, with a certificate of `host`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@asynccontextmanager
async def server(authority: trustme.CA, host: str) -> AsyncIterator[str]:
    """Store and queue with a certificate of `host`, at 127.0.0.1."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = json.dumps(ANSWERS[head.split(" ", 2)[1]]).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    made = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=served_by(authority, host))
    async with made:
        yield f"https://127.0.0.1:{made.sockets[0].getsockname()[1]}"


def settings(url: str, transport: Literal["httpx", "httptools"]) -> Settings:
    return Settings(redis_url=url, redis_token="t", qstash_url=url, qstash_token="t", http_transport=transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_with_a_certificate_that_is_vouched_for_is_asked(
    authority: trustme.CA, trusted: None, transport: Literal["httpx", "httptools"]
) -> None:
    async with server(authority, "127.0.0.1") as url:
        redis, queue = RedisConnection(settings(url, transport)), QStashQueue(settings(url, transport))
        assert await redis.execute("PING") == "PONG"
        assert await queue.publish([MESSAGE]) == ["msg_1"]
        await redis.close()
        await queue.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_connection_is_used_again(
    authority: trustme.CA, trusted: None, transport: Literal["httpx", "httptools"]
) -> None:
    connections = 0

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
                )
                await reader.readexactly(length)
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"result":"PONG"}')
        writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", 0, ssl=served_by(authority, "127.0.0.1")) as made:
        redis = RedisConnection(settings(f"https://127.0.0.1:{made.sockets[0].getsockname()[1]}", transport))
        for _ in range(3):
            assert await redis.execute("PING") == "PONG"
            await asyncio.sleep(0.01)
        await redis.close()
        await asyncio.sleep(0.01)
    assert connections == 1


async def refused(url: str, transport: Literal["httpx", "httptools"]) -> None:
    """Neither store nor queue is told anything."""
    redis, queue = RedisConnection(settings(url, transport)), QStashQueue(settings(url, transport))
    with pytest.raises(StoreError, match="ConnectError"):
        await redis.execute("PING")
    with pytest.raises(QueueUnreachableError, match="ConnectError"):
        await queue.publish([MESSAGE])
    await redis.close()
    await queue.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    authority: trustme.CA, transport: Literal["httpx", "httptools"]
) -> None:
    """Before a token is sent."""
    async with server(authority, "127.0.0.1") as url:
        await refused(url, transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_certificate_of_another_host_is_refused(
    authority: trustme.CA, trusted: None, transport: Literal["httpx", "httptools"]
) -> None:
    """Even when it is vouched for."""
    async with server(authority, "other.example.com") as url:
        await refused(url, transport)
