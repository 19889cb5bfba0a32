"""Continues a session once an operation of it has ended: a job of its own, whose model gets the outcome.

Invariant: each operation is continued once, however often its end is sent: the job's id follows from it. The job takes
its place in the session's line as a message that comes at that moment does. An operation that was rolled back meanwhile
is not continued.
"""

import contextlib
from typing import Any

from msgspec.structs import replace

from baton.agents.registry import Registry, UnknownAgentError
from baton.clock import Clock
from baton.commands.commands import Commands
from baton.commands.taking_back import TakeBack, continuation_of
from baton.conversation.fitting import cut
from baton.engine.state import Job
from baton.engine.step_results import FollowedUp, NotFollowedUp, StepResult
from baton.runtime.new_jobs import job_of
from baton.sdk.records import Failure
from baton.storage.ports.jobs import Snapshot
from baton.tools.pending import TIMED_OUT
from baton_events.errors import JobGoneError, StorageFullError
from baton_events.ids import canonical_json, job_of_call, operation_id, started_by

# A submission's message has room for a megabyte.
_RESULT_BYTES = 200_000


class ContinueSession:
    """Submits continuations."""

    def __init__(self, registry: Registry, commands: Commands, clock: Clock, take_back: TakeBack) -> None:
        self._registry = registry
        self._commands = commands
        self._clock = clock
        self._take_back = take_back

    async def __call__(self, operation: Job, snapshot: Snapshot) -> StepResult:
        """Continue the session of an operation that has ended, which is read as `snapshot`."""
        call = snapshot.calls[0]
        name = operation_id(call.id)
        if await self._take_back.rolled_back_owner(operation):
            return FollowedUp()
        try:
            job = job_of(
                self._registry,
                operation.agent,
                job_id=continuation_of(operation, call.id),
                session_id=operation.session_id,
                tenant=operation.tenant,
                now_ms=self._clock.now_ms(),
            )
        except UnknownAgentError as error:
            return NotFollowedUp(Failure("unknown_agent", str(error), retryable=True))
        outcome = outcome_of(snapshot)
        continues = {
            "jobId": job_of_call(started_by(operation.id)[0]),
            "operationId": name,
            "tool": call.tool,
        } | outcome
        task = {"text": _text(name, call.tool, outcome), "chat": {"messageId": name, "continues": continues}}
        try:
            with contextlib.suppress(JobGoneError):  # it was continued before, and that job is over
                await self._commands.submit(
                    replace(job, background=True, priority=operation.priority), task, may_exist=True
                )
                await self._take_back.if_rolled_back(operation, job.id)
        except StorageFullError as error:
            return NotFollowedUp(Failure("storage_full", str(error), retryable=True))
        return FollowedUp()


def outcome_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return the outcome of an operation that has ended: its status, and its result or error."""
    job, call = snapshot.job, snapshot.calls[0]
    if job.error is not None:
        status = "timed_out" if job.error.type == "expired" else "failed"
        return {"status": status, "error": {"type": job.error.type, "message": job.error.message}}
    result = snapshot.results.get(call.id, {}).get("ok")
    return {"status": "timed_out" if result == TIMED_OUT else "completed", "result": result}


def _text(name: str, tool: str, outcome: dict[str, Any]) -> str:
    """Return the text that the model gets instead of a message."""
    head = f"Operation {name} of tool {tool!r}, which was started before"
    if "error" in outcome:
        return f"[{head}, has failed: {outcome['error']['type']}: {outcome['error']['message']}]"
    if outcome["status"] == "timed_out":
        return f"[{head}, has had no outcome in its time.]"
    return f"[{head}, is done. Its result: {cut(canonical_json(outcome['result']), _RESULT_BYTES)}]"
