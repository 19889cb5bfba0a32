"""The store's connection: whatever goes wrong is a StoreError that names where, and never the token.

A script's text is sent once; then its SHA1 stands for it, and a store that forgot it is sent the text again.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
import respx
from msgspec.structs import replace

from baton.engine.commit.usage_ledger import Metered
from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection, script
from baton.store.transport.meter import Meter, metered
from baton_events.errors import SettingsError, StoreError
from tests.fakes.clock import FakeClock

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
@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(httpx.ConnectError("no"), f"{STORE_URL}.*ConnectError", id="cannot be reached"),
        pytest.param(httpx.RemoteProtocolError("cut"), f"{STORE_URL}.*RemoteProtocolError", id="cut off"),
        pytest.param(httpx.Response(500, text="<html>"), STORE_URL, id="html"),
        pytest.param(httpx.Response(200, text=""), STORE_URL, id="empty"),
        pytest.param(httpx.Response(502, json={"error": "ERR gone"}), STORE_URL, id="an error"),
        pytest.param(httpx.Response(401, json={"error": "WRONGPASS no"}), "UPSTASH_REDIS_REST_TOKEN", id="wrong token"),
    ],
)
@respx.mock
async def test_what_is_no_answer_is_a_store_error(
    redis: RedisConnection, name: str, found: httpx.Response | Exception, said: str
) -> None:
    """The store is asked once: the SDK would repeat writes after seconds."""
    route = respx.post(url__startswith=STORE_URL).mock(side_effect=[found])
    with pytest.raises(StoreError, match=said) as caught:
        await REQUESTS[name](redis)
    assert route.call_count == 1
    assert TOKEN not in str(caught.value)


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


TEXT = "return tonumber(ARGV[1])"
SHA = hashlib.sha1(TEXT.encode()).hexdigest()


class ScriptStore:
    """Knows EVAL and EVALSHA of scripts that answer their first argument, of three commands, and INCR."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self.requests: list[list[list[Any]]] = []
        self.counted = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        commands = body if request.url.path == "/pipeline" else [body]
        self.requests.append(commands)
        answers = [self._answer(*command) for command in commands]
        return httpx.Response(200, json=answers if request.url.path == "/pipeline" else answers[0])

    def _answer(self, name: str, what: str, *rest: Any) -> dict[str, Any]:
        if name == "INCR":
            self.counted += 1
            return {"error": "WRONGTYPE no number"} if what == "text" else {"result": self.counted}
        if name == "EVALSHA" and what not in self.loaded:
            return {"error": "NOSCRIPT No matching script. Please use EVAL."}
        if name == "EVAL":
            self.loaded.add(hashlib.sha1(what.encode()).hexdigest())
        return {"error": "ERR refused"} if rest[-1] == "refused" else {"result": [3, rest[-1]]}

    def names(self) -> list[list[str]]:
        return [[command[0] for command in commands] for commands in self.requests]


@pytest.fixture
def store() -> Iterator[ScriptStore]:
    made = ScriptStore()
    with respx.mock:
        respx.post(url__startswith=STORE_URL).mock(side_effect=made)
        yield made


@pytest.fixture
async def scripting(store: ScriptStore) -> AsyncIterator[RedisConnection]:
    made = RedisConnection(Settings(redis_url=STORE_URL, redis_token="t"))
    yield made
    await made.close()


async def test_the_text_is_sent_once_and_again_to_a_store_that_forgot_it(
    store: ScriptStore, scripting: RedisConnection
) -> None:
    """As after a failover or SCRIPT FLUSH; what the store refused was asked, too, and is paid for."""
    meter = Meter(FakeClock(), memory_mb=512)
    assert [await scripting.run(TEXT, ["a"], [number]) for number in (7, 8)] == [7, 8]
    assert store.requests == [[["EVAL", TEXT, 1, "a", 7]], [["EVALSHA", SHA, 1, "a", 8]]]
    store.loaded.clear()
    with metered(meter):
        assert await scripting.run(TEXT, ["a"], [2]) == 2
    assert meter.take() == Metered(requests=2, commands=1 + 3, size_bytes=2 * len("a2"))
    assert await scripting.run(TEXT, ["a"], [3]) == 3
    assert store.names()[2:] == [["EVALSHA"], ["EVAL"], ["EVALSHA"]]


async def test_in_a_shared_request_each_that_was_forgotten_is_sent_again(
    store: ScriptStore, scripting: RedisConnection
) -> None:
    """Together; what was asked meanwhile is not."""
    await scripting.run(TEXT, ["a"], [1])
    store.loaded.clear()
    requested = [scripting.run(TEXT, ["a"], [2]), scripting.execute("INCR", "n"), scripting.run(TEXT, ["a"], [3])]
    assert await asyncio.gather(*requested) == [2, 1, 3]
    assert [names for names in store.names() if names != ["INCR"]] == [
        ["EVAL"],
        ["EVALSHA", "EVALSHA"],
        ["EVAL", "EVAL"],
    ]
    assert store.counted == 1


async def test_what_stands_beside_a_forgotten_script_is_done_once(
    store: ScriptStore, scripting: RedisConnection
) -> None:
    await scripting.run(TEXT, ["a"], [1])
    store.loaded.clear()
    assert await scripting.run(TEXT, ["a"], [2], [["INCR", "n"]]) == 2
    assert store.names()[1:] == [["EVALSHA", "INCR"], ["EVAL"]]
    assert store.counted == 1


async def test_what_fails_beside_a_script_is_logged_and_the_script_asked_once(
    store: ScriptStore, scripting: RedisConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """A counter is not worth a job."""
    assert await scripting.run(TEXT, ["a"], [2], [["INCR", "text"]]) == 2
    assert store.names() == [["EVAL", "INCR"]]
    assert "WRONGTYPE" in caplog.text


async def test_a_script_that_fails_is_not_asked_again(store: ScriptStore, scripting: RedisConnection) -> None:
    """By text or by SHA1; that it failed is its own asker's to know."""
    await scripting.run(TEXT, ["a"], [1])
    answers = await asyncio.gather(
        scripting.run(TEXT, ["a"], ["refused"]), scripting.run(TEXT, ["a"], [5]), return_exceptions=True
    )
    assert isinstance(answers[0], StoreError)
    assert "ERR refused" in str(answers[0])
    assert answers[1] == 5
    assert len(store.requests) == 2


async def test_of_those_who_share_a_request_all_but_one_say_so(store: ScriptStore, scripting: RedisConnection) -> None:
    """Each pays as if it had asked alone, so that what a job costs does not depend on others."""
    first, second = (Meter(FakeClock(), memory_mb=512) for _ in range(2))

    async def ask(meter: Meter, number: int) -> None:
        with metered(meter):
            await scripting.run(TEXT, ["a"], [number], [["INCR", "n"]])

    await asyncio.gather(ask(first, 1), ask(second, 2))
    assert len(store.requests) == 1
    paid = Metered(requests=1, commands=4, size_bytes=3)
    assert (first.rest(), second.rest()) == (paid, replace(paid, shared=1))


def test_the_script_of_the_slots_carries_the_flag_and_what_it_is_made_of() -> None:
    """Upstash locks only the named keys then (redis-rest.md 9); the flag stands once, before all else."""
    text = script("semaphore", "members")
    assert text.startswith("#!lua flags=allow-key-locking\n")
    assert text.count("#!lua") == 1
    assert "local function put(" in text
