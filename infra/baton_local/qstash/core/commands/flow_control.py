"""`/v2/flowControl` and `/v2/globalParallelism` (qstash.md 18)."""

from typing import Any

from baton_local.qstash.core import dispatch
from baton_local.qstash.core.answer import Answer, Request, bad_request, not_found, ok
from baton_local.qstash.core.flow_control import FlowKey, parse_period, parse_positive
from baton_local.qstash.core.state import Tenant, Transition


def _view(step: Transition, flow: FlowKey) -> dict[str, Any]:
    """Return a key in JSON; all fields always (SDK checks want numbers and real booleans)."""
    over = step.now_ms >= flow.window_start_ms + step.state.limits.scaled_ms(flow.period_seconds * 1_000)
    return {
        "flowControlKey": flow.key,
        "waitListSize": len(flow.waiters),
        "parallelismMax": flow.parallelism,
        "parallelismCount": flow.in_flight,
        "rateMax": flow.rate,
        "rateCount": 0 if over else flow.started,
        "ratePeriod": flow.period_seconds,
        "ratePeriodStart": flow.window_start_ms // 1_000,
        "isPaused": flow.paused,
        "isPinnedParallelism": flow.pinned_parallelism,
        "isPinnedRate": flow.pinned_rate,
    }


def list_flows(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Return all keys, or those whose name contains `search`."""
    search = dict(request.query_pairs()).get("search", "")
    return ok([_view(step, flow) for key, flow in tenant.flows.items() if search in key])


def get_flow(step: Transition, tenant: Tenant, request: Request) -> Answer:
    return ok(_view(step, _flow(tenant, request)))


def global_parallelism(step: Transition, tenant: Tenant, _request: Request) -> Answer:
    """Return the deliveries in flight, of how many at most."""
    return ok({"parallelismMax": step.state.capacity.slots, "parallelismCount": tenant.in_flight})


def set_flow_paused(step: Transition, tenant: Tenant, request: Request, *, paused: bool) -> Answer:
    """Pause a key: all its messages wait. A key may be paused before its first message."""
    flow = dispatch.flow_key(step, tenant, request.param("key")) if paused else _flow(tenant, request)
    flow.paused = paused
    return _changed(step, tenant, flow)


def pin_flow(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Set and fix the given limits; an unseen key is created."""
    given = dict(request.query_pairs())
    limits: dict[str, int] = {
        name: parse_positive(given[name], name) for name in ("parallelism", "rate") if name in given
    }
    if "period" in given:
        limits["period_seconds"] = parse_period(given["period"])
    if not limits:
        raise bad_request("pin: name at least one of parallelism, rate and period")
    flow = dispatch.flow_key(step, tenant, request.param("key"))
    for name, value in limits.items():
        setattr(flow, name, value)
    flow.pinned_parallelism |= "parallelism" in limits
    flow.pinned_rate |= not limits.keys() <= {"parallelism"}
    return _changed(step, tenant, flow)


def unpin_flow(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Unpin the named limits; they stay until the next message brings its own."""
    given = dict(request.query_pairs())
    parallelism, rate = (given.get(name, "false").lower() for name in ("parallelism", "rate"))
    if not {parallelism, rate} <= {"true", "false"}:
        raise bad_request(f"unpin: parallelism={parallelism[:80]!r} and rate={rate[:80]!r} must be true or false")
    flow = _flow(tenant, request)
    flow.pinned_parallelism &= parallelism == "false"
    flow.pinned_rate &= rate == "false"
    return _changed(step, tenant, flow)


def reset_flow(step: Transition, tenant: Tenant, request: Request, *, parallelism: bool) -> Answer:
    """Begin counting anew: the rate, and with `parallelism` also what is in flight."""
    flow = _flow(tenant, request)
    flow.started, flow.window_start_ms = 0, step.now_ms
    if parallelism:
        flow.in_flight = 0
    return _changed(step, tenant, flow)


def _flow(tenant: Tenant, request: Request) -> FlowKey:
    key = request.param("key")
    if key not in tenant.flows:
        raise not_found(f"flow control key {key[:80]!r} does not exist; it appears with its first message, or by pin")
    return tenant.flows[key]


def _changed(step: Transition, tenant: Tenant, flow: FlowKey) -> Answer:
    step.put(tenant, "flows", flow.key, flow)
    dispatch.pump_flow(step, tenant, flow)
    return ok()
