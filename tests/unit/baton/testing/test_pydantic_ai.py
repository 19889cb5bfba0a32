"""Agents of pydantic-ai are tried like all others: those that a tool runs, and durable ones."""

import asyncio
import functools
import time
from contextlib import suppress
from typing import Any

import pytest
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import ModelMessage, ModelResponse, RunContext, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from baton import Agent, Call, JobInfo, Registry, ScriptedModel, ToolContext, tool
from baton.pydantic_ai import durable
from baton.testing import Simulation

writer = PydanticAgent(TestModel(custom_output_text="written"))


@writer.tool_plain
def count_words(text: str) -> int:
    """Count words, slowly."""
    time.sleep(5)
    return len(text.split())


@tool
async def write(ctx: ToolContext) -> str:
    """Let the other agent write."""
    answer = await writer.run("write")
    Simulation.effect(ctx.idempotency_key)
    return answer.output


async def test_an_agent_of_pydantic_ai_is_tried_at_every_point() -> None:
    registry = Registry([Agent("agent", model=ScriptedModel([[Call("write", {})], "done"]), tools=[write])])
    report = await Simulation(registry).crash_everywhere("agent", "go")
    report.check()
    assert report.usual.calls[0]["result"] == "written"
    assert report.repeated == {"write": 2}
    assert report.usual.virtual_seconds >= 5


async def test_clean_up_of_a_dead_process_does_not_find_the_callers_task() -> None:
    """It would enter a cancel scope in it, and cancel it for ever."""
    found: list[Any] = []

    @tool
    async def waits() -> str:
        """Wait, and clean up."""
        try:
            await asyncio.sleep(5)
        finally:
            with suppress(RuntimeError):
                found.append(asyncio.current_task())
        return "done"

    registry = Registry([Agent("agent", model=ScriptedModel([[Call("waits", {})], "done"]), tools=[waits])])
    (await Simulation(registry).crash_everywhere("agent", "go")).check()
    assert found
    assert asyncio.current_task() not in found


basket: list[str] = []


def _script(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    turns: list[ToolCallPart | TextPart] = [
        ToolCallPart("put", {"item": "book"}),
        ToolCallPart("pay", {}),
        TextPart("paid"),
    ]
    return ModelResponse(parts=[turns[sum(isinstance(one, ModelResponse) for one in messages)]])


def _shop(*, stored: bool) -> Registry:
    shop = PydanticAgent(FunctionModel(_script), name="shop", deps_type=str)

    @shop.tool_plain
    def put(item: str) -> str:
        basket.append(item)
        return item

    @shop.tool
    def pay(ctx: RunContext[str]) -> str:
        put_before = sum(isinstance(one, ModelResponse) for one in ctx.messages) - 1
        return f"{put_before if stored else len(basket)} paid"

    return Registry([durable(shop, deps=functools.partial(_currency, "euros"))])


def _currency(name: str, _job: JobInfo) -> str:
    return name


@pytest.mark.long
async def test_state_in_a_module_of_a_durable_agents_tools_is_found_and_nobody_else_is_accused() -> None:
    report = await Simulation(_shop(stored=False)).crash_everywhere("shop", "buy a book")
    assert report.different
    with pytest.raises(AssertionError, match="0 paid"):
        report.check()
    report = await Simulation(_shop(stored=True)).crash_everywhere("shop", "buy a book")
    report.check()
    assert len(report.points) > 10
    assert report.usual.result == {"answer": "paid", "output": "paid"}
