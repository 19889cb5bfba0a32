"""Commands on flow-control keys (qstash.md 18)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from baton_local.qstash.core import dispatch
from baton_local.qstash.core.answer import Answer, bad_request, not_found
from baton_local.qstash.core.changes import ThingStored
from baton_local.qstash.core.flow_control import FlowKey
from baton_local.qstash.core.state import State, Transition
from baton_local.qstash.core.tenant import Tenant


@dataclass(frozen=True, slots=True)
class SetFlowPaused:
    """Pause or resume a key."""

    user: str
    key: str
    paused: bool


@dataclass(frozen=True, slots=True)
class PinFlow:
    """Fix limits, so that messages no longer change them; None leaves one alone."""

    user: str
    key: str
    parallelism: int | None = None
    rate: int | None = None
    period_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class UnpinFlow:
    """Let messages change the named limits again."""

    user: str
    key: str
    parallelism: bool = False
    rate: bool = False


@dataclass(frozen=True, slots=True)
class ResetFlow:
    """Begin counting anew: the rate, and with `parallelism` also what is in flight."""

    user: str
    key: str
    parallelism: bool = False


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
    """Return one key."""
    return Answer(HTTPStatus.OK, flow_view(state, _flow(tenant, key), now_ms))


def global_parallelism(state: State, tenant: Tenant) -> Answer:
    """Return the deliveries in flight, of how many at most."""
    return Answer(HTTPStatus.OK, {"parallelismMax": state.capacity.slots, "parallelismCount": tenant.in_flight})


def set_flow_paused(step: Transition, command: SetFlowPaused) -> Answer:
    """Pause a key: all its messages wait. A key may be paused before its first message."""
    tenant = step.state.tenant(command.user)
    flow = dispatch.flow_key(step, tenant, command.key) if command.paused else _flow(tenant, command.key)
    flow.paused = command.paused
    return _changed(step, tenant, flow)


def pin_flow(step: Transition, command: PinFlow) -> Answer:
    """Set and fix the given limits; an unseen key is created."""
    if command.parallelism is None and command.rate is None and command.period_seconds is None:
        raise bad_request("pin: name at least one of parallelism, rate and period")
    tenant = step.state.tenant(command.user)
    flow = dispatch.flow_key(step, tenant, command.key)
    if command.parallelism is not None:
        flow.parallelism, flow.pinned_parallelism = command.parallelism, True
    if command.rate is not None:
        flow.rate, flow.pinned_rate = command.rate, True
    if command.period_seconds is not None:
        flow.period_seconds, flow.pinned_rate = command.period_seconds, True
    return _changed(step, tenant, flow)


def unpin_flow(step: Transition, command: UnpinFlow) -> Answer:
    """Unpin the limits; they stay until the next message brings its own."""
    tenant = step.state.tenant(command.user)
    flow = _flow(tenant, command.key)
    flow.pinned_parallelism = flow.pinned_parallelism and not command.parallelism
    flow.pinned_rate = flow.pinned_rate and not command.rate
    return _changed(step, tenant, flow)


def reset_flow(step: Transition, command: ResetFlow) -> Answer:
    """Begin a new window now."""
    tenant = step.state.tenant(command.user)
    flow = _flow(tenant, command.key)
    flow.reset_rate(step.now_ms)
    if command.parallelism:
        flow.in_flight = 0
    return _changed(step, tenant, flow)


def _flow(tenant: Tenant, key: str) -> FlowKey:
    flow = tenant.flows.get(key)
    if flow is None:
        raise not_found(f"flow control key {key[:80]!r} does not exist; it appears with its first message, or by pin")
    return flow


def _changed(step: Transition, tenant: Tenant, flow: FlowKey) -> Answer:
    step.changes.append(ThingStored("flow", tenant.user, flow.key, flow))
    dispatch.pump_flow(step, tenant, flow)
    return Answer(HTTPStatus.OK)
