"""Agents with the features that pydantic-ai documents: each as it is, how it is made durable, and how it is run."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext, Tool
from pydantic_ai.messages import TextPart
from pydantic_ai.run import AgentRunResult
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import FunctionToolset
from pydantic_ai.usage import UsageLimits

from baton import Agent as DurableAgent
from baton.pydantic_ai import durable
from tests.unit.baton.sdk.pydantic_ai.played import Turn, call, scripted


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


# By its name, what makes a case anew for each run.
Cases = Mapping[str, Callable[[], Case]]


def of(
    *turns: Turn,
    model: Any = None,
    deps: Any = None,
    limits: UsageLimits | None = None,
    prompt: Any = "do it",
    validator: Any = None,
    **settings: Any,
) -> Case:
    """An agent with these answers, or with a model. `settings`: what else it is made with."""
    agent: Agent[Any, Any] = Agent(model or scripted(*turns), **settings)
    if validator is not None:
        agent.output_validator(validator)
    return Case(agent, deps, limits, prompt)


class City(BaseModel):
    """Where somebody lives."""

    name: str
    people: int


def add(a: int, b: int) -> int:
    return a + b


FINAL, SUM = "final_result", call("add", a=1, b=2)


def plain(name: str, function: Any, **options: Any) -> Tool[Any]:
    return Tool(function, name=name, **options)


def odd(ctx: RunContext[Any], n: int) -> str:
    """A tool that asks for another try of what is even."""
    if n % 2 == 0:
        raise ModelRetry(f"{n} is even; retry {ctx.retry} of {ctx.max_retries} in step {ctx.run_step}")
    return f"{n} in step {ctx.run_step}, retry {ctx.retry}, {ctx.metadata}, {ctx.validation_context}"


def look(ctx: RunContext[Any]) -> list[int]:
    """A tool that looks at the messages before it."""
    return [len(message.parts) for message in ctx.messages]


def _inhabited(ctx: RunContext[Any], city: City) -> City:
    if city.people < 0:
        raise ModelRetry(f"nobody lives there, retry {ctx.retry}")
    return city.model_copy(update={"name": f"{city.name} after {ctx.retry}"})


def _agrees(value: str) -> str:
    if value == "no":
        raise ModelRetry("say yes")
    return value.upper()


async def _only_later(ctx: RunContext[Any], tool: ToolDefinition) -> ToolDefinition | None:
    return replace(tool, description=f"in step {ctx.run_step}") if ctx.run_step > 1 else None


def _toolsets() -> Case:
    maths: FunctionToolset[Any] = FunctionToolset([add]).prefixed("m").filtered(lambda ctx, _: ctx.run_step < 3)  # type: ignore[assignment]
    turns = ([call("m_add", a=1, b=2), call("later")], [call("later", "again")], "done")
    later = plain("later", lambda: "now", prepare=_only_later)
    return of(*turns, toolsets=[maths, lambda _: FunctionToolset()], tools=[later])


def _outputs_beside_calls(strategy: str) -> Cases:
    """An output tool in the same answer as another call."""
    fits, fits_not = call(FINAL, name="Ur", people=3), call(FINAL, name="Ur")
    settings: dict[str, Any] = {"tools": [add], "output_type": City, "end_strategy": strategy}
    return {
        f"output_beside_calls_{strategy}": partial(of, [SUM, fits], "unused", **settings),
        f"unfit_output_beside_calls_{strategy}": partial(
            of, [SUM, fits_not], [call(FINAL, "second", name="Ur", people=3)], **settings
        ),
    }


AGENTS: Cases = {
    "text": lambda: of("hello", system_prompt="Be kind.", instructions="Be short."),
    "parallel_calls": lambda: of([call("add", a=n, b=n + 1) for n in (1, 3, 5)], "3 7 11", tools=[add]),
    "tool_retry": lambda: of(*([call("odd", n=n)] for n in (2, 4, 5, 6)), "over", tools=[Tool(odd, max_retries=2)]),
    "retry_beside_others": lambda: of([call("odd", n=2), SUM], [call("odd", n=3)], "over", tools=[odd, add]),
    "agent_metadata": lambda: of(
        *([call("odd", n=n)] for n in (2, 4, 5)),
        "5",
        tools=[odd],
        retries={"tools": 3},
        metadata={"team": "a"},
        validation_context={"x": 1},
        description="Finds odd numbers.",
    ),
    "unfit_arguments": lambda: of([call("add", a="x"), call("subtract", a=1)], [SUM], "3", tools=[add]),
    "output_with_validator": lambda: of(
        *([call(FINAL, name="Ur", people=people)] for people in (-1, "many", 9)),
        output_type=City,
        retries={"output": 3},
        validator=_inhabited,
    ),
    "text_with_validator": lambda: of("no", "yes", validator=_agrees),
    **_outputs_beside_calls("graceful"),
    **_outputs_beside_calls("early"),
    "toolsets": _toolsets,
    "messages_in_a_tool": lambda: of([call("look"), SUM], "done", tools=[add, look]),
    "text_beside_calls": lambda: of([TextPart("Let me see."), SUM], "3", tools=[add]),
    "text_and_json_arguments": lambda: of(
        [call("add", args='{"a": 1, "b": 2}'), call("nothing", args="")],
        "3",
        tools=[add, plain("nothing", lambda: "nothing")],
    ),
}
