"""More agents with documented features: files, calls in turn, toolsets, capabilities; and all of them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Image
from pydantic import BaseModel
from pydantic_ai import (
    BinaryContent,
    CallDeferred,
    DeferredToolRequests,
    DeferredToolResults,
    DocumentUrl,
    ImageUrl,
    ModelProfile,
    ModelRetry,
    RunContext,
    Tool,
    ToolFailed,
    ToolReturn,
)
from pydantic_ai.capabilities import (
    Caching,
    Citations,
    FileUnderstanding,
    HandleDeferredToolCalls,
    IncludeToolReturnSchemas,
    Instrumentation,
    PrefixTools,
    PrepareTools,
    RaiseContentFilterError,
    Thinking,
    ToolSearch,
    Toolset,
)
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import CombinedToolset, FunctionToolset, WrapperToolset

from tests.unit.baton.sdk.pydantic_ai.documented_agents import AGENTS, SUM, Case, Cases, City, add, of, plain
from tests.unit.baton.sdk.pydantic_ai.documented_examples import EXAMPLES
from tests.unit.baton.sdk.pydantic_ai.documented_hooks import HOOKED
from tests.unit.baton.sdk.pydantic_ai.documented_models import MODELS
from tests.unit.baton.sdk.pydantic_ai.documented_outputs import OUTPUTS
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

DOT = BinaryContent(b"\x89PNG a dot", media_type="image/png")
KITTEN = ImageUrl("https://example.com/kitten.png")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class User(BaseModel):
    name: str
    joined: datetime


def _fails() -> str:
    raise ToolFailed("no such city")


RETURNS: dict[str, Any] = {
    "cities": lambda: [City(name="Ur", people=1)],
    "nothing": lambda: None,
    "fails": _fails,
    "now": lambda: NOON,
    "user": lambda: User(name="Ann", joined=NOON),
    "document": lambda: DocumentUrl("https://example.com/a.pdf"),
    "numbers": lambda: {1: (2.5, None), "nested": {"deep": [True]}},
}


def _sequential_tool() -> Case:
    notes: set[int] = set()

    async def note(n: int) -> int:
        await asyncio.sleep(0)
        notes.add(n)
        return n

    alone = plain("alone", lambda: sorted(notes), sequential=True)
    case = of([call("note", n=1), call("alone"), call("note", n=2)], "done", tools=[note, alone])
    case.fresh = notes.clear
    return case


async def slow(ctx: RunContext[Any]) -> str:
    await asyncio.sleep(0 if ctx.retry else 5)
    return "at last"


def remark(ctx: RunContext[Any]) -> str:
    """Add to the conversation: soon, and before the end."""
    ctx.enqueue("The user says hello.", priority="asap")
    ctx.enqueue("And goodbye?", KITTEN, priority="when_idle")
    return "remarked"


async def _handle(_: RunContext[Any], requests: DeferredToolRequests) -> DeferredToolResults:
    approvals: dict[str, Any] = {one.tool_call_id: True for one in requests.approvals}
    return DeferredToolResults(calls={one.tool_call_id: "handled" for one in requests.calls}, approvals=approvals)


def away() -> str:
    raise CallDeferred


async def who(ctx: RunContext[str]) -> str:
    return ctx.deps


def _dynamic_prompts() -> Case:
    """Prompts and a tool that depend on the run and its dependencies."""
    case = of([call("who")], "done", deps="Ann", deps_type=str, tools=[who])
    case.agent.system_prompt(dynamic=True)(lambda ctx: f"For {ctx.deps}.")
    case.agent.instructions(lambda ctx: f"Step {ctx.run_step}, told {len(ctx.messages)}.")
    return case


class Doubled(WrapperToolset[Any]):
    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: Any, tool: Any) -> Any:
        return 2 * await super().call_tool(name, tool_args, ctx, tool)


def _wrapped_toolsets() -> Case:
    """Renamed, combined, prepared and wrapped toolsets, with instructions of their own."""

    def subtract(a: int, b: int) -> int:
        return a - b

    async def strict(_: RunContext[Any], tools: list[ToolDefinition]) -> list[ToolDefinition]:
        return [tool for tool in tools if tool.name != "hidden"]

    one = FunctionToolset([add], instructions="Add with care.").renamed({"plus": "add"})
    combined = CombinedToolset([one, Doubled(FunctionToolset([subtract])).prefixed("twice")])
    calls = [call("plus", a=1, b=2), call("twice_subtract", a=5, b=2)]
    return of(calls, "3 6", toolsets=[combined.prepared(strict)])


def _tool_by_schema() -> Case:
    def check(_: RunContext[Any], n: int) -> None:
        if n > 9:
            raise ModelRetry("one digit")

    async def digits(n: int) -> str:
        return "1" * n

    a = {"properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
    by_schema = Tool[Any].from_schema(lambda a: a + 1, "next", "The next number.", {"type": "object", **a})
    turns = [call("next", a=1), call("digits", n=10)], [call("digits", n=3)]
    return of(*turns, "2 111", tools=[by_schema, Tool(digits, args_validator=check)])


def _thoughts() -> Case:
    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        thought = ThinkingPart("hm", signature="sig", provider_name="p", provider_details={"a": 1})
        if len(messages) == 1:
            return ModelResponse([thought, SUM], provider_details={"id": "x"}, finish_reason="tool_call")
        return ModelResponse([thought, TextPart("3")], finish_reason="stop", metadata={"mood": "glad"})

    return of(model=FunctionModel(answer), tools=[add])


async def _without_add(_: RunContext[Any], tools: list[ToolDefinition]) -> list[ToolDefinition]:
    return [tool for tool in tools if tool.name != "add"]


def _capabilities_together() -> Case:
    maths = PrefixTools(wrapped=Toolset(FunctionToolset([add])), prefix="m")
    capabilities = [maths, PrepareTools(_without_add), IncludeToolReturnSchemas(), Thinking()]
    return of([call("m_add", a=1, b=2)], "3", tools=[add], capabilities=capabilities)


class CountingServer(MCPServer[Any]):
    lists = 0

    async def list_tools(self) -> Any:
        self.lists += 1
        return await super().list_tools()


def mcp_of(server: MCPServer[Any]) -> Case:
    """An agent with the tools of a server, beside its own; one asks for another try, and one returns a file."""

    @server.tool()
    def multiply(a: int, b: int) -> int:
        """Multiply."""
        return a * b

    @server.tool()
    def refuse(n: int) -> str:
        """Refuse what is odd."""
        if n % 2:
            raise ValueError("it is odd")
        return f"{n} is even"

    @server.tool()
    def draw() -> Image:
        """Draw."""
        return Image(data=DOT.data, format="png")

    turns = (
        [call("m_multiply", a=2, b=3), call("add", a=1, b=1), call("m_refuse", n=1)],
        [call("m_refuse", n=2), call("m_draw")],
    )
    return of(*turns, "done", tools=[add], toolsets=[MCPToolset(server).prefixed("m")])


def tea(leaves: int) -> str:
    return f"a cup of {leaves}"


def _tools_that_are_searched() -> Case:
    turns = ([call("search_tools", queries=["tea"])], [call("tea", leaves=2), SUM], "a cup")
    tools = [Tool[None](add), Tool[None](tea, description="Makes tea.", defer_loading=True)]
    return of(*turns, tools=tools, capabilities=[ToolSearch(max_results=1)])


def _files_that_another_model_describes() -> Case:
    script: Any = scripted([SUM], "a dot, 3").function
    blind = FunctionModel(script, profile=ModelProfile(supports_image_input=False))
    return of(
        model=blind, tools=[add], capabilities=[FileUnderstanding(scripted("a dot"))], prompt=["What is this?", DOT]
    )


FEATURES: Cases = {
    "file_returned": lambda: of(
        [call("draw"), call("gallery")],
        "a dot",
        tools=[plain("draw", lambda: DOT), plain("gallery", lambda: ["two of them", DOT, KITTEN, {"more": False}])],
        prompt=["What is this?", KITTEN, DOT],
    ),
    "file_beside_return": lambda: of(
        [call("draw"), call("add", a=1, b=1)],
        "a dot",
        tools=[
            add,
            plain("draw", lambda: ToolReturn("drawn", content=["Here:", DOT, KITTEN], metadata={"x": {"y": 1}})),
        ],
    ),
    "returns_of_many_types": lambda: of(
        [call(name) for name in RETURNS], "done", tools=[plain(*returns) for returns in RETURNS.items()]
    ),
    "sequential_tool": _sequential_tool,
    "slow_tool": lambda: of(
        [call("slow", "1")], [call("slow", "2")], "done", tools=[Tool(slow, max_retries=2)], tool_timeout=0.5
    ),
    "enqueued": lambda: of([call("remark", "1"), SUM], "done", "done again", tools=[add, remark]),
    "deferred_and_handled": lambda: of(
        *([call("add", a=1, b=1), call("risky")], [call("away")], "done"),
        tools=[add, away, plain("risky", lambda: "done", requires_approval=True)],
        capabilities=[HandleDeferredToolCalls(_handle)],
    ),
    "dynamic_prompts": _dynamic_prompts,
    "wrapped_toolsets": _wrapped_toolsets,
    "tool_by_schema": _tool_by_schema,
    "thoughts": _thoughts,
    "capabilities_together": _capabilities_together,
    "mcp_server": lambda: mcp_of(MCPServer("maths", log_level="CRITICAL")),  # else it formats each refusal
    # What asks a provider for something, or only looks.
    "settings_and_spans": lambda: of(
        *([SUM], [call("add", a=3, b=4)], "3 7"),
        tools=[add],
        capabilities=[Caching(), Citations(), RaiseContentFilterError(), Instrumentation()],
    ),
    "tools_that_are_searched": _tools_that_are_searched,
    "files_that_another_model_describes": _files_that_another_model_describes,
}
DOCUMENTED: Cases = {**AGENTS, **FEATURES, **MODELS, **OUTPUTS, **HOOKED, **EXAMPLES}
