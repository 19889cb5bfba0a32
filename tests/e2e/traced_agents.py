"""An agent whose second step goes on until its test lets it end (environment `GATE`)."""

import os
import time
from pathlib import Path

from baton import Agent, Call, Registry, ScriptedModel, tool


@tool
async def add(a: int, b: int) -> int:
    return a + b


@tool(retries=3)
def nap() -> str:
    """Sleep until the gate opens."""
    while not Path(os.environ["GATE"]).exists():  # noqa: TID251 - a user's tool may read its environment
        time.sleep(0.05)
    return "slept"


naps = ScriptedModel([[Call("add", {"a": 5, "b": 5})], [Call("nap", {})], "woke"])
registry = Registry([Agent("naps", naps, tools=[add, nap])])
