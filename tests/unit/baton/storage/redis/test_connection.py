"""The store's connection: whatever goes wrong is a StoreError that names where, and never the token."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
import respx

from baton.settings.settings import Settings
from baton.storage.redis.connection import RedisConnection
from baton_events.errors import SettingsError, StoreError

STORE_URL = "https://store.example.com"
TOKEN = "secret-token"

Item = Callable[[RedisConnection], Any]
REQUESTS: dict[str, Item] = {
    "execute": lambda redis: redis.execute("GET", "a"),
    "run": lambda redis: redis.run("return 1", ["a"], [1]),
    "pipeline": lambda redis: redis.pipeline(["GET", "a"], ["GET", "b"]),
}


@pytest.fixture
async def redis() -> AsyncIterator[RedisConnection]:
    """A connection whose wire is respx."""
    made = RedisConnection(Settings(redis_url=STORE_URL, redis_token=TOKEN, store_timeout_seconds=1))
    yield made
    await made.close()


@respx.mock
async def test_a_command_is_one_request(redis: RedisConnection) -> None:
    route = respx.post(STORE_URL).mock(return_value=httpx.Response(200, json={"result": "é"}))
    assert await redis.execute("GET", "a") == "é"
    request = route.calls.last.request
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert not [name for name in request.headers if "telemetry" in name]


@pytest.mark.parametrize(
    "second", [{"result": None}, {"error": "WRONGTYPE no"}], ids=["answers", "an error among them"]
)
@respx.mock
async def test_several_commands_are_one_request(redis: RedisConnection, second: dict[str, Any]) -> None:
    route = respx.post(f"{STORE_URL}/pipeline").mock(return_value=httpx.Response(200, json=[{"result": "x"}, second]))
    with pytest.raises(StoreError, match="WRONGTYPE") if "error" in second else nullcontext():
        assert await redis.pipeline(["GET", "a"], ["GET", "b"]) == ["x", None]
    assert route.call_count == 1


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("fault", [httpx.ConnectError("no"), httpx.RemoteProtocolError("cut")])
@respx.mock
async def test_a_store_that_cannot_be_reached_is_named(redis: RedisConnection, name: str, fault: Exception) -> None:
    """It is asked once: the SDK would repeat writes after seconds."""
    route = respx.post(url__startswith=STORE_URL).mock(side_effect=fault)
    with pytest.raises(StoreError, match=f"{STORE_URL}.*{type(fault).__name__}") as caught:
        await REQUESTS[name](redis)
    assert route.call_count == 1
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="<html>"),
        httpx.Response(200, text=""),
        httpx.Response(502, json={"error": "ERR gone"}),
    ],
    ids=["html", "empty", "error"],
)
@respx.mock
async def test_an_answer_that_is_none_is_a_store_error(
    redis: RedisConnection, name: str, answer: httpx.Response
) -> None:
    route = respx.post(url__startswith=STORE_URL).mock(return_value=answer)
    with pytest.raises(StoreError, match=STORE_URL):
        await REQUESTS[name](redis)
    assert route.call_count == 1


@respx.mock
async def test_a_refused_token_is_named_with_its_setting(redis: RedisConnection) -> None:
    """The usual mistake of a first start."""
    answer = httpx.Response(401, json={"error": "WRONGPASS invalid or missing auth token"})
    respx.post(url__startswith=STORE_URL).mock(return_value=answer)
    for ask in ("execute", "run"):
        with pytest.raises(StoreError, match="check UPSTASH_REDIS_REST_TOKEN"):
            await REQUESTS[ask](redis)


@pytest.mark.parametrize("name", REQUESTS)
@respx.mock
async def test_a_store_that_does_not_answer_is_given_up_after_its_time_limit(redis: RedisConnection, name: str) -> None:
    """The SDK has none."""

    async def never(_request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("nobody waited that long")

    respx.post(url__startswith=STORE_URL).mock(side_effect=never)
    with pytest.raises(StoreError, match="within 1 s"):
        await REQUESTS[name](redis)


async def test_a_cancelled_request_stays_cancelled(redis: RedisConnection) -> None:
    """A tool's time limit is not the store's failure."""
    with respx.mock:
        respx.post(url__startswith=STORE_URL).mock(side_effect=lambda _request: asyncio.sleep(60))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await redis.execute("GET", "a")


async def test_without_settings_nothing_is_asked() -> None:
    redis = RedisConnection(Settings())
    with pytest.raises(SettingsError, match=r"UPSTASH_REDIS_REST_URL(.|\n)*UPSTASH_REDIS_REST_TOKEN"):
        await redis.execute("PING")
    await redis.close()


@respx.mock
async def test_a_closed_connection_opens_again_when_it_is_used(redis: RedisConnection) -> None:
    """A process may be woken after its connections were closed."""
    respx.post(STORE_URL).mock(return_value=httpx.Response(200, json={"result": "PONG"}))
    for _ in range(2):
        assert await redis.execute("PING") == "PONG"
        await redis.close()
