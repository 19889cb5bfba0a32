"""What must hold of waits and of jobs below others at the end of a world, by name, like endings.py."""

from typing import TYPE_CHECKING

from baton.engine.state import CallRecord
from baton_events.ids import canonical_json, child_of, root_of
from tests.simulation.background import operation_job_of
from tests.simulation.constants import BACKSTOP_SECONDS, LONGEST_DELAY_SECONDS
from tests.simulation.ended import Ended
from tests.simulation.invariants import requested_by_model
from tests.simulation.scripts import WAITING_TOOLS, Script, WaitPlan

if TYPE_CHECKING:
    from tests.simulation.outside import Sent
    from tests.simulation.world import World

TIMED_OUT = canonical_json({"ok": {"timedOut": True}})


def what_ends_a_wait_was_sent(end: Ended) -> str | None:
    """A wait ends with what somebody outside said to it, with the end of its job below, or because its time is up."""
    if end.tree.jobs[root_of(end.job.id)].run > 1:
        return None  # what was said in an earlier run, and to which, is a matter of time
    results = end.tree.results.get(end.job.id, {})
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
    recorded = tree.results.get(shown.job_id, {}).get(shown.call_id, "")
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


def _is_in(script: Script, at: int, call: CallRecord) -> bool:
    return at < len(script.turns) and call.position < len(script.turns[at].calls)


def messages_of_waits(end: Ended) -> int:
    """How many messages the waits of a job may take besides one for each of its items: who wakes it, and its way."""
    most = 0
    script = end.plan.scripts()[end.job.agent]
    for call in requested_by_model(end.tree, end.job.id):
        first_turn = end.job.first_turn if call.turn >= end.job.first_turn else 1
        at = call.turn - first_turn  # of a run before the last one: wherever that is
        wait: WaitPlan | None = script.turns[at].calls[call.position].wait if _is_in(script, at, call) else None
        most += 1 + int(wait.seconds // LONGEST_DELAY_SECONDS) if wait else 0
    return most
