"""What a transition passes to storage: a closed union of frozen records, written in one disk transaction."""

from dataclasses import dataclass
from typing import Any, Literal

from baton_local.qstash.core.message import DlqEntry, Event, Message

# Small things that are stored whole, one row each, by kind.
ThingKind = Literal["counters", "keys", "topic", "queue", "flow", "schedule"]


@dataclass(frozen=True, slots=True)
class MessageStored:
    """A message was accepted."""

    message: Message
    due_ms: int


@dataclass(frozen=True, slots=True)
class ProgressStored:
    """A message has come further, or is to be cancelled."""

    message: Message
    retried: int
    due_ms: int
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class MessageFinished:
    """A message was delivered, failed or was cancelled; it stays readable for a while."""

    message: Message
    finished_at_ms: int
    response_bytes: int


@dataclass(frozen=True, slots=True)
class DlqStored:
    """A dead letter was added."""

    entry: DlqEntry


@dataclass(frozen=True, slots=True)
class DlqDropped:
    """A dead letter is gone."""

    entry: DlqEntry


@dataclass(frozen=True, slots=True)
class DedupStored:
    """A deduplication window was opened."""

    user: str
    key: str
    message_id: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class ThingStored:
    """A small thing is now like this (the object may change later: it is written as it is then)."""

    kind: ThingKind
    user: str
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class ThingDropped:
    """A small thing is gone."""

    kind: ThingKind
    user: str
    key: str


@dataclass(frozen=True, slots=True)
class UserForgotten:
    """Everything of a user that was written so far is gone."""

    user: str


Change = (
    MessageStored
    | ProgressStored
    | MessageFinished
    | Event
    | DlqStored
    | DlqDropped
    | DedupStored
    | ThingStored
    | ThingDropped
    | UserForgotten
)
