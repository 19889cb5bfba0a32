"""What the store that compares and writes does beyond its contract: what it keeps, and what it sends together.

What one process does not know of what another one wrote is compared; nobody pays for what somebody gave up.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Committed, Signal, SignalResult, Verdict
from baton.engine.effects import Changes, Skip
from baton.engine.outbox import Continuation
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following
from baton.sdk.records.limits import FIRST_CALL_TOKENS
from baton.store.redis.connection import RedisConnection
from baton.store.redis.store import Store
from baton.store.redis.tree import transactions
from baton.store.transport.meter import Meter, metered, take
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    complete_item,
    creation,
    first_item,
    job_of,
    leases_of,
    next_turn,
    record_of,
    state_of,
)
from tests.contract.store.side import RETENTION_MS, side_over
from tests.contract.store.test_signals import OTHERWISE, outcome_of, wait_item
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.bridge

SECOND = next_turn().item
ENTRY = '{"role":"model","text":"' + 500 * "x" + '"}'


async def begun_turn(store: Store, job_id: str = JOB_ID) -> None:
    await store.create(creation(a_job(job_id)), "m1", NOW_MS)
    assert (await store.claim(claim_of(first_item(job_id)))).verdict is Verdict.GRANTED


async def fan(store: Store, count: int) -> list[Committed]:
    """A turn that asks for calls, all of which end at the same time; their answers."""
    await begun_turn(store)
    items = [call_item(position) for position in range(count)]
    room = Continuation("o1.1", leases_of(), count)
    turn = Changes(items=tuple(items), calls=tuple(map(record_of, items)), transcript=(ENTRY,))
    assert len((await store.commit(claim_of(first_item()), turn, room)).claimed) == count
    commits = list[Awaitable[Committed]]()
    for number, item in enumerate(items, 2):
        ends = Changes(results={item.call_id: '{"ok":1}'}, join=next_turn())
        on = Continuation(f"o1.{number}", leases_of(), count)
        commits.append(store.commit(claim_of(item, "m1", "o1.1"), ends, on))
    return list(await asyncio.gather(*commits))


async def test_calls_that_end_at_the_same_time_are_one_request(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    store = Store(connection, RETENTION_MS)
    before = redis_process.counted()
    answers = await fan(store, 10)
    assert redis_process.counted().since(before).requests == 4
    assert all(answer.applied for answer in answers)
    assert [len(answer.claimed) for answer in answers] == 9 * [0] + [1]
    history = answers[-1].claimed[0].history
    assert (len(history.transcript), len(history.results)) == (2, 10)


async def test_what_going_on_in_place_reads_is_billed_once(one: Store, two: Store, redis_process: RedisProcess) -> None:
    """By a process that knows nothing of the job yet; the ledger cannot have the answer, so the invocation has it."""
    [item] = await requested(one, 1)
    await one.claim(claim_of(item))
    before, counted = await job_of(side_over(one._redis, one)), redis_process.counted()
    with metered(Meter(FakeClock(NOW_MS), memory_mb=1)):
        ends, room = Changes(results={item.call_id: "{}"}, join=next_turn()), Continuation("o1.1", leases_of(), 1)
        [turn] = (await two.commit(claim_of(item), ends, room)).claimed
        spent, rest = redis_process.counted().since(counted), take()
    assert turn.history.transcript
    after = await job_of(side_over(one._redis, one))
    assert after.usage.redis_commands - before.usage.redis_commands + rest.commands == spent.commands
    assert after.usage.redis_bytes - before.usage.redis_bytes + rest.size_bytes == spent.size_bytes


async def requested(store: Store, count: int) -> list[WorkItem]:
    await begun_turn(store)
    items = [call_item(position) for position in range(count)]
    await store.commit(claim_of(first_item()), Changes(items=tuple(items), calls=tuple(map(record_of, items))))
    return items


@pytest.mark.parametrize("gives_up", [0, 1])
async def test_who_gives_up_waiting_takes_nobody_with_it(
    connection: RedisConnection, redis_process: RedisProcess, gives_up: int
) -> None:
    """One whose transition is in the patch of another one, or all of theirs in its own: nobody asks again."""
    store = Store(connection, RETENTION_MS)
    items, before = await requested(store, 3), redis_process.counted()
    begins = [asyncio.create_task(store.claim(claim_of(item, f"m{item.position}"))) for item in items]
    for _ in range(5):  # until their request is under way, and not so long that it is answered
        await asyncio.sleep(0)
    begins[gives_up].cancel()
    answers = await asyncio.gather(*begins, return_exceptions=True)
    assert isinstance(answers[gives_up], asyncio.CancelledError)
    assert [answer.verdict for answer in answers if not isinstance(answer, BaseException)] == 2 * [Verdict.GRANTED]
    assert redis_process.counted().since(before).requests == 1
    assert (await store.claim(claim_of(items[gives_up], f"m{gives_up}"))).verdict is Verdict.GRANTED


async def test_the_last_update_knows_what_the_end_cost(connection: RedisConnection) -> None:
    store = Store(connection, RETENTION_MS)
    await begun_turn(store)
    ends = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True)
    [word] = (await store.commit(claim_of(first_item()), ends, Continuation("o1.1", leases_of(), 9))).claimed
    assert word.state is not None
    assert word.state.item.kind is ItemKind.SLOT_REQUEST
    assert word.state.usage == (await job_of(side_over(connection))).usage


@pytest.mark.parametrize(("known_chars", "requests"), [(10_000, 1), (1_000, 2)])
async def test_no_more_is_kept_than_there_is_room_for(
    connection: RedisConnection, redis_process: RedisProcess, known_chars: int, requests: int
) -> None:
    store = Store(connection, RETENTION_MS, known_chars=known_chars)
    for job_id in (JOB_ID, "job_b"):
        await begun_turn(store, job_id)
        turn = Changes(items=(next_turn(job_id).item,), transcript=(ENTRY,))
        await store.commit(claim_of(first_item(job_id)), turn)
    before = redis_process.counted()
    claim_result = await store.claim(claim_of(SECOND))
    assert len(claim_result.history.transcript) == 2
    assert redis_process.counted().since(before).requests == requests


@pytest.mark.parametrize(("idle_seconds", "requests"), [(60.0, 4), (-1.0, 7)])
async def test_what_is_at_work_is_known_however_much_it_is(
    connection: RedisConnection,
    redis_process: RedisProcess,
    monkeypatch: pytest.MonkeyPatch,
    idle_seconds: float,
    requests: int,
) -> None:
    """Claims that are prolonged in turn cost a request each, also where there are more of them than are kept idle."""
    monkeypatch.setattr(transactions, "_TREES", 2)
    store, names = Store(connection, RETENTION_MS), ["job_b", "job_c", "job_d", "job_e"]
    for job_id in names:
        await begun_turn(store, job_id)
    monkeypatch.setattr(transactions, "_IDLE_SECONDS", idle_seconds)
    before = redis_process.counted()
    for job_id in names:
        assert not await store.renew([claim_of(first_item(job_id))], NOW_MS + 10_000_000)
    assert redis_process.counted().since(before).requests == requests


async def test_a_prolongation_that_comes_too_late_forgets_no_history(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    """What it finds is read, and with it what this process knows stays valid: the next turn is not sent all again."""
    store, item, room = Store(connection, RETENTION_MS), call_item(0), Continuation("o1.1", leases_of(), 1)
    await begun_turn(store)
    entry = '{"role":"model","text":"' + 5_000 * "x" + '"}'
    turn = Changes(items=(item,), calls=(record_of(item),), transcript=(entry,))
    await store.commit(claim_of(first_item()), turn, room)
    assert await store.renew([claim_of(first_item())], NOW_MS + LEASE_MS) == [first_item().key]
    before = redis_process.counted()
    ends = Changes(results={item.call_id: '{"ok":1}'}, join=next_turn())
    [claimed] = (await store.commit(claim_of(item, "m1", "o1.1"), ends, replace(room, owner="o1.2"))).claimed
    assert claimed.history.results == {item.call_id: {"ok": 1}}
    assert redis_process.counted().since(before).size_bytes < len(entry)


@pytest.fixture
def one(connection: RedisConnection) -> Store:
    """As that of one process, and `two` as that of another one: neither knows what the other one wrote."""
    return Store(connection, RETENTION_MS)


@pytest.fixture
def two(connection: RedisConnection) -> Store:
    return Store(connection, RETENTION_MS)


async def test_what_calls_cost_at_the_same_time_stays_in_the_ledger(
    one: Store, two: Store, connection: RedisConnection
) -> None:
    first, last = await requested(one, 2)
    for item in (first, last):
        await two.claim(claim_of(item, f"m{item.position}"))
    await two.commit(claim_of(first, "m0"), Changes(results={first.call_id: "{}"}, join=next_turn()))
    before = (await job_of(side_over(connection))).usage
    await two.commit(claim_of(last, "m1"), Changes(results={last.call_id: "{}"}, join=next_turn()))
    after = (await job_of(side_over(connection))).usage
    assert after.redis_bytes > before.redis_bytes
    assert after.redis_commands > before.redis_commands + 1


async def test_a_wait_that_begins_beside_other_calls_has_what_came_before_it(
    one: Store, two: Store, connection: RedisConnection
) -> None:
    """An event is kept, and a process that does not know of it writes the wait for it."""
    first, last = await requested(one, 2)
    for item in (first, last):
        await two.claim(claim_of(item, f"m{item.position}"))
    signal = Signal("evt_1", '{"ok":1}', event="paid")
    assert (await one.signal(JOB_ID, "w1", signal, NOW_MS)).signal_result is SignalResult.FIRST
    await two.commit(claim_of(first, "m0"), Changes(items=(wait_item(0, "paid"),)))
    job = await job_of(side_over(connection))
    assert job.results == {"event:evt_1": {"ok": 1}, first.call_id: {"ok": 1}}
    assert [item.not_before_ms for item in job.items if item.kind is ItemKind.WAIT] == [0]


async def test_an_outcome_is_not_overwritten_by_its_wait_s_end(
    one: Store, two: Store, connection: RedisConnection
) -> None:
    """A COMMIT goes on with a wait whose time is up, in a process that does not know what somebody has told of it."""
    first, last = await requested(one, 2)
    wait = wait_item(0, until_ms=NOW_MS + 10)
    await one.commit(claim_of(first), Changes(items=(wait,)))
    await two.claim(claim_of(last))
    # By whose clock the wait is over, though nobody has begun it.
    assert (await one.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 20)).signal_result is SignalResult.FIRST
    room = Continuation("o1.1", leases_of(), 2)
    ends = Changes(items=(complete_item(1),), results={last.call_id: "{}"})
    committed = await two.commit(claim_of(last, after_ms=20), ends, room)
    outcomes = {each.state.item.key: each.state.outcome for each in committed.claimed if each.state}
    assert outcomes[wait.key] == '{"ok":7}' != OTHERWISE
    assert (await job_of(side_over(connection))).results[first.call_id] == {"ok": 7}


async def test_a_turn_is_given_what_a_turn_below_it_has_reserved_meanwhile(one: Store, two: Store) -> None:
    child = first_item(f"{JOB_ID}.1")
    await one.create(creation(a_job()), "m1", NOW_MS)
    await one.create(creation(a_job(child.job_id)), "m2", NOW_MS)
    await one.claim(claim_of(child, "m2"))
    await two.claim(claim_of(child, "m3", "o3", after_ms=LEASE_MS))
    scopes = (await state_of(one, claim_of(first_item(), after_ms=LEASE_MS))).budget_scopes
    assert [scope.in_flight_tokens for scope in scopes] == [FIRST_CALL_TOKENS]


async def test_who_is_granted_an_item_is_informed_of_its_call_as_it_was_then(one: Store, two: Store) -> None:
    """Though the one who had it commits at the same time, in the same process: one after the other."""
    first, *_ = await requested(one, 2)
    await two.claim(claim_of(first))
    late = claim_of(first, "m2", "o2", after_ms=LEASE_MS + 1)
    done = Changes(calls=(replace(record_of(first), status=CallStatus.FAILED),))
    state, committed = await asyncio.gather(state_of(two, late), two.commit(claim_of(first), done))
    assert (committed.applied, state.call) == (True, record_of(first))


class Overtaken(OneSlot):
    """A connection on which something happens once a tree was read, or once a patch was written."""

    meanwhile: Callable[[], Awaitable[object]] | None = None
    once_written = False

    async def read(self, *commands: Any) -> list[Any]:
        answers = await super().read(*commands)
        await self._overtake(written=False)
        return answers

    async def apply(self, keys: Any, args: Any, beside: Any = ()) -> Any:
        answer = await super().apply(keys, args, beside)
        await self._overtake(written=True)
        return answer

    async def _overtake(self, *, written: bool) -> None:
        if self.meanwhile is not None and written is self.once_written:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()


@pytest.fixture
async def overtaken(connection: RedisConnection, redis_process: RedisProcess) -> AsyncIterator[Overtaken]:
    made = Overtaken(redis_process.settings())
    yield made
    await made.close()


async def test_who_has_an_item_already_is_informed_of_its_call_as_it_is(
    one: Store, two: Store, overtaken: Overtaken
) -> None:
    """Nothing is written, and yet what was read at first and what is read then are of one moment."""
    first, *_ = await requested(one, 2)
    await two.claim(claim_of(first))
    done = Changes(calls=(replace(record_of(first), status=CallStatus.FAILED),))
    overtaken.meanwhile = lambda: one.commit(claim_of(first), done)
    assert (await Store(overtaken, RETENTION_MS).claim(claim_of(first))).verdict is Verdict.APPLIED


async def test_who_is_granted_a_failed_step_is_informed_of_those_after_it_as_they_were(
    one: Store, overtaken: Overtaken
) -> None:
    """Though somebody takes it over, and leaves them out, before the answer has come."""
    step = replace(call_item(0), step="one")
    failed, later = following(step, ItemKind.FAILED, NOW_MS), call_item(1)
    after = record_of(later)
    record = replace(record_of(step), step="one", dependants=(after.id,))
    await begun_turn(one)
    await one.commit(claim_of(first_item()), Changes(items=(failed, later), calls=(record, after)))

    async def overtake() -> None:
        late = claim_of(failed, "m3", "o3", after_ms=LEASE_MS + 1)
        await one.claim(late)
        skips = (Skip(later.key, replace(after, status=CallStatus.FAILED), "{}"),)
        await one.commit(late, Changes(calls=(record,), skips=skips))

    overtaken.meanwhile, overtaken.once_written = overtake, True
    assert (await state_of(Store(overtaken, RETENTION_MS), claim_of(failed))).dependants == (after,)
