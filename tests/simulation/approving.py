"""Those who decide whether a call may run, and what must hold of such calls; by name, like invariants.py.

Each word is somebody's of their own, who tries again after an error. They hear of a question when it is recorded.
ON_DECISION: when somebody who decided was answered. ON_APPROVED_START: when a tool that needs approval starts.
ON_APPROVALS_AT_END: at the end of the world. Source: decisions/0019-agents-and-tools.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baton.engine.commit.tree import Tree
from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus
from baton.engine.waits import TOOL_APPROVAL
from baton.testing.asgi import Answer
from baton.testing.dice import number_of
from baton_events.ids import canonical_json, job_of_call, root_of
from tests.simulation.calling import Caller
from tests.simulation.ended import Ended
from tests.simulation.memory import STALE_SECONDS
from tests.simulation.operators import ADMIN_KEY, OTHER_ADMIN_KEY
from tests.simulation.scripts import APPROVED_TOOLS, COUNTERSIGNED, Message
from tests.simulation.starting import Start, forgotten, overtaken

if TYPE_CHECKING:
    from tests.simulation.world import World

_TENANT_OF_KEY = {ADMIN_KEY: "operators", OTHER_ADMIN_KEY: "others"}


@dataclass(frozen=True, slots=True)
class Decision:
    """Somebody decided, and was answered; `young`: a read may not show the question yet. `who`: their key."""

    world: "World"
    kind: str
    question: CallRecord
    requested_at: float
    answer: Answer
    faulty: bool
    young: bool
    who: str = ADMIN_KEY

    @property
    def repeats(self) -> bool:
        """Whether they say yes to what they have said yes to before, and somebody else must."""
        before = [one["by"] for one in self.question.arguments.get("approvals", ())]
        return self.kind in ("approve", "edit") and _TENANT_OF_KEY[self.who] in before

    @property
    def recorded(self) -> dict[str, Any]:
        return _decision(self.world.tree(job_of_call(self.question.id)), self.question)

    @property
    def forgotten(self) -> bool:
        return self.world.memory.lost_writes(job_of_call(self.question.id), self.requested_at)


def _decision(tree: Tree, question: CallRecord) -> dict[str, Any]:
    text = tree.results.get(job_of_call(question.id), {}).get(question.id, "")
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def _questions_about(tree: Tree, call: CallRecord) -> list[CallRecord]:
    calls = tree.calls.get(job_of_call(call.id), {}).values()
    return [other for other in calls if other.tool == TOOL_APPROVAL and other.arguments["callId"] == call.id]


def _people(tool: str) -> int:
    return 2 if tool == COUNTERSIGNED else 1


def _says(recorded: dict[str, Any], kind: str) -> bool:
    if kind == "reject":
        return bool(recorded.get("error", {}).get("type") == "rejected")
    return "ok" in recorded and (recorded["ok"]["arguments"] is not None) == (kind == "edit")


# When somebody was answered.


def a_decision_is_answered_as_it_should_be(found: Decision) -> str | None:
    """It counts, or comes too late, or cannot be taken now; what is wrong of itself never counts.

    Nobody decides about a job whose data is deleted.
    """
    known = {"other": (409, 503), "wrong": (409, 422, 503)}.get(found.kind, (200, 409, 503))
    known = (409, 503) if found.repeats else known
    if found.answer.status in (404, 410) and root_of(job_of_call(found.question.id)) in found.world.returns.deleting:
        return None
    unseen = found.answer.status == 404 and (
        found.young or found.world.memory.lost_writes(job_of_call(found.question.id))
    )
    return None if found.answer.status in known or unseen else f"{found.kind} of {found.question.id}: {found.answer}"


def a_decision_that_counts_is_recorded(found: Decision) -> str | None:
    if found.answer.status != 200 or found.forgotten or _says(found.recorded, found.kind):
        return None
    return f"{found.kind} of {found.question.id} was said to count; recorded is {found.recorded}"


def a_decision_that_is_refused_came_too_late(found: Decision) -> str | None:
    """Something else was decided, or its job has ended; one that is retried asks anew."""
    if found.answer.status != 409 or found.kind == "other" or found.forgotten or found.recorded or found.repeats:
        return None
    job_id = job_of_call(found.question.id)
    tree = found.world.tree(job_id)
    is_over = job_id not in tree.jobs or tree.jobs[job_id].ended or _is_withdrawn(tree.calls[job_id][found.question.id])
    return None if is_over else f"{found.kind} of {found.question.id} was refused; nothing is recorded"


def _is_withdrawn(question: CallRecord) -> bool:
    """Whether nobody has decided it, and a retry of its job awaits that no more."""
    return question.status is CallStatus.CANCELLED


ON_DECISION = (
    a_decision_is_answered_as_it_should_be,
    a_decision_that_counts_is_recorded,
    a_decision_that_is_refused_came_too_late,
)


# When a tool starts that needs approval.


def what_runs_was_approved(start: Start) -> str | None:
    """Somebody said yes to exactly these arguments; and, unless a failover forgot it, that is what is recorded."""
    if start.tool not in APPROVED_TOOLS:
        return None
    call_id = start.context.call_id
    if canonical_json(start.arguments) not in start.world.deciders.approved_it.get(call_id, set()):
        return f"{call_id} runs with {start.arguments}, to which nobody said yes"
    if forgotten(start) or overtaken(start):
        return None
    tree = start.world.tree(start.context.job_id)
    questions = _questions_about(tree, tree.calls[start.context.job_id][call_id])
    decided = [_decision(tree, question) for question in questions]
    return (
        None if sum("ok" in one for one in decided) >= _people(start.tool) else f"{call_id} runs; decided is {decided}"
    )


def what_runs_was_approved_by_enough_people(start: Start) -> str | None:
    """As many different people as must said yes to exactly these arguments."""
    if start.tool not in APPROVED_TOOLS:
        return None
    who = start.world.deciders.approvers.get((start.context.call_id, canonical_json(start.arguments)), set())
    return None if len(who) >= _people(start.tool) else f"{start.context.call_id} runs; {len(who)} said yes"


ON_APPROVED_START = (what_runs_was_approved, what_runs_was_approved_by_enough_people)


# At the end of the world.


def what_was_refused_never_ran(end: Ended) -> str | None:
    """Not once, unless a failover forgot that somebody had said yes before."""
    if end.world.memory.ever_lost_writes(end.job.id):
        return None
    for call in end.tree.calls.get(end.job.id, {}).values():
        if call.tool in APPROVED_TOOLS and call.id in end.world.actors.runs:
            decided = [_decision(end.tree, question) for question in _questions_about(end.tree, call)]
            if sum("ok" in one for one in decided) < _people(call.tool):
                return f"{call.id} ran; decided was {decided}"
    return None


def a_call_has_one_question(end: Ended) -> str | None:
    """Each call that needs approval has one question, and what became of it is what was decided.

    Where two people must approve, each question but the last one was approved. Each run of a retried job may ask.
    """
    for call in end.tree.calls.get(end.job.id, {}).values():
        if call.tool not in APPROVED_TOOLS:
            continue
        questions = _questions_about(end.tree, call)
        questions.sort(key=lambda one: one.position)
        if len(questions) > end.job.run and _people(call.tool) == 1:
            return f"{call.id} was asked about {len(questions)} times"
        error = call.error.type if call.error else ""
        refused = [_decision(end.tree, one).get("error", {}).get("type", "") for one in questions]
        if any(refused[:-1]) and end.job.run == 1:
            return f"{call.id} was asked about after it was {refused}"
        if end.job.status == "completed" and any(refused) and refused[-1:] != [error]:
            return f"{call.id} was {refused}, and ended with {error!r}"
    return None


ON_APPROVALS_AT_END = (what_was_refused_never_ran, a_call_has_one_question)

CHECKPOINTS_PATH = "/api/admin/agent-checkpoints"
EDITED_NONCE = 4711
_AGAIN = 141
_KINDS = ("approve", "approve", "reject", "edit", "other", "wrong")


class Deciders:
    """The people of one world. `approved_it`: call id → arguments with which somebody let it run, as JSON texts.

    `approvers`: who did, by call id and arguments.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._received: set[str] = set()
        self.approved_it: dict[str, set[str]] = {}
        self.approvers: dict[tuple[str, str], set[str]] = {}

    def written(self, before: Tree, after: Tree) -> None:
        """A commit was written: whoever will decide about a new question hears of it."""
        if after.calls is before.calls:
            return
        for calls in after.calls.values():
            for record in calls.values():
                if record.tool == TOOL_APPROVAL and record.id not in self._received:
                    self._received.add(record.id)
                    self._requested(record)

    def _requested(self, question: CallRecord) -> None:
        world, job_id = self._world, job_of_call(question.id)
        tree = world.tree(job_id)
        subject = tree.calls[job_id][question.arguments["callId"]]
        call = world.outside.call_of(tree.jobs[job_id], subject.arguments["number"])
        assert call.wait is not None, "its tool is one that asks"
        for number, message in enumerate(call.wait.words):
            world.start(self._send, message, f"{question.id}/{number}", question)

    async def _send(self, message: Message, label: str, question: CallRecord) -> None:
        world, kind = self._world, _KINDS[message.value]
        young_until = world.loop.seconds + 2 * STALE_SECONDS
        await asyncio.sleep(message.at)
        caller = Caller(world, label, job_of_call(question.id))
        for time in range(1 + message.repeats + message.twice):
            requested_at = world.loop.seconds
            who = OTHER_ADMIN_KEY if "people" in question.arguments and number_of(label) % 2 else ADMIN_KEY
            answer = await self._decide(caller, kind, question, who)
            if answer is not None:
                young = requested_at < young_until
                decision = Decision(
                    world, kind, question, requested_at, answer, faulty=caller.faulty, young=young, who=who
                )
                world.check(ON_DECISION, decision)
                if answer.status not in (404, 503) and not message.twice:
                    return
            await asyncio.sleep(0.1 + 40 * world.dice.roll(_AGAIN, number_of(label), time) ** 2)

    async def _decide(self, caller: Caller, kind: str, question: CallRecord, who: str) -> Any:
        about = question.arguments
        edited = {**about["arguments"], "nonce": EDITED_NONCE}
        body: dict[str, Any] = {"digest": "0" * 64 if kind == "other" else about["digest"]}
        if kind == "reject":
            body["reason"] = "no"
        if kind in ("edit", "wrong"):
            body["arguments"] = edited if kind == "edit" else {**edited, "number": "many"}
        if kind in ("approve", "edit"):
            arguments = edited if kind == "edit" else about["arguments"]
            self.approved_it.setdefault(about["callId"], set()).add(text := canonical_json(arguments))
            self.approvers.setdefault((about["callId"], text), set()).add(who)
        path = f"{CHECKPOINTS_PATH}/op_{question.id}"
        method = "DELETE" if kind == "reject" else "POST"
        return await caller.request("decide", method, path, body, who)
