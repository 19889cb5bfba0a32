"""Who gets compute when many want it: tenants, priority, delayed starts, jobs in line, and schedules over a quota."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, ToolError, tool
from baton.engine.commit.answers import Claim, ClaimResult
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.worker.commands.schedule import recurrence
from tests.fakes.stored import FakeStore
from tests.unit.baton.kit.stage import SETTINGS, Stage

SLOTS = 3
MANY = 500


class Enough(Exception):  # noqa: N818 - no error: what was to be seen was seen
    """Ends a run."""


async def submit(stage: Stage, job_id: str, tenant: str, *, priority: int = 5, start_at_ms: int = 0) -> None:
    job = Job(job_id, f"session-{job_id}", tenant, "adds", stage.clock.now_ms(), priority, start_at_ms=start_at_ms)
    await stage.container.commands.submit(job, {"text": "do it", "data": {}})


async def order_of_beginning(stage: Stage, until: Callable[[], bool]) -> list[str]:
    """Run until that holds; who was given a slot, in order."""
    began: list[str] = []

    async def check() -> None:
        fresh = [name for name, entry in stage.admission.entries.items() if entry.started and name not in began]
        began.extend(sorted(fresh))
        if until():
            raise Enough

    await check()
    with pytest.raises(Enough):
        await stage.run(check)
    return began


async def test_a_tenant_with_500_waiting_jobs_delays_another_tenants_single_job_by_no_more_than_the_jobs_running() -> (
    None
):
    """The first slot that is given back is the other tenant's; none of the waiting ones goes before."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=SLOTS))
    for number in range(SLOTS + MANY):
        await submit(stage, f"job_{number:03d}", "busy")
        stage.clock.ms += 1
    running = [name for name, entry in stage.admission.entries.items() if entry.slot]
    assert len(running) == SLOTS
    await submit(stage, "job_single", "quiet")
    ended_before: list[int] = []

    def single_has_ended() -> bool:
        if stage.admission.entries["job_single"].slot and not ended_before:
            ended_before.append(sum(stage.store.tree(name).jobs[name].ended for name in running))
        return stage.store.tree("job_single").jobs["job_single"].ended

    began = await order_of_beginning(stage, single_has_ended)
    assert began[: SLOTS + 1] == [*running, "job_single"]
    assert ended_before == [1]  # not even the longest of those that were running is waited for


MANY_REQUESTS = 100


class CountingStore(FakeStore):
    """A store that counts, and refuses to be asked without end."""

    claim_result = 0

    async def claim(self, claim: Claim) -> ClaimResult:
        self.claim_result += 1
        assert self.claim_result < MANY_REQUESTS, "an invocation goes round in circles"
        return await super().claim(claim)


@tool(retries=0)
async def ask(task: str, ctx: ToolContext) -> Pending:
    return ctx.start("helper", task)


@tool(retries=1, retry_delay_seconds=10)
async def shaky(ctx: ToolContext) -> str:
    """Work at the second attempt; until then, the job that calls it keeps its slot."""
    if ctx.attempt == 1:
        raise ToolError("not yet", retryable=True)
    return "mended"


async def test_two_jobs_in_line_do_not_wake_each_other_without_end() -> None:
    """Each is told once that it must wait, in one invocation that carries the slot requests of both."""
    calls = [Call("ask", {"task": "a"}), Call("ask", {"task": "b"}), Call("shaky")]
    registry = Registry(
        [
            Agent(name="parent", model=ScriptedModel([calls, "all are back"]), tools=[ask, shaky]),
            Agent(name="helper", model=ScriptedModel(["helped"])),
        ]
    )
    settings = replace(SETTINGS, max_concurrent_jobs=1, continuation="inline")
    stage = Stage(settings=settings, store=CountingStore(), registry=registry)
    await stage.submit("parent")
    await stage.run()
    job = (await stage.snapshot()).job
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "all are back"})


async def fires(stage: Stage, message_id: str) -> None:
    job = stage.job("answers", "sch_1")
    found = recurrence("sch_1", job, {"text": "x" * 5_000, "data": {}}, {"cron": "* * * * *", "timeZone": "UTC"})
    await stage.deliver(found, message_id)


async def test_its_messages_start_no_job(caplog: pytest.LogCaptureFixture) -> None:
    """Which is logged with the way out; the job that it has started goes on, and its message may come again."""
    stage = Stage(settings=replace(SETTINGS, bytes_kept_per_tenant=5_000))
    await fires(stage, "m1")
    for message_id in ("m2", "m1", "m3"):
        await fires(stage, message_id)
    assert len(stage.store.trees) == 1
    found = [line for line in caplog.text.splitlines() if "BYTES_KEPT_PER_TENANT" in line]
    assert len(found) == 2
    await stage.run()
    (tree,) = stage.store.trees.values()
    assert [job.status for job in tree.jobs.values()] == ["completed"]


async def test_it_goes_on_when_there_is_room() -> None:
    stage = Stage(settings=replace(SETTINGS, bytes_kept_per_tenant=5_000))
    await fires(stage, "m1")
    await stage.run()
    (job,) = (job for tree in stage.store.trees.values() for job in tree.jobs.values())
    await fires(stage, "m2")
    assert len(stage.store.trees) == 1
    await stage.container.commands.delete(job)
    await fires(stage, "m3")
    (started,) = stage.store.trees
    assert started != job.id
