"""Hooks that touch the outside: each effect has a key that is the same where its step is repeated, and no other's."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext
from pydantic_ai.capabilities import AbstractCapability

from baton import Registry
from baton.pydantic_ai import durable, hook_context
from baton.sdk.libraries.hook_contexts import HookContext
from baton.testing import Simulation
from tests.unit.baton.sdk.pydantic_ai.capable_agents import TURNS, with_tools
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

FAULTS: tuple[tuple[str, ...], ...] = (("duplicates", "reorder"), (), ("duplicates",), ("reorder",))


@dataclass
class Ledger:
    """An account outside, which takes each key once."""

    taken: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)

    def charge(self, hook: str, context: HookContext) -> None:
        if context.idempotency_key in self.taken and not context.repeated:
            self.silent.append(hook)
        self.taken[context.idempotency_key] = hook
        self.asked[context.idempotency_key] += 1

    @property
    def sums(self) -> Counter[str]:
        return Counter(self.taken.values())


@dataclass
class Charges(AbstractCapability[Any]):
    """Charges in each hook, and twice for a request."""

    ledger: Ledger

    async def before_run(self, ctx: RunContext[Any]) -> None:
        self.ledger.charge("before_run", hook_context())

    async def after_model_request(self, ctx: RunContext[Any], *, response: Any, **_: Any) -> Any:
        self.ledger.charge("request", hook_context())
        self.ledger.charge("tokens", hook_context())
        return response

    async def after_tool_execute(self, ctx: RunContext[Any], *, result: Any, **_: Any) -> Any:
        self.ledger.charge("call", hook_context())
        return result

    async def after_run(self, ctx: RunContext[Any], *, result: Any) -> Any:
        self.ledger.charge("after_run", hook_context())
        return result


EXPECTED = Counter(before_run=1, request=3, tokens=3, call=3, after_run=1)


async def crashed(agent: Agent[Any, Any], schedules: int, fresh: Callable[[], None]) -> None:
    """Play schedules, each with the end of a process; `fresh` is called between two of them."""
    played, seed = 0, 0
    while played < schedules:
        simulation = Simulation(Registry([durable(agent)]), seed=seed, fresh=fresh)
        report = await simulation.crash_everywhere("a", "do it", faults=FAULTS[seed % len(FAULTS)])
        report.check()
        played, seed = played + len(report.points), seed + 1
    fresh()


@pytest.mark.parametrize("schedules", [30, pytest.param(120, marks=pytest.mark.long)])
async def test_each_effect_of_a_hook_is_made_once_by_its_key_wherever_processes_die(schedules: int) -> None:
    """At most two processes ask for one effect; the second one is told that it may be there."""
    ledger = Ledger()
    sums, most, silent = set[tuple[tuple[str, int], ...]](), 0, list[str]()

    def fresh() -> None:
        nonlocal most
        if ledger.taken:
            sums.add(tuple(sorted(ledger.sums.items())))
            most = max(most, *ledger.asked.values())
            silent.extend(ledger.silent)
        vars(ledger).update(vars(Ledger()))

    agent = with_tools(Agent(scripted(*TURNS), name="a", capabilities=[Charges(ledger)]))
    await crashed(agent, schedules, fresh)
    assert (sums, most, silent) == ({tuple(sorted(EXPECTED.items()))}, 2, [])


@dataclass
class ChargesBefore(AbstractCapability[Any]):
    """Charges before each call."""

    ledger: Ledger

    async def before_tool_execute(self, ctx: RunContext[Any], *, args: Any, **_: Any) -> Any:
        self.ledger.charge("call", hook_context())
        return args


async def test_a_hook_is_told_that_its_effect_may_be_there_after_a_stop() -> None:
    """A process that is asked to stop gives the call back, whose hook has had its effect."""
    ledger, silent, asked = Ledger(), list[str](), Counter[int]()

    def fresh() -> None:
        silent.extend(ledger.silent)
        asked.update(ledger.asked.values())
        vars(ledger).update(vars(Ledger()))

    agent = Agent(scripted([call("waits")], "done"), name="a", capabilities=[ChargesBefore(ledger)])

    @agent.tool_plain
    async def waits() -> str:
        """Wait."""
        await asyncio.sleep(5)
        return "waited"

    report = await Simulation(Registry([durable(agent)]), fresh=fresh).crash_everywhere("a", "do it")
    fresh()
    assert any(point.stopped for point in report.points)
    assert asked[2] >= 2, "a process died in the call, and one was stopped"
    assert silent == []


@pytest.mark.harness
async def test_spend_limits_are_exact_wherever_processes_die() -> None:
    """In a thousand schedules, with a store that takes the hook's key; the guide has that store."""
    agents: Any = import_module("tests.unit.baton.sdk.pydantic_ai.harness_agents")
    sums = set[tuple[Decimal, int]]()

    def fresh() -> None:
        sums.update((spent.usd, spent.requests) for spent, _ in agents.SPENT.counted._entries.values())
        agents.forget()

    agents.forget()
    await crashed(agents.spend_limits_with_keys(), 1_000, fresh)
    assert sums == {(Decimal("2.0"), 4)}


def test_outside_of_a_durable_agent_there_is_no_key() -> None:
    with pytest.raises(LookupError, match="for hooks of a durable agent"):
        hook_context()
