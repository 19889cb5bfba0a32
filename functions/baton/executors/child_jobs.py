"""The job that a tool call starts below its own, inside the limits of the job that starts it."""

from msgspec.structs import replace

from baton.agents.registry import Registry, UnknownAgentError
from baton.engine.state import Job
from baton.engine.step_results import Submitted
from baton.observability.tracing import work_traceparent
from baton.runtime.new_jobs import job_of
from baton.sdk.limits import within
from baton.tools.pending import ChildTask
from baton_events.ids import canonical_json, child_of


class NoChildError(Exception):
    """The job cannot be started; `type` and text are sent to the model, `retryable`: it may be possible later."""

    def __init__(self, kind: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.type = kind
        self.retryable = retryable


def child_job(registry: Registry, parent: Job, call_id: str, task: ChildTask, now_ms: int) -> Submitted:
    """The job to start, the same for each attempt of the call.

    Raises:
        NoChildError: no agent has that name (in this version of the code), it is too deep, or its data is no JSON.
    """
    if parent.limits.depth <= 0:
        raise NoChildError("too_deep", f"job {parent.id} may start no jobs below it: Limits(depth=…) of its root")
    names = {"job_id": child_of(call_id, parent.run), "session_id": parent.session_id, "tenant": parent.tenant}
    try:
        job = job_of(registry, task.agent, **names, now_ms=now_ms)
    except UnknownAgentError as error:
        raise NoChildError("unknown_agent", str(error), retryable=True) from error
    try:
        canonical_json(task.data).encode()
    except (TypeError, ValueError) as error:
        raise NoChildError("invalid_task", f"the data for agent {task.agent!r} is not JSON: {error}") from error
    job = replace(
        job,
        priority=parent.priority,
        limits=within(job.limits, parent.limits, parent.counted_ms(now_ms)),
        parent_call=call_id,
        remembers=False,
        traceparent=work_traceparent("execute_tool") or parent.traceparent,
    )
    return Submitted(job, {"text": str(task.task), "data": task.data})
