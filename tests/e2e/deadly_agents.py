"""Agents whose work kills its process, or takes so long that somebody else does.

Each start is noted in a file (environment `NOTES`): what is meant to happen only at the first start asks that.
"""

import asyncio
import os
import signal
import time
from pathlib import Path

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest

LONG_SECONDS = 60.0


def starts(name: str) -> int:
    path = Path(os.environ["NOTES"])  # noqa: TID251 - a user's tool may read its environment
    with path.open("a") as file:
        file.write(f"{name}\n")
    return path.read_text().splitlines().count(name)


@tool(retries=0)
def explode() -> str:
    """End the process, each time."""
    starts("explode")
    time.sleep(1)
    os._exit(1)


@tool(retries=0)
def beside() -> str:
    """Be in the process when it ends."""
    starts("beside")
    time.sleep(2)
    return "was there"


@tool(timeout_seconds=90)
async def long() -> str:
    """Take long when it runs first."""
    if starts("long") == 1:
        await asyncio.sleep(LONG_SECONDS)
    return "is over"


@tool(timeout_seconds=90, background=True)
async def drill() -> str:
    """Take long when it runs first, in the background."""
    if starts("drill") == 1:
        await asyncio.sleep(LONG_SECONDS)
    return "through"


class Digging:
    """A model that drills, and says what has come of it; its process ends when it is to say so first."""

    name = "digging"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        text = getattr(request.messages[-1], "text", "")
        if not text.startswith("[Operation"):
            return ModelAnswer("begun") if request.turn > 1 else ModelAnswer("", (Call("drill"),))
        if starts("outcome") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return ModelAnswer(text)


class Thinking:
    """A model that takes long when it is asked first."""

    name = "thinking"
    reads_history = False

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        if starts("turn") == 1:
            await asyncio.sleep(LONG_SECONDS)
        return ModelAnswer("thought")


registry = Registry(
    agents=[
        Agent("deadly", model=ScriptedModel([[Call("explode"), Call("beside")], "went on"]), tools=[explode, beside]),
        Agent("long", model=ScriptedModel([[Call("long")], "done"]), tools=[long]),
        Agent("turn", model=Thinking(), tools=[]),
        Agent("digging", model=Digging(), tools=[drill]),
    ]
)
