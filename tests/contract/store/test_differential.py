"""The same operations on the fakes and for real give the same answers and leave the same state."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.store.comparable import comparable, creations, uncounted
from tests.contract.store.operations import JOB_IDS, Operation, operations
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import fake_side, real_side


async def compare(process: RedisProcess, sequence: list[Operation]) -> None:
    fake = fake_side()
    async with real_side(process) as real:
        for number, operation in enumerate(sequence):
            expected, found = comparable(await operation.run(fake)), comparable(await operation.run(real))
            assert found == expected, f"the last of {sequence[: number + 1]}"
        for job_id in (*JOB_IDS, f"{JOB_IDS[0]}.2"):
            assert comparable(await real.reader.job(job_id)) == comparable(await fake.reader.job(job_id))
            assert uncounted(await real.reader.parts(job_id, 0)) == uncounted(await fake.reader.parts(job_id, 0))


@given(
    first=st.lists(st.sampled_from(creations()), unique_by=repr),
    sequence=st.lists(operations(), min_size=8, max_size=30),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_fakes_and_real_adapters_give_the_same_answers(
    redis_process: RedisProcess, first: list[Operation], sequence: list[Operation]
) -> None:
    """Whatever is asked, in whatever order; a failing example is printed with what reproduces it."""
    asyncio.run(compare(redis_process, [*first, *sequence]))
