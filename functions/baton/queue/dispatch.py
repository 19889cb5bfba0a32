"""The queue's messages in both directions: a delivered message and its outcome, and the events of work items.

Before a message is acknowledged, the events of its pending items are published. Invariant: exactly the message's own
items, never their siblings (that would be quadratic). A work item under a live lease is sent for the lease's end.
"""

from collections.abc import Sequence

from msgspec import Struct

from baton.engine.outbox import announcements, event_of
from baton.engine.work_items import WorkItem
from baton.observability.tracing import with_trace
from baton.sdk.records.transcript import HttpResponse
from baton_events.emitter import Delivery, Emitter
from baton_events.schema import AgentLoopInit, Event, Spending


class Delivered(Struct, frozen=True):
    """An event as the queue delivered it; `retried` counts earlier attempts of the same message.

    `token`: the queue's signature of this attempt; empty: none that could have been captured. `answer`: the model's,
    where the message brings one to the turn of its event.
    """

    message_id: str
    retried: int
    event: Event
    token: str = ""
    answer: HttpResponse | None = None


class Outcome(Struct, frozen=True):
    """The outcome of a message: a label for logs and the answer's body, and the number of dispatched events."""

    label: str
    dispatched: int = 0


async def dispatch(
    emitter: Emitter,
    session_id: str,
    items: Sequence[WorkItem],
    replay: str,
    spent: Spending | None = None,
    lane: str = "",
) -> int:
    """Publish the events of these work items in one request; return their number.

    `emitter`: publishes the events. `session_id`: the session of the work items' job. `items`: the work items to
    dispatch. `replay`: the delivery that dispatches. It is part of the deduplication id, as is the time when the work
    item was added or replayed. So the queue suppresses a repeat by the same delivery, but no deliberate replay, even
    by another copy of a message, whose retries are counted separately. `spent`: usage that the first item, which must
    begin a turn or request a slot, adds to its job's ledger. `lane`: the job's tenant, if its messages may be many.
    """
    events = [event_of(session_id, item) for item in items]
    if spent is not None and isinstance(events[0], AgentLoopInit):
        events[0] = events[0].with_spent(spent)
    deliveries = [
        delivery(event, item.free_at_ms(), f"{item.since_ms}.{replay}", lane)
        for event, item in zip(events, items, strict=True)
    ]
    if emitter.announces:
        deliveries += [Delivery(event, 0, event.id) for event in announcements(session_id, items)]
    if deliveries:
        await emitter.emit_many(deliveries)
    return len(deliveries)


async def postpone(emitter: Emitter, event: Event, not_before_ms: int, replay: str) -> None:
    """Publish a message's own event again: its item is busy, or not due yet. A 5xx would use up one of few retries."""
    await emitter.emit_many([delivery(event, not_before_ms, replay)])


def replay_of(message_id: str, retried: int) -> str:
    return f"{message_id}.{retried}"


def delivery(event: Event, not_before_ms: int, replay: str, lane: str = "") -> Delivery:
    """Build an event to publish, distinct from the same event replayed by another delivery."""
    return Delivery(with_trace(event), not_before_ms, f"{event.id}.{replay}", lane)
