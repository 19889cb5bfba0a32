"""What is sent to a running job of pydantic-ai is in its next request, as part of its messages."""

from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Registry
from baton.api.session_line import Sessions
from baton.pydantic_ai import durable
from tests.unit.baton.pydantic_ai.played import PlayedStage, call


class Conversation:
    """A run of two requests; `sends`: by request (0: before the first), what its user sends meanwhile."""

    def __init__(self, sends: dict[int, str], output_type: Any = str) -> None:
        self.sends, self.requests = sends, list[list[ModelMessage]]()
        agent = Agent(FunctionModel(self.answer), name="talks", output_type=output_type)
        agent.tool_plain(self.look)
        self.stage = PlayedStage(registry=Registry([durable(agent)]))
        self.sessions = Sessions(self.stage.container)

    def look(self) -> str:
        """Look."""
        return "seen"

    async def answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """Look first, then answer."""
        self.requests.append(messages)
        await self.send(len(self.requests))
        if len(self.requests) == 1:
            return ModelResponse([call("look", "one")])
        if info.output_tools:
            return ModelResponse([call(info.output_tools[0].name, f"out{len(self.requests)}", response=7)])
        return ModelResponse([TextPart(f"answer {len(self.requests)}")])

    async def send(self, request: int) -> None:
        """Send what is sent then."""
        if text := self.sends.pop(request, ""):
            assert await self.sessions.steer(self.stage.job("talks", f"m{request}", session="c"), {"text": text})

    async def play(self) -> list[list[str]]:
        """What each request has of the user, or of tools."""
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
    """Once; a run that has answered goes on."""
    conversation = Conversation({request_number: "two"})
    assert await conversation.play() == told
    assert (await conversation.stage.snapshot()).job.result == {"answer": f"answer {len(told)}"} | {
        "output": f"answer {len(told)}"
    }


async def test_an_output_that_a_tool_makes_is_made_again() -> None:
    """What the first one said stays in the messages."""
    conversation = Conversation({2: "two"}, output_type=int)
    requests = await conversation.play()
    assert requests[-1][-1] == "two"
    result = (await conversation.stage.snapshot()).job.result
    assert result is not None
    assert result["output"] == 7
