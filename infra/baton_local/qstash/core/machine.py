"""The state machine: `apply` one command, or `tick` when a time has come.

Pure: the same state, command and time give the same outcome. The caller writes the changes to disk first, then answers
and performs the effects. A refused command raises ApiError and changes nothing. A schedule that is due makes an
ordinary publish, then its next run is planned.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Concatenate, ParamSpec

from baton_local.qstash.core import dispatch, lifecycle
from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.commands.publishing import Publish, plan, publish
from baton_local.qstash.core.message import AttemptResult, Live, Phase
from baton_local.qstash.core.schedules import SCHEDULE_DUE
from baton_local.qstash.core.state import State, Tenant, Timer, Transition
from baton_local.stand_in.api_error import ApiError


def run_schedule(step: Transition, tenant: Tenant, schedule_id: str, due_ms: int) -> None:
    """Make the messages of one tick; a timer that no longer applies is ignored."""
    schedule = tenant.schedules.get(schedule_id)
    if schedule is None or schedule.paused or schedule.next_at_ms != due_ms:
        return
    command = Publish(
        schedule.destination, schedule.headers, schedule.body, schedule.caller_ip, schedule.queue, schedule_id
    )
    try:
        made, error = publish(step, tenant, command).body, None
        states = {each["messageId"]: "IN_PROGRESS" for each in (made if isinstance(made, list) else [made])}
    except ApiError as refusal:  # such as a group that is gone; shown on the schedule, tried again at the next tick
        states, error = {}, refusal.message
    plan(step, tenant, replace(schedule, last_at_ms=step.now_ms, last_states=states, error=error))


_MAX_TIMERS_PER_TICK = 2_000


# A function of core/commands, with what it takes beside the user's own world.
P = ParamSpec("P")
Command = Callable[Concatenate[Transition, Tenant, P], Answer]


def end_attempt(step: Transition, tenant: Tenant, message_id: str, retried: int, result: AttemptResult) -> Answer:
    """Take in the result of the attempt that `retried` says; one that is no longer awaited changes nothing."""
    live = tenant.live.get(message_id)
    if live is not None and live.phase is Phase.ACTIVE and live.retried == retried:
        lifecycle.end_attempt(step, tenant, live, result)
    return Answer(HTTPStatus.OK)


def apply(
    state: State, now_ms: int, user: str, command: Command[P], *arguments: P.args, **options: P.kwargs
) -> tuple[Answer, Transition]:
    step = Transition(state, now_ms)
    return command(step, state.tenant(user), *arguments, **options), step


def resume(state: State, now_ms: int, unfinished: Sequence[Live]) -> Transition:
    """Take up the state of an earlier run, with what it left unfinished in order of acceptance."""
    step = Transition(state, now_ms)
    for tenant in state.tenants.values():
        for schedule in list(tenant.schedules.values()):
            plan(step, tenant, schedule)
        for key in tenant.flows:
            dispatch.watch_idle_flow(step, tenant, key)
        lifecycle.recover(step, tenant, [live for live in unfinished if live.message.user == tenant.user])
    return step


def tick(state: State, now_ms: int) -> Transition:
    """Carry out what the time asks for; call again at `state.next_wakeup_ms()` (at once if much was due)."""
    step = Transition(state, now_ms)
    for _ in range(_MAX_TIMERS_PER_TICK):
        if not state.timers or state.timers[0].at_ms > now_ms:
            break
        _ring(step, heapq.heappop(state.timers))
    return step


def _ring(step: Transition, timer: Timer) -> None:
    tenant = step.state.tenant(timer.user)
    if timer.kind == dispatch.MESSAGE_DUE:
        live = tenant.live.get(timer.key)
        if live is not None and live.phase is Phase.TIMED and live.due_ms == timer.at_ms:
            dispatch.ready(step, tenant, live)
    elif timer.kind == dispatch.FLOW_WINDOW:
        flow = tenant.flows.get(timer.key)
        if flow is not None:
            flow.wakes_at_ms = 0
            dispatch.pump_flow(step, tenant, flow)
    elif timer.kind == dispatch.FLOW_IDLE:
        dispatch.forget_idle_flow(step, tenant, timer.key)
    elif timer.kind == SCHEDULE_DUE:
        run_schedule(step, tenant, timer.key, timer.at_ms)
