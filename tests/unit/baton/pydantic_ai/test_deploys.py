"""Tools are added, removed and changed by a deploy while a run is under way: the run goes on."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Registry
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from tests.unit.baton.pydantic_ai.documented_agents import add
from tests.unit.baton.pydantic_ai.played import PlayedStage, call, state_of


def multiply(a: int, b: int) -> int:
    """Multiply."""
    return a * b


def add_many(numbers: list[int]) -> int:
    """Add, by arguments that the calls before the deploy do not have."""
    return sum(numbers)


add_many.__name__ = "add"


def agent_with(*tools: Callable[..., Any]) -> Agent[Any, Any]:
    """An agent that calls `add`, then the newest tool that it has, and answers with the names of all."""

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        names = [tool.name for tool in info.function_tools]
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        if turn == 0:
            return ModelResponse([call("add", "one", a=1, b=2)])
        if turn == 1 and "multiply" in names:
            return ModelResponse([call("multiply", "two", a=2, b=3)])
        return ModelResponse([TextPart(f"with {names}")])

    return Agent(FunctionModel(answer), name="a", tools=list(tools))


@pytest.mark.parametrize(
    ("after", "found", "output"),
    [
        ([add, multiply], [3, 6], "with ['add', 'multiply']"),
        ([multiply], ["Unknown tool name: 'add'", 6], "with ['multiply']"),
        ([], ["Unknown tool name: 'add'"], "with []"),
        ([add_many], ["numbers"], "with ['add']"),
    ],
    ids=["added", "exchanged", "removed", "changed"],
)
async def test_a_run_goes_on_with_other_tools(after: list[Any], found: list[Any], output: str) -> None:
    """A call of a tool that is gone, or that has other arguments by now, is told to the model."""
    stage = PlayedStage(registry=Registry([durable(agent_with(add))]))
    await stage.submit("a")
    deploys = [Registry([durable(agent_with(*after))])]

    async def deploy() -> None:
        if deploys and await stage.calls():
            stage.restart(deploys.pop())

    await stage.run(deploy)
    snapshot = await stage.snapshot()
    assert (deploys, snapshot.job.error, snapshot.job.status) == ([], None, JobStatus.COMPLETED)
    assert snapshot.job.result is not None
    assert snapshot.job.result["output"] == output
    messages = (await state_of(stage.store, snapshot)).messages
    returned = [part.content for one in messages for part in one.parts if part.part_kind == "tool-return"]
    assert len(returned) == len(found)
    for expected, content in zip(found, returned, strict=True):
        assert expected in str(content) if isinstance(expected, str) else expected == content
