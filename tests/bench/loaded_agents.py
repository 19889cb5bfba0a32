"""The agents of the load test: one that answers at once, and one that stays at work.

`BATON_APP=tests.bench.loaded_agents:registry`.
"""

import asyncio
from itertools import count

from baton import Agent, Call, Limits, Registry, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest

# The longest tool runs for less than WORK_TIMEOUT_SECONDS, and jobs do not all end their calls in the same moment.
LEAST_SECONDS, MOST_SECONDS = 40, 110
_numbers = count()


@tool(timeout_seconds=MOST_SECONDS + 5)
async def look_after(seconds: int) -> str:
    """Wait for something that is slow."""
    await asyncio.sleep(seconds)
    return "still there"


class Staying:
    name = "staying"
    reads_history = False

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """The next call; how long it takes differs from job to job and from turn to turn."""
        seconds = LEAST_SECONDS + 37 * next(_numbers) % (MOST_SECONDS - LEAST_SECONDS)
        return ModelAnswer(calls=(Call("look_after", {"seconds": seconds}),))


class Answering:
    name = "answering"
    reads_history = False

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        return ModelAnswer(text="That is all.")


registry = Registry(
    agents=[
        Agent("stays", model=Staying(), tools=[look_after], limits=Limits(turns=100_000, tool_calls=100_000)),
        Agent("answers", model=Answering()),
    ]
)
