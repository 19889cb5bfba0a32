"""What comes while a job waits for its model: a user's message is in its next request; an answer may be suspended."""

from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Registry
from baton.pydantic_ai import durable
from baton.server.api.session_line import Sessions
from baton.testing import Simulation
from tests.unit.baton.sdk.pydantic_ai.documented_models import Background, suspended_answers
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call


class Conversation:
    """A run of two requests; `sends`: by request (0: before the first), what its user sends meanwhile."""

    def __init__(self, sends: dict[int, str], output_type: Any = str) -> None:
        self.sends, self.requests = sends, list[list[ModelMessage]]()
        agent = Agent(FunctionModel(self.answer), name="talks", output_type=output_type)
        agent.tool_plain(self.look)
        self.stage = PlayedStage(registry=Registry([durable(agent)]))
        self.sessions = Sessions(self.stage.container)

    def look(self) -> str:
        return "seen"

    async def answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.requests.append(messages)
        await self.send(len(self.requests))
        if len(self.requests) == 1:
            return ModelResponse([call("look", "one")])
        if info.output_tools:
            return ModelResponse([call(info.output_tools[0].name, f"out{len(self.requests)}", response=7)])
        return ModelResponse([TextPart(f"answer {len(self.requests)}")])

    async def send(self, request: int) -> None:
        if text := self.sends.pop(request, ""):
            assert await self.sessions.steer(self.stage.job("talks", f"m{request}", session="c"), {"text": text})

    async def play(self) -> list[list[str]]:
        await self.sessions.submit(self.stage.job("talks", session="c"), {"text": "one", "data": {}, "chat": {}})
        await self.send(0)
        await self.stage.run()
        return [
            [
                str(content)
                for message in messages
                if isinstance(message, ModelRequest)
                for part in message.parts
                if isinstance(part, UserPromptPart | ToolReturnPart)
                for content in (part.content if isinstance(part.content, list) else [part.content])
            ]
            for messages in self.requests
        ]


@pytest.mark.parametrize(
    ("request_number", "told"),
    [
        (0, [["one", "two"], ["one", "two", "seen"]]),
        (1, [["one"], ["one", "seen", "two"]]),
        (2, [["one"], ["one", "seen"], ["one", "seen", "two"]]),
    ],
    ids=["before the first request", "after the calls", "after the answer"],
)
async def test_what_is_sent_is_in_the_next_request(request_number: int, told: list[list[str]]) -> None:
    conversation = Conversation({request_number: "two"})
    assert await conversation.play() == told
    assert (await conversation.stage.snapshot()).job.result == {"answer": f"answer {len(told)}"} | {
        "output": f"answer {len(told)}"
    }


async def test_an_output_that_a_tool_makes_is_made_again() -> None:
    conversation = Conversation({2: "two"}, output_type=int)
    requests = await conversation.play()
    assert requests[-1][-1] == "two"
    result = (await conversation.stage.snapshot()).job.result
    assert result is not None
    assert result["output"] == 7


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
