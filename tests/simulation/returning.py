"""Those who come back to an ended job: they retry it, from its failure or its start, and delete its data.

What they were told is held to what is recorded, at that moment and at the end of the world; by name, what must hold.
"""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from baton.engine.transitions import CallStatus
from baton.testing.dice import Dice
from baton_events.ids import is_child
from tests.simulation.calling import SUBMIT_PATH, Caller, key_of
from tests.simulation.ended import Ended
from tests.simulation.invariants import Write
from tests.simulation.invocation import CURRENT
from tests.simulation.jobs import JobPlan, Return
from tests.simulation.watching import of

if TYPE_CHECKING:
    from tests.simulation.world import World

_RETURN, _CANCEL = 121, 122
# A job may be live, deleted, or not shown yet; and the world may be out of order.
_KNOWN = (404, 409, 410, 503)


def with_returns(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs, to most of which somebody comes back; many are cancelled, so that there is something to retry."""
    return tuple(_with_returns(dice, job) for job in jobs)


def _with_returns(dice: Dice, job: JobPlan) -> JobPlan:
    def roll(which: int) -> float:
        return dice.roll(_RETURN, job.index, which)

    cancel_at = job.cancel_at or (0.1 + roll(1) ** 3 * 60 if dice.chance(0.5, _CANCEL, job.index) else 0.0)
    at, returns = cancel_at, list[Return]()
    for number in range(int(roll(2) * 4)):
        # Often at once, or about when the backup message of what was done before comes.
        at += roll(10 + number) ** 2 * 20 if roll(20 + number) < 0.5 else 55 + roll(10 + number) * 200
        what = "delete" if roll(30 + number) < 0.2 else "start" if roll(30 + number) < 0.5 else "failure"
        returns.append(Return(at, what, twice=roll(40 + number) < 0.2))
    # Who reads a stream to its end reads that of one run: readers come to jobs to which nobody comes back.
    return replace(job, cancel_at=cancel_at, returns=tuple(returns), readers=0 if returns else job.readers)


class Returns:
    """What one world knows of those who came back.

    `requested`: how often the retry of a job was. `deleting`: jobs whose deletion was requested; `deleted`: those
    that were said to be. `cancelled_runs`: in which runs somebody saw a job when they asked to cancel it.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self.requested: Counter[str] = Counter()
        self.deleting: set[str] = set()
        self.deleted: set[str] = set()
        self.cancelled_runs: dict[str, set[int]] = {}

    def cancels(self, job_id: str) -> None:
        """Somebody asks to cancel a job, or has done so: the run in which it is now is one that they saw."""
        job = self._world.tree(job_id).jobs.get(job_id)
        self.cancelled_runs.setdefault(job_id, set()).add(job.run if job else 1)

    def accepted(self, plan: JobPlan, job_id: str) -> None:
        for number, what in enumerate(plan.returns):
            self._world.start(self._come_back, plan, what, f"{plan.agent}/return{number}", job_id)

    async def _come_back(self, plan: JobPlan, what: Return, label: str, job_id: str) -> None:
        await asyncio.sleep(what.at)
        for _ in range(2 if what.twice else 1):
            caller = Caller(self._world, label, job_id)
            key = key_of(plan.tenant)
            if what.what == "delete":
                await self._delete(caller, job_id, key)
            else:
                await self._retry(caller, job_id, key, what.what)

    async def _retry(self, caller: Caller, job_id: str, key: str, begin: str) -> None:
        self.requested[job_id] += 1
        body = {"action": "retry", "from": begin}
        answer = await caller.request("retry", "PATCH", f"{SUBMIT_PATH}/{job_id}", body, key)
        caller.check(answer, f"retry {job_id}", 200, *_KNOWN)
        if answer is not None and answer.status == 200:
            self._asked_to_run(job_id, json.loads(answer.body)["status"])

    def _asked_to_run(self, job_id: str, status: str) -> None:
        world, job = self._world, self._world.tree(job_id).jobs.get(job_id)
        fails = world.memory.lost_writes(job_id) or job_id in self.deleting
        if job is None and not fails:
            world.broken("who_is_told_that_it_runs_again_is_told_the_truth", f"{job_id} ({status}) is not there")
        if job is not None and job.run == 1 and not fails:
            world.broken("who_is_told_that_it_runs_again_is_told_the_truth", f"{job_id} ({status}) is {job}")

    async def _delete(self, caller: Caller, job_id: str, key: str) -> None:
        self.deleting.add(job_id)
        answer = await caller.request("delete", "DELETE", f"{SUBMIT_PATH}/{job_id}", key=key)
        caller.check(answer, f"delete {job_id}", 204, *_KNOWN)
        if answer is not None and answer.status == 204:
            self.deleted.add(job_id)


def each_retry_begins_one_run(write: Write) -> str | None:
    """One run for each time that somebody asked for one, however often that is told; of a job that had ended."""
    for job_id, job in write.after.jobs.items():
        old = write.before.jobs.get(job_id)
        if old is None or job.run == old.run:
            continue
        requested = write.world.returns.requested[job_id]
        if not old.ended or job.run != old.run + 1 or job.run - 1 > requested:
            return (
                f"{write.op} begins run {job.run} of {job_id}, after {old.run} ({old.status}), of {requested} retries"
            )
    return None


def a_cancellation_is_of_the_run_that_was_seen(write: Write) -> str | None:
    """Its backup message, which comes a minute later, does not cancel a run that has begun since.

    In which run a call that is still at work has seen the job, nobody knows yet.
    """
    if write.op != "record" or CURRENT.get().kind == "cancel":
        return None
    for job_id, job in write.after.jobs.items():
        old, seen = write.before.jobs.get(job_id), write.world.returns.cancelled_runs.get(job_id)
        if old is None or old.ended or job.status != "cancelled" or is_child(job_id) or seen is None:
            continue
        interrupting = tuple(f"submit:{plan.agent}#" for plan in write.world.plan.jobs if plan.interrupts)
        at_work = any(name.startswith((f"cancel:{job.agent}#", *interrupting)) for name in write.world.calling)
        if job.run not in seen and not at_work and not write.world.memory.lost_writes(job_id):
            return f"run {job.run} of {job_id} is cancelled; who cancelled saw {sorted(seen)}"
    return None


def what_is_deleted_stays_so(write: Write) -> str | None:
    before = write.before
    if before.tombstone is None or before.jobs or not write.after.jobs:
        return None
    return f"{write.op} brings back {', '.join(write.after.jobs)}"


def only_ended_jobs_are_deleted(write: Write) -> str | None:
    """By somebody who asked for it."""
    for job_id, job in write.before.jobs.items():
        if job_id in write.after.jobs:
            continue
        if (
            not job.ended
            or write.op != "remove"
            or not any(job_id == name or job_id.startswith(f"{name}.") for name in write.world.returns.deleting)
        ):
            return f"{write.op} removes {job_id}, which is {job.status}"
    return None


ON_RETURNS = (
    of("jobs", each_retry_begins_one_run),
    of("jobs", a_cancellation_is_of_the_run_that_was_seen),
    of("jobs", what_is_deleted_stays_so),
    of("jobs", only_ended_jobs_are_deleted),
)


def an_ended_run_leaves_no_call_open(end: Ended) -> str | None:
    """Code need not await what it has asked for."""
    if end.job.status != "completed" or end.job.run == 1 or end.job.model.runs_code:
        return None
    open_calls = [
        call.id
        for call in end.tree.calls.get(end.job.id, {}).values()
        if call.status in (CallStatus.QUEUED, CallStatus.RETRYING, CallStatus.WAITING)
    ]
    return f"{end.job.id} is completed, and {open_calls} are open" if open_calls else None


ON_RETURNS_AT_END = (an_ended_run_leaves_no_call_open,)


def check_deletions(world: "World") -> None:
    """Whoever was told that a job's data is deleted was told the truth, unless it was retried after a failover."""
    for job_id in world.returns.deleted:
        job = world.tree(job_id).jobs.get(job_id)
        if job is not None and not (world.memory.ever_lost_writes(job_id) and world.returns.requested[job_id]):
            world.broken("what_was_said_to_be_deleted_is_gone", f"{job_id} was said to be deleted, and is {job}")
