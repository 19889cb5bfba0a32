"""Agents whose tool returns as many bytes as the task says: `--app tests.e2e.large_agents:registry`."""

import asyncio
import os
from typing import Any

from baton import Agent, Registry, tool
from baton.sdk.models.model import Call, ModelAnswer, ModelRequest, ToolMessage, UserMessage


@tool
async def fetch(size: int) -> str:
    """Return a text of this size; before that, take a moment in which the process may be killed."""
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:  # noqa: ASYNC230, PTH123, TID251 - one line, of the test's own environment
        notes.write("begun\n")
    await asyncio.sleep(0.5)
    return "x" * (size - 2)


class Fetching:
    """A model that has one text fetched, and answers with what it was given of it."""

    name, reads_history = "fetching", True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask for the text, or end."""
        [task, *_] = [message.text for message in request.messages if isinstance(message, UserMessage)]
        given: list[Any] = [message.content for message in request.messages if isinstance(message, ToolMessage)]
        if not given:
            return ModelAnswer("", (Call("fetch", {"size": int(task)}),))
        return ModelAnswer(f"{given[0]['bytes']} in {given[0]['ref']}" if isinstance(given[0], dict) else "whole")


registry = Registry([Agent("large", model=Fetching(), tools=[fetch])])
