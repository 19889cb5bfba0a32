"""Commands that travel together, on the real bridge and server, over each HTTP transport."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

import pytest

from baton.settings.settings import Settings
from baton.storage.redis.connection import RedisConnection, counted
from baton_events.errors import StoreError
from tests.contract.store.redis_process import RedisProcess

TEXT = counted("return {redis.call('INCR', KEYS[1]), ARGV[1]}")


@pytest.fixture(params=["httpx", "httptools"])
async def connection(request: pytest.FixtureRequest, redis_process: RedisProcess) -> AsyncIterator[RedisConnection]:
    redis_process.request("FLUSHALL")
    http: Literal["httpx", "httptools"] = request.param
    made = RedisConnection(replace(redis_process.settings(), http_transport=http))
    yield made
    await made.close()


async def test_many_callers_at_once_get_each_its_own_answer(connection: RedisConnection) -> None:
    async def caller(number: int) -> None:
        for turn in range(5):
            assert await connection.run(TEXT, [f"{{k{number}}}:n"], [f"é{number}-{turn}"]) == [
                turn + 1,
                f"é{number}-{turn}",
            ]
            assert await connection.execute("SET", f"{{k{number}}}:s", f"{turn}")
            with pytest.raises(StoreError, match="WRONGTYPE"):
                await connection.execute("LPUSH", f"{{k{number}}}:s", 1)
            assert await connection.pipeline(["GET", f"{{k{number}}}:s"], ["GET", f"{{k{number}}}:n"]) == [
                str(turn),
                str(turn + 1),
            ]

    await asyncio.gather(*[caller(number) for number in range(100)])


async def test_a_store_that_forgot_every_script_runs_each_once(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    stop = asyncio.Event()
    counts: list[int] = []

    async def caller(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            assert await connection.run(TEXT, [f"{{k{number}}}:n"], ["x"], [["INCR", f"{{k{number}}}:beside"]]) == [
                count,
                "x",
            ]
        assert await connection.execute("GET", f"{{k{number}}}:beside") == str(count)
        counts.append(count)

    callers = [asyncio.ensure_future(caller(number)) for number in range(20)]
    for _ in range(5):
        await asyncio.sleep(0.05)
        await asyncio.to_thread(redis_process.request, "SCRIPT", "FLUSH")
    stop.set()
    await asyncio.gather(*callers)
    assert min(counts) > 1


async def test_a_server_that_is_gone_fails_for_all_who_ask() -> None:
    for transport in ("httpx", "httptools"):
        connection = RedisConnection(
            Settings(redis_url="http://127.0.0.1:9", redis_token="t", http_transport=transport)
        )
        answers = await asyncio.gather(*[connection.execute("GET", "a") for _ in range(3)], return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreError] * 3
        assert "http://127.0.0.1:9" in str(answers[0])
        await connection.close()
