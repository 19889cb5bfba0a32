"""`/v2/flowControl` and `/v2/globalParallelism` (qstash.md 18)."""

from urllib.parse import unquote

from baton_local.qstash.core import flow_commands
from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.errors import bad_request
from baton_local.qstash.core.flow_spec import parse_period, parse_positive
from baton_local.qstash.wire.call import Call


async def list_flows(call: Call) -> Answer:
    """All keys, or those whose name contains `search`."""
    search = dict(call.query_pairs()).get("search", "")
    return flow_commands.list_flows(call.engine.state, call.tenant, search, call.engine.clock.now_ms())


async def get_flow(call: Call) -> Answer:
    """One key."""
    return flow_commands.get_flow(call.engine.state, call.tenant, _key(call), call.engine.clock.now_ms())


async def global_parallelism(call: Call) -> Answer:
    """Deliveries in flight."""
    return flow_commands.global_parallelism(call.engine.state, call.tenant)


async def pause(call: Call) -> Answer:
    """Pause a key."""
    return await call.engine.execute(flow_commands.SetFlowPaused(call.user, _key(call), paused=True))


async def resume(call: Call) -> Answer:
    """Resume a key."""
    return await call.engine.execute(flow_commands.SetFlowPaused(call.user, _key(call), paused=False))


async def pin(call: Call) -> Answer:
    """Fix limits."""
    given = dict(call.query_pairs())
    parallelism, rate, period = given.get("parallelism"), given.get("rate"), given.get("period")
    command = flow_commands.PinFlow(
        call.user,
        _key(call),
        None if parallelism is None else parse_positive(parallelism, "parallelism"),
        None if rate is None else parse_positive(rate, "rate"),
        None if period is None else parse_period(period),
    )
    return await call.engine.execute(command)


async def unpin(call: Call) -> Answer:
    """Let messages set the named limits again."""
    given = dict(call.query_pairs())
    command = flow_commands.UnpinFlow(call.user, _key(call), _flag(given, "parallelism"), _flag(given, "rate"))
    return await call.engine.execute(command)


async def reset_rate(call: Call) -> Answer:
    """Begin a new rate window."""
    return await call.engine.execute(flow_commands.ResetFlow(call.user, _key(call)))


async def reset(call: Call) -> Answer:
    """Begin counting anew."""
    return await call.engine.execute(flow_commands.ResetFlow(call.user, _key(call), parallelism=True))


def _key(call: Call) -> str:
    return unquote(call.params["key"])


def _flag(given: dict[str, str], name: str) -> bool:
    text = given.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise bad_request(f"{name}: {text[:80]!r} is neither true nor false")
    return text == "true"
