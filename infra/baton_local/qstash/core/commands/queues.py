"""Commands on queues (qstash.md 15)."""

from http import HTTPStatus
from typing import Any

from baton_local.qstash.core import dispatch, lifecycle
from baton_local.qstash.core.answer import Answer, not_found, over_quota
from baton_local.qstash.core.destinations import check_name
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant


def queue_view(queue: Queue) -> dict[str, Any]:
    """Return a queue in JSON; `lag` is what is not processed yet."""
    return {
        "name": queue.name,
        "parallelism": queue.parallelism,
        "createdAt": queue.created_at_ms,
        "updatedAt": queue.updated_at_ms,
        "lag": len(queue.members),
        "paused": queue.paused,
    }


def list_queues(tenant: Tenant) -> Answer:
    return Answer(HTTPStatus.OK, [queue_view(queue) for queue in tenant.queues.values()])


def get_queue(tenant: Tenant, name: str) -> Answer:
    return Answer(HTTPStatus.OK, queue_view(_queue(tenant, name)))


def upsert_queue(step: Transition, tenant: Tenant, name: str, parallelism: int = 1, *, paused: bool = False) -> Answer:
    """Create, or change an existing one: both settings are always set, and take effect at once."""
    limit = step.state.limits.max_queue_parallelism
    if parallelism > limit:
        raise over_quota(f"parallelism: {parallelism} is over the limit of {limit}")
    queue = queue_for_enqueue(step, tenant, check_name(name, "queueName"))
    queue.parallelism = parallelism
    _set_paused(step, tenant, queue, paused=paused)
    return Answer(HTTPStatus.OK)


def set_queue_paused(step: Transition, tenant: Tenant, name: str, *, paused: bool) -> Answer:
    """Pause: nothing starts, enqueuing still works. Resume: what waited goes on in order."""
    _set_paused(step, tenant, _queue(tenant, name), paused=paused)
    return Answer(HTTPStatus.OK)


def delete_queue(step: Transition, tenant: Tenant, name: str) -> Answer:
    """Delete, also when it does not exist; its unfinished messages are cancelled."""
    queue = tenant.queues.get(name)
    if queue is not None:
        queue.paused = True  # so that cancelling moves nobody up
        for message_id in list(queue.members):
            lifecycle.cancel(step, tenant, tenant.live[message_id])
        step.drop(tenant, "queues", name)
    return Answer(HTTPStatus.OK)


def queue_for_enqueue(step: Transition, tenant: Tenant, name: str) -> Queue:
    """Return the queue, created on demand with parallelism 1; an existing one is left as it is."""
    queue = tenant.queues.get(name)
    if queue is not None:
        return queue
    limit = step.state.limits.max_queues
    if len(tenant.queues) >= limit:
        raise over_quota(f"queue {name!r}: there are {limit} queues already, the limit; delete one first")
    queue = Queue(name, step.now_ms, step.now_ms)
    step.put(tenant, "queues", name, queue)
    return queue


def _queue(tenant: Tenant, name: str) -> Queue:
    queue = tenant.queues.get(name)
    if queue is None:
        raise not_found(f"queue {name[:80]!r} does not exist; create it with POST /v2/queues, or by enqueuing to it")
    return queue


def _set_paused(step: Transition, tenant: Tenant, queue: Queue, *, paused: bool) -> None:
    queue.paused = paused
    queue.updated_at_ms = step.now_ms
    step.put(tenant, "queues", queue.name, queue)
    dispatch.resume_queue(step, tenant, queue)
