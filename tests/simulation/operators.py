"""Those who operate a deployment: they stop the admission of jobs and start it again, and try again after an error.

Invariant: whoever stops it starts it again before the world is calm, and looks again later whether it runs: a failover
may have forgotten that. So every accepted job must end here, too.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from baton.testing.dice import Dice
from tests.simulation.calling import Caller
from tests.simulation.plan import PLANNING_SEEDS, WAITING_SEEDS, Plan, make_plan

if TYPE_CHECKING:
    from tests.simulation.world import World

ADMIN_KEY, OTHER_ADMIN_KEY = "key of an operator", "key of another operator"
WORKER_PATH = "/api/admin/agent-worker"
_FIRST_SEED, _SCHEDULES = 600_000, 25
_STOP, _START = 61, 62
_AGAIN_SECONDS, _POLLS_SECONDS = 7.0, 240.0


def stopped_and_started() -> Iterator[Plan]:
    """Schedules of all three families, with all their faults, in which the admission is stopped once or twice."""
    for family in (0, WAITING_SEEDS, PLANNING_SEEDS):
        for seed in range(family + _FIRST_SEED, family + _FIRST_SEED + _SCHEDULES):
            plan, dice = make_plan(seed), Dice(seed)
            first = dice.between(0, 30, _STOP, 1)
            second = first + dice.between(60, 300, _STOP, 2)
            stops = [(at, at + dice.between(1, 90, _START, n)) for n, at in enumerate((first, second))]
            yield replace(plan, stops=tuple(stops[: 1 + seed % 2]), calm_at=max(plan.calm_at, 600.0))


class Operator:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._caller = Caller(world, "operator", "operator")
        self.at_work = bool(world.plan.stops)

    async def run(self) -> None:
        loop = self._world.loop
        for stop_at, start_at in self._world.plan.stops:
            await asyncio.sleep(max(0.0, stop_at - loop.seconds))
            await self._until_done("DELETE", running=False)
            await asyncio.sleep(max(0.0, start_at - loop.seconds))
            await self._until_done("POST", running=True)
        while loop.seconds < self._world.plan.calm_at + _POLLS_SECONDS:
            await asyncio.sleep(_POLLS_SECONDS)
            await self._until_done("POST", running=True)
        self.at_work = False

    async def _until_done(self, method: str, *, running: bool) -> None:
        world = self._world
        while True:
            forgets = len(world.memory.failovers)
            answer = await self._caller.request("operate", method, WORKER_PATH, key=ADMIN_KEY)
            if answer is not None and answer.status == 200:
                view = json.loads(answer.body)
                if view["running"] is not running and forgets == len(world.memory.failovers):
                    world.broken("a_stop_and_a_start_are_what_they_say", f"{method}: {view}")
                return
            self._caller.check(answer, f"{method} {WORKER_PATH}", 503)
            await asyncio.sleep(_AGAIN_SECONDS)
