"""Jobs that a schedule of the queue starts: somebody makes it, its messages come at their times, each starts one job.

Invariant: a message that the queue has not given up on has started the job that follows from it, once.
"""

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from baton.testing.dice import Dice
from baton_events.ids import scheduled_job_id
from baton_events.messages import Outgoing
from tests.fakes.schedules import FakeSchedules
from tests.simulation.calling import Caller, key_of
from tests.simulation.jobs import JobPlan

if TYPE_CHECKING:
    from tests.simulation.world import World

SCHEDULES_PATH = "/api/agent-schedules"
_TICK, _WAIT = 131, 132


def with_schedules(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs, of which a schedule starts most, some of them twice or three times."""
    return tuple(_with_ticks(dice, job) for job in jobs)


def _with_ticks(dice: Dice, job: JobPlan) -> JobPlan:
    if not dice.chance(0.7, _TICK, job.index) or job.when_busy != "queue":
        return job
    ticks = tuple(1 + 150 * dice.roll(_TICK, job.index, 2 + n) for n in range(dice.whole(1, 3, _TICK, job.index, 1)))
    return replace(job, ticks=tuple(sorted(ticks)), delay_seconds=0)


class SimSchedules(FakeSchedules):
    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, Outgoing] = {}

    async def put(self, schedule_id: str, cron: str, message: Outgoing) -> None:
        await super().put(schedule_id, cron, message)
        self.messages[schedule_id] = message


class Scheduler:
    def __init__(self, world: "World", plan: JobPlan) -> None:
        self._world, self._plan = world, plan
        self._caller = Caller(world, plan.agent, plan.agent)

    async def run(self) -> None:
        """Make it, again after an error, and start jobs at its times from then on."""
        world, plan = self._world, self._plan
        await asyncio.sleep(plan.at)
        schedule_id = ""
        for _ in range(1 + plan.repeats):
            schedule_id = schedule_id or await self._made()
            await asyncio.sleep(0.1 + 40 * world.dice.roll(_WAIT, plan.index, self._caller.calls) ** 2)
        began = world.loop.seconds
        for tick in plan.ticks if schedule_id else ():
            await asyncio.sleep(max(0.0, began + tick - world.loop.seconds))
            message_id = world.queue.accept(world.schedules.messages[schedule_id])
            world.ticks[message_id] = scheduled_job_id(schedule_id, message_id)

    async def _made(self) -> str:
        plan = self._plan
        body = {"jobType": plan.agent, "taskDescription": "do it", "cron": "* * * * *", "priority": plan.priority}
        body |= {"sessionId": plan.session} if plan.session else {}
        headers = {"authorization": f"Bearer {key_of(plan.tenant)}"}
        url = self._world.base_url + SCHEDULES_PATH
        answer = await self._caller.request("schedule", url, json.dumps(body).encode(), headers, "POST")
        if answer is None or answer.status == 503:
            return ""
        if answer.status != 201:
            self._world.broken("an_api_answer_is_a_known_one", f"{plan.agent}: {answer}")
        return str(json.loads(answer.body)["id"])


def each_time_starts_one_job(world: "World") -> str | None:
    """Each message of a schedule has started its job, unless the queue has given up on it; nothing else has."""
    started = {name: job for tree in world.trees.values() for name, job in tree.jobs.items()}
    for message_id, job_id in world.ticks.items():
        if job_id not in started and job_id not in world.returns.deleting and message_id not in world.delivery.given_up:
            return f"{message_id} of a schedule has started no job {job_id}"
    agents, known = {plan.agent for plan in world.plan.jobs if plan.ticks}, set(world.ticks.values())
    strange = [name for name, job in started.items() if job.agent in agents and name not in known]
    return f"{strange} were started by no time of a schedule" if strange else None


ON_ALL_SCHEDULED = (each_time_starts_one_job,)
