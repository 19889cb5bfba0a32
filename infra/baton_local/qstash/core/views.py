"""How messages, events and dead letters look in JSON (qstash.md 2, 12, 13, 14).

Invariant: an optional field that is unset is left out, never null; redacted values never appear.
"""

from base64 import b64encode
from typing import Any

from baton_local.qstash.core.flow_control import FlowSpec
from baton_local.qstash.core.headers import Redaction, digest
from baton_local.qstash.core.message import DlqEntry, Event, Message

View = dict[str, Any]


def without_unset(fields: View) -> View:
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}


def body_fields(body: bytes | None, name: str) -> View:
    """Return UTF-8 as text, anything else in base64 beside an empty text; nothing without a body."""
    if not body:
        return {}
    try:
        return {name: body.decode()}
    except UnicodeDecodeError:
        return {name: "", f"{name}Base64": b64encode(body).decode()}


def shown_body(body: bytes | None, redaction: Redaction) -> bytes | None:
    """Return the body as the API may show it."""
    return digest(body).encode() if redaction.body and body else body


def flow_fields(flow: FlowSpec | None) -> View:
    """Return the flow-control fields; the period (in seconds) always comes with a key."""
    if flow is None:
        return {}
    fields = {"flowControlKey": flow.key, "period": flow.period_seconds}
    return fields | without_unset({"rate": flow.rate, "parallelism": flow.parallelism})


def label_fields(labels: tuple[str, ...]) -> View:
    return {"label": labels[0], "labels": list(labels)} if labels else {}


def message_view(message: Message) -> View:
    """Return a message as `GET /v2/messages/{id}` shows it."""
    always = {
        "messageId": message.id,
        "url": message.url,
        "method": message.method,
        "maxRetries": message.max_retries,
        "notBefore": message.not_before_ms,
        "createdAt": message.created_at_ms,
    }
    callback, failure_callback = message.callback, message.failure_callback
    optional = {
        "topicName": message.topic,
        "endpointName": message.endpoint,
        "header": message.redaction.shown_headers(message.header),
        "callback": callback and callback.url,
        "failureCallback": failure_callback and failure_callback.url,
        "callbackHeader": callback and callback.headers,
        "failureCallbackHeader": failure_callback and failure_callback.headers,
        "queueName": message.queue,
        "scheduleId": message.schedule_id,
        "callerIP": message.caller_ip,
        "retryDelayExpression": message.retry_delay,
    }
    return (
        always
        | without_unset(optional)
        | body_fields(shown_body(message.body, message.redaction), "body")
        | label_fields(message.labels)
        | flow_fields(message.flow)
    )


def dlq_view(entry: DlqEntry) -> View:
    """Return a dead letter: the message, and what was answered last."""
    result = entry.result
    answer = result.error.encode() if result.error is not None else result.body
    return (
        {"dlqId": entry.id}
        | message_view(entry.message)
        | {"responseStatus": result.status}
        | without_unset({"responseHeader": result.headers})
        | body_fields(answer, "responseBody")
    )


def event_view(event: Event) -> View:
    """Return one event; every event of a message carries the message's own data (qstash.md 14)."""
    message, result = event.message, event.result
    callback, failure_callback = message.callback, message.failure_callback
    body = shown_body(message.body, message.redaction)
    fields: View = {
        "time": event.time_ms,
        "messageId": message.id,
        "state": event.state.value,
        "url": message.url,
        "nextDeliveryTime": event.next_delivery_ms,
        "topicName": message.topic,
        "endpointName": message.endpoint,
        "queueName": message.queue,
        "scheduleId": message.schedule_id,
        "header": message.redaction.shown_headers(message.header),
        "body": b64encode(body).decode() if body else None,
        "timeout": message.timeout_ms,
        "method": message.method,
        "callback": callback and callback.url,
        "callbackHeaders": callback and callback.headers,
        "failureCallback": failure_callback and failure_callback.url,
        "failureCallbackHeaders": failure_callback and failure_callback.headers,
        "maxRetries": message.max_retries,
        "retryDelayExpr": message.retry_delay,
        "retryDelayExpression": message.retry_delay,
        "callerIP": message.caller_ip,
    }
    if result is not None:
        fields |= {
            "error": _why_failed(event),
            "responseStatus": result.status or None,
            "responseHeader": result.headers,
            "responseHeaders": result.headers,
            "responseBody": b64encode(result.body).decode() if result.body else None,
        }
    return without_unset(fields) | label_fields(message.labels) | flow_fields(message.flow)


def _why_failed(event: Event) -> str | None:
    result = event.result
    if result is None or result.succeeded:
        return None
    return result.error or f"the destination answered {result.status}"
