"""The SDK's commands over shared requests: each asker has its own answer, and trouble of its own alone."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import respx
from upstash_redis.asyncio import Redis

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton.store.transport.redis_rest import RedisCommands
from baton_events.errors import StoreError

STORE_URL = "https://store.example.com"


class EchoStore:
    """Answers ECHO, scripts, and HGETALL with two fields; everything else is an error. Slow until it is let go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.tokens: list[str] = []
        self.headers = httpx.Headers()
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.scripts_pass = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        commands = body if request.url.path == "/pipeline" else [body]
        self.sizes.append(len(commands))
        self.headers = request.headers
        self.tokens.append(request.headers["upstash-sync-token"])
        if not (self.scripts_pass and commands[0][0] == "EVAL"):
            await self.let_go.wait()
        answers = [self._answer(command) for command in commands]
        answer = answers if request.url.path == "/pipeline" else answers[0]
        return httpx.Response(200, json=answer, headers={"Upstash-Sync-Token": f"token-{len(self.sizes)}"})

    def _answer(self, command: list[Any]) -> dict[str, Any]:
        if command[0] == "EVAL":  # as counted.lua makes it: commands, and the answer
            return {"result": [1, command[-1]]}
        if command[0] == "ECHO":
            return {"result": str(command[1])}
        if command[0] == "ZSCORE":
            return {"result": "no number"}
        if command[0] == "HGETALL":
            return {"result": ["a", "1", "b", "2"]}
        return {"error": f"ERR unknown command {command[0]}"}


@pytest.fixture
def store() -> Iterator[EchoStore]:
    made = EchoStore()
    with respx.mock:
        respx.post(url__startswith=STORE_URL).mock(side_effect=made)
        yield made


@pytest.fixture
async def redis(store: EchoStore) -> AsyncIterator[RedisConnection]:
    made = RedisConnection(Settings(redis_url=STORE_URL, redis_token="t", store_timeout_seconds=1))
    yield made
    await made.close()


async def test_commands_that_are_ready_at_the_same_time_are_one_request(
    store: EchoStore, redis: RedisConnection
) -> None:
    """Each asker gets its own answer, also who asked several; the sync token of the last one goes with the next."""
    first, second, third = await asyncio.gather(
        redis.execute("ECHO", "é"), redis.pipeline(["ECHO", "b"], ["HGETALL", "h"]), redis.execute("ECHO", "d")
    )
    assert (first, second, third) == ("é", ["b", {"a": "1", "b": "2"}], "d")
    await redis.execute("ECHO", "a")
    assert (store.sizes, store.tokens) == ([4, 1], ["", "token-1"])


async def test_an_error_reaches_its_own_caller_alone(store: EchoStore, redis: RedisConnection) -> None:
    """Nothing is asked twice. Half a character cannot be sent, and a score that is no number cannot be read."""
    requested = [redis.execute("ECHO", "a"), redis.execute("FOO"), redis.pipeline(["ECHO", "b"], ["BAR"])]
    answers = await asyncio.gather(*requested, redis.execute("ZSCORE", "a", "b"), return_exceptions=True)
    assert (answers[0], store.sizes) == ("a", [5])
    assert all(isinstance(answer, StoreError) for answer in answers[1:])
    assert "unknown command FOO" in str(answers[1])
    assert "unknown command BAR" in str(answers[2])
    unsent = [redis.execute("ECHO", "a"), redis.execute("ECHO", "\ud800")]
    answers = await asyncio.gather(*unsent, return_exceptions=True)
    assert answers[0] == "a"
    assert isinstance(answers[1], StoreError)


async def test_a_request_has_64_commands_at_most_and_two_are_under_way(
    store: EchoStore, redis: RedisConnection
) -> None:
    store.let_go.clear()
    requested = [asyncio.ensure_future(redis.execute("ECHO", str(number))) for number in range(300)]
    async with asyncio.timeout(20):
        while len(store.sizes) < 2:  # noqa: ASYNC110 - what a server sees is no event of ours
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert store.sizes == [64, 64]
    store.let_go.set()
    assert await asyncio.gather(*requested) == [str(number) for number in range(300)]
    assert (max(store.sizes), sum(store.sizes)) == (64, 300)
    store.sizes.clear()
    words = ["a", "x" * 1_000_000, "b"]
    assert await asyncio.gather(*[redis.execute("ECHO", word) for word in words]) == words
    assert store.sizes == [1, 1, 1]


async def test_a_step_does_not_wait_for_readers(store: EchoStore, redis: RedisConnection) -> None:
    """Scripts have requests of their own: a reader's answers may be large, and but two of them are under way."""
    store.let_go.clear()
    store.scripts_pass = True
    readers = [asyncio.ensure_future(redis.execute("ECHO", str(number))) for number in range(200)]
    await asyncio.sleep(0.05)
    assert await asyncio.gather(*[redis.run("return 1", ["k"], [number]) for number in range(3)]) == [0, 1, 2]
    store.let_go.set()
    assert len(await asyncio.gather(*readers)) == 200


async def test_a_command_that_waits_for_its_turn_has_its_time_limit_too(
    store: EchoStore, redis: RedisConnection
) -> None:
    """Else one that hangs would hang all; when they have gone, the store is asked anew."""
    store.let_go.clear()
    requested = [redis.execute("ECHO", str(number)) for number in range(200)]
    answers = await asyncio.gather(*requested, return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoreError}
    assert "within 1 s" in str(answers[0])
    store.let_go.set()
    assert await redis.execute("ECHO", "a") == "a"


def test_a_process_may_use_one_event_loop_after_the_other(store: EchoStore) -> None:
    """Connections belong to their loop: in another they would hang."""
    redis = RedisConnection(Settings(redis_url=STORE_URL, redis_token="t"))
    clients = []

    async def use() -> str:
        answer = await redis.execute("ECHO", "a")
        clients.append(redis._client)
        return str(answer)

    assert [asyncio.run(use()), asyncio.run(use())] == ["a", "a"]
    assert clients[0] is not clients[1]


async def test_every_method_of_the_sdk_runs_over_it(store: EchoStore) -> None:
    """Its headers are the SDK's own, and its one hook is still the hook."""
    commands = RedisCommands(STORE_URL, "t", httpx.AsyncHTTPTransport(), limit_seconds=1)
    fields, word = await asyncio.gather(commands.hgetall("h"), commands.echo("a"))
    assert (fields, word) == ({"a": "1", "b": "2"}, "a")
    assert store.sizes == [2]
    sdk = Redis(STORE_URL, "t", rest_encoding=None, allow_telemetry=False)
    sent = store.headers
    assert {name: sent[name] for name in sdk._headers} == sdk._headers
    assert sent["accept-encoding"] == "gzip"  # of deflate only one of its two forms would be read
    assert inspect.signature(commands.execute).parameters.keys() == inspect.signature(sdk.execute).parameters.keys()
    await sdk.close()
    await commands.close()
