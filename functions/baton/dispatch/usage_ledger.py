"""Writes to the store that keep what the invocation has spent so far with the job that they are about.

Invariant: what was taken from the meter is kept with what was written, or given back: then it is there for the next
write, or is overhead. A write of which nobody knows whether it was done is taken for one that was not.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec.structs import replace

from baton.core.effects import Changes
from baton.core.inline_continuation import Continuation
from baton.core.stored_bytes import told_bytes, written_bytes
from baton.ports import (
    Claim,
    Committed,
    Created,
    Loaded,
    Outside,
    OutsideFact,
    PendingItems,
    Recorded,
    Spent,
    Store,
    give_back,
    take,
)

_Answer = TypeVar("_Answer")


async def commit(store: Store, claim: Claim, changes: Changes, continuation: Continuation | None = None) -> Committed:
    """`Store.commit`."""
    return await _kept(
        lambda spent: store.commit(claim, changes, spent, continuation),
        lambda answer: answer.applied,
        written_bytes(changes, claim.item_key),
    )


async def create(store: Store, changes: Changes, relay_id: str, now_ms: int, counted_bytes: int = 0) -> Created:
    """`Store.create`. `counted`: what the quota of its tenant knows of it."""
    return await _kept(
        lambda spent: store.create(changes, relay_id, now_ms, replace(spent, counted=counted_bytes)),
        lambda answer: answer.new,
        written_bytes(changes),
    )


async def record(
    store: Store, loaded: Loaded, relay_id: str, changes: Changes, now_ms: int
) -> tuple[Recorded, PendingItems]:
    """`Store.record`."""
    return await _kept(
        lambda spent: store.record(loaded, relay_id, changes, now_ms, spent),
        lambda answer: answer[0] is Recorded.COMMITTED,
        written_bytes(changes),
    )


async def tell(store: Store, job_id: str, relay_id: str, fact: OutsideFact, now_ms: int) -> Outside:
    """`Store.tell`."""
    return await _kept(
        lambda spent: store.tell(job_id, relay_id, fact, now_ms, spent),
        lambda answer: answer.signal_result.is_new,
        told_bytes(fact.outcome, event=bool(fact.event)),
    )


async def _kept(
    write: Callable[[Spent], Awaitable[_Answer]], is_written: Callable[[_Answer], bool], stored_bytes: int
) -> _Answer:
    spent, written = take(), False
    try:
        answer = await write(replace(spent, written=spent.written + stored_bytes))
        written = is_written(answer)
    finally:
        if not written:
            give_back(spent)
    return answer
