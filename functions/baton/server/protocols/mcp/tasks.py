"""MCP's methods: a call of a tool is a job; a task is read, answered and cancelled.

Invariant: a task is a job of an exposed agent, however it was started. A repeated call continues the job that is named
by a state which this server has signed for the same call. Must not: know JSON-RPC.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from baton.sdk.agents.agent import Agent
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_answers import ApprovalAnswer, decide
from baton.server.api.jobs.approval_list import SeenJob, seen_job
from baton.server.api.jobs.job import ChangeBody, JobsApi
from baton.server.api.problem import ApiError
from baton.server.protocols.mcp.body import INVALID_PARAMS, RpcError
from baton.server.protocols.mcp.task_view import answer_fields
from baton.server.protocols.mcp.tools import exposed_agents, submission_of
from baton.settings.signed_texts import SignedTexts
from baton.worker.container import Container
from baton_events.errors import StoreError
from baton_events.ids import call_of_operation, digest, job_of_call

Part = dict[str, Any]
_STATE = "call of an mcp tool"


class Tasks:
    """Tasks of exposed agents."""

    def __init__(self, container: Container, jobs: JobsApi) -> None:
        self._container, self._jobs = container, jobs
        self._signed = SignedTexts(container.settings)

    async def look_up(self, principal: Principal, task_id: str) -> SeenJob:
        """Read a task.

        Raises:
            ApiError: 404 unknown, or of an agent that is not exposed; 403 another tenant's; 410 its data was removed.
        """
        snapshot = await self._jobs.snapshot(principal, task_id)
        if snapshot.job.agent not in exposed_agents(self._container.registry):
            raise ApiError(404, f"there is no task {task_id!r}")
        return seen_job(snapshot, self._container.ports.clock.now_ms())

    async def accepted(self, principal: Principal, agent: Agent, arguments: Any, idempotency_key: str) -> SeenJob:
        """Submit the job of a call.

        Raises:
            ArgumentsError: the arguments do not fit.
        """
        body = submission_of(agent, arguments)
        view = await self._jobs.accept(principal, body, idempotency_key)
        try:
            return await self.look_up(principal, view["id"])
        except ApiError as error:
            if error.status != 404:  # noqa: PLR2004 - a read may be older than a new submission
                raise
            raise StoreError(f"task {view['id']!r} is accepted, and reads do not show it yet") from error

    def state_of(self, job_id: str, agent: Agent, arguments: Any, asked: Sequence[Part]) -> str:
        """Sign the state with which a call comes again to continue its job; each round of questions has its own."""
        names = [view["id"] for view in asked]
        return self._signed.signed(_STATE, {"job": job_id, "call": digest(agent.name, arguments), "asked": names})

    async def resumed(self, principal: Principal, agent: Agent, arguments: Any, state: Any) -> SeenJob:
        """Read the job of a call that comes again.

        Raises:
            RpcError: the state was not made for this call.
        """
        found = self._signed.read(_STATE, state) if isinstance(state, str) else None
        if found is None or found.get("call") != digest(agent.name, arguments):
            raise RpcError(INVALID_PARAMS, "params.requestState is of another call: send the call anew, without it")
        return await self.look_up(principal, str(found["job"]))

    async def take_answers(self, principal: Principal, found: SeenJob, responses: Any) -> bool:
        """Decide a task's questions, by the checkpoints' ids; an answer to anything else is ignored.

        Returns whether a person has postponed all of them.

        Raises:
            RpcError: an answer is invalid. ApiError: 403 no right to decide, 422 edited arguments that do not fit.
        """
        if not isinstance(responses, Mapping):
            raise RpcError(INVALID_PARAMS, f"inputResponses must be an object, got {str(responses)[:80]!r}")
        pending = {str(view["id"]): view for view in found.asked}
        given = {name: _answer(pending[name], value) for name, value in responses.items() if name in pending}
        answers = {name: answer for name, answer in given.items() if answer is not None}
        try:
            await decide(self._container, principal, answers)
        except ApiError as error:
            if error.status != 409:  # noqa: PLR2004 - the question was decided meanwhile
                raise
        return bool(given) and not answers

    async def take_answer(self, principal: Principal, checkpoint_id: str, response: Any) -> None:
        """Decide a question that was asked on a stream, if it is a question of a task.

        Raises:
            RpcError, ApiError: as above.
        """
        job_id = job_of_call(call_of_operation(checkpoint_id))
        if not job_id:
            raise RpcError(INVALID_PARAMS, f"{checkpoint_id[:80]!r} is no question of this server")
        await self.take_answers(principal, await self.look_up(principal, job_id), {checkpoint_id: response})

    async def cancel(self, principal: Principal, task_id: str) -> SeenJob:
        """Cancel a task; a cancelled one stays cancelled.

        Raises:
            ApiError: as for `look_up`; 409, it has ended.
        """
        await self.look_up(principal, task_id)
        await self._jobs.changed(principal, task_id, ChangeBody(action="cancel"))
        return await self.look_up(principal, task_id)


def _answer(view: Part, value: Any) -> ApprovalAnswer | None:
    name = view["id"]
    try:
        fields = answer_fields(value, view)
        return None if fields is None else ApprovalAnswer.model_validate(fields)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise RpcError(INVALID_PARAMS, f"the answer to {name!r}: {place}: {fault['msg']}") from error
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, f"the answer to {name!r}: {error}") from error
