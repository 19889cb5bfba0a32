"""The Redis in this process: what it says without its library, and versions of all that it keeps."""

import pytest

from baton.store.redis.connection import counted
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton_events.errors import StoreAnswerError


class Clock:
    now = 1_000

    def now_ms(self) -> int:
        return self.now


def test_a_version_stays_as_it_was_and_can_be_gone_back_to() -> None:
    redis = InProcessRedis(Clock().now_ms)
    redis.run("HSET", "hash", "a", "1")
    redis.run("SET", "text", "x", "PX", 50)
    redis.run("ZADD", "sorted", 1, "a")
    version = redis.version()
    for command in (["HSET", "hash", "a", "2"], ["DEL", "text"], ["ZADD", "sorted", 2, "a"], ["RPUSH", "list", "1"]):
        redis.run(*command)
    redis.go_back(version)
    assert redis.run("HGETALL", "hash") == ["a", "1"]
    assert (redis.run("GET", "text"), redis.run("PTTL", "text")) == ("x", 50)
    assert (redis.run("ZSCORE", "sorted", "a"), redis.run("EXISTS", "list")) == ("1", 0)


def test_a_key_goes_when_its_time_is_over() -> None:
    clock = Clock()
    redis, lasting = InProcessRedis(clock.now_ms), InProcessRedis(clock.now_ms, expires=False)
    for each in (redis, lasting):
        each.run("SET", "text", "x", "PX", 50)
    clock.now += 50
    assert (redis.run("GET", "text"), lasting.run("GET", "text")) == (None, "x")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("return redis.call('GET', nil)", "must be strings or integers"),
        ("return redis.call('SET', KEYS[1], true)", "must be strings or integers"),
        ("return nothing_of_the_kind", "nonexistent global"),
        ("made = 1", "readonly"),
        ("return redis.call('NO')", "NO"),
    ],
)
async def test_a_script_that_a_server_refuses_is_refused(text: str, error: str) -> None:
    connection = InProcessConnection(InProcessRedis(Clock().now_ms))
    with pytest.raises(StoreAnswerError, match=error):
        await connection.run(counted(text), ["key"], [])
