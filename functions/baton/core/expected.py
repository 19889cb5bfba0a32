"""Derive the events that must still be published from a state's work items: the state is the outbox.

Source: decisions/0004-work-items.
"""

from collections.abc import Iterable
from typing import Any

from baton.core.state import Job
from baton.core.work_items import ItemKind, WorkItem
from baton_events.ids import event_id
from baton_events.schema import (
    AgentLoopInit,
    AgentToolCall,
    Event,
    LoopPayload,
    ToolExecutionComplete,
    ToolExecutionFailed,
    ToolPayload,
)
from baton_events.timestamps import moment


def expected_events(job: Job, items: Iterable[WorkItem]) -> tuple[Event, ...]:
    """The events that must still be handled, one for each open item; the same items always give the same events."""
    return tuple(event_of(job.session_id, item) for item in items)


def event_of(session_id: str, item: WorkItem) -> Event:
    """The event that carries a work item."""
    head: dict[str, Any] = {
        "id": event_id(item.key),
        "session_id": session_id,
        "job_id": item.job_id,
        "created_at": moment(item.since_ms),
    }
    if item.kind is ItemKind.SLOT_REQUEST:
        return AgentLoopInit(**head, payload=LoopPayload(turn=item.turn, slot_request=item.attempt))
    if item.kind is ItemKind.REMEMBER:
        return AgentLoopInit(**head, payload=LoopPayload(turn=item.turn, attempt=item.attempt, remember=True))
    if item.kind is ItemKind.LOOP:
        return AgentLoopInit(**head, payload=LoopPayload(turn=item.turn, attempt=item.attempt))
    payload = ToolPayload(
        turn=item.turn,
        position=item.position,
        call_id=item.call_id,
        tool=item.tool,
        attempt=item.attempt,
        wait=True if item.kind is ItemKind.WAIT else None,
        step=item.step or None,
    )
    match item.kind:
        case ItemKind.CALL:
            return AgentToolCall(**head, payload=payload)
        case ItemKind.COMPLETE | ItemKind.WAIT:
            return ToolExecutionComplete(**head, payload=payload)
        case ItemKind.FAILED:
            return ToolExecutionFailed(**head, payload=payload)
