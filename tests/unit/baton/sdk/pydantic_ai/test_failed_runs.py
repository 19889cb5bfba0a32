"""Runs that fail with an answer of their model: the answer is among the messages, and no later turn goes on from it."""

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
from tests.unit.baton.sdk.pydantic_ai.documented_agents import FINAL, Cases, of
from tests.unit.baton.sdk.pydantic_ai.played import call, comparable


def look(n: int) -> int:
    return n


def _breaks(_: str) -> str:
    raise RuntimeError("no such customer")


def _again(_: str) -> str:
    raise ModelRetry("again")


def _long(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart("long")], usage=RequestUsage(output_tokens=500))


FAILS: Cases = {
    "no output fits": lambda: of("no number", "nor this", output_type=int, retries=1),
    "an output tool fits not": lambda: of(
        [call("look", n=1)], *([call(FINAL, response=text)] for text in "xy"), tools=[look], output_type=int, retries=1
    ),
    "a validator fails": lambda: of("done", validator=_breaks),
    "a validator is never content": lambda: of("one", "two", validator=_again, retries=1),
    "too many calls": lambda: of(
        *([call("look", n=1)], [call("look", n=2), call("look", n=3)], "done"),
        tools=[look],
        limits=UsageLimits(tool_calls_limit=2),
    ),
    "too many tokens": lambda: of(model=FunctionModel(_long), limits=UsageLimits(output_tokens_limit=100)),
}


@pytest.mark.parametrize("name", FAILS)
async def test_the_answer_that_ended_a_run_is_the_last_message(name: str) -> None:
    """As a direct run has it."""
    with capture_run_messages() as wanted, pytest.raises(Exception):  # noqa: B017, PT011 - each has its own
        await FAILS[name]().run()
    simulation = Simulation(Registry([FAILS[name]().durable("a")]))
    run = await simulation.run("a", "do it")
    assert run.status == "failed"
    found = ModelMessagesTypeAdapter.validate_python(run.model_messages)
    said, told = ([one for one in messages if one.parts] for messages in (found, wanted))
    assert comparable(said) == comparable(told)
    (await simulation.crash_everywhere("a", "do it")).check()


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
