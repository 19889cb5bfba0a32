"""What comes from the queue and goes back to it: a delivered message and its outcome, and the events of work items.

Before a message is acknowledged, the events of the items that it still carries are published. Invariant: exactly what
the message carries, never the siblings' (that would be quadratic). A work item under a live lease goes out for the
lease's end.
"""

from collections.abc import Sequence

from msgspec import Struct

from baton.engine.outbox import announcements, event_of
from baton.engine.work_items import WorkItem
from baton.observability.tracing import with_trace
from baton.sdk.records import HttpResponse
from baton_events.emitter import Delivery, Emitter
from baton_events.schema import AgentLoopInit, Event, Spending


class Delivered(Struct, frozen=True):
    """An event as the queue delivered it; `retried` counts earlier attempts of the same message.

    `token`: what the queue signed for this attempt; empty: nothing that could have been captured.
    `answer`: the model's, where the message brings one to the turn of its event.
    """

    message_id: str
    retried: int
    event: Event
    token: str = ""
    answer: HttpResponse | None = None


class Outcome(Struct, frozen=True):
    """What became of a message: a word for logs and the answer's body, how many events it dispatched."""

    label: str
    dispatched: int = 0


async def dispatch(
    emitter: Emitter, session_id: str, items: Sequence[WorkItem], redrive: str, spent: Spending | None = None
) -> int:
    """Publish the events of these work items in one request; returns how many.

    Args:
        emitter: where to.
        session_id: the session of the work items' job.
        items: what to dispatch.
        redrive: which delivery of which message dispatches. It is part of the deduplication id, as is when the work
            item was added or redriven: the same delivery doing so twice is suppressed by the queue, a deliberate
            re-drive never is, also by another copy of a message, whose retries are counted anew.
        spent: what the first of them, which must begin a turn or request a slot, brings to its job's usage ledger.
    """
    events = [event_of(session_id, item) for item in items]
    if spent is not None and isinstance(events[0], AgentLoopInit):
        events[0] = events[0].with_spent(spent)
    deliveries = [
        delivery(event, item.free_at_ms(), f"{item.since_ms}.{redrive}")
        for event, item in zip(events, items, strict=True)
    ]
    if emitter.announces:
        deliveries += [Delivery(event, 0, event.id) for event in announcements(session_id, items)]
    if deliveries:
        await emitter.emit_many(deliveries)
    return len(deliveries)


async def postpone(emitter: Emitter, event: Event, not_before_ms: int, redrive: str) -> None:
    """Publish a message's own event again: its item is busy, or not due yet. A 5xx would burn one of few retries."""
    await emitter.emit_many([delivery(event, not_before_ms, redrive)])


def redrive_of(message_id: str, retried: int) -> str:
    """The redrive of one delivery of a message."""
    return f"{message_id}.{retried}"


def delivery(event: Event, not_before_ms: int, redrive: str) -> Delivery:
    """An event to publish, told apart from the same event redriven by another delivery."""
    return Delivery(with_trace(event), not_before_ms, f"{event.id}.{redrive}")
