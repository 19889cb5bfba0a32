"""Messages as rows: the constant part as JSON without what is unset, the body as bytes.

Invariant: decode(encode(message)) == message.
"""

import json
from dataclasses import astuple
from typing import Any

from baton_local.qstash.core.flow_spec import FlowSpec
from baton_local.qstash.core.message import DEFAULT_RETRIES, Message
from baton_local.qstash.core.options import CallbackSpec
from baton_local.qstash.core.redaction import NOTHING_REDACTED, Redaction

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


def encode(message: Message) -> str:
    """The constant part of a message, without seq, id, user and body (columns of their own)."""
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


def decode(seq: int, message_id: str, user: str, content: str, body: bytes | None) -> Message:
    """The message of a row."""
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
