"""What comes while a job waits for its model: a user's message makes another output; an answer may be suspended."""

from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Registry
from baton.pydantic_ai import durable
from baton.server.api.session_line import Sessions
from baton.testing import Simulation
from tests.unit.baton.sdk.pydantic_ai.documented_models import Background, suspended_answers
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call


async def test_an_output_that_a_tool_makes_is_made_again() -> None:
    requests = list[list[ModelMessage]]()

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        requests.append(messages)
        if len(requests) == 1:
            assert await Sessions(stage.container).steer(stage.job("talks", "m1", session="c"), {"text": "two"})
        return ModelResponse([call(info.output_tools[0].name, f"out{len(requests)}", response=len(requests))])

    stage = PlayedStage(registry=Registry([durable(Agent(FunctionModel(answer), name="talks", output_type=int))]))
    await Sessions(stage.container).submit(stage.job("talks", session="c"), {"text": "one", "data": {}, "chat": {}})
    await stage.run()
    assert "two" in str(requests[-1][-1])
    assert ((await stage.snapshot()).job.result or {})["output"] == 2


async def test_a_suspended_answer_is_waited_for_without_a_process() -> None:
    agent = suspended_answers().agent
    assert isinstance(agent.model, Background)
    agent.model.delay_seconds = 60
    run = await Simulation(Registry([durable(agent, name="agent")])).run("agent", "go")
    assert run.result == {"answer": "3", "output": "3"}
    assert 2 * (60 + 120) <= run.virtual_seconds < 2 * (60 + 120) + 60
    assert [start.tool for start in run.tool_starts] == ["wait_for_model"] * 2 + ["add"] + ["wait_for_model"] * 2
    assert (run.usage["inputTokens"], run.usage["outputTokens"]) == (2, 4)


@pytest.mark.parametrize(
    ("failures", "asked", "alerts"),
    [([], 1, 0), ([ModelHTTPError(503, "m")], 2, 0), ([ModelHTTPError(401, "m")], 1, 1)],
    ids=["at once", "later", "never"],
)
async def test_a_cancelled_job_cancels_the_answer_that_it_waits_for(failures: Any, asked: int, alerts: int) -> None:
    """Again where the provider is away; somebody is told where it refuses."""
    agent = suspended_answers().agent
    assert isinstance(agent.model, Background)
    agent.model.delay_seconds, agent.model.failures = 60, list(failures)
    stage = PlayedStage(registry=Registry([durable(agent, name="agent")]))
    await stage.submit("agent")
    await stage.run(within_seconds=30)
    await stage.container.commands.cancel((await stage.snapshot()).job, "")
    await stage.run()
    assert agent.model.cancelled == ["answer-0"] * asked
    assert len(stage.alerts.sent) == alerts
