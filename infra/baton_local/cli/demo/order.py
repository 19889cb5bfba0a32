"""The workflow of `baton demo workflow`: parallel steps, a person's approval, a wait, an agent.

Invariant: offline. Imported by the app that the demo starts, never by the command line.
"""

import asyncio

from baton import Agent, Registry, ScriptedModel, approval, tool, workflow

_RESERVE_SECONDS = 0.3  # long enough to be killed in

writer = Agent("writer", model=ScriptedModel(["Thank you! Your lamp and your lens are on their way."]))


@tool
async def reserve(item: str) -> str:
    """Reserve an item."""
    await asyncio.sleep(_RESERVE_SECONDS)
    return f"{item} reserved"


@tool
async def charge(order: str, euros: int) -> str:
    """Charge the customer."""
    return f"{order}: {euros} euros charged"


@workflow
async def fulfil(items: list[str], euros: int) -> str:
    """Fulfil an order."""
    reserved = await asyncio.gather(*[reserve(item) for item in items])
    decision = await approval(f"Charge {euros} euros?", {"euros": euros}, timeout_seconds=600)
    if not decision.approved:
        return f"refused: {decision.reason}"
    charged = await charge("order-7", decision.data["euros"])
    await asyncio.sleep(1)  # a timer of the job: no process waits
    note: str = await writer("Thank the customer.")
    return "\n".join([*reserved, charged, note])


registry = Registry([writer], workflows=[fulfil])
