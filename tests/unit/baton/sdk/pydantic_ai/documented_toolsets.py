"""Agents with documented toolsets, tools by schema, hooks and capabilities."""

from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Image
from pydantic_ai import Agent, ModelRetry, RunContext, Tool
from pydantic_ai.capabilities import (
    Hooks,
    IncludeToolReturnSchemas,
    PrefixTools,
    PrepareTools,
    ProcessHistory,
    Thinking,
    Toolset,
)
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import CombinedToolset, FunctionToolset, WrapperToolset

from tests.unit.baton.sdk.pydantic_ai.documented_agents import Case, add, cases_in
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted


def wrapped_toolsets() -> Case:
    """Renamed, combined, prepared and wrapped toolsets, with instructions of their own."""

    class Doubled(WrapperToolset[Any]):
        async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: Any, tool: Any) -> Any:
            return 2 * await super().call_tool(name, tool_args, ctx, tool)

    def subtract(a: int, b: int) -> int:
        return a - b

    async def strict(_: RunContext[Any], tools: list[ToolDefinition]) -> list[ToolDefinition]:
        return [tool for tool in tools if tool.name != "hidden"]

    one = FunctionToolset([add], instructions="Add with care.").renamed({"plus": "add"})
    combined = CombinedToolset([one, Doubled(FunctionToolset([subtract])).prefixed("twice")])
    agent = Agent(
        scripted([call("plus", a=1, b=2), call("twice_subtract", a=5, b=2)], "3 6"),
        toolsets=[combined.prepared(strict)],
    )
    return Case(agent)


def tool_by_schema() -> Case:
    def check(_: RunContext[Any], n: int) -> None:
        if n > 9:
            raise ModelRetry("one digit")

    async def digits(n: int) -> str:
        return "1" * n

    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    by_schema = Tool.from_schema(lambda a: a + 1, "next", "The next number.", schema)
    checked = Tool(digits, args_validator=check)
    turns = [call("next", a=1), call("digits", n=10)], [call("digits", n=3)]
    return Case(Agent(scripted(*turns, "2 111"), tools=[by_schema, checked]))


def thoughts() -> Case:
    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        thought = ThinkingPart("hm", signature="sig", provider_name="p", provider_details={"a": 1})
        if len(messages) == 1:
            return ModelResponse(
                [thought, call("add", a=1, b=2)], provider_details={"id": "x"}, finish_reason="tool_call"
            )
        return ModelResponse([thought, TextPart("3")], finish_reason="stop", metadata={"mood": "glad"})

    return Case(Agent(FunctionModel(answer), tools=[add]))


def hooks() -> Case:
    hooked: Hooks[Any] = Hooks()

    @hooked.on.before_tool_execute
    async def more(_: RunContext[Any], *, args: dict[str, Any], **__: Any) -> dict[str, Any]:
        return {**args, "a": args["a"] + 10}

    @hooked.on.after_tool_execute
    async def negative(_: RunContext[Any], *, result: Any, **__: Any) -> Any:
        return -result

    @hooked.on.after_model_request
    async def louder(_: RunContext[Any], *, response: ModelResponse, **__: Any) -> ModelResponse:
        parts = [TextPart(part.content.upper()) if isinstance(part, TextPart) else part for part in response.parts]
        response.parts = parts
        return response

    return Case(Agent(scripted([call("add", a=1, b=2)], "done"), tools=[add], capabilities=[hooked]))


def capabilities_together() -> Case:
    async def without(_: RunContext[Any], tools: list[ToolDefinition]) -> list[ToolDefinition]:
        return [tool for tool in tools if tool.name != "add"]

    maths = PrefixTools(wrapped=Toolset(FunctionToolset([add])), prefix="m")
    capabilities = [maths, PrepareTools(without), IncludeToolReturnSchemas(), Thinking()]
    return Case(Agent(scripted([call("m_add", a=1, b=2)], "3"), tools=[add], capabilities=capabilities))


def history_that_is_cut() -> Case:
    """A processor that leaves the model only the newest messages."""

    def newest(messages: list[ModelMessage]) -> list[ModelMessage]:
        return messages if len(messages) < 4 else [messages[0], *messages[-2:]]

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        returned = [part.content for part in messages[-1].parts if part.part_kind == "tool-return"]
        if returned and returned[0] == 3:
            return ModelResponse([TextPart(f"told {len(messages)}")])
        n = returned[0] if returned else 0
        return ModelResponse([call("add", a=n, b=1)])

    return Case(Agent(FunctionModel(answer), tools=[add], capabilities=[ProcessHistory(newest)]))


def text_and_json_arguments() -> Case:
    """Arguments as JSON text, as providers send them; empty ones, too."""
    agent = Agent(scripted([call("add", args='{"a": 1, "b": 2}'), call("nothing", args="")], "3"), tools=[add])

    @agent.tool_plain
    def nothing() -> str:
        return "nothing"

    return Case(agent)


def agent_metadata() -> Case:
    agent = Agent(
        scripted([call("odd", n=2)], [call("odd", n=4)], [call("odd", n=5)], "5"),
        retries={"tools": 3},
        metadata={"team": "a"},
        validation_context={"x": 1},
        description="Finds odd numbers.",
    )

    @agent.tool
    def odd(ctx: RunContext[Any], n: int) -> str:
        if n % 2 == 0:
            raise ModelRetry("even")
        return f"{n} {ctx.metadata} {ctx.max_retries} {ctx.validation_context}"

    return Case(agent)


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
        return Image(data=b"\x89PNG a dot", format="png")

    turns = (
        [call("m_multiply", a=2, b=3), call("add", a=1, b=1), call("m_refuse", n=1)],
        [call("m_refuse", n=2), call("m_draw")],
    )
    return Case(Agent(scripted(*turns, "done"), tools=[add], toolsets=[MCPToolset(server).prefixed("m")]))


def mcp_server() -> Case:
    return mcp_of(MCPServer("maths", log_level="CRITICAL"))  # else it formats each refusal


TOOLSETS = cases_in(globals())
