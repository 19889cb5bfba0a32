"""More agents with documented features: files, other outputs, calls in turn; and all of them."""

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
    RunContext,
    StructuredDict,
    TextOutput,
    ToolFailed,
    ToolReturn,
)
from pydantic_ai.capabilities import HandleDeferredToolCalls

from tests.unit.baton.sdk.pydantic_ai.documented_agents import ALL, Case, City, add, cases_in
from tests.unit.baton.sdk.pydantic_ai.documented_capabilities import CAPABILITIES
from tests.unit.baton.sdk.pydantic_ai.documented_examples import EXAMPLES
from tests.unit.baton.sdk.pydantic_ai.documented_hooks import HOOKED
from tests.unit.baton.sdk.pydantic_ai.documented_models import MODELS
from tests.unit.baton.sdk.pydantic_ai.documented_outputs import OUTPUTS
from tests.unit.baton.sdk.pydantic_ai.documented_toolsets import TOOLSETS
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

DOT = BinaryContent(b"\x89PNG a dot", media_type="image/png")
KITTEN = ImageUrl("https://example.com/kitten.png")


def file_returned() -> Case:
    agent = Agent(scripted([call("draw"), call("gallery")], "a dot"))

    @agent.tool_plain
    def draw() -> BinaryContent:
        return DOT

    @agent.tool_plain
    def gallery() -> list[Any]:
        return ["two of them", DOT, KITTEN, {"more": False}]

    return Case(agent, prompt=["What is this?", KITTEN, DOT])


def file_beside_return() -> Case:
    """A tool's result with pictures for the user's part, and with metadata."""
    agent = Agent(scripted([call("draw"), call("add", a=1, b=1)], "a dot"), tools=[add])

    @agent.tool_plain
    def draw() -> ToolReturn:
        return ToolReturn("drawn", content=["Here:", DOT, KITTEN], metadata={"size": {"x": 1}})

    return Case(agent)


def returns_of_many_types() -> Case:
    agent = Agent(scripted([call("cities"), call("nothing"), call("fails")], "done"))

    @agent.tool_plain
    def cities() -> list[City]:
        return [City(name="Ur", people=1)]

    @agent.tool_plain
    def nothing() -> None:
        return None

    @agent.tool_plain
    def fails() -> str:
        raise ToolFailed("no such city")

    return Case(agent)


def sequential_tool() -> Case:
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
    agent = Agent(scripted([call("slow", "1")], [call("slow", "2")], "done"), tool_timeout=0.5)
    runs: list[int] = []

    @agent.tool(retries=2)
    async def slow(ctx: RunContext[Any]) -> str:
        runs.append(1)
        await asyncio.sleep(0 if ctx.retry else 5)
        return "at last"

    return Case(agent)


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
    """Prompts and a tool that depend on the run and its dependencies."""
    agent = Agent(scripted([call("who")], "done"), deps_type=str)

    @agent.tool
    async def who(ctx: RunContext[str]) -> str:
        return ctx.deps

    @agent.system_prompt(dynamic=True)
    def prompt(ctx: RunContext[str]) -> str:
        return f"For {ctx.deps}."

    @agent.instructions
    async def step(ctx: RunContext[str]) -> str:
        return f"Step {ctx.run_step}, told {len(ctx.messages)}."

    return Case(agent, deps="Ann")


def text_function() -> Case:
    def number(text: str) -> int:
        if not text.isdigit():
            raise ModelRetry("digits, please")
        return int(text)

    return Case(Agent(scripted("three", "3"), output_type=TextOutput(number)))


def output_function_retry() -> Case:
    def far(ctx: RunContext[str], km: int) -> str:
        if km < 5:
            raise ModelRetry(f"too near for {ctx.deps}")
        return f"{km} km for {ctx.deps}"

    turns = [call("final_result", "1", km=1)], [call("final_result", "2", km=9)]
    return Case(Agent(scripted(*turns), output_type=far, deps_type=str), deps="Ann")


def structured_dict() -> Case:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    output = StructuredDict(schema, name="Human", description="A person.")
    return Case(Agent(scripted([call("final_result", name="Ann")]), output_type=output))


def no_output() -> Case:
    """An agent whose output may be nothing."""
    return Case(Agent(scripted([call("add", a=1, b=2)], ""), tools=[add], output_type=[str, type(None)]))


DOCUMENTED: Sequence[Callable[[], Case]] = (
    *ALL,
    *cases_in(globals()),
    *TOOLSETS,
    *MODELS,
    *OUTPUTS,
    *HOOKED,
    *EXAMPLES,
    *CAPABILITIES,
)
