"""Work that would be told too much fails at once, and says what to do; other work is done."""

from dataclasses import replace
from typing import Literal

import pytest

from baton import Agent, Call, Registry, ScriptedModel, Step, result_of, tool
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunTool, Work
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import ModelFailed, StepResult, ToolFailed, ToolReturned
from baton.engine.transitions import JobStatus
from baton.executors.bounded import PromptLimit, prompt_too_large
from tests.unit.baton.kit.stage import SETTINGS, Stage

LIMIT_BYTES = 1_000
JOB = Job("job_1", "s", "t", "a", 0)
TURN, CALL = CallModel(JOB, 1, 1), RunTool(JOB, CallRecord("c", 1, 0, "t", {}), 1)
CLAIM = Claim("job_1", "k", "m", "o", 0, 0)


async def returns(effect: Work, history: History, claim: Claim) -> StepResult:
    return ToolReturned("1")


@pytest.mark.parametrize(("effect", "kind"), [(TURN, ModelFailed), (CALL, ToolFailed)])
async def test_work_that_is_given_more_fails_for_good(effect: Work, kind: type[ModelFailed] | type[ToolFailed]) -> None:
    """It is not tried again: it would be told as much. Up to the last byte it is done."""
    limited = PromptLimit(returns, LIMIT_BYTES)
    assert await limited(effect, History(size_bytes=LIMIT_BYTES), CLAIM) == ToolReturned("1")
    step_result = await limited(effect, History(size_bytes=LIMIT_BYTES + 1), CLAIM)
    assert isinstance(step_result, kind)
    assert step_result.failure == prompt_too_large(LIMIT_BYTES + 1, LIMIT_BYTES)
    assert not step_result.failure.retryable


def test_the_reason_names_the_total_the_limit_and_the_ways_out() -> None:
    failure = prompt_too_large(10_800_000, 8_000_000)
    assert failure is not None
    assert failure.type == "too_much_told"
    for word in ("10800000 bytes", "8000000", "return less", "elsewhere", "reference", "TOLD_LIMIT_BYTES"):
        assert word in failure.message


def large() -> Registry:
    @tool(retries=0)
    async def read(part: int) -> str:
        return f"{part}" * 400

    @tool(retries=2)
    async def join(parts: list[str]) -> str:
        return "".join(parts)[:10]

    three = [Call("read", {"part": part}) for part in (1, 2, 3)]
    model = ScriptedModel([three, [Call("read", {"part": 4})], "read"])
    reads = [Step(f"p{part}", read, {"part": part}) for part in (1, 2, 3)]
    joins = Step("all", join, {"parts": [result_of(step.name) for step in reads]}, depends_on=["p1", "p2", "p3"])
    return Registry(
        [Agent("reads", model=model, tools=[read]), Agent("joins", plan=[*reads, joins], tools=[read, join])]
    )


@pytest.mark.parametrize("continuation", ["queue", "inline"])
@pytest.mark.parametrize("agent", ["reads", "joins"])
async def test_a_job_that_would_be_given_too_much_ends_with_the_reason(
    agent: str, continuation: Literal["queue", "inline"]
) -> None:
    """It is not tried again and again: whoever waits for it learns what to do, and somebody is alerted."""
    settings = replace(SETTINGS, continuation=continuation, result_limit_bytes=500, prompt_limit_bytes=LIMIT_BYTES)
    job = await Stage(settings=settings, registry=large()).played(agent)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert f"over the limit of {LIMIT_BYTES}" in job.error.message
    assert "return a reference" in job.error.message
