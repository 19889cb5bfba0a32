"""What must hold of waits, child jobs and calls in the background at the end of a world; by name, like endings.py."""

import json
from typing import TYPE_CHECKING

from baton.engine.background_calls import call_of
from baton.engine.lifecycle import is_rolled_back
from baton.engine.state import CallRecord
from baton.engine.transitions import JobStatus
from baton.worker.commands.taking_back import continuation_of
from baton_events.ids import (
    canonical_json,
    chat_job_id,
    child_of,
    job_of_call,
    operation_id,
    root_of,
    started_by,
    step_number,
)
from tests.simulation.background import TOLD, operation_job_of
from tests.simulation.constants import BACKSTOP_SECONDS, LONGEST_DELAY_SECONDS
from tests.simulation.dying import died_in
from tests.simulation.ended import Ended
from tests.simulation.invariants import requested_by_model
from tests.simulation.objects import whole_texts
from tests.simulation.scripts import ALL_KINDS, BACKGROUND_TOOLS, WAITING_TOOLS, Script, WaitPlan, place_of

if TYPE_CHECKING:
    from tests.simulation.outside import Sent
    from tests.simulation.world import World

TIMED_OUT = canonical_json({"ok": {"timedOut": True}})


def what_ends_a_wait_was_sent(end: Ended) -> str | None:
    """A wait ends with what somebody outside said to it, with the end of its job below, or because its time is up."""
    if end.tree.jobs[root_of(end.job.id)].run > 1:
        return None  # what was said in an earlier run, and to which, is a matter of time
    results = whole_texts(end.world, end.tree.results.get(end.job.id, {}))
    for call in end.tree.calls.get(end.job.id, {}).values():
        text = results.get(call.id, "")
        if call.tool not in WAITING_TOOLS or not text or not _waited(call) or operation_job_of(call):
            continue
        if text not in _possible(end, call):
            return f"{call.id} ended with {text}; possible is {_possible(end, call)}"
    return None


def _waited(call: CallRecord) -> bool:
    """Whether it got as far as to wait: its record says so of an operation and a child; else its script."""
    return call.arguments.get("how") != "refuse" and (call.error is None or bool(call.operation_id or call.child))


def _possible(end: Ended, call: CallRecord) -> set[str]:
    sent = end.world.outside.sent
    match call.tool:
        case "order":
            return {TIMED_OUT, *sent.get(call.id, ())}
        case "listen":
            return {TIMED_OUT, *sent.get(end.job.id, ())}
        case "nap":
            return {canonical_json({"ok": {"slept": call.arguments["number"]}})}
        case _:
            return {_answer_of(end, child_of(call.id))}


def _answer_of(end: Ended, child_id: str) -> str:
    """What the end of a job below is to the call that started it."""
    child = end.tree.jobs.get(child_id)
    if child is None or not child.ended:
        return "the end of a job that has not ended"
    if child.error is not None:
        message = f"agent {child.agent!r} (job {child.id}): {child.error.message}"
        return canonical_json({"error": {"type": child.error.type, "message": message}})
    return canonical_json({"ok": (child.result or {}).get("answer", "")})


def a_child_has_a_parent(end: Ended) -> str | None:
    """The call that started it says so, and only that one."""
    if not end.job.parent_call or end.tree.jobs[root_of(end.job.id)].run > 1:
        return None
    starters = [call.id for calls in end.tree.calls.values() for call in calls.values() if call.child == end.job.id]
    return None if starters == [end.job.parent_call] else f"{end.job.id} was started by {starters}"


ON_WAITS_AT_END = (what_ends_a_wait_was_sent, a_child_has_a_parent)


def what_counted_is_not_lost(taken: "tuple[World, Sent]") -> str | None:
    """An outcome that was taken in stays; one that a failover forgot is told again, in time for a wait that goes on."""
    world, shown = taken
    tree, root = world.tree(shown.job_id), root_of(shown.job_id)
    if world.returns.requested[root] or root in world.returns.deleting:
        return None  # the call may have run again
    recorded = whole_texts(world, tree.results.get(shown.job_id, {})).get(shown.call_id, "")
    call = tree.calls.get(shown.job_id, {}).get(shown.call_id)
    if call is None or recorded == shown.outcome or not shown.call_id:
        return None
    if not call.operation_id:
        return None  # it has not come to wait: its tool failed, or the job has ended
    if not world.memory.lost_writes(shown.job_id, shown.requested_at):
        return f"{shown} was said to count; recorded is {recorded}"
    finished_at = ((call.finished_at_ms or 0) - world.epoch_ms) / 1000
    if recorded == TIMED_OUT and finished_at - shown.at > BACKSTOP_SECONDS:
        return f"{shown} was said to count and forgotten; {call} timed out"
    return None


ON_TAKEN = (what_counted_is_not_lost,)


def _is_in(script: Script, at: int, position: int) -> bool:
    return at < len(script.turns) and position < len(script.turns[at].calls)


def messages_of_waits(end: Ended) -> int:
    """How many messages the waits of a job may take besides one for each of its items: who wakes it, and its way."""
    most = 0
    script = end.plan.scripts()[end.job.agent]
    for call in requested_by_model(end.tree, end.job.id):
        first_turn = end.job.first_turn if call.turn >= end.job.first_turn else 1
        turn, position = place_of(script, call)
        at = turn - (1 if step_number(call.id) else first_turn)  # of a run before the last one: wherever that is
        wait: WaitPlan | None = script.turns[at].calls[position].wait if _is_in(script, at, position) else None
        most += 1 + int(wait.seconds // LONGEST_DELAY_SECONDS) if wait else 0
    return most


# Two of the hourly sweeps that bring on what is left over.
_SOON_MS = 7_200_000


def an_operation_ends_as_its_call_does(end: Ended) -> str | None:
    """With what its tool came to in its attempts, or with what somebody outside said, or because its time is up."""
    if not end.job.is_operation or not end.job.ended or end.undeliverable or end.job.status is JobStatus.CANCELLED:
        return None
    (call,) = (one for one in end.tree.calls[end.job.id].values() if one.tool in ALL_KINDS)
    text = whole_texts(end.world, end.tree.results.get(end.job.id, {})).get(call.id, "")
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
    """By one job, which is told its outcome and answers; by none with one that was cancelled before, or rolled back."""
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
        come = end.tree.results.get(job.id, {}).keys() & end.tree.calls[job.id].keys()  # and was answered before
        return f"{told_in} goes on with {job.id}, which is cancelled" if told and not come else None
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
