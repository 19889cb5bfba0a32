"""What else starts jobs: a schedule of the queue, and a program that emits app events, through the queue or the API.

Invariant: a schedule's message that the queue has not given up on has started the job that follows from it, once. An
event that was accepted has, too, or is in one batch that has; a job of it that has failed is a dead letter, and no
other is.
"""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from baton.engine.commit.tree import Tree
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.testing.dice import Dice
from baton_events.app_event import app_event
from baton_events.emitter import Emitter
from baton_events.ids import event_job_id, scheduled_job_id
from baton_events.messages import Outgoing
from baton_events.timestamps import milliseconds
from tests.fakes.schedules import FakeSchedules
from tests.simulation.calling import Caller, key_of
from tests.simulation.jobs import JobPlan

if TYPE_CHECKING:
    from tests.simulation.world import World

SCHEDULES_PATH = "/api/agent-schedules"
_TICK, _AGAIN = 131, 132


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
            await asyncio.sleep(0.1 + 40 * world.dice.roll(_AGAIN, plan.index, self._caller.calls) ** 2)
        began = world.loop.seconds
        for tick in plan.ticks if schedule_id else ():
            await asyncio.sleep(max(0.0, began + tick - world.loop.seconds))
            message_id = world.queue.accept(world.schedules.messages[schedule_id])
            world.ticks[message_id] = scheduled_job_id(schedule_id, message_id)

    async def _made(self) -> str:
        plan = self._plan
        body = {"jobType": plan.agent, "taskDescription": "do it", "cron": "* * * * *", "priority": plan.priority}
        body |= {"sessionId": plan.session} if plan.session else {}
        answer = await self._caller.request("schedule", "POST", SCHEDULES_PATH, body, key_of(plan.tenant))
        if answer is None or answer.status == 503:
            return ""
        self._caller.check(answer, plan.agent, 201)
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

EVENTS_PATH = "/api/events"
_EMIT, _WAIT, _BATCH, _ONCE = 141, 142, 143, 144
_ONCE_SECONDS = 30 * 86_400
BATCHED = "batch."


def with_app_events(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    return tuple(
        _in_batches(dice, replace(job, emitted=True, keyed=True, delay_seconds=0, session=""))
        if dice.chance(0.7, _EMIT, job.index) and job.when_busy == "queue"
        else job
        for job in jobs
    )


def _in_batches(dice: Dice, job: JobPlan) -> JobPlan:
    if not dice.chance(0.3, _BATCH, job.index):
        return job
    size, seconds = dice.whole(1, 3, _BATCH, job.index, 1), dice.between(1, 20, _BATCH, job.index, 2)
    return replace(job, events=dice.whole(1, 5, _BATCH, job.index, 3), batch=(size, seconds))


def with_keys_of_one_job(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs; of those that app events start, most have events of one key, sent at about the same time."""
    return tuple(
        replace(job, once=True, events=dice.whole(2, 4, _ONCE, job.index, 1))
        if job.emitted and job.batch is None and dice.chance(0.8, _ONCE, job.index)
        else job
        for job in jobs
    )


def event_of(agent: str, *, batched: bool = False) -> str:
    """The name of the app event whose handler this agent is; `batched`: it takes batches of them."""
    return f"{BATCHED if batched else 'for.'}{agent}"


class Program:
    def __init__(self, world: "World", plan: JobPlan) -> None:
        self._world, self._plan = world, plan
        self._caller = Caller(world, plan.agent, plan.agent)

    async def run(self) -> None:
        """Emit them, each again after an error where the API takes it."""
        world, plan = self._world, self._plan
        await asyncio.sleep(plan.at)
        if plan.once:
            senders = (Program(world, plan) for _ in range(plan.events))
            await asyncio.gather(*(sender.send_once(nth) for nth, sender in enumerate(senders)))
            return
        for number in range(plan.events):
            if number:
                await asyncio.sleep(40 * world.dice.roll(_BATCH, plan.index, 3 + number) ** 3)
            await self._emit(f"-{number}" if number else "")

    async def _emit(self, number: str) -> None:
        world, plan = self._world, self._plan
        if world.dice.chance(0.5, _EMIT, plan.index, 1):
            event = app_event(
                self._name,
                {"text": "do it"},
                event_id=f"evt_{plan.index}{number}",
                tenant=plan.tenant,
                now_ms=world.now_ms(),
            )
            world.queue.accept(Emitter(world.settings, world.queue).message_of_app_event(event))
            world.emitted[event.id] = plan.agent
            return
        await self._send(number)

    async def send_once(self, nth: int) -> None:
        """Send an event of the plan's key, at about the same time as others do."""
        await asyncio.sleep(10 * self._world.dice.roll(_ONCE, self._plan.index, 2 + nth) ** 3)
        await self._send("")

    async def _send(self, number: str) -> None:
        """Send it by the API, again after an error."""
        world, plan = self._world, self._plan
        for _ in range(1 + plan.repeats):
            if await self._sent(number):
                return
            await asyncio.sleep(0.1 + 40 * world.dice.roll(_WAIT, plan.index, self._caller.calls) ** 2)

    @property
    def _name(self) -> str:
        return event_of(self._plan.agent, batched=self._plan.batch is not None)

    async def _sent(self, number: str) -> bool:
        plan, world = self._plan, self._world
        body: dict[str, Any] = {"name": self._name, "data": {"text": "do it"}}
        body |= {"onceFor": plan.key, "onceForSeconds": _ONCE_SECONDS} if plan.once else {}
        key = "" if plan.once else f"{plan.key}{number}"
        answer = await self._caller.request("emit", "POST", EVENTS_PATH, body, key_of(plan.tenant), idempotency_key=key)
        if answer is None or answer.status == 503:
            return False
        self._caller.check(answer, plan.agent, 202)
        world.emitted[json.loads(answer.body)["id"]] = plan.agent
        return True


def each_app_event_starts_one_job(world: "World") -> str | None:
    """Each event that was accepted has started its job, and nothing else has."""
    started = {name: job for tree in world.trees.values() for name, job in tree.jobs.items()}
    agents = {plan.agent for plan in world.plan.jobs if plan.emitted and not plan.batch} & set(world.emitted.values())
    expected = {event_job_id(event_id, agent): agent for event_id, agent in world.emitted.items() if agent in agents}
    standing = {event_job_id(event_id, world.emitted[event_id]) for event_id in _standing(world)}
    for job_id, agent in expected.items():
        if job_id not in started and job_id not in world.returns.deleting | standing:
            return f"the event of {agent} has started no job {job_id}"
    more = [job.id for job in started.values() if job.agent in agents and job.id not in expected]
    return f"{more} were started by no event" if more else None


def _standing(world: "World") -> set[str]:
    """The events whose message and its callback are dead letters, which only the hourly sweep would deliver again."""
    dead = () if world.plan.backstop else world.queue.dead.values()
    return {message.event_id for message, _ in dead} & set(world.emitted)


def a_key_has_one_job(world: "World") -> str | None:
    """However often events of a key are sent, one of them counts, and has one job."""
    jobs = [job for tree in world.trees.values() for job in tree.jobs.values()]
    for plan in world.plan.jobs:
        if not plan.once:
            continue
        events = [event_id for event_id, agent in world.emitted.items() if agent == plan.agent]
        started = [job.id for job in jobs if _is_of(plan, job)]
        if len(events) > 1 or len(started) > 1:
            return f"the key of {plan.agent} has the events {events}, and the jobs {started}"
    return None


def each_batched_event_is_in_one_batch(world: "World") -> str | None:
    """Each event that was accepted, and no batch has more than its size, or begins before it is full or its time."""
    for plan in world.plan.jobs:
        if plan.batch is None:
            continue
        batches = [
            _batch_of(tree, job) for tree in world.trees.values() for job in tree.jobs.values() if _is_of(plan, job)
        ]
        taken = Counter(event["id"] for _, events in batches for event in events)
        emitted = {event_id for event_id, agent in world.emitted.items() if agent == plan.agent}
        lost = sorted(emitted - set(taken) - _standing(world))
        more = [event_id for event_id, times in taken.items() if times > 1]
        if lost or more:
            return f"of the events of {plan.agent} {lost} are in no batch, and {more} in several"
        size, seconds = plan.batch
        for job, events in batches:
            first_ms = min(milliseconds(datetime.fromisoformat(event["createdAt"])) for event in events)
            early = len(events) < size and job.created_at_ms < first_ms + seconds * 1000 - 2 * world.plan.skew_ms
            if early or len(events) > size:
                return f"{job.id} of {plan.agent} takes {len(events)} events at {job.created_at_ms - first_ms} ms"
    return None


def _is_of(plan: JobPlan, job: Job) -> bool:
    return job.agent == plan.agent and bool(job.notifies) and not job.is_operation


def _batch_of(tree: Tree, job: Job) -> tuple[Job, list[dict[str, Any]]]:
    task = json.loads(tree.transcript[job.id][0])
    return job, task["data"]["data"]


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


ON_ALL_EMITTED = (
    each_app_event_starts_one_job,
    a_key_has_one_job,
    each_batched_event_is_in_one_batch,
    a_failed_handler_is_a_dead_letter,
)
