"""Continues a session once an operation of it has ended: a job of its own, whose model gets the outcome.

Invariant: each operation is continued once, however often its end is sent: the job's id follows from it. The job takes
its place in the session's line as a message that comes at that moment does: before an outcome from outside is answered,
so each message that is sent after the answer comes behind it. An operation that was rolled back meanwhile is not
continued.
"""

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from baton.engine.commit.answers import SignalResult
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import FollowedUp, NotFollowedUp, StepResult
from baton.engine.transitions import JobStatus
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.clock import Clock
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.pending import TIMED_OUT
from baton.store.records.jobs import Snapshot
from baton.worker.commands.commands import Commands
from baton.worker.commands.taking_back import TakeBack, continuation_of
from baton.worker.container import Container
from baton.worker.conversation.fitting import cut
from baton.worker.runtime.new_jobs import job_of
from baton_events.errors import JobGoneError, StorageFullError
from baton_events.ids import canonical_json, job_of_call, operation_id, started_by

if TYPE_CHECKING:
    from baton.worker.commands.completion_body import CompletionBody

# A submission's message has room for a megabyte.
_RESULT_BYTES = 200_000


class ContinueSession:
    def __init__(self, registry: Registry, commands: Commands, clock: Clock, take_back: TakeBack) -> None:
        self._registry, self._commands, self._clock, self._take_back = registry, commands, clock, take_back

    async def __call__(self, operation: Job, snapshot: Snapshot) -> StepResult:
        """Continue the session of an operation that has ended, which is read as `snapshot`."""
        return await self.answer_for(operation, snapshot.calls[0], outcome_of(snapshot))

    async def answer_for(self, operation: Job, call: CallRecord, outcome: dict[str, Any]) -> StepResult:
        name = operation_id(call.id)
        if await self._take_back.rolled_back_owner(operation.id):
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
        continues = {
            "jobId": job_of_call(started_by(operation.id)[0]),
            "operationId": name,
            "tool": call.tool,
        } | outcome
        task = {"text": _text(name, call.tool, outcome), "chat": {"messageId": name, "continues": continues}}
        model = replace(job.model, reads_history=True)  # its first turn reads whether it is to be taken back
        try:
            with contextlib.suppress(JobGoneError):  # it was continued before, and that job is over
                await self._commands.submit(
                    replace(job, model=model, background=True, priority=operation.priority, subject=operation.subject),
                    task,
                    may_exist=True,
                )
                await self._take_back.if_rolled_back(operation.id, job.id)
        except StorageFullError as error:
            return NotFollowedUp(Failure("storage_full", str(error), retryable=True))
        return FollowedUp()


async def completed(container: Container, operation: str, body: "CompletionBody") -> SignalResult:
    """Take in an outcome from outside, and continue the session of its operation, if it is one of a session.

    What does not continue now does so once the operation's end is sent out. Raises UnknownOperationError: there is no
    such operation. PublishError, StoreError: it is not certain that it was taken in, or that the session goes on.
    """
    taken_in = await container.operations.completing.complete(operation, body, "webhook")
    if taken_in.operation is not None and taken_in.call is not None:
        await ended(container, taken_in.operation, taken_in.call, taken_in.outcome)
    return taken_in.signal_result


async def ended(container: Container, operation: Job, call: CallRecord, stored: Mapping[str, Any]) -> None:
    """Continue the session of an operation whose call has ended by what somebody outside has sent.

    Raises PublishError, StoreError: it is not certain that the session goes on.
    """
    job = await container.commands.submit.find(operation.id)
    if job is not None and job.status is not JobStatus.CANCELLED:
        take_back = TakeBack(container.commands)
        continue_session = ContinueSession(container.registry, container.commands, container.ports.clock, take_back)
        await continue_session.answer_for(job, call, _outcome(stored, in_time=True))


def _outcome(stored: Mapping[str, Any], *, in_time: bool) -> dict[str, Any]:
    """Return a stored outcome as it is told. `in_time`: it is one from outside, whatever it looks like."""
    if "error" in stored:
        error = stored["error"]
        return {"status": "failed", "error": {"type": error["type"], "message": error["message"]}}
    timed_out = stored.get("ok") == TIMED_OUT and not in_time
    return {"status": "timed_out" if timed_out else "completed", "result": stored.get("ok")}


def outcome_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return the outcome of an operation that has ended: its status, and its result or error."""
    job, call = snapshot.job, snapshot.calls[0]
    if job.error is not None:
        status = "timed_out" if job.error.type == "expired" else "failed"
        return {"status": status, "error": {"type": job.error.type, "message": job.error.message}}
    # An operation that waits from the beginning starts at its wait's end; one that asks first, at its question's.
    asked, finished_ms = len(snapshot.calls) > 1, call.finished_at_ms
    in_time = not asked and finished_ms is not None and finished_ms < job.start_at_ms
    return _outcome({"ok": snapshot.results.get(call.id, {}).get("ok")}, in_time=in_time)


def _text(name: str, tool: str, outcome: dict[str, Any]) -> str:
    head = f"Operation {name} of tool {tool!r}, which was started before"
    if "error" in outcome:
        return f"[{head}, has failed: {outcome['error']['type']}: {outcome['error']['message']}]"
    if outcome["status"] == "timed_out":
        return f"[{head}, has had no outcome in its time.]"
    if outcome["result"] is None:
        return f"[{head}, is completed.]"
    return f"[{head}, is done. Its result: {cut(canonical_json(outcome['result']), _RESULT_BYTES)}]"
