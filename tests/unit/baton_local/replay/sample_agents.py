"""Agents whose runs are recorded and played back: parallel calls, retries, waits, jobs below, plans."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, ToolError, tool
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest


class Reading(ScriptedModel):
    reads_history = True


class Failing:
    name = "failing"
    reads_history = True

    def __init__(self, failures: int) -> None:
        self._left = failures

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        del request
        self._left -= 1
        if self._left >= 0:
            raise ModelError("overloaded", retryable=True)
        return ModelAnswer("at last", (), 100, 20, 0.01)


class Mending:
    """A model whose first answer does not have the type that it must have."""

    name = "mending"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        return ModelAnswer("no JSON" if request.turn == 1 else '{"total": 4}')


class Sum(BaseModel):
    total: int


class Tools:
    """Tools that count how often they ran, so that a test can say that they did not."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        runs = self.runs

        @tool(retries=0)
        async def add(a: int, b: int = 0) -> int:
            """Add two numbers."""
            runs.append(f"add {a} {b}")
            return a + b

        @tool(retries=2, retry_delay_seconds=1.0)
        async def shaky(ctx: ToolContext) -> str:
            """Work at the second attempt."""
            runs.append("shaky")
            if ctx.attempt == 1:
                raise ToolError("not yet", retryable=True)
            return "worked"

        @tool(retries=0)
        async def broken() -> None:
            """Fail for good."""
            raise ToolError("it broke")

        @tool(retries=0)
        async def ask_person(question: str) -> Pending:
            """Ask somebody."""
            runs.append("ask_person")
            return Pending(timeout_seconds=3600)

        @tool(retries=0)
        async def ask_agent(task: str, ctx: ToolContext) -> Pending:
            """Give a task to the helper."""
            runs.append("ask_agent")
            return ctx.start("helper", task, {"n": 1})

        self.add, self.shaky, self.broken = add, shaky, broken
        self.ask_person, self.ask_agent = ask_person, ask_agent


SCRIPT: Sequence[Any] = [
    ModelAnswer("two at once", (Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3})), 50, 10, 0.02),
    [Call("shaky"), Call("broken")],
    [Call("add", {"a": "x"}), Call("unknown_tool", {})],
    "all done",
]


def agents_of(tools: Tools, /, **changes: Any) -> list[Agent]:
    """The agents; `changes` are made to `loop`."""
    loop: dict[str, Any] = {
        "name": "loop",
        "model": Reading(SCRIPT),
        "instructions": "Do it well.\nAnd quickly.",
        "tools": [tools.add, tools.shaky, tools.broken],
    }
    return [
        Agent(**{**loop, **changes}),
        Agent(name="waiter", model=Reading([[Call("ask_person", {"question": "?"})], "ok"]), tools=[tools.ask_person]),
        Agent(name="boss", model=Reading([[Call("ask_agent", {"task": "help"})], "good"]), tools=[tools.ask_agent]),
        Agent(name="helper", model=Reading([[Call("add", {"a": 5})], "five"]), tools=[tools.add]),
        Agent(name="typed", model=Reading([[Call("final_result", {"total": 3})]]), output_type=Sum),
        Agent(name="mended", model=Mending(), output_type=Sum),
        Agent(
            name="endless",
            model=Reading([ModelAnswer(f"I add {n}.", (Call("add", {"a": n}),)) for n in range(9)]),
            tools=[tools.add],
            limits=Limits(turns=3),
        ),
        Agent(name="overloaded", model=Failing(2)),
    ]


def registry_of(tools: Tools | None = None, /, **changes: Any) -> Registry:
    return Registry(agents_of(tools or Tools(), **changes))
