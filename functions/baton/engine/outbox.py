"""Which events a state's open work items still owe, and which items a COMMIT claims for its own invocation.

The state is the outbox: events are derived from its work items. Invariant: an item that is continued inline is one that
the same invocation would get by a CLAIM at once; the claim needs no request of its own.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from baton.engine.state import Job
from baton.engine.waits import LIMIT_APPROVAL
from baton.engine.work_items import ItemKind, WorkItem
from baton_events.ids import event_id
from baton_events.schema import (
    AgentLoopInit,
    AgentToolCall,
    Command,
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


# What a work item says in the payload of a turn's event.
_LOOPS: Mapping[ItemKind, Mapping[str, Any]] = {
    ItemKind.LOOP: {},
    ItemKind.REMEMBER: {"remember": True},
    ItemKind.NOTIFY: {"notify": True},
}


def command_event(name: str, job_id: str, session_id: str, created_at: datetime, command: Command) -> AgentLoopInit:
    """The event that carries a command about a job; `name`: its id."""
    payload = LoopPayload(turn=1, command=command)
    return AgentLoopInit(id=name, session_id=session_id, job_id=job_id, created_at=created_at, payload=payload)


def announcement(
    job_id: str, session_id: str, created_at: datetime, call_id: str, attempt: int = 1, *, escalated: bool = False
) -> AgentLoopInit:
    """The event by which people get a notice of an approval; the same one however often it is published."""
    name = event_id(f"announce:{call_id}:{'escalated' if escalated else 'asked'}:{attempt}")
    payload = LoopPayload(turn=1, attempt=attempt, announces=call_id, escalated=escalated or None)
    return AgentLoopInit(id=name, session_id=session_id, job_id=job_id, created_at=created_at, payload=payload)


def announcements(session_id: str, items: Iterable[WorkItem]) -> Iterable[AgentLoopInit]:
    """Those of the items that have just begun to wait for a person: what is decided does not wait any more."""
    for item in items:
        asks = item.approval_of_call or item.tool == LIMIT_APPROVAL
        if item.kind is ItemKind.WAIT and asks and item.not_before_ms:
            yield announcement(item.job_id, session_id, moment(item.since_ms), item.call_id)


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
    if item.kind in _LOOPS:
        return AgentLoopInit(**head, payload=LoopPayload(turn=item.turn, attempt=item.attempt, **_LOOPS[item.kind]))
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
        case _:
            return ToolExecutionFailed(**head, payload=payload)


class Continuation(Struct, frozen=True):
    """What an invocation has room for.

    Attributes:
        owner: the name under which this COMMIT claims; another COMMIT of the same invocation has another one, so each
            work item is told to one of them. What was claimed under it is told again to a COMMIT that is repeated.
        leases_ms: the kinds of work items that it can go on with, and for how long from now it holds one of each; but a
            slot request is held by nobody.
        at_most: so many work items, in the order of their keys.
        but: keys of work items that it has taken in hand already, or dispatched.
    """

    owner: str
    leases_ms: Mapping[ItemKind, int]
    at_most: int
    but: frozenset[str] = frozenset()


def of_one_invocation(owner: str, other: str) -> bool:
    """Whether both are names of the same invocation: what stands before the dot."""
    return owner.partition(".")[0] == other.partition(".")[0]


def is_released(item: WorkItem, owner: str) -> bool:
    """Whether who commits this item, under this name, goes on with nothing: its message may be over before that is."""
    return item.redelivered or not of_one_invocation(item.owner, owner)


def may_continue(job: Job, item: WorkItem, kinds: Container[ItemKind]) -> bool:
    """Whether an item of this job may be worked on by who works on another one of it: nobody wants it kept apart."""
    if item.kind is ItemKind.SLOT_REQUEST or item.kind not in kinds:
        return item.kind in kinds
    return not job.isolated and not (item.kind is ItemKind.CALL and item.isolated)
