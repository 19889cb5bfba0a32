"""Whatever else is done, and whatever a failover forgets: a short COMMIT leaves what the long one does, and says it."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.store.comparable import comparable
from tests.contract.store.failover import FAIL_OVER, REPLICATE, copy
from tests.contract.store.meanwhile import MEANWHILE
from tests.contract.store.operations import Operation, operations
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS, a_job, creation
from tests.contract.store.short_and_long import Processes, alike, told
from tests.contract.store.walker import ODDITIES, Walker

# Which of two processes does what; for the server it is no matter.
Step = tuple[int, Operation | str | tuple[str, ...]]

_WALK = st.just(()) | st.lists(st.sampled_from(ODDITIES), min_size=1, max_size=2, unique=True).map(tuple)
_BESIDES = st.sampled_from([REPLICATE, FAIL_OVER, *MEANWHILE])
_AT_ONCE = "what it holds, at once"
_WHAT = st.one_of(st.just(()), st.just(()), st.just(("five calls",)), st.just(_AT_ONCE), _WALK, operations(), _BESIDES)
_STEPS = st.tuples(st.sampled_from([0, 0, 0, 1]), _WHAT)


async def played(processes: Processes, sequence: list[Step], *, reads_history: bool, hops: bool) -> list[Any]:
    """The answers to each step."""
    await processes.sides[0].store.create(creation(a_job(reads_history=reads_history)), "m1", NOW_MS)
    walkers = [Walker(f"p{number}", side, hops=hops and number == 0) for number, side in enumerate(processes.sides)]
    await copy(processes.connection, REPLICATE)
    answers: list[Any] = []
    for who, what in sequence:
        match what:
            case Operation():
                answers.append(comparable(await what.run(processes.sides[who])))
            case str() if what == _AT_ONCE:
                answers.append([comparable(each) for each in await walkers[who].at_once()])
            case str() if what in MEANWHILE:
                await MEANWHILE[what](processes.sides[who], processes.connection)
            case str():
                await copy(processes.connection, what)
            case _:
                found = await walkers[who].step(what)
                answers.append([comparable(each) for each in found] if isinstance(found, tuple) else comparable(found))
    return answers


@given(sequence=st.lists(_STEPS, min_size=6, max_size=20), reads_history=st.booleans(), hops=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_short_commit_is_the_long_one(
    redis_process: RedisProcess, sequence: list[Step], *, reads_history: bool, hops: bool
) -> None:
    """In whatever order."""

    async def story(processes: Processes) -> list[Any]:
        return await played(processes, sequence, reads_history=reads_history, hops=hops)

    short = asyncio.run(told(redis_process, story, short=True))
    long = asyncio.run(told(redis_process, story, short=False))
    assert alike(short, long)
    assert long.done == long.refused == 0
