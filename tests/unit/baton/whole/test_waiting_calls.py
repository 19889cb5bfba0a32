"""Tool calls that wait: for an operation's outcome, for an event, for a time."""

from typing import Any

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, sleep, tool
from baton.engine.commit.answers import SignalResult
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.waits import status_and_wait
from baton.engine.work_items import ItemKind
from baton_events.schema import Completion
from tests.unit.baton.kit.stage import Stage

MONTH_SECONDS = 30 * 86_400
OK: Any = {"ok": 7}


@tool(retries=0)
async def order(ctx: ToolContext) -> Pending:
    assert ctx.operation_id == f"op_{ctx.call_id}"
    return Pending(timeout_seconds=3_600)


@tool(retries=0)
async def impossible() -> Pending:
    """Wait with a result that is no JSON."""
    return Pending(timeout_seconds=1, otherwise=object())


class Waiting(Stage):
    """A job whose first turn makes a call."""

    def __init__(self, call: str = "order", **arguments: Any) -> None:
        model = ScriptedModel([[Call(call, arguments)], "done"])
        super().__init__(registry=Registry([Agent(name="waits", model=model, tools=[order, impossible, sleep])]))

    async def started(self, limits: Limits | None = None) -> str:
        """Up to the call's wait; the call's id."""
        job = replace(self.job("waits"), limits=limits or Limits())
        await self.container.commands.submit(job, {"text": "do it", "data": {}})
        await self.run(within_seconds=0)
        return (await self.only_call())[0]

    async def only_call(self) -> tuple[str, CallStatus, Any]:
        """The job's one call: id, status, stored result."""
        snapshot = await self.snapshot()
        (call,) = snapshot.calls
        return call.id, call.status, snapshot.results.get(call.id)

    async def completed(self, call_id: str) -> SignalResult:
        """The API takes an outcome in."""
        return await self.container.commands.signal(await self.now(), Completion(call_id=call_id, outcome=OK))


async def test_a_waiting_job_holds_no_slot_and_says_what_it_waits_for() -> None:
    stage = Waiting()
    await stage.started()
    snapshot = await stage.snapshot()
    status, line = status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, stage.clock.ms)
    assert (status, line) == (JobStatus.WAITING, "the outcome of tool order of turn 1, until 2027-01-15T09:00:00.000Z")
    assert (stage.entry().slot, (await stage.only_call())[1]) == (False, CallStatus.WAITING)


async def test_an_outcome_that_comes_before_the_wait_is_kept_for_it() -> None:
    """The tool's attempt has begun something that is faster than the tool."""
    stage = Waiting()
    await stage.deliver(await stage.submit("waits"), stage.queue.published[-1][0])
    call_id, status, _ = await stage.only_call()
    assert status is CallStatus.QUEUED
    assert await stage.completed(call_id) is SignalResult.FIRST
    await stage.run()
    assert await stage.only_call() == (call_id, CallStatus.COMPLETED, OK)
    assert stage.clock.ms < (await stage.now()).created_at_ms + 3_600_000


async def test_a_sleep_of_months_ends_at_its_time() -> None:
    """And holds no slot meanwhile."""
    stage = Waiting("sleep", seconds=3 * MONTH_SECONDS)
    began_ms = stage.clock.ms
    await stage.started(Limits(wall_seconds=4 * MONTH_SECONDS))
    assert not stage.entry().slot
    await stage.run()
    assert (await stage.only_call())[2] == {"ok": {"sleptSeconds": 3 * MONTH_SECONDS}}
    assert stage.clock.ms == began_ms + 3 * MONTH_SECONDS * 1000
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_a_cancelled_wait_is_over() -> None:
    """What comes from outside finds that the job has ended."""
    stage = Waiting()
    call_id = await stage.started()
    await stage.container.commands.cancel(await stage.now(), "test")
    assert await stage.completed(call_id) is SignalResult.ENDED
    await stage.run()
    assert (await stage.now()).status is JobStatus.CANCELLED


async def test_an_outcome_of_a_call_that_was_forgotten_is_kept() -> None:
    """A failover forgot the call after whoever tells of it had read it: it is made again, and has come already."""
    stage = Waiting()
    call_id = await stage.started()
    tree = stage.store.tree("job_1")
    turns = {item.key: item for item in tree.items.values() if item.kind is ItemKind.LOOP}
    stage.store.write("job_1", replace(tree, calls={}, items=turns))
    assert await stage.completed(call_id) is SignalResult.EARLY
    assert await stage.completed(call_id) is SignalResult.AGAIN


async def test_a_backup_sends_an_outcome_a_second_time() -> None:
    """After a failover that forgot it."""
    stage = Waiting()
    call_id = await stage.started()
    before = stage.store.tree("job_1")
    await stage.completed(call_id)
    stage.store.write("job_1", before)
    await stage.run()
    assert await stage.only_call() == (call_id, CallStatus.COMPLETED, OK)


async def test_a_wait_whose_result_is_no_json_is_a_failure_of_the_tool() -> None:
    """Before anything waits."""
    stage = Waiting("impossible")
    await stage.started()
    (call,) = await stage.calls()
    assert call.error is not None
    assert call.error.type == "result_not_serializable"


@pytest.mark.parametrize("wrong", [{}, {"timeout_seconds": -1}, {"timeout_seconds": 10**12}])
def test_a_wait_without_a_proper_end_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Pending"):
        Pending(**wrong)
