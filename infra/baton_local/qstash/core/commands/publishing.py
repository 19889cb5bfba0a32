"""`/v2/publish`, `/v2/enqueue`, `/v2/batch`, `/v2/schedules`: from a request to messages (qstash.md 3, 5, 17).

Invariant: everything is checked before the first message is admitted, so a refused publish leaves nothing behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from baton_local.qstash.core.answer import Answer, Request, bad_request, is_control_key, not_found, ok, over_quota
from baton_local.qstash.core.commands.queues import queue_for_enqueue
from baton_local.qstash.core.destinations import Endpoint, Topic, check_name, is_url, merged_headers, parse_destination
from baton_local.qstash.core.headers import HeaderMap, lower_map
from baton_local.qstash.core.lifecycle import admit, make_message
from baton_local.qstash.core.message import DEFAULT_RETRIES
from baton_local.qstash.core.options import Options, check_served, parse_options
from baton_local.qstash.core.schedules import SCHEDULE_DUE, Schedule, next_run_ms, parse_cron
from baton_local.qstash.core.state import Tenant, Transition
from baton_local.qstash.core.views import View, body_fields, flow_fields, label_fields, shown_body, without_unset
from baton_local.stand_in.api_error import ApiError


@dataclass(frozen=True, slots=True)
class Publish:
    """One publish (or enqueue, with a queue); header names are lower-case."""

    destination: str
    headers: HeaderMap
    body: bytes | None = None
    caller_ip: str | None = None
    queue: str | None = None
    schedule_id: str | None = None


def publish_one(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Publish at once, or through the queue that the path names."""
    queue = check_name(request.param("queue"), "queue") if "queue" in request.params else None
    return publish(step, tenant, _read(request, queue))


def _read(request: Request, queue: str | None) -> Publish:
    destination_query, options = _split_query(request.query)
    destination = parse_destination(request.params["destination"], destination_query)
    return Publish(destination, {**options, **request.headers}, request.body or None, request.client_ip, queue)


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
    targets = topic.endpoints if topic else (Endpoint(command.destination),)
    results = [_accept(step, tenant, command, options, target) for target in targets]
    duplicate = all(result.get("deduplicated") for result in results)
    status = HTTPStatus.ACCEPTED if duplicate else HTTPStatus.OK
    return Answer(status, results if topic else results[0])


def publish_batch(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Publish each item by itself: one that fails, or could not be read, holds its error; the others still go.

    What is not served at all refuses the whole: the workflow SDK looks at no item, and would report a run started.
    """
    given, limit = request.json(), step.state.limits.max_batch_items
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise bad_request('body: must be a JSON array of objects like {"destination": "https://...", "body": "..."}')
    if len(given) > limit:
        raise bad_request(f"body: {len(given)} items are over the limit of {limit}; send several batches")
    items = [_read_item(request, item) for item in given]
    for item in items:
        if isinstance(item, Publish):
            check_served(item.headers)
        elif item.status == HTTPStatus.NOT_IMPLEMENTED:
            raise item
    return ok([_batch_item(step, tenant, item) for item in items])


def _batch_item(step: Transition, tenant: Tenant, item: Publish | ApiError) -> Any:
    if isinstance(item, ApiError):
        return {"error": item.message}
    try:
        return publish(step, tenant, item).body
    except ApiError as error:
        return {"error": error.message}


def _split_query(query: str) -> tuple[str, HeaderMap]:
    """Return what belongs to the destination, untouched, and the options given by query (a real header wins)."""
    if not query:
        return "", {}
    kept, options = [], []
    for part in query.split("&"):
        pairs = parse_qsl(part, keep_blank_values=True)
        if pairs and is_control_key(pairs[0][0]):
            options += pairs
        else:
            kept.append(part)
    return "&".join(kept), {name: values for name, values in lower_map(options).items() if name.startswith("upstash-")}


def _read_item(request: Request, item: dict[str, Any]) -> Publish | ApiError:
    try:
        destination, body, queue = item.get("destination"), item.get("body"), item.get("queue")
        if not isinstance(destination, str):
            raise bad_request("destination: is missing; each item needs a URL or a group's name")
        if not (body is None or isinstance(body, str)):
            raise bad_request("body: must be text; serialise it before")
        if not (queue is None or isinstance(queue, str)):
            raise bad_request("queue: must be the name of a queue")
        return Publish(
            parse_destination(destination),
            _batch_headers(item.get("headers")),
            _encoded(body) if body else None,
            request.client_ip,
            check_name(queue, "queue") if queue else None,
        )
    except ApiError as error:
        return error


def _batch_headers(headers: Any) -> HeaderMap:
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        raise bad_request("headers: must be an object of names and texts")
    pairs: list[tuple[str, str]] = []
    for name, value in headers.items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str):
                raise bad_request(f"headers.{name[:80]}: must be text")
            _encoded(name + each)
            pairs.append((name, each))
    return lower_map(pairs)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise bad_request(f"batch item: holds text that is not Unicode ({error.reason})") from error


def _topic(tenant: Tenant, destination: str) -> Topic | None:
    if is_url(destination):
        return None
    topic = tenant.topics.get(destination)
    if topic is None:
        raise not_found(
            f"URL group {destination!r} does not exist; create it with POST /v2/topics/{destination}"
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
        of_group = None if is_url(command.destination) else target.url
        key = _dedup_key(options, command.destination, command.body, of_group)
    first, expires_ms = tenant.dedup.get(key or "", ("", 0))
    if expires_ms > step.now_ms:
        step.increment(tenant, "deduplicated")
        return _result(command, target, first, deduplicated=True)
    message = make_message(
        step,
        tenant,
        target.url,
        options,
        command.body,
        topic=None if is_url(command.destination) else command.destination,
        endpoint=target.name,
        queue=command.queue,
        schedule_id=command.schedule_id,
        caller_ip=command.caller_ip,
    )
    if key is not None:
        while tenant.dedup and next(iter(tenant.dedup.values()))[1] <= step.now_ms:
            step.drop(tenant, "dedup", next(iter(tenant.dedup)))
        expires_ms = step.now_ms + step.state.limits.scaled_ms(step.state.limits.dedup_window_ms)
        step.put(tenant, "dedup", key, (message.id, expires_ms))
    step.increment(tenant, "published" if command.schedule_id is None else "derived")
    admit(step, tenant, message)
    return _result(command, target, message.id, deduplicated=False)


def _dedup_key(options: Options, destination: str, body: bytes | None, endpoint_url: str | None) -> str | None:
    """Return the key of a publish, or None if it asked for none; an explicit id wins over the content."""
    if options.dedup_id is not None:
        key = f"id:{options.dedup_id}"
    elif options.dedup_by_content:
        key = f"content:{_content_digest(destination, options.header, body or b'')}"
    else:
        return None
    return key if endpoint_url is None else f"{key}:{endpoint_url}"  # a group deduplicates per endpoint


def _content_digest(destination: str, header: Mapping[str, Sequence[str]], body: bytes) -> str:
    digest = sha256(destination.encode())
    for name in sorted(header):
        digest.update(f"\0{name}\0{chr(0).join(header[name])}".encode())
    digest.update(b"\0\0" + body)
    return digest.hexdigest()


def _result(command: Publish, target: Endpoint, message_id: str, *, deduplicated: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"messageId": message_id}
    if not is_url(command.destination):
        result["url"] = target.url
    if deduplicated:
        result["deduplicated"] = True
    return result


def create_schedule_of(step: Transition, tenant: Tenant, request: Request) -> Answer:
    return create_schedule(step, tenant, _read(request, None))


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
        destination=command.destination,
        headers={name: values for name, values in command.headers.items() if name != "authorization"},
        options=options,
        created_at_ms=step.now_ms,
        body=command.body,
        caller_ip=command.caller_ip,
        queue=command.queue or options.queue,
    )
    plan(step, tenant, schedule)
    return ok({"scheduleId": schedule_id})


def plan(step: Transition, tenant: Tenant, schedule: Schedule) -> None:
    """Store the schedule with its next run, and be woken then."""
    at_ms = None if schedule.paused else next_run_ms(schedule, step.now_ms, step.state.limits.time_scale)
    schedule = replace(schedule, next_at_ms=at_ms)
    step.put(tenant, "schedules", schedule.id, schedule)
    if at_ms is not None:
        step.state.wake_at(at_ms, SCHEDULE_DUE, tenant.user, schedule.id)


def set_schedule_paused(step: Transition, tenant: Tenant, request: Request, *, paused: bool) -> Answer:
    """Pause, or go on with the next run from now."""
    plan(step, tenant, replace(_schedule(tenant, request), paused=paused))
    return ok()


def delete_schedule(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Delete; its timer is ignored when it rings, messages already made still go."""
    step.drop(tenant, "schedules", _schedule(tenant, request).id)
    return ok()


def list_schedules(_step: Transition, tenant: Tenant, _request: Request) -> Answer:
    return ok([_schedule_view(each) for each in tenant.schedules.values()])


def get_schedule(_step: Transition, tenant: Tenant, request: Request) -> Answer:
    return ok(_schedule_view(_schedule(tenant, request)))


def _schedule_view(schedule: Schedule) -> View:
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


def _schedule(tenant: Tenant, request: Request) -> Schedule:
    schedule_id = request.param("id")
    if schedule_id not in tenant.schedules:
        raise not_found(f"schedule {schedule_id[:80]!r} does not exist")
    return tenant.schedules[schedule_id]
