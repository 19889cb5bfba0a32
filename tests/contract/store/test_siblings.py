"""Many processes work on the calls of one turn: each pays for itself alone, and the turn goes on once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from baton.engine.commit.answers import Claim, Verdict
from baton.engine.effects import Changes
from baton.engine.work_items import ItemKind, WorkItem, following
from baton.storage.ports.jobs import Snapshot
from baton.storage.redis.store import TreeStore
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.operations import Operation
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    next_turn,
    record_of,
)
from tests.contract.store.side import RETENTION_MS, side_over
from tests.contract.store.test_interleaved import Processes, run

pytestmark = pytest.mark.bridge

_ENTRY = '{"role":"model"}'


def _turn(items: Sequence[WorkItem]) -> Changes:
    return Changes(items=tuple(items), calls=tuple(map(record_of, items)), transcript=(_ENTRY,))


def _returns(item: WorkItem) -> Changes:
    return Changes(results={item.call_id: '{"ok":1}'}, join=next_turn(), parts=(f'"{item.call_id}"', '"returned"'))


async def costs_of_a_fan_out(process: RedisProcess, count: int) -> tuple[Counted, Counted]:
    """What it takes to begin, and to end, so many calls at the same time, each in a process of its own."""
    process.request("FLUSHALL")
    connections = [OneSlot(process.settings()) for _ in range(count)]
    stores = [TreeStore(connection, RETENTION_MS) for connection in connections]
    items = [call_item(position) for position in range(count)]
    await stores[0].create(creation(a_job()), "m1", NOW_MS)
    await stores[0].claim(claim_of(first_item()))
    await stores[0].commit(claim_of(first_item()), _turn(items), SPENT)

    claims = [claim_of(item, f"call{item.position}", f"o{item.position}.1") for item in items]
    at_first = process.counted()
    claim_result = await asyncio.gather(*(store.claim(claim) for store, claim in zip(stores, claims, strict=True)))
    assert [each.verdict for each in claim_result] == count * [Verdict.GRANTED]
    between = process.counted()

    requested = [
        store.commit(claim, _returns(item), SPENT) for store, claim, item in zip(stores, claims, items, strict=True)
    ]
    answers = await asyncio.gather(*requested)
    costs = between.since(at_first), process.counted().since(between)
    assert all(answer.applied for answer in answers)
    assert [item.key for answer in answers for item in answer.pending] == [next_turn().item.key]
    reader = side_over(connections[0], stores[0]).reader
    found = await reader.job(JOB_ID)
    assert found is not None
    assert (len(found.results), found.usage.messages) == (count, 1 + count)
    parts = (await reader.parts(JOB_ID, 0)).parts
    assert parts.count('"returned"') == count, "each writer's parts have numbers of their own"
    read = [await reader.parts(JOB_ID, after) for after in range(len(parts))]
    assert [one.parts for one in read] == [parts[after:] for after in range(len(parts))]
    for connection in connections:
        await connection.close()
    return costs


@pytest.mark.parametrize("count", [2, 10, 64])
async def test_calls_at_the_same_time_take_a_few_requests_each(redis_process: RedisProcess, count: int) -> None:
    begin, end = await costs_of_a_fan_out(redis_process, count)
    assert begin.requests <= 2 * count
    assert end.requests <= count + 4


_CALLS = [call_item(position) for position in range(3)]
_LATER = [following(item, ItemKind.CALL, NOW_MS, attempt=2, not_before_ms=NOW_MS + LEASE_MS) for item in _CALLS]
_ITEMS = [
    *_CALLS,
    *_LATER,
    *(following(item, kind, NOW_MS) for item in _CALLS for kind in (ItemKind.COMPLETE, ItemKind.FAILED)),
    next_turn().item,
]


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
def steps(draw: st.DrawFn) -> Operation:
    """Some step of some call is begun, ended, prolonged, or says something."""
    item, number = draw(st.sampled_from(_ITEMS)), draw(st.integers(1, 3))
    message = draw(st.sampled_from([f"m{number}", f"call{item.position}"]))
    claim = claim_of(item, message, f"o{number}.1", after_ms=draw(st.integers(0, 3)) * LEASE_MS)
    way = draw(st.sampled_from(["begin", "begin", "commit", "commit", "renew", "append"]))
    changes = draw(st.sampled_from(_ways(item)))
    until_ms = claim.lease_until_ms + LEASE_MS
    requests = {
        "begin": lambda side: side.store.claim(claim),
        "commit": lambda side: side.store.commit(claim, changes, SPENT),
        "renew": lambda side: side.store.renew([claim], until_ms),
        "append": lambda side: side.store.append(claim, number, ["said"], ""),
    }
    return Operation(f"{way} {claim} {changes if way == 'commit' else ''}", requests[way])


def _begins(claim: Claim) -> Operation:
    return Operation(f"begin {claim}", lambda side: side.store.claim(claim))


def _ends(item: WorkItem) -> Operation:
    claim = claim_of(item, f"call{item.position}", f"o{item.position}.1")
    return Operation(f"end {item.position}", lambda side: side.store.commit(claim, _returns(item), SPENT))


def _requested(count: int) -> list[Operation]:
    """A turn that asks for calls, each begun by a process of its own."""
    turn, claims = (
        claim_of(first_item()),
        [claim_of(item, f"call{item.position}", f"o{item.position}.1") for item in _CALLS],
    )
    return [
        Operation("create", lambda side: side.store.create(creation(a_job()), "m1", NOW_MS)),
        Operation("turn", lambda side: side.store.claim(turn)),
        Operation("calls", lambda side: side.store.commit(turn, _turn(_CALLS[:count]), SPENT)),
        *map(_begins, claims),
    ]


def _timeless(read: Any) -> Any:
    """Without the time of the last use, which by the rule goes back where a clock does."""
    if not isinstance(read, Snapshot):
        return read
    return replace(read, usage=structs.replace(read.usage, updated_ms=0))


async def compare(process: RedisProcess, drawn: Sequence[tuple[Operation, Operation | None, bool]]) -> None:
    """Do all of them, by one process and the other in turn, and by the rule alone."""
    process.request("FLUSHALL")
    processes = Processes(process)
    try:
        for first, second, lost in [*((each, None, False) for each in _requested(3)), *drawn]:
            await processes.both(first, second, lost=lost)
            processes.connections.reverse()
            processes.sides.reverse()
        found, right = [await processes.state(side) for side in (processes.sides[0], processes.fake)]
        assert [_timeless(each) for each in found] == [_timeless(each) for each in right]
    finally:
        for connection in processes.connections:
            await connection.close()


@given(drawn=st.lists(st.tuples(steps(), st.none() | steps(), st.booleans()), min_size=5, max_size=20))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_steps_of_several_calls_come_out_as_by_the_rule(
    redis_process: RedisProcess, drawn: list[tuple[Operation, Operation | None, bool]]
) -> None:
    asyncio.run(compare(redis_process, drawn))


async def test_the_last_of_two_that_end_at_the_same_time_goes_on(redis_process: RedisProcess) -> None:
    redis_process.request("FLUSHALL")
    processes = Processes(redis_process)
    first, second = map(_ends, _CALLS[:2])
    for operation in _requested(2)[:-1]:
        await run(operation, processes.sides[0])
        await run(operation, processes.fake)
    late = TreeStore(processes.connections[1], RETENTION_MS)  # which reads the tree as it is now
    processes.sides[1] = side_over(processes.connections[1], late)
    processes.connections.reverse()
    processes.sides.reverse()
    await processes.both(first, second, lost=False)
    answer: Any = await run(first, processes.fake)
    assert answer == await run(first, processes.sides[1])
    for connection in processes.connections:
        await connection.close()
