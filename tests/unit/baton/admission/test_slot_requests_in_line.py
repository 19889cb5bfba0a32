"""Several jobs of one tree request a slot in one invocation, and there is none."""

from dataclasses import replace

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, ToolError, tool
from baton.engine.commit.answers import Claim, ClaimResult
from baton.engine.transitions import JobStatus
from tests.fakes import FakeStore
from tests.unit.baton.kit.stage import SETTINGS, Stage

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
