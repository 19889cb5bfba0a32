"""From accepted to in flight: a queue's turn, the due time, flow control, a free slot, in this order.

Invariant: an unfinished message is in exactly one place: a queue's line, the timers, a waiting list, or in flight.
Code that frees a place calls the matching `pump_*`, so nothing waits for what is free.
"""

import heapq

from baton_local.qstash.core.destinations import origin_of
from baton_local.qstash.core.flow_control import FlowKey
from baton_local.qstash.core.message import EventState, Live, Phase
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.state import Deliver, Tenant, Timer, Transition

_STALE_TIMERS_KEPT = 1_000
MESSAGE_DUE, FLOW_WINDOW, FLOW_IDLE = "message", "flow", "flow-idle"


def enter(step: Transition, tenant: Tenant, live: Live) -> None:
    """Begin the way of a new (or recovered) message."""
    queue = _queue_of(tenant, live)
    if queue is None:
        wait_until_due(step, tenant, live)
        return
    live.phase = Phase.QUEUED
    queue.join(live.message.id)
    pump_queue(step, tenant, queue)


def wait_until_due(step: Transition, tenant: Tenant, live: Live) -> None:
    """Wait for the due time, or go on at once."""
    if live.due_ms > step.now_ms:
        live.phase = Phase.TIMED
        step.state.wake_at(live.due_ms, MESSAGE_DUE, tenant.user, live.message.id)
    else:
        ready(step, tenant, live)


def ready(step: Transition, tenant: Tenant, live: Live) -> None:
    """Start a message that is due, or put it in the line of what it has to wait for."""
    live.phase = Phase.PARKED
    live.turn = step.state.next_turn()
    _go_on(step, tenant, live)


def pump_queue(step: Transition, tenant: Tenant, queue: Queue) -> None:
    """Give free turns to the next in line."""
    while (message_id := queue.next_turn()) is not None:
        wait_until_due(step, tenant, tenant.live[message_id])


def resume_queue(step: Transition, tenant: Tenant, queue: Queue) -> None:
    """Resume after a pause: messages due meanwhile go on, then new turns are given."""
    while queue.held and not queue.paused:
        _go_on(step, tenant, tenant.live[queue.held.pop()])
    pump_queue(step, tenant, queue)


def pump_flow(step: Transition, tenant: Tenant, flow: FlowKey) -> None:
    """Start what the key allows, in order; come back when its window is over if the rate stands in the way."""
    while flow.waiters and _flow_has_capacity(step, flow):
        live = tenant.live[flow.waiters.pop()]
        if not _hold_if_paused(tenant, live):
            _start_or_park(step, tenant, live, flow)
    if not flow.waiters or flow.paused or (flow.parallelism and flow.in_flight >= flow.parallelism):
        return
    window_end_ms = flow.window_start_ms + _period_ms(step, flow)
    if flow.wakes_at_ms != window_end_ms:
        flow.wakes_at_ms = window_end_ms
        step.state.wake_at(window_end_ms, FLOW_WINDOW, tenant.user, flow.key)


def pump_capacity(step: Transition) -> None:
    """Use free slots for messages whose destination had no room."""
    while (waiting := step.state.capacity.next_parked()) is not None:
        user, message_id = waiting
        tenant = step.state.tenant(user)
        live = tenant.live[message_id]
        flow = _flow_of(tenant, live)
        if _hold_if_paused(tenant, live):
            continue
        if flow is None or _flow_has_capacity(step, flow):
            _start(step, tenant, live, flow)
        else:
            _wait_for_key(step, tenant, live, flow)


def forget_timer(step: Transition) -> None:
    """Forget the timer of a cancelled message; it stays until it rings, or until most timers are such."""
    state = step.state
    state.stale_timers += 1
    if state.stale_timers > max(_STALE_TIMERS_KEPT, len(state.timers) // 2):
        state.timers = [timer for timer in state.timers if _still_applies(step, timer)]
        heapq.heapify(state.timers)
        state.stale_timers = 0


def _still_applies(step: Transition, timer: Timer) -> bool:
    if timer.kind != MESSAGE_DUE:
        return True
    live = step.state.tenant(timer.user).live.get(timer.key)
    return live is not None and live.due_ms == timer.at_ms


def leave_waiting_places(step: Transition, tenant: Tenant, live: Live) -> None:
    """Take a finished message off whatever list it is on (timers ignore it by themselves)."""
    flow = _flow_of(tenant, live)
    if flow is not None:
        flow.waiters.leave(live.message.id)
        flow.unfinished -= 1
    step.state.capacity.unpark(origin_of(live.message.url), (tenant.user, live.message.id))


def release_slots(step: Transition, tenant: Tenant, live: Live) -> None:
    """Free the slots that a finished delivery held."""
    step.state.capacity.give_back(origin_of(live.message.url))
    tenant.in_flight -= 1
    flow = _flow_of(tenant, live)
    if flow is not None:
        flow.end(step.now_ms)


def use_free_slots(step: Transition, tenant: Tenant, live: Live) -> None:
    """Let others use what this message's delivery held."""
    flow = _flow_of(tenant, live)
    if flow is not None:
        pump_flow(step, tenant, flow)
    pump_capacity(step)


def use_flow(step: Transition, tenant: Tenant, live: Live) -> None:
    """Make the message's limits those of its key (the latest message wins, unless pinned)."""
    flow = count_flow(step, tenant, live)
    if flow is not None and live.message.flow is not None and flow.configure(live.message.flow):
        step.put(tenant, "flows", flow.key, flow)
        pump_flow(step, tenant, flow)


def count_flow(step: Transition, tenant: Tenant, live: Live) -> FlowKey | None:
    """Count one more unfinished message of its key, if it has one."""
    if live.message.flow is None:
        return None
    flow = flow_key(step, tenant, live.message.flow.key)
    flow.unfinished += 1
    flow.last_used_ms = step.now_ms
    return flow


def flow_key(step: Transition, tenant: Tenant, key: str) -> FlowKey:
    """Return the key, made when it is first seen."""
    flow = tenant.flows.get(key)
    if flow is None:
        flow = tenant.flows[key] = FlowKey(key, last_used_ms=step.now_ms)
        watch_idle_flow(step, tenant, key)
    return flow


def watch_idle_flow(step: Transition, tenant: Tenant, key: str) -> None:
    """Look after the retention time whether the key may be forgotten."""
    step.state.wake_at(step.now_ms + step.state.limits.flow_key_retention_ms, FLOW_IDLE, tenant.user, key)


def forget_idle_flow(step: Transition, tenant: Tenant, key: str) -> None:
    """Drop a key that nothing has used for the retention time; look again later otherwise."""
    flow, retention_ms = tenant.flows.get(key), step.state.limits.flow_key_retention_ms
    if flow is None:
        return
    if flow.idle and flow.last_used_ms + retention_ms <= step.now_ms:
        step.drop(tenant, "flows", key)
    else:
        watch_idle_flow(step, tenant, key)


def _go_on(step: Transition, tenant: Tenant, live: Live) -> None:
    flow = _flow_of(tenant, live)
    if _hold_if_paused(tenant, live):
        return
    if flow is None:
        _start_or_park(step, tenant, live, None)
    else:
        _wait_for_key(step, tenant, live, flow)


def _hold_if_paused(tenant: Tenant, live: Live) -> bool:
    """Return whether the message's queue was paused; checked at each step, since a pause may come meanwhile."""
    queue = _queue_of(tenant, live)
    if queue is None or not queue.paused:
        return False
    queue.held.join(live.message.id, live.turn)
    return True


def _wait_for_key(step: Transition, tenant: Tenant, live: Live, flow: FlowKey) -> None:
    flow.waiters.join(live.message.id, live.turn)
    pump_flow(step, tenant, flow)


def _start_or_park(step: Transition, tenant: Tenant, live: Live, flow: FlowKey | None) -> None:
    origin = origin_of(live.message.url)
    if step.state.capacity.has_capacity(origin):
        _start(step, tenant, live, flow)
    else:
        step.state.capacity.park(origin, (tenant.user, live.message.id), live.turn)


def _start(step: Transition, tenant: Tenant, live: Live, flow: FlowKey | None) -> None:
    step.state.capacity.take(origin_of(live.message.url))
    tenant.in_flight += 1
    if flow is not None:
        flow.start(step.now_ms, _period_ms(step, flow))
        if flow.rate:  # what was started in a window counts in it, though the server dies meanwhile
            step.put(tenant, "flows", flow.key, flow)
    live.phase = Phase.ACTIVE
    step.log(live, EventState.ACTIVE)
    step.increment(tenant, "deliveries")
    step.effects.append(Deliver(live.message, live.retried, tenant.keys.current))


def _queue_of(tenant: Tenant, live: Live) -> Queue | None:
    return tenant.queues.get(live.message.queue) if live.message.queue else None


def _flow_of(tenant: Tenant, live: Live) -> FlowKey | None:
    return tenant.flows.get(live.message.flow.key) if live.message.flow else None


def _period_ms(step: Transition, flow: FlowKey) -> int:
    return step.state.limits.scaled_ms(flow.period_seconds * 1_000)


def _flow_has_capacity(step: Transition, flow: FlowKey) -> bool:
    return flow.has_capacity(step.now_ms, _period_ms(step, flow))
