"""The store's connection over RESP: the same answers and errors as over REST, and never the password."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection, counted
from baton_events.errors import StoreAnswerError, StoreError
from baton_local.redis.resp import OK, Reply, ServerError, Status
from tests.unit.baton.store.transport.resp_server import RespServer, Say

PASSWORD = "swordfish"
TEXT = counted("return ARGV[1]")
REQUESTS: dict[str, Callable[[RedisConnection], Any]] = {
    "execute": lambda redis: redis.execute("GET", "a"),
    "run": lambda redis: redis.run(TEXT, ["a"], [1]),
    "pipeline": lambda redis: redis.pipeline(["GET", "a"], ["GET", "b"]),
}
REFUSALS = [
    "LOADING Redis is loading the dataset in memory",
    "CLUSTERDOWN Hash slot not served",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
    "NOAUTH Authentication required.",
    "nothing that anybody knows",
]


def settings_of(server: RespServer, **more: Any) -> Settings:
    return Settings(resp_url=server.address, **more)


@asynccontextmanager
async def connected(say: Say, **more: Any) -> AsyncIterator[tuple[RespServer, RedisConnection]]:
    async with RespServer(say) as server:
        redis = RedisConnection(settings_of(server, **more))
        yield server, redis
        await redis.close()


def refusing(text: str) -> Say:
    return lambda _: ServerError(text.encode())


def pong(command: list[str]) -> Reply:
    return Status(b"PONG") if command == ["PING"] else command[-1].encode()


async def test_answers_are_shaped_as_over_rest() -> None:
    answers = {str(command[0]): answer for command, answer, _ in SHAPES}
    async with connected(lambda command: answers[command[0]]) as (server, redis):
        found = await redis.pipeline(*(command for command, _, _ in SHAPES))
    assert found == [shape for _, _, shape in SHAPES]
    assert server.requested[0] == ["SET", "a", "1"]


async def test_what_is_ready_together_is_written_together() -> None:
    """On one connection; readers and scripts have one each where they ask at once."""
    async with connected(pong) as (server, redis):
        assert await asyncio.gather(*(redis.execute("GET", f"k{n}") for n in range(5))) == [f"k{n}" for n in range(5)]
        assert [len(write) for write in server.writes] == [5]
        await asyncio.gather(redis.execute("EVAL", "return 1", 0), redis.execute("PING"))
        assert server.connections == 2


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("text", REFUSALS)
async def test_a_refusal_is_an_answer_with_the_servers_message_and_is_not_repeated(name: str, text: str) -> None:
    async with connected(refusing(text)) as (server, redis):
        with pytest.raises(StoreAnswerError) as caught:
            await REQUESTS[name](redis)
        assert text[:40] in str(caught.value).replace('\\"', '"').replace("\\'", "'")
        assert server.address in str(caught.value)
        assert len(server.writes) == 1


@pytest.mark.parametrize(
    "text", ["WRONGPASS invalid username-password pair or user is disabled.", "ERR invalid password"]
)
async def test_a_refused_password_is_named_with_its_setting_and_not_shown(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is the user's name; nothing is asked. Where none is set, the setting is named as well."""
    caplog.set_level(logging.DEBUG)
    async with RespServer(refusing(text)) as server:
        address = server.address.replace("://", f"://somebody:{PASSWORD}@")
        redis = RedisConnection(Settings(resp_url=address))
        with pytest.raises(StoreError, match=r"check the password in REDIS_URL") as caught:
            await redis.execute("PING")
        assert [command[0] for command in server.requested] == ["AUTH"]
        await redis.close()
        server.reply = refusing("NOAUTH Authentication required.")
        without = RedisConnection(settings_of(server))
        with pytest.raises(StoreError, match="REDIS_URL"):
            await without.execute("PING")
        await without.close()
    assert text in str(caught.value)
    for shown in (str(caught.value), caplog.text, repr(redis), repr(Settings(resp_url=address))):
        assert PASSWORD not in shown
        assert "somebody" not in shown


SHAPES: list[tuple[list[str | int], Reply, Any]] = [
    (["SET", "a", 1], OK, True),
    (["GET", "a"], "é\0\r\n".encode(), "é\0\r\n"),
    (["HGET", "a", "b"], None, None),
    (["INCR", "a"], 7, 7),
    (["LRANGE", "a", 0, -1], [b"a", b"", b"b"], ["a", "", "b"]),
    (["HGETALL", "a"], [b"a", b"1", b"b", b"2"], {"a": "1", "b": "2"}),
    (["ZRANGE", "a", 0, -1, "WITHSCORES"], [b"x", b"1.5"], [("x", 1.5)]),
    (["XRANGE", "a", "-", "+"], [[b"1-0", [b"a", b"b"]]], [["1-0", ["a", "b"]]]),
    (["HRANDFIELD", "a", 2, "WITHVALUES"], [b"a", b"1"], {"a": "1"}),
    (["EXPIRE", "a", 1], 1, True),
    (["DUMP", "a"], b"\xff", "\ufffd"),
]


async def test_a_script_has_no_flag_of_the_hosted_service_and_is_sent_once() -> None:
    """Other servers refuse it; the SHA1 is of what was sent."""
    async with connected(lambda command: [1, command[-1].encode()]) as (server, redis):
        assert [await redis.run(TEXT, ["a"], [n]) for n in range(2)] == ["0", "1"]
    (first, text, *_), (second, sha, *_) = server.requested
    assert (first, second) == ("EVAL", "EVALSHA")
    assert text.startswith("#!lua\n")
    assert sha == hashlib.sha1(text.encode()).hexdigest()


async def test_a_server_that_forgot_the_script_is_sent_the_text_again() -> None:
    """Whatever key it is about, as where another server of a cluster has that one."""

    def say(command: list[str]) -> Reply:
        if command[0] == "EVALSHA" and command[3] == "b":
            return ServerError(b"NOSCRIPT No matching script. Please use EVAL.")
        return [1, command[-1].encode()]

    async with connected(say) as (server, redis):
        assert [await redis.run(TEXT, [key], [key + "!"]) for key in "abac"] == ["a!", "b!", "a!", "c!"]
        assert await redis.run(TEXT, ["b"], ["again"]) == "again"
    assert [command[3] for command in server.requested if command[0] == "EVAL"] == ["a", "b", "b"]
