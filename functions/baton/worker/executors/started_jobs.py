"""The jobs that tool calls start: one below their own, and the operation by which a call goes on in the background.

Invariant: each attempt of a call starts the same job. An operation exists before the result of its call is committed,
which names it to the model at once.
"""

import contextlib
from typing import Any

from msgspec.structs import replace

from baton.engine import background_calls
from baton.engine.background_calls import CallWaits
from baton.engine.effects import RunTool
from baton.engine.state import Job
from baton.engine.step_results import Submitted, ToolNeedsApproval, ToolReturned, ToolWaits
from baton.engine.waits import TOOL_APPROVAL
from baton.observability.tracing import work_traceparent
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.clock import Clock
from baton.sdk.records.limits import within
from baton.sdk.records.transcript import FOREVER_MS
from baton.sdk.tools.pending import ChildTask
from baton.worker.commands.commands import Commands
from baton.worker.commands.operation_stream import OperationOutcomes
from baton.worker.commands.taking_back import TakeBack
from baton.worker.runtime.new_jobs import job_of
from baton_events.errors import JobGoneError
from baton_events.ids import canonical_json, child_of, operation_id
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import text_of


class NoChildError(Exception):
    """The job cannot be started. `type` and text are sent to the model; `retryable`: it may be possible later."""

    def __init__(self, kind: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.type = kind
        self.retryable = retryable


def child_job(registry: Registry, parent: Job, call_id: str, task: ChildTask, now_ms: int) -> Submitted:
    """Return the job to start, the same for each attempt of the call.

    Raises NoChildError: no agent has that name (in this version of the code), it is too deep, or its data is no JSON.
    """
    if parent.limits.depth <= 0:
        raise NoChildError("too_deep", f"job {parent.id} may start no jobs below it: Limits(depth=…) of its root")
    names = {"job_id": child_of(call_id, parent.run), "session_id": parent.session_id, "tenant": parent.tenant}
    try:
        job = job_of(registry, task.agent, **names, now_ms=now_ms)
    except UnknownAgentError as error:
        raise NoChildError("unknown_agent", str(error), retryable=True) from error
    try:
        entry = {"text": text_of(task.task), "data": plain(task.data, "data")}
    except Unrecordable as error:
        raise NoChildError("invalid_task", f"the task for agent {task.agent!r} cannot be recorded: {error}") from error
    job = replace(
        job,
        priority=parent.priority,
        subject=parent.subject,
        limits=within(job.limits, parent.limits, parent.deadline_ms - now_ms),
        ends_by_ms=parent.deadline_ms if parent.deadline_ms < FOREVER_MS else 0,
        parent_call=call_id,
        for_code=parent.model.is_programmed,
        remembers=False,
        traceparent=work_traceparent("execute_tool") or parent.traceparent,
    )
    return Submitted(job, entry)


class BackgroundCalls:
    def __init__(self, commands: Commands, outcomes: OperationOutcomes, clock: Clock, take_back: TakeBack) -> None:
        self._commands, self._take_back, self._outcomes, self._clock = commands, take_back, outcomes, clock

    async def start(self, effect: RunTool, arguments: dict[str, Any], waits: CallWaits | None = None) -> ToolReturned:
        """Start the operation of a call. `waits`: what the call waits for; None: it has yet to run."""
        now_ms = self._clock.now_ms()
        submitted = background_calls.operation_of(effect.job, effect.call, arguments, waits, now_ms)
        with contextlib.suppress(JobGoneError):  # an earlier attempt has started it, and it is over
            await self._commands.submit(submitted.job, submitted.task, may_exist=True)
            await self._take_back.if_rolled_back(submitted.job.id, submitted.job.id)
        if isinstance(waits, ToolWaits) and waits.operation_id:
            await self._outcomes.expect(waits.operation_id, waits.until_ms)
        name = operation_id(submitted.task[background_calls.OPERATION]["id"])
        answer = {"status": "started", "operationId": name, "tool": effect.call.tool}
        answer["message"] = f"Tool {effect.call.tool!r} continues in the background; its outcome follows later."
        if isinstance(waits, ToolNeedsApproval):
            changes = background_calls.begun(submitted, now_ms).changes
            question = next(call for call in changes.calls if call.tool == TOOL_APPROVAL) if changes else effect.call
            answer |= {"status": "pending_approval", "checkpointId": operation_id(question.id)}
            answer["message"] = f"Tool {effect.call.tool!r} waits for a person's approval; its outcome follows later."
        until_ms = submitted.task[background_calls.OPERATION].get("untilMs", now_ms)
        return ToolReturned(canonical_json(answer), operation_id=name, until_ms=until_ms)
