"""The steps that the ported programs share, and what is outside of them."""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from baton import Agent, Pending, ScriptedModel, ToolContext, ToolError, tool
from baton.sdk.agents.agent import CodeAgent
from baton.testing import Approve, Reject, Simulation
from baton.testing.records import Decide, Outcomes

# What can be read there.
SHELF: dict[str, Any] = {
    "users": [{"id": "u1", "email": "ann@x.org", "plan": "pro"}, {"id": "u2", "email": "bob@x.org", "plan": "free"}],
    "pages": {"0": {"items": [1, 2], "next": "2"}, "2": {"items": [3], "next": ""}},
    "stock": {"tea": 3, "cup": 0},
    "ready_at": {"job-1": 2},
    "texts": {"a.txt": "to be or", "b.txt": "not to be"},
}


def _of(ctx: ToolContext | None) -> ToolContext:
    assert ctx is not None, "a running tool gets its context"
    return ctx


def _effect(ctx: ToolContext | None, what: str) -> None:
    """Note what is done outside, under the call's key; in a process also in a file."""
    key = _of(ctx).idempotency_key
    Simulation.effect(key)
    if folder := os.environ.get("NOTES"):  # noqa: TID251 - a user's tool may read its environment
        with (Path(folder) / "effects").open("a") as file:
            file.write(f"{key} {what}\n")


@tool
async def do(what: str, ctx: ToolContext | None = None) -> str:
    """Do something outside, once."""
    _effect(ctx, what)
    return what


@tool
async def read(shelf: str, key: str = "") -> Any:
    """Read something outside."""
    return SHELF[shelf][key] if key else SHELF[shelf]


@tool(retries=4, retry_delay_seconds=2)
async def flaky(until: int, ctx: ToolContext | None = None) -> int:
    """Fail until so many attempts were made."""
    if _of(ctx).attempt < until:
        raise ToolError("the service is down", retryable=True, type="unavailable")
    return until


@tool(retries=3)
async def busy(ctx: ToolContext | None = None) -> str:
    """Be told when to come again."""
    if _of(ctx).attempt == 1:
        raise ToolError("too many requests", retryable=True, type="rate_limited", retry_after_seconds=60)
    return "served"


@tool(retries=0)
async def refuse(what: str) -> str:
    """Fail for good."""
    raise ToolError(what, type="declined")


@tool(retries=1, timeout_seconds=2)
async def stuck() -> str:
    """Take longer than it may."""
    await asyncio.sleep(60)
    return "never"


@tool
async def ask(what: str) -> Any:
    """Wait for an outcome from outside."""
    return Pending(timeout_seconds=3600, otherwise={"timedOut": True})


@tool(requires_approval=True)
async def pay(cents: int, ctx: ToolContext | None = None) -> int:
    """Pay, if a person agrees."""
    _effect(ctx, str(cents))
    return cents


@tool
async def tomorrow(day: datetime) -> datetime:
    """Return the same time a day later."""
    return day.fromtimestamp(day.timestamp() + 86_400, day.tzinfo)


@tool
async def add(a: float, b: float) -> float:
    """Add."""
    return a + b


writer = Agent("writer", model=ScriptedModel(["a text"]))
critic = Agent("critic", model=ScriptedModel(["good"]))


class Case(Struct, frozen=True):
    """A program with an input: what it returns, and what it has done outside."""

    program: CodeAgent
    given: dict[str, Any]
    output: Any
    done: list[str] = []
    decide: Decide | None = None
    outcomes: Outcomes | None = None
    below: tuple[CodeAgent, ...] = ()
    slow: bool = False


def yes(_: Any) -> Approve:
    return Approve()


def no(_: Any) -> Reject:
    return Reject("not today")


def answers(**data: Any) -> Callable[[Any], Approve]:
    """Approve with this data."""
    return lambda _: Approve(data)


def tells(value: Any) -> Outcomes:
    """Complete each operation with this value."""
    return lambda _: {"success": True, "result": value}
