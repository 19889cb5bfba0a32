"""Going on in place: which work items a COMMIT claims for the invocation that makes it.

Invariant: what is claimed so is what the same invocation would get by a CLAIM at once; the claim needs no request of
its own.

Source: decisions/0014-inline-continuation.
"""

from collections.abc import Container, Mapping

from msgspec import Struct

from baton.core.state import Job
from baton.core.work_items import ItemKind, WorkItem


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
