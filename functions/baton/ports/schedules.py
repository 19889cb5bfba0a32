"""The queue's schedules: messages that it sends again and again, by a cron expression."""

from typing import Protocol

from msgspec import Struct, field

from baton_events.messages import Outgoing


class QueueSchedule(Struct, frozen=True):
    """A schedule of the queue.

    `body`: what it sends. `failure_callback`: where the queue tells that it could not. `last`: what became of its last
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
