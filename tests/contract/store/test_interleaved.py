"""Processes that decide on what they know of the same trees give answers as if one had come after the other.

Between the moment a process decides and the moment its patch is compared, another one writes; answers get lost. What
comes of it is what the rule alone makes of the same steps, in the order in which they were written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baton.storage.redis.store import TreeStore
from baton_events.errors import StoreError
from tests.contract.store.comparable import comparable, creations, uncounted
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.operations import JOB_IDS, Operation, operations
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import RETENTION_MS, Side, fake_side, side_over

# These ask for more than one thing: others may come between, and then the answer is another one.
_SEVERAL = ("fact", "remove")
Meanwhile = Callable[[], Awaitable[None]]


class Interrupted(OneSlot):
    """A connection on whose way to the store something happens, or on whose way back the answer gets lost."""

    meanwhile: Meanwhile | None = None
    loses = False

    async def apply(self, keys: Sequence[str], args: Sequence[str], beside: Any = ()) -> Any:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        answer = await super().apply(keys, args, beside)
        if self.loses and answer[1]:  # it was written
            self.loses = False
            raise StoreError("the answer is lost")
        return answer


class Processes:
    def __init__(self, process: RedisProcess) -> None:
        self.connections = [Interrupted(process.settings()) for _ in range(2)]
        stores = [TreeStore(connection, RETENTION_MS) for connection in self.connections]
        self.sides = [side_over(*pair) for pair in zip(self.connections, stores, strict=True)]
        self.fake = fake_side()

    async def both(self, first: Operation, second: Operation | None, *, lost: bool) -> None:
        """One operation, during which the other process does another one."""
        found, expected = list[Any](), list[Any]()

        async def meanwhile() -> None:
            assert second is not None
            found.append(await run(second, self.sides[1]))
            expected.append(await run(second, self.fake))

        if first.name.startswith(_SEVERAL):
            await self.both(second, None, lost=False) if second else None
            second = None
        here = self.connections[0]
        here.meanwhile, here.loses = meanwhile if second else None, lost
        try:
            answer = await run(first, self.sides[0])
        except StoreError:
            await run(first, self.fake)
            answer = await run(first, self.sides[0])
        right = await run(first, self.fake)
        assert answer == right
        assert found == expected
        self.connections[0].meanwhile, self.connections[0].loses = None, False
        if second and not found:
            assert await run(second, self.sides[1]) == await run(second, self.fake)

    async def state(self, side: Side) -> list[Any]:
        names = (*JOB_IDS, f"{JOB_IDS[0]}.2")
        jobs = [comparable(await side.reader.job(name)) for name in names]
        return [*jobs, *[uncounted(await side.reader.parts(name, 0)) for name in names]]


async def run(operation: Operation, side: Side) -> Any:
    return comparable(await operation.run(side))


async def compare(process: RedisProcess, steps: Sequence[tuple[Operation, Operation | None, bool]]) -> None:
    process.request("FLUSHALL")
    processes = Processes(process)
    try:
        for first, second, lost in steps:
            await processes.both(first, second, lost=lost)
            processes.connections.reverse()
            processes.sides.reverse()
        assert await processes.state(processes.sides[0]) == await processes.state(processes.fake)
    finally:
        for connection in processes.connections:
            await connection.close()


@given(
    first=st.lists(st.sampled_from(creations()), unique_by=repr, min_size=1),
    steps=st.lists(st.tuples(operations(), st.none() | operations(), st.booleans()), min_size=5, max_size=20),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_processes_that_know_something_else_answer_alike(
    redis_process: RedisProcess, first: list[Operation], steps: list[tuple[Operation, Operation | None, bool]]
) -> None:
    begin = [(operation, None, False) for operation in first]
    asyncio.run(compare(redis_process, [*begin, *steps]))
