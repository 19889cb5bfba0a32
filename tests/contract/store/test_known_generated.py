"""Whatever is done to jobs, and whatever a failover forgets: what is known by its tag is what is stored."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.core.effects import Changes
from events.core.legs import loop_leg
from tests.contract.store.failover import FAIL_OVER, REPLICATE, copy
from tests.contract.store.known_stage import Stage, stage_on
from tests.contract.store.operations import Operation, operations
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import JOB_ID, NOW_MS, SPENT, a_job, claim_of, creation, first_leg
from tests.contract.store.side import Side, connection_to

FIRST, SECOND = first_leg(), loop_leg(JOB_ID, 2, 1, NOW_MS)


# Which of two processes does what; for the server it is no matter.
Step = tuple[int, Operation | str]


async def done(stage: Stage, step: Operation | str) -> None:
    """One step."""
    if isinstance(step, Operation):
        await step.run(stage.side)
        return
    await copy(stage.connection, step)


async def holds(process: RedisProcess, sequence: list[Step]) -> None:
    """Do each step; after each, what each process knows is what is stored."""
    process.ask("FLUSHALL")
    connection = connection_to(process)
    try:
        stages = [stage_on(connection), stage_on(connection)]
        await stages[0].side.store.create(creation(a_job()), "m1", NOW_MS)
        for stage in stages:
            await stage.side.store.begin(claim_of(first_leg()))
        await done(stages[0], REPLICATE)
        for number, (who, step) in enumerate(sequence):
            await done(stages[who], step)
            for stage in stages:
                assert not await stage.untrue(), f"after the last of {sequence[: number + 1]}"
    finally:
        await connection.close()


def turn(text: str) -> Operation:
    """Whichever turn stands says this and a result, and is followed by the other one, which is told what was said."""

    async def run(side: Side) -> None:
        for leg, other in ((FIRST, SECOND), (SECOND, FIRST)):
            said = Changes(legs=(other,), transcript=(f'{{"role":"{text}"}}',), results={text: f'{{"ok":"{text}"}}'})
            if (await side.store.commit(claim_of(leg), said, SPENT)).applied:
                await side.store.begin(claim_of(other))
                return

    return Operation(f"turn {text}", run)


_TURNS = st.sampled_from([turn("a"), turn("b"), turn("c")])
_LOSSES = st.sampled_from([REPLICATE, FAIL_OVER])
_STEPS = st.tuples(st.integers(0, 1), operations() | _TURNS | _LOSSES)


@given(sequence=st.lists(_STEPS, min_size=8, max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_known_is_what_is_stored(redis_process: RedisProcess, sequence: list[Step]) -> None:
    """In whatever order."""
    asyncio.run(holds(redis_process, sequence))
