"""expected_events(state): the state is the outbox, so what must still be published follows from its legs (DESIGN 3)."""

from collections.abc import Iterable
from typing import Any

from baton.core.legs import Leg, LegKind
from baton.core.state import Job
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


def expected_events(job: Job, legs: Iterable[Leg]) -> tuple[Event, ...]:
    """The events that must still be handled, one for each open leg; the same legs always give the same events."""
    return tuple(event_of(job.session_id, leg) for leg in legs)


def event_of(session_id: str, leg: Leg) -> Event:
    """The event that carries a leg."""
    head: dict[str, Any] = {
        "id": event_id(leg.key),
        "session_id": session_id,
        "job_id": leg.job_id,
        "created_at": moment(leg.since_ms),
    }
    if leg.kind is LegKind.WISH:
        return AgentLoopInit(**head, payload=LoopPayload(turn=leg.turn, wish=leg.attempt))
    if leg.kind is LegKind.REMEMBER:
        return AgentLoopInit(**head, payload=LoopPayload(turn=leg.turn, attempt=leg.attempt, remember=True))
    if leg.kind is LegKind.LOOP:
        return AgentLoopInit(**head, payload=LoopPayload(turn=leg.turn, attempt=leg.attempt))
    payload = ToolPayload(
        turn=leg.turn,
        position=leg.position,
        call_id=leg.call_id,
        tool=leg.tool,
        attempt=leg.attempt,
        wait=True if leg.kind is LegKind.WAIT else None,
        step=leg.step or None,
    )
    match leg.kind:
        case LegKind.CALL:
            return AgentToolCall(**head, payload=payload)
        case LegKind.COMPLETE | LegKind.WAIT:
            return ToolExecutionComplete(**head, payload=payload)
        case LegKind.FAILED:
            return ToolExecutionFailed(**head, payload=payload)
