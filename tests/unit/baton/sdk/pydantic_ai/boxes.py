"""A stand-in for a provider of sandboxes, with a capability as the harness has them, and agents that work in one."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import Agent, RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.workspaces import (
    CommandResult,
    SupportsCommands,
    WorkspaceBackend,
    WorkspaceRef,
    WorkspaceUnavailableError,
)

from baton.pydantic_ai import hook_context
from tests.unit.baton.sdk.pydantic_ai.played import Turn, call, scripted

NAME = "boxes"


@dataclass
class Provider:
    """What is outside: boxes that live, with the lines written into each."""

    live: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    made: list[str] = field(default_factory=list[str])
    destroyed: Counter[str] = field(default_factory=Counter[str])
    used_when_gone: list[str] = field(default_factory=list[str])
    away: int = 0
    seconds: float = 0.01
    numbered: int = 0
    on_made: Callable[[], Awaitable[None]] | None = None

    async def make(self, name: str) -> str:
        if self.away:
            self.away -= 1
            raise ConnectionError("the provider is away")
        if not name:
            name, self.numbered = f"box-{self.numbered}", self.numbered + 1
        await asyncio.sleep(self.seconds)
        if name not in self.live:
            self.made.append(name)
            self.live[name] = []
            if self.on_made:
                await self.on_made()
        return name

    def write(self, name: str, line: str) -> list[str]:
        if name not in self.live:
            self.used_when_gone.append(name)
            raise WorkspaceUnavailableError(f"box {name} is gone")
        if line not in self.live[name]:
            self.live[name].append(line)
        return self.live[name]

    async def destroy(self, name: str) -> None:
        await asyncio.sleep(0.01)
        if self.away:
            self.away -= 1
            raise ConnectionError("the provider is away")
        self.destroyed[name] += 1
        self.live.pop(name, None)

    def renew(self) -> None:
        vars(self).update(vars(Provider()))


class BoxBackend(WorkspaceBackend, SupportsCommands):
    """Made at its first use, unless it has the reference of one. A box with a name has its reference from the start."""

    def __init__(self, provider: Provider, ref: WorkspaceRef | None, name: str) -> None:
        self._provider, self._is_there = provider, ref is not None
        self._lock = asyncio.Lock()
        self._ref = ref or (WorkspaceRef(provider=NAME, id=name) if name else None)

    @property
    def ref(self) -> WorkspaceRef | None:
        return self._ref

    async def working_dir(self) -> str:
        async with self._lock:
            if not self._is_there:
                name = await self._provider.make(self._ref.id if self._ref else "")
                self._ref, self._is_there = WorkspaceRef(provider=NAME, id=name), True
        return "/"

    async def run(self, command: str | Sequence[str], **_: Any) -> CommandResult:
        await self.working_dir()
        assert self._ref is not None
        lines = self._provider.write(self._ref.id, str(command[0]))
        return CommandResult(exit_code=0, stdout=" ".join(sorted(lines)), stderr="")


@dataclass
class Box(AbstractCapability[Any]):
    """`is_named`: a job's box has the job's name, so that a repeated piece finds the box that it has made."""

    provider: Provider
    is_named: bool = False

    def get_workspace(self, ctx: RunContext[Any], *, ref: WorkspaceRef | None) -> WorkspaceBackend | None:
        if ref is not None and ref.provider != NAME:
            return None
        return BoxBackend(self.provider, ref, hook_context().job_id if self.is_named and ref is None else "")

    async def destroy(self, ref: WorkspaceRef) -> None:
        await self.provider.destroy(ref.id)


@dataclass
class LooksFirst(AbstractCapability[Any]):
    """Works in the box before the model is asked."""

    async def before_run(self, ctx: RunContext[Any]) -> None:
        await ctx.workspace.run(["hook"])


TURNS: tuple[Turn, ...] = ([call("note", "1", n=1), call("note", "2", n=2)], [call("note", "3", n=3)], "done")


def boxed(
    provider: Provider, *more: AbstractCapability[Any], is_named: bool = False, turns: Sequence[Turn] = TURNS
) -> Agent[Any, Any]:
    """Calls beside each other, then one that sees what they have written."""
    agent: Agent[Any, Any] = Agent(scripted(*turns), name="a", capabilities=[Box(provider, is_named=is_named), *more])

    @agent.tool
    async def note(ctx: RunContext[Any], n: int) -> str:
        """Write a line."""
        done = await ctx.workspace.run([f"line{n}"])
        return done.stdout if n == 3 else "written"

    return agent
