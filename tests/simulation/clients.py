"""Those who submit jobs: they try again after an error, with their Idempotency-Key or without one, and some twice."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from baton.testing.asgi import Answer
from tests.simulation.calling import SUBMIT_PATH, Caller, key_of
from tests.simulation.jobs import JobPlan
from tests.simulation.memory import STALE_SECONDS
from tests.simulation.programs import WORKFLOW, turns_of
from tests.simulation.sessions import live_of, who_interrupts_is_next
from tests.simulation.stream_readers import FrontEnd, StreamReader

if TYPE_CHECKING:
    from tests.simulation.world import World

_WAIT = 61


class Client:
    def __init__(self, world: "World", plan: JobPlan) -> None:
        self._world = world
        self._plan = plan
        self._caller = Caller(world, plan.agent, plan.agent)
        self._job_id = ""
        self._accepted_at = 0.0
        self._told = False

    async def run(self) -> None:
        plan = self._plan
        await asyncio.sleep(plan.at)
        for _ in range(1 + plan.repeats):
            answer = await self._submit("do it")
            if answer is not None and answer.status == 202:
                break
            await asyncio.sleep(0.1 + 40 * self._world.dice.roll(_WAIT, plan.index, self._caller.calls) ** 2)
        if self._job_id:
            self._world.outside.accepted(plan, self._job_id)
            self._world.returns.accepted(plan, self._job_id)
        for number in range(plan.readers if self._job_id else 0):
            reader = (FrontEnd if self._world.plan.front_ends else StreamReader)(
                self._world, plan, self._job_id, number
            )
            self._world.readers.append(reader)
            self._world.start(reader.run)
        if plan.cancel_at and self._job_id:
            self._world.start(self._cancel)
        if plan.again_at and (self._job_id or self._told):
            await asyncio.sleep(plan.again_at)
            if plan.other_body:
                await self._other()
            else:
                await self._submit("do it")

    async def _other(self) -> None:
        answer = await self._submit("do something else")
        forgotten = self._world.memory.lost_writes(self._job_id)
        if answer is not None and answer.status not in (422, 503) and not forgotten and not self._gone(answer):
            self._world.broken("another_body_is_refused", f"{self._job_id}: {answer}")

    async def _cancel(self) -> None:
        world, plan = self._world, self._plan
        await asyncio.sleep(plan.cancel_at)
        world.cancelling.add(self._job_id)
        world.returns.cancels(self._job_id)
        requested_at = world.loop.seconds
        path = f"{SUBMIT_PATH}/{self._job_id}"
        answer = await self._caller.request("cancel", "PATCH", path, {"action": "cancel"}, key_of(plan.tenant))
        world.returns.cancels(self._job_id)
        if answer is not None and answer.status == 200:
            world.cancelled.add(self._job_id)
        elif answer is not None and not self._unseen(answer, requested_at) and not self._gone(answer):
            self._caller.check(answer, f"cancel {self._job_id}", 409, 503)

    def _gone(self, answer: Answer) -> bool:
        """Whether it is said to be deleted, by somebody who asked for that."""
        return answer.status == 410 and self._job_id in self._world.returns.deleting

    def _unseen(self, answer: Answer, requested_at: float) -> bool:
        """Whether a job is said to be unknown: a failover forgot it, or a read does not show it yet."""
        memory, young = self._world.memory, requested_at < self._accepted_at + 2 * STALE_SECONDS
        return answer.status == 404 and (young or memory.lost_writes(self._job_id))

    async def _submit(self, text: str) -> Answer | None:
        """One call of the API; None when the connection broke."""
        world, plan = self._world, self._plan
        body: dict[str, Any] = {"jobType": plan.agent, "taskDescription": text, "priority": plan.priority}
        if plan.input_bytes:
            body["inputData"] = {"text": '"' * (plan.input_bytes // 2)}  # each of them takes two bytes, and more inside
        if plan.script.program == WORKFLOW:
            body["inputData"] = {"turns": turns_of(plan.script)}
        if plan.delay_seconds:
            body["delaySeconds"] = plan.delay_seconds
        if plan.session:
            body["sessionId"] = plan.session
        headers = {"idempotency_key": plan.key} if plan.keyed else {}
        if plan.when_busy != "queue":
            body["whenBusy"] = plan.when_busy
        claim_result = live_of(world)
        self._sees_the_session()
        answer = await self._caller.request("submit", "POST", SUBMIT_PATH, body, key_of(plan.tenant), **headers)
        self._sees_the_session()
        world.answered[plan.agent].add(answer.status if answer is not None else 0)
        known = (422, 503, *((409,) if plan.when_busy == "reject" else ()), *((429,) if world.plan.bytes_kept else ()))
        if answer is not None and answer.status == 202:
            self._accepted(json.loads(answer.body), claim_result)
        elif answer is not None and not self._gone(answer):
            self._caller.check(answer, plan.agent, *known)
        return answer

    def _sees_the_session(self) -> None:
        """What it interrupts, it does in the run in which it is now."""
        mine = (self._plan.tenant, self._plan.session)
        for name, entry in self._world.admission.entries.items() if self._plan.interrupts else ():
            if (entry.tenant, entry.session_id) == mine:
                self._world.returns.cancels(name)

    def _accepted(self, job: dict[str, Any], claim_result: frozenset[str]) -> None:
        world = self._world
        if "jobId" in job:
            self._told = True
            return
        job_id = job["id"]
        world.accepted_jobs.append(job_id)
        if self._plan.keyed and self._job_id not in ("", job_id):
            world.broken("one_job_per_idempotency_key", f"{self._job_id}, then {job_id}")
        self._job_id, self._accepted_at = job_id, world.loop.seconds
        if job["status"] in ("pending", "processing", "waiting") and not job["waitingFor"]:
            world.broken("a_live_job_says_what_it_waits_for", f"{job}")
        if self._plan.interrupts and not self._plan.delay_seconds:  # else it interrupts nobody
            text = who_interrupts_is_next(world, job_id, claim_result)
            if text:
                world.broken("who_interrupts_is_next", text)
