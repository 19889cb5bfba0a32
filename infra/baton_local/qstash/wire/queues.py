"""`/v2/queues`, `/v2/flowControl` and `/v2/globalParallelism` (qstash.md 15, 18)."""

from urllib.parse import unquote

from baton_local.qstash.core.answer import Answer, bad_request
from baton_local.qstash.core.commands import flow_control, queues
from baton_local.qstash.core.destinations import check_name
from baton_local.qstash.core.flow_control import parse_period, parse_positive
from baton_local.qstash.wire.call import Call


async def list_queues(call: Call) -> Answer:
    return queues.list_queues(call.tenant)


async def get_queue(call: Call) -> Answer:
    return queues.get_queue(call.tenant, unquote(call.params["name"]))


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
    return await call.execute(queues.upsert_queue, name, parallelism, paused=paused)


async def delete_queue(call: Call) -> Answer:
    return await call.execute(queues.delete_queue, unquote(call.params["name"]))


async def set_queue_paused(call: Call, *, paused: bool) -> Answer:
    return await call.execute(queues.set_queue_paused, unquote(call.params["name"]), paused=paused)


async def list_flows(call: Call) -> Answer:
    """Return all keys, or those whose name contains `search`."""
    search = dict(call.query_pairs()).get("search", "")
    return flow_control.list_flows(call.engine.state, call.tenant, search, call.engine.clock.now_ms())


async def get_flow(call: Call) -> Answer:
    return flow_control.get_flow(call.engine.state, call.tenant, _key(call), call.engine.clock.now_ms())


async def global_parallelism(call: Call) -> Answer:
    return flow_control.global_parallelism(call.engine.state, call.tenant)


async def set_flow_paused(call: Call, *, paused: bool) -> Answer:
    return await call.execute(flow_control.set_flow_paused, _key(call), paused=paused)


async def pin(call: Call) -> Answer:
    given = dict(call.query_pairs())
    parallelism, rate, period = given.get("parallelism"), given.get("rate"), given.get("period")
    return await call.execute(
        flow_control.pin_flow,
        _key(call),
        None if parallelism is None else parse_positive(parallelism, "parallelism"),
        None if rate is None else parse_positive(rate, "rate"),
        None if period is None else parse_period(period),
    )


async def unpin(call: Call) -> Answer:
    """Let messages set the named limits again."""
    given = dict(call.query_pairs())
    parallelism, rate = _flag(given, "parallelism"), _flag(given, "rate")
    return await call.execute(flow_control.unpin_flow, _key(call), parallelism=parallelism, rate=rate)


async def reset(call: Call, *, parallelism: bool) -> Answer:
    """Begin a new rate window, and with `parallelism` count anew what is in flight."""
    return await call.execute(flow_control.reset_flow, _key(call), parallelism=parallelism)


def _key(call: Call) -> str:
    return unquote(call.params["key"])


def _flag(given: dict[str, str], name: str) -> bool:
    text = given.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise bad_request(f"{name}: {text[:80]!r} is neither true nor false")
    return text == "true"
