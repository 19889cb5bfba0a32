"""What the product needs of the queue besides publishing: schedules, records of messages, and its signature."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from baton_events.messages import Outgoing


class QueueSchedule(Struct, frozen=True):
    """A schedule of the queue.

    `body`: what it sends. `failure_callback`: where the queue reports a failure. `last`: what became of its last
    messages, by message id.
    """

    id: str
    destination: str
    cron: str
    body: str = ""
    failure_callback: str = ""
    paused: bool = False
    created_ms: int = 0
    next_ms: int = 0
    last_ms: int = 0
    last: dict[str, str] = field(default_factory=dict[str, str])
    error: str = ""


class Schedules(Protocol):
    """Makes and tends schedules. Each method raises PublishError and its kinds."""

    async def all(self) -> tuple[QueueSchedule, ...]:
        """All of them, also those of others on the same queue, by id."""
        ...

    async def find(self, schedule_id: str) -> QueueSchedule | None:
        """One of them; None where there is none."""
        ...

    async def put(self, schedule_id: str, cron: str, message: Outgoing) -> None:
        """Make one, or change it. Raises QueueRefusedError where the queue does not understand the cron expression."""
        ...

    async def pause(self, schedule_id: str, *, paused: bool) -> None:
        """Pause one, or let it go on. Raises MessageNotFoundError."""
        ...

    async def delete(self, schedule_id: str) -> None:
        """Delete one; an unknown one is no error."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


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


class Verifier(Protocol):
    """Checks the queue's signature."""

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Check that the queue signed exactly this body for this URL, recently; raises SignatureError."""
        ...
