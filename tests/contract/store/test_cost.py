"""What an event costs: requests, and commands with the calls inside scripts; flat from first to last.

Source: decisions/0016-cost-of-a-step.
"""

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueuedJob, SlotState, Want
from baton.engine.commit.answers import ClaimResult
from baton.engine.commit.usage_ledger import NOTHING
from baton.engine.decide import decide
from baton.engine.effects import Changes, Decision
from baton.engine.state import CallRecord, Usage
from baton.engine.step_results import ModelAnswered, Started, StepResult, ToolFailed, ToolReturned
from baton.engine.stream_parts import text_delta
from baton.engine.transitions import CallStatus
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item
from baton.sdk.records import Failure, Wanted
from baton.storage.usage import commit
from baton.transport.meter import Meter, metered, take
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    loaded_of,
    record_of,
)
from tests.contract.store.side import Side
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.bridge

COMMANDS_LIMIT = 12
APPEND_COMMANDS = 4
LAST_EVENT_COMMANDS_LIMIT = 17  # it may take four requests; ours takes two; five expiries, a tombstone
TURNS = 500

REQUESTS_TWO = ModelAnswered("I need two tools.", (Wanted("tool_a", {"n": 1}), Wanted("tool_a", {"n": 2})))
ANSWERS = ModelAnswered("done")
RETURNS = ToolReturned('{"found":true}')
FAILS = ToolFailed(Failure("type", "message", retryable=True))


def failed_record(item: WorkItem) -> CallRecord:
    failure = Failure("type", "message", retryable=True)
    return replace(record_of(item), status=CallStatus.RETRYING, attempts=1, retries=2, error=failure)


TURN = 1_000
CALL = call_item(0, turn=TURN)
# name → the work item, its call's record, what happens besides its start
EVENTS: dict[str, tuple[WorkItem, CallRecord | None, StepResult | None]] = {
    "loop asks": (loop_item(JOB_ID, TURN, 1, NOW_MS), None, REQUESTS_TWO),
    "loop answers": (loop_item(JOB_ID, TURN, 1, NOW_MS), None, ANSWERS),
    "call returns": (CALL, record_of(CALL), RETURNS),
    "call fails": (CALL, record_of(CALL), FAILS),
    "complete": (following(CALL, ItemKind.COMPLETE, NOW_MS), record_of(CALL), None),
    "failed, again": (following(CALL, ItemKind.FAILED, NOW_MS), failed_record(CALL), None),
    "failed, for good": (
        following(CALL, ItemKind.FAILED, NOW_MS),
        replace(failed_record(CALL), retries=0),
        None,
    ),
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
    assert (await side.store.commit(claim_of(first_item(), "m0"), changes, SPENT)).applied


async def handle(side: Side, item: WorkItem, step_result: StepResult | None) -> ClaimResult:
    claim = claim_of(item, "m1")
    with metered(Meter(FakeClock(NOW_MS), memory_mb=512)):
        claim_result = await side.store.claim(claim)
        assert claim_result.state is not None
        decision: Decision = decide(claim_result.state, step_result or Started(), NOW_MS)
        assert decision.changes is not None
        assert (await commit(side.store, claim, decision.changes)).applied
        assert take() == NOTHING
    return claim_result


async def measured(
    side: Side, process: RedisProcess, name: str, *, turns: int, reads_history: bool
) -> tuple[Counted, Counted]:
    """What one event costs after so many turns, and what the job's own usage ledger says that it cost."""
    item, record, step_result = EVENTS[name]
    process.request("FLUSHALL")
    await job_with(side, item, record, turns=turns, reads_history=reads_history)
    before_ledger = await side.reader.job(JOB_ID)
    before = process.counted()
    await handle(side, item, step_result)
    spent = process.counted().since(before)
    after_ledger = await side.reader.job(JOB_ID)
    assert before_ledger is not None
    assert after_ledger is not None
    return spent, _counted(after_ledger.usage).since(_counted(before_ledger.usage))


def _counted(usage: Usage) -> Counted:
    return Counted(usage.redis_requests, usage.redis_commands, usage.redis_bytes)


@pytest.mark.parametrize("reads_history", [True, False])
@pytest.mark.parametrize("name", EVENTS)
async def test_an_event_costs_two_requests_and_at_most_twelve_commands_however_long_the_job(
    real: Side, redis_process: RedisProcess, name: str, reads_history: bool
) -> None:
    """The same with no history and with five hundred turns of it; the job's own usage ledger agree with the server."""
    young, young_ledger = await measured(real, redis_process, name, turns=0, reads_history=reads_history)
    old, old_ledger = await measured(real, redis_process, name, turns=TURNS, reads_history=reads_history)
    assert young.requests == 2
    assert young.commands <= (LAST_EVENT_COMMANDS_LIMIT if name == "loop answers" else COMMANDS_LIMIT)
    assert (old.requests, old.commands) == (young.requests, young.commands)
    assert (young_ledger, old_ledger) == (young, old)
    if not reads_history:
        assert old.size_bytes <= 1.1 * young.size_bytes


@pytest.mark.parametrize("name", [name for name in EVENTS if not name.startswith("loop")])
async def test_no_history_is_loaded_but_by_a_turn_that_reads_it(real: Side, name: str) -> None:
    """So that what is loaded does not grow, either."""
    item, record, step_result = EVENTS[name]
    await job_with(real, item, record, turns=20, reads_history=True)
    claim_result = await handle(real, item, step_result)
    assert (claim_result.history.transcript, claim_result.history.results) == ((), {})


async def test_a_turn_whose_past_is_summed_up_loads_and_costs_the_same_however_long_the_past(
    real: Side, redis_process: RedisProcess
) -> None:
    """The task and what is still told; the script reads the results of those calls alone."""
    item = EVENTS["loop asks"][0]
    spent: list[Counted] = []
    loaded: list[ClaimResult] = []
    for turns in (10, TURNS):
        redis_process.request("FLUSHALL")
        await job_with(real, item, None, turns=turns, reads_history=True)
        job = replace(a_job(), compacted=(1, turns - 1))
        read = await loaded_of(real)
        await real.store.record(read, "m0", Changes(job=job), NOW_MS)
        before = redis_process.counted()
        loaded.append(await handle(real, item, REQUESTS_TWO))
        spent.append(redis_process.counted().since(before))
    assert (spent[0].requests, spent[0].commands) == (spent[1].requests, spent[1].commands)
    assert spent[1].size_bytes <= 1.1 * spent[0].size_bytes
    assert spent[0].commands <= COMMANDS_LIMIT
    assert [len(claim_result.history.transcript) for claim_result in loaded] == [3, 3]
    assert [claim_result.history.results for claim_result in loaded] == [{}, {}]


async def test_the_state_of_a_job_does_not_grow_with_its_history(real: Side, redis_process: RedisProcess) -> None:
    """One field for the job, its usage, its slot state and the number of its parts, one for each open work item."""
    item, record, _ = EVENTS["complete"]
    await job_with(real, item, record, turns=TURNS, reads_history=True)
    assert redis_process.request("HLEN", "baton:{job_a}:state") == 5


@pytest.mark.parametrize(("want", "commands"), [("slot", 3), ("gone", 9)])
async def test_an_update_costs_the_same_however_many_jobs_stand_in_line(
    real: Side, redis_process: RedisProcess, want: Want, commands: int
) -> None:
    place = QueuedJob("tenant_a", "session_a", 5, NOW_MS)
    for number in range(200):
        other = replace(place, session_id=f"session_{number}")
        await real.admission.slot_request(f"job_{number}", SlotState("slot", 1), other, NOW_MS)
        if number in (5, 199):
            await real.admission.slot_request(JOB_ID, SlotState("slot", 1), place, NOW_MS)
            before = redis_process.counted()
            await real.admission.slot_request(JOB_ID, SlotState(want, 2 + number), place, NOW_MS)
            spent = redis_process.counted().since(before)
            assert (spent.requests, spent.commands) == (1, commands)
            await real.admission.slot_request(JOB_ID, SlotState("slot", 3 + number), place, NOW_MS)


async def test_accepting_a_job_costs_two_requests_and_at_most_fifteen_commands(
    real: Side, redis_process: RedisProcess
) -> None:
    """Its place in the slot table and in the list, and its creation; one more for the first job, which arms a sweep."""
    first = QueuedJob("tenant_a", "session_of_another", 5, NOW_MS)
    assert (await real.admission.slot_request("job_before", SlotState("slot", 0), first, NOW_MS)).reconcile_at_ms
    before = redis_process.counted()
    place = QueuedJob("tenant_a", "session_a", 5, NOW_MS)
    slot_answer = await real.admission.slot_request(JOB_ID, SlotState("slot", 0), place, NOW_MS)
    assert slot_answer.slot
    await real.store.create(creation(a_job()), "m1", NOW_MS)
    spent = redis_process.counted().since(before)
    assert spent.requests == 2
    assert spent.commands <= COMMANDS_LIMIT + 3  # small ones, none of which grows with the jobs


async def test_a_batch_of_a_text_costs_one_request_of_four_commands(real: Side, redis_process: RedisProcess) -> None:
    """However long the text is by then; the turn's COMMIT puts them in the job's usage ledger."""
    item = EVENTS["loop answers"][0]
    redis_process.request("FLUSHALL")
    await job_with(real, item, None, turns=0, reads_history=False)
    claim = claim_of(item, "m1")
    await real.store.claim(claim)
    for number in range(1, 40):
        before = redis_process.counted()
        assert await real.store.append(claim, number, [text_delta("text-1", "more of it")], "text-1")
        spent = redis_process.counted().since(before)
        assert (spent.requests, spent.commands) == (1, APPEND_COMMANDS)
