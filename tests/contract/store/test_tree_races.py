"""What one process does not know of what another one wrote is compared; and nobody pays for what somebody gave up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from baton.engine.commit.answers import Signal, SignalResult, Verdict
from baton.engine.effects import Changes, Skip
from baton.engine.outbox import Continuation
from baton.engine.transitions import CallStatus
from baton.engine.work_items import ItemKind, WorkItem
from baton.engine.work_items import following as following_item
from baton.sdk.limits import FIRST_CALL_TOKENS
from baton.storage.ports.jobs import Snapshot
from baton.storage.redis.store import TreeStore
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    complete_item,
    creation,
    first_item,
    leases_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import RETENTION_MS, side_over
from tests.contract.store.test_signals import OTHERWISE, outcome_of, wait_item

pytestmark = pytest.mark.bridge


class Processes:
    def __init__(self, process: RedisProcess) -> None:
        self.connections = [OneSlot(process.settings()) for _ in range(2)]
        self.first, self.second = [TreeStore(connection, RETENTION_MS) for connection in self.connections]

    async def job(self) -> Snapshot:
        found = await side_over(self.connections[0]).reader.job(JOB_ID)
        assert found is not None
        return found


@pytest.fixture
async def processes(redis_process: RedisProcess) -> AsyncIterator[Processes]:
    redis_process.request("FLUSHALL")
    made = Processes(redis_process)
    yield made
    for connection in made.connections:
        await connection.close()


async def requested(store: TreeStore, count: int) -> list[WorkItem]:
    """A turn that has asked for so many calls."""
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.claim(claim_of(first_item()))
    items = [call_item(position) for position in range(count)]
    await store.commit(claim_of(first_item()), Changes(items=tuple(items), calls=tuple(map(record_of, items))), SPENT)
    return items


async def test_who_gives_up_waiting_for_another_s_request_takes_nobody_with_it(processes: Processes) -> None:
    """One whose transition is in the patch of another one is cancelled: the others are answered, and it is over."""
    items = await requested(processes.first, 3)
    begins = [asyncio.create_task(processes.first.claim(claim_of(item, f"m{item.position}"))) for item in items]
    for _ in range(5):  # until their request is under way, and not so long that it is answered
        await asyncio.sleep(0)
    begins[1].cancel()
    answers = await asyncio.gather(*begins, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    assert [answer.verdict for answer in answers if not isinstance(answer, BaseException)] == 2 * [Verdict.GRANTED]
    assert (await processes.first.claim(claim_of(items[1], "m1"))).verdict is Verdict.GRANTED


async def test_what_calls_cost_at_the_same_time_stays_in_the_ledger(processes: Processes) -> None:
    """Also where the last one is done by the process that wrote what others used apart."""
    first, last = await requested(processes.first, 2)
    for item in (first, last):
        await processes.second.claim(claim_of(item, f"m{item.position}"))
    await processes.second.commit(
        claim_of(first, "m0"), Changes(results={first.call_id: "{}"}, join=next_turn()), SPENT
    )
    before = (await processes.job()).usage
    await processes.second.commit(claim_of(last, "m1"), Changes(results={last.call_id: "{}"}, join=next_turn()), SPENT)
    after = (await processes.job()).usage
    assert after.redis_bytes > before.redis_bytes
    assert after.redis_commands > before.redis_commands + 1


async def test_a_wait_that_begins_beside_other_calls_has_what_came_before_it(processes: Processes) -> None:
    """An event is kept, and a process that does not know of it writes the wait for it."""
    first, last = await requested(processes.first, 2)
    for item in (first, last):
        await processes.second.claim(claim_of(item, f"m{item.position}"))
    signal = Signal("evt_1", '{"ok":1}', event="paid")
    assert (await processes.first.signal(JOB_ID, "w1", signal, NOW_MS)).signal_result is SignalResult.FIRST
    await processes.second.commit(claim_of(first, "m0"), Changes(items=(wait_item(0, "paid"),)), SPENT)
    job = await processes.job()
    assert job.results == {"event:evt_1": {"ok": 1}, first.call_id: {"ok": 1}}
    assert [item.not_before_ms for item in job.items if item.kind is ItemKind.WAIT] == [0]


async def test_an_outcome_is_not_overwritten_by_its_wait_s_end(processes: Processes) -> None:
    """A COMMIT goes on with a wait whose time is up, in a process that does not know what somebody has told of it."""
    first, last = await requested(processes.first, 2)
    wait = wait_item(0, until_ms=NOW_MS + 10)
    await processes.first.commit(claim_of(first), Changes(items=(wait,)), SPENT)
    await processes.second.claim(claim_of(last))
    # By whose clock the wait is over, though nobody has begun it.
    assert (await processes.first.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 20)).signal_result is SignalResult.FIRST
    room = Continuation("o1.1", leases_of(), 2)
    ends = Changes(items=(complete_item(1),), results={last.call_id: "{}"})
    committed = await processes.second.commit(claim_of(last, after_ms=20), ends, SPENT, room)
    outcomes = {
        claim_result.state.item.key: claim_result.state.outcome
        for claim_result in committed.claimed
        if claim_result.state
    }
    assert outcomes[wait.key] == '{"ok":7}' != OTHERWISE
    assert (await processes.job()).results[first.call_id] == {"ok": 7}


async def test_a_turn_is_given_what_a_turn_below_it_has_reserved_meanwhile(processes: Processes) -> None:
    child = first_item(f"{JOB_ID}.1")
    await processes.first.create(creation(a_job()), "m1", NOW_MS)
    await processes.first.create(creation(a_job(child.job_id)), "m2", NOW_MS)
    await processes.first.claim(claim_of(child, "m2"))
    await processes.second.claim(claim_of(child, "m3", "o3", after_ms=LEASE_MS))
    claim_result = await processes.first.claim(claim_of(first_item(), after_ms=LEASE_MS))
    assert claim_result.state is not None
    assert [scope.in_flight_tokens for scope in claim_result.state.budget_scopes] == [FIRST_CALL_TOKENS]


async def test_who_is_granted_an_item_is_informed_of_its_call_as_it_was_then(processes: Processes) -> None:
    """Though the one who had it commits at the same time, in the same process: one after the other."""
    first, *_ = await requested(processes.first, 2)
    await processes.second.claim(claim_of(first))
    late = claim_of(first, "m2", "o2", after_ms=LEASE_MS + 1)
    done = structs.replace(record_of(first), status=CallStatus.FAILED)
    claim_result, committed = await asyncio.gather(
        processes.second.claim(late), processes.second.commit(claim_of(first), Changes(calls=(done,)), SPENT)
    )
    assert committed.applied
    assert claim_result.state is not None
    assert claim_result.state.call == record_of(first)


class Late(OneSlot):
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def read(self, *commands: Any) -> list[Any]:
        answers = await super().read(*commands)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return answers


class Overtaken(Late):
    """A connection on which something happens once a patch was written."""

    async def read(self, *commands: Any) -> list[Any]:
        return await OneSlot.read(self, *commands)

    async def apply(self, keys: Any, args: Any, beside: Any = ()) -> Any:
        answer = await super().apply(keys, args, beside)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return answer


async def test_who_has_an_item_already_is_informed_of_its_call_as_it_is(
    processes: Processes, redis_process: RedisProcess
) -> None:
    """Nothing is written, and yet what was read at first and what is read then are of one moment."""
    first, *_ = await requested(processes.first, 2)
    await processes.second.claim(claim_of(first))
    connection = Late(redis_process.settings())
    done = structs.replace(record_of(first), status=CallStatus.FAILED)
    connection.meanwhile = lambda: processes.first.commit(claim_of(first), Changes(calls=(done,)), SPENT)
    claim_result = await TreeStore(connection, RETENTION_MS).claim(claim_of(first))
    await connection.close()
    assert claim_result.verdict is Verdict.APPLIED


async def test_who_is_granted_a_failed_step_is_informed_of_those_after_it_as_they_were(
    processes: Processes, redis_process: RedisProcess
) -> None:
    """Though somebody takes it over, and leaves them out, before the answer has come."""
    step = structs.replace(call_item(0), step="one")
    failed, following = (following_item(step, ItemKind.FAILED, NOW_MS), call_item(1))
    after = record_of(following)
    record = structs.replace(record_of(step), step="one", dependants=(after.id,))
    await processes.first.create(creation(a_job()), "m1", NOW_MS)
    await processes.first.claim(claim_of(first_item()))
    requests = Changes(items=(failed, following), calls=(record, after))
    await processes.first.commit(claim_of(first_item()), requests, SPENT)
    skipped = structs.replace(after, status=CallStatus.FAILED)

    async def overtake() -> None:
        late = claim_of(failed, "m3", "o3", after_ms=LEASE_MS + 1)
        await processes.first.claim(late)
        skips = (Skip(following.key, skipped, "{}"),)
        await processes.first.commit(late, Changes(calls=(record,), skips=skips), SPENT)

    connection = Overtaken(redis_process.settings())
    connection.meanwhile = overtake
    claim_result = await TreeStore(connection, RETENTION_MS).claim(claim_of(failed))
    await connection.close()
    assert claim_result.state is not None
    assert claim_result.state.dependants == (after,)
