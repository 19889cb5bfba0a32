"""`/v2/queues` (qstash.md 15)."""

from typing import Any

from baton_local.qstash.core import dispatch, lifecycle
from baton_local.qstash.core.answer import Answer, Request, bad_request, not_found, ok, over_quota
from baton_local.qstash.core.destinations import check_name
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.state import Tenant, Transition


def _view(queue: Queue) -> dict[str, Any]:
    return {
        "name": queue.name,
        "parallelism": queue.parallelism,
        "createdAt": queue.created_at_ms,
        "updatedAt": queue.updated_at_ms,
        "lag": len(queue.members),
        "paused": queue.paused,
    }


def list_queues(_step: Transition, tenant: Tenant, _request: Request) -> Answer:
    return ok([_view(queue) for queue in tenant.queues.values()])


def get_queue(_step: Transition, tenant: Tenant, request: Request) -> Answer:
    return ok(_view(_queue(tenant, request)))


def upsert_queue(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Create or change: both settings are always set, and take effect at once; without `paused` it is un-paused."""
    body, limit = request.json(), step.state.limits.max_queue_parallelism
    if not isinstance(body, dict) or not isinstance(body.get("queueName"), str):
        raise bad_request('queueName: is missing; send {"queueName": "my-queue", "parallelism": 2}')
    parallelism, paused = body.get("parallelism", 1), body.get("paused", False)
    if not isinstance(parallelism, int) or isinstance(parallelism, bool) or parallelism < 1:
        raise bad_request(f"parallelism: {str(parallelism)[:80]!r} is not a whole number of at least 1")
    if not isinstance(paused, bool):
        raise bad_request(f"paused: {str(paused)[:80]!r} is neither true nor false")
    if parallelism > limit:
        raise over_quota(f"parallelism: {parallelism} is over the limit of {limit}")
    queue = queue_for_enqueue(step, tenant, check_name(body["queueName"], "queueName"))
    queue.parallelism = parallelism
    return _set_paused(step, tenant, queue, paused=paused)


def set_queue_paused(step: Transition, tenant: Tenant, request: Request, *, paused: bool) -> Answer:
    """Pause: nothing starts, enqueuing still works. Resume: what waited goes on in order."""
    return _set_paused(step, tenant, _queue(tenant, request), paused=paused)


def delete_queue(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Delete, also when it does not exist; its unfinished messages are cancelled."""
    queue = tenant.queues.get(request.param("name"))
    if queue is not None:
        queue.paused = True  # so that cancelling moves nobody up
        for message_id in list(queue.members):
            lifecycle.cancel(step, tenant, tenant.live[message_id])
        step.drop(tenant, "queues", queue.name)
    return ok()


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


def _queue(tenant: Tenant, request: Request) -> Queue:
    name = request.param("name")
    if name not in tenant.queues:
        raise not_found(f"queue {name[:80]!r} does not exist; create it with POST /v2/queues, or by enqueuing to it")
    return tenant.queues[name]


def _set_paused(step: Transition, tenant: Tenant, queue: Queue, *, paused: bool) -> Answer:
    queue.paused, queue.updated_at_ms = paused, step.now_ms
    step.put(tenant, "queues", queue.name, queue)
    dispatch.resume_queue(step, tenant, queue)
    return ok()
