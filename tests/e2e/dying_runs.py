"""Agents that pydantic-ai documents, whose process kills itself once in each piece of a run: `NOTES` names its file.

Two pieces die before their work, when what led to them is recorded; the next two after it, before it is recorded.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from baton import Agent, Registry
from baton.agents.runner import Recorded, RunnerAnswer, RunnerCall
from baton.models.model import Listener
from baton.pydantic_ai import durable
from baton.pydantic_ai.runner import PydanticAIRunner
from tests.unit.baton.pydantic_ai.documented_agents import (
    Case,
    dependencies,
    output_with_validator,
    retry_beside_others,
    toolsets,
)
from tests.unit.baton.pydantic_ai.documented_features import enqueued

# How many pieces a run of each has.
PIECES: dict[Callable[[], Case], int] = {
    dependencies: 3,
    enqueued: 5,
    output_with_validator: 3,
    retry_beside_others: 6,
    toolsets: 6,
}
MOMENTS = ("before", "before", "after", "after")


class Dying:
    """`Runner` of another runner's pieces."""

    def __init__(self, runner: Any) -> None:
        self._runner: PydanticAIRunner = runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    async def turn(self, recorded: Recorded, listener: Listener | None) -> RunnerAnswer:
        """Do a turn, or die."""
        piece = f"turn {len(recorded.turns) + 1}"
        await _die("before", piece)
        answer = await self._runner.turn(recorded, listener)
        await _die("after", piece)
        return answer

    async def call(self, recorded: Recorded, call: RunnerCall) -> Any:
        """Make a call, or die."""
        piece = f"call {call.turn}.{call.position}"
        await _die("before", piece)
        returned = await self._runner.call(recorded, call)
        await _die("after", piece)
        return returned


async def _die(moment: str, piece: str) -> None:
    """Die in a piece in which no process has died, if this is the moment for it; not before there is a file."""
    path = Path(os.environ["NOTES"])  # noqa: TID251 - a user's agent may read its environment
    while (notes := _lines(path)) is None:  # noqa: ASYNC110 - the test makes it, once the submission has its answer
        await asyncio.sleep(0.05)
    if piece not in {note.partition(" ")[2] for note in notes} and MOMENTS[len(notes) % len(MOMENTS)] == moment:
        _kill(path, f"{moment} {piece}")


def _lines(path: Path) -> list[str] | None:
    return path.read_text().splitlines() if path.exists() else None


def _kill(path: Path, note: str) -> None:
    with path.open("a") as file:
        file.write(f"{note}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def dying(make: Callable[[], Case]) -> Agent:
    """The agent of a case, under its maker's name."""
    case = make()
    given: Any = {"deps": lambda _: case.deps, "prompt": lambda _: case.prompt, "usage_limits": case.limits}
    agent = durable(case.agent, name=make.__name__, **given)
    return replace(agent, runner=Dying(agent.runner))


registry = Registry(agents=[dying(make) for make in PIECES])
