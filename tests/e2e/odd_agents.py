"""Agents whose tools and models give odd values, drawn from the number in their task; each start is noted."""

import os
from pathlib import Path
from typing import Any

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest
from tests.values.odd import Drawn

CALLS, RETRIES = 8, 1


def _note(line: str) -> None:
    with Path(os.environ["NOTES"]).open("a") as file:  # noqa: TID251 - a user's tool may read its environment
        file.write(f"{line}\n")


@tool(retries=RETRIES)
async def odd(seed: int, ctx: ToolContext) -> Any:
    """Return an odd value, or raise one."""
    _note(f"call {ctx.idempotency_key}")
    drawn = Drawn(seed)
    if seed % 2:
        raise drawn.error()
    return drawn.any()


class OddModel:
    """Answers with what its task's number draws."""

    name, reads_history = "odd", True

    async def answer(self, request: ModelRequest) -> Any:
        """Answer, or raise."""
        seed = int(getattr(request.messages[0], "text", "0").split()[-1])
        _note(f"turn {seed}-{request.turn}")
        drawn = Drawn(seed)
        if request.turn > 1:
            return ModelAnswer("done")
        if seed % 2:
            raise drawn.error()
        return ModelAnswer(drawn.picked("done"), (Call("odd", drawn.picked({"seed": seed})),), drawn.picked(7))


def _agent(number: int) -> Agent:
    calls = [Call("odd", {"seed": CALLS * number + at}) for at in range(CALLS)]
    return Agent(f"tools-{number}", ScriptedModel([calls, "done"]), tools=[odd])


registry = Registry(
    [
        *map(_agent, range(CALLS)),
        Agent("models", OddModel(), tools=[odd], model_retries=RETRIES),
        Agent("plain", ScriptedModel(["done"]), tools=[]),
    ]
)
