"""The job that a tool call starts below its own: another agent's, inside the limits of the one that starts it."""

from baton.agents.agent import Agent
from baton.agents.registry import Registry, UnknownAgentError
from baton.core.limits import within
from baton.core.state import Job, ModelPolicy
from baton.core.step_results import Submitted
from baton.tools.pending import ChildTask
from baton_events.ids import canonical_json, child_of


class NoChildError(Exception):
    """The job cannot be started; `type` and text are told to the model, `retryable`: it may be possible later."""

    def __init__(self, kind: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.type = kind
        self.retryable = retryable


def policy_of(registry: Registry, agent: Agent) -> ModelPolicy:
    """How a job of this agent treats its model."""
    # What is remembered is looked for with the task's text, and a plan's results are read, whatever the model reads.
    plans = bool(agent.plan) or agent.mode == "plan"
    reads_history = plans or agent.memory_policy is not None or registry.model_of(agent).reads_history
    return ModelPolicy(retries=agent.model_retries, reads_history=reads_history)


def child_job(registry: Registry, parent: Job, call_id: str, task: ChildTask, now_ms: int) -> Submitted:
    """The job to start, the same for each attempt of the call.

    Raises:
        NoChildError: no agent has that name (in this version of the code), it is too deep, or its data is no JSON.
    """
    if parent.limits.depth <= 0:
        raise NoChildError("too_deep", f"job {parent.id} may start no jobs below it: Limits(depth=…) of its root")
    try:
        agent = registry.agent(task.agent)
    except UnknownAgentError as error:
        raise NoChildError("unknown_agent", str(error), retryable=True) from error
    try:
        canonical_json(task.data).encode()
    except (TypeError, ValueError) as error:
        raise NoChildError("invalid_task", f"the data for agent {task.agent!r} is not JSON: {error}") from error
    job = Job(
        id=child_of(call_id, parent.run),
        session_id=parent.session_id,
        tenant=parent.tenant,
        agent=agent.name,
        created_at_ms=now_ms,
        priority=parent.priority,
        limits=within(agent.limits, parent.limits, parent.counted_ms(now_ms)),
        model=policy_of(registry, agent),
        parent_call=call_id,
        isolated=agent.isolated,
        traceparent=parent.traceparent,
    )
    return Submitted(job, {"text": str(task.task), "data": task.data})
