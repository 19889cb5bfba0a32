"""Commands on flow-control keys (qstash.md 18)."""

from http import HTTPStatus
from typing import Any

from baton_local.qstash.core import dispatch
from baton_local.qstash.core.answer import Answer, bad_request, not_found
from baton_local.qstash.core.flow_control import FlowKey
from baton_local.qstash.core.state import State, Transition
from baton_local.qstash.core.tenant import Tenant


def flow_view(state: State, flow: FlowKey, now_ms: int) -> dict[str, Any]:
    """Return a key in JSON; all fields always (SDK checks want numbers and real booleans)."""
    over = now_ms >= flow.window_start_ms + state.limits.scaled_ms(flow.period_seconds * 1_000)
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


def list_flows(state: State, tenant: Tenant, search: str, now_ms: int) -> Answer:
    """Return all keys whose name contains the text."""
    found = [flow_view(state, flow, now_ms) for key, flow in tenant.flows.items() if search in key]
    return Answer(HTTPStatus.OK, found)


def get_flow(state: State, tenant: Tenant, key: str, now_ms: int) -> Answer:
    return Answer(HTTPStatus.OK, flow_view(state, _flow(tenant, key), now_ms))


def global_parallelism(state: State, tenant: Tenant) -> Answer:
    """Return the deliveries in flight, of how many at most."""
    return Answer(HTTPStatus.OK, {"parallelismMax": state.capacity.slots, "parallelismCount": tenant.in_flight})


def set_flow_paused(step: Transition, tenant: Tenant, key: str, *, paused: bool) -> Answer:
    """Pause a key: all its messages wait. A key may be paused before its first message."""
    flow = dispatch.flow_key(step, tenant, key) if paused else _flow(tenant, key)
    flow.paused = paused
    return _changed(step, tenant, flow)


def pin_flow(
    step: Transition,
    tenant: Tenant,
    key: str,
    parallelism: int | None = None,
    rate: int | None = None,
    period_seconds: int | None = None,
) -> Answer:
    """Set and fix the given limits; an unseen key is created."""
    if parallelism is None and rate is None and period_seconds is None:
        raise bad_request("pin: name at least one of parallelism, rate and period")
    flow = dispatch.flow_key(step, tenant, key)
    if parallelism is not None:
        flow.parallelism, flow.pinned_parallelism = parallelism, True
    if rate is not None:
        flow.rate, flow.pinned_rate = rate, True
    if period_seconds is not None:
        flow.period_seconds, flow.pinned_rate = period_seconds, True
    return _changed(step, tenant, flow)


def unpin_flow(step: Transition, tenant: Tenant, key: str, *, parallelism: bool = False, rate: bool = False) -> Answer:
    """Unpin the limits; they stay until the next message brings its own."""
    flow = _flow(tenant, key)
    flow.pinned_parallelism = flow.pinned_parallelism and not parallelism
    flow.pinned_rate = flow.pinned_rate and not rate
    return _changed(step, tenant, flow)


def reset_flow(step: Transition, tenant: Tenant, key: str, *, parallelism: bool = False) -> Answer:
    """Begin counting anew: the rate, and with `parallelism` also what is in flight."""
    flow = _flow(tenant, key)
    flow.reset_rate(step.now_ms)
    if parallelism:
        flow.in_flight = 0
    return _changed(step, tenant, flow)


def _flow(tenant: Tenant, key: str) -> FlowKey:
    flow = tenant.flows.get(key)
    if flow is None:
        raise not_found(f"flow control key {key[:80]!r} does not exist; it appears with its first message, or by pin")
    return flow


def _changed(step: Transition, tenant: Tenant, flow: FlowKey) -> Answer:
    step.put(tenant, "flows", flow.key, flow)
    dispatch.pump_flow(step, tenant, flow)
    return Answer(HTTPStatus.OK)
