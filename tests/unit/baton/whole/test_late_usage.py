"""A job that is stopped while a model answers: the answer is dropped, and what it has used counts in each sum, once."""

import pydantic_ai
import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from baton import Agent, Budget, Call, Registry, ScriptedModel
from baton.engine.commit.answers import Claim, Committed
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest, Spent
from tests.fakes.stored import FakeStore
from tests.unit.baton.kit.stage import Stage

_PAID = Spent(1, 500, 400, 0.25)


class Stopped:
    """Answers once its job has been stopped; `failed`: with an error that has used as much."""

    name, reads_history = "stopped", True

    def __init__(self, *, failed: bool = False, retried: bool = False) -> None:
        self.failed, self.retried, self.asked = failed, retried, 0
        self.stage: Stage | None = None

    async def stop(self) -> None:
        self.asked += 1
        if self.asked == 1:
            await _stop(self.stage, retried=self.retried)

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        del request
        await self.stop()
        if self.failed:
            raise ModelError("broken", retryable=True, spent=_PAID)
        return ModelAnswer("done", input_tokens=500, output_tokens=400, cost_usd=0.25)


class Twice(FakeStore):
    """Writes each COMMIT twice, as where the answer to the first one was lost."""

    async def commit(self, claim: Claim, changes: Changes, continuation: Continuation | None = None) -> Committed:
        await super().commit(claim, changes, continuation)
        return await super().commit(claim, changes, continuation)


async def _stop(stage: Stage | None, *, retried: bool) -> None:
    assert stage is not None
    commands = stage.container.commands
    await commands.cancel(await stage.now(), "ann")
    if retried:
        await commands.retry(await stage.now(), "ann", from_start=False)


def _of_a_library(model: Stopped) -> Agent:
    async def answer(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        await model.stop()
        return ModelResponse([TextPart("done")], usage=RequestUsage(input_tokens=500, output_tokens=400))

    return durable(pydantic_ai.Agent(FunctionModel(answer), name="writer"))


def _stage(model: Stopped, *agents: Agent) -> Stage:
    model.stage = stage = Stage(registry=Registry(agents))
    return stage


async def _billed(stage: Stage) -> tuple[int, int]:
    """Return the tokens of the tenants' months, and those of the agents."""
    admission = stage.container.ports.admission_control
    months = [each.used for each in await admission.used()]
    agents = (await admission.ends()).values()
    return (
        sum(used["input_tokens"] + used["output_tokens"] for used in months),
        sum(each.input_tokens + each.output_tokens for each in agents),
    )


@pytest.mark.parametrize("kind", ["answered", "failed", "of a library"])
async def test_an_answer_to_a_stopped_job_counts_in_each_sum(kind: str) -> None:
    model = Stopped(failed=kind == "failed")
    budget = Budget("k", tokens=10_000, reserve=10)
    agent = Agent(name="writer", model=model, budgets=[budget])
    stage = _stage(model, _of_a_library(model) if kind == "of a library" else agent)
    await stage.submit("writer")
    await stage.run()
    job = await stage.now()
    assert (job.status, job.result, job.in_flight) == (JobStatus.CANCELLED, None, ())
    assert (job.used.input_tokens, job.used.output_tokens, job.used.model_calls, job.used.turns) == (500, 400, 1, 0)
    assert await _billed(stage) == (900, 900)
    if kind != "of a library":
        assert job.used.cost_usd == 0.25
        budgets = stage.container.ports.budgets
        assert budgets is not None
        (row,), _ = await budgets().rows("k")
        assert row.spent == 900


async def test_an_answer_counts_for_the_job_that_had_started_its_own() -> None:
    """The parent goes on: what its stopped child has used counts toward its limits."""
    model = Stopped()
    child = Agent(name="writer", model=model, description="Writes.")
    parent = Agent(name="desk", model=ScriptedModel([[Call("writer", {"task": "Go."})], "done"]), tools=[child])
    stage = _stage(model, parent, child)
    await stage.submit("desk")
    await stage.run()
    assert (await stage.now()).status is JobStatus.CANCELLED
    used = [job.used for job in stage.store.tree("job_1").jobs.values()]
    assert sum(each.input_tokens + each.output_tokens for each in used) == 900
    assert stage.store.tree("job_1").child_usage["job_1"].tokens == 900
    assert await _billed(stage) == (900, 900)


async def test_an_answer_to_the_run_before_counts_once_and_no_limit_of_the_next_one() -> None:
    model = Stopped(retried=True)
    stage = _stage(model, Agent(name="writer", model=model))
    await stage.submit("writer")
    await stage.run()
    job = await stage.now()
    assert (job.status, job.run) == (JobStatus.COMPLETED, 2)
    assert job.used.input_tokens + job.used.output_tokens == 1_800
    assert job.before.input_tokens + job.before.output_tokens == 900
    assert await _billed(stage) == (1_800, 1_800)


async def test_an_answer_that_is_committed_again_counts_once() -> None:
    """Neither one that ended a job, nor one that came after its end."""
    model = Stopped()
    stage = model.stage = Stage(registry=Registry([Agent(name="writer", model=model)]), store=Twice())
    assert await _used(stage, "job_1") == (500, 400)
    assert await _used(stage, "job_2") == (500, 400)


async def _used(stage: Stage, job_id: str) -> tuple[int, int]:
    await stage.submit("writer", job_id)
    await stage.run()
    used = (await stage.now(job_id)).used
    return used.input_tokens, used.output_tokens
