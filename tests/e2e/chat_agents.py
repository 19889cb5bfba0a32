"""Agents to chat with: one repeats what its users have said, one waits for its reader, one for an order."""

import asyncio
import time
from pathlib import Path

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest, UserMessage

WORK_SECONDS = 0.5
PATIENCE_SECONDS = 60.0


@tool(retries=2)
async def think(about: str) -> str:
    """Take a while."""
    await asyncio.sleep(WORK_SECONDS)
    return f"thought about {about}"


class Repeating:
    """A model that thinks three times, then repeats what the user said."""

    name = "repeating"
    reads_history = True
    takes_files = ("image/*",)

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        shown = [each.text for each in request.messages if isinstance(each, UserMessage) and not each.note]
        files = [one for message in request.messages if isinstance(message, UserMessage) for one in message.files]
        if files:
            return ModelAnswer(f"You showed: {', '.join(one.filename + ' ' + one.data for one in files)}.")
        if request.turn < 4:
            return ModelAnswer(f"Thought {request.turn}.", (Call("think", {"about": shown[-1]}),))
        return ModelAnswer(f"You said: {', '.join(shown)}.")


class Gated:
    """A model that says its second word once the first was read: once the folder that it is told has a file `read`."""

    name = "gated"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Say both; the file `said` has the time (ms) of the first."""
        assert request.listener is not None
        folder = Path(next(each.text for each in request.messages if isinstance(each, UserMessage)))
        (folder / "said").write_text(str(time.time() * 1000))  # noqa: TID251 - two processes compare it
        await request.listener.write("first ")
        until = time.monotonic() + PATIENCE_SECONDS
        while not (folder / "read").exists():
            if time.monotonic() > until:
                raise ModelError("nobody has read the first word", retryable=False)
            await asyncio.sleep(0.005)
        return ModelAnswer("first second")


@tool
async def order() -> Pending:
    """Order something that comes in an hour."""
    return Pending(timeout_seconds=3_600)


waits = Agent(name="waits", model=ScriptedModel([[Call("order")], "done"]), tools=[order])
gated = Agent(name="gated", model=Gated())
echo = Agent(name="echo", model=Repeating(), tools=[think])
registry = Registry(agents=[echo, gated, waits])
