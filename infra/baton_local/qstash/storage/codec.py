"""Messages as rows, and small things (groups, queues, flow keys, schedules, keys, counters) as JSON texts; and back.

A message's constant part is JSON without what is unset, its body bytes. Invariants: decoding an encoded message gives
an equal one. What is not written follows from the messages, and is rebuilt when they are loaded.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, astuple
from typing import Any

from baton_local.qstash.core.destinations import Endpoint, Topic
from baton_local.qstash.core.flow_control import FlowKey, FlowSpec
from baton_local.qstash.core.headers import NOTHING_REDACTED, Redaction
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.message import DEFAULT_RETRIES, Message
from baton_local.qstash.core.options import CallbackSpec, parse_options
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.schedules import Schedule
from baton_local.qstash.core.state import ThingKind
from baton_local.qstash.core.tenant import Counters, SigningKeys

# Attribute → (name in JSON, default that is left out)
_PLAIN: dict[str, tuple[str, Any]] = {
    "url": ("url", None),
    "created_at_ms": ("created", None),
    "not_before_ms": ("notBefore", None),
    "method": ("method", "POST"),
    "header": ("header", {}),
    "max_retries": ("retries", DEFAULT_RETRIES),
    "retry_delay": ("retryDelay", None),
    "timeout_ms": ("timeout", None),
    "topic": ("topic", None),
    "endpoint": ("endpoint", None),
    "queue": ("queue", None),
    "schedule_id": ("schedule", None),
    "caller_ip": ("callerIp", None),
    "labels": ("labels", ()),
    "holds_queue": ("holdsQueue", None),
    "holds_turn_of": ("holdsTurnOf", None),
}
_ATTRIBUTE_OF = {name: attribute for attribute, (name, _) in _PLAIN.items()}
_dump = json.JSONEncoder(separators=(",", ":")).encode


def encode_message(message: Message) -> str:
    """Return the constant part of a message, without seq, id, user and body (columns of their own)."""
    content: dict[str, Any] = {}
    for attribute, (name, default) in _PLAIN.items():
        value = getattr(message, attribute)
        if value != default:
            content[name] = value
    if message.flow is not None:
        content["flow"] = astuple(message.flow)
    if message.callback is not None:
        content["callback"] = (message.callback.url, message.callback.headers)
    if message.failure_callback is not None:
        content["failureCallback"] = (message.failure_callback.url, message.failure_callback.headers)
    if message.redaction is not NOTHING_REDACTED:
        content["redaction"] = astuple(message.redaction)
    return _dump(content)


def decode_message(seq: int, message_id: str, user: str, content: str, body: bytes | None) -> Message:
    fields: dict[str, Any] = {}
    for name, value in json.loads(content).items():
        if name == "labels":
            fields["labels"] = tuple(value)
        elif name == "flow":
            fields["flow"] = FlowSpec(*value)
        elif name == "callback":
            fields["callback"] = CallbackSpec(*value)
        elif name == "failureCallback":
            fields["failure_callback"] = CallbackSpec(*value)
        elif name == "redaction":
            hidden_body, all_headers, names = value
            fields["redaction"] = Redaction(hidden_body, all_headers, tuple(names))
        else:
            fields[_ATTRIBUTE_OF[name]] = value
    return Message(seq=seq, id=message_id, user=user, body=body, **fields)


_QUEUE = ("name", "created_at_ms", "updated_at_ms", "parallelism", "paused")
_FLOW = (
    "key",
    "parallelism",
    "rate",
    "period_seconds",
    "pinned_parallelism",
    "pinned_rate",
    "paused",
    "started",
    "window_start_ms",
)
_SCHEDULE = (
    "id",
    "cron",
    "destination",
    "headers",
    "created_at_ms",
    "caller_ip",
    "queue",
    "paused",
    "next_at_ms",
    "last_at_ms",
    "last_states",
    "error",
)
# What was accepted once stays valid, whatever the limits are now.
_NO_LIMITS = Limits(max_delay_ms=10**15, max_retries=10**9, max_timeout_ms=10**15)


def encode_thing(kind: ThingKind, value: Any) -> str:
    if kind in {"queue", "flow"}:
        return json.dumps({name: getattr(value, name) for name in (_QUEUE if kind == "queue" else _FLOW)})
    if kind == "schedule":
        fields = {name: getattr(value, name) for name in _SCHEDULE}
        return json.dumps(fields | {"body": None if value.body is None else b64encode(value.body).decode()})
    return json.dumps(value.as_dict() if kind == "counters" else asdict(value))


def decode_keys(text: str) -> SigningKeys:
    fields = json.loads(text)
    return SigningKeys(**fields | {"configured": tuple(fields["configured"])})


def decode_counters(text: str) -> Counters:
    return Counters(**json.loads(text))


def decode_topic(text: str) -> Topic:
    fields = json.loads(text)
    return Topic(**fields | {"endpoints": tuple(Endpoint(**each) for each in fields["endpoints"])})


def decode_queue(text: str) -> Queue:
    """Return a queue, still without its messages."""
    return Queue(**json.loads(text))


def decode_flow(text: str) -> FlowKey:
    """Return a flow-control key, still without its messages."""
    return FlowKey(**json.loads(text))


def decode_schedule(text: str) -> Schedule:
    fields = json.loads(text)
    body = None if fields["body"] is None else b64decode(fields["body"])
    options = parse_options(fields["headers"], _NO_LIMITS)
    return Schedule(**fields | {"body": body, "options": options})
