"""Jobs that app events start: a program emits one, through the queue or the API, and the agent is its handler.

Invariant: an event that was accepted has started the job that follows from it, once; a job of it that has failed is a
dead letter, and no other is.
"""

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from baton.engine.transitions import JobStatus
from baton.testing.dice import Dice
from baton_events.app_event import app_event
from baton_events.emitter import Emitter
from baton_events.ids import event_job_id
from tests.simulation.calling import Caller, key_of
from tests.simulation.jobs import JobPlan

if TYPE_CHECKING:
    from tests.simulation.world import World

EVENTS_PATH = "/api/events"
_EMIT, _WAIT = 141, 142


def with_app_events(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs, of which app events start most."""
    return tuple(
        replace(job, emitted=True, keyed=True, delay_seconds=0, session="")
        if dice.chance(0.7, _EMIT, job.index) and job.when_busy == "queue"
        else job
        for job in jobs
    )


def event_of(agent: str) -> str:
    """The name of the app event whose handler this agent is."""
    return f"for.{agent}"


class Program:
    """Emits one app event."""

    def __init__(self, world: "World", plan: JobPlan) -> None:
        self._world, self._plan = world, plan
        self._caller = Caller(world, plan.agent, plan.agent)

    async def run(self) -> None:
        """Emit it, again after an error where the API takes it."""
        world, plan = self._world, self._plan
        await asyncio.sleep(plan.at)
        if world.dice.chance(0.5, _EMIT, plan.index, 1):
            event = app_event(
                event_of(plan.agent),
                {"text": "do it"},
                event_id=f"evt_{plan.index}",
                tenant=plan.tenant,
                now_ms=world.now_ms(),
            )
            world.queue.accept(Emitter(world.settings, world.queue).message_of_app_event(event))
            world.emitted[plan.agent] = event.id
            return
        for _ in range(1 + plan.repeats):
            if await self._sent():
                return
            await asyncio.sleep(0.1 + 40 * world.dice.roll(_WAIT, plan.index, self._caller.calls) ** 2)

    async def _sent(self) -> bool:
        plan, world = self._plan, self._world
        headers = {"authorization": f"Bearer {key_of(plan.tenant)}", "idempotency-key": f"key-{plan.index}"}
        body = json.dumps({"name": event_of(plan.agent), "data": {"text": "do it"}}).encode()
        answer = await self._caller.request("emit", world.base_url + EVENTS_PATH, body, headers, "POST")
        if answer is None or answer.status == 503:
            return False
        if answer.status != 202:
            world.broken("an_api_answer_is_a_known_one", f"{plan.agent}: {answer}")
        world.emitted[plan.agent] = json.loads(answer.body)["id"]
        return True


def each_app_event_starts_one_job(world: "World") -> str | None:
    """Each event that was accepted has started its job, and nothing else has."""
    started = {name: job for tree in world.trees.values() for name, job in tree.jobs.items()}
    agents = {plan.agent for plan in world.plan.jobs if plan.emitted}
    expected = {event_job_id(event_id, agent): agent for agent, event_id in world.emitted.items()}
    for job_id, agent in expected.items():
        if job_id not in started and job_id not in world.returns.deleting:
            return f"the event of {agent} has started no job {job_id}"
    strange = [job for job in started.values() if job.agent in agents and job.agent in world.emitted]
    more = [job.id for job in strange if job.id not in expected]
    return f"{more} were started by no event" if more else None


def a_failed_handler_is_a_dead_letter(world: "World") -> str | None:
    """Once it has failed for good; one that a failover has made fail again is one all the same."""
    for tree in world.trees.values():
        for job in tree.jobs.values():
            handles = job.notifies and not job.is_operation
            if handles and job.status is JobStatus.FAILED and job.id not in world.dead_letters:
                return f"{job.id} of {job.agent} has failed, and is no dead letter"
            if job.id in world.dead_letters and not job.notifies:
                return f"{job.id} is a dead letter, and no handler's job"
    return None


ON_ALL_EMITTED = (each_app_event_starts_one_job, a_failed_handler_is_a_dead_letter)
