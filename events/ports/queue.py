"""The message queue: at least once, any order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for the queue: to `url` or to `topic`, exactly one of them.

    `not_before_ms`: earliest delivery, 0: at once; one later than the queue's longest delay comes early.
    `deduplication_id`: a second message with it, within ten minutes, is accepted and never delivered; empty: none.
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
    retry_delay_ms: int = 10_000
    timeout_seconds: int = 300


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
