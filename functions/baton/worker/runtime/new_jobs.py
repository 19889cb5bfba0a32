"""New jobs: the data that one takes from its agent, and a fork from its job."""

from msgspec.structs import replace

from baton.engine.state import Job
from baton.sdk.agents.registry import Registry, policy_of
from baton.sdk.agents.version import model_names, version_of
from baton_events.ids import event_number


def job_of(registry: Registry, agent_name: str, *, job_id: str, session_id: str, tenant: str, now_ms: int) -> Job:
    """Make a job of an agent, pending. Raises UnknownAgentError: no agent has that name."""
    agent = registry.agent(agent_name)
    return Job(
        id=job_id,
        session_id=session_id,
        tenant=tenant,
        agent=agent.name,
        created_at_ms=now_ms,
        limits=agent.limits,
        model=replace(policy_of(registry, agent), name=model_names(agent)),
        agent_version=version_of(registry, agent),
        isolated=agent.isolated,
        remembers=agent.memory_policy is not None and agent.memory_policy.store,
    )


def fork_job_of(registry: Registry, ended: Job, *, job_id: str, session_id: str, now_ms: int) -> Job:
    """Make a fork of an ended job, pending. Its turns and calls read from its task what it takes over.

    Raises UnknownAgentError: its agent is gone.
    """
    ids = {"job_id": job_id, "session_id": session_id, "tenant": ended.tenant}
    job = job_of(registry, ended.agent, **ids, now_ms=now_ms)
    model = replace(job.model, reads_history=True, calls_read_history=True)
    # A fork is an experiment: it is not remembered.
    kept = {"priority": ended.priority, "tags": ended.tags, "subject": ended.subject}
    return replace(job, **kept, model=model, remembers=False, agent_version="")


def debounced_number(job: Job, event_id: str, created_ms: int) -> int:
    """Return the number of the event that a job takes: it came when its job was made."""
    return event_number(event_id, created_ms, job.created_at_ms)
