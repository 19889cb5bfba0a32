"""What the store that compares and writes does beyond its contract: what it keeps, and what it sends together."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Committed, Verdict
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from baton.storage.redis import tree_transactions
from baton.storage.redis.reader import RedisReader
from baton.storage.redis.store import TreeStore
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    leases_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import RETENTION_MS

pytestmark = pytest.mark.bridge

SECOND = next_turn().item
ENTRY = '{"role":"model","text":"' + 500 * "x" + '"}'


class WithoutDigests(OneSlot):
    def _text(self, text: str) -> str:
        return super()._text(text.replace("redis.sha1hex", "redis.no_such_function"))


@pytest.fixture
async def connection(redis_process: RedisProcess) -> AsyncIterator[OneSlot]:
    redis_process.request("FLUSHALL")
    made = OneSlot(redis_process.settings())
    yield made
    await made.close()


async def begun_turn(store: TreeStore, job_id: str = JOB_ID) -> None:
    await store.create(creation(a_job(job_id)), "m1", NOW_MS)
    assert (await store.claim(claim_of(first_item(job_id)))).verdict is Verdict.GRANTED


async def fan(store: TreeStore, count: int) -> list[Committed]:
    """A turn that asks for calls, all of which end at the same time; their answers."""
    await begun_turn(store)
    items = [call_item(position) for position in range(count)]
    room = Continuation("o1.1", leases_of(), count)
    turn = Changes(items=tuple(items), calls=tuple(map(record_of, items)), transcript=(ENTRY,))
    assert len((await store.commit(claim_of(first_item()), turn, SPENT, room)).claimed) == count
    ends = [Changes(results={item.call_id: '{"ok":1}'}, join=next_turn()) for item in items]
    claims = [claim_of(item, "m1", "o1.1") for item in items]
    rooms = [Continuation(f"o1.{number}", leases_of(), count) for number in range(2, count + 2)]
    commits = [store.commit(claim, each, SPENT, on) for claim, each, on in zip(claims, ends, rooms, strict=True)]
    return list(await asyncio.gather(*commits))


async def test_calls_that_end_at_the_same_time_are_one_request(
    connection: OneSlot, redis_process: RedisProcess
) -> None:
    """And the last of them goes on with the next turn, which knows what all of them returned."""
    store = TreeStore(connection, RETENTION_MS)
    before = redis_process.counted()
    answers = await fan(store, 10)
    assert redis_process.counted().since(before).requests == 4
    assert all(answer.applied for answer in answers)
    assert [len(answer.claimed) for answer in answers] == 9 * [0] + [1]
    history = answers[-1].claimed[0].history
    assert (len(history.transcript), len(history.results)) == (2, 10)


async def test_who_gives_up_waiting_takes_nobody_with_it(connection: OneSlot, redis_process: RedisProcess) -> None:
    """The first of several is cancelled while its patch is under way: nobody asks again."""
    store = TreeStore(connection, RETENTION_MS)
    await begun_turn(store)
    items = [call_item(position) for position in range(3)]
    turn = Changes(items=tuple(items), calls=tuple(map(record_of, items)))
    await store.commit(claim_of(first_item()), turn, SPENT)
    before = redis_process.counted()
    first, *others = [asyncio.create_task(store.claim(claim_of(item, f"m{item.position}"))) for item in items]
    for _ in range(5):  # until its request is under way, and not so long that it is answered
        await asyncio.sleep(0)
    first.cancel()
    assert [claim_result.verdict for claim_result in await asyncio.gather(*others)] == 2 * [Verdict.GRANTED]
    assert redis_process.counted().since(before).requests == 1
    assert first.cancelled()


async def test_a_server_without_digests_is_given_the_texts(redis_process: RedisProcess) -> None:
    redis_process.request("FLUSHALL")
    connection = WithoutDigests(redis_process.settings())
    try:
        answers = await fan(TreeStore(connection, RETENTION_MS), 3)
    finally:
        await connection.close()
    assert all(answer.applied for answer in answers)


async def test_the_last_update_knows_what_the_end_cost(connection: OneSlot) -> None:
    store = TreeStore(connection, RETENTION_MS)
    await begun_turn(store)
    ends = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True)
    done = await store.commit(
        claim_of(first_item()), ends, SPENT, Continuation("o1.1", leases_of(frozenset(ItemKind)), 9)
    )
    [word] = done.claimed
    snapshot = await RedisReader(connection).job(JOB_ID)
    assert word.state is not None
    assert snapshot is not None
    assert word.state.item.kind is ItemKind.SLOT_REQUEST
    assert word.state.usage == snapshot.usage


@pytest.mark.parametrize(("known_chars", "requests"), [(10_000, 1), (1_000, 2)])
async def test_no_more_is_kept_than_there_is_room_for(
    connection: OneSlot, redis_process: RedisProcess, known_chars: int, requests: int
) -> None:
    store = TreeStore(connection, RETENTION_MS, known_chars=known_chars)
    for job_id in (JOB_ID, "job_b"):
        await begun_turn(store, job_id)
        turn = Changes(items=(next_turn(job_id).item,), transcript=(ENTRY,))
        await store.commit(claim_of(first_item(job_id)), turn, SPENT)
    before = redis_process.counted()
    claim_result = await store.claim(claim_of(SECOND))
    assert len(claim_result.history.transcript) == 2
    assert redis_process.counted().since(before).requests == requests


@pytest.mark.parametrize(("idle_seconds", "requests"), [(60.0, 4), (-1.0, 7)])
async def test_what_is_at_work_is_known_however_much_it_is(
    connection: OneSlot,
    redis_process: RedisProcess,
    monkeypatch: pytest.MonkeyPatch,
    idle_seconds: float,
    requests: int,
) -> None:
    """Claims that are prolonged in turn cost a request each, also where there are more of them than are kept idle."""
    monkeypatch.setattr(tree_transactions, "_TREES", 2)
    store, names = TreeStore(connection, RETENTION_MS), ["job_b", "job_c", "job_d", "job_e"]
    for job_id in names:
        await begun_turn(store, job_id)
    monkeypatch.setattr(tree_transactions, "_IDLE_SECONDS", idle_seconds)
    before = redis_process.counted()
    for job_id in names:
        assert not await store.renew([claim_of(first_item(job_id))], NOW_MS + 10_000_000)
    assert redis_process.counted().since(before).requests == requests
