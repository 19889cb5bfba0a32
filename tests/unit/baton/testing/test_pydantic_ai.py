"""A tool that runs an agent of pydantic-ai, whose own tools are blocking, runs in virtual time as well."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.test import TestModel

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, tool
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
