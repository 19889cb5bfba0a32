"""What must hold of calls that go on in the background, at the end of a world, by name, like endings.py."""

import json
from typing import TYPE_CHECKING

from baton.commands.taking_back import continuation_of
from baton.engine.background import call_of
from baton.engine.lifecycle import is_rolled_back
from baton.engine.transitions import JobStatus
from baton_events.ids import chat_job_id, job_of_call, operation_id, started_by
from tests.simulation.background import TOLD, operation_job_of
from tests.simulation.dying import died_in
from tests.simulation.ended import Ended
from tests.simulation.scripts import ALL_KINDS, BACKGROUND_TOOLS, WAITING_TOOLS
from tests.simulation.waiting_endings import TIMED_OUT

if TYPE_CHECKING:
    from tests.simulation.world import World

# Two of the hourly sweeps that bring on what is left over.
_SOON_MS = 7_200_000


def an_operation_ends_as_its_call_does(end: Ended) -> str | None:
    """With what its tool came to in its attempts, or with what somebody outside said, or because its time is up."""
    if not end.job.is_operation or not end.job.ended or end.undeliverable or end.job.status is JobStatus.CANCELLED:
        return None
    (call,) = (one for one in end.tree.calls[end.job.id].values() if one.tool in ALL_KINDS)
    text = end.tree.results.get(end.job.id, {}).get(call.id, "")
    if call.tool in WAITING_TOOLS:
        slept = json.dumps({"ok": {"slept": call.arguments["number"]}}, separators=(",", ":"))
        possible = {slept} if call.tool == "nap" else {TIMED_OUT, *end.world.outside.sent.get(call.id, ())}
        return None if text in possible else f"{end.job.id} ended with {text}; possible is {possible}"
    if call.tool not in BACKGROUND_TOOLS:
        return None
    how, times, retries = call.arguments["how"], call.arguments["times"], BACKGROUND_TOOLS[call.tool].retries
    fails = how in ("refuse", "huge", "strange") or (how in ("fail", "hang", "bug") and times > retries)
    died = call.error is not None and call.error.type == "process_died"
    if (end.job.status is JobStatus.FAILED) != fails and not died:
        return f"{end.job.id} is {end.job.status}: {call}"
    return None


def a_session_goes_on_once_with_each_operation(end: Ended) -> str | None:
    """By one job, which is told its outcome and answers; by none with one that was cancelled or rolled back."""
    world, job = end.world, end.job
    if not job.is_operation or not job.ended:
        return None
    (name,) = (operation_id(one.id) for one in end.tree.calls[job.id].values() if one.tool in ALL_KINDS)
    told_in = chat_job_id(job.tenant, job.session_id, name, "")
    tree = world.tree(told_in)
    told = tree.jobs.get(told_in)
    if world.memory.ever_struck(job.id) and (told is None or job.status is JobStatus.CANCELLED):
        return None  # it may have ended otherwise before, and what it ended with been told
    if job.status is JobStatus.CANCELLED:
        return f"{told_in} goes on with {job.id}, which is cancelled" if told else None
    if told is None:
        return None if _is_rolled_back(end) else f"nobody is told that {job.id} is {job.status}"
    text = json.loads(tree.transcript[told_in][0])["text"]
    if ("has failed" in text) != (job.status is JobStatus.FAILED) and not world.memory.ever_struck(job.id):
        return f"{told_in} is told {text!r}, and {job.id} is {job.status}"
    return None


def _is_rolled_back(end: Ended) -> bool:
    """Whether the job that made the call is: what its operation comes to is told to nobody."""
    owner_id = job_of_call(started_by(end.job.id)[0])
    owner = end.world.tree(owner_id).jobs.get(owner_id)
    return owner is not None and is_rolled_back(owner)


def who_goes_on_answers(end: Ended) -> str | None:
    """Its model is told once, and its answer is the job's."""
    job = end.job
    if job.is_operation or not job.ended or end.undeliverable or job.status is JobStatus.CANCELLED:
        return None
    if died_in(end.world, end.tree, job).turn:  # whether that may be is for the invariants of dying.py
        return None
    got = (job.status, (job.result or {}).get("answer"), job.used.turns)
    return None if got == (JobStatus.COMPLETED, TOLD, 1) else f"{job.id} ended as {got}: {job.error}"


def it_ends(end: Ended) -> str | None:
    """As every job does; where it is left to a sweep that there is not, it may stand."""
    if end.job.ended or not end.world.plan.backstop:
        return None
    return f"{end.job.id} is {end.job.status}: {list(end.tree.items.values())}"


def each_call_that_goes_on_has_its_operation(world: "World") -> str | None:
    for tree in world.trees.values():
        for calls in tree.calls.values():
            for call in calls.values():
                name = operation_job_of(call)
                lost = not name or name in world.tree(name).jobs or name in world.returns.deleting
                if not lost and not world.memory.ever_lost_writes(name):
                    return f"{call.id} goes on as {name}, which is not known"
    return None


def no_operation_is_of_nobody(world: "World") -> str | None:
    """Each was started by a call that is known, unless its job was deleted, or a failover has forgotten it."""
    for tree in world.trees.values():
        for job in tree.jobs.values():
            call_id = started_by(job.id)[0] if job.is_operation else ""
            owner = job_of_call(call_id) if call_id else ""
            known = not owner or call_id in world.tree(owner).calls.get(owner, {})
            if not known and owner not in world.returns.deleting and not world.memory.ever_struck(owner):
                return f"{job.id} is the operation of a call that is not known"
    return None


def what_was_rolled_back_goes_on_in_nothing(world: "World") -> str | None:
    """Of a job that its session is to forget, no operation goes on for long, and nobody is told of one.

    What a failover has forgotten may have been told before. Where nothing looks for what is left over, it may stand.
    """
    for tree in world.trees.values():
        for owner in filter(is_rolled_back, tree.jobs.values()):
            for call in tree.calls.get(owner.id, {}).values():
                call_id = call_of(owner, call)
                job_id = job_of_call(call_id)
                operation = world.tree(job_id).jobs.get(job_id)
                if operation is None or world.memory.ever_struck(owner.id) or world.memory.ever_struck(job_id):
                    continue
                told_in = continuation_of(operation, call_id)
                told = world.tree(told_in).jobs.get(told_in)
                late_ms = (operation.finished_at_ms or world.now_ms()) - (owner.finished_at_ms or 0)
                late = operation.status is not JobStatus.CANCELLED and late_ms > _SOON_MS and world.plan.backstop
                if late or (told and told.status is not JobStatus.CANCELLED and not world.memory.ever_struck(told_in)):
                    return f"{owner.id} is rolled back, and {job_id} is {operation.status}, told in {told}"
    return None


ON_BACKGROUND_AT_END = (
    it_ends,
    an_operation_ends_as_its_call_does,
    a_session_goes_on_once_with_each_operation,
    who_goes_on_answers,
)
ON_ALL_IN_BACKGROUND = (
    each_call_that_goes_on_has_its_operation,
    no_operation_is_of_nobody,
    what_was_rolled_back_goes_on_in_nothing,
)
