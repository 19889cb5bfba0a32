"""What was spent is billed with the write that follows, once, or is there for the next one."""

import asyncio
import json
from contextlib import nullcontext

import pytest

from baton.engine.commit.usage_ledger import Metered
from baton.engine.effects import Changes
from baton.engine.state import Usage
from baton.engine.stream_parts import handled
from baton.store.transport.meter import Meter, charge, metered, take
from baton_events.errors import StoreError
from tests.contract.store.sample import JOB_ID, NOW_MS, a_job, call_item, claim_of, creation, first_item, record_of
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeConnection, FakeRedis, FakeStore

ITEMS = tuple([call_item(position) for position in range(3)])
TURN = Changes(items=ITEMS, calls=tuple(map(record_of, ITEMS)))


async def begun() -> FakeStore:
    """A job whose turn has asked for three calls."""
    store = FakeStore(FakeRedis())
    await store.create(creation(a_job()), "m0", NOW_MS)
    assert (await store.commit(claim_of(first_item()), TURN)).applied
    return store


def usage(store: FakeStore) -> Usage:
    return store.tree(JOB_ID).usage[JOB_ID]


@pytest.mark.parametrize("outcome", ["applied", "too late", "unknown"])
async def test_a_commit_that_applies_takes_what_was_spent(outcome: str) -> None:
    """Too late: then it is there for the next one. Nobody knows: a job is rather told too little than twice."""
    store = await begun()
    if outcome == "too late":
        await store.commit(claim_of(ITEMS[0]), Changes())
    before, connection = usage(store), store._transactions._redis
    assert isinstance(connection, FakeConnection)
    connection.down = StoreError("?") if outcome == "unknown" else None
    with metered(Meter(FakeClock(), memory_mb=1)):
        charge(messages=7)
        with pytest.raises(StoreError) if connection.down else nullcontext():
            await store.commit(claim_of(ITEMS[0]), Changes())
        left = take().messages
    assert (usage(store).messages - before.messages, left) == {
        "applied": (7, 0),
        "too late": (0, 7),
        "unknown": (0, 0),
    }[outcome]


async def test_each_step_of_a_request_pays_what_its_invocation_spent_and_the_last_one_for_the_request() -> None:
    """As each event's part says; no invocation has anything left."""
    store = await begun()
    before = usage(store)

    async def one(at: int) -> Metered:
        with metered(Meter(FakeClock(), memory_mb=1)):
            charge(messages=10**at)
            changes = Changes(parts=(handled(ITEMS[at], NOW_MS, "succeeded"),))
            assert (await store.commit(claim_of(ITEMS[at], f"m{at}"), changes)).applied
            return take()

    assert await asyncio.gather(*map(one, range(3))) == [Metered()] * 3
    shown = [json.loads(part)["data"]["used"] for part in store.tree(JOB_ID).parts[JOB_ID] if '"used"' in part][-3:]
    assert [used["messages"] for used in shown] == [1, 10, 100]
    assert sum(used.get("redisRequests", 0) for used in shown) == usage(store).redis_requests - before.redis_requests
    assert sum(used.get("redisBytes", 0) for used in shown) == usage(store).redis_bytes - before.redis_bytes
