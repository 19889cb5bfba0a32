"""Agents with the features that pydantic-ai documents: each as it is, how it is made durable, and how it is run."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from inspect import isfunction
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, NativeOutput, PromptedOutput, RunContext, ToolOutput
from pydantic_ai.messages import TextPart, ToolCallPart
from pydantic_ai.run import AgentRunResult
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import FunctionToolset
from pydantic_ai.usage import UsageLimits

from baton import Agent as DurableAgent
from baton.pydantic_ai import durable
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted


@dataclass
class Case:
    """An agent; `deps`: its dependencies, `limits`: its usage limits, `prompt`; `fresh` empties its tools.

    `effects` counts what its hooks and tools have done outside.
    """

    agent: Agent[Any, Any]
    deps: Any = None
    limits: UsageLimits | None = None
    prompt: Any = "do it"
    fresh: Callable[[], object] | None = None
    effects: Counter[str] = field(default_factory=Counter[str])

    def note(self, effect: str) -> None:
        self.effects[effect] += 1

    async def run(self) -> AgentRunResult[Any]:
        return await self.agent.run(self.prompt, deps=self.deps, usage_limits=self.limits)

    def durable(self, name: str = "agent") -> DurableAgent:
        given: Any = {"deps": lambda _: self.deps, "prompt": lambda _: self.prompt}
        return durable(self.agent, name=name, usage_limits=self.limits, **given)


def cases_in(module: dict[str, Any]) -> tuple[Callable[[], Any], ...]:
    """Each function of a module that makes a case of its kind, so that none is forgotten."""
    functions = [one for one in module.values() if isfunction(one) and one.__module__ == module["__name__"]]
    return tuple(
        made
        for made in functions
        if made.__annotations__.get("return") is module["Case"]
        and len(made.__annotations__) == 1 + len(made.__kwdefaults__ or ())
    )


class City(BaseModel):
    """Where somebody lives."""

    name: str
    people: int


def add(a: int, b: int) -> int:
    return a + b


def named_tool(owner: Any, name: str, function: Any, **options: Any) -> None:
    """Give an agent, a toolset or a capability a function as a tool."""
    owner.tool_plain(name=name, **options)(function)


def text() -> Case:
    return Case(Agent(scripted("hello"), system_prompt="Be kind.", instructions="Be short."))


def parallel_calls() -> Case:
    calls = [call("add", a=1, b=2), call("add", a=3, b=4), call("add", a=5, b=6)]
    return Case(Agent(scripted(calls, "3 7 11"), tools=[add]))


def tool_retry() -> Case:
    """A tool that asks for another try twice, then succeeds, then asks again."""
    agent = Agent(scripted([call("odd", n=2)], [call("odd", n=4)], [call("odd", n=5)], [call("odd", n=6)], "over"))

    @agent.tool(retries=2)
    def odd(ctx: RunContext[Any], n: int) -> str:
        if n % 2 == 0:
            raise ModelRetry(f"{n} is even; retry {ctx.retry} of {ctx.max_retries} in step {ctx.run_step}")
        return f"{n} in step {ctx.run_step}, retry {ctx.retry}"

    return Case(agent)


def retry_beside_others() -> Case:
    agent = Agent(scripted([call("odd", n=2), call("add", a=1, b=2)], [call("odd", n=3)], "over"), tools=[add])

    @agent.tool_plain
    def odd(n: int) -> int:
        if n % 2 == 0:
            raise ModelRetry("even")
        return n

    return Case(agent)


def unfit_arguments() -> Case:
    calls = [call("add", a="x"), call("subtract", a=1)]
    return Case(Agent(scripted(calls, [call("add", a=1, b=1)], "2"), tools=[add]))


def output_with_validator() -> Case:
    final = "final_result"
    agent = Agent(
        scripted(
            [call(final, name="Ur", people=-1)],
            [call(final, name="Ur", people="many")],
            [call(final, name="Ur", people=9)],
        ),
        output_type=City,
        retries={"output": 3},
    )

    @agent.output_validator
    def inhabited(ctx: RunContext[Any], city: City) -> City:
        if city.people < 0:
            raise ModelRetry(f"nobody lives there, retry {ctx.retry}")
        return city.model_copy(update={"name": f"{city.name} after {ctx.retry}"})

    return Case(agent)


def text_with_validator() -> Case:
    agent = Agent(scripted("no", "yes"))

    @agent.output_validator
    def agrees(value: str) -> str:
        if value == "no":
            raise ModelRetry("say yes")
        return value.upper()

    return Case(agent)


def beside_calls(strategy: Any) -> Case:
    """An output tool in the same answer as another call."""
    both = [call("add", a=1, b=2), call("final_result", name="Ur", people=3)]
    return Case(Agent(scripted(both, "unused"), tools=[add], output_type=City, end_strategy=strategy))


def output_beside_calls() -> Case:
    return beside_calls("graceful")


def output_beside_calls_early() -> Case:
    return beside_calls("early")


def unfit_beside_calls(strategy: Any) -> Case:
    both = [call("add", a=1, b=2), call("final_result", name="Ur")]
    last = [call("final_result", "second", name="Ur", people=3)]
    return Case(Agent(scripted(both, last), tools=[add], output_type=City, end_strategy=strategy))


def unfit_output_beside_calls() -> Case:
    return unfit_beside_calls("graceful")


def unfit_output_beside_calls_early() -> Case:
    return unfit_beside_calls("early")


def output_functions() -> Case:
    def total(a: int, b: int) -> int:
        return a + b

    outputs = [ToolOutput(total, name="total"), ToolOutput(City, name="city")]
    return Case(Agent(scripted([call("total", a=2, b=3)]), output_type=outputs))


def native_output() -> Case:
    return Case(Agent(scripted('{"name":"Ur","people":1}'), output_type=NativeOutput(City)))


def prompted_output() -> Case:
    return Case(Agent(scripted("Ur", '{"name":"Ur","people":1}'), output_type=PromptedOutput(City)))


def toolsets() -> Case:
    maths = FunctionToolset([add])
    agent = Agent(
        scripted([call("m_add", a=1, b=2), call("later")], [call("later", "again")], "done"),
        toolsets=[maths.prefixed("m").filtered(lambda ctx, tool: ctx.run_step < 3)],
    )

    async def only_later(ctx: RunContext[Any], tool: ToolDefinition) -> ToolDefinition | None:
        return replace(tool, description=f"in step {ctx.run_step}") if ctx.run_step > 1 else None

    @agent.tool_plain(prepare=only_later)
    def later() -> str:
        return "now"

    @agent.toolset
    def dynamic(_: RunContext[Any]) -> FunctionToolset[Any]:
        return FunctionToolset()

    return Case(agent)


def agent_in_a_tool() -> Case:
    inner = Agent(scripted("inner"))
    agent = Agent(scripted([call("ask")], "outer"))

    @agent.tool
    async def ask(ctx: RunContext[Any]) -> str:
        return (await inner.run("?", usage=ctx.usage)).output

    return Case(agent)


def messages_in_a_tool() -> Case:
    """A tool that looks at the messages before it, beside another call."""
    agent = Agent(scripted([call("look"), call("add", a=1, b=2)], "done"), tools=[add])

    @agent.tool
    def look(ctx: RunContext[Any]) -> list[int]:
        return [len(message.parts) for message in ctx.messages]

    return Case(agent)


def text_beside_calls() -> Case:
    answer: list[TextPart | ToolCallPart] = [TextPart("Let me see."), call("add", a=1, b=2)]
    return Case(Agent(scripted(answer, "3"), tools=[add]))


ALL = cases_in(globals())
