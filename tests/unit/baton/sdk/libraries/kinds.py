"""Four kinds of agents of one behaviour: Baton's own, and those of pydantic-ai, OpenAI's SDK and LangGraph."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import agents as sdk
from agents.items import ItemHelpers
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.tools import tool as langchain_tool
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from openai.types.responses import ResponseTextDeltaEvent
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import Tool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage, UsageLimits

import baton
from baton import Agent, Call, Limits
from baton.langgraph import durable as of_langgraph
from baton.openai_agents import durable as of_openai
from baton.pydantic_ai import durable as of_pydantic_ai
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.sdk.models.model import ModelMessage as OwnMessage
from baton.sdk.openai_agents.piece import completed
from tests.unit.baton.sdk.langgraph.example_agents import Scripted as LangGraphModel
from tests.unit.baton.sdk.openai_agents.example_agents import Scripted as OpenAIModel

Calls = Sequence[tuple[str, dict[str, Any]]]


@dataclass
class Script:
    """What a model answers, turn by turn, and what it reads; the tools.

    Attributes:
        asks: the names of the tools that a person approves.
        most: the requests that the library allows; None: its own number.
        streams: whether the model gives its texts word by word.
        settings: of the agent, or of `durable()`.
        read: what the model has read, request by request.
        meanwhile: what else happens while the model answers.
    """

    turns: Sequence[Calls | str | Exception]
    tools: Sequence[Any] = ()
    asks: Sequence[str] = ()
    instructions: str = "Be brief."
    most: int | None = None
    streams: bool = False
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    read: list[Any] = field(default_factory=list[Any])
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def arrives(self) -> None:
        if self.meanwhile is not None:
            await self.meanwhile()


def words(text: str) -> list[str]:
    return text.replace(" ", " \0").split("\0")


class _OwnModel:
    name, reads_history, takes_files = "scripted", True, ("image/*",)

    def __init__(self, script: Script) -> None:
        self._script = script

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self._script.read.append((request.instructions, request.messages))
        await self._script.arrives()
        number = sum(isinstance(one, OwnMessage) for one in request.messages)
        turn = self._script.turns[number]
        if isinstance(turn, Exception):
            raise turn
        if isinstance(turn, str) and self._script.streams and request.listener is not None:
            for word in words(turn):
                await request.listener.write(word)
        calls = () if isinstance(turn, str) else tuple(Call(*call) for call in turn)
        return ModelAnswer(turn if isinstance(turn, str) else "", calls, 10 + number, 5)


def own(script: Script) -> Agent:
    tools = [
        one if isinstance(one, Agent) else baton.tool(one, **_asking(script, one, "requires_approval"))
        for one in script.tools
    ]
    most = {"limits": Limits(turns=script.most or 1_000, tool_calls=1_000)}
    return Agent("job", _OwnModel(script), script.instructions, tools=tools, **{**most, **script.settings})


def pydantic_ai(script: Script) -> Agent:
    async def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        script.read.append([*messages])
        await script.arrives()
        number = sum(isinstance(one, ModelResponse) for one in messages)
        turn = script.turns[number]
        if isinstance(turn, Exception):
            raise turn
        calls = () if isinstance(turn, str) else turn
        made = [ToolCallPart(name, given, f"call-{number}-{at}") for at, (name, given) in enumerate(calls)]
        usage = RequestUsage(input_tokens=10 + number, output_tokens=5)
        return ModelResponse([TextPart(turn)] if isinstance(turn, str) else made, usage=usage)

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        for word in words((await answer(messages, info)).text or ""):
            yield word

    tools = [Tool(one, **_asking(script, one, "requires_approval")) for one in script.tools]
    model = FunctionModel(stream_function=stream) if script.streams else FunctionModel(answer)
    most = UsageLimits(request_limit=script.most) if script.most else None
    agent = PydanticAgent(model, name="job", instructions=script.instructions, tools=tools)
    return of_pydantic_ai(agent, usage_limits=most, **script.settings)


class _OpenAIModel(OpenAIModel):
    def __init__(self, script: Script) -> None:
        super().__init__("job", *script.turns)
        self._script, self.read = script, script.read

    async def get_response(self, *args: Any, **given: Any) -> sdk.ModelResponse:
        answer = await super().get_response(*args, **given)
        await self._script.arrives()
        return answer


class _OpenAIStream(_OpenAIModel):
    async def stream_response(self, *args: Any, **given: Any) -> AsyncIterator[Any]:
        answer = await self.get_response(*args, **given)
        at = {"content_index": 0, "output_index": 0, "sequence_number": 0}
        place: Any = {**at, "item_id": "message", "logprobs": []}
        for word in words(ItemHelpers.extract_text(answer.output[0]) or ""):
            yield ResponseTextDeltaEvent(type="response.output_text.delta", delta=word, **place)
        yield completed(answer.output, answer.usage)


def openai_agents(script: Script) -> Agent:
    model = (_OpenAIStream if script.streams else _OpenAIModel)(script)
    tools: list[Any] = [
        sdk.function_tool(one, failure_error_function=None, **_asking(script, one, "needs_approval"))
        for one in script.tools
    ]
    config = sdk.RunConfig(tracing_disabled=True)
    agent = sdk.Agent("job", instructions=script.instructions, model=model, tools=tools)
    return of_openai(agent, max_turns=script.most, run_config=config, **script.settings)


class _LangGraphModel(LangGraphModel):
    arrives: Callable[[], Awaitable[object]]

    async def _agenerate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        result = self._generate(messages)
        await self.arrives()
        return result

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        result = super()._generate(messages)
        self._read[-1] = [*self._read[-1], [one.content for one in messages]]
        return result


class _LangGraphStream(_LangGraphModel):
    def _stream(self, messages: Any, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        message = self._generate(messages).generations[0].message
        for word in words(str(message.text)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))


def langgraph(script: Script) -> Agent:
    model = (_LangGraphStream if script.streams else _LangGraphModel)(turns=list(script.turns), arrives=script.arrives)
    script.read = model.read
    asks = [HumanInTheLoopMiddleware(interrupt_on=dict.fromkeys(script.asks, True))] if script.asks else []
    tools = [langchain_tool(one) for one in script.tools]
    agent = create_agent(model, tools, system_prompt=script.instructions, name="job", middleware=asks)
    limited = agent if script.most is None else agent.with_config(recursion_limit=script.most)
    return of_langgraph(limited, **script.settings)


def _asking(script: Script, function: Callable[..., Any], option: str) -> dict[str, Any]:
    return {option: True} if function.__name__ in script.asks else {}


KINDS: Mapping[str, Callable[[Script], Agent]] = {
    "own": own,
    "pydantic-ai": pydantic_ai,
    "openai-agents": openai_agents,
    "langgraph": langgraph,
}
LIBRARIES = tuple(KINDS)[1:]
# Of each library, `durable` and an agent without a name.
DOORS: Mapping[str, tuple[Any, Any]] = {
    "pydantic-ai": (of_pydantic_ai, PydanticAgent(FunctionModel(lambda *_: ModelResponse([TextPart("")])))),
    "openai-agents": (of_openai, sdk.Agent("")),
    "langgraph": (of_langgraph, create_agent(LangGraphModel(turns=[]), [])),
}
