"""What goes over the connection: scripts whose keys are declared, commands that travel together, what `doctor` asks."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

import pytest

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection, counted
from baton_events.errors import StoreError
from baton_local.doctor.store import StoreCheck
from tests.contract.store.monitor import monitor
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import JOB_ID
from tests.contract.store.side import Side, connected
from tests.contract.store_cluster.whole_job import WholeJob

TEXT = counted("return {redis.call('INCR', KEYS[1]), ARGV[1]}")
_TAG = re.compile(r"\{([^}]*)\}")


async def test_every_key_that_a_script_touches_is_declared_and_has_its_hash_tag(
    real: Side, redis_process: RedisProcess
) -> None:
    """Upstash locks the declared keys only, and reads others from disk under the lock (redis-rest.md 9).

    A clustered Redis can run what has one tag (decisions/0008-one-hash-tag); a job and its children have the root's.
    """
    async with monitor(redis_process) as watching:
        await WholeJob(real, "job_b.1").run()
        await WholeJob(real, JOB_ID).run(swept=True)
        runs = await watching.runs()
    assert all(run.touched for run in runs)
    assert all(set(run.touched) <= set(run.declared) for run in runs)
    tags = [{tuple(_TAG.findall(key)[:1]) for key in run.declared} for run in runs]
    assert {len(found) for found in tags} == {1}, tags
    assert set().union(*tags) == {(JOB_ID,), ("job_b",), ("admission",)}


@pytest.fixture(params=["httpx", "httptools"])
async def shared(request: pytest.FixtureRequest, redis_process: RedisProcess) -> AsyncIterator[RedisConnection]:
    """To the emptied server, over each HTTP transport."""
    http: Literal["httpx", "httptools"] = request.param

    def over(settings: Settings) -> RedisConnection:
        return RedisConnection(replace(settings, http_transport=http))

    async with connected(redis_process, over) as made:
        yield made


async def test_many_callers_at_once_get_each_its_own_answer(shared: RedisConnection) -> None:
    """Rounds of scripts, plain commands and errors among them; each script ran once."""

    async def caller(number: int) -> None:
        names = [f"baton:{{k{number}}}:{name}" for name in "ns"]
        for turn in range(5):
            answer = await shared.run(TEXT, names[:1], [f"é{number}-{turn}"])
            assert answer == [turn + 1, f"é{number}-{turn}"]
            assert await shared.execute("SET", names[1], f"{turn}")
            with pytest.raises(StoreError, match="WRONGTYPE"):
                await shared.execute("LPUSH", names[1], 1)
            assert await shared.pipeline(*(["GET", name] for name in names)) == [str(turn + 1), str(turn)]

    await asyncio.gather(*[caller(number) for number in range(100)])


async def test_a_store_that_forgot_every_script_runs_each_once(
    shared: RedisConnection, redis_process: RedisProcess
) -> None:
    """In the middle of a load, as after a failover."""
    stop, counts = asyncio.Event(), list[int]()

    async def caller(number: int) -> None:
        count, beside = 0, f"baton:{{k{number}}}:beside"
        while not stop.is_set():
            count += 1
            assert await shared.run(TEXT, [f"baton:{{k{number}}}:n"], ["x"], [["INCR", beside]]) == [count, "x"]
        assert await shared.execute("GET", beside) == str(count)
        counts.append(count)

    callers = [asyncio.ensure_future(caller(number)) for number in range(20)]
    for _ in range(5):
        await asyncio.sleep(0.05)
        await asyncio.to_thread(redis_process.request, "SCRIPT", "FLUSH")
    stop.set()
    await asyncio.gather(*callers)
    assert min(counts) > 1


async def test_a_store_that_is_well_answers_and_runs_scripts(redis_process: RedisProcess) -> None:
    """Nothing is raised."""
    check = StoreCheck(redis_process.settings())
    await check.ping()
    await check.try_rights()
    assert (await check.about())["redis_version"]
    await check.close()
