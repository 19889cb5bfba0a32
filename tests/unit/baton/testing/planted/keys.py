"""Effects without the idempotency key."""

import asyncio

from baton import Agent, Call, Registry, ScriptedModel, Step, ToolContext, ToolError, tool
from baton.sdk.tools.tool import Tool
from baton.testing import Simulation
from tests.unit.baton.testing.planted import outside


@tool
def starting_time(ctx: ToolContext) -> str:
    Simulation.effect(f"{ctx.call_id}:{ctx.started_at_ms}")
    return "paid"


@tool
def sequence() -> str:
    Simulation.effect(f"payment {outside.following()}")
    return "paid"


@tool
async def sequence_before_a_pause() -> str:
    number = outside.following()
    Simulation.effect(f"payment {number}")
    await asyncio.sleep(3)
    return "paid"


@tool
def second_effect(ctx: ToolContext) -> str:
    Simulation.effect(ctx.idempotency_key)
    Simulation.effect(f"receipt {outside.following()}")
    return "paid"


@tool(retries=3)
def attempt_in_key(ctx: ToolContext) -> str:
    Simulation.effect(f"{ctx.idempotency_key}:{ctx.attempt}:{outside.following('tries')}")
    if ctx.attempt == 1:
        raise ToolError("the bank is busy", retryable=True)
    return "paid"


def boss(start: Tool, *helps: Tool) -> Registry:
    """Register an agent whose tool starts a job of another one."""
    helper = Agent("helper", plan=[Step(one.name, one) for one in helps])
    return Registry([Agent("agent", ScriptedModel([[Call(start.name)], "done"]), tools=[start]), helper])


@tool(retries=3)
def hire(ctx: ToolContext) -> object:
    return ctx.start("helper", "help")


@tool(retries=3)
def hire_with_other_words(ctx: ToolContext) -> object:
    return ctx.start("helper", f"report {outside.following()}")


@tool
def help_quietly() -> str:
    return "helped"


PLANTED = {
    one.name: outside.registry([one])
    for one in (starting_time, sequence, sequence_before_a_pause, second_effect, attempt_in_key)
} | {
    "an effect of a job below": boss(hire, sequence),
    "a job that is started with other words": boss(hire_with_other_words, help_quietly),
}
