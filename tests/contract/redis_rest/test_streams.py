"""Subscriptions and the monitor as server-sent events (redis-rest.md 8)."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis


@contextmanager
def events(redis: LocalRedis, path: str, method: str = "POST") -> Iterator[Iterator[str]]:
    """The payloads of a stream; leaving the block closes the connection."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Upstash-Encoding": "base64"}
    with httpx.stream(method, redis.url + path, json=[], headers=headers, timeout=120) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-cache"
        yield (line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: "))


def eventually(holds: Callable[[], bool]) -> bool:
    for _ in range(200):
        if holds():
            return True
        time.sleep(0.02)
    return False


def clients(redis: LocalRedis) -> int:
    """How many connections listen, or wait: one that just ended may still be there, and does neither."""
    return len(re.findall(r" flags=\w*[POb]", redis.command("CLIENT", "LIST")))


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_subscriber_gets_the_messages_of_its_channels(redis: LocalRedis, method: str) -> None:
    with events(redis, "/SUBSCRIBE/one/tw%2Fo", method) as payloads:
        assert next(payloads) == "subscribe,one,1"
        assert next(payloads) == "subscribe,tw/o,2"
        assert redis.command("PUBLISH", "tw/o", "a,b ü") == 1
        assert next(payloads) == "message,tw/o,a,b ü"
    with events(redis, "/psubscribe/ch*", method) as payloads:
        assert next(payloads) == "psubscribe,ch*,1"
        redis.http.get("/publish/ch7/hello")
        assert next(payloads) == "pmessage,ch*,ch7,hello"


def test_the_monitor_shows_commands_scripts_calls_included(redis: LocalRedis) -> None:
    with events(redis, "/monitor") as payloads:
        assert next(payloads) == '"OK"'
        redis.command("EVAL", "return redis.call('GET', KEYS[1])", "1", "seen")
        assert next(payload for payload in payloads if " lua]" in payload).endswith('"GET" "seen"')


def test_a_closed_stream_leaves_no_connection_behind(redis: LocalRedis) -> None:
    """The server's client list is back to where it was (redis-rest.md 8)."""
    with events(redis, "/subscribe/c") as payloads, events(redis, "/monitor") as lines:
        next(payloads)
        next(lines)
        assert eventually(lambda: clients(redis) == 2)
    assert eventually(lambda: clients(redis) == 0)
    assert redis.command("PUBLISH", "c", "m") == 0


@pytest.mark.parametrize("path", ["/subscribe", "/subscribe/", "/psubscribe", "/monitor/x"])
def test_a_stream_of_nothing_is_an_error(redis: LocalRedis, path: str) -> None:
    answer = redis.http.post(path)
    assert answer.status_code == 400
    assert "wrong number of arguments" in answer.json()["error"]


def test_a_command_that_waits_ends_with_its_client(redis: LocalRedis) -> None:
    with pytest.raises(httpx.ReadTimeout):
        redis.http.post("/", json=["WAIT", "1", "0"], timeout=0.3)
    assert eventually(lambda: clients(redis) == 0)


def test_a_stream_needs_the_token_and_is_not_for_head(redis: LocalRedis) -> None:
    for path in ("/subscribe/c", "/monitor"):
        assert redis.http.post(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert redis.http.head("/subscribe/c").status_code == 405
