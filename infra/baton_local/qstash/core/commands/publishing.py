"""Publish, enqueue, batch, at once or by a schedule: from a request to messages (qstash.md 5, 17).

Invariant: everything is checked before the first message is admitted, so a refused publish leaves nothing behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from baton_local.qstash.core.answer import Answer, bad_request, not_found, over_quota
from baton_local.qstash.core.commands.queues import queue_for_enqueue
from baton_local.qstash.core.destinations import (
    Destination,
    Endpoint,
    GroupDestination,
    Topic,
    UrlDestination,
    check_name,
    destination_text,
    merged_headers,
)
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.lifecycle import admit, make_message
from baton_local.qstash.core.message import DEFAULT_RETRIES, Message
from baton_local.qstash.core.options import Options, check_served, parse_options
from baton_local.qstash.core.schedules import SCHEDULE_DUE, Schedule, next_run_ms, parse_cron
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant, dedup_key
from baton_local.qstash.core.views import View, body_fields, flow_fields, label_fields, shown_body, without_unset
from baton_local.stand_in.api_error import ApiError


@dataclass(frozen=True, slots=True)
class Publish:
    """One publish (or enqueue, with a queue); header names are lower-case."""

    destination: Destination
    headers: HeaderMap
    body: bytes | None = None
    caller_ip: str | None = None
    queue: str | None = None
    schedule_id: str | None = None


def publish(step: Transition, tenant: Tenant, command: Publish) -> Answer:
    """Publish one message, or one per endpoint of a group; make a schedule if there is a cron header."""
    topic = _topic(tenant, command.destination)
    headers = merged_headers(topic.headers, command.headers) if topic else command.headers
    options = parse_options(headers, step.state.limits)
    if options.cron is not None and command.schedule_id is None:
        return create_schedule(step, tenant, command)
    _check(step, command, options)
    if command.queue is not None:
        queue_for_enqueue(step, tenant, command.queue)
    targets = topic.endpoints if topic else (Endpoint(destination_text(command.destination)),)
    results = [_accept(step, tenant, command, options, target) for target in targets]
    duplicate = all(result.get("deduplicated") for result in results)
    status = HTTPStatus.ACCEPTED if duplicate else HTTPStatus.OK
    return Answer(status, results if topic else results[0])


def publish_batch(step: Transition, tenant: Tenant, items: Sequence[Publish | ApiError]) -> Answer:
    """Publish each item by itself: one that fails, or could not be read, holds its error; the others still go.

    What is not served at all refuses the whole: the workflow SDK looks at no item, and would report a run started.
    """
    for item in items:
        if isinstance(item, Publish):
            check_served(item.headers)
        elif item.status == HTTPStatus.NOT_IMPLEMENTED:
            raise item
    return Answer(HTTPStatus.OK, [_batch_item(step, tenant, item) for item in items])


def _batch_item(step: Transition, tenant: Tenant, item: Publish | ApiError) -> Any:
    if isinstance(item, ApiError):
        return {"error": item.message}
    try:
        return publish(step, tenant, item).body
    except ApiError as error:
        return {"error": error.message}


def _topic(tenant: Tenant, destination: Destination) -> Topic | None:
    if isinstance(destination, UrlDestination):
        return None
    topic = tenant.topics.get(destination.name)
    if topic is None:
        raise not_found(
            f"URL group {destination.name!r} does not exist; create it with POST /v2/topics/{destination.name}"
            "/endpoints, or publish to a URL that begins with http:// or https://"
        )
    return topic


def _check(step: Transition, command: Publish, options: Options) -> None:
    limits = step.state.limits
    size_bytes = len(command.body or b"")
    if size_bytes > limits.max_message_bytes:
        raise ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"body: {size_bytes} bytes is over the limit of {limits.max_message_bytes}; store it and send a reference",
        )
    if options.not_before_ms is not None and options.not_before_ms - step.now_ms > limits.max_delay_ms:
        raise over_quota(
            f"Upstash-Not-Before: is more than {limits.max_delay_ms // 1_000}s ahead; choose an earlier time"
        )
    if command.queue is not None:
        check_name(command.queue, "queue")
        for spec in (options.callback, options.failure_callback):
            if spec is not None and "Upstash-Delay" in spec.headers:
                raise bad_request("Upstash-Callback-Delay: is not allowed for a message in a queue; leave it out")


def _accept(step: Transition, tenant: Tenant, command: Publish, options: Options, target: Endpoint) -> dict[str, Any]:
    key = None
    if command.schedule_id is None:
        of_group = target.url if isinstance(command.destination, GroupDestination) else None
        key = dedup_key(options, destination_text(command.destination), command.body, of_group)
    first, expires_ms = tenant.dedup.get(key or "", ("", 0))
    if expires_ms > step.now_ms:
        step.increment(tenant, "deduplicated")
        return _result(command, target, first, deduplicated=True)
    message = _message(step, tenant, command, options, target)
    if key is not None:
        while tenant.dedup and next(iter(tenant.dedup.values()))[1] <= step.now_ms:
            step.drop(tenant, "dedup", next(iter(tenant.dedup)))
        expires_ms = step.now_ms + step.state.limits.scaled_ms(step.state.limits.dedup_window_ms)
        step.put(tenant, "dedup", key, (message.id, expires_ms))
    step.increment(tenant, "published" if command.schedule_id is None else "derived")
    admit(step, tenant, message)
    return _result(command, target, message.id, deduplicated=False)


def _message(step: Transition, tenant: Tenant, command: Publish, options: Options, target: Endpoint) -> Message:
    return make_message(
        step,
        tenant,
        target.url,
        options,
        command.body,
        topic=command.destination.name if isinstance(command.destination, GroupDestination) else None,
        endpoint=target.name,
        queue=command.queue,
        schedule_id=command.schedule_id,
        caller_ip=command.caller_ip,
    )


def _result(command: Publish, target: Endpoint, message_id: str, *, deduplicated: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"messageId": message_id}
    if isinstance(command.destination, GroupDestination):
        result["url"] = target.url
    if deduplicated:
        result["deduplicated"] = True
    return result


def create_schedule(step: Transition, tenant: Tenant, command: Publish) -> Answer:
    """Create a schedule, or replace the one with the same id entirely.

    Everything is checked now, so that a tick can fail only for what changed since.
    """
    limits = step.state.limits
    options = parse_options(command.headers, limits)
    if options.cron is None:
        raise bad_request("Upstash-Cron: is missing; a schedule needs one, like '*/5 * * * *'")
    parse_cron(options.cron)
    if options.not_before_ms is not None:
        raise bad_request("Upstash-Not-Before: has no meaning for a schedule; use Upstash-Delay")
    if len(command.body or b"") > limits.max_message_bytes:
        raise bad_request(f"body: is over the limit of {limits.max_message_bytes} bytes")
    schedule_id = options.schedule_id or step.state.ids.new_id("scd")
    if schedule_id not in tenant.schedules and len(tenant.schedules) >= limits.max_schedules:
        raise over_quota(f"schedule: there are {limits.max_schedules} already, the limit; delete one first")
    schedule = Schedule(
        id=schedule_id,
        cron=options.cron,
        destination=destination_text(command.destination),
        headers=_kept(command.headers),
        options=options,
        created_at_ms=step.now_ms,
        body=command.body,
        caller_ip=command.caller_ip,
        queue=command.queue or options.queue,
    )
    plan(step, tenant, schedule)
    return Answer(HTTPStatus.OK, {"scheduleId": schedule_id})


def plan(step: Transition, tenant: Tenant, schedule: Schedule) -> None:
    """Store the schedule with its next run, and be woken then."""
    at_ms = None if schedule.paused else next_run_ms(schedule, step.now_ms, step.state.limits.time_scale)
    schedule = replace(schedule, next_at_ms=at_ms)
    step.put(tenant, "schedules", schedule.id, schedule)
    if at_ms is not None:
        step.state.wake_at(at_ms, SCHEDULE_DUE, tenant.user, schedule.id)


def set_schedule_paused(step: Transition, tenant: Tenant, schedule_id: str, *, paused: bool) -> Answer:
    """Pause, or go on with the next run from now."""
    plan(step, tenant, replace(_schedule(tenant, schedule_id), paused=paused))
    return Answer(HTTPStatus.OK)


def delete_schedule(step: Transition, tenant: Tenant, schedule_id: str) -> Answer:
    """Delete; its timer is ignored when it rings, messages already made still go."""
    step.drop(tenant, "schedules", _schedule(tenant, schedule_id).id)
    return Answer(HTTPStatus.OK)


def list_schedules(tenant: Tenant) -> Answer:
    return Answer(HTTPStatus.OK, [schedule_view(each) for each in tenant.schedules.values()])


def get_schedule(tenant: Tenant, schedule_id: str) -> Answer:
    return Answer(HTTPStatus.OK, schedule_view(_schedule(tenant, schedule_id)))


def schedule_view(schedule: Schedule) -> View:
    options = schedule.options
    always: dict[str, Any] = {
        "scheduleId": schedule.id,
        "cron": schedule.cron,
        "destination": schedule.destination,
        "createdAt": schedule.created_at_ms,
        "method": options.method,
        "retries": DEFAULT_RETRIES if options.max_retries is None else options.max_retries,
        "isPaused": schedule.paused,
    }
    callback, failure_callback = options.callback, options.failure_callback
    optional = {
        "header": options.redaction.shown_headers(options.header),
        "delay": options.delay_ms // 1_000 or None,
        "timeout": None if options.timeout_ms is None else options.timeout_ms // 1_000,
        "callback": callback and callback.url,
        "failureCallback": failure_callback and failure_callback.url,
        "callbackHeader": callback and callback.headers,
        "failureCallbackHeader": failure_callback and failure_callback.headers,
        "callerIP": schedule.caller_ip,
        "callerIp": schedule.caller_ip,
        "queueName": schedule.queue,
        "retryDelayExpression": options.retry_delay,
        "lastScheduleTime": schedule.last_at_ms,
        "nextScheduleTime": schedule.next_at_ms,
        "lastScheduleStates": schedule.last_states,
        "error": schedule.error,
    }
    return (
        always
        | without_unset(optional)
        | body_fields(shown_body(schedule.body, options.redaction), "body")
        | label_fields(options.labels)
        | flow_fields(options.flow)
    )


def _schedule(tenant: Tenant, schedule_id: str) -> Schedule:
    schedule = tenant.schedules.get(schedule_id)
    if schedule is None:
        raise not_found(f"schedule {schedule_id[:80]!r} does not exist")
    return schedule


def _kept(headers: HeaderMap) -> HeaderMap:
    """Return the headers needed to publish again, without the caller's credentials."""
    return {name: values for name, values in headers.items() if name != "authorization"}
