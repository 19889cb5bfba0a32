"""Effects before validation."""

from typing import cast

from baton import Call, ToolContext, ToolError, tool
from baton.testing import Simulation
from tests.unit.baton.testing.planted import outside


@tool
def amount(euros: int, ctx: ToolContext) -> str:
    Simulation.effect(ctx.idempotency_key)
    if euros <= 0:
        raise ToolError(f"{euros} euros cannot be paid")
    return "paid"


@tool(retries=1)
def number(invoice: str, ctx: ToolContext) -> str:
    Simulation.effect(ctx.idempotency_key)
    return f"invoice {int(invoice)} is paid"


@tool
def result(ctx: ToolContext) -> int:
    Simulation.effect(ctx.idempotency_key)
    return cast("int", "forty")


@tool
def each(invoices: list[int], ctx: ToolContext) -> str:
    for invoice in invoices:
        if invoice < 0:
            raise ToolError(f"there is no invoice {invoice}")
        Simulation.effect(f"{ctx.idempotency_key}:{invoice}")
    return "paid"


@tool
async def balance(euros: int, ctx: ToolContext) -> str:
    await ctx.info("pays")
    Simulation.effect(ctx.idempotency_key)
    if euros > 100:
        raise ToolError("the account has 100 euros")
    return "paid"


PLANTED = {
    "amount": outside.registry([amount], [Call("amount", {"euros": 0})], [Call("amount", {"euros": 40})]),
    "number": outside.registry([number], [Call("number", {"invoice": "seven"})], [Call("number", {"invoice": "7"})]),
    "result": outside.registry([result]),
    "each": outside.registry([each], [Call("each", {"invoices": [1, 2, -3]})]),
    "balance": outside.registry([balance], [Call("balance", {"euros": 400})], [Call("balance", {"euros": 40})]),
}
