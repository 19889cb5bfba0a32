"""`wall_seconds` ends a job by a timer, whatever it waits for, and without a message more."""

import pytest
from msgspec.structs import replace

from baton import (
    Agent,
    Call,
    Limits,
    Pending,
    Registry,
    ScriptedModel,
    ToolContext,
    ToolError,
    sleep,
    tool,
    wait_for_event,
)
from baton.engine.transitions import JobStatus
from baton.sdk.tools.pending import ChildTask
from baton.sdk.tools.tool import Tool
from baton.worker.executors.started_jobs import child_job
from tests.unit.baton.kit.stage import Stage

WALL_SECONDS, DAY_SECONDS = 60, 86_400


@tool(retries=0)
async def order() -> Pending:
    return Pending(timeout_seconds=7 * DAY_SECONDS)


@tool(requires_approval=True)
async def pay() -> str:
    return "paid"


@tool(retries=5, retry_delay_seconds=1_000)
async def broken() -> None:
    raise ToolError("not now", retryable=True)


@tool(retries=0)
async def delegate(ctx: ToolContext) -> Pending:
    return ctx.start("waits", "wait")


WAITS = {
    "an operation": Call("order"),
    "an event": Call("wait_for_event", {"name": "never", "timeout_seconds": 7 * DAY_SECONDS}),
    "a time": Call("sleep", {"seconds": 7 * DAY_SECONDS}),
    "an approval": Call("pay"),
    "an attempt": Call("broken"),
    "a job below": Call("delegate"),
}


def stage_of(requested: Call) -> Stage:
    tools: list[Tool] = [order, pay, broken, delegate, sleep, wait_for_event]
    agents = [
        Agent("asks", ScriptedModel([[requested], "too late"]), tools=tools),
        Agent("waits", ScriptedModel([[Call("order")], "late"]), tools=tools, limits=Limits(wall_seconds=DAY_SECONDS)),
    ]
    return Stage(registry=Registry(agents))


async def submit(stage: Stage, limits: Limits) -> None:
    await stage.container.commands.submit(replace(stage.job("asks"), limits=limits), {"text": "do it", "data": {}})


async def ended(stage: Stage, limits: Limits) -> tuple[JobStatus, float]:
    began_ms = stage.clock.ms
    await submit(stage, limits)
    await stage.run()
    job = await stage.now()
    assert job.finished_at_ms is not None
    return job.status, (job.finished_at_ms - began_ms) / 1000


@pytest.mark.parametrize("what", WAITS)
async def test_a_job_that_waits_ends_when_its_time_is_over(what: str) -> None:
    stage = stage_of(WAITS[what])
    assert await ended(stage, Limits(wall_seconds=WALL_SECONDS)) == (JobStatus.FAILED, WALL_SECONDS)
    error = (await stage.now()).error
    assert error is not None
    told = f"the limit wall_seconds={WALL_SECONDS} is reached, and there is no answer yet"
    assert (error.type, error.message) == ("limit_exceeded", told)
    if what == "an attempt":
        [call] = await stage.calls()
        assert (call.error and call.error.type, call.attempts) == ("limit_exceeded", 2)


@pytest.mark.parametrize("what", ["an operation", "an event", "a time"])
async def test_the_timer_is_the_one_of_the_wait(what: str) -> None:
    """A wait that the job's time cuts short takes as many messages as one that is over by itself."""
    short = {
        "an operation": Call("sleep", {"seconds": 60}),
        "an event": Call("wait_for_event", {"name": "never", "timeout_seconds": 60}),
        "a time": Call("sleep", {"seconds": 60}),
    }
    cut, whole = stage_of(WAITS[what]), stage_of(short[what])
    await ended(cut, Limits(wall_seconds=WALL_SECONDS))
    await ended(whole, Limits(wall_seconds=30 * DAY_SECONDS))
    assert len(cut.events()) == len(whole.events())


async def test_a_job_that_asks_about_its_limits_is_not_cut_short() -> None:
    """A person may want what it waits for: it is asked when that has come."""
    stage = stage_of(Call("order"))
    await submit(stage, Limits(wall_seconds=WALL_SECONDS, on_limit="ask"))
    await stage.run(within_seconds=DAY_SECONDS)
    [item] = await stage.items()
    assert item.not_before_ms - stage.clock.ms > 5 * DAY_SECONDS * 1000


@pytest.mark.parametrize("own", [Limits(on_limit="ask"), Limits(turns=1, on_limit="ask")], ids=["waits", "asks"])
async def test_a_job_below_that_asks_ends_with_the_job_above(own: Limits) -> None:
    asks = Agent("waits", ScriptedModel([[Call("sleep", {"seconds": 1})] * 2, "late"]), tools=[sleep], limits=own)
    if own.turns > 1:
        asks = Agent("waits", ScriptedModel([[Call("order")], "late"]), tools=[order], limits=own)
    above = Agent("asks", ScriptedModel([[Call("delegate")], "too late"]), tools=[delegate])
    stage = Stage(registry=Registry([above, asks]))
    assert await ended(stage, Limits(wall_seconds=WALL_SECONDS)) == (JobStatus.FAILED, WALL_SECONDS)


async def test_a_job_that_asks_gives_the_jobs_below_their_own_time() -> None:
    stage = stage_of(Call("delegate"))
    parent = replace(stage.job("asks"), limits=Limits(wall_seconds=WALL_SECONDS, on_limit="ask"))
    late_ms = parent.created_at_ms + 2 * WALL_SECONDS * 1000
    below = child_job(stage.container.registry, parent, "c", ChildTask(agent="waits", task="wait"), late_ms).job
    assert (below.limits.wall_seconds, below.ends_by_ms) == (DAY_SECONDS, 0)
