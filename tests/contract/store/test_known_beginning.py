"""A process that knows how a job's history began is sent the rest, and where it began otherwise, all of it."""

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import History, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import WorkItem
from baton.sdk.records.transcript import ModelPolicy
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.store import Store
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    next_turn,
    record_of,
)
from tests.contract.store.side import RETENTION_MS, several, side_over
from tests.contract.store.test_archive import recalled_of

pytestmark = pytest.mark.bridge

LONG = 20_000 * "x"
KEYS = (keys.state_key(JOB_ID), keys.calls_key(JOB_ID))


def entry(text: str, *items: WorkItem) -> str:
    calls = ",".join(f'{{"id":"{item.call_id}"}}' for item in items)
    return f'{{"role":"model","text":"{text}","calls":[{calls}]}}'


async def turn(store: Store, item: WorkItem, text: str, *calls: WorkItem) -> None:
    """A turn that says this, and asks for these calls; without any the next turn follows."""
    changes = Changes(
        items=calls or (next_turn().item,), calls=tuple(map(record_of, calls)), transcript=(entry(text, *calls),)
    )
    assert (await store.claim(claim_of(item))).verdict is Verdict.GRANTED
    assert (await store.commit(claim_of(item), changes)).applied


async def ended(store: Store, item: WorkItem, result: str, run: int = 1) -> None:
    claim = replace(claim_of(item, "m2"), run=run)
    await store.claim(claim)
    assert (
        await store.commit(claim, Changes(results={item.call_id: result}, join=next_turn(), admitted=run > 1))
    ).applied


async def read(store: Store) -> History:
    return (await store.claim(claim_of(next_turn().item, "m3"))).history


async def test_the_rest_is_what_others_have_added(redis_process: RedisProcess) -> None:
    """Entries and results, and nothing of what was known."""
    call = call_item(0)
    async with several(redis_process, 2, RedisConnection) as connections:
        one, two = (Store(each, RETENTION_MS) for each in connections)
        await one.create(creation(a_job()), "m1", NOW_MS)
        await turn(one, first_item(), LONG, call)
        await ended(two, call, '{"ok":1}')
        before = redis_process.counted()
        history = await read(one)
        spent: Counted = redis_process.counted().since(before)
    assert [each.get("text", "")[:9] for each in history.transcript] == ["do it", LONG[:9]]
    assert history.results == {call.call_id: {"ok": 1}}
    assert spent.size_bytes < len(LONG) / 4


async def test_a_history_that_a_failover_took_back_is_no_beginning(redis_process: RedisProcess) -> None:
    """As many entries and the same call: only its name tells that another one was written in its place."""
    call = call_item(0)
    async with several(redis_process, 3, RedisConnection) as connections:
        one, two, three = (Store(each, RETENTION_MS) for each in connections)
        await one.create(creation(a_job()), "m1", NOW_MS)
        for key in KEYS:
            redis_process.request("COPY", key, f"{key}:before")
        await turn(one, first_item(), "forgotten", call)
        await ended(one, call, '{"ok":"forgotten"}')
        for key in KEYS:
            redis_process.request("COPY", f"{key}:before", key, "REPLACE")
        await turn(two, first_item(), "decided again", call)
        await ended(two, call, '{"ok":2}')
        history, alone = await read(one), await read(three)
    assert [each["text"] for each in history.transcript] == ["do it", "decided again"]
    assert (history.results, alone.results) == ({call.call_id: {"ok": 2}}, {call.call_id: {"ok": 2}})


async def test_a_history_whose_result_was_forgotten_is_no_beginning(redis_process: RedisProcess) -> None:
    """The call runs again after a retry, and returns something else."""
    call = call_item(0)
    async with several(redis_process, 3, RedisConnection) as connections:
        side = side_over(connections[0])
        two, three = (Store(each, RETENTION_MS) for each in connections[1:])
        await side.store.create(creation(a_job()), "m1", NOW_MS)
        await turn(side.store, first_item(), "asks", call)
        await ended(three, call, '{"ok":1}')
        assert (await read(two)).results == {call.call_id: {"ok": 1}}
        failed = Changes(job=replace(a_job(), status=JobStatus.FAILED), ends=True)
        assert (await side.store.commit(claim_of(next_turn().item, "m3"), failed)).applied
        calls, again = (call_item(0), call_item(1)), replace(a_job(), run=2)
        begins = Changes(
            job=again, items=calls, calls=tuple(map(record_of, calls)), forgets=(call.call_id,), begins_again=True
        )
        await side.store.record((await recalled_of(side)).loaded, "m4", begins, NOW_MS)
        await ended(side.store, call, '{"ok":2}', run=2)
        await ended(side.store, calls[1], '{"ok":3}', run=2)
        history = (await two.claim(replace(claim_of(next_turn().item, "m3"), run=2))).history
    assert history.results[call.call_id] == {"ok": 2}


async def test_a_result_that_came_apart_and_that_a_failover_took_back_is_read_again(
    redis_process: RedisProcess,
) -> None:
    """Who read it in the midst of its turn, as a call's own claim, knows no name that tells of it."""
    calls = [call_item(position) for position in range(4)]
    reads = replace(a_job(), model=ModelPolicy(calls_read_history=True))
    async with several(redis_process, 3, RedisConnection) as connections:
        one, two, three = (Store(each, RETENTION_MS) for each in connections)
        await three.create(creation(reads), "m1", NOW_MS)
        await turn(three, first_item(), "asks", *calls)
        for call in calls[:2]:
            assert (await two.claim(claim_of(call, "m2"))).verdict is Verdict.GRANTED
        assert (await three.claim(claim_of(calls[3], "m3"))).verdict is Verdict.GRANTED
        for key in KEYS:
            redis_process.request("COPY", key, f"{key}:before")
        ends = Changes(results={calls[0].call_id: '{"ok":"forgotten"}'}, join=next_turn())
        assert (await two.commit(claim_of(calls[0], "m2"), ends)).applied
        assert (await one.claim(claim_of(calls[2], "m4"))).history.results == {calls[0].call_id: {"ok": "forgotten"}}
        for key in KEYS:
            redis_process.request("COPY", f"{key}:before", key, "REPLACE")
        for call in calls:
            await ended(two, call, '{"ok":2}')
        history = await read(one)
    assert history.results == {call.call_id: {"ok": 2} for call in calls}
