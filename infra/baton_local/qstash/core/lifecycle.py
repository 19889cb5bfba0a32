"""The life of a message: accepted, attempted, retried, and one of three ends (qstash.md 7, 10); its callbacks (11).

CREATED → ACTIVE ─2xx→ DELIVERED
                 └ else → ERROR ─ retries left → RETRY → (wait) → ACTIVE
                               └ none left / 489 → FAILED → dead letter, failure callback
    cancel: CANCEL_REQUESTED → CANCELED (after the attempt in flight, if there is one)

Invariant: exactly one of DELIVERED, FAILED, CANCELED is logged for a message, and it is its last event. The message
that carries a callback is admitted like any other, and is never deduplicated.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

from baton_local.qstash.core import dispatch
from baton_local.qstash.core.headers import digest
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.message import DEFAULT_RETRIES, AttemptResult, DlqEntry, EventState, Live, Message, Phase
from baton_local.qstash.core.options import CallbackSpec, Options, parse_options
from baton_local.qstash.core.retry_delay import next_delay_ms
from baton_local.qstash.core.state import Finished, Tenant, Transition


def callback_options(spec: CallbackSpec, source: Live, limits: Limits) -> Options:
    """Return the options of the callback message: its own headers over the source's retries and JSON content."""
    headers = {
        "content-type": ["application/json"],
        "upstash-retries": [str(source.message.max_retries)],
        **{name.lower(): values for name, values in spec.headers.items()},
    }
    return parse_options(headers, limits)


def callback_body(source: Live, result: AttemptResult, dlq_id: str | None) -> bytes:
    """Return the JSON that a callback (with `dlq_id`: a failure callback) carries."""
    message = source.message
    answer = result.body if result.error is None else result.error.encode()
    body: dict[str, Any] = {
        "status": result.status,
        "header": result.headers,
        "body": b64encode(answer).decode(),
        "retried": source.retried,
        "maxRetries": message.max_retries,
        "sourceMessageId": message.id,
        "topicName": message.topic,
        "endpointName": message.endpoint,
        "url": message.url,
        "method": message.method,
        "sourceHeader": message.redaction.shown_headers(message.header),
        "sourceBody": b64encode(_source_body(source)).decode(),
        "notBefore": message.not_before_ms,
        "createdAt": message.created_at_ms,
        "scheduleId": message.schedule_id,
        "callerIP": message.caller_ip,
        "dlqId": dlq_id,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def _source_body(source: Live) -> bytes:
    """Return the body as it may be shown: a callback is logged like any message, so what is redacted stays so."""
    body = source.message.body or b""
    return digest(body).encode() if source.message.redaction.body else body


_SCHEDULE_STATE = {EventState.DELIVERED: "SUCCESS", EventState.FAILED: "FAIL", EventState.CANCELED: "FAIL"}


def admit(step: Transition, tenant: Tenant, message: Message) -> None:
    limits = step.state.limits
    live = Live(message, step.now_ms + limits.scaled_ms(message.not_before_ms - message.created_at_ms))
    step.changes.append(message)
    step.put(tenant, "live", message.id, live)
    step.log(live, EventState.CREATED)
    _hold_turn(tenant, message)
    dispatch.use_flow(step, tenant, live)
    dispatch.enter(step, tenant, live)


def recover(step: Transition, tenant: Tenant, recovered: Sequence[Live]) -> None:
    """Put the unfinished messages of an earlier run on their way again, in order of acceptance."""
    for live in recovered:
        tenant.live[live.message.id] = live
        _hold_turn(tenant, live.message)  # before any queue moves: these turns are still taken
        dispatch.count_flow(step, tenant, live)
    for live in recovered:
        if live.cancel_requested:  # nobody hears of its last attempt any more, and there is none after it
            _finish(step, tenant, live, EventState.CANCELED)
    for live in recovered:
        if not live.cancel_requested:
            dispatch.enter(step, tenant, live)


def _hold_turn(tenant: Tenant, message: Message) -> None:
    if message.holds_queue and message.holds_turn_of and message.holds_queue in tenant.queues:
        tenant.queues[message.holds_queue].hold(message.holds_turn_of)


def end_attempt(step: Transition, tenant: Tenant, live: Live, result: AttemptResult) -> None:
    """End an attempt; exactly one of delivered, retried, failed, cancelled follows."""
    live.phase = Phase.TIMED
    live.response_bytes += len(result.body)
    dispatch.release_slots(step, tenant, live)
    if result.succeeded:
        _call_back(step, tenant, live, result)
        step.increment(tenant, "delivered")
        _finish(step, tenant, live, EventState.DELIVERED, result)
    else:
        step.log(live, EventState.ERROR, result=result)
        _call_back(step, tenant, live, result)
        _after_failure(step, tenant, live, result)
    dispatch.use_free_slots(step, tenant, live)


def cancel(step: Transition, tenant: Tenant, live: Live) -> None:
    """Cancel a message; an attempt in flight may finish first."""
    if live.cancel_requested:
        return
    live.cancel_requested = True
    step.log(live, EventState.CANCEL_REQUESTED)
    step.increment(tenant, "cancelled")
    if live.phase is Phase.ACTIVE:
        step.put(tenant, "live", live.message.id, live)
    else:
        waited_for_time = live.phase is Phase.TIMED
        _finish(step, tenant, live, EventState.CANCELED)
        if waited_for_time:
            dispatch.forget_timer(step)


def _after_failure(step: Transition, tenant: Tenant, live: Live, result: AttemptResult) -> None:
    message = live.message
    if live.cancel_requested:
        _finish(step, tenant, live, EventState.CANCELED)
    elif result.forbids_retry or live.retried >= message.max_retries:
        _fail(step, tenant, live, result)
    else:
        delay_ms = next_delay_ms(message.retry_delay, live.retried, result.headers, step.now_ms)
        live.retried += 1
        live.due_ms = step.now_ms + step.state.limits.scaled_ms(delay_ms)
        step.log(live, EventState.RETRY, next_delivery_ms=live.due_ms)
        step.put(tenant, "live", message.id, live)
        dispatch.wait_until_due(step, tenant, live)


def _fail(step: Transition, tenant: Tenant, live: Live, result: AttemptResult) -> None:
    seq = step.state.next_seq()
    entry = DlqEntry(seq, f"{step.now_ms}-{seq}", live.message, step.now_ms, result)
    step.put(tenant, "dlq", entry.id, entry)
    if live.message.failure_callback is not None:
        body = callback_body(live, result, entry.id)
        _admit_callback(step, tenant, live, live.message.failure_callback, body)
    step.increment(tenant, "failed")
    _finish(step, tenant, live, EventState.FAILED, result)


def _call_back(step: Transition, tenant: Tenant, live: Live, result: AttemptResult) -> None:
    if live.message.callback is not None:
        _admit_callback(step, tenant, live, live.message.callback, callback_body(live, result, None))


def _admit_callback(step: Transition, tenant: Tenant, live: Live, spec: CallbackSpec, body: bytes) -> None:
    options = callback_options(spec, live, step.state.limits)
    message = make_message(
        step,
        tenant,
        spec.url,
        options,
        body,
        caller_ip=live.message.caller_ip,
        holds_queue=live.message.queue,
        holds_turn_of=live.message.id if live.message.queue else None,
    )
    step.increment(tenant, "derived")
    admit(step, tenant, message)


class Origin(TypedDict, total=False):
    """Where a message comes from: fields that no header of its own says."""

    topic: str | None
    endpoint: str | None
    queue: str | None
    schedule_id: str | None
    caller_ip: str | None
    holds_queue: str | None
    holds_turn_of: str | None


def make_message(
    step: Transition, tenant: Tenant, url: str, options: Options, body: bytes | None, **origin: Unpack[Origin]
) -> Message:
    """Make a message with these options; it is not admitted yet."""
    not_before_ms = step.now_ms + options.delay_ms if options.not_before_ms is None else options.not_before_ms
    return Message(
        seq=step.state.next_seq(),
        id=step.state.ids.new_id("msg"),
        user=tenant.user,
        url=url,
        created_at_ms=step.now_ms,
        not_before_ms=max(not_before_ms, step.now_ms),
        method=options.method,
        header=options.header,
        body=body,
        max_retries=DEFAULT_RETRIES if options.max_retries is None else options.max_retries,
        retry_delay=options.retry_delay,
        timeout_ms=options.timeout_ms,
        labels=options.labels,
        flow=options.flow,
        callback=options.callback,
        failure_callback=options.failure_callback,
        redaction=options.redaction,
        **origin,
    )


def _finish(step: Transition, tenant: Tenant, live: Live, end: EventState, result: AttemptResult | None = None) -> None:
    message = live.message
    step.log(live, end, result=result)
    step.changes.append(Finished(message, step.now_ms, live.response_bytes))
    step.drop(tenant, "live", message.id)
    dispatch.leave_waiting_places(step, tenant, live)
    _update_schedule(step, tenant, message, _SCHEDULE_STATE[end])
    if message.queue and message.queue in tenant.queues:
        queue = tenant.queues[message.queue]
        queue.leave(message.id)
        dispatch.pump_queue(step, tenant, queue)
    if message.holds_queue and message.holds_turn_of and message.holds_queue in tenant.queues:
        queue = tenant.queues[message.holds_queue]
        queue.release(message.holds_turn_of)
        dispatch.pump_queue(step, tenant, queue)


def _update_schedule(step: Transition, tenant: Tenant, message: Message, state: str) -> None:
    schedule = tenant.schedules.get(message.schedule_id) if message.schedule_id else None
    if schedule is not None and message.id in schedule.last_states:
        changed = replace(schedule, last_states={**schedule.last_states, message.id: state})
        step.put(tenant, "schedules", schedule.id, changed)
