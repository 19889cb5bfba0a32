"""Workflows that the tests play: an order, branches, children, language, faults."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from baton import Agent, JobInfo, ScriptedModel, ToolContext, ToolError, approval, sleep, tool, workflow
from baton.sdk.agents.agent import CodeAgent
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows import rates


class Line(BaseModel):
    """A line of an order."""

    sku: str
    count: int = 1


class Order(BaseModel):
    """An order."""

    id: str
    cents: int
    lines: list[Line] = []


@dataclass
class Receipt:
    """What a customer gets; a data class keeps its methods."""

    id: str
    cents: int
    note: str = ""

    def with_fee(self, fee: int) -> int:
        return self.cents + fee


FEES, TRIES = {"eu": 2}, 3
FIRST_DAY, FIRST_TIME = date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)

writer = Agent("writer", model=ScriptedModel(["thanks"]))


def _effect(ctx: ToolContext | None) -> None:
    assert ctx is not None, "a running tool gets its context"
    Simulation.effect(ctx.idempotency_key)


@tool
async def reserve(sku: str, count: int, ctx: ToolContext | None = None) -> Line:
    _effect(ctx)
    return Line(sku=sku, count=count)


@tool
async def charge(order_id: str, cents: int, ctx: ToolContext | None = None) -> int:
    if cents > 1000:
        raise ToolError("too much", type="declined")
    _effect(ctx)
    return cents


@tool
async def release(sku: str, ctx: ToolContext | None = None) -> str:
    _effect(ctx)
    return f"released {sku}"


@tool(retries=0)
async def fails(kind: str) -> None:
    raise {"ValueError": ValueError, "ToolError": ToolError}[kind]("it failed")


@tool
async def price(sku: str) -> Decimal:
    return Decimal(len(sku)) / 2


@tool
async def due(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


@tool(requires_approval=True)
async def pay(cents: int, ctx: ToolContext | None = None) -> int:
    _effect(ctx)
    return cents


@tool
async def add(a: int, b: int) -> int:
    return a + b


@tool
async def slow(number: int) -> int:
    await asyncio.sleep(20)
    return number


def _summed(receipt: Receipt) -> int:
    return receipt.with_fee(FEES["eu"])


@workflow
async def fulfil(order: Order) -> Receipt:
    """Fulfil an order."""
    lines = await asyncio.gather(*[reserve(line.sku, line.count) for line in order.lines])
    try:
        paid = await charge(order.id, cents=order.cents)
    except ToolError as error:
        for line in lines:
            await release(line.sku)
        return Receipt(order.id, 0, str(error))
    decision = await approval(f"Ship {order.id}?", {"express": False}, timeout_seconds=86_400)
    if not decision.approved:
        return Receipt(order.id, 0, "late" if decision.timed_out else decision.reason)
    await sleep(2 * 86_400)
    note = await writer(f"Thank the customer of {order.id}.")
    receipt = Receipt(order.id, paid, f"{note} {lines[0].count} {decision.data['express']}")
    receipt.cents = _summed(receipt)
    return receipt


@workflow
async def breaks(depth: int) -> int:
    await sleep(1)
    return _broken(depth)


def _broken(depth: int) -> int:
    if depth:
        return _broken(depth - 1)
    raise ValueError("boom")


@workflow
async def uncaught(kind: str) -> None:
    await fails(kind)


@workflow
async def parent(n: int, job: JobInfo) -> list[Any]:
    found = await asyncio.gather(*[child(i, FIRST_TIME) for i in range(n)], return_exceptions=True)
    return [each if isinstance(each, int) else type(each).__name__ for each in found] + [job.task]


@workflow
async def child(number: int, at: datetime) -> int:
    if number == 2:
        raise ValueError("no two")
    await asyncio.sleep(number)
    return number * 10 + (at.year > 2000)


@workflow
async def typed(days: int, amount: Decimal, since: date = FIRST_DAY) -> dict[str, Any]:
    until = await due(since + timedelta(days=days))
    total = amount + await price("four") + rates.VAT
    return {"until": until, "total": total, "rate": rates.rated(2), "set": sorted({3, 1})}


@workflow
async def decides(amounts: list[int]) -> list[Any]:
    paid: list[Any] = []
    for cents in amounts:
        try:
            paid.append(await pay(cents))
        except ToolError as refused:
            paid.append(str(refused))
    return paid


@workflow
async def loop(n: int) -> int:
    total = 0
    for number in range(n):
        total = await add(total, number)
    return total


@workflow
async def fan(n: int) -> int:
    return sum(await asyncio.gather(*[slow(number) for number in range(n)]))


@workflow
async def large(size_bytes: int, inside: bool = False) -> Any:
    """Return a large text, or a list of it."""
    text = "x" * size_bytes
    return [text] if inside else text


@workflow
async def nothing() -> None:
    """Do nothing."""


# Each that this module has, so that none is forgotten.
ALL: list[CodeAgent] = [one for one in [*globals().values()] if isinstance(one, CodeAgent)]
