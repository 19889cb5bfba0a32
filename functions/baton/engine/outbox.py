"""The events of a state's open work items, and the items that a COMMIT claims for its own invocation.

The state is the outbox: events are derived from its work items. Invariant: an item that is continued inline is one that
the same invocation would get by a CLAIM at once; the claim needs no request of its own.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
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

_KNOWN_OWNERS = 1024  # a COMMIT names its own, and those of what is at work beside it, several times
# Payload fields of a turn's event, by the kind of its work item.
_LOOPS: Mapping[ItemKind, Mapping[str, Any]] = {
    ItemKind.LOOP: {},
    ItemKind.REMEMBER: {"remember": True},
    ItemKind.NOTIFY: {"notify": True},
    ItemKind.RELEASE: {"release": True},
}


def command_event(name: str, job_id: str, session_id: str, created_at: datetime, command: Command) -> AgentLoopInit:
    """Return the event that carries a command about a job; `name`: the event's id."""
    payload = LoopPayload(turn=1, command=command)
    return AgentLoopInit(id=name, session_id=session_id, job_id=job_id, created_at=created_at, payload=payload)


def announcement(
    job_id: str, session_id: str, created_at: datetime, call_id: str, attempt: int = 1, *, escalated: bool = False
) -> AgentLoopInit:
    """Return the event that notifies people of an approval; it is the same one however often it is published."""
    name = event_id(f"announce:{call_id}:{'escalated' if escalated else 'asked'}:{attempt}")
    payload = LoopPayload(turn=1, attempt=attempt, announces=call_id, escalated=escalated or None)
    return AgentLoopInit(id=name, session_id=session_id, job_id=job_id, created_at=created_at, payload=payload)


def announcements(session_id: str, items: Iterable[WorkItem]) -> Iterable[AgentLoopInit]:
    """Yield the announcements of items that have just begun to wait for a person; a decided one waits no more."""
    for item in items:
        asks = item.approval_of_call or item.tool == LIMIT_APPROVAL
        if item.kind is ItemKind.WAIT and asks and item.not_before_ms:
            yield announcement(item.job_id, session_id, moment(item.since_ms), item.call_id)


def event_of(session_id: str, item: WorkItem) -> Event:
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
    """The capacity of an invocation for inline continuation.

    `owner`: the name under which this COMMIT claims. Another COMMIT of the same invocation has another name, so each
    work item goes to one of them; a repeated COMMIT gets the items claimed under its name again. `leases_ms`: the kinds
    of work items that it can continue with, and how long from now the lease of each lasts; a slot request has no lease.
    `at_most`: the number of work items, in the order of their keys. `but`: keys of those in progress in it already, or
    dispatched.
    """

    owner: str
    leases_ms: Mapping[ItemKind, int]
    at_most: int
    but: frozenset[str] = frozenset()


@lru_cache(_KNOWN_OWNERS)
def invocation_of(owner: str) -> str:
    """Return the name of an owner's invocation: the part before the dot."""
    return owner.partition(".")[0]


def of_one_invocation(owner: str, other: str) -> bool:
    return invocation_of(owner) == invocation_of(other)


def is_released(item: WorkItem, owner: str) -> bool:
    """Return whether a commit under this name continues with nothing: its message may be over before that is done."""
    return item.redelivered or not of_one_invocation(item.owner, owner)


def may_continue(job: Job, item: WorkItem, kinds: Container[ItemKind]) -> bool:
    """Return whether an invocation of this job may continue with this item: nothing keeps it apart."""
    if item.kind is ItemKind.SLOT_REQUEST or item.kind not in kinds:
        return item.kind in kinds
    return not job.isolated and not (item.kind is ItemKind.CALL and item.isolated)
