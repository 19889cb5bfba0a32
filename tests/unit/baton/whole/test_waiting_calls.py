"""Tool calls that wait: for an operation's outcome, for an event, for a time."""

from typing import Any

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, sleep, tool, wait_for_event
from baton.engine.commit.answers import SignalResult
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.waits import status_and_wait
from baton.engine.work_items import ItemKind
from baton_events.schema import Completion, Occurrence, parse_event
from tests.unit.baton.kit.stage import Stage

MONTH_SECONDS = 30 * 86_400


@tool(retries=0)
async def order(ctx: ToolContext) -> Pending:
    assert ctx.operation_id == f"op_{ctx.call_id}"
    return Pending(timeout_seconds=3_600)


@tool(retries=0)
async def impossible() -> Pending:
    return Pending(timeout_seconds=1, otherwise=object())


def waiting_stage(*calls: Call) -> Stage:
    agent = Agent(
        name="waits", model=ScriptedModel([list(calls), "done"]), tools=[order, impossible, sleep, wait_for_event]
    )
    return Stage(registry=Registry([agent]))


async def started(*calls: Call, limits: Limits | None = None) -> Stage:
    stage = waiting_stage(*calls)
    job = replace(stage.job("waits"), limits=limits or Limits())
    await stage.container.commands.submit(job, {"text": "do it", "data": {}})
    published = len(stage.queue.published)
    await stage.deliver(stage.events()[-1], stage.queue.published[-1][0])
    while published < len(stage.queue.published):
        message_id, message = stage.queue.published[published]
        published += 1
        if message.not_before_ms <= stage.clock.ms and "x-event-id" in message.headers:
            await stage.deliver(parse_event(message.body.encode()), message_id)
    return stage


def completion(call_id: str, value: Any = 7) -> Completion:
    return Completion(call_id=call_id, outcome={"ok": value})


async def send_signal(stage: Stage, fact: Completion | Occurrence) -> SignalResult:
    return await stage.container.commands.signal((await stage.snapshot()).job, fact)


async def only_call(stage: Stage) -> tuple[str, CallStatus, Any]:
    snapshot = await stage.snapshot()
    (call,) = snapshot.calls
    return call.id, call.status, snapshot.results.get(call.id)


async def test_a_waiting_job_holds_no_slot_and_says_what_it_waits_for() -> None:
    stage = await started(Call("order"))
    snapshot = await stage.snapshot()
    status, line = status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, stage.clock.ms)
    assert (status, line) == (JobStatus.WAITING, "the outcome of tool order of turn 1, until 2027-01-15T09:00:00.000Z")
    assert not stage.entry().slot
    assert (await only_call(stage))[1] is CallStatus.WAITING


async def test_an_outcome_that_comes_before_the_wait_is_kept_for_it() -> None:
    stage = waiting_stage(Call("order"))
    first = await stage.submit("waits")
    await stage.deliver(first, stage.queue.published[-1][0])
    call_id, status, _ = await only_call(stage)
    assert status is CallStatus.QUEUED
    assert await send_signal(stage, completion(call_id)) is SignalResult.FIRST
    await stage.run()
    assert await only_call(stage) == (call_id, CallStatus.COMPLETED, {"ok": 7})
    assert stage.clock.ms < stage.store.tree("job_1").jobs["job_1"].created_at_ms + 3_600_000


async def test_a_sleep_of_months_ends_at_its_time() -> None:
    patient = Limits(wall_seconds=4 * MONTH_SECONDS)
    stage = await started(Call("sleep", {"seconds": 3 * MONTH_SECONDS}), limits=patient)
    began_ms = stage.clock.ms
    assert not stage.entry().slot
    await stage.run()
    assert (await only_call(stage))[2] == {"ok": {"sleptSeconds": 3 * MONTH_SECONDS}}
    assert stage.clock.ms == began_ms + 3 * MONTH_SECONDS * 1000
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_a_cancelled_wait_is_over() -> None:
    stage = await started(Call("order"))
    call_id, _, _ = await only_call(stage)
    await stage.container.commands.cancel((await stage.snapshot()).job, "test")
    assert await send_signal(stage, completion(call_id)) is SignalResult.ENDED
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.CANCELLED


async def test_an_outcome_of_a_call_that_was_forgotten_is_kept_and_its_backup_redrives_the_call() -> None:
    """A failover forgot the call after whoever tells of it had read it: it is made again, and has come already."""
    stage = await started(Call("order"))
    call_id, _, _ = await only_call(stage)
    found = stage.store.tree("job_1")
    claim_result = replace(
        found, calls={}, items={item.key: item for item in found.items.values() if item.kind is ItemKind.LOOP}
    )
    stage.store.write("job_1", claim_result)
    assert await send_signal(stage, completion(call_id)) is SignalResult.EARLY
    assert await send_signal(stage, completion(call_id)) is SignalResult.AGAIN


async def test_a_backup_sends_an_outcome_a_second_time() -> None:
    stage = await started(Call("order"))
    call_id, _, _ = await only_call(stage)
    before = stage.store.tree("job_1")
    await send_signal(stage, completion(call_id))
    stage.store.write("job_1", before)
    await stage.run()
    assert await only_call(stage) == (call_id, CallStatus.COMPLETED, {"ok": 7})


async def test_a_wait_whose_result_is_no_json_is_a_failure_of_the_tool() -> None:
    stage = await started(Call("impossible"))
    await stage.run()
    snapshot = await stage.snapshot()
    assert snapshot.calls[0].error is not None
    assert snapshot.calls[0].error.type == "result_not_serializable"


@pytest.mark.parametrize("wrong", [{}, {"timeout_seconds": -1}, {"timeout_seconds": 10**12}])
def test_a_wait_without_a_proper_end_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Pending"):
        Pending(**wrong)
