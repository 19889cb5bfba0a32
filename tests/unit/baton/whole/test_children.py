"""Jobs that start jobs: a supervisor and its helpers."""

from dataclasses import replace
from typing import Any

import pytest

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, sleep, tool
from baton.engine.all_jobs.slots import TOMBSTONE_MS, QueuedJob, SlotState
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.waits import status_and_wait
from baton.recovery.reconciler import Page
from baton_events.schema import ToolPayload
from tests.unit.baton.kit.stage import SETTINGS, Stage


@tool(retries=0)
async def ask(agent: str, task: str, ctx: ToolContext) -> Pending:
    return ctx.start(agent, task, {"from": ctx.job_id})


@tool(retries=0)
async def note(text: str) -> str:
    return text


def registry(limits: Limits | None = None) -> Registry:
    """A supervisor, its helpers, and one that asks itself without end."""
    calls = [Call("ask", {"agent": "helper", "task": "a"}), Call("ask", {"agent": "failing", "task": "b"})]
    endless = [Call("ask", {"agent": "endless", "task": "again"})]
    return Registry(
        [
            Agent(name="supervisor", model=ScriptedModel([calls, "both are back"]), tools=[ask]),
            Agent(name="helper", model=ScriptedModel([[Call("note", {"text": "x"})], "helped"]), tools=[note]),
            Agent(name="failing", model=ScriptedModel([RuntimeError("no idea")]), model_retries=0),
            Agent(name="endless", model=ScriptedModel([endless, "up"]), tools=[ask], limits=limits or Limits(depth=2)),
            Agent(name="lost", model=ScriptedModel([[Call("ask", {"agent": "x", "task": "a"})], "alone"]), tools=[ask]),
        ]
    )


async def stage_of(agent: str) -> Stage:
    stage = Stage(registry=registry())
    await stage.submit(agent)
    return stage


async def results(stage: Stage, job_id: str = "job_1") -> list[tuple[CallStatus, Any]]:
    snapshot = await stage.snapshot(job_id)
    return [(call.status, snapshot.results.get(call.id)) for call in snapshot.calls]


async def test_a_parent_that_only_waits_for_its_children_holds_no_slot() -> None:
    stage = await stage_of("supervisor")
    seen: list[tuple[JobStatus, str | None]] = []

    async def look() -> None:
        snapshot = await stage.snapshot()
        if len(stage.store.tree("job_1").jobs) > 2 and not stage.entry().slot:
            seen.append(status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, stage.clock.ms))

    await stage.run(look)
    status, line = seen[0]
    assert status is JobStatus.WAITING
    assert line is not None
    assert line.startswith("job job_1.")


async def test_depth_is_limited() -> None:
    stage = await stage_of("endless")
    await stage.run()
    jobs = sorted(stage.store.tree("job_1").jobs, key=len)
    assert [name.count(".") for name in jobs] == [0, 1, 2, 3]  # Limits(depth=3) of the root
    (deepest,) = await results(stage, jobs[-1])
    assert deepest[0] is CallStatus.FAILED
    assert deepest[1]["error"]["type"] == "too_deep"
    assert (await stage.snapshot()).job.result == {"answer": "up"}


async def test_an_unknown_agent_is_a_failure_of_the_call() -> None:
    stage = await stage_of("lost")
    await stage.run()
    ((status, result),) = await results(stage)
    assert status is CallStatus.FAILED
    assert "unknown agent 'x'; there are: endless, failing" in result["error"]["message"]


def test_a_childs_task_must_name_an_agent() -> None:
    with pytest.raises(ValueError, match="agent's name"):
        ToolContext.for_test().start("", "task")


async def test_a_child_that_a_failover_forgot_gives_its_slot_back() -> None:
    """Its root goes on without it, and nobody will ever say that it has ended."""
    stage = await stage_of("supervisor")
    await stage.run()
    forgotten = f"{(await stage.snapshot()).job.id}.forgotten"
    await stage.admission.slot_request(
        forgotten, SlotState(epoch=1), QueuedJob("acme", "s", 5, stage.clock.ms), stage.clock.ms
    )
    assert stage.entry(forgotten).slot
    stage.clock.ms += TOMBSTONE_MS
    await stage.sweep.handle(Page(0), "m1", "d1", again=False)
    assert stage.entry(forgotten).slot
    stage.clock.ms += 1
    await stage.sweep.handle(Page(0), "m2", "d2", again=False)
    assert forgotten not in stage.admission.entries


async def test_in_place_a_timer_is_published_once_however_many_slots_are_given() -> None:
    calls = [Call("sleep", {"seconds": 600}), *[Call("ask", {"agent": "answers", "task": str(n)}) for n in range(4)]]
    agents = [
        Agent(name="both", model=ScriptedModel([calls, "done"]), tools=[ask, sleep]),
        Agent(name="answers", model=ScriptedModel(["yes"])),
    ]
    stage = Stage(registry=Registry(agents), settings=replace(SETTINGS, continuation="inline", max_concurrent_jobs=5))
    await stage.submit("both")
    await stage.run()
    timers = [event for event in stage.events() if isinstance(event.payload, ToolPayload) and event.payload.wait]
    assert [event.payload.tool for event in timers if isinstance(event.payload, ToolPayload)] == ["sleep"]
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
