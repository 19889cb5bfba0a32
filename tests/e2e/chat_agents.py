"""An agent to chat with: it works a while, then repeats what its users have said in the conversation."""

import asyncio

from baton import Agent, Call, Registry, tool
from baton.models.model import ModelAnswer, ModelRequest, UserMessage

WORK_SECONDS = 0.5


@tool(retries=2)
async def think(about: str) -> str:
    """Take a while.

    Args:
        about: what to think about.
    """
    await asyncio.sleep(WORK_SECONDS)
    return f"thought about {about}"


class Repeating:
    """A model that thinks three times, then repeats what was said."""

    name = "repeating"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Think, or answer."""
        shown = [message.text for message in request.messages if isinstance(message, UserMessage)]
        if request.turn < 4:
            return ModelAnswer(f"Thought {request.turn}.", (Call("think", {"about": shown[-1]}),))
        return ModelAnswer(f"You said: {', '.join(shown)}.")


echo = Agent(name="echo", model=Repeating(), tools=[think])
registry = Registry(agents=[echo])
