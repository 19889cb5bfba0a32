"""A message: what was accepted (frozen) and how far it has come (Live).

Invariant: a Message never changes after it was accepted; everything that changes is in Live.
"""

import enum
from dataclasses import dataclass, field

from baton_local.qstash.core.flow_spec import FlowSpec
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.options import CallbackSpec
from baton_local.qstash.core.redaction import NOTHING_REDACTED, Redaction

DEFAULT_RETRIES = 3


@dataclass(frozen=True, slots=True)
class Message:
    """What will be sent, where, and how; `seq` orders all messages of a server."""

    seq: int
    id: str
    user: str
    url: str
    created_at_ms: int
    not_before_ms: int
    method: str = "POST"
    header: HeaderMap = field(default_factory=dict)
    body: bytes | None = None
    max_retries: int = DEFAULT_RETRIES
    retry_delay: str | None = None
    timeout_ms: int | None = None
    topic: str | None = None
    endpoint: str | None = None
    queue: str | None = None
    schedule_id: str | None = None
    caller_ip: str | None = None
    labels: tuple[str, ...] = ()
    flow: FlowSpec | None = None
    callback: CallbackSpec | None = None
    failure_callback: CallbackSpec | None = None
    redaction: Redaction = NOTHING_REDACTED
    # A callback keeps the queue's turn of the message that it reports on (qstash.md 11).
    holds_queue: str | None = None
    holds_turn_of: str | None = None


class Phase(enum.Enum):
    """Where a message that is not finished stands."""

    TIMED = "waits for a time"
    QUEUED = "waits for its turn in a queue"
    PARKED = "waits for flow control, a paused queue or a free slot"
    ACTIVE = "is being delivered"


@dataclass(slots=True)
class Live:
    """An unfinished message; the only mutable thing about it."""

    message: Message
    due_ms: int
    retried: int = 0
    phase: Phase = Phase.QUEUED
    cancel_requested: bool = False
    response_bytes: int = 0
    turn: int = 0  # drawn when it became due; a lower one goes first
