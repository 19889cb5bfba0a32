"""The agents that the console is tried with: one asks before it sends a letter, one only answers."""

import asyncio
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.models.model import Call, ModelAnswer, ModelError, ModelRequest
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.planning.step import Step
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.tool import tool


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


class Parcel(BaseModel):
    """What is sent."""

    weight_kg: Annotated[float, Field(gt=0, le=30)]
    fragile: bool = False


@tool(requires_approval=True, approval={"title": "Ship to a customer"})
async def ship(
    to: Annotated[str, Field(min_length=2, max_length=80, description="who gets it")],
    parcel: Parcel,
    day: date,
    speed: Literal["slow", "fast"] = "slow",
    tags: list[str] | None = None,
    note: str | None = None,
    access_token: str = "",
) -> str:
    """Send a parcel from the island to the mainland, by the next boat that has room."""
    return f"{parcel.weight_kg} kg to {to} on {day}, {speed}, {tags}, {note}, {bool(access_token)}"


PARCEL: dict[str, Any] = {
    "to": "Ann MacLeod",
    "parcel": {"weight_kg": 2.5, "fragile": True},
    "day": "2027-03-01",
    "speed": "fast",
    "tags": ["lens", "by hand"],
    "access_token": "only for the boat",
}


@tool(requires_approval=True)
async def light_the_lamp() -> str:
    """Light the lamp."""
    return "it burns"


SHIRT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "size": {"type": "string", "enum": ["S", "L"], "title": "Size"},
        "count": {"type": "integer", "title": "How many", "description": "of the same", "minimum": 1},
        "gift": {"type": "boolean", "title": "As a gift"},
        "words": {"type": "string", "title": "Words on it"},
    },
    "required": ["size", "count", "gift"],
}


@tool
async def sew(ctx: ToolContext) -> Any:
    """Sew a shirt, as a person wants it."""
    if not ctx.memo:
        return RunAgain(memo={}, form=SHIRT, title="Which shirt?", begins_with={"count": 2})
    return f"sewn: {ctx.memo.get('answer') or ctx.memo['refused']}"


class Keeper:
    """Lights the lamp and sews when it is asked to, and says again what it gets."""

    name = "keeper"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """One call, or an answer."""
        text = getattr(request.messages[-1], "text", "")
        if text.startswith("Light"):
            return ModelAnswer("", (Call("light_the_lamp"),))
        if text.startswith("Sew"):
            return ModelAnswer("", (Call("sew"),))
        return ModelAnswer(text or "Somebody has to allow it.")


keeper = Agent(name="keeper", model=Keeper(), tools=[light_the_lamp, sew])
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
        raise ModelError(f"no words are left: {'w' * 200}", retryable=False)


falling = Agent(name="falling", model=Falling(), tools=[measure])
order = Agent(name="order", model=ScriptedModel(['{"total": 310, "items": [{"name": "lens", "count": 1}]}']))
answers = Agent(name="answers", model=ScriptedModel(["All is well at the lighthouse."]))


class Clerk(ScriptedModel):
    """A model that says why it calls a tool."""

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Follow the script."""
        found = await super().answer(request)
        why = (
            "The lens was ordered on Monday, and Ann has paid. I will send it with the fast boat, so that it is there."
        )
        return replace(found, text=why) if found.calls else found


clerk = Agent(name="clerk", model=Clerk([[Call("ship", PARCEL)], "It is under way."]), tools=[ship])
planned = Agent(name="planned", plan=[Step("depth", measure), Step("width", measure, depends_on=["depth"])])


class Seeing(ScriptedModel):
    """A model that takes images."""

    takes_files = ("image/*",)


sees = Agent(name="sees", model=Seeing(["It is a lighthouse."]))


@tool(requires_approval=True, approval={"by": "user", "title": "Pay the bill?"})
def pay(euros: int) -> str:
    """Pay a bill."""
    return f"paid {euros}"


payer = Agent(name="payer", model=ScriptedModel([[Call("pay", {"euros": 7})], "The bill is settled."]), tools=[pay])
registry = Registry(agents=[harbour, falling, answers, order, sees, keeper, planned, clerk, payer])
