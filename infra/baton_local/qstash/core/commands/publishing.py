"""Publish, enqueue, batch: from a request to messages (qstash.md 5).

Invariant: everything is checked before the first message is admitted, so a refused publish leaves nothing behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from baton_local.qstash.core.answer import Answer, bad_request, not_found, over_quota
from baton_local.qstash.core.changes import DedupStored
from baton_local.qstash.core.commands.queues import queue_for_enqueue
from baton_local.qstash.core.commands.schedules import CreateSchedule, create_schedule
from baton_local.qstash.core.destinations import (
    Destination,
    GroupDestination,
    Topic,
    UrlDestination,
    check_name,
    destination_text,
    merged_headers,
)
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.lifecycle import admit, make_message
from baton_local.qstash.core.message import Message
from baton_local.qstash.core.options import Options, check_served, parse_options
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant, dedup_key
from baton_local.stand_in.api_error import ApiError


@dataclass(frozen=True, slots=True)
class Publish:
    """One publish (or enqueue, with a queue); header names are lower-case."""

    user: str
    destination: Destination
    headers: HeaderMap
    body: bytes | None = None
    caller_ip: str | None = None
    queue: str | None = None
    schedule_id: str | None = None


@dataclass(frozen=True, slots=True)
class PublishBatch:
    """Many at once; an item that could not even be read is its error."""

    user: str
    items: Sequence[Publish | ApiError]


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    endpoint: str | None = None
    dedup_suffix: str | None = None


def publish(step: Transition, command: Publish) -> Answer:
    """Publish one message, or one per endpoint of a group; make a schedule if there is a cron header."""
    tenant = step.state.tenant(command.user)
    topic = _topic(tenant, command.destination)
    headers = merged_headers(topic.headers, command.headers) if topic else command.headers
    options = parse_options(headers, step.state.limits)
    if options.cron is not None and command.schedule_id is None:
        return create_schedule(
            step,
            CreateSchedule(
                command.user, command.destination, command.headers, command.body, command.caller_ip, command.queue
            ),
        )
    _check(step, command, options)
    if command.queue is not None:
        queue_for_enqueue(step, tenant, command.queue)
    results = [_accept(step, tenant, command, options, target) for target in _targets(command.destination, topic)]
    duplicate = all(result.get("deduplicated") for result in results)
    status = HTTPStatus.ACCEPTED if duplicate else HTTPStatus.OK
    return Answer(status, results if topic else results[0])


def publish_batch(step: Transition, command: PublishBatch) -> Answer:
    """Publish each item by itself: one that fails holds its error, the others still go.

    What is not served at all refuses the whole: the workflow SDK looks at no item, and would report a run started.
    """
    for item in command.items:
        if isinstance(item, Publish):
            check_served(item.headers)
        elif item.status == HTTPStatus.NOT_IMPLEMENTED:
            raise item
    return Answer(HTTPStatus.OK, [_batch_item(step, item) for item in command.items])


def _batch_item(step: Transition, item: Publish | ApiError) -> Any:
    if isinstance(item, ApiError):
        return {"error": item.message}
    try:
        return publish(step, item).body
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


def _targets(destination: Destination, topic: Topic | None) -> list[_Target]:
    if topic is None:
        return [_Target(destination_text(destination))]
    return [_Target(endpoint.url, endpoint.name, endpoint.url) for endpoint in topic.endpoints]


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


def _accept(step: Transition, tenant: Tenant, command: Publish, options: Options, target: _Target) -> dict[str, Any]:
    key = None
    if command.schedule_id is None:
        key = dedup_key(options, destination_text(command.destination), command.body, target.dedup_suffix)
    known = tenant.dedup.lookup(key, step.now_ms) if key is not None else None
    if known is not None:
        step.increment(tenant, "deduplicated")
        return _result(command, target, known, deduplicated=True)
    message = _message(step, tenant, command, options, target)
    if key is not None:
        expires_ms = step.now_ms + step.state.limits.scaled_ms(step.state.limits.dedup_window_ms)
        tenant.dedup.forget_expired(step.now_ms)
        tenant.dedup.remember(key, message.id, expires_ms)
        step.changes.append(DedupStored(tenant.user, key, message.id, expires_ms))
    step.increment(tenant, "published" if command.schedule_id is None else "derived")
    admit(step, tenant, message)
    return _result(command, target, message.id, deduplicated=False)


def _message(step: Transition, tenant: Tenant, command: Publish, options: Options, target: _Target) -> Message:
    return make_message(
        step,
        tenant,
        target.url,
        options,
        command.body,
        topic=command.destination.name if isinstance(command.destination, GroupDestination) else None,
        endpoint=target.endpoint,
        queue=command.queue,
        schedule_id=command.schedule_id,
        caller_ip=command.caller_ip,
    )


def _result(command: Publish, target: _Target, message_id: str, *, deduplicated: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"messageId": message_id}
    if isinstance(command.destination, GroupDestination):
        result["url"] = target.url
    if deduplicated:
        result["deduplicated"] = True
    return result
