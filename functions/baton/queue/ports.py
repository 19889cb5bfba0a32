"""The product's further uses of the queue: schedules, records of messages, and its signature."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from baton_events.messages import Outgoing


class QueueSchedule(Struct, frozen=True):
    """A schedule of the queue.

    `body`: the message's content. `failure_callback`: the destination of failure reports. `last`: the states of its
    last messages, by message id.
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
    """Makes and manages schedules. Each method raises PublishError and its kinds."""

    async def all(self) -> tuple[QueueSchedule, ...]:
        """Return all schedules, also those of others on the same queue, by id."""
        ...

    async def find(self, schedule_id: str) -> QueueSchedule | None: ...

    async def put(self, schedule_id: str, cron: str, message: Outgoing) -> None:
        """Make a schedule, or change it. Raises QueueRefusedError for a cron expression that the queue rejects."""
        ...

    async def pause(self, schedule_id: str, *, paused: bool) -> None:
        """Pause a schedule, or resume it. Raises MessageNotFoundError."""
        ...

    async def delete(self, schedule_id: str) -> None:
        """Delete a schedule; an unknown one is no error."""
        ...

    async def close(self) -> None: ...


class QueuedMessage(Struct, frozen=True):
    """A message as the queue keeps it. `label`: its job; empty for a sweep or a callback."""

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
    """One log entry of a message.

    `state`: CREATED, ACTIVE, RETRY, ERROR, DELIVERED, FAILED, CANCEL_REQUESTED, CANCELED or IN_PROGRESS. `next_ms`:
    the time of the queue's next try; 0: none. `status`: of the destination's answer, 0: none. answer: its body. error:
    the attempt's failure.
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
    """Reads and manages the queue, for operators. Each method raises PublishError and its kinds."""

    async def message(self, message_id: str) -> QueuedMessage | None:
        """Return a message that the queue still has; None otherwise: its log may still have entries."""
        ...

    async def log(
        self, *, message_id: str = "", label: str = "", state: str = "", cursor: str = "", limit: int = 100
    ) -> LogPage:
        """Return the log of one message, of one label, of one state, or of everything."""
        ...

    async def dead_letters(
        self, *, message_id: str = "", label: str = "", url: str = "", cursor: str = ""
    ) -> DeadLetters:
        """Return up to a hundred dead letters: of one message, of one label, for one address, or all."""
        ...

    async def retry(self, dead_letter_ids: Sequence[str]) -> int:
        """Make each a new message, with fresh retries; it is a dead letter no longer. Return their number."""
        ...

    async def delete(self, dead_letter_ids: Sequence[str]) -> int:
        """Delete dead letters; return their number."""
        ...

    async def close(self) -> None: ...


class Verifier(Protocol):
    """Checks the queue's signature: first its own text, then the body that it is for."""

    knows_keys: bool

    async def know_keys(self) -> None:
        """Know the signing keys. Raises PublishError: the queue does not tell them."""
        ...

    def signed_digest(self, signature: str, url: str) -> str:
        """Check that the queue signed for this URL, recently; return the digest of the body. Raises SignatureError."""
        ...

    def check_body(self, digest: str, body: bytes) -> None:
        """Check that a body is the one that was signed. Raises SignatureError."""
        ...
