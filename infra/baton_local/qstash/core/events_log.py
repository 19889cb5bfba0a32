"""The log of what happened to messages: one event per transition (qstash.md 7, 14).

Events are written, never changed; they are read back from storage, so the state machine keeps none.
"""

import enum
from dataclasses import dataclass

from baton_local.qstash.core.attempt import AttemptResult
from baton_local.qstash.core.message import Message


class EventState(enum.StrEnum):
    """The states of qstash.md 7, spelt as the SDKs parse them."""

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    ERROR = "ERROR"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELED = "CANCELED"


IN_PROGRESS = (EventState.ACTIVE, EventState.RETRY, EventState.ERROR)


@dataclass(frozen=True, slots=True)
class Event:
    """One transition of one message."""

    message: Message
    time_ms: int
    state: EventState
    next_delivery_ms: int | None = None
    result: AttemptResult | None = None
