"""What an event costs, exactly: requests, and commands with the calls inside scripts; flat from first to last.

Whoever makes a step cheaper lowers the number here; whoever makes it dearer has to say so here. No event may take more
than twelve commands, the last one no more than sixteen: expiries and a tombstone.
A step of our own code is counted as well: calls of functions, which no machine and no other program changes.

Source: decisions/0016-cost-of-a-step.
"""

from typing import NamedTuple

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry, Want
from baton.engine.commit.answers import ClaimResult
from baton.engine.commit.usage_ledger import NOTHING
from baton.engine.decide import decide
from baton.engine.effects import Changes
from baton.engine.state import CallRecord, Usage
from baton.engine.step_results import ModelAnswered, Started, StepResult, ToolFailed, ToolReturned
from baton.engine.stream_parts import text_delta
from baton.engine.transitions import CallStatus
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item
from baton.sdk.records.transcript import Failure, Wanted
from baton.store.redis.connection import RedisConnection
from baton.store.transport.meter import Meter, metered, take
from tests.bench.own_time import STEPS, recorded_job
from tests.contract.store.real_stage import RealStage
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    job_of,
    loaded_of,
    record_of,
    slot_request,
)
from tests.contract.store.side import Side, several, side_over
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.bridge

TURN, TURNS = 1_000, 500
CALL, LOOP = call_item(0, turn=TURN), loop_item(JOB_ID, TURN, 1, NOW_MS)
FAILURE = Failure("type", "message", retryable=True)
FAILED = replace(record_of(CALL), status=CallStatus.RETRYING, attempts=1, retries=2, error=FAILURE)
REQUESTS_TWO = ModelAnswered("I need two tools.", (Wanted("tool_a", {"n": 1}), Wanted("tool_a", {"n": 2})))
REQUESTS_UNKNOWN = ModelAnswered(
    "", (Wanted("tool_a", {}), Wanted("none", {}, Failure("unknown_tool", "no such tool")))
)


class Event(NamedTuple):
    """A work item, its call's record, what happens besides its start; commands, and bytes at most."""

    item: WorkItem
    record: CallRecord | None
    step_result: StepResult | None
    commands: int
    most_bytes: int


EVENTS = {
    "loop asks": Event(LOOP, None, REQUESTS_TWO, 8, 3_050),
    "loop asks for an unknown tool": Event(LOOP, None, REQUESTS_UNKNOWN, 8, 2_750),
    "loop answers": Event(LOOP, None, ModelAnswered("done"), 12, 2_400),
    "call returns": Event(CALL, record_of(CALL), ToolReturned('{"found":true}'), 9, 1_800),
    "call fails": Event(CALL, record_of(CALL), ToolFailed(FAILURE), 9, 1_750),
    "complete": Event(following(CALL, ItemKind.COMPLETE, NOW_MS), record_of(CALL), None, 7, 1_270),
    "failed, again": Event(following(CALL, ItemKind.FAILED, NOW_MS), FAILED, None, 7, 1_390),
    "failed, for good": Event(following(CALL, ItemKind.FAILED, NOW_MS), replace(FAILED, retries=0), None, 8, 1_740),
}


async def job_with(side: Side, item: WorkItem, record: CallRecord | None, *, turns: int, reads_history: bool) -> None:
    """A job with `turns` turns of one call each behind it, and one open work item."""
    past = [call_item(0, turn=turn) for turn in range(1, turns + 1)]
    changes = Changes(
        job=a_job(reads_history=reads_history),
        items=(item,),
        calls=(*map(record_of, past), *([record] if record else [])),
        results={done.call_id: '{"ok":"a result of some length"}' for done in past},
        transcript=tuple('{"role":"model","turn":1,"text":"a text","calls":[]}' for _ in past),
        parts=tuple('{"type":"data-event"}' for _ in range(5 * turns)),
    )
    await side.store.create(creation(a_job(reads_history=reads_history)), "witness", NOW_MS)
    assert (await side.store.commit(claim_of(first_item(), "m0"), changes)).applied


async def handle(side: Side, event: Event) -> ClaimResult:
    claim = claim_of(event.item, "m1")
    with metered(Meter(FakeClock(NOW_MS), memory_mb=512)):
        claim_result = await side.store.claim(claim)
        assert claim_result.state is not None
        decision = decide(claim_result.state, event.step_result or Started(), NOW_MS)
        assert decision.changes is not None
        assert (await side.store.commit(claim, decision.changes)).applied
        assert take() == NOTHING
    return claim_result


def counted(usage: Usage) -> Counted:
    return Counted(usage.redis_requests, usage.redis_commands, usage.redis_bytes)


async def measured(side: Side, process: RedisProcess, event: Event, *, turns: int, reads_history: bool) -> Counted:
    """What one event costs after so many turns; the job's own usage ledger says the same."""
    process.request("FLUSHALL")
    await job_with(side, event.item, event.record, turns=turns, reads_history=reads_history)
    ledger, before = (await job_of(side)).usage, process.counted()
    await handle(side, event)
    spent = process.counted().since(before)
    assert counted((await job_of(side)).usage).since(counted(ledger)) == spent
    return spent


@pytest.mark.parametrize("reads_history", [True, False])
@pytest.mark.parametrize("name", EVENTS)
async def test_an_event_costs_what_it_did_however_long_the_job(
    real: Side, redis_process: RedisProcess, name: str, reads_history: bool
) -> None:
    """The same with no history and with five hundred turns of it."""
    event = EVENTS[name]
    young, old = [
        await measured(real, redis_process, event, turns=turns, reads_history=reads_history) for turns in (0, TURNS)
    ]
    assert (young.requests, young.commands) == (old.requests, old.commands) == (2, event.commands)
    assert young.size_bytes <= event.most_bytes
    if not reads_history:
        assert old.size_bytes <= 1.1 * young.size_bytes


@pytest.mark.parametrize("name", [name for name in EVENTS if not name.startswith("loop")])
async def test_no_history_is_loaded_but_by_a_turn_that_reads_it(real: Side, name: str) -> None:
    """So that what is loaded does not grow, either."""
    event = EVENTS[name]
    await job_with(real, event.item, event.record, turns=20, reads_history=True)
    claim_result = await handle(real, event)
    assert (claim_result.history.transcript, claim_result.history.results) == ((), {})


async def test_a_turn_whose_past_is_summed_up_loads_and_costs_the_same_however_long_the_past(
    real: Side, redis_process: RedisProcess
) -> None:
    """The task and what is still told; the script reads the results of those calls alone."""
    event, spent = EVENTS["loop asks"], list[Counted]()
    for turns in (10, TURNS):
        redis_process.request("FLUSHALL")
        await job_with(real, event.item, None, turns=turns, reads_history=True)
        job = replace(a_job(), compacted=(1, turns - 1))
        await real.store.record(await loaded_of(real), "m0", Changes(job=job), NOW_MS)
        before = redis_process.counted()
        history = (await handle(real, event)).history
        spent.append(redis_process.counted().since(before))
        assert (len(history.transcript), history.results) == (3, {})
    assert (spent[0].requests, spent[0].commands) == (spent[1].requests, spent[1].commands) == (2, event.commands)
    assert spent[1].size_bytes <= 1.1 * spent[0].size_bytes


async def test_the_state_of_a_job_does_not_grow_with_its_history(real: Side, redis_process: RedisProcess) -> None:
    """A field for the job, its usage, its slot state, the number of its parts and the stamp, one for each open item."""
    event = EVENTS["complete"]
    await job_with(real, event.item, event.record, turns=TURNS, reads_history=True)
    assert redis_process.request("HLEN", "baton:{job_a}:state") == 6


@pytest.mark.parametrize(("want", "commands"), [("slot", 3), ("gone", 7)])
async def test_an_update_costs_the_same_however_many_jobs_stand_in_line(
    real: Side, redis_process: RedisProcess, want: Want, commands: int
) -> None:
    """In commands and requests: it touches what it changes, and who is next."""
    entry = QueueEntry("tenant_a", "session_a", 5, NOW_MS, 1, "slot")
    for number in range(200):
        other = replace(entry, session_id=f"session_{number}")
        await real.admission.slot_request(f"job_{number}", other, NOW_MS)
        if number in (5, 199):
            await real.admission.slot_request(JOB_ID, entry, NOW_MS)
            before = redis_process.counted()
            await real.admission.slot_request(JOB_ID, replace(entry, epoch=2 + number, want=want), NOW_MS)
            spent = redis_process.counted().since(before)
            assert (spent.requests, spent.commands) == (1, commands)
            await real.admission.slot_request(JOB_ID, replace(entry, epoch=3 + number), NOW_MS)


async def test_accepting_a_job_costs_two_requests_and_at_most_fifteen_commands(
    real: Side, redis_process: RedisProcess
) -> None:
    """Small ones, none of which grows with the jobs; one more for the first job, which arms a sweep."""
    assert (await slot_request(real, "job_before")).sweep_at_ms
    before = redis_process.counted()
    assert (await slot_request(real, JOB_ID)).slot
    await real.store.create(creation(a_job()), "m1", NOW_MS)
    spent = redis_process.counted().since(before)
    assert spent.requests == 2
    assert spent.commands <= 15


async def test_a_backup_message_of_a_known_job_reads_its_tree_once(redis_process: RedisProcess) -> None:
    """The script and what it reads: it does not try to create the job."""
    async with several(redis_process, 2, RedisConnection) as connections:
        one, other = map(side_over, connections)
        await one.store.create(creation(a_job()), "m1", NOW_MS)
        before = redis_process.counted()
        created = await other.store.create(creation(a_job()), "m2", NOW_MS, known=True)
        spent = redis_process.counted().since(before)
    assert (created.new, spent.requests, spent.commands) == (False, 1, 2)


async def test_a_batch_of_a_text_costs_one_request_of_four_commands(real: Side, redis_process: RedisProcess) -> None:
    """However long the text is by then; the turn's COMMIT puts them in the job's usage ledger."""
    await job_with(real, LOOP, None, turns=0, reads_history=False)
    await real.store.claim(claim_of(LOOP, "m1"))
    for number in range(1, 40):
        before = redis_process.counted()
        assert await real.store.append(claim_of(LOOP, "m1"), number, [text_delta("text-1", "more of it")], "text-1")
        spent = redis_process.counted().since(before)
        assert (spent.requests, spent.commands) == (1, 4)


async def test_a_process_that_knows_nothing_of_a_job_reads_its_state_alone(redis_process: RedisProcess) -> None:
    """One command in its script, and four for the claim and its history; a tombstone is read where no state is."""
    async with several(redis_process, 2, RedisConnection) as connections:
        one, other = map(side_over, connections)
        await one.store.create(creation(a_job()), "witness", NOW_MS)
        for job_id, commands in ((JOB_ID, 2 + 4), ("job_none", 2 + 2)):
            before = redis_process.counted()
            await other.store.claim(claim_of(replace(first_item(), job_id=job_id), "m1"))
            assert redis_process.counted().since(before).commands == commands


CALLS = 5
# agent → asks of the store, commands; requests and bytes at most: asks that were ready at the same time share one.
JOBS = {"in-a-row": (16, 83, 15, 24_600), "at-once": (8, 45, 7, 16_400)}


@pytest.mark.parametrize("agent", JOBS)
async def test_a_job_in_place_costs_what_it_did(real: Side, redis_process: RedisProcess, agent: str) -> None:
    """As the bridge counts it, and as its usage ledger does; one job before it loads scripts and arms a sweep."""
    await RealStage(real, CALLS, continuation="inline").play(agent, "job_before")
    stage, before = RealStage(real, CALLS, continuation="inline"), redis_process.counted()
    await stage.play(agent)
    spent, ledger = redis_process.counted().since(before), counted((await job_of(real)).usage)
    asks, commands, most_requests, most_bytes = JOBS[agent]
    assert (ledger.requests, spent.commands) == (asks, commands)
    assert (ledger.commands, ledger.size_bytes) == (spent.commands, spent.size_bytes)
    assert spent.requests <= most_requests
    assert spent.size_bytes <= most_bytes


# By Python 3.11; later ones take fewer.
MOST_A_STEP, MOST_A_CALL_AT_ONCE = 657, 704
FEW, MANY = 8, 14


async def test_a_step_takes_no_more_of_our_own_calls() -> None:
    assert await (await recorded_job()).calls() / STEPS <= MOST_A_STEP


async def test_a_call_beside_others_takes_no_more_however_many_there_are() -> None:
    """What some calls more add to a turn: none of them looks at all others."""
    few, many = [await (await recorded_job(at_once)).calls() for at_once in (FEW, MANY)]
    assert (many - few) / (MANY - FEW) <= MOST_A_CALL_AT_ONCE
