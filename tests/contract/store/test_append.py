"""APPEND: parts in mid-work, only from the work item's owner, each sequence once."""

import pytest

from baton.storage.redis.store import TreeStore
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    claim_of,
    fan_out,
)
from tests.contract.store.side import RETENTION_MS, Side, connection_to, side_over


async def parts_of(side: Side) -> list[str]:
    """What the job's stream has gained since the job was created."""
    return list((await side.reader.parts(JOB_ID, 1)).parts)


async def test_the_owner_appends_in_order(side: Side) -> None:
    """Several at once, and several times."""
    items = await fan_out(side, 1)
    claim = claim_of(items[0], "m2", "o2")
    await side.store.claim(claim)
    assert await side.store.append(claim, 1, ['{"n":1}', '{"n":2}'])
    assert await side.store.append(claim, 2, ['{"n":3}'])
    assert await parts_of(side) == ['{"n":1}', '{"n":2}', '{"n":3}']


@pytest.mark.bridge
async def test_a_long_stream_loses_its_oldest_parts_and_no_number(redis_process: RedisProcess) -> None:
    """Of some thousand bytes at a time, as servers trim."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    side = side_over(connection, TreeStore(connection, RETENTION_MS, stream_length=10))
    claim = claim_of((await fan_out(side, 1))[0], "m2", "o2")
    await side.store.claim(claim)
    for number in range(1, 101):
        assert await side.store.append(claim, number, [f'"{number:0100}"', '"beside"'])
    found = await side.reader.parts(JOB_ID, 0)
    assert (found.parts[0], found.first + len(found.parts)) == (f'"{found.first // 2:0100}"', 202)
    assert found.first > 100, "the job's first part, and most of the others, are gone"
    await connection.close()
