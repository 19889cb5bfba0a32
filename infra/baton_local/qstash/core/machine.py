"""The state machine: `apply` one command, or `tick` when a time has come.

Pure: the same state, command and time give the same outcome. The caller writes the changes to disk first, then answers
and performs the effects. A refused command raises ApiError and changes nothing.
"""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from baton_local.qstash.core import (
    dispatch,
    dlq_commands,
    flow_commands,
    key_commands,
    lifecycle,
    message_commands,
    publishing,
    queue_commands,
    reset,
    schedule_commands,
    schedule_ticks,
    topic_commands,
)
from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.attempt import AttemptResult
from baton_local.qstash.core.changes import Change
from baton_local.qstash.core.message import Phase
from baton_local.qstash.core.schedules import SCHEDULE_DUE
from baton_local.qstash.core.state import Deliver, State, Timer, Transition

_MAX_TIMERS_PER_TICK = 2_000


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """A delivery attempt came back; `retried` says which one."""

    user: str
    message_id: str
    retried: int
    result: AttemptResult


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transition brought about."""

    answer: Answer
    changes: list[Change]
    effects: list[Deliver]


def end_attempt(step: Transition, command: AttemptEnded) -> Answer:
    """Take in the result of an attempt; one that is no longer awaited changes nothing."""
    tenant = step.state.tenant(command.user)
    live = tenant.live.get(command.message_id)
    if live is not None and live.phase is Phase.ACTIVE and live.retried == command.retried:
        lifecycle.end_attempt(step, tenant, live, command.result)
    return Answer(HTTPStatus.OK)


_HANDLERS: Mapping[type, Callable[[Transition, Any], Answer]] = MappingProxyType(
    {
        publishing.Publish: publishing.publish,
        publishing.PublishBatch: publishing.publish_batch,
        AttemptEnded: end_attempt,
        message_commands.CancelMessage: message_commands.cancel_message,
        message_commands.CancelMessages: message_commands.cancel_messages,
        dlq_commands.DeleteDeadLetter: dlq_commands.delete_dead_letter,
        dlq_commands.DeleteDeadLetters: dlq_commands.delete_dead_letters,
        dlq_commands.RetryDeadLetter: dlq_commands.retry_dead_letter,
        dlq_commands.RetryDeadLetters: dlq_commands.retry_dead_letters,
        topic_commands.UpsertEndpoints: topic_commands.upsert_endpoints,
        topic_commands.RemoveEndpoints: topic_commands.remove_endpoints,
        topic_commands.SetTopicHeaders: topic_commands.set_topic_headers,
        topic_commands.DeleteTopic: topic_commands.delete_topic,
        key_commands.RotateKeys: key_commands.rotate_keys,
        queue_commands.UpsertQueue: queue_commands.upsert_queue,
        queue_commands.SetQueuePaused: queue_commands.set_queue_paused,
        queue_commands.DeleteQueue: queue_commands.delete_queue,
        schedule_commands.CreateSchedule: schedule_commands.create_schedule,
        schedule_commands.SetSchedulePaused: schedule_commands.set_schedule_paused,
        schedule_commands.DeleteSchedule: schedule_commands.delete_schedule,
        flow_commands.SetFlowPaused: flow_commands.set_flow_paused,
        flow_commands.PinFlow: flow_commands.pin_flow,
        flow_commands.UnpinFlow: flow_commands.unpin_flow,
        flow_commands.ResetFlow: flow_commands.reset_flow,
        reset.Reset: reset.reset,
    }
)


def apply(state: State, command: Any, now_ms: int) -> Outcome:
    """Carry out one command."""
    step = Transition(state, now_ms)
    answer = _HANDLERS[type(command)](step, command)
    return Outcome(answer, step.changes, step.effects)


def tick(state: State, now_ms: int) -> Outcome:
    """Carry out what the time asks for; call again at `state.next_wakeup_ms()` (at once if much was due)."""
    step = Transition(state, now_ms)
    for _ in range(_MAX_TIMERS_PER_TICK):
        if not state.timers or state.timers[0].at_ms > now_ms:
            break
        _ring(step, heapq.heappop(state.timers))
    return Outcome(Answer(HTTPStatus.OK), step.changes, step.effects)


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
        schedule_ticks.run_schedule(step, tenant, timer.key, timer.at_ms)
