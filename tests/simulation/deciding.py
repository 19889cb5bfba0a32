"""Those who decide whether a call may run: each word is somebody's of their own, who tries again after an error.

They hear of a question when it is recorded. What they were told is held to what is recorded (ON_DECISION in
approving.py).
"""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from baton.engine.state import CallRecord
from baton.engine.waits import TOOL_APPROVAL
from baton.testing.dice import number_of
from baton_events.ids import canonical_json, job_of_call
from tests.fakes import Tree
from tests.simulation.approving import ON_DECISION, Decision
from tests.simulation.calling import Caller
from tests.simulation.memory import STALE_SECONDS
from tests.simulation.operators import ADMIN_KEY, OTHER_ADMIN_KEY
from tests.simulation.scripts import Message

if TYPE_CHECKING:
    from tests.simulation.world import World

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
        url = f"{self._world.base_url}{CHECKPOINTS_PATH}/op_{question.id}"
        headers = {"authorization": f"Bearer {who}"}
        method = "DELETE" if kind == "reject" else "POST"
        return await caller.request("decide", url, json.dumps(body).encode(), headers, method)
