"""Whatever is done to jobs, and whatever a failover forgets: what is known by its tag is what is stored."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.store.known_stage import Stage, stage_on
from tests.contract.store.operations import Operation, operations
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS, a_job, claim_of, creation, first_leg
from tests.contract.store.side import connection_to

# A replica has all that was written so far; a failover makes it the store.
REPLICATE, FAIL_OVER = "replicate", "fail over"
_COPY = """
for _, key in ipairs(redis.call('KEYS', ARGV[2] .. '*')) do
  redis.call('DEL', key)
end
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  redis.call('COPY', key, ARGV[2] .. string.sub(key, #ARGV[1] + 1))
end
"""
_STORE, _REPLICA = "baton:", "replica:"


async def done(stage: Stage, step: Operation | str) -> None:
    """One step."""
    if isinstance(step, Operation):
        await step.run(stage.side)
        return
    way = (_STORE, _REPLICA) if step == REPLICATE else (_REPLICA, _STORE)
    await stage.connection.execute("EVAL", _COPY, 0, *way)


async def holds(process: RedisProcess, sequence: list[Operation | str]) -> None:
    """Do each step; after each, what is known is what is stored."""
    process.ask("FLUSHALL")
    connection = connection_to(process)
    try:
        stage = stage_on(connection)
        await stage.side.store.create(creation(a_job()), "m1", NOW_MS)
        await stage.side.store.begin(claim_of(first_leg()))
        await done(stage, REPLICATE)
        for number, step in enumerate(sequence):
            await done(stage, step)
            assert not await stage.untrue(), f"after the last of {sequence[: number + 1]}"
    finally:
        await connection.close()


@given(
    sequence=st.lists(operations() | operations() | st.sampled_from([REPLICATE, FAIL_OVER]), min_size=8, max_size=20)
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_known_is_what_is_stored(redis_process: RedisProcess, sequence: list[Operation | str]) -> None:
    """In whatever order."""
    asyncio.run(holds(redis_process, sequence))
