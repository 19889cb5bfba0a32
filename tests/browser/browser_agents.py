"""The agents that the console is tried with: one asks before it sends a letter, one only answers."""

import asyncio

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.models.model import Call, ModelAnswer, ModelError, ModelRequest
from baton.models.scripted import ScriptedModel
from baton.planning.step import Step
from baton.tools.context import ToolContext
from baton.tools.tool import tool


@tool
async def measure(ctx: ToolContext) -> str:
    """Take a moment, and say how far it is."""
    for step in (1, 2):
        await asyncio.sleep(0.3)
        await ctx.progress(step / 2, f"step {step}")
    return "12 m"


@tool(requires_approval=True, background=False)
async def send_letter(to: str, pages: int) -> str:
    """Send a letter."""
    return f"{pages} pages to {to}"


@tool(requires_approval=True)
async def light_the_lamp() -> str:
    """Light the lamp."""
    return "it burns"


class Keeper:
    """Lights the lamp when it is asked to, and says again what it gets."""

    name = "keeper"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """One call, or an answer."""
        text = getattr(request.messages[-1], "text", "")
        if text.startswith("Light"):
            return ModelAnswer("", (Call("light_the_lamp"),))
        return ModelAnswer(text or "Somebody has to allow it.")


keeper = Agent(name="keeper", model=Keeper(), tools=[light_the_lamp])
harbour = Agent(
    name="harbour",
    model=ScriptedModel(
        [[Call("measure")], [Call("send_letter", {"to": "the keeper", "pages": 2})], "The letter is under way."]
    ),
    tools=[measure, send_letter],
)


class Falling:
    """A model that says much, calls a tool, says more, and then fails for good."""

    name = "falling"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """By the turn."""
        if request.turn == 1:
            return ModelAnswer("First I measure. " * 400, (Call("measure"),))
        raise ModelError("no words are left", retryable=False)


falling = Agent(name="falling", model=Falling(), tools=[measure])
answers = Agent(name="answers", model=ScriptedModel(["All is well at the lighthouse."]))


planned = Agent(name="planned", plan=[Step("depth", measure), Step("width", measure, depends_on=["depth"])])


class Seeing(ScriptedModel):
    """A model that takes images."""

    takes_files = ("image/*",)


sees = Agent(name="sees", model=Seeing(["It is a lighthouse."]))
registry = Registry(agents=[harbour, falling, answers, sees, keeper, planned])
