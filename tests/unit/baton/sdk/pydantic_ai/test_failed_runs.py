"""Runs that fail with an answer of their model: the answer is among the messages, and no later turn goes on from it."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai import Agent, ModelRetry, UsageLimits, capture_run_messages
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from baton import Registry
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from baton.testing import Simulation
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.pydantic_ai.played import call, comparable, scripted

Made = tuple[Agent[Any, Any], UsageLimits]
_NONE = UsageLimits()


def look(n: int) -> int:
    return n


def _no_output_fits() -> Made:
    return Agent(scripted("no number", "nor this"), name="a", output_type=int, retries=1), _NONE


def _an_output_tool_fits_not() -> Made:
    turns = [call("look", n=1)], [call("final_result", response="x")], [call("final_result", response="y")]
    agent: Agent[None, int] = Agent(scripted(*turns), name="a", output_type=int, retries=1)
    agent.tool_plain(look)
    return agent, _NONE


def _a_validator_fails() -> Made:
    agent = Agent(scripted("done"), name="a")

    @agent.output_validator
    def check(_: str) -> str:
        raise RuntimeError("no such customer")

    return agent, _NONE


def _a_validator_is_never_content() -> Made:
    agent = Agent(scripted("one", "two"), name="a", retries=1)

    @agent.output_validator
    def check(_: str) -> str:
        raise ModelRetry("again")

    return agent, _NONE


def _too_many_calls() -> Made:
    agent = Agent(scripted([call("look", n=1)], [call("look", n=2), call("look", n=3)], "done"), name="a")
    agent.tool_plain(look)
    return agent, UsageLimits(tool_calls_limit=2)


def _too_many_tokens() -> Made:
    def answer(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart("long")], usage=RequestUsage(output_tokens=500))

    return Agent(FunctionModel(answer), name="a"), UsageLimits(output_tokens_limit=100)


@pytest.mark.parametrize(
    "make",
    [
        *(_no_output_fits, _an_output_tool_fits_not, _a_validator_fails, _a_validator_is_never_content),
        *(_too_many_calls, _too_many_tokens),
    ],
)
async def test_the_answer_that_ended_a_run_is_the_last_message(make: Callable[[], Made]) -> None:
    """As a direct run has it."""
    agent, limits = make()
    with capture_run_messages() as wanted, pytest.raises(Exception):  # noqa: B017, PT011 - each has its own
        await agent.run("Go.", usage_limits=limits)
    agent, limits = make()
    simulation = Simulation(Registry([durable(agent, usage_limits=limits)]))
    run = await simulation.run("a", "Go.")
    assert run.status == "failed"
    found = ModelMessagesTypeAdapter.validate_python(run.model_messages)
    said, told = ([one for one in messages if one.parts] for messages in (found, wanted))
    assert comparable(said) == comparable(told)
    (await simulation.crash_everywhere("a", "Go.")).check()


async def test_a_retried_job_does_not_go_on_from_it() -> None:
    answers: list[Any] = [TextPart("no number"), TextPart("nor this"), call("final_result", response=7)]
    seen = list[int]()

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        seen.append(sum(isinstance(one, ModelResponse) for one in messages))
        return ModelResponse([answers[len(seen) - 1]])

    agent = durable(Agent(FunctionModel(answer), name="a", output_type=int, retries=1))
    stage = Stage(registry=Registry([agent]))
    failed = await stage.played("a")
    assert failed.status is JobStatus.FAILED
    await stage.container.commands.retry(failed, "ann", from_start=False)
    await stage.run()
    job = await stage.now()
    assert (job.status, (job.result or {}).get("output"), seen) == (JobStatus.COMPLETED, 7, [0, 1, 1])
