"""Handing on: the events of the legs that a message still carries go back to the queue, before it is acknowledged.

Invariant: exactly what the message carries, never the siblings' (that would be quadratic). A leg under a live lease
goes out for the lease's end.
"""

from collections.abc import Sequence

from baton.core.expected import event_of
from baton.core.legs import Leg
from baton.emitter import Delivery, Emitter
from baton.observability.tracing import with_trace
from baton_events.schema import Event


async def hand_on(emitter: Emitter, session_id: str, legs: Sequence[Leg], drive: str) -> int:
    """Publish the events of these legs in one request; returns how many.

    Args:
        emitter: where to.
        session_id: the session of the legs' job.
        legs: what to hand on.
        drive: which delivery of which message hands on. It is part of the deduplication id, as is when the leg was
            added or driven anew: the same delivery doing so twice is suppressed by the queue, a deliberate re-drive
            never is, also by another copy of a message, whose retries are counted anew.
    """
    deliveries = [delivery(event_of(session_id, leg), leg.free_at_ms(), f"{leg.since_ms}.{drive}") for leg in legs]
    if deliveries:
        await emitter.emit_many(deliveries)
    return len(deliveries)


async def postpone(emitter: Emitter, event: Event, not_before_ms: int, drive: str) -> None:
    """Publish a message's own event again: its leg is busy, or not due yet. A 5xx would burn one of few retries."""
    await emitter.emit_many([delivery(event, not_before_ms, drive)])


def drive_of(message_id: str, retried: int) -> str:
    """The drive of one delivery of a message."""
    return f"{message_id}.{retried}"


def delivery(event: Event, not_before_ms: int, drive: str) -> Delivery:
    """An event to publish, told apart from the same event driven by another delivery."""
    return Delivery(with_trace(event), not_before_ms, f"{event.id}.{drive}")
