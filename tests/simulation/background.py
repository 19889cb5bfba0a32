"""Chats: what calls of a job wait for goes on in the background, by jobs of their own, and their session goes on then.

Clients of these worlds submit as chats do; tools of one kind go on in the background in any job.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from baton.engine.background_calls import started_in
from baton.engine.commit.tree import Tree
from baton.engine.state import CallRecord, Job
from baton.server.api.jobs import job as submitting
from baton.server.api.jobs import submission
from baton.testing.dice import Dice
from baton_events.ids import is_child, job_of_call, started_by
from tests.simulation.jobs import TENANTS, JobPlan, with_calls
from tests.simulation.scripts import BACKGROUND_TOOLS, TOOLS, CallPlan
from tests.simulation.speaking import number_in

if TYPE_CHECKING:
    from tests.simulation.outside import Sent
    from tests.simulation.world import World

_CALL, _JOB = 191, 192
_SPARED = ("unknown", "bad", "kill")
TOLD = "it has been told"


def with_background(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs, most of which are chats; many of their calls are of tools that go on in the background.

    Some share a session, where a message may roll back those before it.
    """
    chats = (_chat(dice, job) if dice.chance(0.85, _JOB, job.index) else job for job in jobs)
    return tuple(_rolling_back(dice, job) if dice.chance(0.4, _JOB, job.index, 1) else job for job in chats)


def _rolling_back(dice: Dice, job: JobPlan) -> JobPlan:
    if job.when_busy != "queue" or job.ticks or job.emitted:
        return job
    when_busy = "rollback" if dice.chance(0.4, _JOB, job.index, 2) else "queue"
    return replace(job, tenant=TENANTS[0], session="shared", when_busy=when_busy)


def _chat(dice: Dice, job: JobPlan) -> JobPlan:
    def call(plan: CallPlan, script: int, turn: int, position: int) -> CallPlan:
        where = (_CALL, job.index, turn - 1, position)
        if script or job.script.plans:
            return plan
        if plan.tool == "order" and plan.wait and dice.roll(*where, 1) < 0.15:
            cancel_at = 0.1 + dice.roll(*where, 2) ** 2 * plan.wait.seconds
            return replace(plan, wait=replace(plan.wait, cancel_at=cancel_at))
        if plan.tool not in TOOLS or plan.how in _SPARED or dice.roll(*where) < 0.5:
            return plan
        return replace(
            plan, tool=next(iter(BACKGROUND_TOOLS)), times=min(plan.times, 2), seconds=min(plan.seconds, 20.0)
        )

    return replace(with_calls(job, call), chats=True)


_NEW_JOB = submission.new_job
_CHATS = set[str]()


def submitting_as_chats(plans: tuple[JobPlan, ...]) -> None:
    """From now on the API makes the jobs of these plans as a chat's endpoint does."""
    _CHATS.clear()
    _CHATS.update(plan.agent for plan in plans if plan.chats)


def _new_job(*given: Any, **named: Any) -> Job:
    job = _NEW_JOB(*given, **named)
    return structs.replace(job, background=True) if job.agent in _CHATS else job


setattr(submitting, "new_job", _new_job)  # noqa: B010 - who submits is the world's


def continues(tree: Tree, job_id: str) -> bool:
    """Whether a job continues its session with the outcome of an operation."""
    return '"continues":' in "".join(tree.transcript.get(job_id, ())[:1])


def is_in_background(tree: Tree, job: Job) -> bool:
    return job.is_operation or continues(tree, job.id)


def operation_job_of(call: CallRecord) -> str:
    """The job by which a call goes on in the background; empty: it does not."""
    return "".join(started_in([call]))


def never_went_on(world: "World", job_id: str) -> bool:
    """Whether a call is over whose tool did not come to wait: then there is no operation of it."""
    call_id = started_by(job_id)[0]
    owner = world.tree(job_of_call(call_id))
    job, call = owner.jobs.get(job_of_call(call_id)), owner.calls.get(job_of_call(call_id), {}).get(call_id)
    is_over = call is not None and bool(call.finished_at_ms or (job and job.ended))
    return is_over and job_id not in world.tree(job_id).jobs


def is_forgotten(world: "World", shown: "Sent") -> bool:
    """Whether a failover forgot what it is about lately, or for good; or the call that starts it in the background."""
    job_id, memory = shown.job_id, world.memory
    if memory.lost_writes(job_id) or (memory.ever_lost_writes(job_id) and _is_made_no_more(world.tree(job_id), shown)):
        return True
    call_id, _ = started_by(job_id)
    return bool(call_id) and is_forgotten(world, replace(shown, job_id=job_of_call(call_id), call_id=call_id))


def _is_made_no_more(tree: Tree, shown: "Sent") -> bool:
    job, calls = tree.jobs.get(shown.job_id), tree.calls.get(shown.job_id, {})
    if job is None or not shown.call_id or shown.call_id in calls:
        return job is None and is_child(shown.job_id)
    turn = number_in(shown.call_id) // 100
    return job.ended or any(call.turn == turn for call in calls.values())
