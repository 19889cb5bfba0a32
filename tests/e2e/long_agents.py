"""Agents with long jobs: many tool calls one after another, or many at once: `--app tests.e2e.long_agents:registry`.

The tool of the sequential jobs reads the meters at chosen steps, from inside the job: between two of them nothing else
happens but the steps between them. Environment `NOTES`: the file for that, beside the stack's folder.
"""

import json
import os
import time
from functools import cache
from pathlib import Path

from baton import Agent, Call, Limits, Registry, ScriptedModel, Summarize, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest
from tests.e2e.dev_stack import DevStack
from tests.e2e.meters import Meters

WINDOW = 50
SEQUENTIAL = (200, 1000)
FAN_OUT = (0, 50, 100, 450, 500)


def marks_of(length: int) -> tuple[int, ...]:
    """The steps at which a job of that length reads the meters: around its first and its last window."""
    return 1, 1 + WINDOW, length - 1 - WINDOW, length - 1


@cache
def _meters() -> Meters:
    stack = DevStack(_marks_path().with_suffix(""))
    stack.reload()
    return Meters(stack)


def _marks_path() -> Path:
    return Path(os.environ["NOTES"])  # noqa: TID251 - a user's tool may read its environment


@tool
def step(number: int, length: int) -> int:
    """Go one step further."""
    if number in marks_of(length):
        reading = _meters().read()
        mark = {"step": number, "at": time.monotonic(), "reading": vars(reading)}
        with _marks_path().open("a") as file:
            file.write(json.dumps(mark) + "\n")
    return number + 1


@tool
def leaf(number: int) -> int:
    """Do one of many things."""
    return number


class Stepping:
    """A model that reads its whole history in every turn, and goes on from what the last tool said."""

    name = "stepping"
    reads_history = True

    def __init__(self, length: int) -> None:
        self._length = length

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        number = request.turn - 1
        if number == self._length:
            return ModelAnswer(text="There.")
        return ModelAnswer(calls=(Call("step", {"number": number, "length": self._length}),))


# Of some 60 bytes a turn, this holds some forty turns: fewer than a window has.
SUMMED = Summarize(max_tokens=1_500, keep_turns=6, model=ScriptedModel(["Many steps were gone."]))


def _steps(length: int) -> ScriptedModel:
    return ScriptedModel([*([Call("step", {"number": at, "length": length})] for at in range(length)), "There."])


def _leaves(width: int) -> ScriptedModel:
    return ScriptedModel([*([[Call("leaf", {"number": at}) for at in range(width)]] if width else []), "Done."])


def _limits(calls: int) -> Limits:
    """A long job says so: these are more than an agent has by default."""
    return Limits(turns=calls + 2, tool_calls=calls + 1)


registry = Registry(
    agents=[
        *(Agent(f"steps-{n}", model=_steps(n), tools=[step], limits=_limits(n)) for n in SEQUENTIAL),
        *(Agent(f"reads-{n}", model=Stepping(n), tools=[step], limits=_limits(n)) for n in SEQUENTIAL),
        *(Agent(f"sums-{n}", model=Stepping(n), tools=[step], limits=_limits(n), history=SUMMED) for n in SEQUENTIAL),
        *(Agent(f"leaves-{n}", model=_leaves(n), tools=[leaf], limits=_limits(n)) for n in FAN_OUT),
    ]
)
