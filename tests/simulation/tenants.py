"""Two tenants with sessions and keys of the same names, and the invariant of every path between their jobs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from baton.engine.state import Job
from baton_events.ids import is_child, job_id_from_key, job_of_call
from tests.simulation.jobs import TENANTS, JobPlan

if TYPE_CHECKING:
    from tests.simulation.world import World


def with_two_tenants(jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs, of two tenants in turn, each pair with one Idempotency-Key.

    Names of sessions stay, so two sessions have the same one.
    """
    each = len(TENANTS)
    return tuple(replace(job, tenant=TENANTS[job.index % each], shared_key=f"of-{job.index // each}") for job in jobs)


def what_moves_stays_with_its_tenant(world: "World") -> str | None:
    """What a job is told comes from its own session; what it remembers, and who started it, from its own tenant."""
    senders = {job_id_from_key(job.tenant, job.key): job for job in world.plan.jobs if job.keyed}
    for tree in world.trees.values():
        for job in tree.jobs.values():
            texts = [*tree.transcript.get(job.id, ()), *filter(None, tree.messages.get(job.id, {}).values())]
            for source, in_session in _sources(job, [json.loads(text) for text in texts]):
                tenant, session = _owner(world, senders, source) or (job.tenant, "")
                strange = in_session and session not in ("", job.session_id)
                if strange or tenant != job.tenant:
                    return f"{job.id} of {job.tenant} and {job.session_id} has data of {source}, of {tenant}, {session}"
    return None


def _sources(job: Job, entries: Sequence[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """The jobs that data in a job's transcript comes from, each with whether it must be of the same session."""
    if is_child(job.id):
        yield job.id.rpartition(".")[0], True
    for entry in entries:
        if "messageId" in entry:
            yield entry["messageId"], True
        for exchange in entry.get("exchanges", ()):
            yield exchange["jobId"], True
        for remembered in entry.get("entries", ()) if entry["role"] == "memory" else ():
            yield job_of_call(remembered["id"]) or remembered["id"], False
        continues = (entry.get("chat") or {}).get("continues")
        if continues:
            yield continues["jobId"], True


def _owner(world: "World", senders: dict[str, JobPlan], source: str) -> tuple[str, str] | None:
    """The tenant and the session of a job, or of a message that could have been one; None: nothing is known of it."""
    job = world.tree(source).jobs.get(source)
    if job is not None:
        return job.tenant, job.session_id
    plan = senders.get(source)
    return (plan.tenant, plan.session or "") if plan else None


ON_ALL_MOVED = (what_moves_stays_with_its_tenant,)
