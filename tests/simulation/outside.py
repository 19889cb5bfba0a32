"""Those outside for whom jobs wait: they complete operations, tell of events, cancel jobs below others, and look.

Each word is said by somebody of their own, who tries again after an error. What they were told is held to what is
recorded, at that moment and at the end of the world (ON_ANSWER in waiting.py, waiting_endings.py).
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baton.engine.state import Job
from baton.sdk.tools.context import ToolContext
from baton.testing.asgi import Answer
from baton.testing.dice import number_of
from baton_events.ids import call_of_operation, canonical_json, child_of, job_of_call, root_of, started_by
from tests.simulation.calling import SUBMIT_PATH, Caller, key_of
from tests.simulation.jobs import JobPlan
from tests.simulation.memory import STALE_SECONDS
from tests.simulation.odd import Rude
from tests.simulation.scripts import CallPlan, Message
from tests.simulation.waiting import ON_ANSWER, Answered

if TYPE_CHECKING:
    from tests.simulation.world import World

OPERATIONS_KEY = "key of operations"
OPERATIONS_PATH = "/api/operations"
_AGAIN = 111
# A read may not show yet what has just been written.
_YOUNG_SECONDS = 2 * STALE_SECONDS


@dataclass(frozen=True, slots=True)
class Sent:
    """A word that was taken in: of which call (empty: an event), its outcome, when it was asked and answered."""

    job_id: str
    call_id: str
    outcome: str
    requested_at: float
    at: float


def outcome_of(message: Message) -> dict[str, Any]:
    if message.value % 2:
        return {"error": {"type": "operation_failed", "message": f"no {message.value}"}}
    return {"ok": {"value": message.value}}


class Outside:
    """Whoever is outside of one world.

    `sent`: what was said, taken in or not, by call id, or by job id for events. `taken`: what was said to count.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._plans = {agent: plan for plan in world.plan.jobs for agent in plan.scripts()}
        self._begun: set[str] = set()
        self._tenants: dict[str, str] = {}
        self.sent: dict[str, set[str]] = {}
        self.taken: list[Sent] = []

    def plan_of(self, agent: str) -> JobPlan:
        return self._plans[agent]

    def accepted(self, plan: JobPlan, job_id: str) -> None:
        """A job was accepted: events will happen to it, and somebody looks at it."""
        self._tenants[job_id] = plan.tenant
        if self._world.plan.odd:
            self._world.start(Rude(self._world, plan, job_id).run)
        for number, message in enumerate(plan.words):
            self._world.start(self._send, message, f"{plan.agent}/{number}", job_id, "")
        for number, at in enumerate(plan.checks):
            self._world.start(self._check, at, f"{plan.agent}/look{number}", job_id)

    def claim_result(self, context: ToolContext, number: int) -> None:
        """A tool whose call is to wait has begun; the first time, those who will speak to it hear of it."""
        world, call_id = self._world, context.call_id
        job = world.tree(context.job_id).jobs.get(context.job_id)
        if call_id in self._begun or job is None:
            return
        self._begun.add(call_id)
        call = self.call_of(job, number)
        assert call.wait is not None, "its tool is one that waits"
        operation = call_of_operation(context.operation_id)  # its own, or in the background
        for at, message in enumerate(call.wait.words):
            about, job_id = ("", context.job_id) if message.event else (operation, job_of_call(operation))
            world.start(self._send, message, f"{call_id}/{at}", job_id, about)
        if call.wait.cancel_at:
            started = child_of(call_id) if operation == call_id else job_of_call(operation)
            world.start(self._cancel, call.wait.cancel_at, started)

    def call_of(self, job: Job, number: int) -> CallPlan:
        """The call of that number, which is made of the turn and the position that it has in the script."""
        turn, position = divmod(number, 100)
        plan = self._plans[job.agent]
        self._tenants[root_of(job.id)] = plan.tenant
        return plan.scripts()[job.agent].turns[turn - 1].calls[position]

    async def _send(self, message: Message, label: str, job_id: str, call_id: str) -> None:
        """Complete an operation, or tell of an event; again after an error, and sometimes once more."""
        young_until = self._world.loop.seconds + _YOUNG_SECONDS
        await asyncio.sleep(message.at)
        kind = "complete" if call_id else "event"
        caller = Caller(self._world, label, job_id)

        async def once() -> Answer | None:
            requested_at = self._world.loop.seconds
            if call_id:
                outcome = canonical_json(outcome_of(message))
                answer = await self._complete(caller, message, call_id, outcome)
            else:
                outcome = canonical_json({"ok": {"said": f"{label}#{caller.calls}"}})
                answer = await self._event(caller, message, job_id, outcome)
            if answer is not None:
                shown = Sent(job_id, call_id, outcome, requested_at, self._world.loop.seconds)
                young = requested_at < young_until
                found = Answered(self._world, kind, shown, answer, caller.faulty, young, caller.last)
                self._world.check(ON_ANSWER, found)
                if answer.status == 202 or (answer.status == 200 and json.loads(answer.body)["applied"]):
                    self.taken.append(shown)
            return answer

        await self._repeating(once, message.repeats, number_of(label))
        if message.twice:
            await once()

    async def _repeating(
        self, once: Callable[[], Coroutine[Any, Any, Answer | None]], repeats: int, number: int
    ) -> None:
        for time in range(1 + repeats):
            answer = await once()
            if answer is not None and answer.status not in (404, 503):
                return
            await asyncio.sleep(0.1 + 40 * self._world.dice.roll(_AGAIN, number, time) ** 2)

    async def _complete(self, caller: Caller, message: Message, call_id: str, outcome: str) -> Answer | None:
        self.sent.setdefault(call_id, set()).add(outcome)
        found = outcome_of(message)
        body: dict[str, Any] = {"success": "ok" in found}
        body |= {"result": found["ok"]} if "ok" in found else {"error": found["error"]["message"]}
        path = f"{OPERATIONS_PATH}/op_{call_id}/complete"
        return await caller.request("complete", "POST", path, body, x_api_key=OPERATIONS_KEY)

    async def _event(self, caller: Caller, message: Message, job_id: str, outcome: str) -> Answer | None:
        self.sent.setdefault(job_id, set()).add(outcome)
        body = {"name": message.event, "data": json.loads(outcome)["ok"]}
        return await caller.request("event", "POST", f"{SUBMIT_PATH}/{job_id}/events", body, self._key(job_id))

    async def _cancel(self, at: float, job_id: str) -> None:
        world = self._world
        await asyncio.sleep(at)
        if job_id not in world.tree(job_id).jobs:
            return
        world.cancelling.add(job_id)
        caller = Caller(world, job_id, job_id)
        path, body = f"{SUBMIT_PATH}/{job_id}", {"action": "cancel"}
        answer = await caller.request("cancel", "PATCH", path, body, self._key(job_id))
        if answer is not None and answer.status == 200:
            world.cancelled.add(job_id)
        elif root_of(job_id) not in world.returns.deleting:
            caller.check(answer, f"cancel {job_id}", 404, 409, 503)

    async def _check(self, at: float, label: str, job_id: str) -> None:
        world = self._world
        await asyncio.sleep(at)
        for name in [job_id, *(name for name in world.tree(job_id).jobs if name.startswith(f"{job_id}."))]:
            before, now_ms = world.tree(name), world.now_ms()
            caller = Caller(world, f"{label}:{name}", name)
            answer = await caller.request("look", "GET", f"{SUBMIT_PATH}/{name}", key=self._key(job_id))
            if answer is not None and answer.status == 200 and world.tree(name) is before and not caller.faulty:
                seen = Sent(name, "", answer.body.decode(), now_ms / 1000, world.loop.seconds)
                world.check(ON_ANSWER, Answered(world, "look", seen, answer, faulty=False, young=False))
            elif job_id not in world.returns.deleting:
                caller.check(answer, f"look {name}", 200, 404, 503)

    def _key(self, job_id: str) -> str:
        owner = job_of_call(started_by(job_id)[0]) or job_id
        return key_of(self._tenants[root_of(owner)])
