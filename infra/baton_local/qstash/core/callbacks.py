"""Callbacks: what a source message's attempt tells its callback URL (qstash.md 11).

Pure content; the message that carries it is admitted like any other, and is never deduplicated.
"""

import json
from base64 import b64encode
from typing import Any

from baton_local.qstash.core.attempt import AttemptResult
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.message import Live
from baton_local.qstash.core.options import CallbackSpec, Options, parse_options
from baton_local.qstash.core.redaction import digest


def callback_options(spec: CallbackSpec, source: Live, limits: Limits) -> Options:
    """The options of the callback message: its own headers over the source's retries and JSON content."""
    headers = {
        "content-type": ["application/json"],
        "upstash-retries": [str(source.message.max_retries)],
        **{name.lower(): values for name, values in spec.headers.items()},
    }
    return parse_options(headers, limits)


def callback_body(source: Live, result: AttemptResult, dlq_id: str | None) -> bytes:
    """The JSON that a callback (with `dlq_id`: a failure callback) carries."""
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
    """The body as it may be shown: a callback is logged like any message, so what is redacted stays so."""
    body = source.message.body or b""
    return digest(body).encode() if source.message.redaction.body else body
