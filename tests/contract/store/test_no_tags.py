"""A store whose scripts know no SHA1 tells all of a history each time."""

from collections.abc import AsyncIterator

import pytest

from events.adapters.known_histories import KnownHistories
from events.adapters.redis import RedisConnection
from events.adapters.store import RedisStore
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


async def test_all_is_told_each_time(connection: RedisConnection) -> None:
    """And nothing is kept."""
    histories = KnownHistories()
    store = RedisStore(connection, RETENTION_MS, histories)
    second = loop_leg(JOB_ID, 2, 1, NOW_MS)
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.begin(claim_of(first_leg()))
    await store.commit(claim_of(first_leg()), Changes(legs=(second,), transcript=('{"a":1}',)), SPENT)
    for _ in range(2):
        assert len((await store.begin(claim_of(second))).history.transcript) == 2
    assert histories.of(JOB_ID) is None
