"""Commands on queues (qstash.md 15)."""

from infra.local_qstash.core.changes import ThingStored
from infra.local_qstash.core.errors import over_quota
from infra.local_qstash.core.queues import Queue
from infra.local_qstash.core.state import Transition
from infra.local_qstash.core.tenant import Tenant


def queue_for_enqueue(step: Transition, tenant: Tenant, name: str) -> Queue:
    """The queue, created on demand with parallelism 1; an existing one is left as it is."""
    queue = tenant.queues.get(name)
    return _new_queue(step, tenant, name) if queue is None else queue


def _new_queue(step: Transition, tenant: Tenant, name: str) -> Queue:
    limit = step.state.limits.max_queues
    if len(tenant.queues) >= limit:
        raise over_quota(f"queue {name!r}: there are {limit} queues already, the limit; delete one first")
    queue = tenant.queues[name] = Queue(name, step.now_ms, step.now_ms)
    step.changes.append(ThingStored("queue", tenant.user, name, queue))
    return queue
