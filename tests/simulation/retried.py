"""What must hold of jobs that run again and of jobs that are deleted, by name, like invariants.py."""

from typing import TYPE_CHECKING

from baton.engine.transitions import CallStatus
from baton_events.ids import is_child
from tests.simulation.ended import Ended
from tests.simulation.invariants import Write
from tests.simulation.invocation import CURRENT
from tests.simulation.watching import of

if TYPE_CHECKING:
    from tests.simulation.world import World


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
    if end.job.status != "completed" or end.job.run == 1:
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
