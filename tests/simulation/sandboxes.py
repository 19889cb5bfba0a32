"""Worlds of jobs that work in a box outside: processes that die, messages that come twice, people who cancel.

These worlds are those of `baton.testing`: production's webhooks in virtual time, one job and one below it.
Invariant: a seed alone determines a world. What is outside is judged by the provider's own book.
"""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pydantic_ai import Agent, RunContext

from baton import Registry, as_tool
from baton.pydantic_ai import durable
from baton.testing.dice import Dice
from baton.testing.ports import Left
from baton.testing.process import Point
from baton.testing.process_memory import ProcessMemory, tool_namespaces
from baton.testing.world import Scene, World
from tests.unit.baton.sdk.pydantic_ai.boxes import Box, LooksFirst, Provider
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

# More than a world has; a point that it does not reach is none.
_POINTS, _LONGEST_SECONDS = 60, 8.0
_FAULTS = ("duplicates", "reorder", "slow_model")


@dataclass(frozen=True)
class Plan:
    """What is in a world. `dies_at`: the number of the point; 0: no process dies. `cancel_at`: 0: nobody cancels."""

    seed: int
    is_named: bool
    looks_first: bool
    has_helper: bool
    dies_at: int
    cancel_at: float
    faults: frozenset[str]


def plan_of(seed: int) -> Plan:
    dice = Dice(seed)
    return Plan(
        seed=seed,
        is_named=dice.chance(0.5, 1),
        looks_first=dice.chance(0.3, 2),
        has_helper=dice.chance(0.4, 3),
        dies_at=dice.whole(1, _POINTS, 4) if dice.chance(0.5, 5) else 0,
        cancel_at=dice.between(0.0, _LONGEST_SECONDS, 7) if dice.chance(0.5, 8) else 0.0,
        faults=frozenset(one for at, one in enumerate(_FAULTS) if dice.chance(0.3, 9, at)),
    )


class Broken(Exception):  # noqa: N818 - what is broken, not an error of a program
    """Something does not hold."""


def _working(plan: Plan, provider: Provider, name: str, *tools: Any) -> Agent[Any, Any]:
    calls = [call("note", "1", n=1), call("note", "2", n=2), *([call("helper", "3", task="help")] if tools else [])]
    capabilities = [Box(provider, is_named=plan.is_named), *([LooksFirst()] if plan.looks_first else [])]
    turns = scripted(calls, [call("note", "4", n=3)], "done")
    agent: Agent[Any, Any] = Agent(turns, name=name, capabilities=capabilities, tools=list(tools))

    @agent.tool
    async def note(ctx: RunContext[Any], n: int) -> str:
        """Work for a while, and write a line."""
        await asyncio.sleep(n)
        return (await ctx.workspace.run([f"line{n}"])).stdout

    return agent


def play(seed: int) -> Counter[str]:
    """Play the world of a seed; return what became of its boxes.

    Raises:
        Broken: something does not hold.
    """
    plan, provider = plan_of(seed), Provider(seconds=1.0)
    helper = durable(_working(plan, provider, "helper"))
    boss = durable(_working(plan, provider, "a", *([as_tool(helper)] if plan.has_helper else [])))
    registry = Registry([boss, helper])
    namespaces = tool_namespaces(registry)
    memory = ProcessMemory(namespaces, registry)
    point = Point(plan.dies_at, "somewhere") if plan.dies_at else None
    scene = Scene("a", "do it", {}, None, None, None, plan.faults)
    memory.restore()
    world = World(registry, memory, namespaces, scene, seed, Left(), point)
    if plan.cancel_at:
        world._later(plan.cancel_at, lambda: world._start(_cancel(world)))
    with world.played():
        _judge(plan, provider, died=world._died)
        return Counter(made=len(provider.made), destroyed=len(provider.destroyed), died=int(world._died))


async def _cancel(world: World) -> None:
    snapshot = await world.backend.reader.job(world.job_id)
    if snapshot is not None:
        await world._api.commands.cancel(snapshot.job, "somebody")


def _judge(plan: Plan, provider: Provider, *, died: bool) -> None:
    jobs, lost = (2 if plan.has_helper else 1), int(died)
    if provider.used_when_gone:
        raise Broken(f"a_box_is_there_for_each_step: {provider.used_when_gone}")
    if any(times > 1 + lost for times in provider.destroyed.values()):
        raise Broken(f"a_box_is_destroyed_once: {provider.destroyed}")
    if len(provider.live) > (0 if plan.is_named else lost):  # its provider named it, and its maker died
        raise Broken(f"no_box_is_left: {provider.live} of {provider.made}")
    if len(set(provider.made)) > jobs * (1 + lost) and not plan.faults:
        raise Broken(f"a_job_has_one_box: {provider.made}")


def main(schedules: int, seed: int) -> None:
    """Play many worlds, and say what has become of their boxes."""
    sums = Counter[str]()
    for number in range(seed, seed + schedules):
        try:
            sums += play(number)
        except Broken as broken:
            raise SystemExit(f"seed {number}: {broken}\n{plan_of(number)}") from None
    sys.stdout.write(f"{schedules} worlds hold: {dict(sums)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
