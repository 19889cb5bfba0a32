"""Processes that decide on what they know of the same trees give answers as if one had come after the other.

Between the moment a process decides and the moment its patch is compared, another one writes; answers get lost. What
comes of it is what one process alone makes of the same steps, in the order in which they were written, with a store of
its own. Each process that works on the calls of one turn pays for itself alone, and the turn goes on once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from baton.engine.commit.answers import Claim, Committed, Verdict
from baton.engine.effects import Changes
from baton.engine.work_items import ItemKind, WorkItem, following
from baton.store.records.jobs import Snapshot
from baton.store.redis.store import Store
from baton.store.transport.meter import Meter, charge, metered
from baton_events.errors import StoreError
from tests.contract.store.comparable import comparable, creations, uncounted
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.operations import JOB_IDS, Operation, operations
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    job_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import RETENTION_MS, Side, in_process, several, side_over
from tests.fakes.clock import FakeClock

# These ask for more than one thing: others may come between, and then the answer is another one.
_SEVERAL = ("fact", "remove")
Meanwhile = Callable[[], Awaitable[None]]
# What a process does, what another one does meanwhile, whether the answer is lost, and whether they change places.
Step = tuple[Operation, Operation | None, bool, bool]


class Interrupted(OneSlot):
    """A connection on whose way to the store something happens, or on whose way back the answer gets lost."""

    meanwhile: Meanwhile | None = None
    loses = False

    async def apply(self, keys: Sequence[str], args: Sequence[str], beside: Any = ()) -> Any:
        """Compare, then write; late."""
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        answer = await super().apply(keys, args, beside)
        if self.loses and answer[1]:  # it was written
            self.loses = False
            raise StoreError("the answer is lost")
        return answer


async def run(operation: Operation, side: Side) -> Any:
    """Its answer, made comparable."""
    return comparable(await operation.run(side))


class Processes:
    """Two of them over one server, and one alone."""

    def __init__(self, connections: list[Interrupted]) -> None:
        self.connections = connections
        self.sides = [side_over(each, Store(each, RETENTION_MS)) for each in connections]
        self.alone = side_over(in_process())

    def change_places(self) -> None:
        self.connections.reverse()
        self.sides.reverse()

    async def both(self, first: Operation, second: Operation | None, *, lost: bool) -> None:
        """One operation, during which the other process does another one."""
        found, expected = list[Any](), list[Any]()

        async def meanwhile() -> None:
            assert second is not None
            found.append(await run(second, self.sides[1]))
            expected.append(await run(second, self.alone))

        if first.name.startswith(_SEVERAL):
            await self.both(second, None, lost=False) if second else None
            second = None
        here = self.connections[0]
        here.meanwhile, here.loses = meanwhile if second else None, lost
        try:
            answer = await run(first, self.sides[0])
        except StoreError:
            await run(first, self.alone)
            answer = await run(first, self.sides[0])
        assert answer == await run(first, self.alone), first
        assert found == expected, second
        here.meanwhile, here.loses = None, False
        if second and not found:
            assert await run(second, self.sides[1]) == await run(second, self.alone)

    async def state(self, side: Side) -> list[Any]:
        names = (*JOB_IDS, f"{JOB_IDS[0]}.2")
        jobs = [comparable(await side.reader.job(name)) for name in names]
        return [*jobs, *[uncounted(await side.reader.parts(name, 0)) for name in names]]


def _timeless(read: Any) -> Any:
    """Without the time of the last use, which by the rule goes back where a clock does."""
    return replace(read, usage=structs.replace(read.usage, updated_ms=0)) if isinstance(read, Snapshot) else read


@asynccontextmanager
async def two_processes(process: RedisProcess | None) -> AsyncIterator[Processes]:
    async with several(process, 2, Interrupted) as connections:
        yield Processes(connections)


def compare(
    process: RedisProcess | None, first: Sequence[Operation], steps: Sequence[Step], *, clocks_go_back: bool = False
) -> None:
    """Do all of them, and see that the same comes of it as of one process alone."""

    async def do() -> None:
        async with two_processes(process) as processes:
            for one, second, lost, changes in [*((each, None, False, True) for each in first), *steps]:
                await processes.both(one, second, lost=lost)
                if changes:
                    processes.change_places()
            found, right = [await processes.state(side) for side in (processes.sides[0], processes.alone)]
            if clocks_go_back:
                found, right = [*map(_timeless, found)], [*map(_timeless, right)]
            assert found == right

    asyncio.run(do())


def drawn(of: st.SearchStrategy[Operation]) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.tuples(of, st.none() | of, st.booleans(), st.booleans()), min_size=5, max_size=25)


@given(first=st.lists(st.sampled_from(creations()), unique_by=repr), steps=drawn(operations()))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_processes_that_know_something_else_answer_alike(
    anywhere: RedisProcess | None, first: list[Operation], steps: list[Step]
) -> None:
    """Whatever they are asked, and whatever happens on the way."""
    compare(anywhere, first, steps)


_ENTRY = '{"role":"model"}'


def _turn(items: Sequence[WorkItem]) -> Changes:
    return Changes(items=tuple(items), calls=tuple(map(record_of, items)), transcript=(_ENTRY,))


def _returns(item: WorkItem) -> Changes:
    return Changes(results={item.call_id: '{"ok":1}'}, join=next_turn(), parts=(f'"{item.call_id}"', '"returned"'))


def _claim(item: WorkItem) -> Claim:
    """By the call's own message, in a process of its own."""
    return claim_of(item, f"call{item.position}", f"o{item.position}.1")


async def _ended(store: Store, item: WorkItem) -> Committed:
    """Each call ends in an invocation of its own, which a message brought."""
    with metered(Meter(FakeClock(NOW_MS), memory_mb=1)):
        charge(messages=1)
        return await store.commit(_claim(item), _returns(item))


async def costs_of_a_fan_out(process: RedisProcess, count: int) -> tuple[Counted, Counted]:
    """What it takes to begin, and to end, so many calls at the same time, each in a process of its own."""
    async with several(process, count, OneSlot) as connections:
        stores = [Store(connection, RETENTION_MS) for connection in connections]
        items = [call_item(position) for position in range(count)]
        await stores[0].create(creation(a_job()), "m1", NOW_MS)
        await stores[0].claim(claim_of(first_item()))
        await stores[0].commit(claim_of(first_item()), _turn(items))
        at_first, pairs = process.counted(), list(zip(stores, items, strict=True))
        claimed = await asyncio.gather(*(store.claim(_claim(item)) for store, item in pairs))
        assert [each.verdict for each in claimed] == count * [Verdict.GRANTED]
        between = process.counted()
        answers = await asyncio.gather(*(_ended(store, item) for store, item in pairs))
        costs = between.since(at_first), process.counted().since(between)
        assert all(answer.applied for answer in answers)
        assert [item.key for answer in answers for item in answer.pending] == [next_turn().item.key]
        side = side_over(connections[0], stores[0])
        found = await job_of(side)
        assert (len(found.results), found.usage.messages) == (count, count)
        parts = (await side.reader.parts(JOB_ID, 0)).parts
        assert parts.count('"returned"') == count, "each writer's parts have numbers of their own"
        read = [(await side.reader.parts(JOB_ID, after)).parts for after in range(len(parts))]
        assert read == [parts[after:] for after in range(len(parts))]
        return costs


@pytest.mark.bridge
@pytest.mark.parametrize("count", [2, 10, 64])
async def test_calls_at_the_same_time_take_a_few_requests_each(redis_process: RedisProcess, count: int) -> None:
    """However many others there are."""
    begin, end = await costs_of_a_fan_out(redis_process, count)
    assert begin.requests <= 2 * count
    assert end.requests <= count + 4


_CALLS = [call_item(position) for position in range(3)]
_LATER = [following(item, ItemKind.CALL, NOW_MS, attempt=2, not_before_ms=NOW_MS + LEASE_MS) for item in _CALLS]
_ENDS = [following(item, kind, NOW_MS) for item in _CALLS for kind in (ItemKind.COMPLETE, ItemKind.FAILED)]


def _ways(item: WorkItem) -> list[Changes]:
    if item.kind is ItemKind.LOOP:
        return [Changes(transcript=(_ENTRY,))]
    after = [
        following(item, kind, NOW_MS) for kind in (ItemKind.COMPLETE, ItemKind.FAILED) if item.kind is ItemKind.CALL
    ]
    again = [_LATER[item.position]] if item.attempt == 1 else []
    waits = following(item, ItemKind.WAIT, NOW_MS, not_before_ms=NOW_MS + 9 * LEASE_MS)
    return [_returns(item), *(Changes(items=(follows,)) for follows in (*after, *again, waits))]


@st.composite
def steps_of_calls(draw: st.DrawFn) -> Operation:
    """Some step of some call is begun, ended, prolonged, or says something."""
    item = draw(st.sampled_from([*_CALLS, *_LATER, *_ENDS, next_turn().item]))
    number = draw(st.integers(1, 3))
    message = draw(st.sampled_from([f"m{number}", f"call{item.position}"]))
    claim = claim_of(item, message, f"o{number}.1", after_ms=draw(st.integers(0, 3)) * LEASE_MS)
    way = draw(st.sampled_from(["begin", "begin", "commit", "commit", "renew", "append"]))
    changes = draw(st.sampled_from(_ways(item)))
    requests = {
        "begin": lambda side: side.store.claim(claim),
        "commit": lambda side: side.store.commit(claim, changes),
        "renew": lambda side: side.store.renew([claim], claim.lease_until_ms + LEASE_MS),
        "append": lambda side: side.store.append(claim, number, ["said"], ""),
    }
    return Operation(f"{way} {claim} {changes if way == 'commit' else ''}", requests[way])


def _begins(claim: Claim) -> Operation:
    return Operation(f"begin {claim}", lambda side: side.store.claim(claim))


def _ends(item: WorkItem) -> Operation:
    return Operation(f"end {item.position}", lambda side: side.store.commit(_claim(item), _returns(item)))


def _requested(count: int) -> list[Operation]:
    """A turn that asks for calls, each begun by a process of its own."""
    turn = claim_of(first_item())
    return [
        Operation("create", lambda side: side.store.create(creation(a_job()), "m1", NOW_MS)),
        Operation("turn", lambda side: side.store.claim(turn)),
        Operation("calls", lambda side: side.store.commit(turn, _turn(_CALLS[:count]))),
        *(_begins(_claim(item)) for item in _CALLS),
    ]


@pytest.mark.bridge
@given(steps=drawn(steps_of_calls()))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_steps_of_several_calls_come_out_as_by_the_rule(anywhere: RedisProcess | None, steps: list[Step]) -> None:
    """Whoever does them, and whatever happens on the way."""
    compare(anywhere, _requested(3), steps, clocks_go_back=True)


@pytest.mark.bridge
async def test_the_last_of_two_that_end_at_the_same_time_goes_on(redis_process: RedisProcess) -> None:
    """Each of them has seen the other one still at work."""
    async with two_processes(redis_process) as processes:
        first, second = map(_ends, _CALLS[:2])
        for operation in _requested(2)[:-1]:
            await run(operation, processes.sides[0])
            await run(operation, processes.alone)
        late = Store(processes.connections[1], RETENTION_MS)  # which reads the tree as it is now
        processes.sides[1] = side_over(processes.connections[1], late)
        processes.change_places()
        await processes.both(first, second, lost=False)
        assert await run(first, processes.alone) == await run(first, processes.sides[1])
