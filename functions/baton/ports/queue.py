"""The message queue: at least once, any order."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import field

from baton.core.retry_waits import RetryWaits
from baton.record import Record


class Flow(Record, frozen=True):
    """Of all messages with this key, so many are delivered at once (qstash.md 18); no key: there is no limit."""

    key: str = ""
    parallelism: int = 0


_NO_FLOW = Flow()
_DEFAULT_WAITS = RetryWaits(10_000)


class Outgoing(Record, frozen=True):
    """One message for the queue: to `url` or to `topic`, exactly one of them.

    `not_before_ms`: earliest delivery, 0: at once; one later than the queue's longest delay comes early.
    `deduplication_id`: a second message with it, within ten minutes, is accepted and never delivered; empty: none.
    `waits`: before its retries. `flow`: how many like it are delivered at once; `callback_flow`: the same of its
    failure callback.
    """

    body: str
    url: str = ""
    topic: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    not_before_ms: int = 0
    deduplication_id: str = ""
    label: str = ""
    failure_callback: str = ""
    retries: int = 3
    waits: RetryWaits = _DEFAULT_WAITS
    timeout_seconds: int = 300
    flow: Flow = _NO_FLOW
    callback_flow: Flow = _NO_FLOW


class Queue(Protocol):
    """The message queue: at least once, any order."""

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish all in one request; returns message ids in order. Raises PublishError and its kinds."""
        ...

    async def cancel(self, message_id: str) -> None:
        """Take a message back if it has not been delivered; an unknown one is no error."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
