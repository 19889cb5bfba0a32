"""What a process of the simulation leaves when it dies: none of its code runs again, wherever it is collected."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from anyio._backends import _asyncio
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.capabilities import AbstractCapability

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.pydantic_ai import durable
from baton.testing import Simulation
from baton.testing.process import PROCESS
from tests.unit.baton.sdk.pydantic_ai.capable_agents import with_tools
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

# Far more than a run needs. A scope whose tasks never end asks for another round in each round.
MOST_ROUNDS = 2_000


@pytest.fixture(autouse=True)
def _bounded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let scopes end at some time that would cancel for ever."""
    scope: Any = _asyncio.CancelScope
    deliver, made = scope._deliver_cancellation, list[object]()

    def bounded(self: object, origin: object) -> Any:
        made.append(origin)
        return len(made) < MOST_ROUNDS and deliver(self, origin)

    monkeypatch.setattr(scope, "_deliver_cancellation", bounded)
    gc.freeze()  # what was there before is not looked through in each collection
    yield
    gc.unfreeze()
    assert len(made) < MOST_ROUNDS, "the scope does not come to an end"


class Watched:
    """Notes what ends outside of the process that it began in."""

    def __init__(self) -> None:
        self.begun, self.strays = 0, list[str]()

    @contextmanager
    def block(self, name: str) -> Iterator[None]:
        self.begun += 1
        mine = PROCESS.get()
        try:
            yield
        finally:
            if PROCESS.get(None) is not mine:
                self.strays.append(name)


def leaving(watched: Watched) -> Registry:
    """An agent whose call opens much, and collects what the processes before have left."""

    async def parts() -> AsyncGenerator[int]:
        with watched.block("a generator"):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 7)
                yield 1

    async def waits() -> None:
        with watched.block("a task"):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 7)
                await asyncio.get_running_loop().create_future()

    @tool
    async def opens() -> str:
        """Open much."""
        gc.collect()
        given, task = parts(), asyncio.create_task(waits())
        async for part in given:
            await asyncio.sleep(part)
            break
        gc.collect()
        await asyncio.sleep(1)
        task.cancel()
        return "opened"

    return Registry([Agent("agent", model=ScriptedModel([[Call("opens", {})], "done"]), tools=[opens])])


@dataclass
class Scope(AbstractCapability[Any]):
    """A run that is in a scope of its own, and begins with a collection of what is left."""

    watched: Watched

    async def wrap_run(self, ctx: Any, *, handler: Any) -> Any:
        gc.collect()
        with self.watched.block("a run"):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 7)
                try:
                    return await handler()
                finally:
                    group.cancel_scope.cancel()


def staying_open(watched: Watched) -> Registry:
    """An agent of pydantic-ai, whose run a process leaves open from step to step."""
    turns = [call("look", f"c{n}", n=n) for n in range(2)]
    agent = with_tools(
        PydanticAgent(scripted(*([turn] for turn in turns), "done"), name="agent", capabilities=[Scope(watched)])
    )
    return Registry([durable(agent)])


@pytest.mark.parametrize("made", [leaving, staying_open])
def test_no_code_of_a_dead_process_runs_in_another_one_or_in_the_loop_that_waits(
    made: Callable[[Watched], Registry],
) -> None:
    watched = Watched()

    async def play() -> None:
        await Simulation(made(watched)).crash_everywhere("agent", "go")
        gc.collect()
        await asyncio.sleep(0.01)

    asyncio.run(play())  # it closes the generators that began in its loop
    gc.collect()
    assert watched.begun > 20
    assert watched.strays == []
