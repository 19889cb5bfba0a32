"""A server whose scripts know no SHA1 compares fields, not digests."""

from collections.abc import AsyncIterator

import pytest

from events.adapters.redis import RedisConnection
from events.adapters.tree_store import TreeStore
from events.core.effects import Changes
from events.core.legs import loop_leg
from tests.contract.store.planted_connection import PlantedConnection
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import JOB_ID, NOW_MS, SPENT, a_job, claim_of, creation, first_leg
from tests.contract.store.side import RETENTION_MS


@pytest.fixture
async def connection(redis_process: RedisProcess) -> AsyncIterator[RedisConnection]:
    """To an emptied server."""
    redis_process.ask("FLUSHALL")
    made = PlantedConnection(redis_process, "sha1hex", "sha1_it_has_not")
    yield made
    await made.close()


async def test_fields_are_compared_one_by_one(connection: RedisConnection) -> None:
    """Steps are written, and a process that knows nothing is told all that was said."""
    store = TreeStore(connection, RETENTION_MS)
    second = loop_leg(JOB_ID, 2, 1, NOW_MS)
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.begin(claim_of(first_leg()))
    changes = Changes(legs=(second,), transcript=('{"a":1}',))
    assert (await store.commit(claim_of(first_leg()), changes, SPENT)).applied
    for each in (store, TreeStore(connection, RETENTION_MS)):
        assert len((await each.begin(claim_of(second))).history.transcript) == 2
