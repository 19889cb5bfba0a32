"""`/v2/queues` (qstash.md 15)."""

from urllib.parse import unquote

from baton_local.qstash.core import queue_commands
from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.destination import check_name
from baton_local.qstash.core.errors import bad_request
from baton_local.qstash.wire.call import Call


async def list_queues(call: Call) -> Answer:
    """All queues."""
    return queue_commands.list_queues(call.tenant)


async def get_queue(call: Call) -> Answer:
    """One queue."""
    return queue_commands.get_queue(call.tenant, unquote(call.params["name"]))


async def upsert_queue(call: Call) -> Answer:
    """Create or change a queue; an upsert without `paused` un-pauses."""
    body = call.json()
    if not isinstance(body, dict) or not isinstance(body.get("queueName"), str):
        raise bad_request('queueName: is missing; send {"queueName": "my-queue", "parallelism": 2}')
    parallelism, paused = body.get("parallelism", 1), body.get("paused", False)
    if not isinstance(parallelism, int) or isinstance(parallelism, bool) or parallelism < 1:
        raise bad_request(f"parallelism: {str(parallelism)[:80]!r} is not a whole number of at least 1")
    if not isinstance(paused, bool):
        raise bad_request(f"paused: {str(paused)[:80]!r} is neither true nor false")
    name = check_name(body["queueName"], "queueName")
    return await call.engine.execute(queue_commands.UpsertQueue(call.user, name, parallelism, paused))


async def delete_queue(call: Call) -> Answer:
    """Delete a queue."""
    return await call.engine.execute(queue_commands.DeleteQueue(call.user, unquote(call.params["name"])))


async def pause_queue(call: Call) -> Answer:
    """Pause a queue."""
    return await _set_paused(call, paused=True)


async def resume_queue(call: Call) -> Answer:
    """Resume a queue."""
    return await _set_paused(call, paused=False)


async def _set_paused(call: Call, *, paused: bool) -> Answer:
    name = unquote(call.params["name"])
    return await call.engine.execute(queue_commands.SetQueuePaused(call.user, name, paused))
