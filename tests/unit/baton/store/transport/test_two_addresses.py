"""A name with two addresses: a server at the first one takes connections and says nothing, the second one answers."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trustme

from baton.queue.qstash.client import QStashClient
from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton_events import proxies
from baton_events.errors import PublishError, StoreError
from baton_local.redis.resp import ReplyParser

NAME, HANGS, ANSWERS = "two.example.com", "127.0.0.2", "127.0.0.1"
SOON_SECONDS, LIMIT_SECONDS = 1.5, 1
ANSWER = b'{"result":"PONG","current":"a","next":"b"}'
import_module("baton.store.transport.redis_resp")  # now: it takes a while, and the tests below measure time
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@pytest.fixture
async def servers() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def two(stack: AsyncExitStack, serve: Serve, monkeypatch: pytest.MonkeyPatch, tls: Any = None) -> int:
    silent = list[asyncio.StreamWriter]()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.append(writer)
        await reader.read()

    answering = await stack.enter_async_context(await asyncio.start_server(serve, ANSWERS, 0, ssl=tls))
    port = int(answering.sockets[0].getsockname()[1])
    await stack.enter_async_context(await asyncio.start_server(say_nothing, HANGS, port))

    def hang_up() -> None:
        for writer in silent:
            writer.close()

    stack.callback(hang_up)
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in (NAME, NAME.encode()):
            return resolve(host, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in (HANGS, ANSWERS)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return port


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.read(65_536):
        assert head
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
    writer.close()


async def resp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    parser = ReplyParser()
    while data := await reader.read(65_536):
        writer.write(b"+PONG\r\n" * len(parser.feed(data)))
    writer.close()


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """The certificate is for the name, which an address must not stand for."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with fresh_context():
        yield context


@contextmanager
def fresh_context() -> Iterator[None]:
    proxies.tls_context.cache_clear()
    yield
    proxies.tls_context.cache_clear()


def store(port: int, kind: str) -> RedisConnection:
    url = f"{kind}://{NAME}:{port}"
    if kind.startswith("redis"):
        return RedisConnection(Settings(resp_url=url, store_timeout_seconds=LIMIT_SECONDS))
    return RedisConnection(
        Settings(redis_url=url, redis_token="t", store_timeout_seconds=LIMIT_SECONDS, http_transport="httptools")
    )


@pytest.mark.parametrize("kind", ["https", "rediss"])
async def test_an_address_without_a_handshake_costs_a_moment(
    kind: str, servers: AsyncExitStack, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the certificate is checked against the name, by whatever address it came."""
    port = await two(servers, http if kind == "https" else resp, monkeypatch, tls)
    redis = store(port, kind)
    async with asyncio.timeout(SOON_SECONDS):
        assert [await redis.execute("PING") for _ in range(2)] == ["PONG", "PONG"]
    await redis.close()


@pytest.mark.parametrize("kind", ["http", "redis"])
async def test_a_server_that_takes_a_request_and_hangs_is_given_up_after_one_time_out(
    kind: str, servers: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request may have run, so only the next one goes to the other address."""
    port = await two(servers, http if kind == "http" else resp, monkeypatch)
    redis = store(port, kind)
    with pytest.raises(StoreError, match="within 1 s"):
        await redis.execute("PING")
    async with asyncio.timeout(SOON_SECONDS):
        assert [await redis.execute("PING") for _ in range(3)] == ["PONG"] * 3
    await redis.close()


async def test_the_queue_is_reached_past_a_server_that_hangs(
    servers: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await two(servers, http, monkeypatch)
    settings = Settings(
        qstash_url=f"http://{NAME}:{port}",
        qstash_token="t",
        queue_timeout_seconds=LIMIT_SECONDS,
        http_transport="httptools",
    )
    queue = QStashClient(settings)
    with pytest.raises(PublishError, match="within 1 s"):
        await queue.request(queue.sdk.signing_key.get())
    async with asyncio.timeout(SOON_SECONDS):
        assert (await queue.request(queue.sdk.signing_key.get())).current == "a"
    await queue.close()
