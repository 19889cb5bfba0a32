"""Jobs that start jobs: a supervisor and its helpers."""

from dataclasses import replace
from typing import Any

import pytest

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, sleep, tool
from baton.engine.all_jobs.slots import TOMBSTONE_MS, QueuedJob, SlotState
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.waits import status_and_wait
from baton_events.schema import ToolPayload
from tests.unit.baton.kit.stage import SETTINGS, Stage


@tool(retries=0)
async def ask(agent: str, task: str, ctx: ToolContext) -> Pending:
    return ctx.start(agent, task, {"from": ctx.job_id})


def asking(name: str, *asked: str, **fields: Any) -> Agent:
    """An agent that asks others."""
    calls = [Call("ask", {"agent": agent, "task": str(at)}) for at, agent in enumerate(asked)]
    return Agent(name=name, model=ScriptedModel([calls, "up"]), tools=[ask], **fields)


REGISTRY = Registry(
    [
        asking("supervisor", "helper", "failing"),
        asking("endless", "endless", limits=Limits(depth=2)),
        asking("lost", "x"),
        Agent(name="helper", model=ScriptedModel(["helped"])),
        Agent(name="failing", model=ScriptedModel([RuntimeError("no idea")]), model_retries=0),
    ]
)


async def error_of(stage: Stage, job_id: str = "job_1") -> Any:
    """With what the job's only call has failed."""
    snapshot = await stage.snapshot(job_id)
    (call,) = snapshot.calls
    assert call.status is CallStatus.FAILED
    return snapshot.results[call.id]["error"]


async def test_a_parent_that_only_waits_for_its_children_holds_no_slot() -> None:
    stage = Stage(registry=REGISTRY)
    await stage.submit("supervisor")
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
    stage = Stage(registry=REGISTRY)
    assert (await stage.played("endless")).result == {"answer": "up"}
    jobs = sorted(stage.store.tree("job_1").jobs, key=len)
    assert [name.count(".") for name in jobs] == [0, 1, 2, 3]  # Limits(depth=3) of the root
    assert (await error_of(stage, jobs[-1]))["type"] == "too_deep"


async def test_an_unknown_agent_is_a_failure_of_the_call() -> None:
    stage = Stage(registry=REGISTRY)
    await stage.played("lost")
    assert "unknown agent 'x'; there are: endless, failing" in (await error_of(stage))["message"]


def test_a_childs_task_must_name_an_agent() -> None:
    with pytest.raises(ValueError, match="agent's name"):
        ToolContext.for_test().start("", "task")


async def test_a_child_that_a_failover_forgot_gives_its_slot_back() -> None:
    """Its root goes on without it, and nobody will ever say that it has ended."""
    stage = Stage(registry=REGISTRY)
    await stage.played("supervisor")
    forgotten, now_ms = "job_1.forgotten", stage.clock.ms
    await stage.admission.slot_request(forgotten, SlotState(epoch=1), QueuedJob("acme", "s", 5, now_ms), now_ms)
    stage.clock.ms += TOMBSTONE_MS
    await stage.swept()
    assert stage.entry(forgotten).slot
    stage.clock.ms += 1
    await stage.swept()
    assert forgotten not in stage.admission.entries


async def test_in_place_a_timer_is_published_once_however_many_slots_are_given() -> None:
    """Its message is under way; each of the jobs below requests a slot, which is given, in the same run."""
    calls = [Call("sleep", {"seconds": 600}), *[Call("ask", {"agent": "helper", "task": str(n)}) for n in range(4)]]
    both = Agent(name="both", model=ScriptedModel([calls, "done"]), tools=[ask, sleep])
    settings = replace(SETTINGS, continuation="inline", max_concurrent_jobs=5)
    stage = Stage(registry=Registry([both, REGISTRY.agent("helper")]), settings=settings)
    assert (await stage.played("both")).status is JobStatus.COMPLETED
    payloads = [event.payload for event in stage.events()]
    assert [one.tool for one in payloads if isinstance(one, ToolPayload) and one.wait] == ["sleep"]
