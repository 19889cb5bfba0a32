"""What the queue knows of messages: where each one is, what was answered, and which it gave up on."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field


class QueuedMessage(Struct, frozen=True):
    """A message as the queue keeps it. `label`: the job that it is about; empty for a sweep or a callback."""

    id: str
    url: str
    body: str
    label: str = ""
    topic: str = ""
    schedule_id: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    created_ms: int = 0
    not_before_ms: int = 0
    retries: int = 0


class LogEntry(Struct, frozen=True):
    """One thing that happened to a message.

    Attributes:
        state: CREATED, ACTIVE, RETRY, ERROR, DELIVERED, FAILED, CANCEL_REQUESTED, CANCELED or IN_PROGRESS.
        next_ms: when the queue tries next; 0: it does not.
        status: of the destination's answer, 0: none. answer: its body. error: why the attempt failed.
    """

    message: QueuedMessage
    state: str
    at_ms: int
    next_ms: int = 0
    status: int = 0
    answer: str = ""
    error: str = ""


class LogPage(Struct, frozen=True):
    """Entries, the newest first. `cursor`: where older ones begin; empty: there are none."""

    entries: tuple[LogEntry, ...] = ()
    cursor: str = ""


class DeadLetter(Struct, frozen=True):
    """A message that the queue gave up on, with the last answer."""

    id: str
    message: QueuedMessage
    status: int = 0
    answer: str = ""


class DeadLetters(Struct, frozen=True):
    """Dead letters; `cursor` as of a LogPage."""

    letters: tuple[DeadLetter, ...] = ()
    cursor: str = ""


class QueueRecords(Protocol):
    """Reads and tends the queue, for operators. Each method raises PublishError and its kinds."""

    async def message(self, message_id: str) -> QueuedMessage | None:
        """A message that the queue still has; None otherwise: then its log may know it."""
        ...

    async def log(
        self, *, message_id: str = "", label: str = "", state: str = "", cursor: str = "", limit: int = 100
    ) -> LogPage:
        """What happened, of one message, of one label, of one state, or of everything."""
        ...

    async def dead_letters(self, *, label: str = "", url: str = "", cursor: str = "") -> DeadLetters:
        """Up to a hundred dead letters, of one label, for one address, or all."""
        ...

    async def retry(self, dead_letter_ids: Sequence[str]) -> int:
        """Make each a new message, with fresh retries; it is a dead letter no longer. Returns how many there were."""
        ...

    async def delete(self, dead_letter_ids: Sequence[str]) -> int:
        """Delete dead letters; returns how many there were."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
