"""More agents with documented features: files, toolsets, capabilities, models, other outputs."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_ai import (
    Agent,
    BinaryContent,
    CallDeferred,
    DeferredToolRequests,
    DeferredToolResults,
    ImageUrl,
    ModelRetry,
    NativeOutput,
    RunContext,
    StructuredDict,
    TextOutput,
    Tool,
    ToolFailed,
    ToolReturn,
)
from pydantic_ai.capabilities import (
    HandleDeferredToolCalls,
    Hooks,
    IncludeToolReturnSchemas,
    PrefixTools,
    PrepareTools,
    ProcessHistory,
    Thinking,
    Toolset,
)
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import CombinedToolset, FunctionToolset, WrapperToolset

from tests.unit.baton.pydantic_ai.documented_agents import ALL, Case, City, add
from tests.unit.baton.pydantic_ai.played import call, scripted

DOT = BinaryContent(b"\x89PNG a dot", media_type="image/png")
KITTEN = ImageUrl("https://example.com/kitten.png")


def files_in_prompt() -> Case:
    """A picture by its address and one by its bytes, beside a text."""
    return Case(Agent(scripted("a kitten and a dot")), prompt=["What is this?", KITTEN, DOT])


def file_returned() -> Case:
    """A tool returns a picture; another one returns several things."""
    agent = Agent(scripted([call("draw"), call("gallery")], "a dot"))

    @agent.tool_plain
    def draw() -> BinaryContent:
        return DOT

    @agent.tool_plain
    def gallery() -> list[Any]:
        return ["two of them", DOT, KITTEN, {"more": False}]

    return Case(agent)


def file_beside_return() -> Case:
    """A tool's result with pictures for the user's part, and with metadata."""
    agent = Agent(scripted([call("draw"), call("add", a=1, b=1)], "a dot"), tools=[add])

    @agent.tool_plain
    def draw() -> ToolReturn:
        return ToolReturn("drawn", content=["Here:", DOT, KITTEN], metadata={"size": {"x": 1}})

    return Case(agent)


def returns_of_many_types() -> Case:
    """A model, nothing, a list of models, a failure."""
    agent = Agent(scripted([call("city"), call("nothing"), call("cities"), call("fails")], "done"))

    @agent.tool_plain
    def city() -> City:
        return City(name="Ur", people=1)

    @agent.tool_plain
    def nothing() -> None:
        return None

    @agent.tool_plain
    def cities() -> list[City]:
        return [City(name="Ur", people=1)]

    @agent.tool_plain
    def fails() -> str:
        raise ToolFailed("no such city")

    return Case(agent)


def sequential_tool() -> Case:
    """A tool that runs alone, between two others."""
    notes: set[int] = set()
    agent = Agent(scripted([call("note", n=1), call("alone"), call("note", n=2)], "done"))

    @agent.tool_plain
    async def note(n: int) -> int:
        await asyncio.sleep(0)
        notes.add(n)
        return n

    @agent.tool_plain(sequential=True)
    def alone() -> list[int]:
        return sorted(notes)

    return Case(agent, fresh=notes.clear)


def slow_tool() -> Case:
    """A tool over its time."""
    agent = Agent(scripted([call("slow", "1")], [call("slow", "2")], "done"), tool_timeout=0.05)
    runs: list[int] = []

    @agent.tool(retries=2)
    async def slow(ctx: RunContext[Any]) -> str:
        runs.append(1)
        await asyncio.sleep(0 if ctx.retry else 5)
        return "at last"

    return Case(agent)


def failing(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
    """Fail as a provider does."""
    raise ModelHTTPError(500, "first")


def fallback_model() -> Case:
    """The first model fails, the second one answers."""
    return Case(Agent(FallbackModel(FunctionModel(failing), scripted([call("add", a=1, b=2)], "3")), tools=[add]))


def enqueued() -> Case:
    """Tools that add to the conversation: soon, and before the end."""
    agent = Agent(scripted([call("remark", "1"), call("add", a=1, b=2)], "done", "done again"), tools=[add])

    @agent.tool
    def remark(ctx: RunContext[Any]) -> str:
        ctx.enqueue("The user says hello.", priority="asap")
        ctx.enqueue("And goodbye?", KITTEN, priority="when_idle")
        return "remarked"

    return Case(agent)


def deferred_and_handled() -> Case:
    """Calls that the agent's own capability answers."""

    async def handle(_: RunContext[Any], requests: DeferredToolRequests) -> DeferredToolResults:
        approvals: dict[str, Any] = {one.tool_call_id: True for one in requests.approvals}
        return DeferredToolResults(calls={one.tool_call_id: "handled" for one in requests.calls}, approvals=approvals)

    capabilities = [HandleDeferredToolCalls(handle)]
    agent = Agent(
        scripted([call("add", a=1, b=1), call("risky")], [call("away")], "done"), tools=[add], capabilities=capabilities
    )

    @agent.tool_plain
    def away() -> str:
        raise CallDeferred

    @agent.tool_plain(requires_approval=True)
    def risky() -> str:
        return "done"

    return Case(agent)


def dynamic_prompts() -> Case:
    """A dynamic system prompt, and instructions that change with the step."""
    agent = Agent(scripted([call("add", a=1, b=2)], "3"), tools=[add], deps_type=str)

    @agent.system_prompt(dynamic=True)
    def who(ctx: RunContext[str]) -> str:
        return f"For {ctx.deps}."

    @agent.instructions
    async def step(ctx: RunContext[str]) -> str:
        return f"Step {ctx.run_step}, told {len(ctx.messages)}."

    return Case(agent, deps="Ann")


def model_settings() -> Case:
    """Settings that a function makes, seen by the model."""

    def answer(_: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart(str(info.model_settings))])

    return Case(Agent(FunctionModel(answer), model_settings={"temperature": 0.2, "max_tokens": 7}))


class Unstreamed(Model):
    """A model that calls every tool, as a provider: what it streams would have other counts of tokens."""

    model_name, system = "unstreamed", "test"

    async def request(self, *given: Any) -> ModelResponse:
        """Answer at once."""
        return await TestModel(seed=3).request(*given)


def model_for_tests() -> Case:
    """A model that calls every tool, then answers in the output's type."""
    return Case(Agent(Unstreamed(), tools=[add], output_type=City))


def text_or_object() -> Case:
    """A text where an object might be."""
    return Case(Agent(scripted([call("add", a=1, b=2)], "three"), tools=[add], output_type=[City, str]))


def text_function() -> Case:
    """A text that a function makes the output of, once it can."""

    def number(text: str) -> int:
        if not text.isdigit():
            raise ModelRetry("digits, please")
        return int(text)

    return Case(Agent(scripted("three", "3"), output_type=TextOutput(number)))


def output_function_retry() -> Case:
    """An output function with the context that asks for another try."""

    def far(ctx: RunContext[str], km: int) -> str:
        if km < 5:
            raise ModelRetry(f"too near for {ctx.deps}")
        return f"{km} km for {ctx.deps}"

    turns = [call("final_result", "1", km=1)], [call("final_result", "2", km=9)]
    return Case(Agent(scripted(*turns), output_type=far, deps_type=str), deps="Ann")


def structured_dict() -> Case:
    """An output by its JSON schema."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    output = StructuredDict(schema, name="Human", description="A person.")
    return Case(Agent(scripted([call("final_result", name="Ann")]), output_type=output))


def native_choice() -> Case:
    """Structured text of one of two types."""
    text = '{"result":{"kind":"City","data":{"name":"Ur","people":1}}}'
    choices: Any = [City, bool]
    return Case(Agent(scripted(text), output_type=NativeOutput(choices)))


def no_output() -> Case:
    """An agent whose output may be nothing."""
    return Case(Agent(scripted([call("add", a=1, b=2)], ""), tools=[add], output_type=[str, type(None)]))


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
    """A tool by its JSON schema, and one whose arguments are checked by a function."""

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
    """Thoughts with a signature, details of the provider, and a finish reason."""

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        thought = ThinkingPart("hm", signature="sig", provider_name="p", provider_details={"a": 1})
        if len(messages) == 1:
            return ModelResponse(
                [thought, call("add", a=1, b=2)], provider_details={"id": "x"}, finish_reason="tool_call"
            )
        return ModelResponse([thought, TextPart("3")], finish_reason="stop", metadata={"mood": "glad"})

    return Case(Agent(FunctionModel(answer), tools=[add]))


def hooks() -> Case:
    """Hooks that change arguments, results and answers."""
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
    """Tools from capabilities, prefixed and prepared, with their schemas; thinking."""

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
    """Metadata of a run, retries for all tools, a validation context, a description."""
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


DOCUMENTED: Sequence[Callable[[], Case]] = (
    *ALL,
    files_in_prompt,
    file_returned,
    file_beside_return,
    returns_of_many_types,
    sequential_tool,
    slow_tool,
    fallback_model,
    enqueued,
    deferred_and_handled,
    dynamic_prompts,
    model_settings,
    model_for_tests,
    text_or_object,
    text_function,
    output_function_retry,
    structured_dict,
    native_choice,
    no_output,
    wrapped_toolsets,
    tool_by_schema,
    thoughts,
    hooks,
    capabilities_together,
    history_that_is_cut,
    text_and_json_arguments,
    agent_metadata,
)
