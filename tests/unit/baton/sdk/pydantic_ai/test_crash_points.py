"""A process dies at any point: the job's result, messages and effects are as if it had not."""

from typing import Any

import pytest
from pydantic_ai import Agent, ModelRetry, RunContext

from baton import Registry
from baton.pydantic_ai import durable, tool_context
from baton.testing import Approve, Simulation
from tests.unit.baton.sdk.pydantic_ai.documented_agents import City
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted


def with_effects() -> Agent[Any, Any]:
    """Parallel calls, one of which a person approves and one is tried again, and an output that is corrected."""
    final = "final_result"
    turns = (
        [call("pay", "1", euros=1), call("odd", "2", n=2)],
        [call("odd", "3", n=3)],
        [call(final, "4", name="", people=1)],
    )
    agent = Agent(scripted(*turns, [call(final, "5", name="Ur", people=1)]), name="a", output_type=City, deps_type=str)

    @agent.tool(requires_approval=True)
    async def pay(ctx: RunContext[str], euros: int) -> str:
        Simulation.effect(tool_context().idempotency_key)
        return f"{euros} for {ctx.deps}"

    @agent.tool
    async def odd(ctx: RunContext[str], n: int) -> str:
        Simulation.effect(tool_context().idempotency_key)
        if n % 2 == 0:
            raise ModelRetry("even")
        return f"{n}, retry {ctx.retry} of step {ctx.run_step}"

    @agent.output_validator
    def named(ctx: RunContext[str], city: City) -> City:
        if not city.name:
            raise ModelRetry(f"a name, please ({ctx.retry})")
        return city

    return agent


@pytest.mark.long
async def test_an_effect_is_repeated_with_its_key_or_not_at_all() -> None:
    """Also of a call that a person approves after a crash."""
    simulation = Simulation(Registry([durable(with_effects(), deps=lambda _: "Ann")]))
    report = await simulation.crash_everywhere("a", "go", decide=lambda _: Approve())
    report.check()
    assert report.usual.result["output"] == {"name": "Ur", "people": 1}
    assert report.repeated["pay"] >= 2
    assert len(report.points) >= 40
