"""Agents without a bug, several of them near one of the planted ones."""

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from baton import Agent, Call, Pending, Registry, ScriptedModel, Step, ToolContext, ToolError, sleep, tool
from baton.testing import Approve, Simulation
from tests.unit.baton.testing.planted import outside

PRICES = {"book": 40}
known_prices: dict[str, int] = {}


@tool
def pay(ctx: ToolContext, euros: int = 40) -> str:
    """Pay."""
    if euros <= 0:
        raise ToolError(f"{euros} euros cannot be paid")
    Simulation.effect(ctx.idempotency_key)
    return f"{euros} euros paid"


@tool
async def pay_slowly(ctx: ToolContext) -> str:
    """Pay, and wait for the bank."""
    await asyncio.sleep(2)
    Simulation.effect(ctx.idempotency_key)
    await asyncio.sleep(10)
    return "paid"


@tool
async def pay_and_send(ctx: ToolContext) -> str:
    """Make two effects, each with a key of its own."""
    Simulation.effect(f"{ctx.idempotency_key}:payment")
    await ctx.info("paid")
    Simulation.effect(f"{ctx.idempotency_key}:receipt")
    return "paid"


@tool(retries=3)
def flaky(ctx: ToolContext) -> str:
    """Pay at the second attempt."""
    if ctx.attempt == 1:
        raise ToolError("the bank is busy", retryable=True)
    Simulation.effect(ctx.idempotency_key)
    return "paid"


@tool
def commission() -> Pending:
    """Let somebody else work."""
    return Pending(timeout_seconds=3600)


@tool(requires_approval=True)
def delete(ctx: ToolContext, path: str = "a.txt") -> str:
    """Delete a file."""
    Simulation.effect(ctx.idempotency_key)
    return f"{path} deleted"


@tool
async def careful(ctx: ToolContext) -> str:
    """Clean up where it is cancelled."""
    try:
        await asyncio.sleep(4)
    except asyncio.CancelledError:
        outside.marks.pop("lock", None)
        raise
    Simulation.effect(ctx.idempotency_key)
    return "done"


@tool
def receipt(ctx: ToolContext) -> dict[str, str]:
    """Give ids that follow from the key."""
    Simulation.effect(ctx.idempotency_key)
    number = hashlib.sha256(ctx.idempotency_key.encode()).hexdigest()[:12]
    return {"number": number, "job": ctx.job_id, "key": ctx.idempotency_key}


@lru_cache
def _length(text: str) -> int:
    return len(text)


@tool
def price(item: str = "book") -> int:
    """Keep in memory what can be computed again."""
    return known_prices.setdefault(item, PRICES[item] + _length(item))


@tool
def brief_blocking(ctx: ToolContext) -> str:
    """Block, but for less than the limit."""
    began = time.monotonic()
    time.sleep(5)
    Simulation.effect(ctx.idempotency_key)
    return "slow" if time.monotonic() - began > 20 else "in time"


@tool
def marked_last(ctx: ToolContext) -> str:
    """Look whether it was done before."""
    if ctx.idempotency_key not in outside.marks:
        Simulation.effect(ctx.idempotency_key)
        outside.marks[ctx.idempotency_key] = "paid"
    return "paid"


@tool
def refused(ctx: ToolContext, euros: int = 400) -> str:
    """Refuse before anything is done."""
    if euros > 100:
        raise ToolError("the account has 100 euros")
    Simulation.effect(ctx.idempotency_key)
    return "paid"


@tool
async def deliver(ctx: ToolContext) -> Pending:
    """Give the task to another agent."""
    return ctx.start("courier", "deliver it")


@dataclass
class Correct:
    registry: Registry
    options: dict[str, Any] = field(default_factory=dict[str, Any])


def _children() -> Registry:
    courier = Agent("courier", model=ScriptedModel([[Call("pay", {})], "delivered"]), tools=[pay])
    parent = Agent("agent", model=ScriptedModel([[Call("deliver", {})], "done"]), tools=[deliver])
    return Registry([parent, courier])


def _planned() -> Registry:
    steps = [
        Step("first", pay),
        Step("second", price, depends_on=["first"]),
        Step("third", receipt, depends_on=["second"]),
    ]
    return Registry([Agent("agent", plan=steps)])


CORRECT = {
    "one effect": Correct(outside.registry([pay])),
    "waits for the bank": Correct(outside.registry([pay_slowly])),
    "two effects": Correct(outside.registry([pay_and_send])),
    "attempts": Correct(outside.registry([flaky])),
    "operation": Correct(
        outside.registry([commission]), {"outcomes": lambda _: {"success": True, "result": "commissioned"}}
    ),
    "approval": Correct(outside.registry([delete]), {"decide": lambda _: Approve()}),
    "parallel": Correct(
        outside.registry([pay, price], [Call("pay", {}), Call("pay", {"euros": 7}), Call("price", {})])
    ),
    "child job": Correct(_children()),
    "cleans up": Correct(outside.registry([careful])),
    "ids from the key": Correct(outside.registry([receipt])),
    "caches": Correct(outside.registry([price, price])),
    "plan": Correct(_planned()),
    "blocks briefly": Correct(outside.registry([brief_blocking])),
    "marked last": Correct(outside.registry([marked_last])),
    "refused": Correct(outside.registry([refused, sleep], [Call("refused", {})], [Call("sleep", {"seconds": 60})])),
}
