"""Small things (groups, queues, flow keys, schedules, keys, counters) as JSON texts and back.

Invariant: what is not written follows from the messages, and is rebuilt when they are loaded.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import asdict
from typing import Any

from baton_local.qstash.core.changes import ThingKind
from baton_local.qstash.core.flow_control import FlowKey
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.options import parse_options
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.schedules import Schedule
from baton_local.qstash.core.tenant import Counters, SigningKeys
from baton_local.qstash.core.topics import Endpoint, Topic

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


def encode(kind: ThingKind, value: Any) -> str:
    """The thing as text, as it is now."""
    if kind in {"queue", "flow"}:
        return json.dumps({name: getattr(value, name) for name in (_QUEUE if kind == "queue" else _FLOW)})
    if kind == "schedule":
        fields = {name: getattr(value, name) for name in _SCHEDULE}
        return json.dumps(fields | {"body": None if value.body is None else b64encode(value.body).decode()})
    return json.dumps(value.as_dict() if kind == "counters" else asdict(value))


def decode_keys(text: str) -> SigningKeys:
    """A pair of signing keys."""
    fields = json.loads(text)
    return SigningKeys(**fields | {"configured": tuple(fields["configured"])})


def decode_counters(text: str) -> Counters:
    """The counters of a user."""
    return Counters(**json.loads(text))


def decode_topic(text: str) -> Topic:
    """A URL group."""
    fields = json.loads(text)
    return Topic(**fields | {"endpoints": tuple(Endpoint(**each) for each in fields["endpoints"])})


def decode_queue(text: str) -> Queue:
    """A queue, still without its messages."""
    return Queue(**json.loads(text))


def decode_flow(text: str) -> FlowKey:
    """A flow-control key, still without its messages."""
    return FlowKey(**json.loads(text))


def decode_schedule(text: str) -> Schedule:
    """A schedule."""
    fields = json.loads(text)
    body = None if fields["body"] is None else b64decode(fields["body"])
    options = parse_options(fields["headers"], _NO_LIMITS)
    return Schedule(**fields | {"body": body, "options": options})
