"""How many events are kept for jobs that do not wait for them: counted, and given back by looking."""

from collections.abc import AsyncIterator

import pytest

from baton.engine.commit.answers import Signal
from baton.engine.effects import Changes
from baton.storage.ports.all_jobs import KeptEvents
from baton.storage.redis import keys
from baton.storage.redis.totals import JOBS_READ, RedisKeptEvents
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import JOB_ID, NOW_MS, SPENT, a_job, claim_of, creation, fan_out
from tests.contract.store.side import RETENTION_MS, Side, connection_to, fake_side, side_over
from tests.contract.store.test_signals import wait_item
from tests.fakes import FakeStore
from tests.fakes.kept_events import FakeKeptEvents


class World:
    """Jobs, and the count beside them."""

    def __init__(self, side: Side, kept: KeptEvents) -> None:
        self.side, self.store, self.kept = side, side.store, kept

    async def job(self, name: str, events: int) -> None:
        """A job for which so many events are kept, all of them counted."""
        await self.store.create(creation(a_job(name)), "m", NOW_MS)
        await self.events(name, events)

    async def events(self, name: str, events: int) -> None:
        """Events that it does not wait for."""
        for n in range(events):
            await self.store.signal(name, "w", Signal(f"evt_{n}", '{"ok":1}', event="paid"), NOW_MS + n)
            await self.kept.add("acme", name)


@pytest.fixture(params=["fake", "rest", pytest.param("resp", marks=pytest.mark.long)])
async def world(request: pytest.FixtureRequest, redis_process: RedisProcess) -> AsyncIterator[World]:
    """Nothing is kept yet."""
    if request.param == "fake":
        side = fake_side()
        assert isinstance(side.store, FakeStore)
        yield World(side, FakeKeptEvents(side.store))
        return
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        yield World(side_over(connection), RedisKeptEvents(connection, RETENTION_MS))
    finally:
        await connection.close()


async def test_what_was_added_is_counted_for_its_tenant(world: World) -> None:
    """And stays so while it is kept, however often it is looked at."""
    assert [await world.kept.count("acme"), await world.kept.recount("acme")] == [0, 0]
    await world.job("job_a", 2)
    await world.job("job_b", 1)
    assert [await world.kept.count("acme"), await world.kept.recount("acme"), await world.kept.count("acme")] == [3] * 3
    assert await world.kept.count("other") == 0


async def test_what_a_job_has_taken_or_lost_is_given_back(world: World) -> None:
    """One event ends one wait; a job whose data is gone keeps none."""
    (call,) = await fan_out(world.side, 1)
    await world.events(JOB_ID, 3)
    assert (await world.store.commit(claim_of(call, "call0"), Changes(items=(wait_item(0, "paid"),)), SPENT)).applied
    await world.kept.add("acme", "job_nobody_knows")
    assert await world.kept.count("acme") == 4
    assert [await world.kept.recount("acme"), await world.kept.recount("acme")] == [2, 2]


async def test_jobs_are_looked_at_some_at_a_time(redis_process: RedisProcess) -> None:
    """The rest by the next ones that meet the quota; the key expires with the data of jobs."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        kept = RedisKeptEvents(connection, RETENTION_MS)
        for n in range(JOBS_READ + 50):
            await kept.add("acme", f"job_{n}")
        assert 50 <= await kept.recount("acme") <= 51  # the total is a field, too
        assert await kept.recount("acme") == 0
        assert redis_process.request("HLEN", keys.kept_events_key("acme")) == 1
        assert 0 < redis_process.request("PTTL", keys.kept_events_key("acme")) <= RETENTION_MS
    finally:
        await connection.close()
