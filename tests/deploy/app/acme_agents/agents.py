"""One agent whose job goes through every event function, and one whose job takes a while."""

import asyncio
from pathlib import Path

from baton import Agent, Call, Registry, ScriptedModel, ToolError, tool

GREETING = Path(__file__).with_name("greeting.txt")


@tool
async def greet(name: str) -> str:
    """Greet somebody, with words from a file of the package."""
    return f"{GREETING.read_text(encoding='utf-8').strip()}, {name}"


@tool(retries=1)
async def fail() -> str:
    """Fail for good."""
    raise ToolError("this never works", retryable=False)


@tool
async def wait(seconds: float) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return "waited"


registry = Registry(
    agents=[
        Agent(
            name="greeter",
            model=ScriptedModel(
                [[Call("greet", {"name": "Ada"}), Call("greet", {"name": "Bob"})], [Call("fail")], "done"]
            ),
            tools=[greet, fail],
        ),
        Agent(
            name="waiter",
            model=ScriptedModel([*([Call("wait", {"seconds": 0.4})] for _ in range(6)), "done"]),
            tools=[wait],
        ),
        Agent(name="sleeper", model=ScriptedModel([[Call("wait", {"seconds": 3.0})], "done"]), tools=[wait]),
    ]
)
