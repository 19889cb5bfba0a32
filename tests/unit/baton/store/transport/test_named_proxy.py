"""A proxy that cannot be used is what the errors of store, queue and index name; none of these is blamed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from upstash_vector import AsyncIndex

from baton.queue.qstash.client import QStashClient
from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton.store.vector import UpstashLongTermMemory
from baton_events.errors import BatonError
from baton_events.messages import Outgoing
from baton_events.publisher import SdkPublisher

HANGS = "http://127.0.0.1:{}"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
SETTINGS = Settings(
    redis_url="https://store.example.com",
    redis_token="t",
    store_timeout_seconds=1,
    qstash_url="https://queue.example.com",
    qstash_token="t",
    queue_timeout_seconds=1,
    vector_url="https://vector.example.com",
    vector_token="t",
    vector_timeout_seconds=1,
)


async def store() -> None:
    redis = RedisConnection(SETTINGS)
    try:
        await redis.execute("PING")
    finally:
        await redis.close()


async def queue() -> None:
    client = QStashClient(SETTINGS)
    try:
        await client.request(client.sdk.signing_key.get())
    finally:
        await client.close()


async def emitter() -> None:
    publisher = SdkPublisher(SETTINGS)
    try:
        await publisher.publish([Outgoing(url="https://app.example.com/workers/loop", body="{}")])
    finally:
        await publisher.close()


async def index() -> None:
    memory = UpstashLongTermMemory(SETTINGS)
    try:
        await memory.search("tenant", "text", 1, 0.0)
    finally:
        await memory.close()


CLIENTS = [store, queue, emitter, index]


@pytest.fixture(params=["ALL_PROXY", "https_proxy"])
def variable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return str(request.param)


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """A proxy that takes connections and says nothing."""
    writers = list[asyncio.StreamWriter]()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        yield HANGS.format(server.sockets[0].getsockname()[1])
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("ask", CLIENTS)
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "socks://127.0.0.1:9", "http://[::1"])
async def test_a_proxy_that_cannot_be_used_is_named(
    proxy: str, ask: Callable[[], Awaitable[None]], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(BatonError) as caught:
        await ask()
    assert f"the proxy {proxy} ({variable.upper()})" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ask", CLIENTS)
async def test_a_proxy_that_hangs_is_named(
    ask: Callable[[], Awaitable[None]], silent: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, silent)
    with pytest.raises(BatonError, match=r"within 1 s.*|nothing within.*") as caught:
        await ask()
    assert f"the proxy {silent} ({variable.upper()})" in str(caught.value)


@pytest.mark.parametrize("ask", CLIENTS)
async def test_no_proxy_is_named_where_none_is_asked(
    ask: Callable[[], Awaitable[None]], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", ".example.com")
    monkeypatch.setattr("socket.getaddrinfo", refused)
    with pytest.raises(BatonError) as caught:
        await ask()
    assert "proxy" not in str(caught.value)


def refused(*_: object, **__: object) -> None:
    raise OSError("no such name")


def test_the_indexs_client_has_all_that_its_own_constructor_gives_it() -> None:
    """Ours chooses no proxy; a new version of the SDK that sets more is noticed here."""
    own = AsyncIndex("https://vector.example.com", "t", retries=0, allow_telemetry=False)
    ours = UpstashLongTermMemory(SETTINGS)._index()
    assert vars(ours).keys() == vars(own).keys()
    assert {name: vars(ours)[name] for name in ("_url", "_retries", "_headers")} == {
        name: vars(own)[name] for name in ("_url", "_retries", "_headers")
    }
